//! Reading a server's certificate without being its client: a greeting of TLS 1.2 (RFC 5246), and what comes back.
//!
//! Up to TLS 1.2 the certificate is sent in the clear before any key is agreed on, so no cryptography is needed, and
//! old devices that no library of today speaks to are read too. The connection is given up right after.
//!
//! Nothing here is trusted: the certificate says what the server shows, not that the server may show it. A server
//! that speaks TLS 1.3 only answers with an alert, which is told as such.

/// The most bytes of a server's answer: a chain of certificates with thousands of names.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The largest certificate.
const CERTIFICATE_BYTES_MAX: usize = 48 << 10;

/// The largest record (RFC 5246, section 6.2.3).
const RECORD_BYTES_MAX: usize = (1 << 14) + 2048;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CERTIFICATE: u8 = 11;
const SERVER_HELLO: u8 = 2;
const SERVER_HELLO_DONE: u8 = 14;

/// Cipher suites that say which keys are welcome: all that a server with a certificate may pick.
const SUITES: [u16; 22] = [
    0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc027,
    0x009e, 0x009f, 0x0033, 0x0039, 0x009c, 0x009d, 0x003c, 0x002f, 0x0035, 0x000a,
];

/// What a server's bytes amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// More has to come.
    More,
    /// Its own certificate, DER.
    Certificate(Vec<u8>),
    /// It speaks TLS and shows no certificate: an alert, or a suite without one.
    NoCertificate,
    /// It does not speak TLS.
    NotTls,
}

fn with_length_16(bytes: &[u8]) -> Vec<u8> {
    let mut all = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    all.extend(bytes);
    all
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    let mut all = number.to_be_bytes().to_vec();
    all.extend(with_length_16(body));
    all
}

/// The greeting. `random` makes it look like nobody else's.
pub(crate) fn greeting(random: &[u8; 32]) -> Vec<u8> {
    let words = |words: &[u16]| -> Vec<u8> {
        with_length_16(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>())
    };
    let mut body = vec![3, 3];
    body.extend(random);
    // No session is resumed.
    body.push(0);
    body.extend(words(&SUITES));
    // One compression method: none.
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    // Curves, point formats and signature algorithms (RFC 8422, RFC 5246): without them some servers refuse.
    extensions.extend(extension(10, &words(&[0x001d, 0x0017, 0x0018, 0x0019])));
    extensions.extend(extension(11, &[1, 0]));
    let signatures =
        [0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201];
    extensions.extend(extension(13, &words(&signatures)));
    extensions.extend(extension(0xff01, &[0]));
    body.extend(with_length_16(&extensions));
    let mut handshake = vec![1, 0];
    handshake.extend(with_length_16(&body));
    // The record says 1.0, as RFC 5246 (appendix E.1) advises.
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(with_length_16(&handshake));
    record
}

