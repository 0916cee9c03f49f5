//! The answers of Docker's engine API, which Podman speaks too: what of them is of use, and rows made of it.
//!
//! Every field may be missing or null, as versions and engines differ in that.

use model::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;

/// The most ports, networks or mounts of one container that are kept.
const PARTS_MAX: usize = 256;

/// A container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: Option<String>,
    pub(super) image_id: Option<String>,
    pub(super) command: Option<String>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) state: Option<String>,
    pub(super) status: Option<String>,
    pub(super) pid: Option<u64>,
    pub(super) ports: Option<Vec<String>>,
    pub(super) networks: Option<Vec<String>>,
    pub(super) mounts: Option<Vec<String>>,
    pub(super) labels: Option<BTreeMap<String, String>>,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) references: Vec<String>,
    pub(super) size_bytes: Option<u64>,
    pub(super) created_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerRow {
    id: String,
    names: Option<Vec<String>>,
    image: Option<String>,
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    command: Option<String>,
    created: Option<i64>,
    ports: Option<Vec<PortRow>>,
    labels: Option<BTreeMap<String, String>>,
    state: Option<String>,
    status: Option<String>,
    network_settings: Option<NetworksRow>,
    mounts: Option<Vec<MountRow>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PortRow {
    #[serde(rename = "IP")]
    ip: Option<String>,
    private_port: Option<u16>,
    public_port: Option<u16>,
    r#type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworksRow {
    networks: Option<BTreeMap<String, Option<NetworkRow>>>,
}

#[derive(Debug, Deserialize)]
struct NetworkRow {
    #[serde(rename = "IPAddress")]
    address: Option<String>,
    #[serde(rename = "GlobalIPv6Address")]
    address_v6: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MountRow {
    r#type: Option<String>,
    name: Option<String>,
    source: Option<String>,
    destination: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImageRow {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    created: Option<i64>,
    size: Option<i64>,
}

/// Parses the answer to `/containers/json`.
pub(super) fn containers(bytes: &[u8]) -> io::Result<Vec<Container>> {
    let rows: Vec<ContainerRow> = serde_json::from_slice(bytes)?;
    Ok(rows.into_iter().map(container).collect())
}

/// Parses the answer to `/images/json`.
pub(super) fn images(bytes: &[u8]) -> io::Result<Vec<Image>> {
    let rows: Vec<ImageRow> = serde_json::from_slice(bytes)?;
    Ok(rows.into_iter().map(image).collect())
}

fn container(row: ContainerRow) -> Container {
    let names = row.names.unwrap_or_default();
    let name = names.first().map_or(row.id.as_str(), |name| name.trim_start_matches('/'));
    let networks = row.network_settings.and_then(|settings| settings.networks);
    Container {
        name: name.to_owned(),
        image: text(row.image),
        image_id: text(row.image_id).map(|id| image_id(&id)),
        command: text(row.command),
        created_at: moment(row.created),
        state: text(row.state),
        status: text(row.status),
        pid: None,
        ports: Some(row.ports.unwrap_or_default().iter().take(PARTS_MAX).map(port).collect()),
        networks: networks.map(|networks| networks.iter().take(PARTS_MAX).map(network).collect()),
        mounts: row
            .mounts
            .map(|mounts| mounts.into_iter().take(PARTS_MAX).filter_map(mount).collect()),
        labels: Some(row.labels.unwrap_or_default()),
        id: row.id,
    }
}

fn text(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

/// Zero is what engines write for never.
fn moment(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.filter(|seconds| *seconds > 0).map(Timestamp::from_seconds)
}

/// An image's id with its algorithm, which Podman leaves out.
pub(super) fn image_id(id: &str) -> String {
    if id.contains(':') { id.to_owned() } else { format!("sha256:{id}") }
}

/// `address:port/protocol -> port`, or `port/protocol` for one that is not published.
fn port(row: &PortRow) -> String {
    let protocol = row.r#type.as_deref().unwrap_or("tcp");
    let private = row.private_port.unwrap_or_default();
    match (row.public_port, row.ip.as_deref()) {
        (Some(public), Some(ip)) if ip.contains(':') => {
            format!("[{ip}]:{public}/{protocol} -> {private}")
        }
        (Some(public), ip) => {
            format!("{}:{public}/{protocol} -> {private}", ip.unwrap_or("0.0.0.0"))
        }
        (None, _) => format!("{private}/{protocol}"),
    }
}

fn network((name, row): (&String, &Option<NetworkRow>)) -> String {
    let addresses = row.iter().flat_map(|row| [&row.address, &row.address_v6]);
    let addresses = addresses.flatten().filter(|address| !address.is_empty());
    addresses.fold(name.clone(), |all, address| format!("{all} {address}"))
}

fn mount(row: MountRow) -> Option<String> {
    let is_volume = row.r#type.as_deref() == Some("volume");
    let source = if is_volume { row.name.or(row.source) } else { row.source.or(row.name) };
    Some(format!("{} -> {}", source.unwrap_or_default(), row.destination?))
}

fn image(row: ImageRow) -> Image {
    let mut references: Vec<String> = row.repo_tags.unwrap_or_default();
    references.extend(row.repo_digests.unwrap_or_default());
    references.retain(|reference| !reference.contains("<none>"));
    Image {
        id: image_id(&row.id),
        references,
        size_bytes: row.size.and_then(|size| u64::try_from(size).ok()),
        created_at: moment(row.created),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_null_or_missing_is_no_error() {
        let rows = containers(include_bytes!("testdata/containers.json")).unwrap();
        assert_eq!(rows[1].name, "ffff");
        assert_eq!(rows[1].created_at, None);
        assert_eq!(containers(b"[]").unwrap(), []);
        assert!(containers(b"{\"message\":\"no\"}").is_err());
    }

    #[test]
    fn an_image_is_read() {
        let rows = images(br#"[{"Id":"aaaa","RepoTags":["a:1","<none>:<none>"],"RepoDigests":["a@sha256:b"],"Created":1700000000,"Size":5}]"#).unwrap();
        assert_eq!(rows[0].id, "sha256:aaaa");
        assert_eq!(rows[0].references, ["a:1", "a@sha256:b"]);
        assert_eq!(rows[0].size_bytes, Some(5));
    }

    proptest! {
        #[test]
        fn any_answer_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(containers(&bytes));
            drop(images(&bytes));
        }
    }
}
