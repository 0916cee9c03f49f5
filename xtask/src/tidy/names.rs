//! Which crate names which dependency: the seams of ARCHITECTURE.md, checked by the paths that sources write.

use super::Complaint;
use super::sources::blanked;
use std::path::Path;

/// A dependency and where its name may stand.
struct Seam {
    /// Crates of the dependency, as paths in code begin with them.
    crates: &'static [&'static str],
    /// Beginnings of the paths of sources that may name them.
    allowed: &'static [&'static str],
    /// What a complaint says.
    rule: &'static str,
}

const SEAMS: &[Seam] = &[
    Seam {
        crates: &["axum", "async_graphql", "async_graphql_value"],
        allowed: &["control-plane/src/api"],
        rule: "only the control plane's api/ knows HTTP and GraphQL",
    },
    Seam {
        crates: &["tonic", "tonic_health", "tonic_reflection"],
        // The connector of `pki` and the acceptor implement tonic's traits; the agent's uplink and the command line
        // are clients; tests speak to both sides.
        allowed: &[
            "proto/",
            "pki/",
            "control-plane/src/api",
            "agent/src/uplink",
            "agent/src/enroll",
            "agent/tests/",
            "control-plane/tests/",
            "control-plane/examples/",
            "cli/src/",
            "tests/",
        ],
        rule: "gRPC is spoken by api/, the agent's uplink and enrollment, and the command line",
    },
    Seam {
        crates: &["rustls", "tokio_rustls", "rcgen", "webpki", "x509_parser"],
        // The host collector reads certificates that lie on disk, the sweep those that servers show; they make and
        // check none.
        allowed: &["pki/", "collectors/host/src/", "collectors/sweep/src/"],
        rule: "only pki knows TLS and certificates",
    },
    Seam {
        crates: &["prost", "prost_types"],
        allowed: &["proto/"],
        rule: "only proto knows prost",
    },
    Seam {
        crates: &["rusqlite"],
        allowed: &["control-plane/store/"],
        rule: "only the store knows SQLite",
    },
];

/// Checks one source file.
pub(crate) fn check(path: &Path, text: &str) -> Vec<Complaint> {
    let place = path.to_string_lossy();
    let forbidden: Vec<&Seam> = SEAMS
        .iter()
        .filter(|seam| !seam.allowed.iter().any(|allowed| place.starts_with(allowed)))
        .collect();
    if forbidden.is_empty() {
        return Vec::new();
    }
    let code = blanked(text);
    let mut complaints = Vec::new();
    for (index, line) in code.lines().enumerate() {
        for seam in &forbidden {
            if let Some(name) = seam.crates.iter().find(|name| is_named(line, name)) {
                complaints.push(Complaint::new(
                    path,
                    index + 1,
                    format!("names `{name}`: {}", seam.rule),
                ));
            }
        }
    }
    complaints
}

/// Whether a line has a path that begins with the crate, or imports it.
fn is_named(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(place, _)| {
        let before = line.get(..place).unwrap_or_default();
        let after = line.get(place + name.len()..).unwrap_or_default();
        // `proto::tonic::…` is the same crate by another way; `my_tonic` and `self.tonic` are not.
        let begins = !before
            .ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.');
        let is_path = after.starts_with("::");
        let is_import = before.trim_end().ends_with("use") && after.starts_with([';', ' ']);
        begins && (is_path || is_import)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(Path::new(path), text).len()
    }

    #[test]
    fn a_dependency_named_outside_of_its_place_is_complained_about() {
        assert_eq!(count("control-plane/src/ingest.rs", "use axum::Router;"), 1);
        assert_eq!(count("agent/src/main.rs", "fn f(e: tonic::Status) {}"), 1);
        assert_eq!(count("agent/src/main.rs", "use proto::tonic::Status;"), 1);
        assert_eq!(count("agent/src/main.rs", "use rustls;"), 1);
        assert_eq!(count("model/src/item.rs", "impl ::prost::Message for X {}"), 1);
        assert_eq!(count("control-plane/src/fleet.rs", "rusqlite::Connection::open(path)"), 1);
    }

    #[test]
    fn a_dependency_named_in_its_place_a_comment_or_a_string_is_fine() {
        assert_eq!(count("control-plane/src/api/rest.rs", "use axum::Router;"), 0);
        assert_eq!(count("pki/src/client.rs", "use rustls::ClientConfig;"), 0);
        assert_eq!(
            count("agent/src/main.rs", "// tonic::Status would do\nlet x = \"axum::Router\";"),
            0
        );
        assert_eq!(count("agent/src/main.rs", "let my_tonic = self.tonic;"), 0);
    }
}
