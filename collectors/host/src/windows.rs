//! The scopes of Windows, by sysinfo: host, processors, drives, file systems, interfaces, accounts and processes; and
//! the services, by the service manager's own interface.
//!
//! Nothing but the services names a Windows API, so that the tests compile and run the rest on Linux too. What this
//! build does not ask Windows for has a scope that says so: it is not looked at, which is not the same as empty.
//!
//! Deliberately not here yet: installed packages and sockets.

#[cfg(windows)]
mod services;

use crate::redact::redact;
use crate::{HARDWARE, HOST};
use collector::{CollectError, Guard, Run, ScopeDeclaration, Target};
use model::classes::{
    drive, filesystem, hardware, host, listening_endpoint, network_interface, package, process,
    processor, service_unit, user_account,
};
use model::run::CoverageReason;
use model::{
    Coverage, IdentityKey, KeyType, Observation, Realm, RelationTarget, Timestamp, relationships,
};
use std::collections::BTreeMap;
use std::time::Duration;
use sysinfo::{
    CpuRefreshKind, DiskKind, Disks, Error, MemoryRefreshKind, Motherboard, Networks,
    ProcessRefreshKind, ProcessesToUpdate, Product, RefreshKind, System, UpdateKind, Users,
};

const MINUTE: Duration = Duration::from_secs(60);
const QUARTER: Duration = Duration::from_secs(900);
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// The most of any one thing that is reported.
const ITEMS_MAX: usize = 20_000;

const fn scope(
    name: &'static str,
    summary: &'static str,
    classes: &'static [&'static str],
    interval: Duration,
) -> ScopeDeclaration {
    ScopeDeclaration { name, summary, classes, interval, time_limit: TIME_LIMIT, is_volatile: true }
}

/// The scopes.
pub(crate) static SCOPES: [ScopeDeclaration; 9] = [
    scope("host", "Operating system, kernel and memory.", &[host::CLASS.name], MINUTE),
    scope("hardware", "Processors.", &[hardware::CLASS.name, processor::CLASS.name], QUARTER),
    scope(
        "storage",
        "Drives and file systems.",
        &[drive::CLASS.name, filesystem::CLASS.name],
        MINUTE,
    ),
    scope("network", "Network interfaces.", &[network_interface::CLASS.name], MINUTE),
    scope("accounts", "Accounts.", &[user_account::CLASS.name], QUARTER),
    scope("processes", "Programs that run.", &[process::CLASS.name], Duration::from_secs(20)),
    scope("units", "Services with their state.", &[service_unit::CLASS.name], MINUTE),
    scope("sockets", "What programs listen on.", &[listening_endpoint::CLASS.name], QUARTER),
    scope("packages", "Installed programs.", &[package::CLASS.name], QUARTER),
];

/// Looks at a scope; `None` when there is none of that name.
pub(crate) fn collect(
    target: &Target,
    scope: &str,
    run: &mut Run<'_>,
) -> Option<Result<Coverage, CollectError>> {
    let before = run.count();
    let looked = match scope {
        "host" => describe_host(target, run),
        "hardware" => describe_hardware(target, run),
        "storage" => describe_storage(run),
        "network" => describe_network(run),
        "accounts" => describe_accounts(run),
        "processes" => describe_processes(run),
        "units" => return Some(Ok(describe_services(run))),
        "sockets" | "packages" => return Some(Ok(not_asked(scope))),
        _ => return None,
    };
    Some(Ok(match looked {
        // Every host has a drive, an interface, an account and a process: none means that none was told.
        Ok(()) if run.count() == before => Coverage::not_looked_at(
            CoverageReason::Unreachable,
            format!("the operating system told nothing of its {scope}"),
        ),
        Ok(()) => Coverage::complete(),
        Err(error) => Coverage::not_looked_at(
            CoverageReason::Unreachable,
            format!("the operating system did not answer: {error}"),
        ),
    }))
}

/// The coverage of what this build cannot see.
fn not_asked(what: &str) -> Coverage {
    Coverage::not_looked_at(
        CoverageReason::Unreachable,
        format!("this build of the agent does not ask Windows for its {what}"),
    )
}

