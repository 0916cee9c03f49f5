//! Containers and images of Podman by its storage, where its socket is not switched on or tells too little.
//!
//! A store is a folder with lists of images, layers and containers for each driver; there is one of the host and
//! one of every user who uses Podman. Buildah and CRI-O keep their containers in the same lists. The stores of users
//! are looked at where their homes may be read.

use super::ITEMS_MAX;
use super::api::{self, Container, Image, image_id};
use super::libpod;
use super::troubles::{self, Troubles};
use crate::files::{self, Refusal};
use collector::Target;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Where the host's store lies when nobody says otherwise, and its state until the next restart.
const GRAPH_ROOT: &str = "/var/lib/containers/storage";
const RUN_ROOT: &str = "/run/containers/storage";

/// Who may say otherwise; the first one counts.
const CONFIGURATIONS: [&str; 2] =
    ["/etc/containers/storage.conf", "/usr/share/containers/storage.conf"];

/// The largest configuration and list of users that are read.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The largest list that is read.
const FILE_BYTES_MAX: usize = 32 << 20;

/// The most users whose stores are looked for.
const USERS_MAX: usize = 1000;

/// The most drivers of one store; nobody needs two.
const DRIVERS_MAX: usize = 8;

/// The most layers of one image; overlay allows 500.
const LAYERS_MAX: usize = 1000;

/// A store that may be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) graph_root: String,
    run_root: String,
    is_users: bool,
}

