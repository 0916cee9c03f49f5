//! Certificates at the uplink: foreign, expired, revoked, copied; and cutting a live stream.

use crate::support::{Agent, PATIENCE, Rig, Session, code_of, eventually};
use http::StatusCode;
use pki::{AgentKey, Authority};
use proto::v1::RenewRequest;
use proto::v1::identity_client::IdentityClient;
use proto::v1::server_frame::Frame;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn renew(agent: &Agent) -> Result<Agent, tonic::Status> {
    let channel = agent.uplink().await.unwrap();
    let request = RenewRequest { signing_request: agent.key.csr_der().unwrap() };
    let answer = IdentityClient::new(channel).renew(request).await?.into_inner();
    let mut renewed = agent.answer.clone();
    renewed.certificate_chain = answer.certificate_chain;
    Ok(Agent { key: agent.key.clone(), answer: renewed })
}

#[tokio::test]
async fn an_agent_of_another_authority_does_not_get_through_the_handshake() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let mut agent = rig.enroll(&token).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let foreign = Authority::load_or_create(folder.path(), SystemTime::UNIX_EPOCH + DAY).unwrap();
    let key = AgentKey::generate().unwrap();
    let id = agent.id().parse().unwrap();
    let now = environment::Clock::wall(rig.clock.as_ref());
    let issued = foreign.issue_agent(&key.csr_der().unwrap(), id, now, DAY).unwrap();
    agent.key = key;
    agent.answer.certificate_chain = issued.chain_der;
    assert!(Session::open(&agent).await.is_err());
    rig.stop().await;
}

#[tokio::test]
async fn revoking_an_agent_cuts_its_live_stream_within_a_second_and_keeps_it_out() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    let path = format!("/api/v1/agents/{}", agent.id());
    assert_eq!(rig.get(&admin, &path).await.json()["state"], "connected");

    let refused = tokio::spawn(async move {
        let frame = session.next().await;
        (frame, session.next().await)
    });
    assert_eq!(rig.delete(&admin, &path).await.status, StatusCode::NO_CONTENT);
    let ended = tokio::time::timeout(Duration::from_secs(1), refused).await;
    let (frame, end) = ended.expect("the stream lives longer than a second").unwrap();
    assert!(matches!(frame, Some(Frame::Refusal(refusal)) if refusal.code == "AGENT_REVOKED"));
    assert!(end.is_none());

    assert_eq!(rig.get(&admin, &path).await.json()["state"], "revoked");
    let again = Session::open(&agent).await.err().expect("a revoked agent is let in");
    assert!(again.contains("AGENT_REVOKED"), "{again}");
    assert_eq!(code_of(&renew(&agent).await.err().unwrap()), "AGENT_REVOKED");
    rig.stop().await;
}

#[tokio::test]
async fn an_expired_certificate_opens_nothing_but_its_own_renewal() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    rig.clock.advance(2 * DAY);
    let refused = Session::open(&agent).await.err().expect("an expired agent is let in");
    assert!(refused.contains("CERTIFICATE_EXPIRED"), "{refused}");
    let renewed = renew(&agent).await.unwrap();
    Session::open(&renewed).await.unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn a_certificate_that_ended_a_month_ago_is_not_renewed() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    rig.clock.advance(32 * DAY);
    assert_eq!(code_of(&renew(&agent).await.err().unwrap()), "CERTIFICATE_EXPIRED");
    rig.stop().await;
}

#[tokio::test]
async fn a_lost_renewal_can_be_repeated_but_a_copy_with_the_old_certificate_is_noticed() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    // The first answer is lost: the agent asks again with the certificate that it has.
    let _lost = renew(&agent).await.unwrap();
    let renewed = renew(&agent).await.unwrap();
    drop(Session::open(&renewed).await.unwrap());
    // From now on whoever shows the old certificate is a copy.
    let refused = Session::open(&agent).await.err().expect("a copy is let in");
    assert!(refused.contains("AGENT_DUPLICATE"), "{refused}");
    assert_eq!(code_of(&renew(&agent).await.err().unwrap()), "AGENT_DUPLICATE");
    let shown = rig.get(&admin, &format!("/api/v1/agents/{}", agent.id())).await.json();
    let complaint = shown["complaints"][0].as_str().unwrap().to_owned();
    assert!(complaint.contains("copy"), "{complaint}");
    rig.stop().await;
}

#[tokio::test]
async fn a_stopping_control_plane_asks_agents_to_come_back_and_ends_in_five_seconds() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 1).await;
    let agent = rig.enroll(&token).await.unwrap();
    let mut session = Session::open(&agent).await.unwrap();
    let listener = tokio::spawn(async move {
        let mut frames = Vec::new();
        while let Some(frame) = session.next().await {
            frames.push(frame);
        }
        frames
    });
    tokio::time::timeout(Duration::from_secs(5), rig.stop()).await.expect("it takes too long");
    let frames = tokio::time::timeout(PATIENCE, listener).await.unwrap().unwrap();
    assert!(matches!(frames.as_slice(), [Frame::Drain(_)]), "{frames:?}");
}

#[tokio::test]
async fn an_agent_is_shown_with_what_it_was_given_and_what_it_said() {
    let rig = Rig::start().await;
    let admin = rig.admin().await;
    let (token, _) = rig.join_token(&admin, 2).await;
    let agent = rig.enroll(&token).await.unwrap();
    let other = rig.enroll(&token).await.unwrap();
    let listed = rig.get(&admin, "/api/v1/agents?page_size=1").await.json();
    assert_eq!(listed["agents"][0]["id"], agent.id());
    assert_eq!(listed["agents"][0]["site"], "berlin");
    assert_eq!(listed["agents"][0]["labels"]["role"], "db");
    assert_eq!(listed["agents"][0]["state"], "disconnected");
    let token = listed["next_page_token"].as_str().unwrap();
    let next =
        rig.get(&admin, &format!("/api/v1/agents?page_size=1&page_token={token}")).await.json();
    assert_eq!(next["agents"][0]["id"], other.id());
    assert_eq!(next["next_page_token"], "");

    let mut session = Session::open(&agent).await.unwrap();
    session.report_host("db1.example.net").await;
    let path = format!("/api/v1/agents/{}", agent.id());
    let item = eventually("the host of the agent", || async {
        rig.get(&admin, &path).await.json()["item_id"].as_str().map(str::to_owned)
    })
    .await;
    let item = rig.get(&admin, &format!("/api/v1/items/{item}")).await.json();
    assert_eq!(item["attributes"]["fqdn"][0]["value"], "db1.example.net");
    let scopes = rig.get(&admin, &path).await.json();
    assert_eq!(scopes["scopes"][0]["status"], "complete");
    rig.stop().await;
}
