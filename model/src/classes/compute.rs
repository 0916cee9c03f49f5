//! Hosts, containers and their images.

use crate::ci_class;

ci_class! {
    /// An installed operating system and the machine that it makes of its hardware.
    mod host, class "host", label "Host", plural "Hosts",
    group Compute, icon "server", title "fqdn",
    identity keys [AgentKey, CloudId, SmbiosUuid, MachineId, SshHostKey, MacAddress, Fqdn, HostName]
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
        /// Family of the operating system's kernel: `linux` or `windows`.
        fact OS_FAMILY: String = "os_family", "OS family";
        /// Release of the running kernel.
        fact KERNEL_RELEASE: String = "kernel_release", "Kernel";
        /// Build of the running kernel.
        fact KERNEL_VERSION: String = "kernel_version", "Kernel build";
        /// Command line that the kernel was started with, secrets removed.
        fact KERNEL_COMMAND_LINE: String = "kernel_command_line", "Kernel command line";
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
        /// Whether the running system waits for a restart to use what was installed.
        fact REBOOT_NEEDED: bool = "reboot_needed", "Restart needed";
        /// What the restart is needed for.
        fact REBOOT_REASONS: Vec<String> = "reboot_reasons", "Restart reasons";
        /// Version of the agent that describes the host.
        fact AGENT_VERSION: String = "agent_version", "Agent version";
        /// Load average of the last minute.
        reading LOAD_1M: f64 = "load_1m", "Load (1 min)";
        /// Memory that is available without swapping.
        reading MEMORY_AVAILABLE_BYTES: u64 = "memory_available_bytes", "Memory available", unit Bytes;
        /// Swap space in use.
        reading SWAP_USED_BYTES: u64 = "swap_used_bytes", "Swap used", unit Bytes;
        /// Time since the last start.
        reading UPTIME_SECONDS: u64 = "uptime_seconds", "Uptime", unit Seconds;
        /// Processes that exist.
        reading PROCESSES_COUNT: u64 = "processes_count", "Processes";
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
