//! The scope `host`: the installed operating system and the state that it is in.

use super::{cloud, firewall, os, reboot, system, virtualization};
use crate::files::{list_dir, read_limited, read_number, read_to_string_limited, read_trimmed};
use crate::redact::redact;
use crate::{HARDWARE, HOST};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use collector::{CollectError, Run, Target};
use model::classes::host;
use model::{
    Coverage, IdentityKey, KeyType, Observation, Realm, RelationTarget, Timestamp, relationships,
};
use sha2::{Digest, Sha256};

/// The longest file of the operating system that is read whole; hosts files of ad blockers reach megabytes.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most host keys of the SSH server that count as evidence; it has one per algorithm.
const SSH_HOST_KEYS_MAX: usize = 16;

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    let mut seen = Observation::of(&host::CLASS, HOST);
    if super::hardware::is_shown(target) {
        seen.relate(relationships::RUNS_ON, RelationTarget::Native(HARDWARE.to_owned()));
    }
    let processors = super::processors::flags(target);
    names(&mut seen, target);
    release(&mut seen, target);
    kernel(&mut seen, target);
    capacity(&mut seen, target);
    let around = virtualization::look(target, processors.is_virtual);
    // A tree that shows no hardware does not say what its system runs on.
    let is_shown = super::hardware::is_shown(target);
    if is_shown || around.container.is_some() {
        seen.set(&host::VIRTUALIZATION, around.innermost());
    }
    if is_shown {
        let hypervisor = around.hypervisor.clone();
        seen.set(&host::HYPERVISOR, hypervisor.unwrap_or_else(|| "none".to_owned()));
    }
    resolution(&mut seen, target);
    reboot::look(&mut seen, target, around.container.is_some());
    cloud::look(&mut seen, target, run);
    let is_denied = firewall::look(&mut seen, target);
    readings(&mut seen, target);
    let seen = evidence(seen, target);
    run.saw(seen);
    Ok(if is_denied {
        super::all_seen_except("reading the packet filter")
    } else {
        Coverage::complete()
    })
}

/// The short name, from the running kernel or, of an image, from its configuration.
fn short_name(target: &Target) -> Option<String> {
    read_trimmed(&target.path("/proc/sys/kernel/hostname"))
        .or_else(|| read_trimmed(&target.path("/etc/hostname")))
        .filter(|name| name != "(none)")
}

fn names(seen: &mut Observation, target: &Target) {
    let Some(name) = short_name(target) else { return };
    let hosts =
        read_to_string_limited(&target.path("/etc/hosts"), TEXT_BYTES_MAX).unwrap_or_default();
    let full = os::canonical_name(&hosts, &name).unwrap_or_else(|| name.clone());
    let short = name.split('.').next().unwrap_or(&name);
    seen.set(&host::HOST_NAME, short);
    seen.set(&host::FQDN, full);
}

fn release(seen: &mut Observation, target: &Target) {
    seen.set(&host::OS_FAMILY, "linux");
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| read_to_string_limited(&target.path(path), TEXT_BYTES_MAX).ok());
    let Some(text) = text else { return };
    let release = os::assignments(&text);
    let get = |name: &str| release.get(name).filter(|value| !value.is_empty()).cloned();
    // Debian writes its point release into a file of its own only.
    let version = match get("ID").as_deref() {
        Some("debian") => read_trimmed(&target.path("/etc/debian_version"))
            .filter(|version| version.starts_with(|letter: char| letter.is_ascii_digit()))
            .or_else(|| get("VERSION_ID")),
        _ => get("VERSION_ID").or_else(|| get("BUILD_ID")),
    };
    let like = get("ID_LIKE").unwrap_or_default();
    let like: Vec<String> = like.split_whitespace().map(str::to_owned).collect();
    if !like.is_empty() {
        seen.set(&host::OS_LIKE, like);
    }
    for (attribute, value) in [
        (&host::OS_NAME, get("PRETTY_NAME").or_else(|| get("NAME"))),
        (&host::OS_ID, get("ID")),
        (&host::OS_VERSION, version),
        (&host::OS_CODENAME, get("VERSION_CODENAME")),
    ] {
        if let Some(value) = value {
            seen.set(attribute, value);
        }
    }
}

