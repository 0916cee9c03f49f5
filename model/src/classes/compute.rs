//! Hosts, containers and their images.

use crate::ci_class;

ci_class! {
    /// An installed operating system and the machine that it makes of its hardware.
    mod host, class "host", label "Host", plural "Hosts",
    group Compute, icon "server", title "fqdn",
    identity keys [
        AgentKey, CloudId, SmbiosUuid, MachineId, SshHostKey, WindowsMachineGuid, SnmpEngineId, LldpChassisId,
        KubernetesSystemUuid, MacAddress, Fqdn, HostName, SystemName, IpAddress
    ]
    {
        /// Host name with its domain, as the host itself says it.
        fact FQDN: String = "fqdn", "Host name";
        /// Short host name.
        fact HOST_NAME: String = "host_name", "Short name";
        /// Name and version of the operating system, as a person says it.
        fact OS_NAME: String = "os_name", "Operating system";
        /// Identifier of the distribution or product, such as `debian`.
        fact OS_ID: String = "os_id", "OS identifier";
        /// Version of the operating system.
        fact OS_VERSION: String = "os_version", "OS version";
        /// Code name of the operating system's release.
        fact OS_CODENAME: String = "os_codename", "OS code name";
        /// Identifiers of the distributions that it is like, closest first.
        fact OS_LIKE: Vec<String> = "os_like", "Like";
        /// Family of the operating system's kernel: `linux` or `windows`.
        fact OS_FAMILY: String = "os_family", "OS family";
        /// Release of the running kernel.
        fact KERNEL_RELEASE: String = "kernel_release", "Kernel";
        /// Build of the running kernel.
        fact KERNEL_VERSION: String = "kernel_version", "Kernel build";
        /// Command line that the kernel was started with, secrets removed.
        fact KERNEL_COMMAND_LINE: String = "kernel_command_line", "Kernel command line";
        /// Program that runs as process 1, such as `systemd`.
        fact INIT_SYSTEM: String = "init_system", "Init system";
        /// Security modules of the kernel that are active, such as `apparmor`.
        fact SECURITY_MODULES: Vec<String> = "security_modules", "Security modules";
        /// Machine architecture, as `uname -m` names it.
        fact ARCHITECTURE: String = "architecture", "Architecture";
        /// Machine id of the installation.
        fact MACHINE_ID: String = "machine_id", "Machine id";
        /// When the system was started.
        fact BOOTED_AT: Timestamp = "booted_at", "Started";
        /// Time zone, as the tz database names it.
        fact TIME_ZONE: String = "time_zone", "Time zone";
        /// Memory that the kernel can use.
        fact MEMORY_BYTES: u64 = "memory_bytes", "Memory", unit Bytes;
        /// Swap space.
        fact SWAP_BYTES: u64 = "swap_bytes", "Swap", unit Bytes;
        /// Logical processors that are online.
        fact PROCESSORS_COUNT: u64 = "processors_count", "Processors";
        /// What the system runs in: `none` for bare metal, else the hypervisor or container technology.
        fact VIRTUALIZATION: String = "virtualization", "Virtualization";
        /// Hypervisor under the system, also when it runs in a container there.
        fact HYPERVISOR: String = "hypervisor", "Hypervisor";
        /// Cloud that the system runs in, such as `aws`.
        fact CLOUD_PROVIDER: String = "cloud_provider", "Cloud";
        /// Id that the cloud gave the instance.
        fact CLOUD_INSTANCE_ID: String = "cloud_instance_id", "Cloud instance";
        /// Kind of instance in the words of the cloud.
        fact CLOUD_INSTANCE_TYPE: String = "cloud_instance_type", "Instance type";
        /// Account, project or subscription that pays for the instance.
        fact CLOUD_ACCOUNT: String = "cloud_account", "Cloud account";
        /// Region of the cloud.
        fact CLOUD_REGION: String = "cloud_region", "Region";
        /// Zone of the region.
        fact CLOUD_ZONE: String = "cloud_zone", "Zone";
        /// Image that the instance was made from.
        fact CLOUD_IMAGE: String = "cloud_image", "Cloud image";
        /// Name servers that are asked, in order.
        fact DNS_SERVERS: Vec<String> = "dns_servers", "Name servers";
        /// Domains in which short names are looked up, in order.
        fact DNS_SEARCH_DOMAINS: Vec<String> = "dns_search_domains", "Search domains";
        /// Whether packet filter rules are in force.
        fact FIREWALL_ACTIVE: bool = "firewall_active", "Firewall in force";
        /// Tables of packet filter rules that the kernel holds, as `family name`.
        fact FIREWALL_TABLES: Vec<String> = "firewall_tables", "Firewall tables";
        /// What manages the packet filter, with its configured state, such as `ufw (enabled)`.
        fact FIREWALL_MANAGERS: Vec<String> = "firewall_managers", "Firewall managers";
        /// Rules of the packet filter that the kernel holds.
        fact FIREWALL_RULES_COUNT: u64 = "firewall_rules_count", "Firewall rules";
        /// Whether the running system waits for a restart to use what was installed.
        fact REBOOT_NEEDED: bool = "reboot_needed", "Restart needed";
        /// What the restart is needed for.
        fact REBOOT_REASONS: Vec<String> = "reboot_reasons", "Restart reasons";
        /// Release of the newest kernel that is installed.
        fact KERNEL_NEWEST_INSTALLED: String = "kernel_newest_installed", "Newest kernel installed";
        /// Version of the agent that describes the host.
        fact AGENT_VERSION: String = "agent_version", "Agent version";
        /// Load average of the last minute.
        reading LOAD_1M: f64 = "load_1m", "Load (1 min)";
        /// Load average of the last five minutes.
        reading LOAD_5M: f64 = "load_5m", "Load (5 min)";
        /// Load average of the last fifteen minutes.
        reading LOAD_15M: f64 = "load_15m", "Load (15 min)";
        /// Share of the last minute in which some process waited for a processor.
        reading CPU_PRESSURE: f64 = "cpu_pressure", "Processor pressure", unit Percent;
        /// Share of the last minute in which some process waited for memory.
        reading MEMORY_PRESSURE: f64 = "memory_pressure", "Memory pressure", unit Percent;
        /// Share of the last minute in which some process waited for a drive.
        reading IO_PRESSURE: f64 = "io_pressure", "IO pressure", unit Percent;
        /// Memory that is available without swapping.
        reading MEMORY_AVAILABLE_BYTES: u64 = "memory_available_bytes", "Memory available", unit Bytes;
        /// Swap space in use.
        reading SWAP_USED_BYTES: u64 = "swap_used_bytes", "Swap used", unit Bytes;
        /// Time since the last start.
        reading UPTIME_SECONDS: u64 = "uptime_seconds", "Uptime", unit Seconds;
        /// Processes that exist.
        reading PROCESSES_COUNT: u64 = "processes_count", "Processes";
        /// Connections that the packet filter tracks.
        reading CONNECTIONS_TRACKED_COUNT: u64 = "connections_tracked_count", "Tracked connections";
    }
}

