//! Which configurations name which certificates: any line that speaks of a certificate and holds a path.
//!
//! That is how nginx, Apache, HAProxy, Postfix, Dovecot, PostgreSQL, MySQL, OpenVPN, slapd, etcd and many others
//! write it, so that no grammar of each is needed.

use super::walk;
use crate::files;
use collector::Target;
use std::collections::{BTreeMap, BTreeSet};

/// Folders and files of configurations.
pub(super) const CONFIGURATIONS: [&str; 19] = [
    "/etc/nginx",
    "/etc/apache2",
    "/etc/httpd",
    "/etc/haproxy",
    "/etc/lighttpd",
    "/etc/caddy",
    "/etc/traefik",
    "/etc/postfix/main.cf",
    "/etc/dovecot",
    "/etc/exim4",
    "/etc/postgresql",
    "/etc/mysql",
    "/etc/openvpn",
    "/etc/stunnel",
    "/etc/ldap",
    "/etc/redis",
    "/etc/rabbitmq",
    "/etc/default",
    "/etc/mosquitto",
];

/// The largest configuration that is read.
pub(super) const FILE_BYTES_MAX: usize = 512 * 1024;

/// The most paths that are taken from configurations.
const PATHS_MAX: usize = 2000;

/// Whether a file may be a configuration by its name. Files of sites often have no extension.
pub(super) fn is_configuration(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    match extension {
        None => true,
        Some(extension) => {
            ["conf", "cfg", "cf", "cnf", "ini", "yml", "yaml", "toml", "config", "ext", "vhost"]
                .contains(&extension)
                || name.starts_with("Caddyfile")
                // Sites are often named after their host.
                || (name.contains('.') && !walk::is_certificate_name(name) && extension.len() <= 3 && extension != "key")
        }
    }
}

/// The certificates that configurations name, with the files that name them.
pub(super) fn read(target: &Target) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let found = walk::walk(target, &CONFIGURATIONS, is_configuration);
    for file in found.files {
        let Ok(text) = files::read_to_string_limited(&target.path(&file), FILE_BYTES_MAX) else {
            continue;
        };
        for path in paths(&text) {
            if uses.len() < PATHS_MAX {
                uses.entry(path.to_owned()).or_default().insert(file.clone());
            }
        }
    }
    uses
}

/// The absolute paths of certificates on lines that speak of one.
pub(super) fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.trim_start())
        .filter(|line| !line.starts_with(['#', ';']) && speaks_of_certificate(line))
        .flat_map(|line| {
            line.split(|letter: char| letter.is_whitespace() || ";='\"<,:(){}[]".contains(letter))
        })
        .filter(|word| {
            word.starts_with('/') && walk::is_certificate_name(word) && !word.contains("..")
        })
}

fn speaks_of_certificate(line: &str) -> bool {
    let has = |word: &str| {
        line.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    has("cert") || has("crt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ways_in_which_services_name_certificates_are_understood() {
        for line in [
            "  ssl_certificate /a/b.pem;",
            "SSLCertificateFile \"/a/b.pem\"",
            "bind :443 ssl crt /a/b.pem alpn h2",
            "smtpd_tls_cert_file=/a/b.pem",
            "ssl_cert = </a/b.pem",
            "ssl_cert_file = '/a/b.pem'",
            "ssl-cert=/a/b.pem",
            "cert-file: /a/b.pem",
        ] {
            assert_eq!(paths(line).collect::<Vec<_>>(), ["/a/b.pem"], "{line}");
        }
        for line in [
            "# ssl_certificate /a/b.pem;",
            "ssl_certificate_key /a/b.key;",
            "root /a/b.pem;",
            "cert ../x.pem",
        ] {
            assert_eq!(paths(line).count(), 0, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,200}") {
            paths(&text).for_each(drop);
            paths(&format!("cert {text}")).for_each(drop);
        }
    }
}