fn kernel(seen: &mut Observation, target: &Target) {
    let of_proc = |name: &str| read_trimmed(&target.path(&format!("/proc/{name}")));
    let lsm = read_trimmed(&target.path("/sys/kernel/security/lsm"));
    if let Some(modules) = lsm {
        let modules: Vec<String> = modules.split(',').map(str::to_owned).collect();
        seen.set(&host::SECURITY_MODULES, modules);
    }
    for (attribute, value) in [
        (&host::KERNEL_RELEASE, of_proc("sys/kernel/osrelease")),
        (&host::KERNEL_VERSION, of_proc("sys/kernel/version")),
        (&host::KERNEL_COMMAND_LINE, of_proc("cmdline").map(|line| redact(&line))),
        (&host::ARCHITECTURE, architecture(target)),
        (&host::MACHINE_ID, machine_id(target)),
        (&host::INIT_SYSTEM, of_proc("1/comm")),
        (&host::TIME_ZONE, time_zone(target)),
        (&host::AGENT_VERSION, target.is_live().then(|| env!("CARGO_PKG_VERSION").to_owned())),
    ] {
        if let Some(value) = value {
            seen.set(attribute, value);
        }
    }
    let stat = read_to_string_limited(&target.path("/proc/stat"), TEXT_BYTES_MAX);
    if let Some(second) = stat.ok().and_then(|stat| os::boot_second(&stat)) {
        seen.set(&host::BOOTED_AT, Timestamp::from_seconds(second));
    }
}

fn architecture(target: &Target) -> Option<String> {
    if target.is_live() {
        return system::architecture();
    }
    const PROGRAM_HEAD_BYTES: usize = 20;
    ["/bin/sh", "/usr/lib/systemd/systemd", "/bin/busybox"].iter().find_map(|path| {
        let head = read_limited(&target.path(path), PROGRAM_HEAD_BYTES).ok()?;
        os::architecture_of_program(&head).map(str::to_owned)
    })
}

fn machine_id(target: &Target) -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| read_trimmed(&target.path(path)))
        .filter(|id| id.len() == 32 && id.bytes().all(|letter| letter.is_ascii_hexdigit()))
}

fn time_zone(target: &Target) -> Option<String> {
    match std::fs::read_link(target.link_path("/etc/localtime")) {
        Ok(link) => os::zone_of_link(link.to_str()?),
        // A copy of the zone's file has no name; without any file the C library uses UTC.
        Err(_) => read_trimmed(&target.path("/etc/timezone")).or_else(|| {
            (!target.path("/etc/localtime").exists() && target.path("/etc/os-release").exists())
                .then(|| "UTC".to_owned())
        }),
    }
}

fn capacity(seen: &mut Observation, target: &Target) {
    let text = read_to_string_limited(&target.path("/proc/meminfo"), TEXT_BYTES_MAX);
    let text = text.unwrap_or_default();
    let of = |name: &str| os::meminfo(&text, name);
    if let Some(total) = of("MemTotal") {
        seen.set(&host::MEMORY_BYTES, total);
    }
    if let Some(available) = of("MemAvailable") {
        seen.set(&host::MEMORY_AVAILABLE_BYTES, available);
    }
    if let Some(total) = of("SwapTotal") {
        seen.set(&host::SWAP_BYTES, total);
        if let Some(free) = of("SwapFree") {
            seen.set(&host::SWAP_USED_BYTES, total.saturating_sub(free));
        }
    }
    if let Some(count) = super::processors::online_count(target) {
        seen.set(&host::PROCESSORS_COUNT, count);
    }
}

fn resolution(seen: &mut Observation, target: &Target) {
    let text = read_to_string_limited(&target.path("/etc/resolv.conf"), TEXT_BYTES_MAX);
    let Ok(text) = text else { return };
    let mut resolver = os::resolver(&text);
    // The stub of systemd-resolved hides the servers that it asks.
    if resolver.servers.iter().all(|server| server.starts_with("127.0.0.5")) {
        let behind = target.path("/run/systemd/resolve/resolv.conf");
        if let Ok(text) = read_to_string_limited(&behind, TEXT_BYTES_MAX) {
            resolver = os::resolver(&text);
        }
    }
    seen.set(&host::DNS_SERVERS, resolver.servers);
    seen.set(&host::DNS_SEARCH_DOMAINS, resolver.search);
}

fn readings(seen: &mut Observation, target: &Target) {
    let of_proc = |name: &str| read_trimmed(&target.path(&format!("/proc/{name}")));
    if let Some([one, five, fifteen]) = of_proc("loadavg").and_then(|text| os::load_averages(&text))
    {
        seen.set(&host::LOAD_1M, one);
        seen.set(&host::LOAD_5M, five);
        seen.set(&host::LOAD_15M, fifteen);
    }
    let uptime = of_proc("uptime")
        .and_then(|text| text.split(['.', ' ']).next().and_then(|whole| whole.parse::<u64>().ok()));
    if let Some(seconds) = uptime {
        seen.set(&host::UPTIME_SECONDS, seconds);
    }
    for (attribute, name) in [
        (&host::CPU_PRESSURE, "pressure/cpu"),
        (&host::MEMORY_PRESSURE, "pressure/memory"),
        (&host::IO_PRESSURE, "pressure/io"),
    ] {
        if let Some(share) = of_proc(name).and_then(|text| os::pressure(&text)) {
            seen.set(attribute, share);
        }
    }
    if let Some(count) = read_number(&target.path("/proc/sys/net/netfilter/nf_conntrack_count")) {
        seen.set(&host::CONNECTIONS_TRACKED_COUNT, count);
    }
    if let Some(count) = processes_count(target) {
        seen.set(&host::PROCESSES_COUNT, count);
    }
}

