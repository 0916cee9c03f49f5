//! By which certificates a running server proves itself: those that its configuration or its command line names as its
//! own, not those of the authorities that it trusts and not those that it shows as a client.
//!
//! A look at the processes asks for each server that listens. What a configuration says is kept until a file of it or
//! a certificate changes, so that asking again costs their metadata only.
//!
//! Deliberately not here: which of its ports a server secures with which certificate.

use super::{key_of_file, uses, walk};
use crate::files::{self, StatGuard};
use collector::{Guard, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Servers by the name of their executable, and where their configuration lies.
const SERVERS: [(&str, &str); 25] = [
    ("apache2", "/etc/apache2"),
    ("beam.smp", "/etc/rabbitmq"),
    ("caddy", "/etc/caddy"),
    ("dovecot", "/etc/dovecot"),
    ("exim", "/etc/exim4"),
    ("exim4", "/etc/exim4"),
    ("haproxy", "/etc/haproxy"),
    ("httpd", "/etc/httpd"),
    ("lighttpd", "/etc/lighttpd"),
    ("mariadbd", "/etc/mysql"),
    ("master", "/etc/postfix/main.cf"),
    ("mosquitto", "/etc/mosquitto"),
    ("mysqld", "/etc/mysql"),
    ("nginx", "/etc/nginx"),
    ("openvpn", "/etc/openvpn"),
    ("postgres", "/etc/postgresql"),
    ("postmaster", "/etc/postgresql"),
    ("redis-check-rdb", "/etc/redis"),
    ("redis-server", "/etc/redis"),
    ("slapd", "/etc/ldap"),
    ("stunnel", "/etc/stunnel"),
    ("stunnel3", "/etc/stunnel"),
    ("stunnel4", "/etc/stunnel"),
    ("traefik", "/etc/traefik"),
    ("valkey-server", "/etc/redis"),
];

/// Words before a path that make it another's certificate: of an authority that is trusted, or shown as a client.
const NOT_OWN: [&str; 16] = [
    "cacert",
    "ca_cert",
    "ca-cert",
    "cafile",
    "ca_file",
    "ca-file",
    "chain",
    "client",
    "crl",
    "proxy",
    "grpc_ssl",
    "uwsgi_ssl",
    "smtp_tls",
    "lmtp_tls",
    "trusted",
    "verify",
];

/// The most certificates of one server; a host of shared web sites has hundreds.
const CERTIFICATES_MAX: usize = 512;

/// The most servers and command lines whose certificates are kept.
const KNOWN_MAX: usize = 256;

/// What a server's configuration said when it was read.
struct Known {
    guard: Guard,
    paths: BTreeSet<String>,
    keys: Vec<String>,
}

/// By root of the target and what was read: a folder of configurations, or the paths of a command line.
static KNOWN: Mutex<BTreeMap<(PathBuf, String), Known>> = Mutex::new(BTreeMap::new());

/// The native keys of the certificates by which a server proves itself.
pub(in crate::software) fn of_program(
    target: &Target,
    executable: &str,
    command_line: &str,
) -> Vec<String> {
    let name = executable.rsplit('/').next().unwrap_or(executable);
    let configuration =
        SERVERS.iter().find(|(server, _)| *server == name).map(|(_, folder)| *folder);
    let mut keys = configuration.map_or_else(Vec::new, |folder| of_configuration(target, folder));
    let named = named_by_command(command_line);
    if !named.is_empty() {
        for key in of_paths(target, named) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys.truncate(CERTIFICATES_MAX);
    keys
}

/// The certificates that a configuration names.
fn of_configuration(target: &Target, folder: &'static str) -> Vec<String> {
    let found = walk::walk(target, &[folder], uses::is_configuration);
    let mut guard = StatGuard::new();
    for path in found.folders.iter().chain(&found.files) {
        guard.path(&target.path(path));
    }
    let read = || {
        let mut paths = BTreeSet::new();
        // What is only available is in use when a folder of what is enabled links to it, which is walked too.
        for file in found.files.iter().filter(|file| !file.contains("-available/")) {
            let text = files::read_to_string_limited(&target.path(file), uses::FILE_BYTES_MAX);
            paths.extend(text.unwrap_or_default().lines().flat_map(own).map(str::to_owned));
        }
        paths
    };
    known(target, folder.to_owned(), guard, read)
}

/// The certificates in files that a command line names.
fn of_paths(target: &Target, paths: BTreeSet<String>) -> Vec<String> {
    let name = paths.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    known(target, name, StatGuard::new(), || paths)
}

/// The native keys of certificates in the files that `read` gives, unless they are known and nothing changed.
fn known(
    target: &Target,
    name: String,
    configuration: StatGuard,
    read: impl FnOnce() -> BTreeSet<String>,
) -> Vec<String> {
    let whole = |paths: &BTreeSet<String>| {
        let mut guard = configuration;
        paths.iter().for_each(|path| guard.path(&target.path(path)));
        guard.finish()
    };
    let mut place = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let name = (target.root.clone(), name);
    if let Some(known) = place.get(&name)
        && known.guard == whole(&known.paths)
    {
        return known.keys.clone();
    }
    let mut paths = read();
    paths.retain(|path| !walk::is_trust_store(path));
    while paths.len() > CERTIFICATES_MAX {
        paths.pop_last();
    }
    let guard = whole(&paths);
    let keys: Vec<String> = paths
        .iter()
        .filter_map(|path| {
            let bytes = files::read_limited(&target.path(path), super::FILE_BYTES_MAX).ok()?;
            key_of_file(&bytes, path)
        })
        .collect();
    if place.len() >= KNOWN_MAX {
        place.clear();
    }
    place.insert(name, Known { guard, paths, keys: keys.clone() });
    keys
}

/// The files on a line of a configuration in which a server's own certificate lies.
fn own(line: &str) -> impl Iterator<Item = &str> {
    // HAProxy writes what it shows to a server behind it on the line of that server.
    let is_client = line.trim_start().starts_with("server ") && line.contains(" crt ");
    uses::paths(line).filter(move |path| !is_client && is_own(line, path))
}

/// Whether what stands before a path calls it a certificate, and the server's own.
fn is_own(line: &str, path: &str) -> bool {
    let before = line.split_once(path).map_or("", |(before, _)| before).to_ascii_lowercase();
    let is_certificate =
        before.contains("cert") || before.contains("crt") || before.trim_end().ends_with("tls");
    let name = path.rsplit('/').next().unwrap_or(path);
    is_certificate
        && walk::is_certificate_name(name)
        && !NOT_OWN.iter().any(|word| before.contains(word))
        && !path.contains("client")
}

/// The files that a command line names as the program's own certificates: `--tls-cert-file=PATH`, `--cert PATH`. Only
/// where certificates are looked for, so that what is named here is an item too.
fn named_by_command(line: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut before = "";
    for word in line.split_whitespace() {
        let (option, path) = match word.split_once('=') {
            Some((option, path)) => (option, path),
            None => (before, word),
        };
        before = word;
        if option.starts_with('-')
            && path.starts_with('/')
            && !path.contains("..")
            && walk::is_certificate_name(path)
            && walk::ROOTS
                .iter()
                .any(|root| path.strip_prefix(root).is_some_and(|p| p.starts_with('/')))
            && is_own(&format!("{option} {path}"), path)
        {
            named.insert(path.to_owned());
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_a_server_shows_of_itself_is_its_own() {
        for line in [
            "  ssl_certificate /a/b.pem;",
            "SSLCertificateFile \"/a/b.pem\"",
            "bind :443 ssl crt /a/b.pem alpn h2",
            "smtpd_tls_cert_file=/a/b.pem",
            "ssl_cert = </a/b.pem",
            "ssl_cert_file = '/a/b.pem'",
            "ssl_options.certfile = /a/b.pem",
            "TLSCertificateFile /a/b.pem",
            "cert /a/b.pem",
        ] {
            assert_eq!(own(line).collect::<Vec<_>>(), ["/a/b.pem"], "{line}");
        }
        let caddy = "tls /a/cert.pem /a/key.pem";
        assert_eq!(own(caddy).collect::<Vec<_>>(), ["/a/cert.pem"]);
        for line in [
            "ssl_client_certificate /a/b.pem;",
            "ssl_trusted_certificate /a/b.pem;",
            "proxy_ssl_certificate /a/b.pem;",
            "SSLCACertificateFile /a/b.pem",
            "SSLCertificateChainFile /a/b.pem",
            "SSLProxyMachineCertificateFile /a/b.pem",
            "smtp_tls_cert_file=/a/b.pem",
            "server one 192.0.2.1:443 ssl ca-file /a/ca.pem crt /a/b.pem",
            "ssl_options.cacertfile = /a/b.pem",
            "TLSCACertificateFile /a/b.pem",
            "tls-ca-cert-file /a/b.pem",
            "# ssl_certificate /a/b.pem;",
            "ssl_ca_file = '/a/cert.pem'",
        ] {
            assert_eq!(own(line).count(), 0, "{line}");
        }
    }

    #[test]
    fn a_command_line_names_certificates_by_its_options() {
        let named = |line: &str| named_by_command(line).into_iter().collect::<Vec<_>>().join(" ");
        let pki = "/etc/kubernetes/pki";
        assert_eq!(
            named(&format!(
                "kube-apiserver --client-ca-file={pki}/ca.crt --etcd-certfile={pki}/apiserver-etcd-client.crt \
                 --tls-cert-file={pki}/apiserver.crt --tls-private-key-file={pki}/apiserver.key"
            )),
            format!("{pki}/apiserver.crt")
        );
        assert_eq!(
            named("dockerd --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/s.pem"),
            "/etc/docker/s.pem"
        );
        assert_eq!(
            named("x --cert /home/a/s.pem --cert /etc/ssl/../s.pem --cert=/etc/sslx/s.pem"),
            ""
        );
        assert_eq!(named("x /etc/ssl/s.pem cert /etc/ssl/s.pem"), "");
    }

    #[test]
    fn what_is_kept_is_read_again_when_the_configuration_or_the_certificate_changes() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let of = || of_program(&target, "/usr/sbin/nginx", "nginx: master process");
        assert!(of().is_empty());
        let pem = super::super::x509::tests::PEM;
        write("etc/nginx/sites-available/b", "ssl_certificate /srv/b.pem;\n");
        write(
            "etc/nginx/nginx.conf",
            "ssl_certificate /srv/a.pem;\nssl_trusted_certificate /srv/ca.pem;\n",
        );
        assert!(of().is_empty());
        for file in ["srv/a.pem", "srv/b.pem", "srv/ca.pem"] {
            write(file, pem);
        }
        let keys = of();
        assert_eq!(keys.len(), 1);
        assert!(keys[0].starts_with("host/certificate/\\/srv\\/a.pem/"), "{keys:?}");
        assert_eq!(of(), keys);
        std::fs::create_dir(place.path().join("etc/nginx/sites-enabled")).unwrap();
        std::os::unix::fs::symlink(
            "../sites-available/b",
            place.path().join("etc/nginx/sites-enabled/b"),
        )
        .unwrap();
        assert_eq!(of().len(), 2);
        write("srv/a.pem", "nothing");
        assert_eq!(of().len(), 1);
        assert!(of_program(&target, "/usr/sbin/other", "").is_empty());
    }

    proptest! {
        #[test]
        fn any_line_is_parsed_without_panic(text in "\\PC{0,200}") {
            own(&text).for_each(drop);
            named_by_command(&text);
            named_by_command(&format!("--cert=/etc/ssl/{text}.pem"));
        }
    }
}
