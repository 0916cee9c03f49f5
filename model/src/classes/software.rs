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
    }
}
