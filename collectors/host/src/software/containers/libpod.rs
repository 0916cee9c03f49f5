//! What Podman itself keeps of its containers: a bbolt file up to Podman 4, and files below its state folders.
//!
//! From Podman 5 on the database is SQLite, which is not read here: then labels, ports and networks are only told
//! by Podman's socket, and the rest by what Podman leaves beside its containers.

use super::alive::{self, Life};
use super::api::{self, Container, image_id};
use super::bolt::{self, Database, Entries};
use super::storage::Beside;
use super::troubles::{self, Troubles};
use crate::files;
use collector::Target;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The most ports of one published range that are told one by one.
const RANGE_MAX: u16 = 256;

/// The largest description of a container (OCI runtime configuration) that is read.
const FILE_BYTES_MAX: usize = 1 << 20;

/// What a container was made with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    id: String,
    name: String,
    #[serde(rename = "rootfsImageID")]
    image_id: Option<String>,
    #[serde(rename = "rootfsImageName")]
    image: Option<String>,
    spec: Option<Spec>,
    command: Option<Vec<String>>,
    #[serde(rename = "createdTime")]
    created: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(rename = "newPortMappings")]
    ports: Option<Vec<Port>>,
    #[serde(rename = "namedVolumes")]
    volumes: Option<Vec<Volume>>,
    #[serde(rename = "userVolumes")]
    user_volumes: Option<Vec<String>>,
}

/// The part of an OCI runtime configuration that is of use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
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
    destination: String,
    source: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    host_ip: String,
    container_port: u16,
    host_port: u16,
    range: u16,
    protocol: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Volume {
    #[serde(rename = "volumeName")]
    name: String,
    dest: String,
}

