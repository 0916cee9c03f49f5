//! How an agent recognizes a control plane, and that it says nothing to any other.

use super::*;

#[tokio::test]
async fn a_control_plane_with_another_pin_gets_no_byte_of_the_token() {
    let (ours, other) = (authority(), authority());
    let server = Server::plain(server_identity(&other)).await;
    let error = server.connect(&connector_pinned(ours.pin()).unwrap()).await.unwrap_err();
    assert!(matches!(error, ConnectError::WrongPin { .. }), "{error}");
    assert!(error.to_string().contains("the token was not sent"));
    // No handshake was completed, so no application data can have come.
    assert_eq!(server.accepted_in_all().await, 0);
}

#[tokio::test]
async fn a_chain_that_shows_the_pinned_root_but_is_signed_by_another_is_refused() {
    let (ours, other) = (authority(), authority());
    let key = AgentKey::generate().unwrap();
    let mut chain = other.server_chain_for_tests(&key, now());
    chain[1] = ours.root_der().to_vec();
    let identity = ServerIdentity::new(&chain, &key, now() + DAY).unwrap();
    let server = Server::plain(ServerIdentitySource::new(identity)).await;
    let error = server.connect(&connector_pinned(ours.pin()).unwrap()).await.unwrap_err();
    assert!(matches!(error, ConnectError::WrongPin { .. }), "{error}");
}

#[tokio::test]
async fn an_agents_certificate_cannot_stand_for_a_control_plane() {
    let authority = authority();
    let (key, issued) = enrolled(&authority, now(), DAY);
    let identity = ServerIdentity::new(&issued.chain_der, &key, issued.not_after).unwrap();
    let server = Server::plain(ServerIdentitySource::new(identity)).await;
    let pinned = connector_pinned(authority.pin()).unwrap();
    for connector in [pinned, uplink(&authority, &key, &issued)] {
        let error = server.connect(&connector).await.unwrap_err();
        assert!(matches!(error, ConnectError::NotAControlPlane { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_enrolled_agent_does_not_talk_to_the_control_plane_of_another_authority() {
    let (ours, other) = (authority(), authority());
    let server = Server::plain(server_identity(&other)).await;
    let (key, issued) = enrolled(&ours, now(), DAY);
    let error = server.connect(&uplink(&ours, &key, &issued)).await.unwrap_err();
    assert!(matches!(error, ConnectError::UnknownAuthority { .. }), "{error}");
}

#[tokio::test]
async fn a_server_certificate_out_of_its_time_names_the_clock() {
    let authority = authority();
    for (at, words) in [(now() - DAY * 200, "it ended"), (now() + DAY * 200, "it begins in")] {
        let identity = authority.issue_server(&[], at).unwrap();
        let server = Server::plain(ServerIdentitySource::new(identity)).await;
        let error = server.connect(&connector_pinned(authority.pin()).unwrap()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Clock { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let connector =
        connector_pinned(authority().pin()).unwrap().with_timeout(Duration::from_millis(50));
    let error = connector.connect("127.0.0.1", port).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_named_as_such() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let (mut tcp, _) = other.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        read_to_close(&mut tcp).await;
    });
    let error =
        connector_pinned(authority().pin()).unwrap().connect("127.0.0.1", port).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake { .. }), "{error}");
    answering.await.unwrap();
}

#[tokio::test]
async fn an_address_without_port_is_refused_before_anything_is_looked_up() {
    use tower::Service;
    let mut connector = connector_pinned(authority().pin()).unwrap();
    let error = connector.call("http://control-plane.example/".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, ConnectError::InvalidAddress { .. }), "{error}");
}

#[tokio::test]
async fn the_pinned_control_plane_is_accepted_under_any_name_and_with_the_short_pin() {
    let authority = authority();
    let mut server = Server::plain(server_identity(&authority)).await;
    for pin in [authority.pin(), authority.pin().short()] {
        let connector = connector_pinned(pin).unwrap();
        let mut client = connector.connect("localhost", server.address.port()).await.unwrap();
        let mut accepted = server.next().await;
        assert_eq!(accepted.peer().agent, None);
        exchange(&mut client, &mut accepted).await;
    }
}

#[tokio::test]
async fn a_replaced_server_certificate_is_shown_to_the_next_connection() {
    let (first, second) = (authority(), authority());
    let identity = server_identity(&first);
    let mut server = Server::plain(identity.clone()).await;
    let connector = connector_pinned(second.pin()).unwrap();
    assert!(server.connect(&connector).await.is_err());
    identity.replace(second.issue_server(&[], now()).unwrap());
    let mut client = server.connect(&connector).await.unwrap();
    exchange(&mut client, &mut server.next().await).await;
}