fn processes_count(target: &Target) -> Option<u64> {
    let names = list_dir(&target.path("/proc")).ok()?;
    let count = names.iter().filter(|name| name.bytes().all(|l| l.is_ascii_digit())).count();
    (count > 0).then(|| u64::try_from(count).unwrap_or(u64::MAX))
}

/// Adds what the host can be recognized by.
fn evidence(seen: Observation, target: &Target) -> Observation {
    let text =
        |name: &str| seen.facts.get(name).and_then(|value| value.as_text()).map(str::to_owned);
    let site = || Realm::site(&target.site);
    let in_site = |key_type, value: Option<String>| {
        value.and_then(|value| IdentityKey::new(key_type, site(), &value))
    };
    let machine_id = text("machine_id")
        .and_then(|id| IdentityKey::new(KeyType::MachineId, Realm::everywhere(), &id));
    let (fqdn, host_name) =
        (in_site(KeyType::Fqdn, text("fqdn")), in_site(KeyType::HostName, text("host_name")));
    let agent = target
        .is_live()
        .then(|| IdentityKey::new(KeyType::AgentKey, Realm::everywhere(), &target.id))
        .flatten();
    let mut seen = seen.key(machine_id).key(fqdn).key(host_name).key(agent);
    for mac in super::network::physical_addresses(target) {
        seen = seen.key(IdentityKey::new(KeyType::MacAddress, Realm::everywhere(), &mac));
    }
    for fingerprint in ssh_host_keys(target) {
        seen = seen.key(IdentityKey::new(KeyType::SshHostKey, Realm::everywhere(), &fingerprint));
    }
    seen
}

/// The fingerprints of the SSH server's keys, from their public halves.
fn ssh_host_keys(target: &Target) -> Vec<String> {
    let names = list_dir(&target.path("/etc/ssh")).unwrap_or_default();
    names
        .iter()
        .filter(|name| name.starts_with("ssh_host_") && name.ends_with("_key.pub"))
        .take(SSH_HOST_KEYS_MAX)
        .filter_map(|name| {
            let text = read_to_string_limited(&target.path(&format!("/etc/ssh/{name}")), 16 * 1024)
                .ok()?;
            fingerprint(&text)
        })
        .collect()
}

/// The fingerprint of a public key in OpenSSH's one-line form, as `ssh-keygen -l` writes it.
fn fingerprint(line: &str) -> Option<String> {
    let blob = STANDARD.decode(line.split_whitespace().nth(1)?).ok()?;
    Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_tree_says_what_it_is_and_not_what_it_runs_on() {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/os-release", "ID=debian\nPRETTY_NAME=\"Example 12\"\nVERSION_ID=\"12\"\n"),
            ("etc/debian_version", "12.11\n"),
            ("etc/hostname", "db1\n"),
            ("etc/hosts", "127.0.1.1 db1.example.net db1\n"),
            ("etc/machine-id", "0123456789abcdef0123456789abcdee\n"),
        ] {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: directory.path().to_owned(),
            remote: None,
        };
        let mut seen = Vec::new();
        assert_eq!(collect(&target, &mut Run::new(&mut seen)).unwrap(), Coverage::complete());
        let fact = |name: &str| seen[0].facts.get(name).map(model::Value::to_line);
        assert_eq!(fact("fqdn").as_deref(), Some("db1.example.net"));
        assert_eq!(fact("os_version").as_deref(), Some("12.11"));
        assert_eq!(fact("time_zone").as_deref(), Some("UTC"));
        for unknown in
            ["virtualization", "hypervisor", "firewall_tables", "agent_version", "memory_bytes"]
        {
            assert_eq!(fact(unknown), None, "{unknown}");
        }
        assert!(seen[0].relations.is_empty());
        let keys: Vec<_> = seen[0].keys.iter().map(|key| key.key_type).collect();
        assert_eq!(keys, [KeyType::MachineId, KeyType::Fqdn, KeyType::HostName]);
    }

    #[test]
    fn a_broken_public_key_has_no_fingerprint() {
        assert_eq!(fingerprint("ssh-ed25519 ???"), None);
        assert_eq!(fingerprint(""), None);
        let known =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1rEtTmBl4uMC1LDzcZQyhCGzMpkOLGRoFFGEJN9zyP x";
        let print = fingerprint(known).unwrap();
        assert!(print.starts_with("SHA256:") && print.len() == 50, "{print}");
    }
}
