//! Images of containerd: a name points to a manifest, or to a list of one for each platform, in the content store.
//!
//! An image is told by the digest of its configuration, as Docker, Podman and Kubernetes do. Where the manifest is
//! not there, as with an image that is being pulled, the digest that the name points to stands for it.

use crate::files;
use crate::software::containers::api::{self, Image};
use collector::Target;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Below the root, files named by their digest.
const BLOBS: &str = "io.containerd.content.v1.content/blobs";

/// The largest manifest or configuration that is read; registries allow 4 MiB.
const FILE_BYTES_MAX: usize = 4 << 20;

/// Lists of lists of manifests are not made by any tool, but allowed.
const DEPTH_MAX: usize = 3;

/// A manifest, or a list of them (OCI image manifest and index; Docker's are alike).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    created: Option<String>,
}

/// The image that a name with its digest stands for.
pub(super) fn image(root: (&Target, &Path), name: &str, digest: &str) -> Image {
    let mut references = Vec::new();
    // Kubernetes gives every image its own id as a further name.
    if !name.starts_with("sha256:") {
        references.push(name.to_owned());
        if !name.contains('@') && !digest.is_empty() {
            references.push(format!("{}@{digest}", api::repository(name)));
        }
    }
    let mut image = Image { id: digest.to_owned(), references, ..Image::default() };
    let (mut digest, mut size) = (digest.to_owned(), 0_u64);
    for _ in 0..DEPTH_MAX {
        let Some(bytes) = blob(root, &digest) else { return image };
        let manifest: Manifest = serde_json::from_slice(&bytes).unwrap_or_default();
        size = size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(configuration) = manifest.config {
            let layers = manifest.layers.unwrap_or_default();
            size = layers.iter().fold(size, |sum, layer| sum.saturating_add(layer.size));
            image.size_bytes = Some(size.saturating_add(configuration.size));
            image.created_at = blob(root, &configuration.digest)
                .and_then(|bytes| serde_json::from_slice::<Configuration>(&bytes).ok())
                .and_then(|configuration| api::parse_moment(&configuration.created?));
            image.id = configuration.digest;
            return image;
        }
        let Some(next) = manifest.manifests.and_then(|manifests| ours(root, manifests)) else {
            return image;
        };
        digest = next;
    }
    image
}

/// Adds an image; of one that is there already, the references.
pub(super) fn add(images: &mut BTreeMap<String, Image>, image: Image) {
    match images.get_mut(&image.id) {
        Some(known) => {
            known.references.extend(image.references);
            known.references.sort_unstable();
            known.references.dedup();
            // A person knows it by its tag.
            known.references.sort_by_key(|reference| reference.contains('@'));
        }
        None => {
            images.insert(image.id.clone(), image);
        }
    }
}

/// The manifest for this machine, else one that was fetched.
fn ours(root: (&Target, &Path), manifests: Vec<Descriptor>) -> Option<String> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let is_ours = |manifest: &Descriptor| {
        manifest
            .platform
            .as_ref()
            .is_some_and(|platform| platform.os == "linux" && platform.architecture == architecture)
    };
    let ours =
        manifests.iter().find(|manifest| is_ours(manifest) && path(root, manifest).is_some());
    let any = || manifests.iter().find(|manifest| path(root, manifest).is_some());
    ours.or_else(any).map(|manifest| manifest.digest.clone())
}

fn path(root: (&Target, &Path), descriptor: &Descriptor) -> Option<std::path::PathBuf> {
    place(root, &descriptor.digest).filter(|path| path.is_file())
}

/// Where a digest's file lies; `None` when it is no digest.
fn place((target, root): (&Target, &Path), digest: &str) -> Option<std::path::PathBuf> {
    let (algorithm, digits) = digest.split_once(':')?;
    let is_plain =
        |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_alphanumeric());
    (is_plain(algorithm) && is_plain(digits))
        .then(|| target.below(root, &format!("{BLOBS}/{algorithm}/{digits}")))
}

fn blob(root: (&Target, &Path), digest: &str) -> Option<Vec<u8>> {
    files::read_limited(&place(root, digest)?, FILE_BYTES_MAX).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Target {
        Target::own_host("agent", "site")
    }

    fn store(blobs: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(BLOBS).join("sha256");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in blobs {
            std::fs::write(folder.join(name), text).unwrap();
        }
        root
    }

    #[test]
    fn an_image_that_is_not_there_is_told_by_what_its_name_points_to() {
        let root = store(&[("aa", "{"), ("bb", r#"{"manifests":[{"digest":"sha256:bb"}]}"#)]);
        for digest in ["sha256:00", "sha256:aa", "sha256:bb", "sha256:../../../etc/passwd", ""] {
            let image = image((&own(), root.path()), "registry.example.org/web:1", digest);
            assert_eq!((image.id.as_str(), image.size_bytes), (digest, None));
        }
    }

    #[test]
    fn the_manifest_that_was_fetched_is_taken_from_a_list() {
        let list = r#"{"manifests":[
            {"digest":"sha256:a2","platform":{"architecture":"other","os":"linux"}},
            {"digest":"sha256:a3","platform":{"architecture":"amd64","os":"linux"}}]}"#;
        let manifest = r#"{"config":{"digest":"sha256:a4","size":7},"layers":[{"size":100}]}"#;
        let root = store(&[
            ("a1", list),
            ("a3", manifest),
            ("a4", r#"{"created":"2024-03-01T00:00:00Z"}"#),
        ]);
        let seen = image((&own(), root.path()), "registry.example.org/web:1", "sha256:a1");
        assert_eq!(seen.id, "sha256:a4");
        let expected = u64::try_from(list.len() + manifest.len() + 107).unwrap();
        assert_eq!(seen.size_bytes, Some(expected));
        assert_eq!(seen.created_at.unwrap().millis(), 1_709_251_200_000);
        assert_eq!(
            seen.references,
            ["registry.example.org/web:1", "registry.example.org/web@sha256:a1"]
        );
    }

    #[test]
    fn names_of_one_image_are_one_image() {
        let root = store(&[]);
        let mut images = BTreeMap::new();
        for name in ["b@sha256:aa", "a:1", "sha256:aa"] {
            add(&mut images, image((&own(), root.path()), name, "sha256:aa"));
        }
        assert_eq!(images["sha256:aa"].references, ["a:1", "a@sha256:aa", "b@sha256:aa"]);
    }
}
