//! The scope `packages.dpkg`: dpkg's status file, or the folder of them that minimal images have.

use super::super::directory::Directory;
use super::owners::{Search, each_line, lines};
use super::purl::Distribution;
use super::stanza::{self, each_stanza};
use super::{PACKAGES_MAX, Package};
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use model::run::CoverageReason;
use model::{Coverage, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const STATUS: &str = "/var/lib/dpkg/status";
/// Where images without dpkg itself note their packages, a file for each.
const STATUS_FOLDER: &str = "/var/lib/dpkg/status.d";
/// Where dpkg keeps the list of each package's files; it is written at installation.
const INFO_FOLDER: &str = "/var/lib/dpkg/info";
/// Which files of which packages were put aside to make room for another's.
const DIVERSIONS: &str = "/var/lib/dpkg/diversions";

/// Lists that are larger are searched last: they are of documents and parts of languages, rarely of programs.
const LIST_BYTES_USUAL: usize = 64 * 1024;

/// How the names of packages begin that rarely have programs or services.
const UNLIKELY: [&str; 9] =
    ["lib", "python3-", "fonts-", "golang-", "node-", "ruby-", "gir1.2-", "linux-", "r-cran-"];

/// The most diversions that are looked at; a host with many has dozens.
const DIVERSIONS_MAX: usize = 4096;

/// States in which a package is there, whole and set up. While a trigger waits, another package is being installed.
const INSTALLED: [&[u8]; 3] = [b" installed", b" triggers-awaited", b" triggers-pending"];

/// The guard of the scope.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    guard.path(&target.path(STATUS));
    guard.directory(target, &target.path(STATUS_FOLDER));
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let distribution = Distribution::read(target);
    let info = target.path(INFO_FOLDER);
    let mut count = 0;
    let mut saw = |stanza: &[u8]| {
        if let Some((mut package, list)) = parse(stanza, &distribution)
            && count < PACKAGES_MAX
        {
            count += 1;
            package.installed_at = modified_at(&target.below(&info, &list));
            run.saw(package.into_observation());
        }
    };
    let is_cut = match files::open_regular(&target.path(STATUS)) {
        Ok(file) => each_stanza(file, &mut saw),
        Err(error) => {
            let folder = target.path(STATUS_FOLDER);
            let Ok(names) = files::list_dir(&folder) else {
                return super::refused("dpkg", STATUS, &error);
            };
            // Checksums lie beside the stanzas.
            for name in names.iter().filter(|name| !name.ends_with(".md5sums")) {
                if let Ok(bytes) = files::read_limited(&target.below(&folder, name), 1 << 20) {
                    saw(&bytes);
                }
            }
            Ok(false)
        }
    };
    match is_cut {
        Ok(false) if count < PACKAGES_MAX => Coverage::complete(),
        Ok(_) => Coverage::partial(
            CoverageReason::LimitReached,
            format!(
                "more than {PACKAGES_MAX} packages, or an entry of more than 1 MiB in {STATUS}"
            ),
        ),
        Err(error) => Coverage::partial(CoverageReason::Unreachable, format!("{STATUS}: {error}")),
    }
}