/// What a store holds.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// With the engine that made each.
    pub(super) containers: Vec<(&'static str, Container)>,
    pub(super) images: Vec<(&'static str, Image)>,
    /// Whether labels, ports and networks lie in a database that is not read.
    pub(super) is_sqlite: bool,
    /// Why Podman's own database could not be read.
    pub(super) trouble: Option<io::Error>,
    /// What else of it could not be read.
    pub(super) troubles: Troubles,
}

/// The part of a configuration of storages that is of use (containers-storage.conf(5)).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    storage: Folders,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Folders {
    graphroot: Option<String>,
    runroot: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ContainerRow {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    created: Option<String>,
    /// JSON inside of a text.
    #[serde(default)]
    metadata: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Metadata {
    image_name: Option<String>,
    name: Option<String>,
    /// Only CRI-O has pods here.
    pod_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageRow {
    id: String,
    names: Option<Vec<String>>,
    created: Option<String>,
    layer: Option<String>,
    digest: Option<String>,
    big_data_sizes: Option<BTreeMap<String, u64>>,
    big_data_digests: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LayerRow {
    id: String,
    parent: Option<String>,
    diff_size: Option<u64>,
}

/// The stores that are there.
pub(super) fn places(target: &Target, troubles: &mut Troubles) -> Vec<Place> {
    let mut places = vec![hosts(target, troubles)];
    let passwd = target.path("/etc/passwd");
    let users = files::read_to_string_limited(&passwd, TEXT_BYTES_MAX).unwrap_or_else(|error| {
        troubles.add(passwd.display().to_string(), error);
        String::new()
    });
    let mut homes = BTreeSet::new();
    for line in users.lines().take(USERS_MAX) {
        // passwd(5): name, password, uid, gid, comment, home, shell.
        let fields: Vec<&str> = line.split(':').collect();
        if let [_, _, user, _, _, home, ..] = fields.as_slice()
            && home.starts_with('/')
            && user.bytes().all(|digit| digit.is_ascii_digit())
            && homes.insert(home.trim_end_matches('/').to_owned())
        {
            places.push(Place {
                graph_root: format!(
                    "{}/.local/share/containers/storage",
                    home.trim_end_matches('/')
                ),
                run_root: format!("/run/user/{user}/containers"),
                is_users: true,
            });
        }
    }
    places.retain(|place| match std::fs::metadata(target.path(&place.graph_root)) {
        Ok(folder) => folder.is_dir(),
        Err(error) => !place.is_users && files::refusal(&error) != Refusal::NotFound,
    });
    places
}

fn hosts(target: &Target, troubles: &mut Troubles) -> Place {
    let mut place =
        Place { graph_root: GRAPH_ROOT.to_owned(), run_root: RUN_ROOT.to_owned(), is_users: false };
    let path = CONFIGURATIONS.iter().map(|path| target.path(path)).find(|path| {
        match std::fs::metadata(path) {
            Ok(_) => true,
            Err(error) => files::refusal(&error) != Refusal::NotFound,
        }
    });
    let said: Configuration = path
        .and_then(|path| troubles.parsed(&path, TEXT_BYTES_MAX, troubles::toml))
        .unwrap_or_default();
    let folders = said.storage;
    for (folder, said) in
        [(&mut place.graph_root, folders.graphroot), (&mut place.run_root, folders.runroot)]
    {
        if let Some(said) = said.filter(|path| path.starts_with('/')) {
            *folder = said;
        }
    }
    place
}

impl Place {
    /// Reads the store; `None` when there is none, as after a look that Podman itself took.
    pub(super) fn read(&self, target: &Target) -> io::Result<Option<Store>> {
        let root = target.path(&self.graph_root);
        let mut drivers: Vec<String> = match files::list_dir(&root) {
            Ok(names) => names
                .iter()
                .filter_map(|name| name.strip_suffix("-images").map(str::to_owned))
                .take(DRIVERS_MAX)
                .collect(),
            Err(error) if files::refusal(&error) == Refusal::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        drivers.sort_unstable();
        let mut store = Store::default();
        let database = target.below(&root, "libpod/bolt_state.db");
        let database = libpod::database(target, &database, &mut store.troubles);
        let mut known = database.unwrap_or_else(|error| {
            store.trouble = Some(error);
            None
        });
        let has_database = known.is_some();
        store.is_sqlite = !has_database && target.below(&root, "db.sql").exists();
        for driver in &drivers {
            self.read_driver(target, driver, &mut known, &mut store)?;
        }
        // Those that run on a folder instead of an image are in no list.
        let others = known.unwrap_or_default().into_values();
        store.containers.extend(others.map(|container| ("podman", container)));
        let has_cri_o = store.containers.iter().any(|(engine, _)| *engine == "cri-o");
        if has_cri_o && !has_database && !store.is_sqlite {
            store.images.iter_mut().for_each(|(engine, _)| *engine = "cri-o");
        }
        let is_there =
            !drivers.is_empty() || !store.containers.is_empty() || store.trouble.is_some();
        Ok(is_there.then_some(store))
    }

    fn read_driver(
        &self,
        target: &Target,
        driver: &str,
        known: &mut Option<BTreeMap<String, Container>>,
        store: &mut Store,
    ) -> io::Result<()> {
        let path = |part: &str| format!("{}/{driver}-{part}", self.graph_root);
        let read = |path: &str| list(&target.path(path));
        let layers = parse_layers(&read(&path("layers/layers.json"))?)?;
        let images = parse_images(&read(&path("images/images.json"))?, &layers)?;
        store.images.extend(images.into_iter().map(|image| ("podman", image)));
        let beside = Beside {
            persistent: path("containers"),
            run: format!("{}/{driver}-containers", self.run_root),
        };
        // Those that are removed when they end may be forgotten by a restart.
        let files =
            [path("containers/containers.json"), beside.run.clone() + "/volatile-containers.json"];
        for file in &files {
            for (engine, mut container) in parse_containers(&read(file)?)? {
                if store.containers.len() > ITEMS_MAX {
                    return Ok(());
                }
                if engine == "podman" {
                    container = detailed(target, container, known, &beside, &mut store.troubles);
                }
                store.containers.push((engine, container));
            }
        }
        Ok(())
    }
}

/// Where the folders of a driver's containers lie.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) persistent: String,
    pub(super) run: String,
}

/// With what Podman knows of it.
fn detailed(
    target: &Target,
    mut container: Container,
    known: &mut Option<BTreeMap<String, Container>>,
    beside: &Beside,
    troubles: &mut Troubles,
) -> Container {
    match known {
        Some(known) => match known.remove(&container.id) {
            Some(details) => details.or(container),
            None => {
                // Podman's word for what others, such as Buildah, keep in its storage.
                container.state = Some("storage".to_owned());
                container
            }
        },
        None => {
            libpod::beside(target, &mut container, beside, troubles);
            container
        }
    }
}

/// A list; one that is not there is empty.
fn list(path: &Path) -> io::Result<Vec<u8>> {
    match files::read_limited(path, FILE_BYTES_MAX) {
        Ok(bytes) => Ok(bytes),
        Err(error) if files::refusal(&error) == Refusal::NotFound => Ok(b"[]".to_vec()),
        Err(error) => Err(error),
    }
}

fn parse_containers(bytes: &[u8]) -> io::Result<Vec<(&'static str, Container)>> {
    let rows: Vec<ContainerRow> = serde_json::from_slice(bytes)?;
    Ok(rows.into_iter().filter(|row| is_id(&row.id)).map(container).collect())
}

/// Ids are names of folders; nothing else is let into a path.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|letter| letter.is_ascii_alphanumeric())
}

fn container(row: ContainerRow) -> (&'static str, Container) {
    let metadata: Metadata =
        row.metadata.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let name = row.names.unwrap_or_default().into_iter().next().or(metadata.name);
    let container = Container {
        name: name.unwrap_or_else(|| row.id.clone()),
        image: metadata.image_name.filter(|name| !name.is_empty()),
        image_id: row.image.filter(|id| !id.is_empty()).map(|id| image_id(&id)),
        created_at: row.created.and_then(|moment| api::parse_moment(&moment)),
        id: row.id,
        ..Container::default()
    };
    (if metadata.pod_id.is_some() { "cri-o" } else { "podman" }, container)
}

/// Parent and size of each layer.
type Layers = BTreeMap<String, (Option<String>, u64)>;

fn parse_layers(bytes: &[u8]) -> io::Result<Layers> {
    let rows: Vec<LayerRow> = serde_json::from_slice(bytes)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, (row.parent, row.diff_size.unwrap_or_default())))
        .collect())
}

