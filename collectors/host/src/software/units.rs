//! The scope `units`: the units of systemd, and the services of OpenRC and System V where those are.
//!
//! Definitions and what is enabled come from the unit files, in systemd's own order of precedence. What runs comes
//! from systemd over its socket; where that does not answer, a control group with processes in it shows a running
//! service, and the state of the others stays open.
//!
//! Deliberately not here: units of users, devices and sessions (a scope for each login would only make history).

mod bus;
mod definition;
mod initd;
mod search;
mod wire;

use super::packages::Owners;
use crate::files::{self, StatGuard};
use collector::{Guard, Run, Target};
use definition::Definition;
use model::classes::service_unit;
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, relationships};
use search::{Search, UnitFile};
use std::collections::{BTreeMap, BTreeSet};

const SYSTEMD: &str = "systemd";

/// Types of units that are described.
const TYPES: &[&str] =
    &["service", "socket", "timer", "mount", "automount", "swap", "target", "path", "slice"];

/// The most units of a host that are described; a host with 2,000 containers and mounts stays below it.
const UNITS_MAX: usize = 20_000;

/// Where the control groups of services lie: with one hierarchy, with the mixed one, with the old one.
const CGROUP_FOLDERS: [&str; 3] = [
    "/sys/fs/cgroup/system.slice",
    "/sys/fs/cgroup/unified/system.slice",
    "/sys/fs/cgroup/systemd/system.slice",
];

/// What is known of how a unit runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    description: String,
    load: String,
    active: String,
    sub: String,
}

/// The guard of the scope.
///
/// Files of packages change only with packages, so their folders and the package database tell; of what
/// administrators write each file tells, and of what runs the names of control groups and of started units.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    for folder in search::LOAD_PATH {
        if folder.starts_with("/usr") || folder.starts_with("/lib") {
            guard.path(&target.path(folder));
            continue;
        }
        let path = target.path(folder);
        guard.directory(target, &path);
        for name in files::list_dir(&path).unwrap_or_default() {
            if search::is_link_folder(&name) || name.ends_with(".d") {
                guard.directory(target, &target.below(&path, &name));
            }
        }
    }
    guard.number(super::packages::owners_guard(target).0);
    initd::add_to_guard(target, &mut guard);
    if target.is_live() {
        guard.path(&target.path("/run/systemd/units"));
        for folder in CGROUP_FOLDERS {
            guard.names(&target.path(folder));
        }
    }
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let search = Search::read(target);
    let services = initd::read(target, &search);
    if search.files.is_empty() && services.is_empty() {
        return Coverage::not_present("the target has neither systemd nor another service manager");
    }
    let (states, problem) = states(target, &search);
    let names = unit_names(&search, &states);
    let mut dependencies = search.dependencies();
    let scripts = services.iter().map(initd::Service::path);
    let of_units = search.files.values().map(|file| file.path.clone());
    let paths: Vec<String> = of_units.chain(scripts).collect();
    let owners = super::packages::owners(target, paths.iter().map(String::as_str));
    let known = Known { target, search: &search, states: &states, names: &names, owners: &owners };
    for name in names.iter().take(UNITS_MAX) {
        let wanted = dependencies.remove(name.as_str()).unwrap_or_default();
        if let Some(seen) = known.observe(name, &wanted) {
            run.saw(seen);
        }
    }
    for service in &services {
        run.saw(installed_by(service.observe(), &owners, &service.path()));
    }
    if names.len() > UNITS_MAX {
        return Coverage::partial(
            CoverageReason::LimitReached,
            format!("more than {UNITS_MAX} units"),
        );
    }
    match problem {
        Some((reason, detail)) => Coverage::partial(reason, detail),
        None => Coverage::complete(),
    }
}

/// A timer, for the scope `jobs`.
pub(super) struct TimerUnit {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) triggers: Vec<String>,
    pub(super) is_enabled: bool,
}

/// The timers that a target has.
pub(super) fn timers(target: &Target) -> Vec<TimerUnit> {
    let search = Search::read(target);
    let files = search.files.iter();
    // A template is no timer yet.
    files
        .filter(|(name, file)| {
            name.ends_with(".timer") && file.alias_of.is_none() && !name.contains("@.")
        })
        .map(|(name, file)| {
            let definition = search.definition(target, name, file);
            let state = search.enabled_state(name, file, &definition);
            TimerUnit {
                name: name.clone(),
                path: file.path.clone(),
                triggers: definition.triggers,
                is_enabled: !file.is_masked && state != "disabled",
            }
        })
        .collect()
}

type States = BTreeMap<String, State>;
type Problem = Option<(CoverageReason, String)>;

