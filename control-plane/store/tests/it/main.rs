//! SQLite passes the conformance suite, and keeps what it stored over a restart.

use store::conformance;
use store::database::Database;
use store::observed::ItemStore;
use store::sqlite::SqliteItems;

struct Fresh {
    folder: tempfile::TempDir,
    store: SqliteItems,
}

#[expect(clippy::expect_used, reason = "a rig that cannot be set up ends the test")]
fn fresh() -> Fresh {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(&folder.path().join("dharma.sqlite")).expect("a database");
    Fresh { folder, store: SqliteItems::open(database).expect("a store") }
}

macro_rules! conforms {
    ($($behavior:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $behavior() {
            let fresh = fresh();
            conformance::$behavior(&fresh.store).await;
            drop(fresh.folder);
        }
    )+};
}

conforms!(
    an_applied_decision_is_answered,
    a_decision_that_fails_leaves_nothing,
    time_travel_returns_what_was_known_then,
    a_relationship_has_a_beginning_and_an_end,
    pages_neither_skip_nor_repeat,
    a_watcher_gets_whole_revisions,
);

#[tokio::test]
async fn everything_is_known_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dharma.sqlite");
    let database = Database::open(&path).unwrap();
    let store = SqliteItems::open(database.clone()).unwrap();
    let revision = store.apply(std::sync::Arc::new(conformance::created(1..=3))).await.unwrap();
    database.close().await;
    drop(store);
    let store = SqliteItems::open(Database::open(&path).unwrap()).unwrap();
    use store::items::Items;
    assert_eq!(*store.revisions().borrow(), revision);
    let at = model::query::At::Now;
    assert_eq!(store.count(&model::query::Filter::default(), at).await.unwrap(), 3);
    let snapshot = store.load().await.unwrap();
    assert_eq!((snapshot.items.len(), snapshot.sources.len()), (3, 1));
}
