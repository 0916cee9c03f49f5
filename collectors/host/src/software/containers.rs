//! The scope `containers`: containers and images of Docker and Podman by their sockets, of Podman without one by
//! its storage, and running containers of containerd by its state folders.
//!
//! An engine whose socket may not be opened is reported as not looked at; one that is not there is not present.
//!
//! Deliberately not here: what runs inside (the scope `processes`), starting and stopping, pods (the cluster's).

mod api;
mod containerd;
mod http;
mod storage;

use crate::files::{self, Refusal, StatGuard};
use api::{Container, Image};
use collector::{Guard, Run, Target};
use model::classes::{container, container_image};
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation, RelationTarget, Value, relationships};
use std::collections::BTreeSet;

/// Sockets of the whole host: engine, path.
const SOCKETS: [(&str, &str); 3] = [
    ("docker", "/run/docker.sock"),
    ("docker", "/var/run/docker.sock"),
    ("podman", "/run/podman/podman.sock"),
];

/// Sockets of users below their folder in /run/user.
const USER_SOCKETS: [(&str, &str); 2] =
    [("docker", "docker.sock"), ("podman", "podman/podman.sock")];

/// The most users whose sockets are asked.
const USERS_MAX: usize = 64;

/// The most containers, and the most images, of one engine that are described.
pub(super) const ITEMS_MAX: usize = 10_000;

/// The most labels of a container that are kept.
const LABELS_MAX: usize = 100;

/// Longest value that is kept.
const TEXT_LENGTH_MAX: usize = 1000;

/// The guard of the scope: only a host without any engine can be told unchanged without asking.
pub(super) fn guard(target: &Target) -> Option<Guard> {
    let mut guard = StatGuard::new();
    for (engine, path) in sockets(target) {
        if std::fs::symlink_metadata(target.link_path(&path)).is_ok() {
            return None;
        }
        guard.bytes(engine.as_bytes());
    }
    for path in [containerd::STATE, storage::CONTAINERS, storage::IMAGES] {
        if std::fs::metadata(target.path(path)).is_ok() {
            return None;
        }
    }
    Some(guard.finish())
}

/// What was learned, before the coverage is known.
#[derive(Debug, Default)]
struct Findings {
    seen: BTreeSet<(&'static str, String)>,
    is_present: bool,
    is_cut: bool,
    refused: Vec<(CoverageReason, String)>,
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let mut findings = Findings::default();
    if target.is_live() {
        for (engine, path) in sockets(target) {
            ask(engine, &path, run, &mut findings);
        }
    }
    match storage::read(target) {
        Ok(Some((containers, images))) => {
            findings.is_present = true;
            findings.see("podman", containers, images, run);
        }
        Ok(None) => {}
        Err(error) => findings.refuse(storage::CONTAINERS, &error),
    }
    match containerd::read(target) {
        Ok(Some(containers)) => {
            findings.is_present = true;
            run.failed("images of containerd", "lie in its own database and are not looked at");
            findings.see("containerd", containers, Vec::new(), run);
        }
        Ok(None) => {}
        Err(error) => findings.refuse(containerd::STATE, &error),
    }
    findings.coverage()
}

/// The sockets of engines that may be there.
fn sockets(target: &Target) -> Vec<(&'static str, String)> {
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
    let users = files::list_dir(&target.path("/run/user")).unwrap_or_default();
    for user in users.iter().take(USERS_MAX) {
        for (engine, path) in USER_SOCKETS {
            sockets.push((engine, format!("/run/user/{user}/{path}")));
        }
    }
    sockets
}

fn ask(engine: &'static str, path: &str, run: &mut Run<'_>, findings: &mut Findings) {
    let result = http::get(path, "/containers/json?all=1").and_then(|containers| {
        let images = http::get(path, "/images/json")?;
        Ok((api::containers(&containers)?, api::images(&images)?))
    });
    match result {
        Ok((containers, images)) => {
            findings.is_present = true;
            findings.see(engine, containers, images, run);
        }
        Err(error) => findings.refuse(path, &error),
    }
}

impl Findings {
    fn see(
        &mut self,
        engine: &'static str,
        containers: Vec<Container>,
        images: Vec<Image>,
        run: &mut Run<'_>,
    ) {
        self.is_cut |= containers.len() > ITEMS_MAX || images.len() > ITEMS_MAX;
        for image in images.into_iter().take(ITEMS_MAX) {
            if self.seen.insert((engine, image.id.clone())) {
                run.saw(observe_image(engine, image));
            }
        }
        for container in containers.into_iter().take(ITEMS_MAX) {
            if self.seen.insert((engine, container.id.clone())) {
                run.saw(observe_container(engine, container));
            }
        }
    }

    fn refuse(&mut self, what: &str, error: &std::io::Error) {
        let reason = match files::refusal(error) {
            Refusal::NotFound => return,
            Refusal::PermissionDenied => CoverageReason::PermissionDenied,
            // A socket that nobody listens on belongs to an engine that is stopped: it has no running containers,
            // but those that it has are not known.
            Refusal::Other if error.kind() == std::io::ErrorKind::InvalidData => {
                CoverageReason::Malformed
            }
            Refusal::Other if error.kind() == std::io::ErrorKind::TimedOut => {
                CoverageReason::TimedOut
            }
            Refusal::Other => CoverageReason::Unreachable,
        };
        let remedy = match reason {
            CoverageReason::PermissionDenied => {
                "may not be opened; run the agent as root, or let its account into the engine's group".to_owned()
            }
            _ => format!("did not answer ({error})"),
        };
        self.refused.push((reason, format!("{what} {remedy}")));
    }

    fn coverage(self) -> Coverage {
        if let Some((reason, detail)) = self.refused.into_iter().next() {
            return if self.is_present {
                Coverage::partial(reason, detail)
            } else {
                Coverage::not_looked_at(reason, detail)
            };
        }
        if self.is_cut {
            let detail = format!("more than {ITEMS_MAX} containers or images");
            return Coverage::partial(CoverageReason::LimitReached, detail);
        }
        if self.is_present {
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
        seen.set(&container::LABELS, labels.collect::<std::collections::BTreeMap<_, _>>());
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

    #[test]
    fn a_host_without_an_engine_says_so_and_has_a_guard() {
        let place = tempfile::tempdir().unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: place.path().to_owned() };
        let mut seen = Vec::new();
        assert_eq!(collect(&target, &mut Run::new(&mut seen)).reason, CoverageReason::NotPresent);
        assert!(guard(&target).is_some());
        let state = place.path().join(containerd::STATE.trim_start_matches('/'));
        std::fs::create_dir_all(state).unwrap();
        assert!(guard(&target).is_none());
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
