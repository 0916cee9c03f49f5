//! The parser of /proc/self/mountinfo and /proc/swaps, and what the types of file systems mean.

/// The most mounts that are looked at; a host with 1,000 containers has some 10,000.
const MOUNTS_MAX: usize = 50_000;
/// The most swap areas; the kernel allows some thirty.
const SWAPS_MAX: usize = 64;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Major and minor number of the device, as `254:1`.
    pub(super) number: String,
    /// Directory of the file system that is mounted.
    pub(super) directory: String,
    /// Where.
    pub(super) point: String,
    /// Options of the mount and of the file system, sorted, once each.
    pub(super) options: Vec<String>,
    /// Type.
    pub(super) kind: String,
    /// Device or share.
    pub(super) source: String,
}

impl Mount {
    /// Whether it may not be written through this mount.
    pub(super) fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }
}

/// Reads mountinfo; lines that are not whole are left out. Of mounts at one place the last, which hides the
/// others, is kept.
pub(super) fn mounts(text: &str) -> Vec<Mount> {
    let mut found: std::collections::BTreeMap<String, Mount> = std::collections::BTreeMap::new();
    for line in text.lines().take(MOUNTS_MAX) {
        if let Some(mount) = mount(line) {
            found.insert(mount.point.clone(), mount);
        }
    }
    found.into_values().collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut words = before.split(' ').skip(2);
    let number = words.next()?.to_owned();
    let directory = unescaped(words.next()?);
    let point = unescaped(words.next()?);
    let own = words.next()?;
    let mut words = after.split(' ');
    let kind = words.next()?.to_owned();
    let source = unescaped(words.next()?);
    let all = words.next().unwrap_or_default();
    // The mount's own `ro` or `rw` counts, not the file system's.
    let of_filesystem = all.split(',').filter(|option| !matches!(*option, "ro" | "rw"));
    let mut options: Vec<String> = own
        .split(',')
        .chain(of_filesystem)
        .filter(|option| !option.is_empty())
        .map(|option| unescaped(&without_secret(option)))
        .collect();
    options.sort();
    options.dedup();
    Some(Mount { number, directory, point, options, kind, source })
}

/// A mount option without the value that could be a secret.
fn without_secret(option: &str) -> String {
    match option.split_once('=') {
        Some((name, _)) if matches!(name, "password" | "pass" | "passwd" | "secret" | "cred") => {
            format!("{name}=***")
        }
        _ => option.to_owned(),
    }
}

/// A text in which the kernel wrote space, tab, line feed and backslash as `\040` and so on.
fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(byte) = bytes.get(place) {
        let octal = bytes.get(place + 1..place + 4).filter(|_| *byte == b'\\').and_then(octal);
        match octal {
            Some(letter) => {
                out.push(letter);
                place += 4;
            }
            None => {
                out.push(*byte);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        number.checked_mul(8)?.checked_add(digit)
    })
}

/// A swap area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Swap {
    /// Device or file.
    pub(super) path: String,
    /// `partition` or `file`.
    pub(super) kind: String,
    /// Size.
    pub(super) bytes: u64,
    /// In use.
    pub(super) used_bytes: u64,
    /// Priority.
    pub(super) priority: i64,
}

/// Reads /proc/swaps.
pub(super) fn swaps(text: &str) -> Vec<Swap> {
    text.lines()
        .skip(1)
        .take(SWAPS_MAX)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let path = unescaped(words.next()?);
            let kind = words.next()?.to_owned();
            let mut number = || words.next()?.parse::<i64>().ok();
            let kibibytes = |number: i64| u64::try_from(number).ok()?.checked_mul(1024);
            Some(Swap {
                path: path.trim_end_matches(" (deleted)").to_owned(),
                kind,
                bytes: kibibytes(number()?)?,
                used_bytes: kibibytes(number()?)?,
                priority: number()?,
            })
        })
        .collect()
}

impl Mount {
    /// Where its files lie. What is mounted inside of /proc and /sys is the kernel's whatever its type.
    pub(super) fn place(&self) -> Place {
        if self.point.starts_with("/proc/") || self.point.starts_with("/sys/") {
            return Place::Pseudo;
        }
        place(&self.kind)
    }
}

/// What a type of file system means for a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its files lie on this host: asking for its sizes answers at once.
    Local,
    /// Its files lie elsewhere, or in a process: asking could wait for ever.
    Remote,
    /// It shows the kernel's own state and holds no files of anyone.
    Pseudo,
}

/// Where the files of a type of file system lie.
fn place(kind: &str) -> Place {
    const PSEUDO: [&str; 26] = [
        "autofs",
        "binder",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "fuse.gvfsd-fuse",
        "fuse.lxcfs",
        "fuse.portal",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "ramfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    ];
    const REMOTE: [&str; 17] = [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "fuse",
        "fuseblk",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "virtiofs",
    ];
    if PSEUDO.contains(&kind) {
        Place::Pseudo
    } else if REMOTE.contains(&kind) || kind.starts_with("fuse.") {
        Place::Remote
    } else {
        Place::Local
    }
}

/// Whether a file system lies on another host. A process of this host can also stand behind one.
pub(super) fn is_remote(kind: &str) -> bool {
    place(kind) == Place::Remote && !matches!(kind, "fuseblk" | "fuse" | "virtiofs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda1 rw,discard
30 27 254:1 /data /srv/my\\040files ro,nosuid - ext4 /dev/vdb rw
31 27 0:40 / /mnt/share rw - cifs //192.0.2.7/x rw,username=u,password=hunter2
32 27 0:41 / /srv/my\\040files rw - tmpfs tmpfs rw,size=1k
broken line
1 2 - x";

    #[test]
    fn of_mounts_at_one_place_the_last_is_kept() {
        let found = mounts(TEXT);
        assert_eq!(found.len(), 4);
        let hidden = found.iter().find(|mount| mount.point == "/srv/my files").unwrap();
        assert_eq!(hidden.kind, "tmpfs");
    }

    #[test]
    fn a_password_among_the_options_is_masked() {
        let found = mounts(TEXT);
        let share = found.iter().find(|mount| mount.kind == "cifs").unwrap();
        assert_eq!(share.options, ["password=***", "rw", "username=u"]);
    }

    #[test]
    fn a_read_only_mount_of_a_writable_file_system_is_read_only() {
        let mount = mount("30 27 254:1 /data /srv ro,nosuid - ext4 /dev/vdb rw").unwrap();
        assert!(mount.is_read_only());
        assert_eq!(mount.directory, "/data");
    }

    #[test]
    fn swap_areas_are_read() {
        let text = "Filename Type Size Used Priority\n/dev/dm-1 partition 1024 512 -2\n/swap\\040file file x\n";
        let found = swaps(text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].bytes, found[0].used_bytes, found[0].priority),
            (1 << 20, 512 << 10, -2)
        );
    }

    #[test]
    fn what_could_hang_is_known() {
        assert_eq!(place("nfs4"), Place::Remote);
        assert_eq!(place("fuse.sshfs"), Place::Remote);
        assert_eq!(place("autofs"), Place::Pseudo);
        assert_eq!(place("ext4"), Place::Local);
        assert!(is_remote("fuse.sshfs") && !is_remote("fuseblk"));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "([0-9]{1,2} |/a|\\\\04|\\\\777| - |,|\\PC){0,40}") {
            mounts(&text);
            swaps(&format!("head\n{text}"));
            unescaped(&text);
        }
    }
}
