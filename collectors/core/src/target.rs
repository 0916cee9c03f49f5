//! What a collector is pointed at.

use std::path::{Path, PathBuf};

/// What a collector is pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Names the target for its source; the agent's id when the target is the agent's own host.
    pub id: String,
    /// The site that scopes addresses and host names.
    pub site: String,
    /// Where the file system of the host that is described begins; `/` except for images and tests.
    pub root: PathBuf,
}

impl Target {
    /// The host that the agent itself runs on.
    #[must_use]
    pub fn own_host(agent: &str, site: &str) -> Self {
        Self { id: agent.to_owned(), site: site.to_owned(), root: PathBuf::from("/") }
    }

    /// Whether the target is the running host, so that system calls describe it too.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The place of an absolute path on the target.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }
}
