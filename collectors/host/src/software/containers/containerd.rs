//! Running containers of containerd, by the folders in which it keeps a bundle for each task.
//!
//! Containerd's own interface is gRPC; what runs is told by these folders without it. Docker's containers lie here
//! too, in a namespace of their own, and are left to Docker.

use super::ITEMS_MAX;
use super::api::Container;
use crate::files;
use collector::Target;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;

/// The folder with a folder for each namespace.
pub(super) const STATE: &str = "/run/containerd/io.containerd.runtime.v2.task";

/// The largest description of a container (OCI runtime configuration) that is read.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Namespaces whose containers another engine tells.
const OTHERS: &[&str] = &["moby"];

#[derive(Debug, Deserialize)]
struct Configuration {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    process: Option<Process>,
}

#[derive(Debug, Deserialize)]
struct Process {
    #[serde(default)]
    args: Option<Vec<String>>,
}

/// Reads the running containers; `None` when containerd is not there.
pub(super) fn read(target: &Target) -> io::Result<Option<Vec<Container>>> {
    let state = target.path(STATE);
    let namespaces = match files::list_dir(&state) {
        Ok(namespaces) => namespaces,
        Err(error) if files::refusal(&error) == files::Refusal::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut containers = Vec::new();
    for namespace in namespaces.iter().filter(|namespace| !OTHERS.contains(&namespace.as_str())) {
        let folder = target.below(&state, namespace);
        for id in files::list_dir(&folder)? {
            if containers.len() > ITEMS_MAX {
                return Ok(Some(containers));
            }
            let bundle = target.below(&folder, &id);
            let bytes = files::read_limited(&target.below(&bundle, "config.json"), FILE_BYTES_MAX)
                .unwrap_or_default();
            let mut container = parse(&bytes, namespace, &id);
            container.pid = files::read_number(&target.below(&bundle, "init.pid"));
            containers.push(container);
        }
    }
    Ok(Some(containers))
}

/// Reads what a bundle says; of Kubernetes' containers the annotations tell the rest.
fn parse(bytes: &[u8], namespace: &str, id: &str) -> Container {
    let configuration: Option<Configuration> = serde_json::from_slice(bytes).ok();
    let (annotations, process) = configuration
        .map(|configuration| (configuration.annotations.unwrap_or_default(), configuration.process))
        .unwrap_or_default();
    let annotation = |name: &str| annotations.get(&format!("io.kubernetes.cri.{name}")).cloned();
    let pod = annotation("sandbox-name");
    let name = match (annotation("container-name"), pod) {
        (Some(container), Some(pod)) => format!("{pod}/{container}"),
        (None, Some(pod)) => format!("{pod}/pause"),
        (Some(container), None) => container,
        (None, None) => annotations.get("nerdctl/name").cloned().unwrap_or_else(|| id.to_owned()),
    };
    let mut labels: BTreeMap<String, String> = annotations
        .iter()
        .filter(|(name, _)| name.len() < 100)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    labels.insert("containerd/namespace".to_owned(), namespace.to_owned());
    let command = process.and_then(|process| process.args).map(|args| args.join(" "));
    Container {
        id: id.to_owned(),
        name,
        image: annotation("image-name"),
        command: command.filter(|command| !command.is_empty()),
        state: Some("running".to_owned()),
        labels: Some(labels),
        ..Container::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_container_of_kubernetes_is_named_after_its_pod() {
        let place = tempfile::tempdir().unwrap();
        let bundle = place.path().join("run/containerd/io.containerd.runtime.v2.task/k8s.io/aabb");
        std::fs::create_dir_all(&bundle).unwrap();
        std::fs::create_dir_all(
            place.path().join("run/containerd/io.containerd.runtime.v2.task/moby/ccdd"),
        )
        .unwrap();
        std::fs::write(bundle.join("config.json"), r#"{"process":{"args":["/web","--x"]},"annotations":{"io.kubernetes.cri.container-name":"web","io.kubernetes.cri.sandbox-name":"shop-1","io.kubernetes.cri.image-name":"registry.example.org/web:1"}}"#).unwrap();
        std::fs::write(bundle.join("init.pid"), "4242").unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: place.path().to_owned() };
        let containers = read(&target).unwrap().unwrap();
        assert_eq!(containers.len(), 1);
        assert_eq!(containers[0].name, "shop-1/web");
        assert_eq!(containers[0].pid, Some(4242));
        assert_eq!(containers[0].command.as_deref(), Some("/web --x"));
    }

    proptest! {
        #[test]
        fn any_bundle_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes, "a", "b");
        }
    }
}
