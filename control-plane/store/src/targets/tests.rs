//! What is written is read back, replaced and removed.

use super::*;
use crate::database::Database;

fn credential(sealed: &[u8]) -> CredentialRecord {
    CredentialRecord {
        credential: CredentialSet {
            name: "lab".into(),
            kind: "snmp_community".into(),
            ..CredentialSet::default()
        },
        secret_names: vec!["community".into()],
        sealed: sealed.to_vec(),
        changed_at: Timestamp::from_millis(5),
        changed_by: "ann".into(),
    }
}

#[tokio::test]
async fn sets_credentials_and_holders_are_read_as_they_were_written_last() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("dharma.sqlite")).unwrap();
    let store: &dyn Targets = &SqliteTargets::new(database);
    let set = TargetSet {
        name: "lab".into(),
        collector: "snmp".into(),
        addresses: vec!["192.0.2.1".into()],
        ..TargetSet::default()
    };
    let mut record =
        SetRecord { set, changed_at: Timestamp::from_millis(1), changed_by: "ann".into() };
    store.set_put(record.clone()).await.unwrap();
    record.set.is_fragile = true;
    store.set_put(record.clone()).await.unwrap();
    assert_eq!(store.sets().await.unwrap(), [record]);
    assert!(store.set_delete("lab").await.unwrap());
    assert!(!store.set_delete("lab").await.unwrap());
    store.credential_put(credential(b"one")).await.unwrap();
    store.credential_put(credential(b"two")).await.unwrap();
    assert_eq!(store.credentials().await.unwrap(), [credential(b"two")]);
    assert!(store.credential_delete("lab").await.unwrap());
    let holder =
        |agent| HolderRecord { collector: "snmp".into(), target: "192.0.2.1@".into(), agent };
    let (one, other) = (AgentId::from_bytes([1; 16]), AgentId::from_bytes([2; 16]));
    store.holders_change(vec![holder(Some(one)), holder(Some(other))]).await.unwrap();
    assert_eq!(store.holders().await.unwrap(), [holder(Some(other))]);
    store.holders_change(vec![holder(None)]).await.unwrap();
    assert!(store.holders().await.unwrap().is_empty());
    assert!(!format!("{:?}", credential(b"hush")).contains("104"), "not even the sealed bytes");
}
