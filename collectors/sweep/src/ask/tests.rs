//! Tests of asking, against real sockets of this machine.

use super::*;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

fn asking(count: usize, concurrency: usize) -> Asking {
    Asking {
        pace: Pace { rate: 100_000, concurrency, is_fragile: false, is_half_open: false },
        timing: Timing::Ports,
        known: Arc::new(Known::new(count)),
        places: Arc::new(HashMap::from([(Ipv4Addr::LOCALHOST.into(), 0)])),
        stop: Arc::new(AtomicBool::new(false)),
    }
}

fn question(place: usize, port: u16) -> Question {
    Question { place, address: Ipv4Addr::LOCALHOST.into(), port }
}

fn verdicts(asking: &Asking, questions: Vec<Question>) -> (BTreeMap<u16, Verdict>, Cost) {
    let mut found = BTreeMap::new();
    let cost = ask(asking, questions.into_iter(), &mut |reply| {
        found.insert(reply.question.port, reply.verdict);
        true
    });
    (found, cost.unwrap())
}

/// A port that nobody listens on, kept by a socket that is bound and does not listen.
fn refused() -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    socket.bind(&any.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

#[test]
fn open_and_refused_ports_are_told_apart() {
    let listeners: Vec<TcpListener> =
        (0..50).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    let closed: Vec<_> = (0..50).map(|_| refused()).collect();
    let open: Vec<u16> = listeners.iter().map(|one| one.local_addr().unwrap().port()).collect();
    let ports: Vec<u16> =
        open.iter().copied().chain(closed.iter().map(|(_, port)| *port)).collect();
    let asking = asking(1, 16);
    let (found, cost) = verdicts(&asking, ports.iter().map(|port| question(0, *port)).collect());
    assert_eq!(found.len(), 100);
    for (port, verdict) in found {
        let wanted = if open.contains(&port) { Verdict::Open } else { Verdict::Refused };
        assert_eq!(verdict, wanted, "{port}");
    }
    assert!(cost.sockets_max <= 16 && cost.packets >= 100, "{cost:?}");
    assert!(asking.known.distance(0).is_some());
}

#[test]
fn what_the_reader_no_longer_wants_ends_the_questions() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut count = 0;
    let questions = std::iter::repeat_with(|| question(0, port));
    ask(&asking(1, 8), questions, &mut |_| {
        count += 1;
        count < 10
    })
    .unwrap();
    assert_eq!(count, 10);
}

#[test]
fn a_sweep_that_is_told_to_stop_asks_nothing() {
    let asking = asking(1, 8);
    asking.stop.store(true, Ordering::Relaxed);
    let questions = std::iter::repeat_with(|| question(0, 9));
    assert_eq!(ask(&asking, questions, &mut |_| true).unwrap().packets, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn half_open_questions_have_the_same_answers_where_they_are_permitted() {
    // Without the right there is nothing to compare; the suite runs as root where it counts.
    let Ok(half_open) = half_open::HalfOpen::open() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let open = listener.local_addr().unwrap().port();
    let (_kept, closed) = refused();
    let mut found = BTreeMap::new();
    let questions = [question(0, open), question(0, closed)].into_iter();
    let cost = half_open::ask(&asking(1, 16), half_open, questions, &mut |reply| {
        found.insert(reply.question.port, reply.verdict);
        true
    });
    assert_eq!(found, BTreeMap::from([(open, Verdict::Open), (closed, Verdict::Refused)]));
    assert_eq!(cost.unwrap().unasked, 0);
}
