//! Join tokens: made, listed, revoked. The text of a token exists only in the answer that makes it.

use super::{Fleet, FleetError};
use model::TokenId;
use pki::token::JoinToken;
use std::collections::BTreeMap;
use std::time::Duration;
use store::fleet::JoinTokenRecord;

/// The shortest and the longest life of a join token. A week is enough to roll out a fleet; a token that lives for
/// ever is a password.
const LIFE_MIN: Duration = Duration::from_secs(60);
const LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// The life when none is asked for.
pub const JOIN_TOKEN_LIFE_DEFAULT: Duration = Duration::from_secs(3600);

/// Agents by one token.
const USES_MAX: u32 = 100_000;

/// Labels of one token, and bytes of a name, site, label or value.
const LABELS_MAX: usize = 32;
const TEXT_BYTES_MAX: usize = 128;

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct NewJoinToken {
    /// What to call it.
    pub name: String,
    /// Site of the agents that join by it.
    pub site: String,
    /// Labels of the agents that join by it.
    pub labels: BTreeMap<String, String>,
    /// How many agents may join by it.
    pub uses: u32,
    /// How long it is good.
    pub life: Duration,
    /// Who asks.
    pub created_by: String,
}

/// A token with its text, which is shown once.
#[derive(Clone)]
pub struct NewToken {
    /// Its record.
    pub record: JoinTokenRecord,
    /// The whole text.
    pub text: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("record", &self.record.id).finish_non_exhaustive()
    }
}

impl Fleet {
    /// Makes a join token.
    ///
    /// # Errors
    /// When a value is out of range, or the store does not answer.
    pub async fn token_create(&self, wanted: NewJoinToken) -> Result<NewToken, FleetError> {
        check(&wanted)?;
        let now = self.now();
        let token = JoinToken::generate(self.new_token_id(), &self.authority.pin())?;
        let record = JoinTokenRecord {
            id: token.id().to_string(),
            secret_hash: token.secret_hash(),
            name: wanted.name,
            site: wanted.site,
            labels: wanted.labels,
            uses_max: wanted.uses,
            uses: 0,
            created_by: wanted.created_by,
            created_at: now,
            expires_at: now.plus(wanted.life),
            revoked_at: None,
        };
        self.store.token_create(record.clone()).await?;
        tracing::info!(token = record.id, by = record.created_by, "join token made");
        Ok(NewToken { record, text: token.reveal() })
    }

    /// Join tokens, newest first, behind the one with this id.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn tokens(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<JoinTokenRecord>, FleetError> {
        Ok(self.store.tokens(after, limit).await?)
    }

    /// The join token of this id.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn token(&self, id: TokenId) -> Result<Option<JoinTokenRecord>, FleetError> {
        Ok(self.store.token(&id.to_string()).await?)
    }

    /// Revokes a join token; false when there is none. Agents that joined by it stay.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn token_revoke(&self, id: TokenId) -> Result<bool, FleetError> {
        Ok(self.store.token_revoke(&id.to_string(), self.now()).await?)
    }
}

fn check(wanted: &NewJoinToken) -> Result<(), FleetError> {
    let invalid = |parameter, reason: String| Err(FleetError::Invalid { parameter, reason });
    if wanted.life < LIFE_MIN || wanted.life > LIFE_MAX {
        let (least, most) = (LIFE_MIN.as_secs(), LIFE_MAX.as_secs());
        return invalid(
            "ttl_seconds",
            format!("a join token lives between {least} and {most} seconds"),
        );
    }
    if wanted.uses == 0 || wanted.uses > USES_MAX {
        return invalid("uses", format!("a join token is good for 1 to {USES_MAX} agents"));
    }
    if wanted.labels.len() > LABELS_MAX {
        return invalid("labels", format!("an agent has at most {LABELS_MAX} labels"));
    }
    let labels = wanted.labels.iter().flat_map(|(name, value)| [name, value]);
    for text in labels.chain([&wanted.name, &wanted.site]) {
        if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            return invalid(
                "labels",
                format!(
                    "names, sites and labels have at most {TEXT_BYTES_MAX} bytes and no control characters"
                ),
            );
        }
    }
    if wanted.labels.keys().any(String::is_empty) {
        return invalid("labels", "a label needs a name".into());
    }
    Ok(())
}