/// Parses a stanza of the status file (deb-control(5)); `None` when the package is not installed. Beside it the
/// name under which dpkg lists its files.
fn parse(stanza: &[u8], distribution: &Distribution) -> Option<(Package, String)> {
    let mut package =
        Package { manager: "dpkg".into(), is_held: Some(false), ..Package::default() };
    let (mut is_installed, mut is_same) = (None, false);
    let mut source = None;
    for (name, value) in stanza::fields(stanza) {
        match name {
            b"Package" => package.name = stanza::text(value),
            b"Version" => package.version = stanza::text(value),
            b"Architecture" => package.architecture = stanza::text(value),
            b"Status" => {
                // Desired action, error flag, state: `install ok installed`.
                is_installed = Some(INSTALLED.iter().any(|state| value.ends_with(state)));
                package.is_held = Some(value.starts_with(b"hold "));
            }
            b"Source" => source = Some(stanza::text(value)),
            b"Maintainer" => package.maintainer = Some(stanza::text(value)),
            b"Section" => package.section = Some(stanza::text(value)),
            b"Description" => package.summary = Some(stanza::text(value)),
            b"Multi-Arch" => is_same = value == b"same",
            b"Installed-Size" => {
                let kib: Option<u64> =
                    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                package.installed_bytes = kib.map(|kib| kib.saturating_mul(1024));
            }
            _ => {}
        }
    }
    // Minimal images write no status: what they list is there.
    if !is_installed.unwrap_or(true) || package.name.is_empty() || package.version.is_empty() {
        return None;
    }
    // `Source: glibc (2.36-9)` names the version when it differs.
    let source = source.map(|text| text.split(" (").next().unwrap_or_default().to_owned());
    package.source = source.or_else(|| Some(package.name.clone()));
    let list = if is_same {
        format!("{}:{}.list", package.name, package.architecture)
    } else {
        format!("{}.list", package.name)
    };
    package.purl =
        Some(distribution.purl("deb", &package.name, &package.version, &package.architecture));
    Some((package, list))
}

/// The wanted files of lists, by the names of the lists.
type Lists = BTreeMap<String, Vec<Vec<u8>>>;

/// Finds which packages files came with.
///
/// A host has a thousand lists and more, nearly all of them small: one call opens and one reads such a list.
pub(super) fn find_owners(target: &Target, search: &mut Search) {
    let Ok(info) = Directory::open(target, INFO_FOLDER) else { return };
    let mut names: Vec<String> = Vec::new();
    let listed = info.names(|name| {
        if name.ends_with(b".list") {
            names.extend(std::str::from_utf8(name).map(str::to_owned));
        }
        names.len() < PACKAGES_MAX
    });
    // What was listed until an error counts.
    drop(listed);
    let diversions = Diversions::read(target, search);
    let mut lists = Lists::new();
    // Folders stand in many lists, so that what is found is counted once.
    let mut distinct = BTreeSet::new();
    let mut add = |name: String, found: Vec<Vec<u8>>| {
        distinct.extend(found.iter().cloned());
        if !found.is_empty() {
            lists.insert(name, found);
        }
        // A file is in one list only, but for the few that are diverted.
        distinct.len() >= search.len()
    };
    // A stable sort: those that may well have programs come first, and often nothing is left for the rest.
    names.sort_by_key(|name| UNLIKELY.iter().any(|start| name.starts_with(start)));
    let mut start = vec![0; LIST_BYTES_USUAL];
    let mut later = Vec::new();
    for name in names {
        let Ok(length) = info.read_start(&name, &mut start) else { continue };
        if length == start.len() {
            later.push(name);
            continue;
        }
        let mut found = Vec::new();
        let text = start.get(..length).unwrap_or_default();
        lines(text).for_each(|line| diversions.see(line, &name, search, &mut found));
        if add(name, found) {
            later.clear();
            break;
        }
    }
    for name in later {
        let Ok(file) = info.open_file(&name) else { continue };
        let mut found = Vec::new();
        // What was read until an error counts.
        drop(each_line(file, &mut start, |line| {
            diversions.see(line, &name, search, &mut found);
            true
        }));
        if add(name, found) {
            break;
        }
    }
    name_packages(target, search, &lists);
}

/// Gives the wanted files of lists to the packages of these lists, as far as they are installed.
fn name_packages(target: &Target, search: &mut Search, lists: &Lists) {
    let names: BTreeSet<&[u8]> = lists.keys().map(|list| package_of(list).as_bytes()).collect();
    let Ok(file) = files::open_regular(&target.path(STATUS)) else { return };
    let distribution = Distribution::default();
    let read = each_stanza(file, |stanza| {
        let first = stanza.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // The name stands first; where it does not, the whole stanza is looked at.
        let name = first.strip_prefix(b"Package: ");
        if name.is_some_and(|name| !names.contains(name.trim_ascii())) {
            return;
        }
        if let Some((package, list)) = parse(stanza, &distribution) {
            let key = package.native_key();
            for name in lists.get(&list).into_iter().flatten() {
                search.found(name, &key);
            }
        }
    });
    // What was read until an error counts; the scope itself says what is wrong with the file.
    drop(read);
}

