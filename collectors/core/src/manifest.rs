//! The declaration of a collector: its page in the manual is generated from it.

use std::time::Duration;

/// Where a collector runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

/// A right that a collector needs, and what stays unseen without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privilege {
    /// A readable path, a capability, an action of a cloud, a view of a device.
    pub needs: &'static str,
    /// What is *not looked at* without it.
    pub without: &'static str,
}

/// A part of the source that is looked at by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeDeclaration {
    /// Its name, unique in the collector.
    pub name: &'static str,
    /// What it holds, in a sentence.
    pub summary: &'static str,
    /// Classes that it emits.
    pub classes: &'static [&'static str],
    /// How often it is looked at, unless configured otherwise. A guard makes a look at an unchanged scope cheap.
    pub interval: Duration,
    /// How long one look may take.
    pub time_limit: Duration,
    /// Whether it changes all the time (processes, sockets), so that it is read inside the agent's own process
    /// instead of in a short-lived child.
    pub is_volatile: bool,
}

/// Something that can be set for each remote target of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionDeclaration {
    /// Its name, lower snake case.
    pub name: &'static str,
    /// What it does, its unit and its limits, in a sentence.
    pub doc: &'static str,
    /// What holds when it is not set, as a person would write it.
    pub default: &'static str,
}

/// The declaration of a collector.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// A noun after the protocol or service, lower snake case.
    pub name: &'static str,
    /// What it reads, in a sentence.
    pub summary: &'static str,
    /// Its scopes, in the order in which they are looked at first.
    pub scopes: &'static [ScopeDeclaration],
    /// Relationships that it emits.
    pub relationships: &'static [&'static str],
    /// The rights that it needs.
    pub privileges: &'static [Privilege],
    /// Where it runs.
    pub platforms: &'static [Platform],
    /// The kinds of credentials that it can use; empty where it needs none.
    pub credentials: &'static [&'static str],
    /// What can be set for each of its targets.
    pub options: &'static [OptionDeclaration],
    /// Whether it reads targets that are named to it, instead of the host that the agent runs on.
    pub is_remote: bool,
}

impl Manifest {
    /// The scope of that name.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<&'static ScopeDeclaration> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// The names of its scopes, for a person.
    #[must_use]
    pub fn scope_names(&self) -> String {
        self.scopes.iter().map(|scope| scope.name).collect::<Vec<_>>().join(", ")
    }
}
