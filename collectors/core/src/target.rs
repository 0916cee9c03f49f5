//! What a collector is pointed at, and where its paths lie.
//!
//! The tree of another host belongs to whoever made it: a link in it to `/etc/shadow` means that tree's own file and
//! never this host's. Every path of a target is therefore made here, with symbolic links resolved inside of its root;
//! nothing that such a tree says leads out of it. On the running host a path is what it says, at no cost.
//!
//! Deliberately not here: opening. A tree whose owner changes it in the very moment between resolving and opening can
//! still lead one reader astray, so that the root of a running container is described only when it is at rest.

use crate::Remote;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The most links that are followed on the way to one file, as the kernel itself allows (`MAXSYMLINKS`).
const LINKS_MAX: usize = 40;

/// What a collector is pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Names the target for its source; the agent's id when the target is the agent's own host.
    pub id: String,
    /// The site that scopes addresses and host names.
    pub site: String,
    /// Where the file system of the host that is described begins; `/` except for images and tests.
    pub root: PathBuf,
    /// Where the target answers, when it is not a file system on this host.
    pub remote: Option<Remote>,
}

impl Target {
    /// Something that is read over the network. It has no file system here: its paths lead nowhere.
    #[must_use]
    pub fn remote(id: &str, site: &str, remote: Remote) -> Self {
        let root = PathBuf::from("/nonexistent/remote");
        Self { id: id.to_owned(), site: site.to_owned(), root, remote: Some(remote) }
    }

    /// The host that the agent itself runs on.
    #[must_use]
    pub fn own_host(agent: &str, site: &str) -> Self {
        Self { id: agent.to_owned(), site: site.to_owned(), root: PathBuf::from("/"), remote: None }
    }

    /// Whether the target is the running host, so that system calls describe it too.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The place of an absolute path on the target, with every symbolic link on the way resolved inside of it.
    ///
    /// What cannot be resolved (a circle, a chain that is too long) is a place where nothing is.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        if self.is_live() {
            return self.joined(absolute);
        }
        self.resolved(PathBuf::new(), Path::new(absolute))
    }

    /// The place of a link itself: as [`Self::path`], but the last part is left as it is. For those who ask what a
    /// link says or whether there is one, and never open it.
    #[must_use]
    pub fn link_path(&self, absolute: &str) -> PathBuf {
        if self.is_live() {
            return self.joined(absolute);
        }
        let path = Path::new(absolute);
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => self.resolved(PathBuf::new(), parent).join(name),
            _ => self.resolved(PathBuf::new(), path),
        }
    }

    /// The place of something below a place that [`Self::path`] gave: what is joined to a place may be a link too.
    #[must_use]
    pub fn below(&self, place: &Path, relative: &str) -> PathBuf {
        if self.is_live() {
            return place.join(relative);
        }
        let start = place.strip_prefix(&self.root).unwrap_or(Path::new("")).to_owned();
        self.resolved(start, Path::new(relative.trim_start_matches('/')))
    }

    fn joined(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// Walks along `path` from `place`, both relative to the root, part by part.
    fn resolved(&self, mut place: PathBuf, path: &Path) -> PathBuf {
        let mut links = 0;
        let mut rest = parts(path);
        while let Some(name) = rest.pop() {
            if name == ".." {
                // Above the root is the root, as for the kernel.
                place.pop();
                continue;
            }
            match std::fs::read_link(self.root.join(&place).join(&name)) {
                Ok(_) if links >= LINKS_MAX => return self.nowhere(),
                Ok(link) => {
                    links += 1;
                    if link.is_absolute() {
                        place = PathBuf::new();
                    }
                    rest.extend(parts(&link));
                }
                Err(_) => place.push(name),
            }
        }
        self.root.join(place)
    }

    /// A place where nothing can be: no file system has a name of that length.
    fn nowhere(&self) -> PathBuf {
        self.root.join("a link that leads nowhere ".repeat(16))
    }
}

/// The parts of a path, the last one first, without the root and without those that stay where they are.
fn parts(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A tree with a file of its own, and beside it a host's file of the same name.
    fn tree() -> (tempfile::TempDir, Target) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::create_dir_all(root.join("usr/lib")).unwrap();
        std::fs::write(root.join("usr/lib/os-release"), "inside").unwrap();
        std::fs::write(place.path().join("os-release"), "outside").unwrap();
        std::fs::write(place.path().join("secret"), "outside").unwrap();
        let target = Target { id: "t".into(), site: "s".into(), root: root.clone(), remote: None };
        let outside = place.path().join("secret");
        for (name, link) in [
            ("etc/absolute", "/usr/lib/os-release"),
            ("etc/relative", "../usr/lib/os-release"),
            ("etc/through", "absolute"),
            ("etc/up", "../../../../../../../../usr/lib/os-release"),
            ("etc/circle", "circle"),
            ("etc/this", "that"),
            ("etc/that", "this"),
            ("etc/sibling", "../../secret"),
            ("etc/host", outside.to_str().unwrap()),
            ("top", "/"),
            ("folder", "/../../"),
        ] {
            symlink(link, root.join(name)).unwrap();
        }
        (place, target)
    }

    #[test]
    fn no_link_leads_out_of_the_target() {
        let (_place, target) = tree();
        let etc = target.path("/etc");
        for name in ["sibling", "host", "circle", "this", "that"] {
            for path in [target.path(&format!("/etc/{name}")), target.below(&etc, name)] {
                assert!(path.starts_with(&target.root), "{}", path.display());
                assert!(std::fs::read(&path).is_err(), "{name}");
            }
        }
        for path in ["/../secret", "/folder/secret", "/folder/../os-release", "/top/../../secret"] {
            assert!(std::fs::read(target.path(path)).is_err(), "{path}");
            assert!(std::fs::symlink_metadata(target.link_path(path)).is_err(), "{path}");
        }
        assert!(std::fs::read(target.below(&etc, "../../secret")).is_err());
        assert!(std::fs::read(target.below(&etc, "/../../secret")).is_err());
    }

    #[test]
    fn links_inside_the_target_are_followed_inside_of_it() {
        let (_place, target) = tree();
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let etc = target.path("/etc");
        for name in ["absolute", "relative", "through", "up"] {
            assert_eq!(read(target.path(&format!("/etc/{name}"))), "inside", "{name}");
            assert_eq!(read(target.path(&format!("/top/etc/{name}"))), "inside", "{name}");
            assert_eq!(read(target.below(&etc, name)), "inside", "{name}");
        }
        assert_eq!(read(target.below(&etc, "absolute")), "inside");
    }

    #[test]
    fn the_link_itself_is_left_as_it_is() {
        let (_place, target) = tree();
        let says = |path: &str| std::fs::read_link(target.link_path(path)).unwrap();
        assert_eq!(says("/top/etc/absolute"), Path::new("/usr/lib/os-release"));
        assert_eq!(says("/etc/circle"), Path::new("circle"));
        assert_eq!(target.link_path("/"), target.root.join(""));
    }

    #[test]
    fn paths_of_the_running_host_are_what_they_say() {
        let target = Target::own_host("t", "s");
        assert_eq!(target.path("/proc/self/exe"), Path::new("/proc/self/exe"));
        assert_eq!(target.link_path("/proc/self/exe"), Path::new("/proc/self/exe"));
        assert_eq!(target.below(Path::new("/proc"), "self/exe"), Path::new("/proc/self/exe"));
    }
}
