//! Processor packages with their topology: sockets, cores, threads, caches, nodes, features.
//!
//! The kernel's topology files say what belongs together; /proc/cpuinfo says what it is. Both are read once per
//! look, and of the caches only those that the first thread of each core names.

use super::os::number_list;
use crate::HARDWARE;
use crate::files::{list_dir, read_limited, read_number, read_to_string_limited, read_trimmed};
use collector::{Run, Target};
use model::Observation;
use model::classes::processor;
use std::collections::{BTreeMap, BTreeSet};

/// The most logical processors that are looked at; Linux is built for at most 8,192.
const PROCESSORS_MAX: usize = 8192;
/// The longest /proc/cpuinfo that is read: 1.6 kB for each of 8,192 processors.
const CPUINFO_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The part of /proc/cpuinfo in which the first processor stands.
const FIRST_BYTES_MAX: usize = 16 * 1024;
/// The most caches of one processor.
const CACHES_MAX: usize = 16;

const CPU: &str = "/sys/devices/system/cpu";

/// What the first processor's flags say of the system.
pub(super) struct Flags {
    /// Whether a hypervisor is under the system.
    pub(super) is_virtual: bool,
}

/// Looks at the flags of the first processor.
pub(super) fn flags(target: &Target) -> Flags {
    let text = read_limited(&target.path("/proc/cpuinfo"), FIRST_BYTES_MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let flags = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    Flags { is_virtual: flags.split_whitespace().any(|flag| flag == "hypervisor") }
}

/// The logical processors that are online.
pub(super) fn online_count(target: &Target) -> Option<u64> {
    u64::try_from(online(target).len()).ok().filter(|count| *count > 0)
}

fn online(target: &Target) -> Vec<u32> {
    read_trimmed(&target.path(&format!("{CPU}/online")))
        .map(|text| number_list(&text, PROCESSORS_MAX))
        .unwrap_or_default()
}

/// How many there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Packages.
    pub(super) sockets: u64,
    /// Cores.
    pub(super) cores: u64,
    /// Threads.
    pub(super) threads: u64,
    /// Nodes.
    pub(super) nodes: u64,
}

/// What the kernel's topology says of one package.
#[derive(Debug, Default)]
struct Package {
    threads: BTreeSet<u32>,
    cores: BTreeSet<String>,
    /// Bytes of each cache, by level, type and the threads that share it.
    caches: BTreeMap<(String, String), u64>,
    clock_max_kilohertz: Option<u64>,
    clock_min_kilohertz: Option<u64>,
}

/// What a firmware table adds to a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SocketLabel {
    /// Designation of the socket.
    pub(super) designation: Option<String>,
    /// Serial number.
    pub(super) serial_number: Option<String>,
    /// Part number.
    pub(super) part_number: Option<String>,
}

/// Reports each package; `labels` are those of the populated sockets, in the order of the firmware.
pub(super) fn collect(target: &Target, run: &mut Run<'_>, labels: &[SocketLabel]) -> Counts {
    let packages = packages(target);
    let text = read_to_string_limited(&target.path("/proc/cpuinfo"), CPUINFO_BYTES_MAX);
    let text = text.unwrap_or_default();
    let described = described(&text);
    let nodes = nodes(target);
    let mut counts = Counts { nodes: u64::try_from(nodes.len()).unwrap_or(0), ..Counts::default() };
    for (index, (socket, package)) in packages.iter().enumerate() {
        let cores = u64::try_from(package.cores.len()).unwrap_or(0);
        let threads = u64::try_from(package.threads.len()).unwrap_or(0);
        counts.sockets += 1;
        counts.cores += cores;
        counts.threads += threads;
        let first = package.threads.first().copied().unwrap_or(0);
        let mut seen = Observation::part(&processor::CLASS, HARDWARE, &[socket])
            .with(&processor::CORES_COUNT, cores)
            .with(&processor::THREADS_COUNT, threads);
        if let Some(words) = described.get(&first).or_else(|| described.values().next()) {
            describe(&mut seen, words);
        }
        measure(&mut seen, package);
        let of_package: Vec<String> = nodes
            .iter()
            .filter(|(_, threads)| threads.iter().any(|thread| package.threads.contains(thread)))
            .map(|(node, _)| node.to_string())
            .collect();
        if !of_package.is_empty() {
            seen.set(&processor::NUMA_NODES, of_package);
        }
        // Only when there is one label per package is it certain which belongs to which.
        if labels.len() == packages.len()
            && let Some(label) = labels.get(index)
        {
            seen = seen
                .with_some(&processor::SOCKET_DESIGNATION, label.designation.clone())
                .with_some(&processor::SERIAL_NUMBER, label.serial_number.clone())
                .with_some(&processor::PART_NUMBER, label.part_number.clone());
        }
        run.saw(seen);
    }
    counts
}

