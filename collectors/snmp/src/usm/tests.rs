//! Messages at every level, changed, recorded and weakened ones among them.

use super::keys::{AuthProtocol, PrivacyProtocol};
use super::*;
use proptest::prelude::*;

fn user(privacy: Option<PrivacyProtocol>) -> User {
    let password = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    User {
        name: b"reader".to_vec(),
        auth: Some((AuthProtocol::Sha256, password("auth-pass-1"))),
        privacy: privacy.map(|protocol| (protocol, password("priv-pass-1"))),
        context: Vec::new(),
    }
}

fn engine(user: &User) -> Engine {
    let id = b"\x80\x00\x1f\x88\x04example".to_vec();
    let keys = Arc::new(user.keys(&id));
    Engine {
        id,
        boots: 7,
        time: 1000,
        at: Instant::now(),
        is_trusted: true,
        has_answered: false,
        keys,
    }
}

/// A request has the form of an answer, so that it can stand for one.
fn sent(user: &User, engine: &Engine, id: i32) -> Vec<u8> {
    let name = crate::oid::encoded(&[1, 3, 6, 1, 2, 1, 1, 2, 0]);
    let request = Request { operation: Operation::Get, id, salt: 99, names: &[&name] };
    super::request(user, engine, engine.at, &request)
}

fn opened(user: &User, engine: &mut Engine, datagram: &mut [u8]) -> Result<i64, OpenError> {
    let now = engine.at;
    match open(datagram, user, Some(engine), now, |id| id == 5)? {
        Opened::Answer(pdu) => Ok(pdu.request_id),
        Opened::Reported { .. } => panic!("a report"),
    }
}

#[test]
fn what_was_written_at_any_level_is_opened_at_that_level() {
    for privacy in [None, Some(PrivacyProtocol::Des), Some(PrivacyProtocol::Aes256)] {
        let user = user(privacy);
        let mut engine = engine(&user);
        let mut datagram = sent(&user, &engine, 5);
        assert_eq!(opened(&user, &mut engine, &mut datagram), Ok(5), "{privacy:?}");
    }
}

#[test]
fn an_octet_that_was_changed_on_the_way_is_noticed() {
    let user = user(Some(PrivacyProtocol::Aes128));
    let mut engine = engine(&user);
    let datagram = sent(&user, &engine, 5);
    for place in 60..datagram.len() {
        let mut changed = datagram.clone();
        changed[place] ^= 1;
        assert!(opened(&user, &mut engine, &mut changed).is_err(), "octet {place}");
    }
}

#[test]
fn a_message_with_less_security_than_asked_for_is_not_believed() {
    let (high, low) = (user(Some(PrivacyProtocol::Aes128)), user(None));
    let mut engine = engine(&high);
    let mut datagram = sent(&low, &engine, 5);
    assert_eq!(opened(&high, &mut engine, &mut datagram), Err(OpenError::LevelTooLow));
    let nobody = User { name: b"reader".to_vec(), auth: None, privacy: None, context: Vec::new() };
    let bare = Engine { keys: Arc::new(nobody.keys(&engine.id)), ..engine.clone() };
    let mut datagram = sent(&nobody, &bare, 5);
    assert_eq!(opened(&high, &mut engine, &mut datagram), Err(OpenError::LevelTooLow));
}

#[test]
fn a_recorded_message_of_an_earlier_time_is_outdated() {
    let user = user(None);
    let mut engine = engine(&user);
    let mut old = sent(&user, &engine, 5);
    engine.time += 151;
    assert_eq!(opened(&user, &mut engine, &mut old.clone()), Err(OpenError::Outdated));
    engine.boots += 1;
    assert_eq!(opened(&user, &mut engine, &mut old), Err(OpenError::Outdated));
}

#[test]
fn a_wrong_privacy_password_is_told_apart_from_a_wrong_digest() {
    let right = user(Some(PrivacyProtocol::Aes128));
    let mut wrong = user(Some(PrivacyProtocol::Aes128));
    wrong.privacy = Some((PrivacyProtocol::Aes128, Zeroizing::new(b"other-pass".to_vec())));
    let mut datagram = sent(&right, &engine(&right), 5);
    let mut engine = engine(&wrong);
    assert_eq!(opened(&wrong, &mut engine, &mut datagram), Err(OpenError::Undecryptable));
}

#[test]
fn a_user_is_never_printed_with_its_passwords() {
    let printed = format!("{:?}", user(Some(PrivacyProtocol::Aes128)));
    assert_eq!(printed, "User { level: \"authPriv (SHA-256, AES-128)\", .. }");
}

proptest! {
    #[test]
    fn any_secured_datagram_is_opened_or_refused(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        takes_own in any::<bool>(),
    ) {
        let user = user(Some(PrivacyProtocol::Des));
        let mut engine = engine(&user);
        if takes_own {
            bytes = sent(&user, &engine, 5);
        }
        for (place, octet) in places {
            if !bytes.is_empty() {
                let index = place.index(bytes.len());
                bytes[index] = octet;
            }
        }
        let now = engine.at;
        drop(open(&mut bytes, &user, Some(&mut engine), now, |_| true));
        drop(open(&mut bytes, &user, None, now, |_| true));
    }
}