#[cfg(windows)]
fn describe_services(run: &mut Run<'_>) -> Coverage {
    services::collect(run)
}

/// Where there is no service manager of Windows, as in the tests.
#[cfg(not(windows))]
fn describe_services(_run: &mut Run<'_>) -> Coverage {
    not_asked("services")
}

/// No scope has a guard: sysinfo has no cheaper question than the question itself.
pub(crate) fn guard(_target: &Target, _scope: &str) -> Option<Guard> {
    None
}

/// Nothing tells of changes; the intervals hold.
#[cfg(not(target_os = "linux"))]
pub(crate) async fn watch(_target: Target, changed: tokio::sync::mpsc::Sender<&'static str>) {
    changed.closed().await;
}

fn describe_host(target: &Target, run: &mut Run<'_>) -> Result<(), Error> {
    let kinds = RefreshKind::nothing()
        .with_memory(MemoryRefreshKind::everything())
        .with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(kinds)?;
    let name = System::host_name().ok();
    let short = name.as_deref().and_then(|name| name.split('.').next()).map(str::to_owned);
    let family = if cfg!(windows) { "windows" } else { std::env::consts::OS };
    let processors = u64::try_from(system.cpus().len()).ok();
    let seen = Observation::of(&host::CLASS, HOST)
        .with(&host::OS_FAMILY, family)
        .with(&host::MEMORY_BYTES, system.total_memory())
        .with(&host::SWAP_BYTES, system.total_swap())
        .with(&host::MEMORY_AVAILABLE_BYTES, system.available_memory())
        .with(&host::SWAP_USED_BYTES, system.used_swap())
        .with_some(&host::UPTIME_SECONDS, System::uptime().ok())
        .with(&host::ARCHITECTURE, System::cpu_arch())
        .with(&host::AGENT_VERSION, env!("CARGO_PKG_VERSION"))
        .with_some(&host::PROCESSORS_COUNT, processors)
        .with_some(&host::HOST_NAME, short.clone())
        .with_some(&host::FQDN, name.clone())
        .with_some(&host::OS_NAME, System::long_os_version().ok())
        .with_some(&host::OS_ID, Some(System::distribution_id()))
        .with_some(&host::OS_VERSION, System::os_version().ok())
        .with_some(&host::KERNEL_RELEASE, System::kernel_version().ok())
        .with_some(
            &host::BOOTED_AT,
            System::boot_time()
                .ok()
                .and_then(|second| i64::try_from(second).ok())
                .map(Timestamp::from_seconds),
        )
        .relates(relationships::RUNS_ON, RelationTarget::Native(HARDWARE.to_owned()));
    let in_site = |key_type, value: Option<String>| {
        value.and_then(|value| IdentityKey::new(key_type, Realm::site(&target.site), &value))
    };
    run.saw(
        seen.key(IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), &target.id))
            .key(in_site(KeyType::Fqdn, name))
            .key(in_site(KeyType::HostName, short)),
    );
    Ok(())
}

