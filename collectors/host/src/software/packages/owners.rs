//! Which packages a file came with, by the lists of files that dpkg, apk, rpm and pacman keep.
//!
//! Searching those lists costs some milliseconds, and the scope `processes` asks with every look. Answers are
//! therefore kept for as long as the databases are unchanged; a search happens only for a path that nobody asked for
//! before, and never for one where packages put nothing.
//!
//! Deliberately not here: snap, flatpak and the packages of languages, whose programs lie in folders of their own.

use super::{apk, dpkg, pacman, rpm};
use crate::files::{self, StatGuard};
use collector::{Guard, Target};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The most paths whose answers are kept. A host has some hundred units and as many different programs.
const ANSWERS_MAX: usize = 8192;

/// The most packages that one file is said to come with; rpm lets several share a file.
const OWNERS_MAX: usize = 8;

/// Lists are read in pieces of this size; no path of Linux is longer than a sixteenth of it.
const PIECE_BYTES: usize = 64 * 1024;

/// Where packages put programs and services. The rest of the tree is its administrator's.
const PLACES: [&str; 7] = ["/usr/", "/bin/", "/sbin/", "/lib", "/opt/", "/etc/init.d/", "/nix/"];

/// What lies in such a place and still is the administrator's.
const NO_PLACES: [&str; 1] = ["/usr/local/"];

/// Folders of units, of all distributions.
const UNIT_FOLDERS: [&str; 3] = ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/init.d"];

/// The native keys of packages by the path that was asked for.
#[derive(Debug, Default)]
pub(in crate::software) struct Owners(BTreeMap<String, Vec<String>>);

