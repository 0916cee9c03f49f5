//! Recognizes what the system runs in: a hypervisor, a container, or neither.
//!
//! The names are those of systemd-detect-virt(1). Evidence is read from files; only the vendor string of the
//! processor is asked of the processor itself, and only on the running host.

use crate::files::{link_name, read_to_string_limited, read_trimmed};
use collector::Target;

/// The longest cgroup or environment file of process 1 that is looked at.
const EVIDENCE_BYTES_MAX: usize = 64 * 1024;

/// What the system runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// The container technology, when it is in one.
    pub(super) container: Option<String>,
    /// The hypervisor, when there is one.
    pub(super) hypervisor: Option<String>,
}

impl Surroundings {
    /// The innermost, or `none`.
    pub(super) fn innermost(&self) -> String {
        self.container
            .clone()
            .or_else(|| self.hypervisor.clone())
            .unwrap_or_else(|| "none".to_owned())
    }
}

/// Looks for the evidence. `flags_hypervisor` says whether /proc/cpuinfo has the flag `hypervisor`.
pub(super) fn look(target: &Target, flags_hypervisor: bool) -> Surroundings {
    Surroundings { container: container(target), hypervisor: hypervisor(target, flags_hypervisor) }
}

fn container(target: &Target) -> Option<String> {
    if let Some(named) = read_trimmed(&target.path("/run/systemd/container")) {
        return Some(named);
    }
    let environment = target.path("/proc/1/environ");
    if let Ok(text) = read_to_string_limited(&environment, EVIDENCE_BYTES_MAX)
        && let Some(named) = text.split('\0').find_map(|entry| entry.strip_prefix("container="))
        && !named.is_empty()
    {
        return Some(named.to_owned());
    }
    for (file, name) in [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")] {
        if target.path(file).exists() && !is_in_first_namespaces(target) {
            return Some(name.to_owned());
        }
    }
    if target.path("/proc/vz").exists() && !target.path("/proc/bc").exists() {
        return Some("openvz".to_owned());
    }
    let release = read_trimmed(&target.path("/proc/sys/kernel/osrelease")).unwrap_or_default();
    if release.contains("Microsoft") || release.contains("WSL") {
        return Some("wsl".to_owned());
    }
    let cgroup = read_to_string_limited(&target.path("/proc/1/cgroup"), EVIDENCE_BYTES_MAX).ok()?;
    container_of_cgroup(&cgroup).map(str::to_owned)
}

/// Whether the agent lives in the namespaces that the kernel started with: then the file of a container engine
/// only tells that the root file system was once made from an image.
fn is_in_first_namespaces(target: &Target) -> bool {
    // The kernel's fixed inode numbers of its first process and message namespaces (proc_ns.h).
    const FIRST: [(&str, &str); 2] = [("pid", "pid:[4026531836]"), ("ipc", "ipc:[4026531839]")];
    target.is_live()
        && FIRST.iter().all(|(name, first)| {
            std::fs::read_link(format!("/proc/self/ns/{name}"))
                .is_ok_and(|link| link.as_os_str() == *first)
        })
}

/// The engine that the cgroup of process 1 tells of, where the cgroup namespace does not hide it.
fn container_of_cgroup(text: &str) -> Option<&'static str> {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(|path| {
        [("/docker", "docker"), ("kubepods", "docker"), ("/lxc", "lxc"), ("libpod", "podman")]
            .into_iter()
            .find(|(mark, _)| path.contains(mark))
            .map(|(_, name)| name)
    })
}

fn hypervisor(target: &Target, flags_hypervisor: bool) -> Option<String> {
    if target.path("/proc/xen").exists() || is_xen(target) {
        let capabilities = read_trimmed(&target.path("/proc/xen/capabilities")).unwrap_or_default();
        // The first domain manages the machine: it is the bare metal of its guests.
        return (!capabilities.contains("control_d")).then(|| "xen".to_owned());
    }
    let from_dmi = dmi_hypervisor(target);
    // Some virtual machines (Oracle's, Amazon's Nitro) run a hypervisor that another DMI vendor names better.
    if let Some(named) = from_dmi {
        return Some(named.to_owned());
    }
    if target.is_live() && flags_hypervisor {
        return Some(processor_hypervisor().unwrap_or("vm-other").to_owned());
    }
    if flags_hypervisor {
        return Some("vm-other".to_owned());
    }
    device_tree_hypervisor(target)
}

fn is_xen(target: &Target) -> bool {
    read_trimmed(&target.path("/sys/hypervisor/type")).as_deref() == Some("xen")
}

fn dmi_hypervisor(target: &Target) -> Option<&'static str> {
    ["product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"]
        .iter()
        .filter_map(|file| read_trimmed(&target.path(&format!("/sys/class/dmi/id/{file}"))))
        .find_map(|text| hypervisor_of_vendor(&text))
}

