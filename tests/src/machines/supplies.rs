//! What guests are made of: Debian's kernel with some of its modules, and programs that need not be installed here.
//!
//! Both are taken out of Debian's packages, once, and kept. Whoever comes first fetches them; the others wait.

use super::{cache, output_of};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The modules that guests may load; what these depend on comes along.
const MODULES: &[&str] = &[
    "ahci",
    "ata_piix",
    "crc32c_generic",
    "dm_mod",
    "dm_raid",
    "dm_snapshot",
    "dm_thin_pool",
    "ext4",
    "md_mod",
    "nvme",
    "raid1",
    "scsi_debug",
    "sd_mod",
    "usb_storage",
    "virtio_blk",
    "virtio_pci",
    "virtio_scsi",
    "xhci_pci",
];

/// The programs that guests may run, each with its place in its package.
const PROGRAMS: &[(&str, &str)] = &[
    ("dmidecode", "usr/sbin/dmidecode"),
    ("lsblk", "bin/lsblk"),
    ("lvm", "sbin/lvm"),
    ("mdadm", "sbin/mdadm"),
    ("smartctl", "usr/sbin/smartctl"),
];

/// The packages that hold them, with those libraries that not every Debian has.
const PACKAGES: &[&str] = &[
    "dmidecode",
    "libaio1",
    "libbsd0",
    "libdevmapper-event1.02.1",
    "libdevmapper1.02.1",
    "libedit2",
    "libmd0",
    "lvm2",
    "mdadm",
    "smartmontools",
    "util-linux",
];

/// A kernel for guests.
#[derive(Debug)]
pub struct Kernel {
    folder: PathBuf,
}

impl Kernel {
    /// The kept kernel; fetched when there is none, or one without a module that is wanted now.
    ///
    /// # Errors
    /// When the package cannot be fetched or lacks something.
    pub fn find() -> Result<Self> {
        let folder = kept("guest-kernel", is_whole_kernel, |into| {
            let listing = output_of("apt", "apt-cache", &["depends", "linux-image-amd64"])?;
            let listing = String::from_utf8_lossy(&listing).into_owned();
            let package = listing
                .lines()
                .find_map(|line| line.trim().strip_prefix("Depends: "))
                .filter(|package| package.starts_with("linux-image-"))
                .context("apt knows no linux-image-amd64; run apt-get update")?;
            unpack(&[package], into)?;
            take_modules(into)
        })?;
        Ok(Self { folder })
    }

    /// The file to boot.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn image(&self) -> Result<PathBuf> {
        image_in(&self.folder).context("the kernel's package holds no kernel")
    }

    /// The modules with all that they depend on, in the order in which they can be loaded.
    ///
    /// # Errors
    /// When one of them is not kept.
    pub fn modules(&self, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let mut loaded = Vec::new();
        let mut waiting: Vec<String> = names.iter().rev().map(|name| plain(name)).collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            let path = self.folder.join("modules").join(format!("{name}.ko"));
            let bytes =
                std::fs::read(&path).with_context(|| format!("no module {}", path.display()))?;
            // The second time, its dependencies were met.
            if seen.insert(name.clone()) {
                let needed = dependencies(&bytes);
                waiting.push(name);
                waiting.extend(needed.into_iter().filter(|needed| !seen.contains(needed)));
            } else if !loaded.iter().any(|(other, _)| *other == name) {
                loaded.push((name, bytes));
            }
        }
        Ok(loaded)
    }
}

/// A program for guests with its libraries: where each lies on this machine, and where it belongs in the guest.
///
/// # Errors
/// When it is not among the kept ones, or ldd cannot tell its libraries.
pub fn program(name: &str) -> Result<Vec<(PathBuf, String)>> {
    let folder = kept("guest-programs", is_whole_programs, |into| unpack(PACKAGES, into))?;
    let (_, place) = PROGRAMS
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| format!("{name} is not among the programs of guests"))?;
    let program = folder.join(place);
    let folders = library_folders(&folder);
    let libraries = Command::new("ldd")
        .arg(&program)
        .env("LD_LIBRARY_PATH", std::env::join_paths(&folders)?)
        .output()
        .context("cannot run ldd; install it: apt-get install libc-bin")?;
    let listing = String::from_utf8_lossy(&libraries.stdout).into_owned();
    anyhow::ensure!(!listing.contains("not found"), "{name} lacks libraries:\n{listing}");
    let mut files = vec![(program, format!("bin/{name}"))];
    for library in listing.split_whitespace().filter(|word| word.starts_with('/')) {
        let library = PathBuf::from(library);
        let place = library.strip_prefix(&folder).or_else(|_| library.strip_prefix("/"))?;
        let place = place.to_string_lossy().into_owned();
        files.push((library, place));
    }
    Ok(files)
}

