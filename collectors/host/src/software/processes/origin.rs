//! Where programs come from and what they prove themselves with: the packages of their executables, and the
//! certificates that their configuration names.
//!
//! Both hold only for processes that see the host's own files. A process of a container has an executable of the same
//! path from another tree, so that its root is compared with the host's.

use super::super::directory::Directory;
use super::super::{certificates, packages};
use super::{Group, Key};
use collector::Target;
use model::{Observation, RelationTarget, relationships};
use std::collections::BTreeMap;

/// What is known of the origin of the programs that see the host's own files.
#[derive(Debug)]
pub(super) struct Origins<'a> {
    owners: packages::Owners,
    /// For each such program, the native keys of its certificates.
    certificates: BTreeMap<Key<'a>, Vec<String>>,
}

impl<'a> Origins<'a> {
    /// Finds out where programs come from.
    pub(super) fn read(
        target: &Target,
        proc: &Directory,
        groups: &BTreeMap<Key<'a>, Group<'a>>,
    ) -> Self {
        let root = target.is_live().then(|| proc.file_id("self/root").ok()).flatten();
        let of_host: Vec<(&Key<'a>, &Group<'a>)> = groups
            .iter()
            .filter(|(_, group)| sees_files_of_host(proc, group, root, target.is_live()))
            .collect();
        let owners =
            packages::owners(target, of_host.iter().map(|(_, group)| &*group.program.executable));
        let certificates = of_host
            .iter()
            .map(|(key, group)| {
                let is_server = !group.listens.is_empty();
                let certificates = is_server.then(|| {
                    let line = &group.oldest.command_line;
                    certificates::of_program(target, &group.program.executable, line)
                });
                (**key, certificates.unwrap_or_default())
            })
            .collect();
        Self { owners, certificates }
    }

    /// Adds to what was seen of a program where it comes from.
    pub(super) fn relate(&self, mut seen: Observation, key: &Key<'_>) -> Observation {
        let Some(certificates) = self.certificates.get(key) else { return seen };
        for package in self.owners.of(key.1) {
            seen.relate(relationships::INSTALLED_BY, RelationTarget::Native(package.clone()));
        }
        for certificate in certificates {
            seen.relate(relationships::SECURED_BY, RelationTarget::Native(certificate.clone()));
        }
        seen
    }
}

/// Whether the paths of a program are those of the host. `root` is the root of the running host.
fn sees_files_of_host(
    proc: &Directory,
    group: &Group<'_>,
    root: Option<(u64, u64)>,
    is_live: bool,
) -> bool {
    let oldest = group.oldest;
    if oldest.is_kernel || !oldest.has_executable || group.owner.container.is_some() {
        return false;
    }
    // In a recorded tree the roots of processes are not recorded.
    !is_live || (root.is_some() && proc.file_id(&format!("{}/root", oldest.pid)).ok() == root)
}
