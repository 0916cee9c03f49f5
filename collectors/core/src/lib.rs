//! What every collector is: the trait, its manifest, its target and the run that it reports into.
//!
//! A collector reads one source and says what it saw; it neither decides identity nor keeps state between runs.
//! It is divided into scopes, each looked at by itself, on its own interval, with its own coverage: a part that
//! fails or is denied is reported as such and the rest goes on.

mod manifest;
mod remote;
mod run;
mod target;
pub mod testing;

pub use manifest::{Manifest, OptionDeclaration, Platform, Privilege, ScopeDeclaration};
pub use remote::{Credential, Remote, Secret};
pub use run::{FAILURES_MAX, OBSERVATIONS_MAX, PartFailure, Progress, Run, Sink};
pub use target::Target;

use async_trait::async_trait;
use model::Coverage;

/// Why a scope of a target could not be looked at, at all.
///
/// A part that fails is no error: it is reported with [`Run::failed`] and lowers the coverage to partial.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The collector has no scope of that name.
    #[error("the collector `{collector}` has no scope `{scope}`; it has: {known}")]
    UnknownScope {
        /// The collector.
        collector: &'static str,
        /// The name asked for.
        scope: String,
        /// The names that there are.
        known: String,
    },
    /// The target did not answer.
    #[error("cannot reach `{target}`")]
    Unreachable {
        /// The target.
        target: String,
        /// What the network said.
        #[source]
        source: std::io::Error,
    },
    /// It answered, and let no credential in.
    #[error("`{target}` accepted none of its credentials; {remedy}")]
    Refused {
        /// The target.
        target: String,
        /// What would mend it.
        remedy: String,
    },
    /// What the target is configured with cannot be used.
    #[error("the target `{target}` cannot be read: {what}")]
    Misconfigured {
        /// The target.
        target: String,
        /// What is wrong, and what to write instead.
        what: String,
    },
    /// The right is missing.
    #[error("`{what}` may not be read; {remedy}")]
    PermissionDenied {
        /// What was to be read.
        what: String,
        /// What would mend it.
        remedy: String,
    },
}

/// The state of what a scope is read from, cheap to obtain: equal guards mean that looking again would see the
/// same. Made from modification times, sizes and inode numbers, never from the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guard(pub u64);

/// A reader of one source.
#[async_trait]
pub trait Collector: Send + Sync {
    /// What this collector reads, what it needs and what it emits.
    fn manifest(&self) -> &'static Manifest;

    /// The guard of a scope; `None` when only looking tells.
    fn guard(&self, _target: &Target, _scope: &str) -> Option<Guard> {
        None
    }

    /// Looks at one scope of `target` once and reports into `run` what it saw.
    ///
    /// # Errors
    /// Only when nothing of the scope could be looked at.
    async fn collect(
        &self,
        target: &Target,
        scope: &str,
        run: &mut Run<'_>,
    ) -> Result<Coverage, CollectError>;
}