/// The hypervisor that a text of the firmware names.
fn hypervisor_of_vendor(text: &str) -> Option<&'static str> {
    const VENDORS: [(&str, &str); 18] = [
        ("KVM", "kvm"),
        ("OpenStack", "kvm"),
        ("KubeVirt", "kvm"),
        ("Amazon EC2", "amazon"),
        ("QEMU", "qemu"),
        ("VMware", "vmware"),
        ("VMW", "vmware"),
        ("innotek GmbH", "oracle"),
        ("VirtualBox", "oracle"),
        ("Xen", "xen"),
        ("Bochs", "bochs"),
        ("Parallels", "parallels"),
        ("BHYVE", "bhyve"),
        ("Hyper-V", "microsoft"),
        ("Virtual Machine", "microsoft"),
        ("Apple Virtualization", "apple"),
        ("Google Compute Engine", "google"),
        ("ACRN", "acrn"),
    ];
    VENDORS.iter().find(|(start, _)| text.starts_with(start)).map(|(_, name)| *name)
}

fn device_tree_hypervisor(target: &Target) -> Option<String> {
    let compatible = read_trimmed(&target.path("/proc/device-tree/hypervisor/compatible"));
    match compatible.as_deref() {
        Some("linux,kvm") => return Some("kvm".to_owned()),
        Some(text) if text.contains("xen") => return Some("xen".to_owned()),
        Some(text) if text.contains("vmware") => return Some("vmware".to_owned()),
        _ => {}
    }
    // QEMU's firmware configuration device, where there is neither DMI nor a node for the hypervisor.
    let has_fw_cfg =
        link_name(&target.link_path("/sys/bus/platform/drivers/qemu_fw_cfg/QEMU0002:00")).is_some()
            || target.path("/proc/device-tree/fw-cfg").exists();
    has_fw_cfg.then(|| "qemu".to_owned())
}

/// The hypervisor that the processor names.
#[cfg(target_arch = "x86_64")]
fn processor_hypervisor() -> Option<&'static str> {
    let leaf = super::system::hypervisor_leaf();
    hypervisor_of_leaf(&leaf)
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_hypervisor() -> Option<&'static str> {
    None
}

/// The hypervisor that the twelve letters of CPUID leaf 0x40000000 name.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only x86 has the leaf"))]
fn hypervisor_of_leaf(letters: &[u8; 12]) -> Option<&'static str> {
    Some(match letters {
        b"KVMKVMKVM\0\0\0" | b"Linux KVM Hv" => "kvm",
        b"XenVMMXenVMM" => "xen",
        b"TCGTCGTCGTCG" => "qemu",
        b"VMwareVMware" => "vmware",
        b"Microsoft Hv" => "microsoft",
        b"VBoxVBoxVBox" => "oracle",
        b"bhyve bhyve " => "bhyve",
        b"QNXQVMBSQG\0\0" => "qnx",
        b"ACRNACRNACRN" => "acrn",
        b"SRESRESRESRE" => "sre",
        b"Apple VZ\0\0\0\0" => "apple",
        b"prl hyperv  " => "parallels",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Target) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = directory.path().to_owned();
        (directory, Target { id: "t".into(), site: "s".into(), root, remote: None })
    }

    #[test]
    fn a_container_hides_its_hypervisor_but_both_are_told() {
        let (_keep, target) = tree(&[
            ("/run/systemd/container", "systemd-nspawn\n"),
            ("/sys/class/dmi/id/sys_vendor", "QEMU\n"),
        ]);
        let found = look(&target, true);
        assert_eq!(found.innermost(), "systemd-nspawn");
        assert_eq!(found.hypervisor.as_deref(), Some("qemu"));
    }

    #[test]
    fn the_first_domain_of_xen_is_bare_metal() {
        let (_keep, target) =
            tree(&[("/proc/xen/capabilities", "control_d\n"), ("/sys/hypervisor/type", "xen\n")]);
        assert_eq!(look(&target, true).innermost(), "none");
    }

    #[test]
    fn vendors_and_engines_are_recognized() {
        for (file, text, expected) in [
            ("/sys/class/dmi/id/sys_vendor", "Amazon EC2", "amazon"),
            ("/sys/class/dmi/id/product_name", "VirtualBox", "oracle"),
            ("/sys/class/dmi/id/product_name", "PowerEdge R650", "none"),
            ("/proc/1/cgroup", "0::/docker/0123\n", "docker"),
            ("/proc/1/environ", "PATH=/bin\0container=lxc\0", "lxc"),
            ("/.dockerenv", "", "docker"),
            ("/proc/device-tree/hypervisor/compatible", "linux,kvm\0", "kvm"),
        ] {
            let (_keep, target) = tree(&[(file, text)]);
            assert_eq!(look(&target, false).innermost(), expected, "{file} {text}");
        }
    }

    #[test]
    fn a_hypervisor_that_no_one_knows_is_still_one() {
        let (_keep, target) = tree(&[]);
        assert_eq!(look(&target, true).innermost(), "vm-other");
        assert_eq!(look(&target, false), Surroundings::default());
    }
}
