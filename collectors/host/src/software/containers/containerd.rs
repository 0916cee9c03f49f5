//! Containers and images of containerd, by its database and by the folders in which it keeps a bundle for each task.
//!
//! Containerd's own interface is gRPC; its database has the same, and the kernel says what runs. A container without
//! a task is told as created, as `nerdctl` does: containerd keeps no word of tasks that were deleted. Docker's
//! containers lie here too, in a namespace of their own, and are left to Docker.
//!
//! An id is only unique in its namespace: one that was given by hand, not drawn at random, carries the namespace.

mod images;

use super::ITEMS_MAX;
use super::alive::{self, Life};
use super::api::{self, Container, Image};
use super::bolt::{self, Database, Entries};
use crate::files::{self, Refusal};
use collector::Target;
use model::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Where distributions of containerd keep what lasts, and what ends with the host.
const PLACES: [(&str, &str); 4] = [
    ("/var/lib/containerd", "/run/containerd"),
    ("/var/lib/rancher/k3s/agent/containerd", "/run/k3s/containerd"),
    ("/var/lib/rancher/rke2/agent/containerd", "/run/k3s/containerd"),
    ("/var/snap/microk8s/common/var/lib/containerd", "/var/snap/microk8s/common/run/containerd"),
];

/// State of the containerd that Docker starts where there is no other.
const DOCKERS_STATE: &str = "/run/docker/containerd/daemon";

/// Says where the host's containerd keeps its folders, when elsewhere.
const CONFIGURATION: &str = "/etc/containerd/config.toml";

/// Below the state, a folder for each namespace with one for each task.
pub(super) const TASKS: &str = "io.containerd.runtime.v2.task";

/// Below the root, the database.
const DATABASE: &str = "io.containerd.metadata.v1.bolt/meta.db";

/// The largest configuration, and the largest description of a container (OCI runtime configuration).
const FILE_BYTES_MAX: usize = 1 << 20;

/// The namespace of Docker's containers and images, which Docker tells.
const DOCKERS: &str = "moby";

/// Digits of an id that was drawn at random.
const RANDOM_ID_LENGTH: usize = 64;

/// The longest name of an annotation that is kept as a label.
const LABEL_NAME_LENGTH_MAX: usize = 100;