/// What the bytes so far say.
pub(crate) fn read(bytes: &[u8]) -> Answer {
    let mut messages = Vec::new();
    let mut rest = bytes;
    loop {
        let Some((header, after)) = rest.split_first_chunk::<5>() else {
            let is_start = rest.first().is_none_or(|kind| matches!(*kind, ALERT | HANDSHAKE));
            return match (is_start, handshakes(&messages)) {
                (_, Some(answer)) => answer,
                (true, None) => Answer::More,
                (false, None) => Answer::NotTls,
            };
        };
        let [kind, major, _, high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 || length > RECORD_BYTES_MAX || !(20..=24).contains(&kind) {
            return if messages.is_empty() { Answer::NotTls } else { Answer::NoCertificate };
        }
        let Some(body) = after.get(..length) else {
            // A record that is cut may still hold the certificate that is looked for.
            if kind == HANDSHAKE {
                messages.extend(after);
            }
            return handshakes(&messages).unwrap_or(Answer::More);
        };
        match kind {
            HANDSHAKE => messages.extend(body),
            _ => return handshakes(&messages).unwrap_or(Answer::NoCertificate),
        }
        rest = after.get(length..).unwrap_or_default();
    }
}

/// What the handshake messages say; `None`: more has to come.
fn handshakes(mut bytes: &[u8]) -> Option<Answer> {
    loop {
        let (header, rest) = bytes.split_first_chunk::<4>()?;
        let [kind, length @ ..] = *header;
        let length = length_24(length);
        let body = rest.get(..length);
        match kind {
            CERTIFICATE => return certificate(rest.get(..length.min(rest.len()))?, body.is_some()),
            SERVER_HELLO => {}
            SERVER_HELLO_DONE => return Some(Answer::NoCertificate),
            // A server key exchange without a certificate: an anonymous suite.
            12 => return Some(Answer::NoCertificate),
            _ if length > ANSWER_BYTES_MAX => return Some(Answer::NoCertificate),
            _ => {}
        }
        body?;
        bytes = rest.get(length..)?;
    }
}

fn length_24([high, middle, low]: [u8; 3]) -> usize {
    usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
}

/// The first certificate of a list, which is the server's own.
fn certificate(bytes: &[u8], is_whole: bool) -> Option<Answer> {
    let missing = is_whole.then_some(Answer::NoCertificate);
    // The length of the list, then that of the first one.
    let Some((_, rest)) = bytes.split_first_chunk::<3>() else { return missing };
    let Some((length, rest)) = rest.split_first_chunk::<3>() else { return missing };
    let length = length_24(*length);
    if length == 0 || length > CERTIFICATE_BYTES_MAX {
        return Some(Answer::NoCertificate);
    }
    match rest.get(..length) {
        Some(own) => Some(Answer::Certificate(own.to_vec())),
        None => missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut all = vec![kind, 3, 3];
        all.extend(with_length_16(body));
        all
    }

    fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut all = vec![kind, 0];
        all.extend(with_length_16(body));
        all
    }

    fn server(certificate: &[u8]) -> Vec<u8> {
        let mut list = vec![0];
        list.extend(with_length_16(certificate));
        let mut body = vec![0];
        body.extend(with_length_16(&list));
        let mut messages = handshake(SERVER_HELLO, &[3; 70]);
        messages.extend(handshake(CERTIFICATE, &body));
        messages.extend(handshake(SERVER_HELLO_DONE, &[]));
        messages
    }

    #[test]
    fn what_is_no_tls_is_told_as_such() {
        for bytes in [&b"HTTP/1.0 400 Bad"[..], b"SSH-2.0-x", b"\x16\x09\x09\x00\x01x", b"\xff"] {
            assert_eq!(read(bytes), Answer::NotTls, "{bytes:?}");
        }
        assert_eq!(read(b""), Answer::More);
        assert_eq!(read(&record(ALERT, &[2, 70])), Answer::NoCertificate);
        assert_eq!(read(b"\x16\x03\x03\xff\xffx"), Answer::NotTls);
    }

    #[test]
    fn the_first_certificate_is_read_however_it_is_cut_into_records() {
        let messages = server(b"own certificate");
        let whole = Answer::Certificate(b"own certificate".to_vec());
        for size in [1, 2, 3, 7, 50, 500] {
            let bytes: Vec<u8> =
                messages.chunks(size).flat_map(|part| record(HANDSHAKE, part)).collect();
            assert_eq!(read(&bytes), whole, "{size}");
        }
        assert_eq!(read(&record(HANDSHAKE, &server(b""))), Answer::NoCertificate);
    }

    #[test]
    fn lengths_that_lie_do_not_make_it_wait_or_take_memory() {
        let mut lying = handshake(CERTIFICATE, &[]);
        lying[1..4].copy_from_slice(&[0xff; 3]);
        lying.extend([0xff; 6]);
        assert_eq!(read(&record(HANDSHAKE, &lying)), Answer::NoCertificate);
        let mut endless = handshake(99, &[]);
        endless[1..4].copy_from_slice(&[0xff; 3]);
        assert_eq!(read(&record(HANDSHAKE, &endless)), Answer::NoCertificate);
    }

    #[test]
    fn the_greeting_states_its_own_length() {
        let greeting = greeting(&[7; 32]);
        assert_eq!(greeting.len(), 5 + usize::from(u16::from_be_bytes([greeting[3], greeting[4]])));
        assert_eq!(read(&greeting), Answer::More);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
        }

        #[test]
        fn a_mangled_answer_is_an_answer(place in 0_usize..140, byte in any::<u8>(), length in 0_usize..200) {
            let mut bytes = record(HANDSHAKE, &server(b"own certificate"));
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
            bytes.truncate(length);
            if let Answer::Certificate(own) = read(&bytes) {
                prop_assert!(own.len() <= bytes.len());
            }
        }
    }
}
