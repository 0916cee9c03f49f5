//! The discovery of an SNMPv3 engine (RFC 3414, section 4): an empty question without user or secret, to which every
//! agent of version 3 answers with its engine id.
//!
//! Only what this one exchange needs of BER is here; reading devices by SNMP is another collector's.

use super::Said;

/// The message's number, by which its report is known. Any will do: the asked address and port are checked too.
const MESSAGE: u8 = 0x2a;

/// The bounds of an engine id (RFC 3411, section 5).
const ENGINE_BYTES: std::ops::RangeInclusive<usize> = 5..=32;

/// The question: a get request in plaintext, reportable, with empty engine, user and variables.
pub(super) fn question() -> Vec<u8> {
    vec![
        0x30, 0x39, // message
        0x02, 0x01, 0x03, // version 3
        0x30, 0x0f, // header: number, largest size, flags (reportable), security model (USM)
        0x02, 0x02, 0x00, MESSAGE, 0x02, 0x03, 0x00, 0xff, 0xe3, 0x04, 0x01, 0x04, 0x02, 0x01,
        0x03, 0x04,
        0x10, // parameters of the model: engine, boots, time, user, two digests, all empty
        0x30, 0x0e, 0x04, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00, 0x04,
        0x00, 0x30,
        0x11, // scoped data: context engine and name, a get request without variables
        0x04, 0x00, 0x04, 0x00, 0xa0, 0x0b, 0x02, 0x01, 0x01, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00,
        0x30, 0x00,
    ]
}

/// Takes what a reply says; whether it is one.
pub(super) fn read(bytes: &[u8], said: &mut Said) -> bool {
    let Some(engine) = engine_id(bytes) else { return false };
    said.engine_id = Some(engine.iter().map(|byte| format!("{byte:02x}")).collect());
    true
}

/// The value of an element of that type at the start, and what follows it.
fn element(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first != kind {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), rest.get(2..)?),
        _ => return None,
    };
    Some((rest.get(..length)?, rest.get(length..)?))
}

fn engine_id(bytes: &[u8]) -> Option<&[u8]> {
    let (message, _) = element(bytes, 0x30)?;
    let (version, rest) = element(message, 0x02)?;
    if version != [3] {
        return None;
    }
    let (header, rest) = element(rest, 0x30)?;
    let (number, _) = element(header, 0x02)?;
    if *number.last()? != MESSAGE {
        return None;
    }
    let (parameters, _) = element(rest, 0x04)?;
    let (parameters, _) = element(parameters, 0x30)?;
    let (engine, _) = element(parameters, 0x04)?;
    ENGINE_BYTES.contains(&engine.len()).then_some(engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(engine: &[u8]) -> Vec<u8> {
        let wrap = |kind: u8, body: Vec<u8>| {
            let mut all = vec![kind, u8::try_from(body.len()).unwrap()];
            all.extend(body);
            all
        };
        let mut parameters = wrap(0x04, engine.to_vec());
        parameters.extend([0x02, 0x01, 0x05, 0x02, 0x01, 0x09, 0x04, 0, 0x04, 0, 0x04, 0]);
        let mut message = vec![0x02, 0x01, 0x03, 0x30, 0x0d, 0x02, 0x01, MESSAGE];
        message.extend([0x02, 0x02, 0x05, 0xdc, 0x04, 0x01, 0x00, 0x02, 0x01, 0x03]);
        let header = message.split_off(3);
        let header = wrap(0x30, header[2..].to_vec());
        message.extend(header);
        message.extend(wrap(0x04, wrap(0x30, parameters)));
        message.extend([0x30, 0]);
        wrap(0x30, message)
    }

    #[test]
    fn an_engine_id_is_read_from_a_report() {
        let mut said = Said::default();
        assert!(read(&report(&[0x80, 0, 0x1f, 0x88, 4, 1, 2]), &mut said));
        assert_eq!(said.engine_id.as_deref(), Some("80001f88040102"));
    }

    #[test]
    fn a_question_and_an_engine_id_of_a_wrong_length_are_none() {
        for bytes in [question(), report(&[1, 2, 3, 4]), report(&[7; 33]), report(&[])] {
            assert!(!read(&bytes, &mut Said::default()));
        }
    }

    #[test]
    fn the_question_states_its_own_lengths() {
        let question = question();
        assert_eq!(question.len(), usize::from(question[1]) + 2);
    }

    proptest! {
        #[test]
        fn any_report_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            read(&bytes, &mut Said::default());
        }

        #[test]
        fn a_mangled_report_is_read_or_refused(place in 0_usize..60, byte in any::<u8>(), length in 0_usize..70) {
            let mut bytes = report(&[0x80, 0, 0x1f, 0x88, 4, 1, 2]);
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
            bytes.truncate(length);
            read(&bytes, &mut Said::default());
        }
    }
}