fn describe_hardware(target: &Target, run: &mut Run<'_>) -> Result<(), Error> {
    let system = System::new_with_specifics(
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_frequency()),
    )?;
    let threads = u64::try_from(system.cpus().len()).unwrap_or(0);
    let cores = System::physical_core_count().ok().and_then(|cores| u64::try_from(cores).ok());
    let (vendor, serial, uuid) =
        (Product::vendor_name().ok(), Product::serial_number().ok(), Product::uuid().ok());
    let board = Motherboard::new().ok();
    let of_board = |get: fn(&Motherboard) -> Option<String>| board.as_ref().and_then(get);
    let everywhere =
        |key_type, value: String| IdentityKey::new(key_type, Realm::everywhere(), &value);
    let mut seen = Observation::of(&hardware::CLASS, HARDWARE)
        .with(&hardware::THREADS_COUNT, threads)
        .with_some(&hardware::CORES_COUNT, cores)
        .with_some(&hardware::VENDOR, vendor.clone())
        .with_some(&hardware::PRODUCT_NAME, Product::name().ok())
        .with_some(&hardware::PRODUCT_VERSION, Product::version().ok())
        .with_some(&hardware::PRODUCT_FAMILY, Product::family().ok())
        .with_some(&hardware::PRODUCT_SKU, Product::stock_keeping_unit().ok())
        .with_some(&hardware::SERIAL_NUMBER, serial.clone())
        .with_some(&hardware::SYSTEM_UUID, uuid.clone())
        .with_some(&hardware::BOARD_NAME, of_board(Motherboard::name))
        .with_some(&hardware::BOARD_VENDOR, of_board(Motherboard::vendor_name))
        .with_some(&hardware::BOARD_VERSION, of_board(Motherboard::version))
        .with_some(&hardware::BOARD_SERIAL, of_board(Motherboard::serial_number))
        .key(uuid.and_then(|uuid| everywhere(KeyType::SmbiosUuid, uuid)))
        .key(serial.and_then(|serial| {
            everywhere(KeyType::ChassisSerial, format!("{}/{serial}", vendor.unwrap_or_default()))
        }));
    if seen.keys.is_empty() {
        seen = seen.key(everywhere(KeyType::AgentKey, format!("{}/hardware", target.id)));
    }
    run.saw(seen);
    // How the threads are spread over packages is not said, so that they count as one.
    if let Some(first) = system.cpus().first() {
        run.saw(
            Observation::part(&processor::CLASS, HARDWARE, &["0"])
                .with(&processor::MODEL, first.brand().trim())
                .with(&processor::VENDOR, first.vendor_id().trim())
                .with(&processor::THREADS_COUNT, threads)
                .with_some(&processor::CORES_COUNT, cores),
        );
    }
    Ok(())
}

fn describe_storage(run: &mut Run<'_>) -> Result<(), Error> {
    for disk in Disks::new_with_refreshed_list()?.iter().take(ITEMS_MAX) {
        let point = disk.mount_point().to_string_lossy();
        let device = disk.name().to_string_lossy();
        run.saw(
            Observation::part(&filesystem::CLASS, HOST, &[&point])
                .with(&filesystem::DEVICE, device.as_ref())
                .with(&filesystem::FILESYSTEM_TYPE, disk.file_system().to_string_lossy().as_ref())
                .with(&filesystem::CAPACITY_BYTES, disk.total_space())
                .with(&filesystem::IS_READ_ONLY, disk.is_read_only())
                .with(&filesystem::AVAILABLE_BYTES, disk.available_space())
                .with(
                    &filesystem::USED_BYTES,
                    disk.total_space().saturating_sub(disk.available_space()),
                ),
        );
        if disk.kind() != DiskKind::Unknown(-1) && !device.is_empty() {
            run.saw(
                Observation::part(&drive::CLASS, HARDWARE, &[&device])
                    .with(&drive::IS_ROTATIONAL, disk.kind() == DiskKind::HDD)
                    .with(&drive::IS_REMOVABLE, disk.is_removable()),
            );
        }
    }
    Ok(())
}

fn describe_network(run: &mut Run<'_>) -> Result<(), Error> {
    let networks = Networks::new_with_refreshed_list()?;
    let sorted: BTreeMap<_, _> = networks.iter().collect();
    for (name, data) in sorted.into_iter().take(ITEMS_MAX) {
        let mut addresses: Vec<String> =
            data.ip_networks().iter().map(|ip| format!("{}/{}", ip.addr, ip.prefix)).collect();
        addresses.sort();
        let mac = data.mac_address().to_string();
        let has_mac = mac != "00:00:00:00:00:00";
        run.saw(
            Observation::part(&network_interface::CLASS, HOST, &[&name.to_string_lossy()])
                .with(&network_interface::ADDRESSES, addresses)
                .with_some(&network_interface::MAC_ADDRESS, has_mac.then_some(mac))
                .with(&network_interface::MTU_BYTES, data.mtu())
                .with(&network_interface::STATE, data.operational_state().to_string())
                .with(&network_interface::RECEIVED_BYTES, data.total_received())
                .with(&network_interface::SENT_BYTES, data.total_transmitted()),
        );
    }
    Ok(())
}

