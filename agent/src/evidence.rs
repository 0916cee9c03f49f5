//! What the host says of itself, kept beside the agent by the control plane to notice clones. Never an identity.

use proto::v1;
use std::io::Read;
use std::path::Path;

/// The most bytes of one of the files.
const FILE_BYTES_MAX: u64 = 16 * 1024;

fn read(path: &str) -> String {
    let mut text = String::new();
    if let Ok(file) = std::fs::File::open(Path::new(path)) {
        // What is not there or no text stays empty: it is evidence, not a condition.
        drop(file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    }
    text
}

fn trimmed(path: &str) -> String {
    read(path).trim().to_owned()
}

/// The name in os-release's form.
fn os_name(text: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    value.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
}

/// Names this start of the operating system; empty when it is not told.
#[must_use]
pub fn boot_id() -> String {
    trimmed("/proc/sys/kernel/random/boot_id")
}

/// How long the operating system has been running, seconds; `None` when it is not told.
#[must_use]
pub fn uptime_seconds() -> Option<u64> {
    trimmed("/proc/uptime").split('.').next()?.parse().ok()
}

/// The evidence of this host.
#[must_use]
pub fn collect() -> v1::Evidence {
    v1::Evidence {
        host_name: trimmed("/proc/sys/kernel/hostname"),
        machine_id: trimmed("/etc/machine-id"),
        boot_id: boot_id(),
        os_name: os_name(&read("/etc/os-release")),
        architecture: std::env::consts::ARCH.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_system_comes_without_its_quotes() {
        assert_eq!(os_name("ID=x\nPRETTY_NAME=\"Example OS 1\"\n"), "Example OS 1");
        assert_eq!(os_name(""), "");
    }
}
