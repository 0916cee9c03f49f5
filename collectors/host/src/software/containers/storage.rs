//! Containers and images of Podman by its storage, for hosts where its socket is not switched on.
//!
//! Whether a container runs is told by its control group; Podman keeps the rest in a database of its own.

use super::api::{Container, Image, image_id};
use crate::files;
use collector::Target;
use serde::Deserialize;
use std::io;

/// The list of containers of the whole host.
pub(super) const CONTAINERS: &str =
    "/var/lib/containers/storage/overlay-containers/containers.json";
/// The list of images of the whole host.
pub(super) const IMAGES: &str = "/var/lib/containers/storage/overlay-images/images.json";

/// The largest list that is read.
const FILE_BYTES_MAX: usize = 32 << 20;

/// Where the control groups of containers lie.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup/machine.slice", "/sys/fs/cgroup/systemd/machine.slice"];

#[derive(Debug, Deserialize)]
struct ContainerRow {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    image: Option<String>,
    /// JSON inside of a text.
    #[serde(default)]
    metadata: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default, rename = "image-name")]
    image_name: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ImageRow {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
}

type Lists = (Vec<Container>, Vec<Image>);

/// Reads both lists; `None` when there is no storage.
pub(super) fn read(target: &Target) -> io::Result<Option<Lists>> {
    let images = list(target, IMAGES)?;
    let containers = list(target, CONTAINERS)?;
    if images.is_none() && containers.is_none() {
        return Ok(None);
    }
    let images = images.map_or(Ok(Vec::new()), |bytes| parse_images(&bytes))?;
    let mut containers = containers.map_or(Ok(Vec::new()), |bytes| parse_containers(&bytes))?;
    for container in &mut containers {
        let scope = format!("libpod-{}.scope", container.id);
        let is_running =
            CGROUPS.iter().any(|folder| target.path(&format!("{folder}/{scope}")).exists());
        container.state =
            target.is_live().then(|| if is_running { "running" } else { "exited" }.to_owned());
    }
    Ok(Some((containers, images)))
}

fn list(target: &Target, path: &str) -> io::Result<Option<Vec<u8>>> {
    match files::read_limited(&target.path(path), FILE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if files::refusal(&error) == files::Refusal::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse_containers(bytes: &[u8]) -> io::Result<Vec<Container>> {
    let rows: Vec<ContainerRow> = serde_json::from_slice(bytes)?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let metadata: Metadata =
                row.metadata.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            let name = row.names.unwrap_or_default().into_iter().next().or(metadata.name);
            Container {
                name: name.unwrap_or_else(|| row.id.clone()),
                image: metadata.image_name.filter(|name| !name.is_empty()),
                image_id: row.image.filter(|id| !id.is_empty()).map(|id| image_id(&id)),
                id: row.id,
                ..Container::default()
            }
        })
        .collect())
}

fn parse_images(bytes: &[u8]) -> io::Result<Vec<Image>> {
    let rows: Vec<ImageRow> = serde_json::from_slice(bytes)?;
    Ok(rows
        .into_iter()
        .map(|row| Image {
            id: image_id(&row.id),
            references: row.names.unwrap_or_default(),
            ..Image::default()
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_container_names_its_image() {
        let rows = parse_containers(br#"[{"id":"aa","names":["web"],"image":"bb","layer":"cc","metadata":"{\"image-name\":\"docker.io/library/nginx:1\",\"name\":\"web\"}","created":"2024-01-01T00:00:00Z"}]"#).unwrap();
        assert_eq!(rows[0].image.as_deref(), Some("docker.io/library/nginx:1"));
        assert_eq!(rows[0].image_id.as_deref(), Some("sha256:bb"));
        let images = parse_images(
            br#"[{"id":"bb","digest":"sha256:x","names":["docker.io/library/nginx:1"]}]"#,
        )
        .unwrap();
        assert_eq!(images[0].id, "sha256:bb");
    }

    proptest! {
        #[test]
        fn any_list_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(parse_containers(&bytes));
            drop(parse_images(&bytes));
        }
    }
}