fn packages(target: &Target) -> BTreeMap<String, Package> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for thread in online(target) {
        let base = target.path(&format!("{CPU}/cpu{thread}"));
        let file = |name: &str| target.below(&base, name);
        // Virtual machines on ARM have no package ids: the kernel says -1, and they count as one package.
        let socket = read_trimmed(&file("topology/physical_package_id"))
            .filter(|id| id != "-1")
            .unwrap_or_else(|| "0".to_owned());
        let core = read_trimmed(&file("topology/core_cpus_list"))
            .or_else(|| read_trimmed(&file("topology/thread_siblings_list")))
            .unwrap_or_else(|| thread.to_string());
        let package = packages.entry(socket).or_default();
        package.threads.insert(thread);
        let is_first_of_core = package.cores.insert(core);
        if package.threads.len() == 1 {
            package.clock_max_kilohertz = read_number(&file("cpufreq/cpuinfo_max_freq"));
            package.clock_min_kilohertz = read_number(&file("cpufreq/cpuinfo_min_freq"));
        }
        if is_first_of_core {
            caches(target, &file("cache"), thread, &mut package.caches);
        }
    }
    packages
}

fn caches(
    target: &Target,
    directory: &std::path::Path,
    thread: u32,
    found: &mut BTreeMap<(String, String), u64>,
) {
    for index in 0..CACHES_MAX {
        let cache = target.below(directory, &format!("index{index}"));
        let Some(level) = read_trimmed(&target.below(&cache, "level")) else { return };
        let kind = read_trimmed(&target.below(&cache, "type")).unwrap_or_default();
        let shared = read_trimmed(&target.below(&cache, "shared_cpu_list"));
        let size = read_trimmed(&target.below(&cache, "size")).and_then(|text| cache_bytes(&text));
        if let Some(size) = size {
            let shared = shared.unwrap_or_else(|| thread.to_string());
            found.insert((format!("{level}{kind}"), shared), size);
        }
    }
}

/// A size such as `32K` or `8M`, in bytes.
fn cache_bytes(text: &str) -> Option<u64> {
    let (number, factor) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(number) => {
            let exponent = match text.chars().last()? {
                'K' => 10,
                'M' => 20,
                _ => 30,
            };
            (number, 1_u64 << exponent)
        }
        None => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn measure(seen: &mut Observation, package: &Package) {
    for (attribute, names) in [
        (&processor::CACHE_L1D_BYTES, ["1Data", "1Unified"]),
        (&processor::CACHE_L1I_BYTES, ["1Instruction", ""]),
        (&processor::CACHE_L2_BYTES, ["2Unified", "2Data"]),
        (&processor::CACHE_L3_BYTES, ["3Unified", "3Data"]),
    ] {
        let bytes: u64 = package
            .caches
            .iter()
            .filter(|((name, _), _)| names.contains(&name.as_str()))
            .map(|(_, bytes)| *bytes)
            .fold(0, u64::saturating_add);
        if bytes > 0 {
            seen.set(attribute, bytes);
        }
    }
    for (attribute, kilohertz) in [
        (&processor::CLOCK_MAX_HERTZ, package.clock_max_kilohertz),
        (&processor::CLOCK_MIN_HERTZ, package.clock_min_kilohertz),
    ] {
        if let Some(hertz) = kilohertz.and_then(|kilohertz| kilohertz.checked_mul(1000)) {
            seen.set(attribute, hertz);
        }
    }
}

/// The nodes with their threads.
fn nodes(target: &Target) -> Vec<(u32, Vec<u32>)> {
    let directory = target.path("/sys/devices/system/node");
    let mut nodes: Vec<(u32, Vec<u32>)> = list_dir(&directory)
        .unwrap_or_default()
        .iter()
        .filter_map(|name| {
            let number = name.strip_prefix("node")?.parse().ok()?;
            let threads = read_trimmed(&target.below(&directory, &format!("{name}/cpulist")))
                .unwrap_or_default();
            Some((number, number_list(&threads, PROCESSORS_MAX)))
        })
        .collect();
    nodes.sort_unstable();
    nodes
}

/// The words of /proc/cpuinfo for one processor.
type Words<'a> = BTreeMap<&'a str, &'a str>;

/// The paragraphs of /proc/cpuinfo by processor; what stands in none (ARM's model) goes to all.
fn described(text: &str) -> BTreeMap<u32, Words<'_>> {
    let mut found = BTreeMap::new();
    let mut common = Words::new();
    for paragraph in text.split("\n\n").take(PROCESSORS_MAX) {
        let mut words = Words::new();
        for line in paragraph.lines() {
            if let Some((name, value)) = line.split_once(':') {
                words.insert(name.trim(), value.trim());
            }
        }
        match words.get("processor").and_then(|number| number.parse().ok()) {
            Some(number) => {
                found.insert(number, words);
            }
            None => common.extend(words),
        }
    }
    if !common.is_empty() {
        for words in found.values_mut() {
            for (name, value) in &common {
                words.entry(name).or_insert(value);
            }
        }
    }
    found
}