ci_class! {
    /// A container of an engine on a host.
    mod container, class "container", label "Container", plural "Containers",
    group Compute, icon "box", title "name",
    identity within ["engine", "container_id"]
    {
        /// Engine that runs it: `docker`, `podman` or `containerd`.
        fact ENGINE: String = "engine", "Engine";
        /// Id that the engine gave it.
        fact CONTAINER_ID: String = "container_id", "Container id";
        /// Name in the engine.
        fact NAME: String = "name", "Name";
        /// Image reference that it was made from.
        fact IMAGE: String = "image", "Image";
        /// State in the engine, such as `running`.
        fact STATE: String = "state", "State";
        /// Command that it runs, secrets removed.
        fact COMMAND: String = "command", "Command";
        /// When it was made.
        fact CREATED_AT: Timestamp = "created_at", "Made";
        /// Ports that it publishes, as `address:port/protocol -> port`.
        fact PORTS: Vec<String> = "ports", "Published ports";
        /// Networks that it is attached to, with its address there.
        fact NETWORKS: Vec<String> = "networks", "Networks";
        /// What of the host is mounted into it, as `source -> place`.
        fact MOUNTS: Vec<String> = "mounts", "Mounts";
        /// Digest of the image that it was made from.
        fact IMAGE_ID: String = "image_id", "Image id";
        /// State in the engine's own words, with its age.
        reading STATUS: String = "status", "Status";
        /// Process id of its first process on the host.
        reading PID: u64 = "pid", "Process id";
        /// Labels that it has.
        fact LABELS: BTreeMap<String, Value> = "labels", "Labels";
    }
}

ci_class! {
    /// An image that a container engine on a host has.
    mod container_image, class "container_image", label "Container image", plural "Container images",
    group Compute, icon "layers", title "reference",
    identity within ["engine", "image_id"]
    {
        /// Engine that has it: `docker`, `podman` or `containerd`.
        fact ENGINE: String = "engine", "Engine";
        /// Digest of its configuration.
        fact IMAGE_ID: String = "image_id", "Image id";
        /// Reference that a person knows it by, the first one when there are several.
        fact REFERENCE: String = "reference", "Reference";
        /// All its references.
        fact REFERENCES: Vec<String> = "references", "References";
        /// Size on disk.
        fact SIZE_BYTES: u64 = "size_bytes", "Size", unit Bytes;
        /// When it was built.
        fact CREATED_AT: Timestamp = "created_at", "Built";
    }
}