/// The package of a list: `libc6` of `libc6:amd64.list`.
fn package_of(list: &str) -> &str {
    let name = list.strip_suffix(".list").unwrap_or(list);
    name.split(':').next().unwrap_or(name)
}

/// The files that were put aside (dpkg-divert(1)), as far as they are wanted.
#[derive(Debug, Default)]
struct Diversions(BTreeMap<Vec<u8>, (Vec<u8>, String)>);

impl Diversions {
    /// Reads the diversions. A file that gave way under another name is found under its own.
    fn read(target: &Target, search: &mut Search) -> Self {
        let mut diversions = Self::default();
        let text = files::read_to_string_limited(&target.path(DIVERSIONS), 1 << 20);
        let text = text.unwrap_or_default();
        let mut lines = text.lines();
        while let (Some(from), Some(to), Some(package)) = (lines.next(), lines.next(), lines.next())
        {
            let is_wanted = [from, to].iter().any(|path| search.wanted(path.as_bytes()).is_some());
            if is_wanted && diversions.0.len() < DIVERSIONS_MAX {
                let name = search.name(from.as_bytes()).to_vec();
                let aside = search.name(to.as_bytes()).to_vec();
                diversions.0.insert(name, (aside, package.to_owned()));
            }
        }
        for from in diversions.0.keys() {
            search.want(from);
        }
        diversions
    }

    /// Notes a line of a list when it names a wanted file.
    fn see(&self, line: &[u8], list: &str, search: &Search, found: &mut Vec<Vec<u8>>) {
        if let Some(name) = search.wanted(line) {
            found.push(match self.0.get(name) {
                Some((aside, by)) if by != package_of(list) => aside.clone(),
                _ => name.to_owned(),
            });
        }
    }
}

fn modified_at(list: &Path) -> Option<Timestamp> {
    let modified = std::fs::metadata(list).ok()?.modified().ok()?;
    Some(Timestamp::from(modified))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GLIBC: &str = "Package: libc6\nStatus: install ok installed\nPriority: optional\nSection: libs\n\
        Installed-Size: 12985\nMaintainer: GNU Libc Maintainers <debian-glibc@example.org>\nArchitecture: amd64\n\
        Multi-Arch: same\nSource: glibc (2.36-9)\nVersion: 2.36-9+deb12u10\n\
        Description: GNU C Library: Shared libraries\n Contains the standard libraries.\n";

    #[test]
    fn an_installed_package_is_read() {
        let (package, list) = parse(GLIBC.as_bytes(), &Distribution::default()).unwrap();
        assert_eq!(package.name, "libc6");
        assert_eq!(package.source.as_deref(), Some("glibc"));
        assert_eq!(package.installed_bytes, Some(12985 * 1024));
        assert_eq!(package.summary.as_deref(), Some("GNU C Library: Shared libraries"));
        assert_eq!(list, "libc6:amd64.list");
        assert_eq!(package.purl.as_deref(), Some("pkg:deb/libc6@2.36-9%2Bdeb12u10?arch=amd64"));
    }

    #[test]
    fn what_was_removed_is_no_package() {
        for state in
            ["deinstall ok config-files", "install ok half-installed", "purge ok not-installed"]
        {
            let text = GLIBC.replace("install ok installed", state);
            assert_eq!(parse(text.as_bytes(), &Distribution::default()), None, "{state}");
        }
        let waiting = GLIBC.replace("ok installed", "ok triggers-pending");
        assert!(parse(waiting.as_bytes(), &Distribution::default()).is_some());
        let held = GLIBC.replace("install ok installed", "hold ok installed");
        assert_eq!(parse(held.as_bytes(), &Distribution::default()).unwrap().0.is_held, Some(true));
    }

    proptest! {
        #[test]
        fn any_stanza_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            parse(&bytes, &Distribution::default());
        }
    }
}
