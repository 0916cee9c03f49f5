//! The scope `containers`: containers and images of Docker and Podman by their sockets, of Podman also by its
//! storage, and of containerd by its database and state folders.
//!
//! An engine whose socket may not be opened is reported as not looked at; one that is not there is not present.
//! What Podman's storage says and its socket does not, such as a whole range of ports, is told from the storage.
//! What is there and cannot be read is a failed part, and the scope is partial then.
//!
//! Deliberately not here: what runs inside (the scope `processes`), starting and stopping, pods (the cluster's).

mod alive;
mod api;
mod bolt;
mod containerd;
mod http;
mod libpod;
mod storage;
mod troubles;

use crate::files::{self, Refusal, StatGuard};
use api::{Container, Image};
use collector::{Guard, Run, Target};
use model::classes::{container, container_image};
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, Value, relationships};
use std::collections::BTreeMap;
use troubles::Troubles;

/// Sockets of the whole host: engine, path.
const SOCKETS: [(&str, &str); 3] = [
    ("docker", "/run/docker.sock"),
    ("docker", "/var/run/docker.sock"),
    ("podman", "/run/podman/podman.sock"),
];

/// Sockets of users below their folder in /run/user.
const USER_SOCKETS: [(&str, &str); 2] =
    [("docker", "docker.sock"), ("podman", "podman/podman.sock")];

/// Folders of the users that are logged in.
const USERS: &str = "/run/user";

/// What Docker leaves on the disk while it does not run.
const DOCKERS: &str = "/var/lib/docker/containers";

/// The most users whose sockets are asked.
const USERS_MAX: usize = 64;

/// The most containers, and the most images, that are described.
pub(super) const ITEMS_MAX: usize = 10_000;

/// The most labels of a container that are kept.
const LABELS_MAX: usize = 100;

/// Longest value that is kept.
const TEXT_LENGTH_MAX: usize = 1000;

/// The guard of the scope: only a host without any engine can be told unchanged without asking.
pub(super) fn guard(target: &Target) -> Option<Guard> {
    let mut guard = StatGuard::new();
    let mut troubles = Troubles::default();
    for (engine, path) in sockets(target, &mut troubles) {
        if std::fs::symlink_metadata(target.link_path(&path)).is_ok() {
            return None;
        }
        guard.bytes(engine.as_bytes());
    }
    let is_there = !containerd::places(target, &mut troubles).is_empty()
        || !storage::places(target, &mut troubles).is_empty()
        || !troubles.is_empty()
        || std::fs::metadata(target.path(DOCKERS)).is_ok();
    (!is_there).then(|| guard.finish())
}

