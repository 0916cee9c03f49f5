//! What a caller may do. The only place that decides it.

use crate::api::error::{ApiError, Code};
use model::{TokenId, UserId};

/// How much somebody may do; each level includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Look at everything.
    Read,
    /// Add agents.
    Write,
    /// Cut agents off, make tokens for programs, see what everybody made.
    Admin,
}

impl Level {
    /// Every level.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The name of the scope that grants it to a token.
    #[must_use]
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The name of the role that grants it to a person.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::Read => "viewer",
            Self::Write => "editor",
            Self::Admin => "admin",
        }
    }

    /// The level that a scope grants.
    #[must_use]
    pub fn from_scope(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.scope() == name)
    }

    /// The level that a role grants; an unknown role of a newer version grants the least.
    #[must_use]
    pub fn from_role(name: &str) -> Self {
        Self::ALL.into_iter().find(|level| level.role() == name).unwrap_or(Self::Read)
    }
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read items, changes, classes, counts.
    ItemsRead,
    /// Say which sightings are one item, and take it back.
    IdentityDecide,
    /// Let happen, or not, what a look missed too much of at once.
    RetirementsDecide,
    /// Make other rules of identity live.
    IdentityRules,
    /// Fix values of items, and let sources decide about them again.
    ValuesFix,
    /// Read agents and onboardings.
    AgentsRead,
    /// Cut an agent off.
    AgentsRevoke,
    /// Make, list and revoke join tokens.
    JoinTokensManage,
    /// Make, list and revoke access tokens of one's own.
    OwnTokensManage,
    /// Make, list and revoke the tokens of programs and of other people.
    AllTokensManage,
    /// Read target sets and how their targets fare.
    TargetsRead,
    /// Have targets looked at now.
    TargetsRun,
    /// Change target sets. Whoever names an address names where credentials are sent.
    TargetsManage,
    /// List, change and try credentials.
    CredentialsManage,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 14] = [
        Self::ItemsRead,
        Self::IdentityDecide,
        Self::RetirementsDecide,
        Self::IdentityRules,
        Self::ValuesFix,
        Self::AgentsRead,
        Self::AgentsRevoke,
        Self::JoinTokensManage,
        Self::OwnTokensManage,
        Self::AllTokensManage,
        Self::TargetsRead,
        Self::TargetsRun,
        Self::TargetsManage,
        Self::CredentialsManage,
    ];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ItemsRead => "items_read",
            Self::IdentityDecide => "identity_decide",
            Self::RetirementsDecide => "retirements_decide",
            Self::IdentityRules => "identity_rules",
            Self::ValuesFix => "values_fix",
            Self::AgentsRead => "agents_read",
            Self::AgentsRevoke => "agents_revoke",
            Self::JoinTokensManage => "join_tokens_manage",
            Self::OwnTokensManage => "own_tokens_manage",
            Self::AllTokensManage => "all_tokens_manage",
            Self::TargetsRead => "targets_read",
            Self::TargetsRun => "targets_run",
            Self::TargetsManage => "targets_manage",
            Self::CredentialsManage => "credentials_manage",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The level that it needs.
    #[must_use]
    pub const fn needs(self) -> Level {
        match self {
            Self::ItemsRead | Self::AgentsRead | Self::TargetsRead => Level::Read,
            Self::IdentityDecide
            | Self::RetirementsDecide
            | Self::ValuesFix
            | Self::JoinTokensManage
            | Self::OwnTokensManage
            | Self::TargetsRun => Level::Write,
            Self::IdentityRules
            | Self::AgentsRevoke
            | Self::AllTokensManage
            | Self::TargetsManage
            | Self::CredentialsManage => Level::Admin,
        }
    }
}

/// How a caller showed who they are; asked again by streams that live long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A session, by the hash of its secret.
    Session([u8; 32]),
    /// An access token.
    Token(TokenId),
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The person; `None` for a program.
    pub user: Option<UserId>,
    /// The person's or program's name.
    pub name: String,
    /// What the person's role allows; for a program, what its scopes allow.
    pub role: Level,
    /// What the token's scopes allow; everything for a session.
    pub granted: Level,
    /// How they showed who they are.
    pub means: Means,
}

impl Principal {
    /// Whether this is allowed.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, which names the missing role or scope.
    pub fn may(&self, action: Action) -> Result<(), ApiError> {
        let needs = action.needs();
        if self.role < needs {
            let detail = format!(
                "this needs the role `{}`, and `{}` has the role `{}`; ask an administrator",
                needs.role(),
                self.name,
                self.role.role()
            );
            return Err(ApiError::new(Code::PermissionDenied, detail).with("role", needs.role()));
        }
        if self.granted < needs {
            let detail = format!(
                "this needs a token with the scope `{}`; scopes of a token never change, so make another one",
                needs.scope()
            );
            return Err(ApiError::new(Code::PermissionDenied, detail).with("scope", needs.scope()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Level, granted: Level) -> Principal {
        Principal { user: None, name: "ann".into(), role, granted, means: Means::Session([0; 32]) }
    }

    #[test]
    fn the_lesser_of_role_and_scope_decides() {
        assert!(principal(Level::Admin, Level::Read).may(Action::AgentsRevoke).is_err());
        assert!(principal(Level::Read, Level::Admin).may(Action::AgentsRevoke).is_err());
        assert!(principal(Level::Admin, Level::Admin).may(Action::AgentsRevoke).is_ok());
        assert!(principal(Level::Read, Level::Read).may(Action::ItemsRead).is_ok());
    }

    #[test]
    fn a_refusal_names_what_is_missing() {
        let refused = principal(Level::Admin, Level::Read).may(Action::JoinTokensManage);
        assert_eq!(refused.unwrap_err().params.get("scope"), Some(&"write".into()));
    }

    #[test]
    fn an_unknown_role_grants_the_least() {
        assert_eq!(Level::from_role("emperor"), Level::Read);
    }
}
