//! What every answer to [`Fleet`] must do, as behaviors over the trait. The tests below hold SQLite to it.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

fn agent_id(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

fn token(id: &str, uses_max: u32) -> JoinTokenRecord {
    JoinTokenRecord {
        id: id.into(),
        secret_hash: [7; 32],
        name: "rollout".into(),
        site: "berlin".into(),
        labels: BTreeMap::from([("role".into(), "db".into())]),
        uses_max,
        uses: 0,
        created_by: "ann".into(),
        created_at: at(0),
        expires_at: at(3600),
        revoked_at: None,
    }
}

fn certificate(serial: &str) -> GivenCertificate {
    GivenCertificate { serial: serial.into(), spki_sha256: [1; 32], expires_at: at(86_400) }
}

fn enrollment(token: &str, agent: u8, seconds: i64) -> Enrollment {
    Enrollment {
        token_id: token.into(),
        secret_hash: [7; 32],
        agent: agent_id(agent),
        certificate: certificate(&format!("s{agent}")),
        evidence: AgentEvidence { host_name: "db1".into(), ..AgentEvidence::default() },
        version: "0.1.0".into(),
        address: "192.0.2.1:1".into(),
        at: at(seconds),
    }
}

fn renewal(presented: &str, given: &str) -> Renewal {
    Renewal {
        agent: agent_id(1),
        presented_serial: presented.into(),
        certificate: certificate(given),
        address: "192.0.2.1:2".into(),
        at: at(10),
    }
}

async fn a_use_is_taken_with_the_agent_or_not_at_all(fleet: &dyn Fleet) {
    fleet.token_create(token("t", 1)).await.unwrap();
    let joined = fleet.enroll(enrollment("t", 1, 1)).await.unwrap();
    assert_eq!((joined.site.as_str(), joined.name.as_str()), ("berlin", "db1"));
    assert_eq!(fleet.agent(joined.id).await.unwrap(), Some(joined));
    let refused = fleet.enroll(enrollment("t", 2, 2)).await;
    assert!(matches!(refused, Err(EnrollError::UsedUp { uses: 1 })));
    assert_eq!(fleet.agent(agent_id(2)).await.unwrap(), None);
    // An agent that cannot be stored takes no use: the same id again.
    fleet.token_create(token("u", 1)).await.unwrap();
    assert!(matches!(fleet.enroll(enrollment("u", 1, 3)).await, Err(EnrollError::Store(_))));
    assert_eq!(fleet.token("u").await.unwrap().unwrap().uses, 0);
}

async fn a_token_that_is_wrong_expired_or_revoked_is_refused_by_its_reason(fleet: &dyn Fleet) {
    fleet.token_create(token("t", 5)).await.unwrap();
    let unknown = fleet.enroll(enrollment("x", 1, 1)).await;
    assert!(matches!(unknown, Err(EnrollError::Unknown)));
    let wrong = Enrollment { secret_hash: [8; 32], ..enrollment("t", 1, 1) };
    assert!(matches!(fleet.enroll(wrong).await, Err(EnrollError::Unknown)));
    let late = fleet.enroll(enrollment("t", 1, 3600)).await;
    assert!(matches!(late, Err(EnrollError::Expired { .. })));
    assert!(fleet.token_revoke("t", at(5)).await.unwrap());
    assert!(!fleet.token_revoke("x", at(5)).await.unwrap());
    let revoked = fleet.enroll(enrollment("t", 1, 6)).await;
    assert!(matches!(revoked, Err(EnrollError::Revoked)));
    assert_eq!(fleet.token("t").await.unwrap().unwrap().uses, 0);
}

async fn an_old_certificate_is_good_until_the_new_one_was_seen(fleet: &dyn Fleet) {
    fleet.token_create(token("t", 1)).await.unwrap();
    fleet.enroll(enrollment("t", 1, 1)).await.unwrap();
    fleet.renew(renewal("s1", "s2")).await.unwrap();
    // The answer was lost: the old one renews again, and what was lost is void.
    fleet.renew(renewal("s1", "s3")).await.unwrap();
    let seen = |serial: &'static str| fleet.certificate_seen(agent_id(1), serial, at(20));
    assert!(matches!(seen("s2").await, Err(CertificateError::Duplicate)));
    assert!(seen("s1").await.is_ok());
    assert!(seen("s3").await.unwrap().is_certificate_confirmed);
    assert!(matches!(seen("s1").await, Err(CertificateError::Duplicate)));
    assert!(matches!(fleet.renew(renewal("s1", "s4")).await, Err(CertificateError::Duplicate)));
    assert_eq!(fleet.agent(agent_id(1)).await.unwrap().unwrap().renewals, 2);
}

async fn a_revoked_agent_stays_revoked_and_is_counted_out(fleet: &dyn Fleet) {
    fleet.token_create(token("t", 1)).await.unwrap();
    fleet.enroll(enrollment("t", 1, 1)).await.unwrap();
    assert_eq!(fleet.agent_count().await.unwrap(), 1);
    assert!(fleet.agent_revoke(agent_id(1), at(5)).await.unwrap());
    assert!(fleet.agent_revoke(agent_id(1), at(9)).await.unwrap());
    assert!(!fleet.agent_revoke(agent_id(2), at(9)).await.unwrap());
    assert_eq!(fleet.agent(agent_id(1)).await.unwrap().unwrap().revoked_at, Some(at(5)));
    assert_eq!(fleet.agent_count().await.unwrap(), 0);
    let renewed = fleet.renew(renewal("s1", "s2")).await;
    assert!(matches!(renewed, Err(CertificateError::Revoked)));
}

async fn lists_lead_through_everything_and_notes_are_bounded(fleet: &dyn Fleet) {
    for number in 1..=5 {
        fleet.token_create(token(&format!("t{number}"), 1)).await.unwrap();
        fleet.enroll(enrollment(&format!("t{number}"), number, 1)).await.unwrap();
    }
    let first = fleet.agents(None, 3).await.unwrap();
    let rest = fleet.agents(first.last().map(|agent| agent.id), 3).await.unwrap();
    let ids: Vec<AgentId> = first.iter().chain(&rest).map(|agent| agent.id).collect();
    assert_eq!(ids, (1..=5).map(agent_id).collect::<Vec<_>>());
    let first = fleet.tokens(None, 3).await.unwrap();
    let rest = fleet.tokens(first.last().map(|token| token.id.clone()), 3).await.unwrap();
    let ids: Vec<&str> = first.iter().chain(&rest).map(|token| token.id.as_str()).collect();
    assert_eq!(ids, ["t5", "t4", "t3", "t2", "t1"]);
    for number in 0..i64::from(ONBOARDING_STEPS_MAX) + 5 {
        let step = OnboardingStep {
            step: "identity".into(),
            is_done: true,
            detail: number.to_string(),
            at: at(number),
            agent: None,
        };
        fleet.onboarding_note("t1", step).await.unwrap();
    }
    let steps = fleet.onboarding("t1").await.unwrap();
    assert_eq!(u32::try_from(steps.len()).unwrap(), ONBOARDING_STEPS_MAX);
    assert_eq!(steps.first().unwrap().at, at(i64::from(ONBOARDING_STEPS_MAX) + 4));
}

async fn a_contact_changes_what_it_says_and_nothing_else(fleet: &dyn Fleet) {
    fleet.token_create(token("t", 1)).await.unwrap();
    fleet.enroll(enrollment("t", 1, 100)).await.unwrap();
    let complaints = Some(vec!["the disk is full".to_owned()]);
    let contact = Contact { at: at(200), complaints, ..Contact::default() };
    fleet.agent_contact(agent_id(1), contact).await.unwrap();
    // A contact that was noted late does not turn time back.
    let late = Contact { at: at(150), version: "0.2.0".into(), ..Contact::default() };
    fleet.agent_contact(agent_id(1), late).await.unwrap();
    let agent = fleet.agent(agent_id(1)).await.unwrap().unwrap();
    assert_eq!((agent.last_seen, agent.version.as_str()), (at(200), "0.2.0"));
    assert_eq!(agent.address, "192.0.2.1:1");
    assert_eq!(agent.complaints, ["the disk is full"]);
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
                    super::$behavior(&super::SqliteFleet::new(database)).await;
                }
            )+
        }
    };
}

sqlite! {
    a_use_is_taken_with_the_agent_or_not_at_all
    a_token_that_is_wrong_expired_or_revoked_is_refused_by_its_reason
    an_old_certificate_is_good_until_the_new_one_was_seen
    a_revoked_agent_stays_revoked_and_is_counted_out
    lists_lead_through_everything_and_notes_are_bounded
    a_contact_changes_what_it_says_and_nothing_else
}
