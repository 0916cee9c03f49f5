//! Walking the folders in which certificates lie, bounded in depth and number.

use crate::files;
use collector::Target;
use std::collections::BTreeSet;
use std::path::Path;

/// Where services keep their certificates.
pub(super) const ROOTS: &[&str] = &[
    "/etc/ssl",
    "/etc/pki",
    "/etc/letsencrypt/live",
    "/etc/nginx",
    "/etc/apache2",
    "/etc/httpd",
    "/etc/haproxy",
    "/etc/caddy",
    "/etc/kubernetes/pki",
    "/etc/etcd",
    "/etc/docker",
    "/etc/containers/certs.d",
    "/etc/postgresql",
    "/etc/mysql",
    "/etc/mongodb",
    "/etc/redis",
    "/etc/openvpn",
    "/etc/ipsec.d",
    "/etc/swanctl",
    "/etc/dovecot",
    "/etc/postfix",
    "/etc/exim4",
    "/etc/ldap",
    "/etc/openldap",
    "/etc/freeradius",
    "/etc/cockpit/ws-certs.d",
    "/etc/rabbitmq",
    "/etc/grafana",
    "/etc/elasticsearch",
    "/etc/puppetlabs",
    "/etc/libvirt",
    "/etc/dharma",
    "/var/lib/kubelet/pki",
    "/var/lib/rancher/k3s/server/tls",
    "/var/lib/rancher/k3s/agent",
    "/var/lib/libvirt",
    "/var/lib/acme",
    "/var/lib/dharma-agent",
    "/var/lib/dharma",
];

/// Folders and files with the authorities that a distribution trusts.
const TRUST_STORES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/ssl/certs/java",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/java",
    "/etc/pki/rpm-gpg",
    "/usr/share/ca-certificates",
    "/usr/share/pki",
    "/var/lib/ca-certificates",
];

/// How deep folders are walked; `…/etcd/ssl/live/example.org/` has five levels.
const DEPTH_MAX: usize = 6;

/// The most folders that are walked.
pub(super) const FOLDERS_MAX: usize = 4000;

/// The most files that are read.
pub(super) const FILES_MAX: usize = 20_000;

/// What a walk found, as paths on the target.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<String>,
    pub(super) folders: Vec<String>,
    pub(super) denied: BTreeSet<String>,
    pub(super) is_cut: bool,
}

/// Whether a file may hold a certificate by its name. Keys have other names or are not of interest.
pub(super) fn is_certificate_name(name: &str) -> bool {
    let is_key = name.contains("privkey")
        || name.contains("-key.")
        || name.contains("_key.")
        || name == "key.pem";
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_certificate =
        ["pem", "crt", "cer", "cert", "der"].iter().any(|of| extension.eq_ignore_ascii_case(of));
    is_certificate && !is_key
}

/// Whether a path belongs to the distribution's trusted authorities.
pub(super) fn is_trust_store(path: &str) -> bool {
    TRUST_STORES.iter().any(|store| Path::new(path).starts_with(store))
}

/// Walks folders for files whose names are accepted.
pub(super) fn walk(target: &Target, roots: &[&str], accepts: fn(&str) -> bool) -> Found {
    walk_but(target, roots, accepts, "")
}

/// Walks as [`walk`] does, without looking at the links in one folder.
pub(super) fn walk_but(
    target: &Target,
    roots: &[&str],
    accepts: fn(&str) -> bool,
    without_links: &str,
) -> Found {
    let mut found = Found::default();
    let mut waiting: Vec<(String, usize)> =
        roots.iter().rev().map(|root| ((*root).to_owned(), 0)).collect();
    while let Some((folder, depth)) = waiting.pop() {
        if found.folders.len() >= FOLDERS_MAX || found.files.len() >= FILES_MAX {
            found.is_cut = true;
            break;
        }
        let entries = match std::fs::read_dir(target.path(&folder)) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::PermissionDenied {
                    found.denied.insert(folder);
                } else if error.kind() == std::io::ErrorKind::NotADirectory
                    && accepts_path(&folder, accepts)
                {
                    found.files.push(folder);
                }
                continue;
            }
        };
        for entry in entries.flatten().take(files::ENTRIES_MAX) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(kind) = entry.file_type() else { continue };
            // The links by which authorities are found have names of their own and are most of the entries.
            if !kind.is_dir() && !accepts(&name) {
                continue;
            }
            if kind.is_symlink() && folder == without_links {
                continue;
            }
            let path = format!("{folder}/{name}");
            if is_trust_store(&path) || (kind.is_symlink() && leads_to_trust_store(&entry.path())) {
                continue;
            }
            if !kind.is_dir() {
                found.files.push(path);
            } else if depth < DEPTH_MAX {
                waiting.push((path, depth + 1));
            }
        }
        found.folders.push(folder);
    }
    found.files.sort();
    found.folders.sort();
    found
}

fn accepts_path(path: &str, accepts: fn(&str) -> bool) -> bool {
    path.rsplit('/').next().is_some_and(accepts)
}

/// Whether a link is one of those by which authorities are found: to the store, or to a name beside it.
fn leads_to_trust_store(link: &Path) -> bool {
    std::fs::read_link(link).is_ok_and(|to| {
        let to = to.to_string_lossy();
        to.contains("share/ca-certificates") || !to.contains('/') || is_trust_store(&to)
    })
}
