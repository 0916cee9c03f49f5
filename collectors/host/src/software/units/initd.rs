//! Services of OpenRC and System V: scripts in `/etc/init.d` and the links that start them.
//!
//! A script whose name systemd has a unit for is that unit's; it is left out.

use super::search::Search;
use crate::files::{self, StatGuard};
use collector::Target;
use model::Observation;
use model::classes::service_unit;
use std::collections::BTreeSet;

const SCRIPTS: &str = "/etc/init.d";

/// The run levels in which services start by links, as Debian and Red Hat have them.
const LEVEL_FOLDERS: [&str; 8] = [
    "/etc/rc2.d",
    "/etc/rc3.d",
    "/etc/rc4.d",
    "/etc/rc5.d",
    "/etc/rc.d/rc2.d",
    "/etc/rc.d/rc3.d",
    "/etc/rc.d/rc4.d",
    "/etc/rc.d/rc5.d",
];

/// Where OpenRC keeps the links of its run levels, and those of what it started.
const RUNLEVELS: &str = "/etc/runlevels";
const STARTED: &str = "/run/openrc/started";

/// The head of a script that is read for its description.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// The most services that are described.
const SERVICES_MAX: usize = 2000;

/// Files in the folder of scripts that are none.
const NO_SERVICES: &[&str] = &["README", "rc", "rcS", "skeleton", "functions", "functions.sh"];

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    manager: &'static str,
    name: String,
    description: Option<String>,
    is_enabled: bool,
    is_active: Option<bool>,
}

/// Adds what the services are read from.
pub(super) fn add_to_guard(target: &Target, guard: &mut StatGuard) {
    for folder in LEVEL_FOLDERS.into_iter().chain([SCRIPTS, STARTED]) {
        guard.path(&target.path(folder));
    }
    guard.directory(target, &target.path(RUNLEVELS));
}

/// Reads the services.
pub(super) fn read(target: &Target, search: &Search) -> Vec<Service> {
    let names = files::list_dir(&target.path(SCRIPTS)).unwrap_or_default();
    if names.is_empty() {
        return Vec::new();
    }
    let linked = linked(target);
    let started: BTreeSet<String> =
        files::list_dir(&target.path(STARTED)).unwrap_or_default().into_iter().collect();
    let is_openrc = std::fs::metadata(target.path(RUNLEVELS)).is_ok();
    let mut services = Vec::new();
    for name in names.into_iter().filter(|name| !NO_SERVICES.contains(&name.as_str())) {
        let unit = format!("{name}.service");
        if services.len() >= SERVICES_MAX || search.resolve(&unit).is_some() || name.contains('.') {
            continue;
        }
        let Ok(head) = files::read_to_string_limited(
            &target.path(&format!("{SCRIPTS}/{name}")),
            HEAD_BYTES_MAX,
        ) else {
            continue;
        };
        let manager = if head.lines().next().is_some_and(|line| line.contains("openrc-run")) {
            "openrc"
        } else {
            "sysv"
        };
        services.push(Service {
            manager,
            description: description(&head),
            is_enabled: linked.contains(&name),
            is_active: is_openrc.then(|| started.contains(&name)),
            name,
        });
    }
    services
}

/// The names that a link starts with the system.
fn linked(target: &Target) -> BTreeSet<String> {
    let mut linked = BTreeSet::new();
    for folder in LEVEL_FOLDERS {
        for name in files::list_dir(&target.path(folder)).unwrap_or_default() {
            // `S20ssh`: start, in this order, that script.
            let service = name
                .strip_prefix('S')
                .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            linked.extend(service.map(str::to_owned));
        }
    }
    let levels = target.path(RUNLEVELS);
    for level in files::list_dir(&levels).unwrap_or_default() {
        if level != "shutdown" {
            linked.extend(files::list_dir(&target.below(&levels, &level)).unwrap_or_default());
        }
    }
    linked
}

/// The description that a script gives itself: in LSB's header or as OpenRC's variable.
fn description(head: &str) -> Option<String> {
    head.lines()
        .find_map(|line| {
            line.strip_prefix("# Short-Description:").or_else(|| line.strip_prefix("description="))
        })
        .map(|text| text.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|text| !text.is_empty())
}

impl Service {
    /// The file that defines it.
    pub(super) fn path(&self) -> String {
        format!("{SCRIPTS}/{}", self.name)
    }

    /// The observation of the service.
    pub(super) fn observe(&self) -> Observation {
        let mut seen =
            Observation::part(&service_unit::CLASS, crate::HOST, &[self.manager, &self.name])
                .with(&service_unit::UNIT_TYPE, "service")
                .with(
                    &service_unit::ENABLED_STATE,
                    if self.is_enabled { "enabled" } else { "disabled" },
                )
                .with(&service_unit::FRAGMENT_PATH, self.path())
                .with_some(&service_unit::DESCRIPTION, self.description.clone());
        if let Some(is_active) = self.is_active {
            seen.set(&service_unit::ACTIVE_STATE, if is_active { "active" } else { "inactive" });
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_services_unless_systemd_has_their_unit() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "etc/init.d/old",
            "#!/bin/sh\n### BEGIN INIT INFO\n# Short-Description: Old service\n",
        );
        write("etc/init.d/web", "#!/bin/sh\n");
        write("etc/init.d/sshd", "#!/sbin/openrc-run\ndescription=\"Secure shell\"\n");
        write("etc/rc2.d/S20old", "");
        write("etc/runlevels/default/sshd", "");
        write("run/openrc/started/sshd", "");
        write("usr/lib/systemd/system/web.service", "[Service]\n");
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let services = read(&target, &Search::read(&target));
        let told: Vec<_> = services
            .iter()
            .map(|service| {
                (service.manager, service.name.as_str(), service.is_enabled, service.is_active)
            })
            .collect();
        assert_eq!(
            told,
            [("sysv", "old", true, Some(false)), ("openrc", "sshd", true, Some(true))]
        );
        assert_eq!(services[0].description.as_deref(), Some("Old service"));
    }
}
