//! The answers of Docker's engine API, which Podman speaks too: what of them is of use, and rows made of it.
//!
//! Every field may be missing or null, as versions and engines differ in that.

use model::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;

/// The most ports, networks or mounts of one container that are kept.
pub(super) const PARTS_MAX: usize = 256;

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

impl Container {
    /// With what it leaves open filled from another description of the same container.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            id: self.id,
            name: self.name,
            image: self.image.or(other.image),
            image_id: self.image_id.or(other.image_id),
            command: self.command.or(other.command),
            created_at: self.created_at.or(other.created_at),
            state: self.state.or(other.state),
            status: self.status.or(other.status),
            pid: self.pid.or(other.pid),
            ports: self.ports.or(other.ports),
            networks: self.networks.or(other.networks),
            mounts: self.mounts.or(other.mounts),
            labels: self.labels.or(other.labels),
        }
    }
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

/// Zero, and before it, is what engines write for never.
pub(super) fn moment(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.filter(|seconds| *seconds > 0).map(Timestamp::from_seconds)
}

/// An image's id with its algorithm, which Podman leaves out.
pub(super) fn image_id(id: &str) -> String {
    if id.contains(':') { id.to_owned() } else { format!("sha256:{id}") }
}

/// A reference without its tag or digest. A colon before the last slash is that of a port.
pub(super) fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// `address:port/protocol -> port`, or `port/protocol` for one that is not published.
fn port(row: &PortRow) -> String {
    let private = row.private_port.unwrap_or_default();
    match row.public_port {
        Some(public) => published(row.ip.as_deref(), public, row.r#type.as_deref(), private),
        None => format!("{private}/{}", row.r#type.as_deref().unwrap_or("tcp")),
    }
}

/// `address:port/protocol -> port`.
pub(super) fn published(
    ip: Option<&str>,
    public: u16,
    protocol: Option<&str>,
    private: u16,
) -> String {
    let protocol = protocol.unwrap_or("tcp");
    match ip.filter(|ip| !ip.is_empty()) {
        Some(ip) if ip.contains(':') => format!("[{ip}]:{public}/{protocol} -> {private}"),
        ip => format!("{}:{public}/{protocol} -> {private}", ip.unwrap_or("0.0.0.0")),
    }
}

/// A moment as engines write it into their files (RFC 3339), to the second.
pub(super) fn parse_moment(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once('T')?;
    let (time, offset) = match rest.split_once(['Z', '+']) {
        Some((time, offset)) => (time, (1, offset)),
        None => rest.split_once('-').map(|(time, offset)| (time, (-1, offset)))?,
    };
    let time = time.split('.').next()?;
    let numbers = |text: &str, mark: char| -> Option<Vec<i64>> {
        text.split(mark).map(|part| part.parse::<u16>().ok().map(i64::from)).collect()
    };
    let ([year, month, day], [hour, minute, second]) =
        (<[i64; 3]>::try_from(numbers(date, '-')?).ok()?, numbers(time, ':')?.try_into().ok()?);
    let ahead = match offset {
        (_, "") => 0,
        (sign, offset) => {
            let [hours, minutes] = <[i64; 2]>::try_from(numbers(offset, ':')?).ok()?;
            sign * (hours * 3600 + minutes * 60)
        }
    };
    // Days of the Gregorian calendar, with years that begin in March, so that a leap day is the last one.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day;
    // The number of the first of January 1970 by the same count.
    let days = days - 719_469;
    moment(Some(days * 86_400 + hour * 3600 + minute * 60 + second - ahead))
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
    fn a_moment_is_read_to_the_second() {
        for (text, seconds) in [
            ("2026-11-25T10:06:57.121014687Z", Some(1_795_601_217)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199)),
            ("2024-03-01T02:00:00.5+02:00", Some(1_709_251_200)),
            ("2024-02-29T19:00:00-05:00", Some(1_709_251_200)),
            ("0001-01-01T00:00:00Z", None),
            ("2024-03-01", None),
            ("2024-03T1:2:3Z", None),
            ("", None),
        ] {
            assert_eq!(parse_moment(text), seconds.map(Timestamp::from_seconds), "{text}");
        }
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

        #[test]
        fn any_moment_is_parsed_without_panic(text in ".{0,40}|[0-9]{1,6}-[0-9]{1,6}-[0-9]{1,6}T[0-9:.+Z-]{0,30}") {
            parse_moment(&text);
        }
    }
}
