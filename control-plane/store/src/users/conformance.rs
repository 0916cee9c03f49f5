//! What every answer to [`Users`] must do, as behaviors over the trait. The tests below hold SQLite to it.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

fn user(number: u8, name: &str, hash: &str) -> UserRecord {
    UserRecord {
        id: UserId::from_bytes([number; 16]),
        name: name.into(),
        role: "admin".into(),
        password_hash: hash.into(),
        created_at: at(0),
    }
}

fn code(hash: u8, user: Option<&str>) -> SetupCode {
    SetupCode { hash: [hash; 32], user: user.map(str::to_owned), expires_at: at(100) }
}

fn session(hash: u8, used: i64) -> SessionRecord {
    let user = UserId::from_bytes([1; 16]);
    SessionRecord { hash: [hash; 32], user, created_at: at(0), used_at: at(used) }
}

async fn a_code_is_used_once_and_only_the_newest_counts(users: &dyn Users) {
    assert!(users.is_empty().await.unwrap());
    users.setup_code_put(code(1, None)).await.unwrap();
    users.setup_code_put(code(2, None)).await.unwrap();
    let set_up = |hash: u8, seconds| users.set_up([hash; 32], user(1, "ann", "h1"), at(seconds));
    assert!(matches!(set_up(1, 1).await, Err(SetupError::WrongCode)));
    assert!(matches!(set_up(2, 100).await, Err(SetupError::WrongCode)));
    assert_eq!(set_up(2, 1).await.unwrap().name, "ann");
    assert!(matches!(set_up(2, 2).await, Err(SetupError::WrongCode)));
    assert!(!users.is_empty().await.unwrap());
}

async fn a_reset_replaces_the_password_of_its_person_and_ends_their_sessions(users: &dyn Users) {
    users.setup_code_put(code(1, None)).await.unwrap();
    users.set_up([1; 32], user(1, "ann", "h1"), at(1)).await.unwrap();
    users.session_put(session(5, 1), at(0)).await.unwrap();
    users.setup_code_put(code(2, Some("ann"))).await.unwrap();
    let other = users.set_up([2; 32], user(9, "bob", "h2"), at(2)).await;
    assert!(matches!(other, Err(SetupError::WrongName)));
    let reset = users.set_up([2; 32], user(9, "ann", "h2"), at(2)).await.unwrap();
    assert_eq!(reset.id, UserId::from_bytes([1; 16]));
    let stored = users.user_by_name("ann").await.unwrap().unwrap();
    assert_eq!((stored.id, stored.password_hash.as_str()), (reset.id, "h2"));
    assert_eq!(users.session([5; 32]).await.unwrap(), None);
}

async fn sessions_are_bounded_and_the_longest_unused_go_first(users: &dyn Users) {
    users.setup_code_put(code(1, None)).await.unwrap();
    users.set_up([1; 32], user(1, "ann", "h1"), at(1)).await.unwrap();
    for number in 1..=60 {
        users.session_put(session(number, i64::from(number)), at(0)).await.unwrap();
    }
    assert_eq!(users.session([1; 32]).await.unwrap(), None);
    let (kept, owner) = users.session([60; 32]).await.unwrap().unwrap();
    assert_eq!((kept.used_at, owner.name.as_str()), (at(60), "ann"));
    users.session_touch([60; 32], at(500)).await.unwrap();
    users.session_put(session(61, 600), at(400)).await.unwrap();
    assert_eq!(users.session([59; 32]).await.unwrap(), None);
    assert!(users.session([60; 32]).await.unwrap().is_some());
    users.session_end([60; 32]).await.unwrap();
    assert_eq!(users.session([60; 32]).await.unwrap(), None);
}

async fn an_access_token_keeps_its_scopes_and_tells_its_last_use(users: &dyn Users) {
    let token = AccessTokenRecord {
        id: "t1".into(),
        secret_hash: [7; 32],
        kind: "service".into(),
        name: "backup".into(),
        user: None,
        scopes: vec!["read".into(), "write".into()],
        created_by: "ann".into(),
        created_at: at(0),
        expires_at: at(100),
        revoked_at: None,
        used_at: None,
        used_from: String::new(),
    };
    users.access_token_create(token.clone()).await.unwrap();
    assert_eq!(users.access_token("t1").await.unwrap(), Some(token));
    users.access_token_touch("t1", at(5), "192.0.2.1").await.unwrap();
    users.access_token_touch("t1", at(3), "192.0.2.2").await.unwrap();
    assert!(users.access_token_revoke("t1", at(9)).await.unwrap());
    assert!(!users.access_token_revoke("t2", at(9)).await.unwrap());
    let listed = users.access_tokens(None, 10).await.unwrap();
    let listed = listed.first().unwrap();
    assert_eq!((listed.used_at, listed.revoked_at), (Some(at(5)), Some(at(9))));
}

macro_rules! sqlite {
    ($($behavior:ident)+) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $behavior() {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("dharma.sqlite");
                    let database = crate::database::Database::open(&path).unwrap();
                    super::$behavior(&super::SqliteUsers::new(database)).await;
                }
            )+
        }
    };
}

sqlite! {
    a_code_is_used_once_and_only_the_newest_counts
    a_reset_replaces_the_password_of_its_person_and_ends_their_sessions
    sessions_are_bounded_and_the_longest_unused_go_first
    an_access_token_keeps_its_scopes_and_tells_its_last_use
}