/// What was learned, before the coverage is known.
#[derive(Debug, Default)]
struct Findings {
    containers: BTreeMap<(&'static str, String), Container>,
    images: BTreeMap<(&'static str, String), Image>,
    /// Engines that told what they have.
    present: Vec<&'static str>,
    is_cut: bool,
    refused: Vec<(CoverageReason, String)>,
    troubles: Troubles,
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let mut findings = Findings::default();
    for place in storage::places(target, &mut findings.troubles) {
        read_storage(target, &place, run, &mut findings);
    }
    for place in containerd::places(target, &mut findings.troubles) {
        match place.read(target) {
            Ok(listed) => {
                findings.is_present("containerd");
                findings.troubles.extend(listed.troubles);
                listed.containers.into_iter().for_each(|found| findings.add("containerd", found));
                listed.images.into_iter().for_each(|image| findings.add_image("containerd", image));
            }
            Err(error) => findings.refuse(&place.root, &error),
        }
    }
    if target.is_live() {
        for (engine, path) in sockets(target, &mut findings.troubles) {
            ask(target, (engine, &path), &mut findings);
        }
    }
    if !findings.present.contains(&"docker")
        && findings.refused.is_empty()
        && !files::list_dir(&target.path(DOCKERS)).unwrap_or_default().is_empty()
    {
        let detail = format!(
            "Docker does not run, and its containers in {DOCKERS} are only told while it does; start it"
        );
        findings.refused.push((CoverageReason::Unreachable, detail));
    }
    findings.tell(run)
}

fn read_storage(
    target: &Target,
    place: &storage::Place,
    run: &mut Run<'_>,
    findings: &mut Findings,
) {
    let store = match place.read(target) {
        Ok(Some(store)) => store,
        Ok(None) => return,
        Err(error) => return findings.refuse(&place.graph_root, &error),
    };
    findings.is_present("podman");
    findings.troubles.extend(store.troubles);
    if store.is_sqlite && !store.containers.is_empty() {
        run.failed(
            format!("labels, ports and networks of the containers in {}", place.graph_root),
            "lie in an SQLite database; Podman tells them by its socket: systemctl enable --now podman.socket",
        );
    }
    if let Some(error) = &store.trouble {
        findings.refuse(&format!("the database of Podman in {}", place.graph_root), error);
    }
    store.containers.into_iter().for_each(|(engine, found)| findings.add(engine, found));
    store.images.into_iter().for_each(|(engine, image)| findings.add_image(engine, image));
}

/// The sockets of engines that may be there.
fn sockets(target: &Target, troubles: &mut Troubles) -> Vec<(&'static str, String)> {
    let mut sockets: Vec<(&'static str, String)> = Vec::new();
    for (engine, path) in SOCKETS {
        // /var/run is a link to /run nearly everywhere.
        let is_same = path.starts_with("/var/run")
            && std::fs::symlink_metadata(target.link_path("/var/run"))
                .is_ok_and(|m| m.is_symlink());
        if !is_same {
            sockets.push((engine, path.to_owned()));
        }
    }
    let users = files::list_dir(&target.path(USERS)).unwrap_or_else(|error| {
        troubles.add(USERS, error);
        Vec::new()
    });
    if users.len() > USERS_MAX {
        let detail = format!("more than the {USERS_MAX} users whose sockets are asked");
        troubles.add(USERS, std::io::Error::new(std::io::ErrorKind::FileTooLarge, detail));
    }
    for user in users.iter().take(USERS_MAX) {
        for (engine, path) in USER_SOCKETS {
            sockets.push((engine, format!("{USERS}/{user}/{path}")));
        }
    }
    sockets
}

fn ask(target: &Target, (engine, path): (&'static str, &str), findings: &mut Findings) {
    let result = http::get(path, "/containers/json?all=1").and_then(|containers| {
        let images = http::get(path, "/images/json")?;
        Ok((api::containers(&containers)?, api::images(&images)?))
    });
    match result {
        Ok((containers, images)) => {
            findings.is_present(engine);
            for mut container in containers {
                if engine == "docker"
                    && matches!(container.state.as_deref(), Some("running" | "paused"))
                {
                    container.pid = containerd::process_of_docker(target, &container.id);
                }
                findings.add(engine, container);
            }
            images.into_iter().for_each(|image| findings.add_image(engine, image));
        }
        // Podman runs without a service: its storage told everything.
        Err(error) if is_idle(&error) && findings.present.contains(&engine) => {}
        Err(error) => findings.refuse(path, &error),
    }
}

/// Whether a socket was left by a service that ended.
fn is_idle(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::ConnectionRefused
}

impl Findings {
    fn is_present(&mut self, engine: &'static str) {
        self.present.push(engine);
    }

    /// Adds a container. Of one that is known already only what is not known is taken: storages are read before
    /// sockets are asked, and tell more.
    fn add(&mut self, engine: &'static str, found: Container) {
        let count = self.containers.len();
        match self.containers.entry((engine, found.id.clone())) {
            std::collections::btree_map::Entry::Occupied(mut known) => {
                let all = std::mem::take(known.get_mut()).or(found);
                known.insert(all);
            }
            std::collections::btree_map::Entry::Vacant(_) if count >= ITEMS_MAX => {
                self.is_cut = true;
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(found);
            }
        }
    }

    /// Adds an image; the one that was told first stays.
    fn add_image(&mut self, engine: &'static str, image: Image) {
        if self.images.len() >= ITEMS_MAX {
            self.is_cut = true;
        } else {
            self.images.entry((engine, image.id.clone())).or_insert(image);
        }
    }

    fn refuse(&mut self, what: &str, error: &std::io::Error) {
        if files::refusal(error) == Refusal::NotFound {
            return;
        }
        // A socket that nobody listens on belongs to an engine that is stopped: it has no running containers, but
        // those that it has are not known.
        let reason = troubles::reason(error);
        let remedy = match reason {
            CoverageReason::PermissionDenied => {
                "may not be opened; run the agent as root, or let its account into the engine's group".to_owned()
            }
            _ => format!("did not answer ({error})"),
        };
        self.refused.push((reason, format!("{what} {remedy}")));
    }

    /// Reports all that was found.
    fn tell(mut self, run: &mut Run<'_>) -> Coverage {
        for ((engine, _), image) in std::mem::take(&mut self.images) {
            run.saw(observe_image(engine, image));
        }
        for ((engine, _), container) in std::mem::take(&mut self.containers) {
            run.saw(observe_container(engine, container));
        }
        self.troubles.tell(run);
        self.coverage()
    }

    fn coverage(self) -> Coverage {
        let is_present = !self.present.is_empty();
        if let Some((reason, detail)) = self.refused.into_iter().next() {
            return if is_present {
                Coverage::partial(reason, detail)
            } else {
                Coverage::not_looked_at(reason, detail)
            };
        }
        if let Some((reason, detail)) = self.troubles.reason() {
            return Coverage::partial(reason, detail);
        }
        if self.is_cut {
            let detail = format!("more than {ITEMS_MAX} containers or images");
            return Coverage::partial(CoverageReason::LimitReached, detail);
        }
        if is_present {
            return Coverage::complete();
        }
        Coverage::not_present("no container engine: neither Docker, Podman nor containerd")
    }
}

fn observe_container(engine: &'static str, found: Container) -> Observation {
    let mut seen = Observation::part(&container::CLASS, crate::HOST, &[engine, &found.id])
        .with(&container::NAME, found.name)
        .with_some(&container::IMAGE, found.image)
        .with_some(&container::IMAGE_ID, found.image_id.clone())
        .with_some(&container::STATE, found.state)
        .with_some(&container::STATUS, found.status)
        .with_some(
            &container::COMMAND,
            found.command.map(|command| crate::redact::redact(&command)),
        )
        .with_some(&container::CREATED_AT, found.created_at)
        .with_some(&container::PID, found.pid);
    for (attribute, values) in [
        (&container::PORTS, found.ports),
        (&container::NETWORKS, found.networks),
        (&container::MOUNTS, found.mounts),
    ] {
        if let Some(values) = values {
            seen.set(attribute, values);
        }
    }
    if let Some(labels) = found.labels {
        let labels = labels.into_iter().take(LABELS_MAX).map(|(name, value)| {
            let value = Value::Text(masked_label(&name, &value));
            (name, value)
        });
        seen.set(&container::LABELS, labels.collect::<BTreeMap<_, _>>());
    }
    if let Some(image) = found.image_id {
        let key = part_key(&container_image::CLASS, crate::HOST, &[engine, &image]);
        seen.relate(relationships::USES_IMAGE, RelationTarget::Native(key));
    }
    seen
}

/// The value of a label, masked when its name or its form tells that it is secret.
fn masked_label(name: &str, value: &str) -> String {
    let start = format!("{name}=");
    let masked = crate::redact::redact(&format!("{start}{value}"));
    let value = masked.strip_prefix(&start).unwrap_or(&masked);
    crate::redact::cut(value, TEXT_LENGTH_MAX).to_owned()
}

fn observe_image(engine: &'static str, image: Image) -> Observation {
    let reference = image.references.first().cloned().unwrap_or_else(|| image.id.clone());
    Observation::part(&container_image::CLASS, crate::HOST, &[engine, &image.id])
        .with(&container_image::REFERENCE, reference)
        .with(&container_image::REFERENCES, image.references)
        .with_some(&container_image::SIZE_BYTES, image.size_bytes)
        .with_some(&container_image::CREATED_AT, image.created_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::run::CoverageStatus;

    #[test]
    fn a_host_without_an_engine_says_so_and_has_a_guard() {
        let place = tempfile::tempdir().unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: place.path().to_owned() };
        let mut seen = Vec::new();
        assert_eq!(collect(&target, &mut Run::new(&mut seen)).reason, CoverageReason::NotPresent);
        assert!(guard(&target).is_some());
        std::fs::create_dir_all(place.path().join("var/lib/containerd")).unwrap();
        assert!(guard(&target).is_none());
    }

    #[test]
    fn what_cannot_be_read_is_a_failed_part_and_the_scope_is_partial() {
        let place = tempfile::tempdir().unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: place.path().to_owned() };
        let look = || {
            let mut seen = Vec::new();
            let mut run = Run::new(&mut seen);
            let coverage = collect(&target, &mut run);
            let failed = run.failures().iter().map(|part| part.what.clone()).collect();
            let failed: Vec<String> = failed;
            (coverage, failed, seen.len())
        };
        // A configuration that is a directory: nobody knows where containerd keeps its folders.
        let configuration = place.path().join("etc/containerd/config.toml");
        std::fs::create_dir_all(&configuration).unwrap();
        let (coverage, failed, _) = look();
        assert_eq!(coverage.status, CoverageStatus::Partial);
        assert_eq!(failed.len(), 1);
        assert!(failed[0].ends_with("config.toml"), "{failed:?}");
        assert!(guard(&target).is_none(), "it may be mended without any other sign");
        std::fs::remove_dir(&configuration).unwrap();
        // A torn bundle: its container is there, what is in it is not known.
        let bundle =
            place.path().join("run/containerd").join(containerd::TASKS).join("default/web");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::write(bundle.join("config.json"), "{\"process\":").unwrap();
        let (coverage, failed, count) = look();
        assert_eq!(coverage.status, CoverageStatus::Partial);
        assert_eq!(coverage.reason, CoverageReason::Malformed);
        assert_eq!((failed.len(), count), (1, 1));
        std::fs::write(bundle.join("config.json"), "{}").unwrap();
        assert_eq!(look().0, Coverage::complete());
    }

    #[test]
    fn users_that_cannot_be_listed_or_are_too_many_leave_the_scope_partial() {
        let place = tempfile::tempdir().unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: place.path().to_owned() };
        let look = || {
            let mut findings = Findings::default();
            let found = sockets(&target, &mut findings.troubles).len();
            let mut seen = Vec::new();
            let mut run = Run::new(&mut seen);
            let coverage = findings.tell(&mut run);
            (found, run.failures_count(), coverage.reason)
        };
        let users = place.path().join("run/user");
        std::fs::create_dir(place.path().join("run")).unwrap();
        assert_eq!(look(), (SOCKETS.len(), 0, CoverageReason::NotPresent));
        std::os::unix::fs::symlink("user", &users).unwrap();
        assert_eq!(look(), (SOCKETS.len(), 1, CoverageReason::Unreachable));
        assert!(guard(&target).is_none());
        std::fs::remove_file(&users).unwrap();
        for user in 0..=USERS_MAX {
            std::fs::create_dir_all(users.join(user.to_string())).unwrap();
        }
        let asked = SOCKETS.len() + USERS_MAX * USER_SOCKETS.len();
        assert_eq!(look(), (asked, 1, CoverageReason::LimitReached));
    }

    #[test]
    fn a_docker_that_does_not_run_keeps_its_containers() {
        let place = tempfile::tempdir().unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: place.path().to_owned() };
        std::fs::create_dir_all(place.path().join("var/lib/docker/containers/aabb")).unwrap();
        let mut seen = Vec::new();
        let coverage = collect(&target, &mut Run::new(&mut seen));
        assert_eq!(coverage.reason, CoverageReason::Unreachable);
        assert!(guard(&target).is_none());
    }

    #[test]
    fn what_one_way_of_looking_leaves_open_another_one_fills() {
        let mut findings = Findings::default();
        let container = |ports: Option<&str>, status: Option<&str>| Container {
            id: "aa".to_owned(),
            name: "web".to_owned(),
            ports: ports.map(|port| vec![port.to_owned()]),
            status: status.map(str::to_owned),
            ..Container::default()
        };
        findings.add("podman", container(Some("80/tcp"), None));
        findings.add("podman", container(Some("90/tcp"), Some("Up")));
        let known = &findings.containers[&("podman", "aa".to_owned())];
        assert_eq!(known.ports.as_deref(), Some(&["80/tcp".to_owned()][..]));
        assert_eq!(known.status.as_deref(), Some("Up"));
    }

    #[test]
    fn a_container_is_told_with_its_image_and_without_secrets() {
        let containers =
            api::containers(include_bytes!("containers/testdata/containers.json")).unwrap();
        let seen = observe_container("docker", containers.into_iter().next().unwrap());
        let text = |name: &str| seen.facts[name].to_line();
        assert_eq!(text("name"), "web");
        assert_eq!(text("ports"), "0.0.0.0:8080/tcp -> 80, 443/tcp");
        assert_eq!(text("networks"), "bridge 172.17.0.2");
        assert_eq!(text("mounts"), "/srv/www -> /usr/share/nginx/html, cache -> /var/cache/nginx");
        assert!(!text("command").contains("hunter2"));
        assert!(!text("labels").contains("hunter2"));
        assert_eq!(seen.relations.len(), 1);
    }
}
