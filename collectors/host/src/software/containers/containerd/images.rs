//! Images of containerd: a name points to a manifest, or to a list of one for each platform, in the content store.
//!
//! An image is told by the digest of its configuration, as Docker, Podman and Kubernetes do. Where the manifest is
//! not there, as with an image that is being pulled, the digest that the name points to stands for it. Where it is
//! there and cannot be read, nobody knows which image it is: it is a trouble of the look and no image.

use crate::files::{self, Refusal};
use crate::software::containers::api::{self, Image};
use crate::software::containers::troubles::{self, Troubles};
use collector::Target;
use model::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Below the root, files named by their digest.
const BLOBS: &str = "io.containerd.content.v1.content/blobs";

/// The largest manifest or configuration that is read; registries allow 4 MiB.
const FILE_BYTES_MAX: usize = 4 << 20;

/// The kinds of a configuration that is an image's. Charts and other things lie in registries too, and are configured
/// by whatever their makers like.
const CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

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
#[serde(default, rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
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

/// The image that a name with its digest stands for; none when what tells it cannot be read.
pub(super) fn image(
    root: (&Target, &Path),
    name: &str,
    digest: &str,
    troubles: &mut Troubles,
) -> Option<Image> {
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
        let (length, manifest) = match blob::<Manifest>(root, &digest) {
            Ok(Some(found)) => found,
            Ok(None) => return Some(image),
            Err(error) => {
                troubles.add(format!("the manifest {digest} of the image {name}"), error);
                return None;
            }
        };
        size = size.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if let Some(configuration) = manifest.config {
            let layers = manifest.layers.unwrap_or_default();
            size = layers.iter().fold(size, |sum, layer| sum.saturating_add(layer.size));
            image.size_bytes = Some(size.saturating_add(configuration.size));
            let kind = configuration.media_type.as_str();
            if kind.is_empty() || CONFIGURATIONS.contains(&kind) {
                image.created_at = created(root, (name, &configuration.digest), troubles);
            }
            image.id = configuration.digest;
            return Some(image);
        }
        let Some(next) = manifest.manifests.and_then(|manifests| ours(root, manifests)) else {
            return Some(image);
        };
        digest = next;
    }
    Some(image)
}

/// When an image was made, by its configuration.
fn created(
    root: (&Target, &Path),
    (name, digest): (&str, &str),
    troubles: &mut Troubles,
) -> Option<Timestamp> {
    let configuration = blob::<Configuration>(root, digest).unwrap_or_else(|error| {
        troubles.add(format!("the configuration {digest} of the image {name}"), error);
        None
    });
    api::parse_moment(&configuration?.1.created?)
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
    let ours = manifests.iter().find(|manifest| is_ours(manifest) && is_there(root, manifest));
    let any = || manifests.iter().find(|manifest| is_there(root, manifest));
    ours.or_else(any).map(|manifest| manifest.digest.clone())
}

/// Whether something was fetched, whether or not it can be read.
fn is_there(root: (&Target, &Path), descriptor: &Descriptor) -> bool {
    place(root, &descriptor.digest).is_some_and(|path| match std::fs::metadata(path) {
        Ok(_) => true,
        Err(error) => files::refusal(&error) != Refusal::NotFound,
    })
}

/// Where a digest's file lies; `None` when it is no digest.
fn place((target, root): (&Target, &Path), digest: &str) -> Option<std::path::PathBuf> {
    let (algorithm, digits) = digest.split_once(':')?;
    let is_plain =
        |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_alphanumeric());
    (is_plain(algorithm) && is_plain(digits))
        .then(|| target.below(root, &format!("{BLOBS}/{algorithm}/{digits}")))
}

/// How many bytes a digest's file has, and what they say; nothing when there is none.
fn blob<T: for<'de> Deserialize<'de>>(
    root: (&Target, &Path),
    digest: &str,
) -> io::Result<Option<(usize, T)>> {
    let Some(path) = place(root, digest) else { return Ok(None) };
    match files::read_whole(&path, FILE_BYTES_MAX) {
        Ok(bytes) => Ok(Some((bytes.len(), troubles::json(&bytes)?))),
        Err(error) if files::refusal(&error) == Refusal::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::run::CoverageReason;

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
        let root = store(&[("bb", r#"{"manifests":[{"digest":"sha256:bb"}]}"#)]);
        for digest in ["sha256:00", "sha256:bb", "sha256:../../../etc/passwd", ""] {
            let mut troubles = Troubles::default();
            let name = "registry.example.org/web:1";
            let image = image((&own(), root.path()), name, digest, &mut troubles).unwrap();
            assert_eq!((image.id.as_str(), image.size_bytes), (digest, None));
            assert!(troubles.is_empty(), "{digest}");
        }
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_a_trouble_and_no_image_with_another_name() {
        let long = " ".repeat(FILE_BYTES_MAX + 1);
        let root = store(&[
            ("a1", "{"),
            ("a2", r#"{"layers":"none"}"#),
            ("a3", &long),
            ("a4", r#"{"config":{"digest":"sha256:a1","size":7}}"#),
            ("a5", r#"{"config":{"digest":"sha256:a6","size":7}}"#),
            ("a7", r#"{"config":{"mediaType":"text/plain","digest":"sha256:a1","size":7}}"#),
            ("a8", r#"{"manifests":[{"digest":"sha256:a6"}]}"#),
        ]);
        std::fs::create_dir(root.path().join(BLOBS).join("sha256/a6")).unwrap();
        let look = |digest: &str| {
            let mut troubles = Troubles::default();
            let image = image((&own(), root.path()), "web", digest, &mut troubles);
            (image.map(|image| image.id), troubles.reason().map(|(reason, _)| reason))
        };
        let (malformed, limit) = (CoverageReason::Malformed, CoverageReason::LimitReached);
        for (digest, id, trouble) in [
            ("sha256:a1", None, Some(malformed)),
            ("sha256:a2", None, Some(malformed)),
            ("sha256:a3", None, Some(limit)),
            ("sha256:a6", None, Some(malformed)),
            ("sha256:a8", None, Some(malformed)),
            // What the image is stands in its manifest; its configuration only tells when it was made.
            ("sha256:a4", Some("sha256:a1"), Some(malformed)),
            ("sha256:a5", Some("sha256:a6"), Some(malformed)),
            ("sha256:a7", Some("sha256:a1"), None),
        ] {
            assert_eq!(look(digest), (id.map(str::to_owned), trouble), "{digest}");
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
        let mut troubles = Troubles::default();
        let name = "registry.example.org/web:1";
        let seen = image((&own(), root.path()), name, "sha256:a1", &mut troubles).unwrap();
        assert!(troubles.is_empty());
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
            let mut troubles = Troubles::default();
            let one = image((&own(), root.path()), name, "sha256:aa", &mut troubles);
            add(&mut images, one.unwrap());
        }
        assert_eq!(images["sha256:aa"].references, ["a:1", "a@sha256:aa", "b@sha256:aa"]);
    }
}
