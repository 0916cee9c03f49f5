//! What the host collector says of containers and images, held against what real engines say of theirs.
#![expect(clippy::indexing_slicing, reason = "indexing JSON gives null where there is nothing")]

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use system_tests::machines::engines::Engines;
use system_tests::machines::wait_until;
use system_tests::rig::Binaries;

/// A process is told after five seconds, so that those of commands are not.
const PROCESSES_MAX: Duration = Duration::from_secs(30);

const IMAGE: &str = "localhost/example/web:1.0";

/// What the agent says of one engine.
#[derive(Debug)]
struct Seen {
    containers: BTreeMap<String, Value>,
    images: BTreeMap<String, Value>,
    coverage: Value,
    failures: Value,
}

fn start() -> Result<Engines> {
    Engines::start(&Binaries::find()?.path("dharma-agent"))
}

fn lines(engines: &Engines, scope: &str) -> Result<Vec<Value>> {
    let said = engines.run(&["dharma-agent", "collect", scope, "--json"])?;
    Ok(said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn look(engines: &Engines, engine: &str) -> Result<Seen> {
    let lines = lines(engines, "host.containers")?;
    let of = |class: &str, key: &str| {
        lines
            .iter()
            .filter(|line| line["class"] == class && line["facts"]["engine"] == engine)
            .filter_map(|line| Some((line["facts"][key].as_str()?.to_owned(), line.clone())))
            .collect()
    };
    let end = lines.last().context("the agent says nothing")?;
    Ok(Seen {
        containers: of("container", "container_id"),
        images: of("container_image", "image_id"),
        coverage: end["coverage"].clone(),
        failures: end["failures"].clone(),
    })
}

fn parsed(engines: &Engines, command: &[&str]) -> Result<Vec<Value>> {
    Ok(serde_json::from_str(&engines.run(command)?)?)
}

/// Containers in every state: one with all that can be given, never started, ended, paused, removed when it ends.
fn fill(engines: &Engines, engine: &str) -> Result<()> {
    let run = |arguments: &[&str]| engines.run(&[&[engine][..], arguments].concat());
    run(&["import", "--change", "CMD [\"sleep\",\"1000000\"]", "/image.tar", IMAGE])?;
    run(&["tag", IMAGE, "localhost/example/other:2"])?;
    let publish = ["-p", "8080:80", "-p", "127.0.0.1:8100-8102:90-92/udp"];
    let mounts = ["-v", "/tmp:/data:ro", "-v", "files:/files"];
    let web = ["run", "-d", "--name", "web", "--label", "role=front"];
    run(&[&web[..], &publish, &mounts, &[IMAGE]].concat())?;
    run(&["create", "--name", "made", "--entrypoint", "sleep", IMAGE, "5"])?;
    run(&["create", "--name", "ended", IMAGE, "sh", "-c", "exit 3"])?;
    run(&["start", "ended"])?;
    run(&["wait", "ended"])?;
    run(&["run", "-d", "--name", "held", IMAGE])?;
    run(&["pause", "held"])?;
    run(&["run", "-d", "--rm", "--name", "gone", IMAGE, "sleep", "7777777"])?;
    Ok(())
}

/// To the second, as the agent prints it.
fn moment(said: &Value) -> Value {
    let said = said.as_str().unwrap_or_default();
    json!(format!("{}Z", said.get(..19).unwrap_or_default().replace('T', " ")))
}

fn digest(id: &Value) -> Value {
    let id = id.as_str().unwrap_or_default();
    json!(format!("sha256:{}", id.trim_start_matches("sha256:")))
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn set(value: &Value) -> Value {
    json!(words(value).into_iter().collect::<BTreeSet<_>>())
}

fn ports(said: &Value) -> Value {
    let mut ports = BTreeSet::new();
    for (inside, places) in said.as_object().into_iter().flatten() {
        let (port, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        for place in places.as_array().into_iter().flatten() {
            let ip = match place["HostIp"].as_str() {
                None | Some("") => "0.0.0.0".to_owned(),
                Some(ip) if ip.contains(':') => format!("[{ip}]"),
                Some(ip) => ip.to_owned(),
            };
            let host = place["HostPort"].as_str().unwrap_or_default();
            ports.insert(format!("{ip}:{host}/{protocol} -> {port}"));
        }
    }
    json!(ports)
}

fn networks(said: &Value) -> Value {
    let networks = said.as_object().into_iter().flatten().map(|(name, network)| {
        let address = network["IPAddress"].as_str().unwrap_or_default();
        format!("{name} {address}").trim_end().to_owned()
    });
    json!(networks.collect::<BTreeSet<_>>())
}

fn mounts(said: &Value) -> Value {
    let mounts = said.as_array().into_iter().flatten().map(|mount| {
        let source = if mount["Type"] == "volume" { &mount["Name"] } else { &mount["Source"] };
        let words = [source, &mount["Destination"]].map(|word| word.as_str().unwrap_or_default());
        words.join(" -> ")
    });
    json!(mounts.collect::<BTreeSet<_>>())
}

/// What `inspect` says of a container, by attribute. Podman and Docker have the same form, but for two names.
fn inspected(said: &Value) -> BTreeMap<&'static str, Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let image =
        if said["ImageName"].is_null() { &said["Config"]["Image"] } else { &said["ImageName"] };
    let mut command = vec![text(&said["Path"])];
    command.extend(words(&said["Args"]));
    let labels = &said["Config"]["Labels"];
    let pid = &said["State"]["Pid"];
    BTreeMap::from([
        ("container_id", said["Id"].clone()),
        ("name", json!(text(&said["Name"]).trim_start_matches('/'))),
        ("image", image.clone()),
        ("image_id", digest(&said["Image"])),
        ("state", said["State"]["Status"].clone()),
        ("created_at", moment(&said["Created"])),
        ("command", json!(command.join(" "))),
        ("labels", if labels.is_null() { json!({}) } else { labels.clone() }),
        ("ports", ports(&said["NetworkSettings"]["Ports"])),
        ("networks", networks(&said["NetworkSettings"]["Networks"])),
        ("mounts", mounts(&said["Mounts"])),
        ("pid", if *pid == 0 { Value::Null } else { pid.clone() }),
    ])
}

/// An attribute as it was seen; lists without their order, and a command without the quotes that Docker puts in.
fn seen(container: &Value, attribute: &str) -> Value {
    match attribute {
        "pid" => container["readings"]["pid"].clone(),
        "ports" | "networks" | "mounts" | "references" => set(&container["facts"][attribute]),
        "command" => {
            json!(container["facts"]["command"].as_str().unwrap_or_default().replace('\'', ""))
        }
        _ => container["facts"][attribute].clone(),
    }
}

fn differences(expected: &BTreeMap<&'static str, Value>, ours: Option<&Value>) -> Vec<String> {
    let Some(ours) = ours else { return vec![format!("not seen: {expected:?}")] };
    expected
        .iter()
        .filter(|(attribute, said)| seen(ours, attribute) != **said)
        .map(|(attribute, said)| {
            let name = &ours["facts"]["name"];
            format!("{name} {attribute}: {said} / {}", seen(ours, attribute))
        })
        .collect()
}

/// Every container and image as `inspect` says, none missing and none too many.
fn compare(engines: &Engines, engine: &str, seen: &Seen) -> Result<()> {
    let list = |command: &[&str]| -> Result<Vec<String>> {
        let said = engines.run(&[&[engine][..], command].concat())?;
        Ok(said.lines().map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect())
    };
    let inspect = |kind: &str, ids: &[String]| {
        let mut command = vec![engine, kind, "inspect"];
        command.extend(ids.iter().map(String::as_str));
        parsed(engines, &command)
    };
    let ids = list(&["ps", "-aq", "--no-trunc"])?;
    let mut found = Vec::new();
    for said in inspect("container", &ids)? {
        let id = said["Id"].as_str().unwrap_or_default();
        found.extend(differences(&inspected(&said), seen.containers.get(id)));
    }
    let images = list(&["images", "-q", "--no-trunc"])?;
    for said in inspect("image", &images)? {
        let mut references: BTreeSet<String> = words(&said["RepoTags"]).into_iter().collect();
        references.extend(words(&said["RepoDigests"]));
        let id = digest(&said["Id"]);
        let expected = BTreeMap::from([
            ("references", json!(references)),
            ("size_bytes", said["Size"].clone()),
            ("created_at", moment(&said["Created"])),
            ("image_id", id.clone()),
        ]);
        found.extend(differences(&expected, seen.images.get(id.as_str().unwrap_or_default())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!((ids.len(), images.len()), (seen.containers.len(), seen.images.len()));
    Ok(())
}

fn named<'a>(seen: &'a Seen, name: &str) -> Result<&'a Value> {
    let mut containers = seen.containers.values();
    let found = containers.find(|container| container["facts"]["name"] == name);
    found.with_context(|| format!("{name} was not seen"))
}

/// The first process of a container is told as one of its instances, once it is old enough to be told.
fn assert_processes_belong(engines: &Engines, seen: &Seen, names: &[&str]) -> Result<()> {
    let mut processes = Vec::new();
    let of = |processes: &[Value], container: &Value| {
        let pid = &container["readings"]["pid"];
        let is_its = |line: &&Value| line["class"] == "process" && line["readings"]["pid"] == *pid;
        processes.iter().find(is_its).cloned()
    };
    let containers = names.iter().map(|name| named(seen, name)).collect::<Result<Vec<_>>>()?;
    wait_until("the processes of all containers are seen", PROCESSES_MAX, || {
        processes = lines(engines, "host.processes")?;
        Ok(containers.iter().all(|container| of(&processes, container).is_some()))
    })?;
    for container in containers {
        let process = of(&processes, container).unwrap_or_default();
        let relations = process["relations"].as_array().cloned().unwrap_or_default();
        let key = &container["native_key"];
        let is_its = relations.iter().any(|relation| relation["target"]["native_key"] == *key);
        assert!(is_its, "{key}: {relations:?}");
    }
    Ok(())
}

#[test]
fn containers_of_podman_are_as_podman_says() -> Result<()> {
    let mut engines = start()?;
    fill(&engines, "podman")?;
    let alone = look(&engines, "podman")?;
    assert_eq!(alone.coverage["status"], "complete");
    assert_eq!(alone.failures, json!([]));
    compare(&engines, "podman", &alone)?;
    let states: BTreeSet<&str> =
        alone.containers.values().filter_map(|seen| seen["facts"]["state"].as_str()).collect();
    assert_eq!(states, BTreeSet::from(["created", "exited", "paused", "running"]));
    assert_processes_belong(&engines, &alone, &["web", "held", "gone"])?;

    engines.run(&["mkdir", "-p", "/run/podman"])?;
    let socket = "unix:///run/podman/podman.sock";
    engines.serve(
        &["podman", "system", "service", "-t", "0", socket],
        &["podman", "--url", socket, "version"],
    )?;
    let by_socket = look(&engines, "podman")?;
    compare(&engines, "podman", &by_socket)?;
    assert!(!named(&by_socket, "web")?["readings"]["status"].is_null(), "the socket was asked");

    // A service that ended leaves its socket; a container that was killed with its helper leaves its record.
    engines.end_service("podman")?;
    let web = parsed(&engines, &["podman", "inspect", "web"])?;
    for process in ["ConmonPid", "Pid"] {
        engines.run(&["busybox", "kill", "-9", &web[0]["State"][process].to_string()])?;
    }
    wait_until("the killed container is told as exited", PROCESSES_MAX, || {
        let after = look(&engines, "podman")?;
        assert_eq!(after.coverage["status"], "complete");
        let web = named(&after, "web")?;
        Ok(web["facts"]["state"] == "exited" && web["readings"]["pid"].is_null())
    })
}

#[test]
fn containers_of_podman_without_overlay_are_as_podman_says() -> Result<()> {
    let engines = start()?;
    std::fs::write(
        engines.path("/etc/containers/storage.conf"),
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"/var/lib/containers/other\"\nrunroot = \"/run/other\"\n",
    )?;
    fill(&engines, "podman")?;
    let seen = look(&engines, "podman")?;
    assert_eq!(seen.containers.len(), 5);
    compare(&engines, "podman", &seen)
}

#[test]
fn containers_of_docker_are_as_docker_says() -> Result<()> {
    let mut engines = start()?;
    engines.serve(&["dockerd"], &["docker", "version"])?;
    fill(&engines, "docker")?;
    let seen = look(&engines, "docker")?;
    assert_eq!(seen.coverage["status"], "complete");
    compare(&engines, "docker", &seen)?;
    assert_processes_belong(&engines, &seen, &["web", "held", "gone"])?;

    // Its containers are not told as gone when it does not run.
    engines.end_service("dockerd")?;
    let after = look(&engines, "docker")?;
    assert_eq!(after.coverage["reason"], "unreachable", "{}", after.coverage);
    Ok(())
}

/// What `ctr` says of a container, with the state of its task, by attribute.
fn described(
    engines: &Engines,
    namespace: &str,
    id: &str,
    image: &Value,
) -> Result<BTreeMap<&'static str, Value>> {
    let ctr = ["ctr", "-n", namespace];
    let said: Value =
        serde_json::from_str(&engines.run(&[&ctr[..], &["containers", "info", id]].concat())?)?;
    let tasks = engines.run(&[&ctr[..], &["tasks", "ls"]].concat())?;
    let task = tasks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&id));
    let (pid, state) = match task.as_deref() {
        Some([_, pid, "RUNNING"]) => (json!(pid.parse::<u64>()?), "running"),
        Some([_, pid, "PAUSED"]) => (json!(pid.parse::<u64>()?), "paused"),
        Some([_, _, "STOPPED"]) => (Value::Null, "exited"),
        Some(other) => anyhow::bail!("a task in another state: {other:?}"),
        None => (Value::Null, "created"),
    };
    let mut labels = said["Labels"].clone();
    labels["containerd/namespace"] = json!(namespace);
    Ok(BTreeMap::from([
        ("name", json!(id)),
        ("container_id", json!(format!("{namespace}/{id}"))),
        ("image", said["Image"].clone()),
        ("image_id", image.clone()),
        ("state", json!(state)),
        ("pid", pid),
        ("created_at", moment(&said["CreatedAt"])),
        ("command", json!(words(&said["Spec"]["process"]["args"]).join(" "))),
        ("labels", labels),
    ]))
}

/// As [`fill`], with what `ctr` can; gives what Podman says of the same image.
fn fill_containerd(engines: &Engines) -> Result<Value> {
    let command = "CMD [\"sleep\",\"1000000\"]";
    engines.run(&["podman", "import", "--change", command, "/image.tar", IMAGE])?;
    engines.run(&["podman", "save", "--format", "docker-archive", "-o", "/web.tar", IMAGE])?;
    for namespace in ["default", "other"] {
        let ctr = ["ctr", "-n", namespace];
        engines.run(&[&ctr[..], &["images", "import", "/web.tar"]].concat())?;
        let create = ["containers", "create", IMAGE, "made", "sleep", "5"];
        engines.run(&[&ctr[..], &create].concat())?;
    }
    // The share of the processor needs a controller that is not everywhere.
    let run = ["ctr", "run", "-d", "--cpu-shares", "0"];
    let bind = "type=bind,src=/tmp,dst=/data,options=rbind:ro";
    engines.run(&[&run[..], &["--label", "tier=front", "--mount", bind, IMAGE, "web"]].concat())?;
    engines.run(&[&run[..], &[IMAGE, "held"]].concat())?;
    engines.run(&["ctr", "tasks", "pause", "held"])?;
    engines.run(&[&run[..], &["--null-io", IMAGE, "ended", "sh", "-c", "true"]].concat())?;
    wait_until("the task ended", PROCESSES_MAX, || {
        Ok(engines.run(&["ctr", "tasks", "ls"])?.contains("STOPPED"))
    })?;
    let mut said = parsed(engines, &["podman", "image", "inspect", IMAGE])?;
    said.pop().context("Podman has no image")
}

/// The image as `ctr` lists it, and with the same configuration as Podman's.
fn compare_image(engines: &Engines, podmans: &Value, seen: &Seen) -> Result<()> {
    assert_eq!(seen.images.len(), 1, "one image in two namespaces");
    let ours = seen.images.values().next().context("no image")?;
    let listed = engines.run(&["ctr", "images", "ls"])?;
    let row = listed.lines().nth(1).context("ctr lists no image")?;
    let fields: Vec<&str> = row.split_whitespace().collect();
    let references = json!([fields[0], format!("localhost/example/web@{}", fields[2])]);
    assert_eq!(ours["facts"]["references"], references, "{row}");
    assert_eq!(ours["facts"]["image_id"], digest(&podmans["Id"]));
    assert_eq!(ours["facts"]["created_at"], moment(&podmans["Created"]));
    let bytes = ours["facts"]["size_bytes"].as_f64().context("no size")?;
    assert_eq!(format!("{:.1} MiB", bytes / f64::from(1 << 20)), fields[3..5].join(" "));
    Ok(())
}

#[test]
fn containers_of_containerd_are_as_ctr_says() -> Result<()> {
    let mut engines = start()?;
    engines.serve(&["containerd"], &["ctr", "version"])?;
    let podmans = fill_containerd(&engines)?;
    let seen = look(&engines, "containerd")?;
    assert_eq!(seen.coverage["status"], "complete");
    assert_eq!(seen.failures, json!([]));
    let all = [
        ("default", "made"),
        ("default", "web"),
        ("default", "held"),
        ("default", "ended"),
        ("other", "made"),
    ];
    let mut found = Vec::new();
    for (namespace, id) in all {
        let expected = described(&engines, namespace, id, &digest(&podmans["Id"]))?;
        let ours = seen.containers.get(&format!("{namespace}/{id}"));
        found.extend(differences(&expected, ours));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(seen.containers.len(), all.len());
    let mounts = set(&named(&seen, "web")?["facts"]["mounts"]);
    assert_eq!(mounts, json!(["/tmp -> /data"]));
    compare_image(&engines, &podmans, &seen)?;

    // Everything is told without its service, which ends without its containers.
    engines.end_service("containerd")?;
    assert_eq!(look(&engines, "containerd")?.containers, seen.containers);
    Ok(())
}