/// How the units run, and what kept us from seeing it.
fn states(target: &Target, search: &Search) -> (States, Problem) {
    let is_running = std::fs::metadata(target.path("/run/systemd/system")).is_ok();
    if !target.is_live() || !is_running {
        return (States::new(), None);
    }
    match bus::list_units() {
        Ok(units) => (units.into_iter().map(|unit| (unit.name, unit.state)).collect(), None),
        Err(error) => {
            let running = running_by_cgroup(target, search);
            let reason = match error.kind() {
                std::io::ErrorKind::PermissionDenied => CoverageReason::PermissionDenied,
                std::io::ErrorKind::InvalidData => CoverageReason::Malformed,
                _ => CoverageReason::Unreachable,
            };
            (
                running,
                Some((
                    reason,
                    format!(
                        "systemd did not tell the states of its units ({error}); services with processes are shown as running"
                    ),
                )),
            )
        }
    }
}

/// Services that have a control group with processes in it.
fn running_by_cgroup(target: &Target, search: &Search) -> States {
    let mut states = States::new();
    for folder in CGROUP_FOLDERS {
        let folder = target.path(folder);
        for name in files::list_dir(&folder).unwrap_or_default() {
            let unit = name.strip_prefix('_').unwrap_or(&name);
            if !unit.ends_with(".service") || search.resolve(unit).is_none() {
                continue;
            }
            let events = files::read_trimmed(&folder.join(&name).join("cgroup.events"));
            let is_populated = match events {
                Some(events) => events.contains("populated 1"),
                None => files::read_trimmed(&folder.join(&name).join("cgroup.procs")).is_some(),
            };
            if is_populated {
                let state = State {
                    active: "active".into(),
                    sub: "running".into(),
                    load: "loaded".into(),
                    ..State::default()
                };
                states.insert(unit.to_owned(), state);
            }
        }
    }
    states
}

/// The units that are described: those with a file of their own, those that are linked, those that are loaded.
fn unit_names(search: &Search, states: &States) -> BTreeSet<String> {
    let loaded = states
        .iter()
        .filter(|(_, state)| state.load != "not-found" || state.active != "inactive")
        .map(|(name, _)| name);
    search
        .files
        .iter()
        .filter(|(_, file)| file.alias_of.is_none())
        .map(|(name, _)| name)
        .chain(search.linked_instances())
        .chain(loaded)
        .filter(|name| TYPES.contains(&search::type_of(name)))
        .cloned()
        .collect()
}

/// Everything that an observation of a unit is made from.
struct Known<'a> {
    target: &'a Target,
    search: &'a Search,
    states: &'a States,
    names: &'a BTreeSet<String>,
    owners: &'a Owners,
}

/// Adds the packages that a unit's file came with.
fn installed_by(mut seen: Observation, owners: &Owners, path: &str) -> Observation {
    for package in owners.of(path) {
        seen.relate(relationships::INSTALLED_BY, RelationTarget::Native(package.clone()));
    }
    seen
}

impl Known<'_> {
    fn observe(&self, name: &str, wanted: &BTreeSet<String>) -> Option<Observation> {
        let file = self.search.resolve(name);
        let state = self.states.get(name);
        if file.is_none() && state.is_none() {
            return None;
        }
        let mut seen = Observation::part(&service_unit::CLASS, crate::HOST, &[SYSTEMD, name])
            .with(&service_unit::UNIT_TYPE, search::type_of(name));
        let mut definition = Definition::default();
        if let Some(file) = file {
            definition = self.search.definition(self.target, name, file);
            seen = with_file(seen, self.search, name, file, &definition);
            seen = installed_by(seen, self.owners, &file.path);
        }
        if let Some(state) = state {
            seen = with_state(seen, state);
        }
        let stated = definition.requires.iter().chain(wanted);
        for other in stated.map(|other| self.search.canonical(other)) {
            if other != name && self.names.contains(other) {
                let key = part_key(&service_unit::CLASS, crate::HOST, &[SYSTEMD, other]);
                seen.relate(relationships::REQUIRES, RelationTarget::Native(key));
            }
        }
        Some(seen)
    }
}

fn with_state(seen: Observation, state: &State) -> Observation {
    let description = (!state.description.is_empty()).then_some(&*state.description);
    seen.with(&service_unit::ACTIVE_STATE, &*state.active)
        .with(&service_unit::SUB_STATE, &*state.sub)
        .with(&service_unit::LOAD_STATE, &*state.load)
        .with_some(&service_unit::DESCRIPTION, description)
}

