//! Which agents a listener accepts.

use super::*;

async fn refused_by(authority: &Authority, connector: &Connector) -> &'static str {
    let server = Server::mutual(authority, AcceptLimits::default()).await;
    let reason = match server.connect(connector).await {
        Ok(client) => refusal(client).await.expect("the server said why"),
        Err(ConnectError::Refused { reason, .. }) => reason,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(server.accepted_in_all().await, 0);
    reason
}

#[tokio::test]
async fn an_agent_of_another_authority_is_refused() {
    let (ours, other) = (authority(), authority());
    let (key, issued) = enrolled(&other, now(), DAY);
    // It even accepts our server, as an attacker would.
    let connector =
        connector_mutual(&[ours.root_der().to_vec()], &issued.chain_der[..1], &key).unwrap();
    assert!(refused_by(&ours, &connector).await.contains("enroll the agent anew"));
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let authority = authority();
    let connector = connector_pinned(authority.pin()).unwrap();
    assert!(refused_by(&authority, &connector).await.contains("wants a certificate"));
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_refused() {
    let authority = authority();
    let (key, issued) = enrolled(&authority, now() + DAY * 30, DAY);
    refused_by(&authority, &uplink(&authority, &key, &issued)).await;
}

#[tokio::test]
async fn a_certificate_for_the_control_plane_is_no_agents() {
    let authority = authority();
    let key = AgentKey::generate().unwrap();
    let chain = authority.server_chain_for_tests(&key, now());
    let connector = connector_mutual(&[authority.root_der().to_vec()], &chain, &key).unwrap();
    refused_by(&authority, &connector).await;
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused() {
    let authority = authority();
    let (_, issued) = enrolled(&authority, now(), DAY);
    let thief = AgentKey::generate().unwrap();
    // rustls refuses to pair them on the client's side already: the certificate alone opens nothing.
    assert!(connector_mutual(&[authority.root_der().to_vec()], &issued.chain_der, &thief).is_err());
}

#[tokio::test]
async fn an_expired_certificate_is_accepted_and_flagged() {
    let authority = authority();
    let mut server = Server::mutual(&authority, AcceptLimits::default()).await;
    let (key, issued) = enrolled(&authority, now() - DAY * 3, DAY);
    let mut client = server.connect(&uplink(&authority, &key, &issued)).await.unwrap();
    let mut accepted = server.next().await;
    exchange(&mut client, &mut accepted).await;
    assert!(accepted.peer().is_expired);
    assert_eq!(accepted.peer().agent, Some(agent_id(7)));
}

#[tokio::test]
async fn a_certificate_is_judged_by_the_clock_that_was_brought() {
    let authority = authority();
    let clock = Arc::new(SimulatedClock::at(now() + DAY * 2));
    let limits = AcceptLimits { clock, ..AcceptLimits::default() };
    let mut server = Server::mutual(&authority, limits).await;
    let (key, issued) = enrolled(&authority, now(), DAY);
    let _client = server.connect(&uplink(&authority, &key, &issued)).await.unwrap();
    assert!(server.next().await.peer().is_expired);
}

#[tokio::test]
async fn an_accepted_agent_is_named_with_serial_key_and_address() {
    let authority = authority();
    let mut server = Server::mutual(&authority, AcceptLimits::default()).await;
    let (key, issued) = enrolled(&authority, now(), DAY);
    let _client = server.connect(&uplink(&authority, &key, &issued)).await.unwrap();
    let peer = server.next().await.peer().clone();
    assert_eq!(peer.agent, Some(agent_id(7)));
    assert_eq!(peer.serial, Some(issued.serial));
    assert_eq!(peer.spki_sha256, Some(issued.spki_sha256));
    assert_eq!(peer.spki_sha256, Some(key.spki_sha256()));
    assert_eq!(peer.not_after, Some(issued.not_after));
    assert!(!peer.is_expired);
    assert!(peer.address.ip().is_loopback());
}