/// A folder of the cache that is whole, made by `make` when it is not.
fn kept(
    name: &str,
    is_whole: fn(&Path) -> bool,
    make: impl Fn(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let cache = cache()?;
    let folder = cache.join(name);
    // Tests run at once, in one process and in several.
    let lock = std::fs::File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    if is_whole(&folder) {
        return Ok(folder);
    }
    let fresh = tempfile::tempdir_in(&cache)?;
    make(fresh.path())?;
    anyhow::ensure!(is_whole(fresh.path()), "what Debian's packages hold for {name} is not whole");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::rename(fresh.keep(), &folder)?;
    Ok(folder)
}

fn is_whole_kernel(folder: &Path) -> bool {
    let has = |name: &&str| folder.join("modules").join(format!("{name}.ko")).exists();
    image_in(folder).is_some() && MODULES.iter().all(has)
}

fn is_whole_programs(folder: &Path) -> bool {
    PROGRAMS.iter().all(|(_, place)| folder.join(place).exists())
}

fn image_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder.join("boot")).ok()?;
    entries.filter_map(Result::ok).map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
    })
}

fn library_folders(folder: &Path) -> Vec<PathBuf> {
    ["lib", "usr/lib"]
        .iter()
        .filter_map(|place| std::fs::read_dir(folder.join(place)).ok())
        .flat_map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
        .collect()
}

/// Fetches packages and puts their files below a folder.
fn unpack(packages: &[&str], into: &Path) -> Result<()> {
    let status = Command::new("apt-get")
        .args(["download", "-qq"])
        .args(packages)
        .current_dir(into)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run apt-get")?;
    anyhow::ensure!(status.success(), "apt-get download {} failed", packages.join(" "));
    for entry in std::fs::read_dir(into)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let (package, into) = (path.to_string_lossy(), into.to_string_lossy());
            output_of("dpkg", "dpkg-deb", &["-x", &package, &into])?;
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Keeps the wanted modules of an unpacked kernel, each beside the others; the rest is a hundred times as much.
fn take_modules(folder: &Path) -> Result<()> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.join("lib/modules")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ko") {
                let name = path.file_stem().map(|name| plain(&name.to_string_lossy()));
                all.insert(name.unwrap_or_default(), path);
            }
        }
    }
    std::fs::create_dir(folder.join("modules"))?;
    let mut waiting: Vec<String> = MODULES.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = waiting.pop() {
        let place = folder.join("modules").join(format!("{name}.ko"));
        if place.exists() {
            continue;
        }
        let path = all.get(&name).with_context(|| format!("the kernel has no module {name}"))?;
        let bytes = std::fs::read(path)?;
        std::fs::write(place, &bytes)?;
        waiting.extend(dependencies(&bytes));
    }
    std::fs::remove_dir_all(folder.join("lib"))?;
    std::fs::remove_dir_all(folder.join("usr"))?;
    Ok(())
}

/// A module's name as the kernel writes it: files have hyphens where it has underscores.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// The modules that a module says it depends on: `depends=a,b` between zeros.
fn dependencies(module: &[u8]) -> Vec<String> {
    module
        .split(|byte| *byte == 0)
        .find_map(|text| text.strip_prefix(b"depends="))
        .map(|names| String::from_utf8_lossy(names).into_owned())
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .map(plain)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_loaded_after_those_that_they_depend_on() {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join("modules");
        std::fs::create_dir(&modules).unwrap();
        for (name, needs) in
            [("top", "left,right-hand"), ("left", "base"), ("right_hand", "base"), ("base", "")]
        {
            let text = format!("\x7fELF\0license=x\0depends={needs}\0name={name}\0");
            std::fs::write(modules.join(format!("{name}.ko")), text).unwrap();
        }
        let kernel = Kernel { folder: folder.path().to_owned() };
        let order = |names: &[&str]| -> Vec<String> {
            kernel.modules(names).unwrap().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(order(&["left", "top"]), ["base", "left", "right_hand", "top"]);
        assert!(kernel.modules(&["none"]).is_err());
    }
}