impl Owners {
    /// The native keys of the packages that a file came with.
    pub(in crate::software) fn of(&self, path: &str) -> &[String] {
        self.0.get(path).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What was found out about a target, while its databases are as they were.
struct Known {
    root: PathBuf,
    guard: Guard,
    /// Empty for what came with no package.
    answers: BTreeMap<String, Vec<String>>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// The packages that files came with.
pub(in crate::software) fn owners<'a>(
    target: &Target,
    paths: impl Iterator<Item = &'a str>,
) -> Owners {
    let asked: BTreeSet<&str> = paths.filter(|path| is_of_packages(path)).collect();
    if asked.is_empty() {
        return Owners::default();
    }
    let guard = guard(target);
    let mut place = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = || Known { root: target.root.clone(), guard, answers: BTreeMap::new() };
    let known = place.get_or_insert_with(fresh);
    if known.root != target.root || known.guard != guard || known.answers.len() > ANSWERS_MAX {
        *known = fresh();
    }
    if asked.iter().any(|path| !known.answers.contains_key(*path)) {
        // Processes are looked at before units: one search answers both.
        let units = unit_paths(target);
        let new: Vec<&str> = asked
            .iter()
            .copied()
            .chain(units.iter().map(String::as_str))
            .filter(|path| !known.answers.contains_key(*path))
            .take(ANSWERS_MAX)
            .collect();
        let found = search(target, &new);
        known.answers.extend(found);
    }
    let answer = |path: &&str| Some(((*path).to_owned(), known.answers.get(*path)?.clone()));
    Owners(asked.iter().filter_map(answer).filter(|(_, keys)| !keys.is_empty()).collect())
}

/// Whether packages put files there at all.
fn is_of_packages(path: &str) -> bool {
    PLACES.iter().any(|place| path.starts_with(place))
        && !NO_PLACES.iter().any(|place| path.starts_with(place))
}

/// The state of all databases.
pub(in crate::software) fn guard(target: &Target) -> Guard {
    let mut all = StatGuard::new();
    for guard in [dpkg::guard, apk::guard, rpm::guard, pacman::guard] {
        all.number(guard(target).0);
    }
    all.finish()
}

/// The files that define services.
fn unit_paths(target: &Target) -> Vec<String> {
    let mut paths = Vec::new();
    for folder in UNIT_FOLDERS {
        let names = files::list_dir(&target.path(folder)).unwrap_or_default();
        // Not the folders of links and of drop-ins.
        let names = names.iter().filter(|name| {
            ![".wants", ".requires", ".upholds", ".d"].iter().any(|end| name.ends_with(end))
        });
        paths.extend(names.map(|name| format!("{folder}/{name}")));
    }
    paths
}

/// Searches the lists of all package managers; every path gets an answer.
fn search(target: &Target, paths: &[&str]) -> BTreeMap<String, Vec<String>> {
    let is_merged =
        std::fs::symlink_metadata(target.link_path("/lib")).is_ok_and(|lib| lib.is_symlink());
    let mut search = Search::new(is_merged, paths);
    for manager in [dpkg::find_owners, apk::find_owners, rpm::find_owners, pacman::find_owners] {
        manager(target, &mut search);
        if search.is_done() {
            break;
        }
    }
    paths
        .iter()
        .map(|path| {
            let name = canonical(path.as_bytes(), is_merged);
            ((*path).to_owned(), search.found.get(name).cloned().unwrap_or_default())
        })
        .collect()
}

/// A search for the packages of some files.
///
/// A host's lists have a hundred thousand lines and more, of which a few hundred are wanted: a table of bits over the
/// last letters of a line sorts out nearly all others.
#[derive(Debug)]
pub(super) struct Search {
    wanted: HashSet<Vec<u8>>,
    ends: Vec<u64>,
    is_merged: bool,
    found: BTreeMap<Vec<u8>, Vec<String>>,
}

impl Search {
    /// A search for these absolute paths. `is_merged`: `/lib` is the same as `/usr/lib`, and so on.
    pub(super) fn new(is_merged: bool, paths: &[&str]) -> Self {
        let mut search = Self {
            wanted: HashSet::new(),
            ends: vec![0; ENDS_BITS / 64],
            is_merged,
            found: BTreeMap::new(),
        };
        for path in paths {
            search.want(path.as_bytes());
        }
        search
    }

    /// Adds a path to those that are searched for.
    pub(super) fn want(&mut self, path: &[u8]) {
        let name = canonical(path, self.is_merged);
        if let Some((word, bit)) = end_of(name) {
            if let Some(word) = self.ends.get_mut(word) {
                *word |= bit;
            }
            self.wanted.insert(name.to_vec());
        }
    }

    /// How many files are searched for.
    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether every file has been found.
    pub(super) fn is_done(&self) -> bool {
        self.found.len() >= self.wanted.len()
    }

    /// The name under which a line of a list is wanted; `None` when it is not.
    pub(super) fn wanted<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let (word, bit) = end_of(line)?;
        if self.ends.get(word)? & bit == 0 {
            return None;
        }
        let name = canonical(line, self.is_merged);
        self.wanted.contains(name).then_some(name)
    }

    /// The name of a path, whether wanted or not.
    pub(super) fn name<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        canonical(path, self.is_merged)
    }

    /// What the wanted files are called, in whatever folders they lie.
    pub(super) fn base_names(&self) -> HashSet<Vec<u8>> {
        let base_name =
            |name: &Vec<u8>| name.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
        self.wanted.iter().filter_map(base_name).collect()
    }

    /// Notes that a wanted file came with a package.
    pub(super) fn found(&mut self, name: &[u8], key: &str) {
        if !self.wanted.contains(name) {
            return;
        }
        let keys = self.found.entry(name.to_vec()).or_default();
        if keys.len() < OWNERS_MAX && !keys.iter().any(|other| other == key) {
            keys.push(key.to_owned());
        }
    }
}

/// Bits of the table of ends: with some hundred wanted files two lines of a hundred get through.
const ENDS_BITS: usize = 1 << 14;

/// How many last letters are looked at: the shortest path that is asked for has seven, `/bin/sh`.
const END_LENGTH: usize = 5;

