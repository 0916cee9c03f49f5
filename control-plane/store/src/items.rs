//! Reading configuration items, their relationships and their history.

use crate::findings::NamedItem;
use async_trait::async_trait;
use model::query::{At, ChangeFilter, Filter, Order, Page, Paged};
use model::{
    AgentId, Change, Coverage, Item, ItemId, Name, RelatedItem, Revision, SourceId, Timestamp,
};
use tokio::sync::watch;

/// Why a question about items has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The cursor is not one of this question.
    #[error("the cursor does not belong to this question; ask again without it")]
    CursorMismatch,
    /// The question itself cannot be answered.
    #[error("{reason}")]
    Invalid {
        /// Why, as a sentence that says what to ask instead.
        reason: String,
    },
    /// The asked moment lies before the retained history.
    #[error("history is kept from {kept_since_millis} on; ask for a later moment")]
    HistoryExpired {
        /// Milliseconds since the Unix epoch.
        kept_since_millis: i64,
    },
    /// The store cannot answer now.
    #[error("the store cannot answer now")]
    Unavailable {
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What the last looks at one scope of a source said.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeState {
    /// Who looks.
    pub source: SourceId,
    /// The scope.
    pub scope: Name,
    /// How completely it was seen the last time.
    pub coverage: Coverage,
    /// The last look.
    pub looked_at: Timestamp,
    /// The last complete look.
    pub complete_at: Option<Timestamp>,
    /// How many things it holds.
    pub seen_count: u64,
    /// The agent that carried it.
    pub agent: AgentId,
}

/// Questions about items. All of them are answered from committed state.
#[async_trait]
pub trait Items: Send + Sync {
    /// The item of this id; an absorbed id gives its survivor.
    async fn item(&self, id: ItemId, at: At) -> Result<Option<Item>, ReadError>;

    /// The items of these ids, in their order, without those that are not there. One question for a whole page.
    async fn items(&self, ids: &[ItemId], at: At) -> Result<Vec<Item>, ReadError> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(self.item(*id, at).await?);
        }
        Ok(found)
    }

    /// What a list shows of these items, in their order, an absorbed id giving its survivor; `None` for what is not
    /// there. Unlike [`Items::items`] it reads no observation.
    async fn named(&self, ids: &[ItemId]) -> Result<Vec<Option<NamedItem>>, ReadError> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let item = self.item(*id, At::Now).await?;
            found.push(item.map(|item| NamedItem {
                id: item.id,
                class: item.class,
                title: item.title,
                state: item.state,
            }));
        }
        Ok(found)
    }

    /// The item that a source calls by this native key.
    async fn located(
        &self,
        source: &SourceId,
        native_key: &str,
    ) -> Result<Option<ItemId>, ReadError>;

    /// Items that match, a page at a time.
    async fn find(
        &self,
        filter: &Filter,
        order: Order,
        page: &Page,
        at: At,
    ) -> Result<Paged<Item>, ReadError>;

    /// How many items match, exactly.
    async fn count(&self, filter: &Filter, at: At) -> Result<u64, ReadError>;

    /// How many items of each class match the rest of the filter, most first.
    async fn class_counts(&self, filter: &Filter, at: At) -> Result<Vec<(Name, u64)>, ReadError>;

    /// What an item relates to in both directions, parts (`contains`) included, a page at a time. No verb: all verbs.
    async fn related(
        &self,
        id: ItemId,
        verbs: &[Name],
        page: &Page,
        at: At,
    ) -> Result<Paged<RelatedItem>, ReadError>;

    /// How many relationships an item has, by verb and direction (`true`: outgoing).
    async fn relation_counts(
        &self,
        id: ItemId,
        at: At,
    ) -> Result<Vec<(Name, bool, u64)>, ReadError>;

    /// History, newest first, a page at a time.
    async fn changes(&self, filter: &ChangeFilter, page: &Page)
    -> Result<Paged<Change>, ReadError>;

    /// Changes committed after `after`, oldest first, for watchers. Revisions come whole: at least one when there is
    /// one, and further ones while their changes stay below `limit`.
    async fn changes_after(&self, after: Revision, limit: u32) -> Result<Vec<Change>, ReadError>;

    /// How completely the scopes of an item's sources were seen; for an agent's own host, all scopes of the host.
    async fn scopes(&self, item: ItemId) -> Result<Vec<ScopeState>, ReadError>;

    /// How completely the scopes were seen that an agent carries.
    async fn scopes_of_agent(&self, agent: AgentId) -> Result<Vec<ScopeState>, ReadError>;

    /// The last committed revision, and a signal at every later one.
    fn revisions(&self) -> watch::Receiver<Revision>;
}
