//! Finding unit files, their drop-ins, their other names and what is enabled, as systemd does it (systemd.unit(5)).
//!
//! Invariant: a name stands in `files` once, with the file of the first folder of [`LOAD_PATH`] that has it.

use super::definition::{Definition, FILE_BYTES_MAX};
use crate::files;
use collector::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The folders of the system's units; the first one that has a name wins.
pub(super) const LOAD_PATH: [&str; 9] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Folders that come behind those: the old place where it is no link to the new one, and generated fall-backs.
const LOAD_PATH_LATE: [&str; 2] = ["/lib/systemd/system", "/run/systemd/generator.late"];

/// Folders whose links an administrator made for good.
const PERSISTENT: &str = "/etc/systemd/system";

/// The most unit files that are looked at.
const FILES_MAX: usize = 20_000;

/// How far aliases of aliases are followed.
const ALIAS_DEPTH_MAX: usize = 8;

/// One unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitFile {
    /// Its path on the target.
    pub(super) path: String,
    /// The name that a link gives another name to.
    pub(super) alias_of: Option<String>,
    /// Whether it is a link to nothing, or empty, so that the unit cannot start.
    pub(super) is_masked: bool,
    /// Whether it is a link to a file outside of the folders.
    is_linked: bool,
    folder: &'static str,
}

/// A link that lets one unit want another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Want {
    folder: &'static str,
    from: String,
    name: String,
    to: String,
}

/// Everything that the folders hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) files: BTreeMap<String, UnitFile>,
    wants: Vec<Want>,
    /// Links that give a unit another name, in every folder: folder, name, target.
    alias_links: Vec<(&'static str, String, String)>,
    /// Drop-in files by folder name (`web.service.d`) and file name.
    drop_ins: BTreeMap<String, BTreeMap<String, String>>,
}

/// The type of a unit: what stands behind the last dot.
pub(super) fn type_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, kind)| kind)
}

/// Whether a folder holds links by which one unit wants others.
pub(super) fn is_link_folder(name: &str) -> bool {
    name.ends_with(".wants") || name.ends_with(".requires") || name.ends_with(".upholds")
}

/// The template of an instance: `getty@tty1.service` is one of `getty@.service`.
fn template_of(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, kind) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{kind}"))
}

impl Search {
    /// Reads the folders.
    pub(super) fn read(target: &Target) -> Self {
        let mut search = Self::default();
        let is_merged =
            std::fs::symlink_metadata(target.link_path("/lib")).is_ok_and(|m| m.is_symlink());
        for folder in LOAD_PATH.into_iter().chain(LOAD_PATH_LATE) {
            if is_merged && folder.starts_with("/lib") {
                continue;
            }
            search.read_folder(target, folder);
        }
        search
    }

    fn read_folder(&mut self, target: &Target, folder: &'static str) {
        let path = target.path(folder);
        for name in files::list_dir(&path).unwrap_or_default() {
            let place = path.join(&name);
            if is_link_folder(&name) {
                self.read_wants(&target.below(&path, &name), folder, &name);
            } else if name.ends_with(".d") {
                self.read_drop_ins(&target.below(&path, &name), folder, name);
            } else if super::TYPES.contains(&type_of(&name)) && self.files.len() < FILES_MAX {
                self.read_file(&place, folder, name);
            }
        }
    }

    fn read_file(&mut self, place: &Path, folder: &'static str, name: String) {
        let Ok(metadata) = std::fs::symlink_metadata(place) else { return };
        let mut file = UnitFile {
            path: format!("{folder}/{name}"),
            alias_of: None,
            is_masked: metadata.is_file() && metadata.len() == 0,
            is_linked: false,
            folder,
        };
        if metadata.is_symlink() {
            let Ok(to) = std::fs::read_link(place) else { return };
            let base = to.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if to == Path::new("/dev/null") {
                file.is_masked = true;
            } else if base != name {
                self.alias_links.push((folder, name.clone(), base.to_owned()));
                file.alias_of = Some(base.to_owned());
            } else {
                file.is_linked =
                    !LOAD_PATH.iter().chain(&LOAD_PATH_LATE).any(|of| to.starts_with(of));
            }
        } else if !metadata.is_file() {
            return;
        }
        self.files.entry(name).or_insert(file);
    }

    fn read_wants(&mut self, place: &Path, folder: &'static str, name: &str) {
        let Some((from, _)) = name.rsplit_once('.') else { return };
        for link in files::list_dir(place).unwrap_or_default() {
            if self.wants.len() >= FILES_MAX {
                return;
            }
            let to = files::link_name(&place.join(&link)).unwrap_or_else(|| link.clone());
            self.wants.push(Want { folder, from: from.to_owned(), name: link, to });
        }
    }

    fn read_drop_ins(&mut self, place: &Path, folder: &str, name: String) {
        for file in files::list_dir(place).unwrap_or_default() {
            if file.ends_with(".conf") && self.drop_ins.len() < FILES_MAX {
                let path = format!("{folder}/{name}/{file}");
                self.drop_ins.entry(name.clone()).or_default().entry(file).or_insert(path);
            }
        }
    }