/// The place in the table of ends: word and bit.
fn end_of(line: &[u8]) -> Option<(usize, u64)> {
    let end: &[u8; END_LENGTH] = line.last_chunk()?;
    let mut number = [0; 8];
    number.first_chunk_mut::<END_LENGTH>()?.copy_from_slice(end);
    // The upper bits of the product depend on all letters.
    let mixed = u64::from_le_bytes(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
    let place = usize::try_from(mixed).ok()? % ENDS_BITS;
    Some((place / 64, 1 << (place % 64)))
}

/// The path without the slash before it and, where `/usr` and `/` are one, without `usr/`.
fn canonical(path: &[u8], is_merged: bool) -> &[u8] {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    match path.strip_prefix(b"usr/") {
        Some(rest)
            if is_merged
                && [&b"bin/"[..], b"sbin/", b"lib"].iter().any(|start| rest.starts_with(start)) =>
        {
            rest
        }
        _ => path,
    }
}

/// The lines of a text.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let before = rest;
        // In memory nothing can fail, and nothing is left at the end.
        let length = rest.skip_until(b'\n').ok().filter(|length| *length > 0)?;
        let line = before.get(..length)?;
        Some(line.strip_suffix(b"\n").unwrap_or(line))
    })
}

/// Calls `each` with the lines of a list, read in pieces, until it says `false`. A line that fills a whole piece is
/// left out with what follows of it.
pub(super) fn each_line(
    mut file: impl Read,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    buffer.resize(PIECE_BYTES, 0);
    let mut kept = 0;
    let mut is_torn = false;
    loop {
        let count = match file.read(buffer.get_mut(kept..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        let end = kept + count;
        let mut rest = buffer.get(..end).unwrap_or_default();
        loop {
            let before = rest;
            let length = rest.skip_until(b'\n')?;
            let line = before.get(..length).unwrap_or_default();
            let is_whole = line.ends_with(b"\n");
            if !is_whole && (count > 0 || line.is_empty()) {
                rest = before;
                break;
            }
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if !std::mem::take(&mut is_torn) && !each(line) {
                return Ok(());
            }
        }
        if count == 0 {
            return Ok(());
        }
        let start = end - rest.len();
        kept = end - start;
        buffer.copy_within(start..end, 0);
        if kept == buffer.len() {
            kept = 0;
            is_torn = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(files: &[(&str, &str)]) -> (tempfile::TempDir, Target) {
        let place = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        (place, target)
    }

    fn found(target: &Target, paths: &[&str]) -> Vec<String> {
        let owners = owners(target, paths.iter().copied());
        paths.iter().map(|path| owners.of(path).join(" ")).collect()
    }

    const STATUS: &str = "Package: web\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n\
        Package: web\nStatus: install ok installed\nVersion: 1\nArchitecture: i386\nMulti-Arch: same\n\n\
        Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n\n\
        Package: guard\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n\
        Package: libweb\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";

    #[test]
    fn a_file_came_with_the_package_whose_list_has_it() {
        let (place, target) = target(&[
            ("var/lib/dpkg/status", STATUS),
            (
                "var/lib/dpkg/info/web.list",
                "/.\n/usr\n/usr/sbin\n/usr/sbin/webd\n/lib/systemd/system/web.service\n",
            ),
            ("var/lib/dpkg/info/web:i386.list", "/usr/lib/i386/web\n"),
            ("var/lib/dpkg/info/gone.list", "/etc/init.d/gone\n"),
            ("var/lib/dpkg/info/guard.list", "/sbin/reboot"),
            ("var/lib/dpkg/info/web.md5sums", "0  usr/sbin/other\n"),
            (
                "var/lib/dpkg/info/libweb.list",
                &format!("/usr\n{}/usr/lib/web/run\n", "/usr/share/x\n".repeat(9000)),
            ),
        ]);
        std::os::unix::fs::symlink("usr/lib", place.path().join("lib")).unwrap();
        let (amd64, i386, guard) = (
            "host/package/dpkg/web/amd64",
            "host/package/dpkg/web/i386",
            "host/package/dpkg/guard/all",
        );
        for (path, expected) in [
            ("/usr/sbin/webd", amd64),
            ("/sbin/webd", amd64),
            ("/usr/lib/systemd/system/web.service", amd64),
            ("/lib/systemd/system/web.service", amd64),
            ("/usr/lib/i386/web", i386),
            ("/usr/sbin/reboot", guard),
            ("/etc/init.d/gone", ""),
            ("/usr/sbin/other", ""),
            ("/usr/lib/web/run", "host/package/dpkg/libweb/all"),
            ("/usr/local/bin/web", ""),
            ("/home/a/web", ""),
        ] {
            assert_eq!(found(&target, &[path]), [expected], "{path}");
        }
    }

    #[test]
    fn a_diverted_file_is_the_one_that_took_its_place() {
        let (_place, target) = target(&[
            ("var/lib/dpkg/status", STATUS),
            ("var/lib/dpkg/info/web.list", "/sbin/reboot\n/sbin/halt\n"),
            ("var/lib/dpkg/info/guard.list", "/sbin/reboot\n"),
            (
                "var/lib/dpkg/diversions",
                "/sbin/reboot\n/sbin/reboot.real\nguard\n/sbin/halt\n/sbin/halt.real\n:\n",
            ),
        ]);
        assert_eq!(
            found(&target, &["/sbin/reboot", "/sbin/reboot.real", "/sbin/halt", "/sbin/halt.real"]),
            [
                "host/package/dpkg/guard/all",
                "host/package/dpkg/web/amd64",
                "",
                "host/package/dpkg/web/amd64"
            ]
        );
    }

    #[test]
    fn what_is_installed_later_is_found_then() {
        let (place, target) = target(&[
            ("var/lib/dpkg/status", "Package: a\nVersion: 1\n\n"),
            ("var/lib/dpkg/info/web.list", "/usr/sbin/webd\n"),
        ]);
        assert_eq!(found(&target, &["/usr/sbin/webd"]), [""]);
        std::fs::write(place.path().join("var/lib/dpkg/status"), STATUS).unwrap();
        assert_eq!(found(&target, &["/usr/sbin/webd"]), ["host/package/dpkg/web/amd64"]);
    }

    #[test]
    fn the_lists_of_apk_and_pacman_are_searched_too() {
        let (_place, apk) = target(&[(
            "lib/apk/db/installed",
            "P:other\nV:1\nA:x86_64\nF:usr/sbin\nR:other\n\nP:web\nV:1\nA:x86_64\nF:usr\nF:usr/sbin\nR:webd\na:0:0:755\nF:etc/init.d\nR:web\n\n",
        )]);
        assert_eq!(
            found(&apk, &["/usr/sbin/webd", "/etc/init.d/web", "/usr/bin/webd"]),
            ["host/package/apk/web/x86_64", "host/package/apk/web/x86_64", ""]
        );
        let (_place, pacman) = target(&[
            ("var/lib/pacman/local/web-1-1/desc", "%NAME%\nweb\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n"),
            ("var/lib/pacman/local/web-1-1/files", "%FILES%\nusr/\nusr/bin/\nusr/bin/webd\n"),
        ]);
        assert_eq!(found(&pacman, &["/usr/bin/webd"]), ["host/package/pacman/web/any"]);
    }

    #[test]
    fn lines_are_whole_wherever_a_piece_ends() {
        let text: String = (0..20_000).map(|index| format!("/usr/share/{index}\n")).collect();
        let long = format!("first\n{}\nlast", "x".repeat(3 * PIECE_BYTES));
        let read = |text: &str| {
            let mut lines = Vec::new();
            each_line(text.as_bytes(), &mut Vec::new(), |line| {
                lines.push(String::from_utf8(line.to_vec()).unwrap());
                true
            })
            .unwrap();
            lines
        };
        assert_eq!(read(&text), text.lines().collect::<Vec<_>>());
        assert_eq!(read(&long), ["first", "last"]);
        for short in ["a\n\nb", "a\n", "\n", "", "a"] {
            assert_eq!(read(short), short.lines().collect::<Vec<_>>());
            assert!(lines(short.as_bytes()).eq(short.lines().map(str::as_bytes)), "{short:?}");
        }
    }

    proptest! {
        #[test]
        fn any_lines_are_searched_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let search = Search::new(true, &["/usr/bin/x", "/bin/ls"]);
            each_line(&bytes[..], &mut Vec::new(), |line| {
                search.wanted(line);
                true
            })
            .unwrap();
        }
    }
}
