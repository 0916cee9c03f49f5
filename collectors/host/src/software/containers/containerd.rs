//! Containers and images of containerd, by its database and by the folders in which it keeps a bundle for each task.
//!
//! Containerd's own interface is gRPC; its database has the same, and the kernel says what runs. A container without
//! a task is told as created, as `nerdctl` does: containerd keeps no word of tasks that were deleted. Docker's
//! containers lie here too, in a namespace of their own, and are left to Docker.
//!
//! An id is only unique in its namespace: one that was given by hand, not drawn at random, carries the namespace.
//!
//! A configuration, a bundle or a description that is there and cannot be read is a trouble of the look, and what is
//! known of the container without it is told.

mod images;

use super::ITEMS_MAX;
use super::alive::{self, Life};
use super::api::{self, Container, Image};
use super::bolt::{self, Database, Entries};
use super::troubles::{self, Troubles};
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

/// The part of containerd's own configuration that is of use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    root: Option<String>,
    state: Option<String>,
}

/// What a containerd has.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) containers: Vec<Container>,
    pub(super) images: Vec<Image>,
    /// What of it could not be read.
    pub(super) troubles: Troubles,
}

/// Those that are there.
pub(super) fn places(target: &Target, troubles: &mut Troubles) -> Vec<Place> {
    let mut places: Vec<Place> = PLACES
        .iter()
        .map(|(root, state)| Place { root: (*root).to_owned(), state: (*state).to_owned() })
        .collect();
    if let Some(hosts) = places.first_mut() {
        configure(target, hosts, troubles);
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

/// Takes the folders from the configuration.
fn configure(target: &Target, place: &mut Place, troubles: &mut Troubles) {
    let path = target.path(CONFIGURATION);
    let said: Configuration =
        troubles.parsed(&path, FILE_BYTES_MAX, troubles::toml).unwrap_or_default();
    for (folder, said) in [(&mut place.root, said.root), (&mut place.state, said.state)] {
        if let Some(said) = said.filter(|path| path.starts_with('/')) {
            *folder = said;
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
    /// Reads containers and images; an error when nothing can be told.
    pub(super) fn read(&self, target: &Target) -> io::Result<Listed> {
        let root = target.path(&self.root);
        let mut listed = match bolt::look(&target.below(&root, DATABASE), |database| {
            read((target, &root), database)
        }) {
            Ok(listed) => listed,
            Err(error) if files::refusal(&error) == Refusal::NotFound => Listed::default(),
            Err(error) => return Err(error),
        };
        let containers = std::mem::take(&mut listed.containers);
        let is_empty = containers.is_empty() && listed.images.is_empty();
        let mut containers: BTreeMap<String, Container> =
            containers.into_iter().map(|container| (container.id.clone(), container)).collect();
        let tasks = target.path(&format!("{}/{TASKS}", self.state));
        match files::list_dir(&tasks) {
            Ok(namespaces) => {
                let troubles = &mut listed.troubles;
                for namespace in namespaces.iter().filter(|namespace| *namespace != DOCKERS) {
                    add_tasks((target, &tasks), namespace, &mut containers, troubles);
                }
            }
            Err(error) if is_empty && files::refusal(&error) != Refusal::NotFound => {
                return Err(error);
            }
            Err(error) => {
                // What runs is not known then.
                if files::refusal(&error) != Refusal::NotFound {
                    containers.values_mut().for_each(|container| container.state = None);
                }
                listed.troubles.add(tasks.display().to_string(), error);
            }
        }
        listed.containers = containers.into_values().collect();
        Ok(listed)
    }
}

/// Tells of each container of a namespace what its task does, and of containers that only have a task.
fn add_tasks(
    (target, tasks): (&Target, &Path),
    namespace: &str,
    containers: &mut BTreeMap<String, Container>,
    troubles: &mut Troubles,
) {
    let folder = target.below(tasks, namespace);
    let ids = match files::list_dir(&folder) {
        Ok(ids) => ids,
        Err(error) => return troubles.add(folder.display().to_string(), error),
    };
    for id in ids {
        let own = unique_id(namespace, &id);
        if containers.len() > ITEMS_MAX {
            return;
        }
        let bundle = target.below(&folder, &id);
        let container = containers
            .entry(own)
            .or_insert_with(|| of_bundle((target, &bundle), namespace, &id, troubles));
        tell_task((target, &bundle), container, &id, troubles);
    }
}

/// What the kernel says of a task; of a tree that does not run it says nothing, nor of one whose process is not known.
fn tell_task(
    (target, bundle): (&Target, &Path),
    container: &mut Container,
    id: &str,
    troubles: &mut Troubles,
) {
    container.state = None;
    if !target.is_live() {
        return;
    }
    let Some(pid) = troubles.process(&target.below(bundle, "init.pid")) else { return };
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
fn read(root: (&Target, &Path), database: &Database) -> io::Result<Listed> {
    let mut listed = Listed::default();
    let mut all = BTreeMap::new();
    let Some(namespaces) = database.at(&["v1"])? else { return Ok(listed) };
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
                let Some(image) = images::image(root, &name, &digest, &mut listed.troubles) else {
                    return Ok(());
                };
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
                let specification = specification(&namespace, &id, &entries, &mut listed.troubles);
                let mut container = described(specification, &namespace, &id, Some(labels));
                container.image = entries.text("image").or(container.image);
                container.created_at =
                    entries.values.get("createdat").and_then(|time| go_time(time));
                container.state = Some("created".to_owned());
                container.image_id =
                    container.image.as_ref().and_then(|image| ids.get(image)).cloned();
                if listed.containers.len() <= ITEMS_MAX {
                    listed.containers.push(container);
                }
                Ok(())
            })?;
        }
    }
    listed.images = all.into_values().collect();
    Ok(listed)
}

fn labels(database: &Database, entries: &Entries) -> io::Result<BTreeMap<String, String>> {
    let Some(bucket) = entries.buckets.get("labels") else { return Ok(BTreeMap::new()) };
    let values = database.entries(bucket)?.values;
    Ok(values
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect())
}

/// The description of a container in the database; one that was made without any has none.
fn specification(
    namespace: &str,
    id: &str,
    entries: &Entries,
    troubles: &mut Troubles,
) -> Specification {
    let any = entries.values.get("spec").map(Vec::as_slice).unwrap_or_default();
    if any.is_empty() {
        return Specification::default();
    }
    any_value(any).unwrap_or_else(|error| {
        troubles.add(format!("the description of the container {namespace}/{id}"), error);
        Specification::default()
    })
}

/// The container of a bundle whose container is in no database.
fn of_bundle(
    (target, bundle): (&Target, &Path),
    namespace: &str,
    id: &str,
    troubles: &mut Troubles,
) -> Container {
    let configuration = target.below(bundle, "config.json");
    let said = troubles.parsed(&configuration, FILE_BYTES_MAX, troubles::json);
    described(said.unwrap_or_default(), namespace, id, None)
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
fn any_value(mut bytes: &[u8]) -> io::Result<Specification> {
    const VALUE: u8 = 2 << 3 | 2;
    let torn = || troubles::malformed("a torn record");
    while let Some((tag, rest)) = bytes.split_first() {
        let (length, rest) = varint(rest).ok_or_else(torn)?;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(torn)?;
        if *tag == VALUE {
            return troubles::json(value);
        }
        bytes = rest;
    }
    Err(torn())
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

    fn tree(folder: &tempfile::TempDir) -> Target {
        Target { id: "t".into(), site: "s".into(), root: folder.path().to_owned() }
    }

    fn told(troubles: &Troubles) -> String {
        troubles.reason().map(|(reason, detail)| format!("{reason:?} {detail}")).unwrap_or_default()
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_a_trouble_and_shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let target = tree(&folder);
        let path = folder.path().join("etc/containerd/config.toml");
        std::fs::create_dir_all(&path).unwrap();
        let look = || {
            let mut troubles = Troubles::default();
            assert_eq!(places(&target, &mut troubles), []);
            told(&troubles)
        };
        assert!(look().starts_with("Malformed "), "a directory: {}", look());
        std::fs::remove_dir(&path).unwrap();
        for (text, reason) in [
            ("root = \"/srv/c\"\npassword = \"hunter2".to_owned(), "Malformed"),
            ("root = 7\n".to_owned(), "Malformed"),
            ("# hunter2\n".repeat(FILE_BYTES_MAX / 10 + 1), "LimitReached"),
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(look().starts_with(reason), "{}", look());
            assert!(!look().contains("hunter2"), "{}", look());
        }
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(look().starts_with("Malformed "), "no text: {}", look());
    }

    #[test]
    fn a_bundle_that_cannot_be_read_is_a_trouble_and_its_container_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let target = tree(&folder);
        let tasks = folder.path().join("run/containerd").join(TASKS);
        let torn = br#"{"process":{"args":["/web""#.to_vec();
        let long = vec![b' '; FILE_BYTES_MAX + 1];
        for (id, bytes, reason) in [
            ("folder", None, "Malformed"),
            ("torn", Some(torn), "Malformed"),
            ("long", Some(long), "LimitReached"),
        ] {
            let bundle = tasks.join("default").join(id);
            std::fs::create_dir_all(&bundle).unwrap();
            match bytes {
                Some(bytes) => std::fs::write(bundle.join("config.json"), bytes).unwrap(),
                None => std::fs::create_dir(bundle.join("config.json")).unwrap(),
            }
            let listed = places(&target, &mut Troubles::default())[0].read(&target).unwrap();
            assert_eq!(listed.containers.len(), 1);
            assert_eq!(listed.containers[0].name, id);
            let told = told(&listed.troubles);
            assert!(told.starts_with(reason) && told.contains(id), "{told}");
            std::fs::remove_dir_all(&bundle).unwrap();
        }
        // One that is being made has none yet.
        std::fs::create_dir_all(tasks.join("default/new")).unwrap();
        let listed = places(&target, &mut Troubles::default())[0].read(&target).unwrap();
        assert_eq!(listed.containers.len(), 1);
        assert!(listed.troubles.is_empty());
    }

    #[test]
    fn a_namespace_that_cannot_be_listed_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let target = tree(&folder);
        let tasks = folder.path().join("run/containerd").join(TASKS);
        std::fs::create_dir_all(tasks.join("k8s.io/aabb")).unwrap();
        std::os::unix::fs::symlink("default", tasks.join("default")).unwrap();
        let listed = places(&target, &mut Troubles::default())[0].read(&target).unwrap();
        assert_eq!(listed.containers.len(), 1);
        assert!(!listed.troubles.is_empty());
    }

    #[test]
    fn a_torn_description_in_the_database_is_a_trouble_and_a_missing_one_is_not() {
        let spec = |bytes: &[u8]| {
            let values = BTreeMap::from([("spec".to_owned(), bytes.to_vec())]);
            let mut troubles = Troubles::default();
            let entries = Entries { values, ..Entries::default() };
            let said = specification("default", "web", &entries, &mut troubles);
            (said.process.is_some(), told(&troubles))
        };
        assert_eq!(spec(b""), (false, String::new()));
        let json = br#"{"process":{}}"#;
        let whole = [&[0x0a, 1, b'x', 0x12, 14][..], json].concat();
        assert_eq!(spec(&whole), (true, String::new()));
        for torn in [&whole[..whole.len() - 1], &whole[..3], &[0x12, 1, b'{'][..]] {
            let (is_told, trouble) = spec(torn);
            assert!(!is_told && trouble.contains("default/web"), "{trouble}");
        }
    }

    #[test]
    fn a_container_of_kubernetes_is_named_after_its_pod() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = folder.path().join("run/containerd").join(TASKS);
        let bundle = tasks.join("k8s.io/aabb");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::create_dir_all(tasks.join("moby/ccdd")).unwrap();
        std::fs::write(bundle.join("config.json"), r#"{"process":{"args":["/web","--x"]},"mounts":[{"type":"bind","source":"/a","destination":"/b"},{"type":"proc","source":"proc","destination":"/proc"}],"annotations":{"io.kubernetes.cri.container-name":"web","io.kubernetes.cri.sandbox-name":"shop-1","io.kubernetes.cri.image-name":"registry.example.org/web:1"}}"#).unwrap();
        let target = tree(&folder);
        let found = places(&target, &mut Troubles::default());
        assert_eq!(found.len(), 1);
        let Listed { containers, troubles, .. } = found[0].read(&target).unwrap();
        assert!(troubles.is_empty());
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
        let target = tree(&folder);
        let mut troubles = Troubles::default();
        assert_eq!(places(&target, &mut troubles), []);
        std::fs::create_dir_all(folder.path().join("etc/containerd")).unwrap();
        std::fs::create_dir_all(folder.path().join("srv/c")).unwrap();
        std::fs::write(
            folder.path().join("etc/containerd/config.toml"),
            "version = 2\nroot = \"/srv/c\"\nstate = '/run/c'\n[grpc]\nroot = \"/no\"\n",
        )
        .unwrap();
        let expected = Place { root: "/srv/c".to_owned(), state: "/run/c".to_owned() };
        assert_eq!(places(&target, &mut troubles), [expected]);
        assert!(troubles.is_empty());
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