    /// The name behind other names.
    pub(super) fn canonical<'a>(&'a self, name: &'a str) -> &'a str {
        let mut name = name;
        for _ in 0..ALIAS_DEPTH_MAX {
            match self.files.get(name).and_then(|file| file.alias_of.as_deref()) {
                Some(other) => name = other,
                None => break,
            }
        }
        name
    }

    /// The file that defines a unit: its own or its template's.
    pub(super) fn resolve(&self, name: &str) -> Option<&UnitFile> {
        let name = self.canonical(name);
        match self.files.get(name) {
            Some(file) => Some(file),
            None => self.files.get(self.canonical(&template_of(name)?)),
        }
    }

    /// Instances of templates that some unit wants.
    pub(super) fn linked_instances(&self) -> impl Iterator<Item = &String> {
        self.wants
            .iter()
            .map(|want| &want.name)
            .filter(|name| template_of(name).is_some() && self.resolve(name).is_some())
    }

    /// Which units want which others by links.
    pub(super) fn dependencies(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let mut dependencies: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for want in &self.wants {
            dependencies.entry(self.canonical(&want.from)).or_default().insert(want.name.clone());
        }
        dependencies
    }

    /// Other names of a unit.
    pub(super) fn aliases(&self, name: &str) -> Vec<String> {
        let aliases = self.files.iter().filter(|(_, file)| file.alias_of.is_some());
        aliases
            .filter(|(alias, _)| self.canonical(alias) == name)
            .map(|(alias, _)| alias.clone())
            .collect()
    }

    /// The drop-ins of a unit, in the order in which they apply.
    pub(super) fn drop_ins(&self, name: &str) -> Vec<String> {
        let kind = type_of(name);
        let mut folders = vec![format!("{kind}.d")];
        let whole = name.strip_suffix(kind).unwrap_or(name).trim_end_matches('.');
        // `a-b-c.service` has `a-.service.d` and `a-b-.service.d`.
        let dashes = whole.match_indices('-').take(ALIAS_DEPTH_MAX);
        folders.extend(
            dashes.filter_map(|(place, _)| Some(format!("{}.{kind}.d", whole.get(..=place)?))),
        );
        folders.extend(template_of(name).map(|template| format!("{template}.d")));
        folders.push(format!("{name}.d"));
        // The more special folder wins over a file of the same name in a more general one.
        let mut files: BTreeMap<&str, &str> = BTreeMap::new();
        for folder in &folders {
            for (file, path) in self.drop_ins.get(folder).into_iter().flatten() {
                files.insert(file, path);
            }
        }
        files.into_values().map(str::to_owned).collect()
    }

    /// Reads a unit's file and its drop-ins.
    pub(super) fn definition(&self, target: &Target, name: &str, file: &UnitFile) -> Definition {
        let mut definition = Definition::default();
        if file.is_masked {
            return definition;
        }
        let paths = std::iter::once(file.path.clone()).chain(self.drop_ins(name));
        for path in paths {
            if let Ok(text) = files::read_to_string_limited(&target.path(&path), FILE_BYTES_MAX) {
                definition.add(&text);
            }
        }
        definition.expand(name);
        definition
    }

    /// What `systemctl is-enabled` says of a unit.
    pub(super) fn enabled_state(
        &self,
        name: &str,
        file: &UnitFile,
        definition: &Definition,
    ) -> &'static str {
        let is_runtime = file.folder.starts_with("/run");
        if file.is_masked {
            return if is_runtime { "masked-runtime" } else { "masked" };
        }
        if file.folder.starts_with("/run/systemd/generator") {
            return "generated";
        }
        if file.folder == "/run/systemd/transient" {
            return "transient";
        }
        let folders: BTreeSet<&str> = self.folders_with_links(name).collect();
        if folders.contains(PERSISTENT) {
            return "enabled";
        }
        if folders.iter().any(|folder| folder.starts_with("/run")) {
            return "enabled-runtime";
        }
        let is_instance = template_of(name).is_some();
        if is_instance && !folders.is_empty() {
            return "static";
        }
        if file.is_linked {
            return if is_runtime { "linked-runtime" } else { "linked" };
        }
        match (definition.has_install_rules, definition.has_also) {
            (true, _) => "disabled",
            (false, true) => "indirect",
            (false, false) => "static",
        }
    }

    /// The folders in which a link makes others want the unit or gives it another name.
    fn folders_with_links<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'static str> + 'a {
        let wants = self.wants.iter().filter(move |want| {
            want.name == name
                || want.to == name
                || template_of(&want.name).is_some_and(|template| template == name)
        });
        let aliases = self.alias_links.iter().filter(move |(_, _, to)| to == name);
        wants.map(|want| want.folder).chain(aliases.map(|(folder, _, _)| *folder))
    }
}
