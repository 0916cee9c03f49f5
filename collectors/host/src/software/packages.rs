//! The scopes `packages.*`: what package managers installed, read from their own files.
//!
//! Each manager is a module with a pure parser. A package is told apart by manager, name and architecture; several
//! installed versions of one (kernels) are one item with the newest version and the others beside it.
//!
//! Deliberately not here: which versions are vulnerable or out of date.

mod dpkg;
mod purl;
mod stanza;

use crate::files::{self, Refusal};
use collector::{Guard, Run, Target};
use model::classes::package;
use model::run::CoverageReason;
use model::{Coverage, Observation, Timestamp};
use std::borrow::Cow;
use std::io;

/// The most packages that one manager of a host may have; a full distribution has 60,000.
const PACKAGES_MAX: usize = 80_000;

/// One installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Package {
    manager: Cow<'static, str>,
    name: String,
    version: String,
    architecture: String,
    source: Option<String>,
    maintainer: Option<String>,
    summary: Option<String>,
    license: Option<String>,
    section: Option<String>,
    place: Option<String>,
    installed_bytes: Option<u64>,
    installed_at: Option<Timestamp>,
    other_versions: Vec<String>,
    is_held: Option<bool>,
    purl: Option<String>,
}

impl Package {
    fn into_observation(self) -> Observation {
        let parts = [&*self.manager, &self.name, &self.architecture];
        let mut seen = Observation::part(&package::CLASS, crate::HOST, &parts)
            .with(&package::VERSION, self.version)
            .with_some(&package::SOURCE_PACKAGE, self.source)
            .with_some(&package::MAINTAINER, self.maintainer)
            .with_some(&package::SUMMARY, self.summary)
            .with_some(&package::LICENSE, self.license)
            .with_some(&package::SECTION, self.section)
            .with_some(&package::PLACE, self.place)
            .with_some(&package::INSTALLED_BYTES, self.installed_bytes)
            .with_some(&package::INSTALLED_AT, self.installed_at)
            .with_some(&package::IS_HELD, self.is_held)
            .with_some(&package::PURL, self.purl);
        if !self.other_versions.is_empty() {
            seen.set(&package::OTHER_VERSIONS, self.other_versions);
        }
        seen
    }
}

/// Looks at a scope of packages; `None` when the scope is no such.
pub(super) fn collect(target: &Target, scope: &str, run: &mut Run<'_>) -> Option<Coverage> {
    Some(match scope {
        "packages.dpkg" => dpkg::collect(target, run),
        _ => return None,
    })
}

/// The guard of a scope of packages.
pub(super) fn guard(target: &Target, scope: &str) -> Option<Guard> {
    Some(match scope {
        "packages.dpkg" => dpkg::guard(target),
        _ => return None,
    })
}

/// What a file that cannot be opened means for the scope of `tool`.
fn refused(tool: &str, path: &str, error: &io::Error) -> Coverage {
    match files::refusal(error) {
        Refusal::NotFound => Coverage::not_present(format!("{tool} is not installed")),
        Refusal::PermissionDenied => Coverage::not_looked_at(
            CoverageReason::PermissionDenied,
            format!("{path} may not be read; run the agent as root or install the package"),
        ),
        Refusal::Other => {
            Coverage::not_looked_at(CoverageReason::Unreachable, format!("{path}: {error}"))
        }
    }
}
