//! Tokens: what is read as one, and that no secret is shown.

use crate::token::{
    AccessKind, AccessToken, JoinToken, TOKEN_BYTES_MAX, TokenError, hash_secret, hashes_equal,
};
use crate::{Authority, Pin, sha256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::TokenId;
use proptest::prelude::*;
use std::sync::LazyLock;

/// Making one for each case would take most of the time.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(super::authority);

fn id() -> TokenId {
    TokenId::from_bytes([0xab; 16])
}

fn join() -> JoinToken {
    JoinToken::generate(id(), &Pin::of_spki(b"root")).unwrap()
}

#[test]
fn a_token_of_another_kind_is_named_as_such() {
    let personal = AccessToken::generate(AccessKind::Personal, id()).unwrap().reveal();
    assert!(matches!(JoinToken::parse(&personal), Err(TokenError::WrongKind { .. })));
    assert!(matches!(AccessToken::parse(&join().reveal()), Err(TokenError::WrongKind { .. })));
}

#[test]
fn a_token_that_lost_its_end_is_refused_at_every_length() {
    let text = join().reveal();
    for length in 0..text.len() {
        assert!(JoinToken::parse(text.get(..length).unwrap()).is_err(), "{length}");
    }
}

#[test]
fn any_changed_letter_is_noticed() {
    let text = join().reveal();
    for index in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(JoinToken::parse(&changed).is_err(), "letter {index}");
    }
}

#[test]
fn parts_too_many_or_too_few_are_refused_even_with_a_right_checksum() {
    let checked = |body: &str| {
        let sum = crc32c::crc32c(body.as_bytes()).to_be_bytes();
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(sum))
    };
    let text = join().reveal();
    let body = text.rsplit_once('.').unwrap().0;
    let too_few = body.rsplit_once('.').unwrap().0;
    assert!(JoinToken::parse(&checked(body)).is_ok());
    for body in [format!("{body}.AAAA"), too_few.to_owned(), "dj_".to_owned(), body.to_uppercase()]
    {
        assert!(JoinToken::parse(&checked(&body)).is_err(), "{body}");
    }
    let upper_id = body.replacen("abab", "ABAB", 1);
    assert_eq!(JoinToken::parse(&checked(&upper_id)).unwrap_err(), TokenError::Malformed);
}

#[test]
fn a_text_over_the_limit_is_refused() {
    let text = format!("dj_{}", "a".repeat(TOKEN_BYTES_MAX));
    assert_eq!(JoinToken::parse(&text).unwrap_err(), TokenError::Malformed);
}

#[test]
fn a_token_reads_back_with_id_hash_and_pin() {
    let token = join();
    let read = JoinToken::parse(&token.reveal()).unwrap();
    assert_eq!(read.id(), id());
    assert_eq!(read.secret_hash(), token.secret_hash());
    assert_eq!(read.pin(), Pin::of_spki(b"root").short());
    for kind in [AccessKind::Personal, AccessKind::Service] {
        let token = AccessToken::generate(kind, id()).unwrap();
        let read = AccessToken::parse(&token.reveal()).unwrap();
        assert_eq!((read.kind(), read.id(), read.secret_hash()), (kind, id(), token.secret_hash()));
    }
}

#[test]
fn two_tokens_have_two_secrets_and_no_debug_output_shows_one() {
    let (one, other) = (join(), join());
    assert!(!hashes_equal(&one.secret_hash(), &other.secret_hash()));
    let text = one.reveal();
    let secret = text.split('.').nth(1).unwrap();
    assert!(!format!("{one:?}").contains(secret));
    let access = AccessToken::generate(AccessKind::Service, id()).unwrap();
    let text = access.reveal();
    assert!(!format!("{access:?}").contains(text.split('.').nth(1).unwrap()));
}

#[test]
fn the_hash_of_a_secret_is_its_sha_256() {
    // FIPS 180-2, appendix B.1.
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(crate::digest::hex(&hash_secret(b"abc")), expected);
    assert_eq!(sha256(b"abc"), hash_secret(b"abc"));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        prop_assert!(JoinToken::parse(&text).is_err());
        prop_assert!(AccessToken::parse(&text).is_err());
    }

    #[test]
    fn no_text_of_the_right_form_without_a_right_checksum_is_a_token(
        body in "dj_[0-9a-f]{32}\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{22}", sum in "[A-Za-z0-9_-]{6}",
    ) {
        let text = format!("{body}.{sum}");
        let right = crc32c::crc32c(body.as_bytes()).to_be_bytes();
        let is_right_by_chance = URL_SAFE_NO_PAD.decode(&sum).is_ok_and(|sum| sum == right);
        prop_assume!(!is_right_by_chance);
        prop_assert!(JoinToken::parse(&text).is_err());
    }

    #[test]
    fn any_bytes_are_no_certificate_and_no_signing_request(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(crate::certificate_validity(&bytes), None);
        prop_assert_eq!(crate::certificates_from_pem(&bytes), None);
        let issued = AUTHORITY.issue_agent(&bytes, super::agent_id(1), super::now(), super::DAY);
        prop_assert!(issued.is_err());
    }

    #[test]
    fn a_token_for_any_id_reads_back(bytes in any::<[u8; 16]>()) {
        let token = JoinToken::generate(TokenId::from_bytes(bytes), &Pin::of_spki(&bytes)).unwrap();
        let read = JoinToken::parse(&token.reveal()).unwrap();
        prop_assert_eq!(read.id().to_bytes(), bytes);
        prop_assert_eq!(read.reveal(), token.reveal());
    }
}
