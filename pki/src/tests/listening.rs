//! That no client, however it behaves, ends or blocks a listener.

use super::*;

/// A ClientHello that offers TLS 1.2 and nothing newer, byte by byte (RFC 5246 section 7.4.1.2).
fn client_hello_of_tls12() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]); // random
    body.push(0); // no session
    body.extend([0, 2, 0xc0, 0x2b]); // ECDHE-ECDSA with AES-128-GCM
    body.extend([1, 0]); // no compression
    // signature_algorithms (P-256 with SHA-256) and supported_groups (P-256)
    let extensions = [0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23];
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = u16::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1];
    record.extend((length + 4).to_be_bytes());
    record.extend([1, 0]);
    record.extend(length.to_be_bytes());
    record.extend(body);
    record
}

#[tokio::test]
async fn a_client_of_tls_1_2_gets_an_alert_and_the_listener_goes_on() {
    let authority = authority();
    let mut server = Server::mutual(&authority, AcceptLimits::default()).await;
    let mut tcp = server.raw().await;
    tcp.write_all(&client_hello_of_tls12()).await.unwrap();
    // An alert record, fatal, protocol_version.
    assert_eq!(read_to_close(&mut tcp).await, [21, 3, 3, 0, 2, 2, 70]);
    server.still_serves(&authority).await;
}

#[tokio::test]
async fn garbage_is_dropped_and_the_listener_goes_on() {
    let authority = authority();
    let mut server = Server::mutual(&authority, AcceptLimits::default()).await;
    let largest_record = [&[22, 3, 1, 0xff, 0xff][..], &[0; 70_000]].concat();
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[22, 3, 1, 0, 0], &largest_record]
    {
        let mut tcp = server.raw().await;
        // The server may have closed before all of it was written.
        let _written = tcp.write_all(garbage).await;
        let _shut = tcp.shutdown().await;
        read_to_close(&mut tcp).await;
    }
    server.still_serves(&authority).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_the_handshake_is_forgotten() {
    let authority = authority();
    let mut server = Server::mutual(&authority, AcceptLimits::default()).await;
    let hello = client_hello_of_tls12();
    let mut tcp = server.raw().await;
    tcp.write_all(&hello[..hello.len() / 2]).await.unwrap();
    drop(tcp);
    server.still_serves(&authority).await;
}

#[tokio::test]
async fn a_silent_client_is_closed_when_its_time_is_over() {
    let authority = authority();
    let limits =
        AcceptLimits { handshake_timeout: Duration::from_millis(50), ..AcceptLimits::default() };
    let mut server = Server::mutual(&authority, limits).await;
    let mut silent = server.raw().await;
    assert!(read_to_close(&mut silent).await.is_empty());
    server.still_serves(&authority).await;
}

#[tokio::test]
async fn silent_clients_that_take_every_slot_only_delay_the_honest_one() {
    let authority = authority();
    let limits = AcceptLimits {
        handshakes_max: 2,
        handshake_timeout: Duration::from_millis(100),
        ..AcceptLimits::default()
    };
    let mut server = Server::mutual(&authority, limits).await;
    let _silent = [server.raw().await, server.raw().await, server.raw().await];
    server.still_serves(&authority).await;
}

#[tokio::test]
async fn the_oldest_silent_client_gives_way_long_before_its_time_is_over() {
    let authority = authority();
    let limits = AcceptLimits {
        handshakes_max: 2,
        handshake_timeout: Duration::from_secs(3600),
        handshake_grace: Duration::from_millis(20),
        ..AcceptLimits::default()
    };
    let mut server = Server::mutual(&authority, limits).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(server.raw().await);
    }
    server.still_serves(&authority).await;
    assert!(read_to_close(&mut silent[0]).await.is_empty());
}

#[tokio::test]
async fn a_connection_over_the_limit_is_closed_until_one_ends() {
    let authority = authority();
    let limits = AcceptLimits { connections_max: 1, ..AcceptLimits::default() };
    let mut server = Server::mutual(&authority, limits).await;
    let (key, issued) = enrolled(&authority, now(), DAY);
    let connector = uplink(&authority, &key, &issued);
    let _client = server.connect(&connector).await.unwrap();
    let held = server.next().await;
    assert!(server.connect(&connector).await.is_err());
    drop(held);
    server.still_serves(&authority).await;
}

#[tokio::test]
async fn a_listener_that_is_dropped_ends_what_it_began() {
    let authority = authority();
    let server = Server::mutual(&authority, AcceptLimits::default()).await;
    let mut silent = server.raw().await;
    // Until the handshake of the silent one has begun, there is nothing to end.
    let mut second = server.raw().await;
    second.write_all(b"garbage that is answered at once").await.unwrap();
    read_to_close(&mut second).await;
    server.task.abort();
    assert!(read_to_close(&mut silent).await.is_empty());
}

/// A listener with an identity, and whom it tells of.
async fn reporting(
    identity: ServerIdentitySource,
    capacity: usize,
) -> (Server, mpsc::Receiver<BrokenOff>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let acceptor = serve_plain_tls(listener, identity, AcceptLimits::default()).unwrap();
    let (sender, told) = mpsc::channel(capacity);
    (Server::run(acceptor.reporting_broken_off(sender)), told)
}

async fn told(receiver: &mut mpsc::Receiver<BrokenOff>) -> BrokenOff {
    tokio::time::timeout(DEADLINE, receiver.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_client_with_another_pin_or_a_wrong_clock_is_told_of_with_its_reason() {
    let (ours, other) = (authority(), authority());
    let (server, mut receiver) = reporting(server_identity(&ours), 4).await;
    server.connect(&connector_pinned(other.pin()).unwrap()).await.unwrap_err();
    let told_of = told(&mut receiver).await;
    assert_eq!(told_of.reason, BreakOffReason::UnknownAuthority);
    assert!(told_of.address.ip().is_loopback());

    for at in [now() - DAY * 200, now() + DAY * 200] {
        let identity = ServerIdentitySource::new(ours.issue_server(&[], at).unwrap());
        let (server, mut receiver) = reporting(identity, 4).await;
        server.connect(&connector_pinned(ours.pin()).unwrap()).await.unwrap_err();
        assert_eq!(told(&mut receiver).await.reason, BreakOffReason::Clock);
    }
}

#[tokio::test]
async fn whoever_speaks_no_tls_or_leaves_is_not_told_of_and_a_full_channel_stops_nobody() {
    let (ours, other) = (authority(), authority());
    let (mut server, mut receiver) = reporting(server_identity(&ours), 1).await;
    let mut garbage = server.raw().await;
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    read_to_close(&mut garbage).await;
    let garbage_address = garbage.local_addr().unwrap();
    drop(server.raw().await);
    let wrong = connector_pinned(other.pin()).unwrap();
    for _ in 0..3 {
        server.connect(&wrong).await.unwrap_err();
    }
    let mut client = server.connect(&connector_pinned(ours.pin()).unwrap()).await.unwrap();
    let mut accepted = server.next().await;
    exchange(&mut client, &mut accepted).await;
    // There was room for one: had the garbage been told of, it would be this one.
    let told_of = told(&mut receiver).await;
    assert_eq!(told_of.reason, BreakOffReason::UnknownAuthority);
    assert_ne!(told_of.address, garbage_address);
}
