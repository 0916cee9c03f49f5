//! The answer by SQLite: items, observations, history and questions about them in one file.
//!
//! Invariants: everything read comes from committed state, one snapshot per question; the only writer is
//! [`ItemStore::apply`]. Items are folded when they are read, from observations that lie in the file once.

mod around;
mod assemble;
mod changes;
mod codec;
mod cursor;
mod differences;
mod find;
mod findings;
mod forget;
pub(crate) mod held;
mod history;
pub(crate) mod identity;
mod load;
mod moments;
mod names;
pub(crate) mod policies;
mod relations;
mod why;
mod words;
mod write;

pub(crate) use history::SCHEMA as HISTORY_SCHEMA;

use crate::database::Database;
use crate::findings::NamedItem;
use crate::items::{Items, ReadError, ScopeState};
use crate::observed::{CommitError, ItemStore, Snapshot};
use async_trait::async_trait;
use model::decision::{Decision, Number, ObservationRecord, RelationRecord, native_hash};
use model::query::{At, ChangeFilter, Filter, Order, Page, Paged};
use model::{
    AgentId, Catalog, Change, Item, ItemId, ItemState, Name, RelatedItem, Revision, SourceId,
};
use names::Names;
use policies::Book;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::watch;

/// How many items of a class are in a state.
type Counts = BTreeMap<(Name, ItemState), u64>;

struct Shared {
    /// The names that readers know; replaced before the transaction that uses new ones commits.
    published: RwLock<Arc<Names>>,
    /// The names of the writer.
    names: Mutex<Names>,
    counts: Mutex<Counts>,
    /// The policies by which items are folded; replaced after the commit that made others live.
    book: RwLock<Arc<Book>>,
    /// The connection of the thread that decides.
    deciding: Mutex<Deciding>,
}

/// A connection whose read transaction stays open while one decision is made: beginning one for each question would
/// cost more than the questions.
struct Deciding {
    connection: Connection,
    is_reading: bool,
}

impl Deciding {
    fn connection(&mut self) -> Result<&Connection, CommitError> {
        if !self.is_reading {
            self.connection.execute_batch("BEGIN")?;
            self.is_reading = true;
        }
        Ok(&self.connection)
    }
}

/// Items in SQLite. Cheap to clone.
#[derive(Clone)]
pub struct SqliteItems {
    database: Database,
    shared: Arc<Shared>,
    revisions: watch::Sender<Revision>,
}

impl std::fmt::Debug for SqliteItems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteItems").field("database", &self.database).finish_non_exhaustive()
    }
}

