//! The scope `certificates`: X.509 certificates that lie where services keep theirs, or that a configuration names.
//!
//! The distribution's own list of trusted authorities is no certificate of this host and is left out. Private keys
//! are not read: files of keys are not opened, and of a file that holds both only the certificates are decoded.
//!
//! Deliberately not here: whether a chain is valid or soon ends (policies), what an endpoint shows to its clients.

mod program;
mod uses;
mod walk;
mod x509;

use crate::files::{self, Refusal, StatGuard};
use collector::{Guard, Run, Target};
use model::classes::certificate;
use model::observation::part_key;
use model::run::CoverageReason;
use model::{Coverage, Observation};
use std::collections::{BTreeMap, BTreeSet};
use x509::Certificate;

pub(super) use program::of_program;

/// The largest file that is read; a chain has some kilobytes.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Files with more certificates are lists of trusted authorities.
const CHAIN_LENGTH_MAX: usize = 16;

/// The folder that the distribution fills with hundreds of links to the authorities that it trusts.
const LINKS: &str = "/etc/ssl/certs";

/// The guard of the scope.
///
/// The links in [`LINKS`] are not followed: the folder changes with them, and what one of our own leads to lies in
/// another of the folders.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    let configurations = walk::walk(target, &uses::CONFIGURATIONS, uses::is_configuration);
    let certificates = walk::walk_but(target, walk::ROOTS, walk::is_certificate_name, LINKS);
    for found in [configurations, certificates] {
        for path in found.folders.iter().chain(&found.files) {
            guard.path(&target.path(path));
        }
    }
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let mut found = walk::walk(target, walk::ROOTS, walk::is_certificate_name);
    let uses = uses::read(target);
    for path in uses.keys().filter(|path| !walk::is_trust_store(path)) {
        if !found.files.contains(path) {
            found.files.push(path.clone());
        }
    }
    found.files.sort();
    let mut denied = found.denied;
    for path in &found.files {
        match files::read_limited(&target.path(path), FILE_BYTES_MAX) {
            Ok(bytes) => see(run, path, &bytes, &uses),
            Err(error) => match files::refusal(&error) {
                Refusal::NotFound => {}
                Refusal::PermissionDenied => {
                    denied.insert(path.clone());
                }
                Refusal::Other => run.failed(path, error),
            },
        }
    }
    coverage(&denied, found.is_cut)
}

fn coverage(denied: &BTreeSet<String>, is_cut: bool) -> Coverage {
    if is_cut {
        let detail =
            format!("more than {} folders or {} files", walk::FOLDERS_MAX, walk::FILES_MAX);
        return Coverage::partial(CoverageReason::LimitReached, detail);
    }
    let Some(first) = denied.first() else {
        return Coverage::complete();
    };
    Coverage::partial(
        CoverageReason::PermissionDenied,
        format!(
            "{first} and {} other places may not be read; run the agent as root or install the package",
            denied.len() - 1
        ),
    )
}

/// Reports the certificates of a file.
fn see(run: &mut Run<'_>, path: &str, bytes: &[u8], uses: &BTreeMap<String, BTreeSet<String>>) {
    let certificates = x509::decoded(bytes, CHAIN_LENGTH_MAX + 1);
    if certificates.len() > CHAIN_LENGTH_MAX {
        return;
    }
    let used_by: Vec<String> = uses.get(path).into_iter().flatten().cloned().collect();
    for der in certificates {
        match x509::parse(&der) {
            Some(found) => {
                let mut seen = observe(path, found);
                if !used_by.is_empty() {
                    seen.set(&certificate::USED_BY, used_by.clone());
                }
                run.saw(seen);
            }
            None => run.failed(path, "holds something that is no X.509 certificate"),
        }
    }
}

/// The native key of the certificate by which a server that is given this file proves itself: the first one, before
/// those of the authorities that vouch for it. `None` for a file of trusted authorities.
fn key_of_file(bytes: &[u8], path: &str) -> Option<String> {
    let certificates = x509::decoded(bytes, CHAIN_LENGTH_MAX + 1);
    if certificates.len() > CHAIN_LENGTH_MAX {
        return None;
    }
    let found = x509::parse(certificates.first()?)?;
    Some(part_key(&certificate::CLASS, crate::HOST, &[path, &found.fingerprint]))
}

fn observe(path: &str, found: Certificate) -> Observation {
    Observation::part(&certificate::CLASS, crate::HOST, &[path, &found.fingerprint])
        .with(&certificate::SUBJECT, found.subject)
        .with(&certificate::ISSUER, found.issuer)
        .with(&certificate::SERIAL_NUMBER, found.serial_number)
        .with(&certificate::ALTERNATIVE_NAMES, found.alternative_names)
        .with(&certificate::NOT_BEFORE, found.not_before)
        .with(&certificate::NOT_AFTER, found.not_after)
        .with(&certificate::KEY_ALGORITHM, found.key_algorithm)
        .with(&certificate::SIGNATURE_ALGORITHM, found.signature_algorithm)
        .with(&certificate::KEY_USAGES, found.key_usages)
        .with(&certificate::IS_AUTHORITY, found.is_authority)
        .with(&certificate::IS_SELF_SIGNED, found.is_self_signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_with_their_uses_and_the_trust_store_is_not() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let pem = x509::tests::PEM;
        write("etc/ssl/certs/own.pem", pem);
        write("etc/ssl/certs/ca-certificates.crt", pem);
        write("usr/share/ca-certificates/x/A.crt", pem);
        std::os::unix::fs::symlink(
            "/usr/share/ca-certificates/x/A.crt",
            place.path().join("etc/ssl/certs/A.pem"),
        )
        .unwrap();
        write(
            "etc/nginx/nginx.conf",
            "http { # ssl_certificate /no.pem;\n  ssl_certificate /srv/tls/web.pem;\n ssl_certificate_key /srv/tls/web.key;\n}\n",
        );
        write("srv/tls/web.pem", pem);
        write("srv/tls/web.key", pem);
        write("etc/pki/bundle.pem", &pem.repeat(20));
        write(
            "etc/ssl/broken.crt",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        );
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let mut seen = Vec::new();
        let mut run = Run::new(&mut seen);
        assert_eq!(collect(&target, &mut run), Coverage::complete());
        assert_eq!(run.failures().len(), 1);
        let told: Vec<String> = seen.iter().map(|seen| seen.facts["path"].to_line()).collect();
        assert_eq!(told, ["/etc/ssl/certs/own.pem", "/srv/tls/web.pem"]);
        assert_eq!(seen[1].facts["used_by"].to_line(), "/etc/nginx/nginx.conf");
    }
}
