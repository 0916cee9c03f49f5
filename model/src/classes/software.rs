//! Packages, services, processes, kernel modules and scheduled jobs.

use crate::ci_class;

ci_class! {
    /// A package that a package manager installed on a host.
    mod package, class "package", label "Package", plural "Packages",
    group Software, icon "package", title "name",
    identity within ["manager", "name", "architecture"]
    {
        /// Package manager, such as `dpkg`, `rpm` or `pip`, with the place when there are several.
        fact MANAGER: String = "manager", "Manager";
        /// Name.
        fact NAME: String = "name", "Name";
        /// Architecture; `all` when it fits any.
        fact ARCHITECTURE: String = "architecture", "Architecture";
        /// Installed version.
        fact VERSION: String = "version", "Version";
        /// Source package.
        fact SOURCE_PACKAGE: String = "source_package", "Source package";
        /// Who makes it.
        fact MAINTAINER: String = "maintainer", "Maintainer";
        /// Space that it takes.
        fact INSTALLED_BYTES: u64 = "installed_bytes", "Size", unit Bytes;
        /// What it is, in one line.
        fact SUMMARY: String = "summary", "Summary";
        /// Package URL (purl specification).
        fact PURL: String = "purl", "Package URL";
        /// Licence that it states.
        fact LICENSE: String = "license", "License";
        /// Section or category that its maker put it into.
        fact SECTION: String = "section", "Section";
        /// Folder, channel or repository that it was installed into or from.
        fact PLACE: String = "place", "Place";
        /// Other versions of it that are installed beside, such as older kernels.
        fact OTHER_VERSIONS: Vec<String> = "other_versions", "Other versions";
        /// Whether the package manager was told to leave it as it is.
        fact IS_HELD: bool = "is_held", "Held";
        /// When it was installed, as the package manager recorded it.
        fact INSTALLED_AT: Timestamp = "installed_at", "Installed";
    }
}

ci_class! {
    /// A unit of the service manager.
    mod service_unit, class "service_unit", label "Service", plural "Services",
    group Software, icon "gear", title "name",
    identity within ["manager", "name"]
    {
        /// Service manager: `systemd`, `openrc`, `sysv` or `windows`.
        fact MANAGER: String = "manager", "Manager";
        /// Name of the unit.
        fact NAME: String = "name", "Name";
        /// What it is, in its own words.
        fact DESCRIPTION: String = "description", "Description";
        /// Whether it runs: `active`, `inactive`, `failed` and so on.
        fact ACTIVE_STATE: String = "active_state", "State";
        /// The state in detail, such as `running` or `exited`.
        fact SUB_STATE: String = "sub_state", "Detailed state";
        /// Whether it starts with the system: `enabled`, `disabled`, `static`, `masked` and so on.
        fact ENABLED_STATE: String = "enabled_state", "Enabled";
        /// File that defines it.
        fact FRAGMENT_PATH: String = "fragment_path", "Unit file";
        /// What it runs.
        fact COMMAND: String = "command", "Command";
        /// Account that it runs as.
        fact RUN_AS: String = "run_as", "Runs as";
        /// Kind of unit, such as `service`, `socket`, `timer` or `mount`.
        fact UNIT_TYPE: String = "unit_type", "Unit type";
        /// Whether its definition was understood: `loaded`, `not-found`, `masked` or `error`.
        fact LOAD_STATE: String = "load_state", "Definition";
        /// Files that change its definition.
        fact DROP_IN_PATHS: Vec<String> = "drop_in_paths", "Drop-in files";
        /// Other names of the unit.
        fact ALIASES: Vec<String> = "aliases", "Other names";
        /// What a socket unit listens on, or when a timer unit elapses.
        fact TRIGGERS: Vec<String> = "triggers", "Triggers";
        /// Whether and when it is started again after it ended.
        fact RESTART_POLICY: String = "restart_policy", "Restart policy";
    }
}