fn with_file(
    seen: Observation,
    search: &Search,
    name: &str,
    file: &UnitFile,
    definition: &Definition,
) -> Observation {
    let mut seen = seen
        .with(&service_unit::ENABLED_STATE, search.enabled_state(name, file, definition))
        .with(&service_unit::FRAGMENT_PATH, &*file.path);
    if file.is_masked {
        seen.set(&service_unit::LOAD_STATE, "masked");
        return seen;
    }
    let command = (!definition.commands.is_empty()).then(|| definition.commands.join("; "));
    seen = seen
        .with_some(&service_unit::DESCRIPTION, definition.description.clone())
        .with_some(&service_unit::COMMAND, command.map(|command| crate::redact::redact(&command)))
        .with_some(&service_unit::RESTART_POLICY, definition.restart.clone());
    if search::type_of(name) == "service" {
        seen.set(
            &service_unit::RUN_AS,
            definition.user.clone().unwrap_or_else(|| "root".to_owned()),
        );
    }
    for (attribute, values) in [
        (&service_unit::DROP_IN_PATHS, search.drop_ins(name)),
        (&service_unit::ALIASES, search.aliases(name)),
        (&service_unit::TRIGGERS, definition.triggers.clone()),
    ] {
        if !values.is_empty() {
            seen.set(attribute, values);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(files: &[(&str, &str)], links: &[(&str, &str)]) -> (tempfile::TempDir, Target) {
        let place = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (path, to) in links {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(to, path).unwrap();
        }
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        (place, target)
    }

    fn seen(target: &Target) -> BTreeMap<String, Observation> {
        let mut observations = Vec::new();
        collect(target, &mut Run::new(&mut observations));
        let name = |seen: &Observation| seen.facts["name"].as_text().unwrap().to_owned();
        observations.into_iter().map(|seen| (name(&seen), seen)).collect()
    }

    #[test]
    fn a_unit_is_told_with_its_drop_ins_its_links_and_what_it_needs() {
        let (_place, target) = target(
            &[
                (
                    "usr/lib/systemd/system/web.service",
                    "[Unit]\nDescription=Web\nRequires=db.service\n[Service]\nExecStart=/bin/web --password=hunter2\nUser=www\n[Install]\nWantedBy=multi-user.target\nAlias=httpd.service\n",
                ),
                (
                    "usr/lib/systemd/system/db.service",
                    "[Service]\nExecStart=/bin/db\n[Install]\nWantedBy=multi-user.target\n",
                ),
                ("usr/lib/systemd/system/multi-user.target", "[Unit]\nDescription=Multi\n"),
                (
                    "usr/lib/systemd/system/getty@.service",
                    "[Unit]\nDescription=Getty on %I\n[Service]\nExecStart=-/sbin/agetty %i\n[Install]\nWantedBy=multi-user.target\n",
                ),
                (
                    "etc/systemd/system/web.service.d/user.conf",
                    "[Service]\nUser=web\nExecStart=\nExecStart=/bin/web2\n",
                ),
            ],
            &[
                (
                    "etc/systemd/system/multi-user.target.wants/web.service",
                    "/lib/systemd/system/web.service",
                ),
                ("etc/systemd/system/httpd.service", "/lib/systemd/system/web.service"),
                (
                    "etc/systemd/system/multi-user.target.wants/getty@tty1.service",
                    "/lib/systemd/system/getty@.service",
                ),
                ("etc/systemd/system/old.service", "/dev/null"),
            ],
        );
        let seen = seen(&target);
        let text = |unit: &str, name: &str| {
            seen[unit].facts.get(name).map(model::Value::to_line).unwrap_or_default()
        };
        assert_eq!(text("web.service", "enabled_state"), "enabled");
        assert_eq!(text("web.service", "run_as"), "web");
        assert_eq!(text("web.service", "command"), "/bin/web2");
        assert_eq!(text("web.service", "aliases"), "httpd.service");
        assert_eq!(
            text("web.service", "drop_in_paths"),
            "/etc/systemd/system/web.service.d/user.conf"
        );
        assert_eq!(text("db.service", "enabled_state"), "disabled");
        assert_eq!(text("old.service", "enabled_state"), "masked");
        assert_eq!(text("multi-user.target", "enabled_state"), "static");
        assert_eq!(text("getty@tty1.service", "description"), "Getty on tty1");
        assert_eq!(text("getty@tty1.service", "command"), "-/sbin/agetty tty1");
        assert_eq!(text("getty@.service", "enabled_state"), "enabled");
        assert!(!seen.contains_key("httpd.service"));
        let needs = |unit: &str| seen[unit].relations.len();
        assert_eq!((needs("web.service"), needs("multi-user.target")), (1, 2));
        // Without the running system nothing is said about what runs.
        assert!(!seen["web.service"].facts.contains_key("active_state"));
    }

    #[test]
    fn a_host_without_a_service_manager_says_so() {
        let (_place, target) = target(&[], &[]);
        let mut observations = Vec::new();
        let coverage = collect(&target, &mut Run::new(&mut observations));
        assert_eq!(coverage.reason, CoverageReason::NotPresent);
    }
}