fn parse_images(bytes: &[u8], layers: &Layers) -> io::Result<Vec<Image>> {
    let rows: Vec<ImageRow> = serde_json::from_slice(bytes)?;
    Ok(rows.into_iter().map(|row| image(row, layers)).collect())
}

fn image(row: ImageRow, layers: &Layers) -> Image {
    let data = row.big_data_sizes.unwrap_or_default();
    let mut size = data.values().fold(0, |sum: u64, size| sum.saturating_add(*size));
    let mut layer = row.layer;
    for _ in 0..LAYERS_MAX {
        let Some((parent, bytes)) = layer.and_then(|id| layers.get(&id)) else { break };
        size = size.saturating_add(*bytes);
        layer = parent.clone();
    }
    let mut references = row.names.unwrap_or_default();
    let mut digests: BTreeSet<String> = row.digest.into_iter().collect();
    let data = row.big_data_digests.unwrap_or_default();
    digests.extend(
        data.into_iter().filter(|(name, _)| name.starts_with("manifest")).map(|(_, digest)| digest),
    );
    let repositories: BTreeSet<String> =
        references.iter().map(|name| api::repository(name).to_owned()).collect();
    for repository in repositories {
        references.extend(digests.iter().map(|digest| format!("{repository}@{digest}")));
    }
    Image {
        id: image_id(&row.id),
        references,
        size_bytes: Some(size),
        created_at: row.created.and_then(|moment| api::parse_moment(&moment)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::run::CoverageReason;
    use proptest::prelude::*;

    const CONTAINERS: &str = r#"[
        {"id":"aa","names":["web"],"image":"bb","layer":"cc","metadata":"{\"image-name\":\"docker.io/library/nginx:1\",\"name\":\"web\"}","created":"2024-01-01T00:00:00Z"},
        {"id":"../aa","names":["out"]},
        {"id":"dd","names":["k8s_web"],"image":"bb","metadata":"{\"pod-id\":\"ee\"}"}]"#;

    fn tree() -> (tempfile::TempDir, Target) {
        let place = tempfile::tempdir().unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: place.path().to_owned() };
        (place, target)
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_list_that_is_malformed_is_an_error_and_a_host_without_a_store_has_none() {
        let (place, target) = tree();
        assert_eq!(places(&target, &mut Troubles::default()), []);
        write(place.path(), "var/lib/containers/storage/vfs-images/images.json", "{");
        let found = places(&target, &mut Troubles::default());
        let error = found[0].read(&target).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn stores_of_any_driver_of_the_host_and_of_users_are_read() {
        let (place, target) = tree();
        write(
            place.path(),
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbroken\n",
        );
        write(place.path(), "etc/containers/storage.conf", "[storage]\n graphroot = \"/srv/c\"\n");
        write(place.path(), "srv/c/vfs-images/images.json", "[]");
        write(place.path(), "srv/c/vfs-containers/containers.json", CONTAINERS);
        let users = "home/ann/.local/share/containers/storage";
        write(place.path(), &format!("{users}/overlay-images/images.json"), "[{\"id\":\"bb\"}]");
        let found = places(&target, &mut Troubles::default());
        let stores: Vec<Store> =
            found.iter().map(|place| place.read(&target).unwrap().unwrap()).collect();
        assert_eq!(stores.len(), 2);
        let engines: Vec<&str> = stores[0].containers.iter().map(|(engine, _)| *engine).collect();
        assert_eq!(engines, ["podman", "cri-o"]);
        assert_eq!(stores[1].images[0].1.id, "sha256:bb");
    }

    #[test]
    fn a_container_names_its_image_and_one_that_never_started_is_created() {
        let (place, target) = tree();
        let root = "var/lib/containers/storage";
        write(place.path(), &format!("{root}/overlay-images/images.json"), "[]");
        write(place.path(), &format!("{root}/overlay-containers/containers.json"), CONTAINERS);
        let store = || {
            let found = places(&target, &mut Troubles::default());
            found[0].read(&target).unwrap().unwrap()
        };
        let read = || store().containers.remove(0).1;
        let container = read();
        assert_eq!(container.image.as_deref(), Some("docker.io/library/nginx:1"));
        assert_eq!(container.image_id.as_deref(), Some("sha256:bb"));
        assert_eq!(container.created_at.unwrap().millis(), 1_704_067_200_000);
        assert_eq!(container.state.as_deref(), Some("created"));
        write(
            place.path(),
            &format!("{root}/overlay-containers/aa/userdata/config.json"),
            r#"{"process":{"args":["nginx","-q"]}}"#,
        );
        let container = read();
        assert_eq!(container.command.as_deref(), Some("nginx -q"));
        assert_eq!(container.state, None, "of a tree nobody knows what runs");
        assert!(store().troubles.is_empty());
        let path = format!("{root}/overlay-containers/aa/userdata/config.json");
        write(place.path(), &path, r#"{"process":{"args":["nginx""#);
        assert_eq!(store().troubles.reason().unwrap().0, CoverageReason::Malformed);
        std::fs::remove_file(place.path().join(&path)).unwrap();
        std::fs::create_dir(place.path().join(&path)).unwrap();
        assert_eq!(store().troubles.reason().unwrap().0, CoverageReason::Malformed);
        assert_eq!(read().state, None, "of a tree nobody knows what runs");
    }

    #[test]
    fn a_configuration_or_list_of_users_that_cannot_be_read_is_a_trouble() {
        let (place, target) = tree();
        let look = || {
            let mut troubles = Troubles::default();
            let found = places(&target, &mut troubles);
            (found.len(), troubles.reason().map(|(reason, _)| reason))
        };
        assert_eq!(look(), (0, None));
        let malformed = Some(CoverageReason::Malformed);
        write(place.path(), "etc/containers/storage.conf", "[storage\n");
        assert_eq!(look(), (0, malformed));
        write(place.path(), "etc/containers/storage.conf", "[storage]\ngraphroot = 7\n");
        assert_eq!(look(), (0, malformed));
        let long = "#".repeat(TEXT_BYTES_MAX + 1);
        write(place.path(), "etc/containers/storage.conf", &long);
        assert_eq!(look(), (0, Some(CoverageReason::LimitReached)));
        std::fs::remove_file(place.path().join("etc/containers/storage.conf")).unwrap();
        std::fs::create_dir(place.path().join("etc/passwd")).unwrap();
        assert_eq!(look(), (0, malformed));
    }

    #[test]
    fn an_image_has_its_digests_and_the_size_of_its_layers() {
        let layers = parse_layers(
            br#"[{"id":"l1","diff-size":100},{"id":"l2","parent":"l1","diff-size":20},{"id":"l3","parent":"l3","diff-size":1}]"#,
        )
        .unwrap();
        let images = parse_images(
            br#"[{"id":"bb","digest":"sha256:x","names":["docker.io/library/nginx:1","r:5000/n"],"layer":"l2","big-data-sizes":{"manifest":3}},{"id":"cc","layer":"l3"}]"#,
            &layers,
        )
        .unwrap();
        assert_eq!(images[0].id, "sha256:bb");
        assert_eq!(images[0].size_bytes, Some(123));
        assert_eq!(
            images[0].references,
            [
                "docker.io/library/nginx:1",
                "r:5000/n",
                "docker.io/library/nginx@sha256:x",
                "r:5000/n@sha256:x"
            ]
        );
        assert_eq!(images[1].size_bytes, Some(1000), "a layer that is its own parent ends");
    }

    proptest! {
        #[test]
        fn any_list_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(parse_containers(&bytes));
            drop(parse_layers(&bytes));
            drop(parse_images(&bytes, &Layers::new()));
        }
    }
}
