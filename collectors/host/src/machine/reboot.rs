//! Whether the running system waits for a restart to use what was installed.

use super::os::compare_versions;
use crate::files::{list_dir, read_to_string_limited, read_trimmed};
use collector::Target;
use model::Observation;
use model::classes::host;

/// The longest list of packages that ask for a restart.
const LIST_BYTES_MAX: usize = 256 * 1024;
/// The most reasons that are kept.
const REASONS_MAX: usize = 100;

/// Looks for what asks for a restart. A container runs its host's kernel, so no kernel of its own can wait.
pub(super) fn look(seen: &mut Observation, target: &Target, is_container: bool) {
    let mut reasons = Vec::new();
    let flag = ["/run/reboot-required", "/var/run/reboot-required"]
        .iter()
        .any(|path| target.path(path).exists());
    let packages = ["/run/reboot-required.pkgs", "/var/run/reboot-required.pkgs"]
        .iter()
        .find_map(|path| read_to_string_limited(&target.path(path), LIST_BYTES_MAX).ok());
    for name in packages.unwrap_or_default().lines().map(str::trim).filter(|name| !name.is_empty())
    {
        reasons.push(name.to_owned());
    }
    let running = read_trimmed(&target.path("/proc/sys/kernel/osrelease"));
    let installed = kernels(target);
    let newest = newest(&installed, running.as_deref());
    if let Some(newest) = newest {
        seen.set(&host::KERNEL_NEWEST_INSTALLED, newest);
    }
    // Only a kernel that came from here says something: a hypervisor may have started its own.
    let is_superseded = !is_container
        && running.as_ref().zip(newest).is_some_and(|(running, newest)| {
            installed.contains(running) && compare_versions(running, newest).is_lt()
        });
    if is_superseded {
        reasons.push(format!("kernel {}", newest.unwrap_or_default()));
    }
    reasons.sort();
    reasons.dedup();
    reasons.truncate(REASONS_MAX);
    seen.set(&host::REBOOT_NEEDED, flag || !reasons.is_empty());
    seen.set(&host::REBOOT_REASONS, reasons);
}

/// The releases of the kernels that are installed.
fn kernels(target: &Target) -> Vec<String> {
    let boot = list_dir(&target.path("/boot")).unwrap_or_default();
    let mut releases: Vec<String> = boot
        .iter()
        .filter_map(|name| name.strip_prefix("vmlinuz-").or_else(|| name.strip_prefix("vmlinux-")))
        .filter(|release| !release.contains("rescue") && !release.ends_with(".old"))
        .map(str::to_owned)
        .collect();
    // Fedora and others keep the kernel beside its modules.
    for directory in ["/lib/modules", "/usr/lib/modules"] {
        for release in list_dir(&target.path(directory)).unwrap_or_default() {
            if target.path(&format!("{directory}/{release}/vmlinuz")).exists() {
                releases.push(release);
            }
        }
    }
    releases.sort();
    releases.dedup();
    releases
}

/// The newest of the releases, of the running one's flavor when there are any of it.
fn newest<'a>(releases: &'a [String], running: Option<&str>) -> Option<&'a str> {
    let of_flavor =
        |release: &&String| running.is_none_or(|running| flavor(release) == flavor(running));
    releases
        .iter()
        .filter(of_flavor)
        .max_by(|one, other| compare_versions(one, other))
        .or_else(|| releases.iter().max_by(|one, other| compare_versions(one, other)))
        .map(String::as_str)
}

/// What tells kernels apart that are built for different purposes: the letters of a release, `amd` or `generic`.
/// Digits are left out, because distributions count in them (`el9_3`, `arch1`).
fn flavor(release: &str) -> String {
    release.chars().filter(char::is_ascii_alphabetic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn look_at(files: &[(&str, &str)], is_container: bool) -> Observation {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: directory.path().to_owned(),
            remote: None,
        };
        let mut seen = Observation::of(&host::CLASS, "host");
        look(&mut seen, &target, is_container);
        seen
    }

    fn reasons(seen: &Observation) -> String {
        seen.facts["reboot_reasons"].to_line()
    }

    #[test]
    fn a_newer_kernel_of_the_same_flavor_asks_for_a_restart() {
        let files = [
            ("proc/sys/kernel/osrelease", "6.1.0-9-amd64\n"),
            ("boot/vmlinuz-6.1.0-9-amd64", ""),
            ("boot/vmlinuz-6.1.0-13-amd64", ""),
            ("boot/vmlinuz-6.9.0-1-rt-amd64", ""),
        ];
        assert_eq!(reasons(&look_at(&files, false)), "kernel 6.1.0-13-amd64");
        assert_eq!(reasons(&look_at(&files, true)), "");
    }

    #[test]
    fn a_minor_release_of_the_distribution_is_the_same_flavor() {
        let files = [
            ("proc/sys/kernel/osrelease", "5.14.0-362.el9.x86_64\n"),
            ("lib/modules/5.14.0-362.el9.x86_64/vmlinuz", ""),
            ("lib/modules/5.14.0-362.8.1.el9_3.x86_64/vmlinuz", ""),
            ("lib/modules/5.14.0-400.rt14.el9.x86_64/vmlinuz", ""),
        ];
        assert_eq!(reasons(&look_at(&files, false)), "kernel 5.14.0-362.8.1.el9_3.x86_64");
    }

    #[test]
    fn a_kernel_that_came_from_elsewhere_says_nothing() {
        let files =
            [("proc/sys/kernel/osrelease", "5.0.0-cloud\n"), ("boot/vmlinuz-6.1.0-13-amd64", "")];
        let seen = look_at(&files, false);
        assert_eq!(reasons(&seen), "");
        assert_eq!(seen.facts["reboot_needed"], model::Value::Boolean(false));
    }

    #[test]
    fn packages_that_ask_for_a_restart_are_named_once() {
        let files = [
            ("run/reboot-required", "*** System restart required ***\n"),
            ("run/reboot-required.pkgs", "libc6\nlinux-base\nlibc6\n"),
        ];
        assert_eq!(reasons(&look_at(&files, false)), "libc6, linux-base");
    }
}