impl SqliteItems {
    /// The items of a database, of the classes that the product declares.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(database: Database) -> Result<Self, CommitError> {
        Self::open_with(database, Arc::new(Catalog::built_in()))
    }

    /// The items of a database. Attribute policies are about the classes of `catalog`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open_with(database: Database, catalog: Arc<Catalog>) -> Result<Self, CommitError> {
        let connection = database.reader()?;
        let names = load::names(&connection)?;
        let counts = load::counts(&connection, &names)?;
        let revision = load::last_revision(&connection)?;
        let book = Book::load(&connection, catalog)?;
        let shared = Shared {
            published: RwLock::new(Arc::new(names.clone())),
            names: Mutex::new(names),
            counts: Mutex::new(counts),
            book: RwLock::new(Arc::new(book)),
            deciding: Mutex::new(Deciding { connection, is_reading: false }),
        };
        Ok(Self { database, shared: Arc::new(shared), revisions: watch::Sender::new(revision) })
    }

    fn names(&self) -> Arc<Names> {
        Arc::clone(&self.shared.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn book(&self) -> Arc<Book> {
        Arc::clone(&self.shared.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask<T, F>(&self, question: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Names) -> Result<T, ReadError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.database
            .read(move |connection| {
                // Taken inside the read transaction: names are published before the commit that uses them.
                connection.query_row("SELECT 1 FROM name LIMIT 1", [], |_| Ok(())).ok();
                let names =
                    Arc::clone(&shared.published.read().unwrap_or_else(PoisonError::into_inner));
                question(connection, &names)
            })
            .await
    }
}

impl Shared {
    fn count(&self, decision: &Decision) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for record in &decision.items {
            let class = &record.class;
            if let Some(before) = record.state_before
                && let Some(count) = counts.get_mut(&(class.clone(), before))
            {
                *count = count.saturating_sub(1);
            }
            if record.state_before.is_some() || record.id.is_some() {
                let count = counts.entry((class.clone(), record.state)).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
}

#[async_trait]
impl ItemStore for SqliteItems {
    async fn apply(&self, decision: Arc<Decision>) -> Result<Revision, CommitError> {
        let shared = Arc::clone(&self.shared);
        let written = Arc::clone(&decision);
        let revision = self
            .database
            .write::<_, CommitError, _>(move |connection| {
                let mut names = shared.names.lock().unwrap_or_else(PoisonError::into_inner);
                let revision = write::apply(connection, &mut names, &written)?;
                if !names.unwritten().is_empty() {
                    let mut published =
                        shared.published.write().unwrap_or_else(PoisonError::into_inner);
                    *published = Arc::new(names.clone());
                }
                Ok((revision, names.unwritten().last().map(|(number, _)| *number)))
            })
            .await?;
        let (revision, last_name) = revision;
        if let Some(last) = last_name {
            self.shared.names.lock().unwrap_or_else(PoisonError::into_inner).written(last);
        }
        self.shared.count(&decision);
        if let Some(rules) = decision.rules.as_ref().filter(|rules| !rules.is_applied) {
            let mut book = self.shared.book.write().unwrap_or_else(PoisonError::into_inner);
            Arc::make_mut(&mut book).add(rules);
        }
        self.revisions.send_if_modified(|known| {
            let is_newer = revision > *known;
            *known = revision.max(*known);
            is_newer
        });
        Ok(revision)
    }

    async fn load(&self) -> Result<Snapshot, CommitError> {
        let names = self.names();
        self.database.read(move |connection| load::snapshot(connection, &names)).await
    }

    fn observations_of(&self, item: Number) -> Result<Vec<ObservationRecord>, CommitError> {
        let mut deciding = self.shared.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = deciding.connection()?;
        load::observations_of(connection, &self.names(), item)
    }

    fn relations_to(&self, item: Number) -> Result<Vec<RelationRecord>, CommitError> {
        let mut deciding = self.shared.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = deciding.connection()?;
        load::relations_to(connection, &self.names(), item)
    }

    async fn observations_of_all(
        &self,
        items: &[Number],
    ) -> Result<Vec<(Number, Vec<ObservationRecord>)>, CommitError> {
        let (items, shared) = (items.to_vec(), Arc::clone(&self.shared));
        self.database
            .read(move |connection| {
                // Inside the read transaction, as for every other question.
                connection.query_row("SELECT 1 FROM name LIMIT 1", [], |_| Ok(())).ok();
                let names =
                    Arc::clone(&shared.published.read().unwrap_or_else(PoisonError::into_inner));
                let read = |item| Ok((item, load::observations_of(connection, &names, item)?));
                items.into_iter().map(read).collect()
            })
            .await
    }

    fn decided(&self) {
        let mut deciding = self.shared.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        if deciding.is_reading {
            // Nothing was written: however it ends, it ends.
            deciding.connection.execute_batch("COMMIT").ok();
            deciding.is_reading = false;
        }
    }

    async fn numbers(&self, ids: &[ItemId]) -> Result<Vec<Option<Number>>, CommitError> {
        let ids = ids.to_vec();
        self.database
            .read(move |connection| {
                ids.iter().map(|id| Ok(assemble::number_of(connection, *id)?)).collect()
            })
            .await
    }
}

#[async_trait]
impl Items for SqliteItems {
    async fn item(&self, id: ItemId, at: At) -> Result<Option<Item>, ReadError> {
        let book = self.book();
        self.ask(move |connection, names| {
            history::check(connection, at)?;
            let Some(number) = assemble::number_of(connection, id)? else { return Ok(None) };
            assemble::item(connection, (names, &book), number, at)
        })
        .await
    }

    async fn items(&self, ids: &[ItemId], at: At) -> Result<Vec<Item>, ReadError> {
        let (ids, book) = (ids.to_vec(), self.book());
        self.ask(move |connection, names| {
            history::check(connection, at)?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(number) = assemble::number_of(connection, id)? {
                    found.extend(assemble::item(connection, (names, &book), number, at)?);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn named(&self, ids: &[ItemId]) -> Result<Vec<Option<NamedItem>>, ReadError> {
        let ids = ids.to_vec();
        self.ask(move |connection, names| findings::named_items(connection, names, &ids)).await
    }

    async fn located(
        &self,
        source: &SourceId,
        native_key: &str,
    ) -> Result<Option<ItemId>, ReadError> {
        let (source, native) = (source.clone(), native_hash(source, native_key));
        self.ask(move |connection, _| Ok(assemble::located(connection, &source, native)?)).await
    }

    async fn find(
        &self,
        filter: &Filter,
        order: Order,
        page: &Page,
        at: At,
    ) -> Result<Paged<Item>, ReadError> {
        let question = find::Question { filter: filter.clone(), order, at };
        let (page, book) = (page.clone(), self.book());
        self.ask(move |connection, names| find::find(connection, (names, &book), &question, &page))
            .await
    }

    async fn count(&self, filter: &Filter, at: At) -> Result<u64, ReadError> {
        let counts = self.class_counts_at(filter, at).await?;
        Ok(counts.iter().map(|(_, count)| *count).sum())
    }

    async fn class_counts(&self, filter: &Filter, at: At) -> Result<Vec<(Name, u64)>, ReadError> {
        self.class_counts_at(filter, at).await
    }

    async fn related(
        &self,
        id: ItemId,
        verbs: &[Name],
        page: &Page,
        at: At,
    ) -> Result<Paged<RelatedItem>, ReadError> {
        let (verbs, page) = (verbs.to_vec(), page.clone());
        self.ask(move |connection, names| {
            relations::related(connection, names, &relations::Question { id, verbs, at }, &page)
        })
        .await
    }

    async fn relation_counts(
        &self,
        id: ItemId,
        at: At,
    ) -> Result<Vec<(Name, bool, u64)>, ReadError> {
        self.ask(move |connection, names| relations::counts(connection, names, id, at)).await
    }

    async fn changes(
        &self,
        filter: &ChangeFilter,
        page: &Page,
    ) -> Result<Paged<Change>, ReadError> {
        let (filter, page) = (filter.clone(), page.clone());
        self.ask(move |connection, names| changes::changes(connection, names, &filter, &page)).await
    }

    async fn changes_after(&self, after: Revision, limit: u32) -> Result<Vec<Change>, ReadError> {
        self.ask(move |connection, names| changes::after(connection, names, after, limit)).await
    }

    async fn scopes(&self, item: ItemId) -> Result<Vec<ScopeState>, ReadError> {
        self.ask(move |connection, _| relations::scopes_of_item(connection, item)).await
    }

    async fn scopes_of_agent(&self, agent: AgentId) -> Result<Vec<ScopeState>, ReadError> {
        self.ask(move |connection, _| relations::scopes_of_agent(connection, agent)).await
    }

    fn revisions(&self) -> watch::Receiver<Revision> {
        self.revisions.subscribe()
    }
}

impl SqliteItems {
    /// Counts by class: from memory when only class and state are asked for, else by looking.
    async fn class_counts_at(
        &self,
        filter: &Filter,
        at: At,
    ) -> Result<Vec<(Name, u64)>, ReadError> {
        let is_simple = filter.parent.is_none()
            && filter.text.is_none()
            && filter.conditions.is_empty()
            && at == At::Now;
        if !is_simple {
            let question = find::Question { filter: filter.clone(), order: Order::Class, at };
            let book = self.book();
            return self
                .ask(move |connection, names| {
                    find::class_counts(connection, (names, &book), &question)
                })
                .await;
        }
        let counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_class: BTreeMap<Name, u64> = BTreeMap::new();
        for ((class, state), count) in counts.iter() {
            let is_asked = (filter.classes.is_empty() || filter.classes.contains(class))
                && find::is_asked_state(filter, *state);
            if is_asked && *count > 0 {
                let sum = by_class.entry(class.clone()).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        Ok(find::most_first(by_class))
    }
}

/// The bits of an unsigned number as SQLite keeps them.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// The number whose bits SQLite kept.
fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

fn blob(agent: AgentId) -> [u8; 16] {
    agent.to_bytes()
}

const fn state_number(state: ItemState) -> u8 {
    match state {
        ItemState::Active => 0,
        ItemState::Missing => 1,
        ItemState::Stale => 2,
        ItemState::Retired => 3,
        ItemState::Merged => 4,
    }
}

fn state_of(number: u8) -> Option<ItemState> {
    ItemState::ALL.get(usize::from(number)).copied()
}

/// The error of a record that cannot be understood.
fn corrupt(what: impl Into<String>) -> CommitError {
    CommitError::Corrupt { what: what.into() }
}