fn describe(seen: &mut Observation, words: &Words<'_>) {
    let get = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| words.get(name))
            .filter(|value| !value.is_empty())
            .map(|value| (*value).to_owned())
    };
    let arm = get(&["CPU implementer"]).zip(get(&["CPU part"]));
    let (arm_vendor, arm_model) =
        arm.as_ref().map(|(implementer, part)| arm_names(implementer, part)).unwrap_or_default();
    for (attribute, value) in [
        (&processor::MODEL, get(&["model name", "cpu", "uarch"]).or(arm_model)),
        (&processor::VENDOR, get(&["vendor_id", "mvendorid"]).or(arm_vendor)),
        (&processor::FAMILY_NUMBER, get(&["cpu family", "CPU architecture"])),
        (&processor::MODEL_NUMBER, get(&["model", "CPU part"])),
        (&processor::STEPPING, get(&["stepping", "CPU revision"])),
        (&processor::MICROCODE, get(&["microcode"])),
    ] {
        if let Some(value) = value {
            seen.set(attribute, value);
        }
    }
    let features = get(&["flags", "Features", "isa"]).unwrap_or_default();
    let mut features: Vec<String> = features.split_whitespace().map(str::to_owned).collect();
    features.sort_unstable();
    for extension in ["vmx", "svm"] {
        if features.iter().any(|feature| feature == extension) {
            seen.set(&processor::VIRTUALIZATION_EXTENSION, extension);
        }
    }
    if !features.is_empty() {
        seen.set(&processor::FEATURES, features);
    }
    let sizes = get(&["address sizes"]).unwrap_or_default();
    let mut numbers = sizes.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    if let (Some(physical), Some(virtual_)) = (numbers.next(), numbers.next()) {
        seen.set(&processor::ADDRESS_BITS_PHYSICAL, physical);
        seen.set(&processor::ADDRESS_BITS_VIRTUAL, virtual_);
    }
}

/// The words for ARM's implementer and part numbers, as far as they are common in servers.
fn arm_names(implementer: &str, part: &str) -> (Option<String>, Option<String>) {
    let vendor = match implementer {
        "0x41" => "ARM",
        "0x42" => "Broadcom",
        "0x43" => "Cavium",
        "0x46" => "FUJITSU",
        "0x48" => "HiSilicon",
        "0x4e" => "NVIDIA",
        "0x50" => "APM",
        "0x51" => "Qualcomm",
        "0x53" => "Samsung",
        "0x61" => "Apple",
        "0xc0" => "Ampere",
        _ => return (None, None),
    };
    let model = match (implementer, part) {
        ("0x41", "0xd03") => "Cortex-A53",
        ("0x41", "0xd05") => "Cortex-A55",
        ("0x41", "0xd07") => "Cortex-A57",
        ("0x41", "0xd08") => "Cortex-A72",
        ("0x41", "0xd09") => "Cortex-A73",
        ("0x41", "0xd0a") => "Cortex-A75",
        ("0x41", "0xd0b") => "Cortex-A76",
        ("0x41", "0xd0c") => "Neoverse-N1",
        ("0x41", "0xd40") => "Neoverse-V1",
        ("0x41", "0xd41") => "Cortex-A78",
        ("0x41", "0xd49") => "Neoverse-N2",
        ("0x41", "0xd4f") => "Neoverse-V2",
        ("0xc0", "0xac3") => "Ampere-1",
        ("0xc0", "0xac4") => "Ampere-1a",
        _ => return (Some(vendor.to_owned()), None),
    };
    (Some(vendor.to_owned()), Some(model.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cache_sizes_that_overflow_are_none() {
        assert_eq!(cache_bytes("32K"), Some(32 * 1024));
        assert_eq!(cache_bytes("8M"), Some(8 << 20));
        assert_eq!(cache_bytes("99999999999999999999G"), None);
        assert_eq!(cache_bytes("18446744073709551615K"), None);
        assert_eq!(cache_bytes(""), None);
    }

    #[test]
    fn what_stands_below_all_processors_belongs_to_each() {
        let text = "processor\t: 0\nCPU part\t: 0xd08\n\nprocessor\t: 1\n\nModel\t\t: Board\n";
        let found = described(text);
        assert_eq!(found[&1].get("Model"), Some(&"Board"));
        assert_eq!(found[&0].get("CPU part"), Some(&"0xd08"));
    }

    proptest! {
        #[test]
        fn any_cpuinfo_gives_an_answer(text in "(processor|flags|\\PC{0,8})[:\n\t ]{0,3}\\PC{0,60}\n{0,2}") {
            let mut seen = Observation::of(&processor::CLASS, "x");
            for words in described(&text).values() {
                describe(&mut seen, words);
            }
            cache_bytes(&text);
        }
    }
}