fn describe_accounts(run: &mut Run<'_>) -> Result<(), Error> {
    for user in Users::new_with_refreshed_list()?.iter().take(ITEMS_MAX) {
        let mut groups: Vec<String> =
            user.groups().iter().map(|group| group.name().to_owned()).collect();
        groups.sort();
        let seen = Observation::part(&user_account::CLASS, HOST, &[user.name()]);
        run.saw(seen.with(&user_account::GROUPS, groups));
    }
    Ok(())
}

/// All processes of one program with like arguments.
struct Group {
    pid: u32,
    parent: Option<u32>,
    run_as: Option<String>,
    started: u64,
    instances: u64,
    memory_bytes: u64,
    cpu_millis: u64,
}

fn describe_processes(run: &mut Run<'_>) -> Result<(), Error> {
    let mut system = System::new()?;
    let kinds = ProcessRefreshKind::nothing()
        .with_cmd(UpdateKind::Always)
        .with_exe(UpdateKind::Always)
        .with_user(UpdateKind::Always)
        .with_memory()
        .with_cpu()
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kinds);
    let users = Users::new_with_refreshed_list()?;
    let mut found: BTreeMap<(String, String), Group> = BTreeMap::new();
    for running in system.processes().values() {
        let program = running
            .exe()
            .map_or_else(|| running.name().to_string_lossy(), |path| path.to_string_lossy());
        let words: Vec<_> = running.cmd().iter().map(|word| word.to_string_lossy()).collect();
        let line = redact(&words.join(" "));
        let (pid, started) = (running.pid().as_u32(), running.start_time());
        let group = found.entry((program.into_owned(), line)).or_insert_with(|| Group {
            pid,
            parent: None,
            run_as: None,
            started: u64::MAX,
            instances: 0,
            memory_bytes: 0,
            cpu_millis: 0,
        });
        group.instances += 1;
        group.memory_bytes = group.memory_bytes.saturating_add(running.memory());
        group.cpu_millis = group.cpu_millis.saturating_add(running.accumulated_cpu_time());
        // The oldest stands for all.
        if (started, pid) <= (group.started, group.pid) {
            (group.pid, group.started) = (pid, started);
            group.parent = running.parent().map(sysinfo::Pid::as_u32);
            let user = running.user_id().and_then(|id| users.get_user_by_id(id));
            group.run_as = user.map(|user| user.name().to_owned());
        }
    }
    for ((program, line), group) in found.into_iter().take(ITEMS_MAX) {
        run.saw(observe_process(&program, &line, group));
    }
    Ok(())
}

fn observe_process(program: &str, line: &str, group: Group) -> Observation {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program).to_owned();
    let started = i64::try_from(group.started).ok().map(Timestamp::from_seconds);
    // Days of processor time are exact in milliseconds; a float holds them.
    let cpu = Duration::from_millis(group.cpu_millis).as_secs_f64();
    Observation::part(&process::CLASS, HOST, &["", program, line])
        .with(&process::NAME, name)
        .with(&process::PID, u64::from(group.pid))
        .with(&process::INSTANCES_COUNT, group.instances)
        .with(&process::MEMORY_BYTES, group.memory_bytes)
        .with(&process::CPU_SECONDS, cpu)
        .with_some(&process::PARENT_PID, group.parent.map(u64::from))
        .with_some(&process::RUN_AS, group.run_as)
        .with_some(&process::STARTED_AT, started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_scope_gives_what_its_declaration_says() {
        let target = Target::own_host("t", "s");
        let catalog = model::Catalog::built_in();
        for declared in &SCOPES {
            let mut seen = Vec::new();
            let looked = collect(&target, declared.name, &mut Run::new(&mut seen));
            assert!(looked.unwrap().is_ok());
            for observation in &seen {
                assert!(declared.classes.contains(&observation.class.as_ref()), "{observation:?}");
                for (name, value) in observation.facts.iter().chain(&observation.readings) {
                    assert_eq!(catalog.check(&observation.class, name, value), Ok(()));
                }
            }
            assert!(declared.name != "host" || seen.len() == 1);
            assert!(guard(&target, declared.name).is_none());
        }
        assert!(collect(&target, "nothing", &mut Run::new(&mut Vec::new())).is_none());
    }
}