/// What became of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    state: u8,
    pid: Option<u64>,
    #[serde(rename = "exitCode")]
    exit_code: Option<i32>,
    #[serde(rename = "networkStatus")]
    networks: Option<BTreeMap<String, Network>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    interfaces: Option<BTreeMap<String, Interface>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Interface {
    subnets: Option<Vec<Subnet>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subnet {
    ipnet: String,
}

/// The containers of Podman's database; `None` when it has none of this kind.
pub(super) fn database(
    target: &Target,
    file: &Path,
    troubles: &mut Troubles,
) -> io::Result<Option<BTreeMap<String, Container>>> {
    match bolt::look(file, |database| read(target, database)) {
        Ok((containers, others)) => {
            troubles.extend(others);
            Ok(Some(containers))
        }
        Err(error) if files::refusal(&error) == files::Refusal::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

type Read = (BTreeMap<String, Container>, Troubles);

fn read(target: &Target, database: &Database) -> io::Result<Read> {
    let (mut containers, mut troubles) = Read::default();
    let Some(bucket) = database.at(&["ctr"])? else { return Ok((containers, troubles)) };
    database.each(&bucket, |id, entries| {
        let names = match entries.buckets.get("networks") {
            Some(networks) => database.entries(networks)?.values.into_keys().collect(),
            None => Vec::new(),
        };
        if containers.len() <= super::ITEMS_MAX {
            let found = container(target, id.clone(), &entries, names, &mut troubles);
            containers.insert(id, found);
        }
        Ok(())
    })?;
    Ok((containers, troubles))
}

fn container(
    target: &Target,
    id: String,
    entries: &Entries,
    networks: Vec<String>,
    troubles: &mut Troubles,
) -> Container {
    let configuration: Configuration = parsed(entries, "config", &id, troubles);
    let state: State = parsed(entries, "state", &id, troubles);
    let mut container = made(configuration, id);
    container.networks = Some(attached(networks, &state));
    let (told, pid) = current(target, &state, &container.id);
    container.state = told.map(str::to_owned);
    container.pid = pid;
    if told == Some("exited") && state.state != 3 {
        container.status = Some(format!("Exited ({})", state.exit_code.unwrap_or_default()));
    }
    container
}

/// What an entry of a container says; nothing when there is none or it is torn.
fn parsed<T: Default + for<'de> Deserialize<'de>>(
    entries: &Entries,
    key: &str,
    id: &str,
    troubles: &mut Troubles,
) -> T {
    let Some(bytes) = entries.values.get(key) else { return T::default() };
    troubles::json(bytes).unwrap_or_else(|error| {
        troubles.add(format!("the {key} of the container {id} in Podman's database"), error);
        T::default()
    })
}

/// What its configuration tells.
fn made(configuration: Configuration, id: String) -> Container {
    let spec = configuration.spec.unwrap_or_default();
    // The arguments have the image's entry point before the command.
    let arguments = spec.process.and_then(|process| process.args).or(configuration.command);
    let mounts = spec.mounts.unwrap_or_default();
    let is_users = |place: &String| {
        configuration.user_volumes.as_ref().is_some_and(|places| places.contains(place))
    };
    let volumes = configuration.volumes.unwrap_or_default();
    let mounts = volumes
        .iter()
        .map(|volume| format!("{} -> {}", volume.name, volume.dest))
        .chain(
            mounts
                .iter()
                .filter(|mount| is_users(&mount.destination))
                .map(|mount| format!("{} -> {}", mount.source, mount.destination)),
        )
        .take(api::PARTS_MAX)
        .collect();
    let ports = configuration.ports.unwrap_or_default();
    let name = Some(configuration.name).filter(|name| !name.is_empty());
    Container {
        name: name.unwrap_or_else(|| id.clone()),
        image: configuration.image.filter(|image| !image.is_empty()),
        image_id: configuration.image_id.filter(|id| !id.is_empty()).map(|id| image_id(&id)),
        command: arguments.map(|all| all.join(" ")).filter(|command| !command.is_empty()),
        created_at: configuration.created.and_then(|moment| api::parse_moment(&moment)),
        ports: Some(ports.iter().flat_map(published).take(api::PARTS_MAX).collect()),
        mounts: Some(mounts),
        labels: Some(configuration.labels.unwrap_or_default()),
        id,
        ..Container::default()
    }
}

/// Each port of a published range.
fn published(port: &Port) -> impl Iterator<Item = String> {
    let (ip, protocol) = (port.host_ip.clone(), port.protocol.clone());
    let (first, inside) = (port.host_port, port.container_port);
    (0..port.range.clamp(1, RANGE_MAX)).map(move |step| {
        api::published(
            Some(ip.as_str()).filter(|ip| !ip.is_empty()),
            first.saturating_add(step),
            Some(protocol.as_str()).filter(|protocol| !protocol.is_empty()),
            inside.saturating_add(step),
        )
    })
}

/// The networks by name, with the addresses that it has there while it runs.
fn attached(mut names: Vec<String>, state: &State) -> Vec<String> {
    let empty = BTreeMap::new();
    let status = state.networks.as_ref().unwrap_or(&empty);
    names.extend(status.keys().cloned());
    names.sort_unstable();
    names.dedup();
    names.truncate(api::PARTS_MAX);
    for name in &mut names {
        let interfaces = status.get(name).and_then(|network| network.interfaces.as_ref());
        let subnets = interfaces.into_iter().flat_map(BTreeMap::values);
        for subnet in subnets.filter_map(|interface| interface.subnets.as_ref()).flatten() {
            let address = subnet.ipnet.split('/').next().unwrap_or_default();
            *name = format!("{name} {address}");
        }
    }
    names
}

/// Podman's word for the state, and the process when it has one. Its record of what runs is checked with the kernel,
/// as nobody corrects it after a restart of the host; of a tree that does not run it tells nothing.
fn current(target: &Target, state: &State, id: &str) -> (Option<&'static str>, Option<u64>) {
    match state.state {
        1 => (Some("created"), None),
        2 => (Some("initialized"), None),
        3 | 5 if !target.is_live() => (None, None),
        3 | 5 | 8 => match state.pid.map(|pid| (pid, alive::life(target, pid, id))) {
            Some((pid, Life::Paused)) => (Some("paused"), Some(pid)),
            Some((pid, Life::Running)) => (Some("running"), Some(pid)),
            Some((_, Life::Ended)) | None => (Some("exited"), None),
        },
        4 => (Some("stopped"), None),
        6 => (Some("exited"), None),
        7 => (Some("removing"), None),
        _ => (None, None),
    }
}

/// What the files beside a container tell, for a Podman whose database is not read.
pub(super) fn beside(
    target: &Target,
    container: &mut Container,
    folders: &Beside,
    troubles: &mut Troubles,
) {
    let data = |folder: &str, file: &str| {
        target.path(&format!("{folder}/{}/userdata/{file}", container.id))
    };
    // Written when a container is first started.
    let path = data(&folders.persistent, "config.json");
    let was_started = match std::fs::metadata(&path) {
        Ok(_) => true,
        Err(error) => files::refusal(&error) != files::Refusal::NotFound,
    };
    let spec: Option<Spec> = troubles.parsed(&path, FILE_BYTES_MAX, troubles::json);
    let process = spec.unwrap_or_default().process;
    let arguments = process.and_then(|process| process.args).unwrap_or_default();
    container.command = Some(arguments.join(" ")).filter(|command| !command.is_empty());
    if !target.is_live() {
        container.state = (!was_started).then(|| "created".to_owned());
        return;
    }
    let Some(pid) = troubles.process(&data(&folders.run, "pidfile")) else { return };
    let life = pid.map_or(Life::Ended, |pid| alive::life(target, pid, &container.id));
    container.pid = pid.filter(|_| life != Life::Ended);
    container.state = Some(match (life, was_started) {
        (Life::Running, _) => "running".to_owned(),
        (Life::Paused, _) => "paused".to_owned(),
        (Life::Ended, true) => "exited".to_owned(),
        (Life::Ended, false) => "created".to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_entry_is_a_trouble_and_its_container_is_told() {
        let target = Target::own_host("t", "s");
        let look = |entries: &[(&str, &str)]| {
            let values =
                entries.iter().map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec()));
            let entries = Entries { values: values.collect(), ..Entries::default() };
            let mut troubles = Troubles::default();
            let found = container(&target, "aa".to_owned(), &entries, Vec::new(), &mut troubles);
            assert_eq!(found.id, "aa");
            (found.name, found.state, troubles.reason().map(|(_, detail)| detail))
        };
        let (name, state, trouble) =
            look(&[("config", r#"{"name":"we"#), ("state", r#"{"state":1}"#)]);
        assert_eq!((name.as_str(), state.as_deref()), ("aa", Some("created")));
        assert!(trouble.unwrap().contains("the config of the container aa"));
        let (name, state, trouble) = look(&[("config", r#"{"name":"web"}"#), ("state", "[]]")]);
        assert_eq!((name.as_str(), state), ("web", None));
        assert!(trouble.unwrap().contains("the state of the container aa"));
        assert_eq!(look(&[]).2, None);
    }
}