ci_class! {
    /// A program that runs on a host: all processes of one unit or container, executable and normalized arguments.
    mod process, class "process", label "Process", plural "Processes",
    group Software, icon "activity", title "name",
    identity within ["owner", "executable", "arguments"]
    {
        /// Unit or container that it runs in; empty for neither.
        fact OWNER: String = "owner", "Unit or container";
        /// Path of the executable, or the name of a kernel thread in brackets.
        fact EXECUTABLE: String = "executable", "Executable";
        /// Arguments with numbers, random parts and secrets folded.
        fact ARGUMENTS: String = "arguments", "Arguments";
        /// Name of the program.
        fact NAME: String = "name", "Name";
        /// Account that it runs as.
        fact RUN_AS: String = "run_as", "Runs as";
        /// Whether its executable was replaced or removed since it started, so that it runs old code.
        fact IS_EXECUTABLE_REPLACED: bool = "is_executable_replaced", "Executable replaced";
        /// Whether it is part of the kernel.
        fact IS_KERNEL: bool = "is_kernel", "Kernel thread";
        /// Command line of the oldest instance, secrets removed.
        reading COMMAND_LINE: String = "command_line", "Command line";
        /// Process id of the parent of the oldest instance.
        reading PARENT_PID: u64 = "parent_pid", "Parent process id";
        /// Threads of all instances.
        reading THREADS_COUNT: u64 = "threads_count", "Threads";
        /// Connections to other endpoints that are open.
        reading CONNECTIONS_COUNT: u64 = "connections_count", "Connections";
        /// When the oldest instance started.
        reading STARTED_AT: Timestamp = "started_at", "Started";
        /// Process id of the oldest instance.
        reading PID: u64 = "pid", "Process id";
        /// Instances that run.
        reading INSTANCES_COUNT: u64 = "instances_count", "Instances";
        /// Memory that it holds.
        reading MEMORY_BYTES: u64 = "memory_bytes", "Memory", unit Bytes;
        /// Processor time that it has used.
        reading CPU_SECONDS: f64 = "cpu_seconds", "Processor time", unit Seconds;
    }
}

ci_class! {
    /// A module that is loaded into a host's kernel.
    mod kernel_module, class "kernel_module", label "Kernel module", plural "Kernel modules",
    group Software, icon "chip", title "name",
    identity within ["name"]
    {
        /// Name.
        fact NAME: String = "name", "Name";
        /// Memory that it takes.
        fact SIZE_BYTES: u64 = "size_bytes", "Size", unit Bytes;
        /// Modules that need it.
        fact USED_BY: Vec<String> = "used_by", "Used by";
        /// Version that it states.
        fact VERSION: String = "version", "Version";
        /// Why it taints the kernel, in the kernel's letters: `O` out of tree, `E` unsigned, `P` proprietary.
        fact TAINT: String = "taint", "Taint";
        /// References that hold it.
        reading REFERENCES_COUNT: u64 = "references_count", "References";
    }
}

ci_class! {
    /// A job that a host runs at set times.
    mod scheduled_job, class "scheduled_job", label "Scheduled job", plural "Scheduled jobs",
    group Software, icon "clock", title "name",
    identity within ["scheduler", "place", "name"]
    {
        /// What runs it: `cron`, `anacron`, `at`, `systemd` or `windows`.
        fact SCHEDULER: String = "scheduler", "Scheduler";
        /// File or folder that it stands in.
        fact PLACE: String = "place", "Place";
        /// Name, or its command when it has none.
        fact NAME: String = "name", "Name";
        /// When it runs, in the scheduler's words.
        fact SCHEDULE: String = "schedule", "Schedule";
        /// What it runs, secrets removed.
        fact COMMAND: String = "command", "Command";
        /// Account that it runs as.
        fact RUN_AS: String = "run_as", "Runs as";
        /// Whether the scheduler obeys it at present.
        fact IS_ENABLED: bool = "is_enabled", "Enabled";
    }
}