/// A containerd that may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) root: String,
    state: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Specification {
    annotations: Option<BTreeMap<String, String>>,
    process: Option<Process>,
    mounts: Option<Vec<Mount>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Process {
    args: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Mount {
    r#type: String,
    source: String,
    destination: String,
}

type Lists = (Vec<Container>, Vec<Image>);

/// Those that are there.
pub(super) fn places(target: &Target) -> Vec<Place> {
    let mut places: Vec<Place> = PLACES
        .iter()
        .map(|(root, state)| Place { root: (*root).to_owned(), state: (*state).to_owned() })
        .collect();
    if let Some(hosts) = places.first_mut() {
        configure(target, hosts);
    }
    let mut seen = BTreeSet::new();
    places.retain(|place| {
        let is_there = |path: &str| match std::fs::metadata(target.path(path)) {
            Ok(_) => true,
            Err(error) => files::refusal(&error) == Refusal::PermissionDenied,
        };
        // Two distributions share a state.
        let is_new = seen.insert(place.state.clone());
        is_there(&place.root) || (is_new && is_there(&format!("{}/{TASKS}", place.state)))
    });
    places
}

/// Takes the folders from the configuration, where they stand before the first table.
fn configure(target: &Target, place: &mut Place) {
    let path = target.path(CONFIGURATION);
    let text = files::read_to_string_limited(&path, FILE_BYTES_MAX).unwrap_or_default();
    for line in text.lines().take_while(|line| !line.trim_start().starts_with('[')) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        match key.trim() {
            "root" if value.starts_with('/') => value.clone_into(&mut place.root),
            "state" if value.starts_with('/') => value.clone_into(&mut place.state),
            _ => {}
        }
    }
}

/// The process id of a container of Docker that runs.
pub(super) fn process_of_docker(target: &Target, id: &str) -> Option<u64> {
    let states = PLACES.iter().take(1).map(|(_, state)| *state).chain([DOCKERS_STATE]);
    let is_id = !id.is_empty() && id.bytes().all(|letter| letter.is_ascii_alphanumeric());
    states
        .filter(|_| is_id)
        .find_map(|state| {
            let file = format!("{state}/{TASKS}/{DOCKERS}/{id}/init.pid");
            files::read_number(&target.path(&file))
        })
        .filter(|pid| alive::life(target, *pid, id) != Life::Ended)
}

impl Place {
    /// Reads containers and images.
    pub(super) fn read(&self, target: &Target) -> io::Result<Lists> {
        let root = target.path(&self.root);
        let listed = match bolt::look(&target.below(&root, DATABASE), |database| {
            read((target, &root), database)
        }) {
            Ok(lists) => lists,
            Err(error) if files::refusal(&error) == Refusal::NotFound => Lists::default(),
            Err(error) => return Err(error),
        };
        let (containers, images) = listed;
        let mut containers: BTreeMap<String, Container> =
            containers.into_iter().map(|container| (container.id.clone(), container)).collect();
        self.add_tasks(target, &mut containers)?;
        Ok((containers.into_values().collect(), images))
    }

    /// Tells of each container what its task does, and of containers that only have a task.
    fn add_tasks(
        &self,
        target: &Target,
        containers: &mut BTreeMap<String, Container>,
    ) -> io::Result<()> {
        let tasks = target.path(&format!("{}/{TASKS}", self.state));
        let namespaces = match files::list_dir(&tasks) {
            Ok(namespaces) => namespaces,
            Err(error) if files::refusal(&error) == Refusal::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for namespace in namespaces.iter().filter(|namespace| *namespace != DOCKERS) {
            let folder = target.below(&tasks, namespace);
            for id in files::list_dir(&folder)? {
                let own = unique_id(namespace, &id);
                if containers.len() > ITEMS_MAX {
                    return Ok(());
                }
                let bundle = target.below(&folder, &id);
                let container = containers.entry(own).or_insert_with(|| {
                    of_bundle(&target.below(&bundle, "config.json"), namespace, &id)
                });
                tell_task(target, container, &bundle, &id);
            }
        }
        Ok(())
    }
}

/// What the kernel says of a task; of a tree that does not run it says nothing.
fn tell_task(target: &Target, container: &mut Container, bundle: &Path, id: &str) {
    if !target.is_live() {
        container.state = None;
        return;
    }
    let pid = files::read_number(&target.below(bundle, "init.pid"));
    let life = pid.map_or(Life::Ended, |pid| alive::life(target, pid, id));
    container.pid = pid.filter(|_| life != Life::Ended);
    let state = match life {
        Life::Running => "running",
        Life::Paused => "paused",
        Life::Ended => "exited",
    };
    container.state = Some(state.to_owned());
}

/// The id, with its namespace where it may be another's too.
fn unique_id(namespace: &str, id: &str) -> String {
    let is_random = id.len() == RANDOM_ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_random { id.to_owned() } else { format!("{namespace}/{id}") }
}

/// Reads the database: `v1`, namespaces, and in each the containers and images by name.
fn read(root: (&Target, &Path), database: &Database) -> io::Result<Lists> {
    let (mut containers, mut all) = (Vec::new(), BTreeMap::new());
    let Some(namespaces) = database.at(&["v1"])? else { return Ok(Lists::default()) };
    for (namespace, bucket) in database.entries(&namespaces)?.buckets {
        if namespace == DOCKERS {
            continue;
        }
        let parts = database.entries(&bucket)?.buckets;
        let mut ids = BTreeMap::new();
        if let Some(bucket) = parts.get("images") {
            database.each(bucket, |name, entries| {
                let Some(target) = entries.buckets.get("target") else { return Ok(()) };
                let digest = database.entries(target)?.text("digest").unwrap_or_default();
                let image = images::image(root, &name, &digest);
                ids.insert(name, image.id.clone());
                if all.len() <= ITEMS_MAX {
                    images::add(&mut all, image);
                }
                Ok(())
            })?;
        }
        if let Some(bucket) = parts.get("containers") {
            database.each(bucket, |id, entries| {
                let labels = labels(database, &entries)?;
                let mut container = container(&namespace, &id, &entries, labels);
                container.image_id =
                    container.image.as_ref().and_then(|image| ids.get(image)).cloned();
                if containers.len() <= ITEMS_MAX {
                    containers.push(container);
                }
                Ok(())
            })?;
        }
    }
    Ok((containers, all.into_values().collect()))
}

fn labels(database: &Database, entries: &Entries) -> io::Result<BTreeMap<String, String>> {
    let Some(bucket) = entries.buckets.get("labels") else { return Ok(BTreeMap::new()) };
    let values = database.entries(bucket)?.values;
    Ok(values
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect())
}

fn container(
    namespace: &str,
    id: &str,
    entries: &Entries,
    labels: BTreeMap<String, String>,
) -> Container {
    let specification = entries.values.get("spec").and_then(|any| any_value(any));
    let mut container = described(specification.unwrap_or_default(), namespace, id, Some(labels));
    container.image = entries.text("image").or(container.image);
    container.created_at = entries.values.get("createdat").and_then(|time| go_time(time));
    container.state = Some("created".to_owned());
    container
}

/// The container of a bundle whose container is in no database.
fn of_bundle(configuration: &Path, namespace: &str, id: &str) -> Container {
    let bytes = files::read_limited(configuration, FILE_BYTES_MAX).unwrap_or_default();
    described(serde_json::from_slice(&bytes).unwrap_or_default(), namespace, id, None)
}

/// What a specification says; of Kubernetes' containers the annotations tell the rest. Without labels of its own
/// the annotations stand for them.
fn described(
    specification: Specification,
    namespace: &str,
    id: &str,
    labels: Option<BTreeMap<String, String>>,
) -> Container {
    let annotations = specification.annotations.unwrap_or_default();
    let annotation = |name: &str| annotations.get(&format!("io.kubernetes.cri.{name}")).cloned();
    let nerdctl = || {
        labels
            .as_ref()
            .and_then(|labels| labels.get("nerdctl/name"))
            .or_else(|| annotations.get("nerdctl/name"))
            .cloned()
    };
    let name = match (annotation("container-name"), annotation("sandbox-name")) {
        (Some(container), Some(pod)) => format!("{pod}/{container}"),
        (None, Some(pod)) => format!("{pod}/pause"),
        (Some(container), None) => container,
        (None, None) => nerdctl().unwrap_or_else(|| id.to_owned()),
    };
    let image = annotation("image-name");
    let mut labels = labels.unwrap_or(annotations);
    labels.retain(|name, _| name.len() < LABEL_NAME_LENGTH_MAX);
    labels.insert("containerd/namespace".to_owned(), namespace.to_owned());
    let arguments = specification.process.and_then(|process| process.args).unwrap_or_default();
    let mounts = specification.mounts.unwrap_or_default();
    let mounts = mounts.iter().filter(|mount| mount.r#type == "bind").take(api::PARTS_MAX);
    Container {
        id: unique_id(namespace, id),
        name,
        image,
        command: Some(arguments.join(" ")).filter(|command| !command.is_empty()),
        mounts: Some(
            mounts.map(|mount| format!("{} -> {}", mount.source, mount.destination)).collect(),
        ),
        labels: Some(labels),
        ..Container::default()
    }
}

/// The JSON in a `google.protobuf.Any`: a type's name in field 1, the value in field 2, both with their length.
fn any_value(mut bytes: &[u8]) -> Option<Specification> {
    const VALUE: u8 = 2 << 3 | 2;
    while let Some((tag, rest)) = bytes.split_first() {
        let (length, rest) = varint(rest)?;
        let (value, rest) = rest.split_at_checked(length)?;
        if *tag == VALUE {
            return serde_json::from_slice(value).ok();
        }
        bytes = rest;
    }
    None
}

/// A length of protocol buffers: seven bits of each byte, the lowest first.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_usize;
    for (index, byte) in bytes.iter().enumerate().take(4) {
        number |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}

/// A moment as Go writes it in binary: a version, seconds since the year 1, nanoseconds, minutes east of Greenwich.
fn go_time(bytes: &[u8]) -> Option<Timestamp> {
    const UNIX_EPOCH: i64 = 62_135_596_800;
    let (version, rest) = bytes.split_first()?;
    let seconds = i64::from_be_bytes(*rest.first_chunk()?);
    api::moment(Some(seconds.checked_sub(UNIX_EPOCH)?)).filter(|_| matches!(version, 1 | 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_container_of_kubernetes_is_named_after_its_pod() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = folder.path().join("run/containerd").join(TASKS);
        let bundle = tasks.join("k8s.io/aabb");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::create_dir_all(tasks.join("moby/ccdd")).unwrap();
        std::fs::write(bundle.join("config.json"), r#"{"process":{"args":["/web","--x"]},"mounts":[{"type":"bind","source":"/a","destination":"/b"},{"type":"proc","source":"proc","destination":"/proc"}],"annotations":{"io.kubernetes.cri.container-name":"web","io.kubernetes.cri.sandbox-name":"shop-1","io.kubernetes.cri.image-name":"registry.example.org/web:1"}}"#).unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: folder.path().to_owned(),
            remote: None,
        };
        let found = places(&target);
        assert_eq!(found.len(), 1);
        let (containers, _) = found[0].read(&target).unwrap();
        assert_eq!(containers.len(), 1);
        assert_eq!(containers[0].name, "shop-1/web");
        assert_eq!(containers[0].id, "k8s.io/aabb");
        assert_eq!(containers[0].image.as_deref(), Some("registry.example.org/web:1"));
        assert_eq!(containers[0].command.as_deref(), Some("/web --x"));
        assert_eq!(containers[0].mounts.as_deref(), Some(&["/a -> /b".to_owned()][..]));
        assert_eq!(containers[0].state, None, "of a tree nobody knows what runs");
    }

    #[test]
    fn a_configuration_moves_the_folders() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: folder.path().to_owned(),
            remote: None,
        };
        assert_eq!(places(&target), []);
        std::fs::create_dir_all(folder.path().join("etc/containerd")).unwrap();
        std::fs::create_dir_all(folder.path().join("srv/c")).unwrap();
        std::fs::write(
            folder.path().join("etc/containerd/config.toml"),
            "version = 2\nroot = \"/srv/c\"\nstate = '/run/c'\n[grpc]\nroot = \"/no\"\n",
        )
        .unwrap();
        let expected = Place { root: "/srv/c".to_owned(), state: "/run/c".to_owned() };
        assert_eq!(places(&target), [expected]);
    }

    #[test]
    fn a_moment_of_go_is_read_and_never_is_none() {
        let unix = 62_135_596_800_i64 + 1_700_000_000;
        let time =
            |seconds: i64| [&[1][..], &seconds.to_be_bytes()[..], &[0, 0, 0, 5, 255, 255]].concat();
        assert_eq!(go_time(&time(unix)), Some(Timestamp::from_seconds(1_700_000_000)));
        assert_eq!(go_time(&time(0)), None);
        assert_eq!(go_time(&time(i64::MIN)), None);
        assert_eq!(go_time(&[3; 15]), None);
        assert_eq!(go_time(&[1, 2]), None);
    }

    #[test]
    fn an_id_given_by_hand_carries_its_namespace() {
        assert_eq!(unique_id("default", "web"), "default/web");
        assert_eq!(unique_id("k8s.io", &"ab".repeat(32)), "ab".repeat(32));
    }

    proptest! {
        #[test]
        fn any_record_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(any_value(&bytes));
            go_time(&bytes);
        }
    }
}
