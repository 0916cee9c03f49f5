//! The messages of SNMP: version 1 and 2c (RFC 1157, RFC 1901) and version 3 (RFC 3412, RFC 3414), and the protocol
//! data units in them (RFC 3416).
//!
//! Invariants: decoding never allocates; a message that is cut gives the variables that came whole and then says
//! that it was cut. Lengths of what only wraps are not trusted, those of what is wrapped are.
//!
//! Deliberately not here: keys and encryption (`usm`), and which message answers which (`session`).

use crate::ber::{self, Malformed, Reader, Writer};
use crate::value::ValueRef;

/// The versions as messages number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 1157.
    V1,
    /// RFC 1901.
    V2c,
    /// RFC 3412.
    V3,
}

impl Version {
    const fn number(self) -> i64 {
        match self {
            Self::V1 => 0,
            Self::V2c => 1,
            Self::V3 => 3,
        }
    }

    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2c => "2c",
            Self::V3 => "3",
        }
    }
}

/// What a protocol data unit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// These very variables.
    Get,
    /// Those that follow.
    GetNext,
    /// Many of those that follow.
    GetBulk {
        /// How many for each.
        max_repetitions: u32,
    },
}

/// The type of an answer.
pub const RESPONSE: u8 = 0xa2;
/// The type of a report of the security of version 3.
pub const REPORT: u8 = 0xa8;

/// The message says that the answer would be too big.
pub const TOO_BIG: i64 = 1;
/// The message says that a variable does not exist (version 1), which ends a walk.
pub const NO_SUCH_NAME: i64 = 2;

/// A decoded protocol data unit.
#[derive(Clone, Copy, Debug)]
pub struct Pdu<'a> {
    /// Its type.
    pub kind: u8,
    /// The number by which it answers a request.
    pub request_id: i64,
    /// What went wrong; 0 for nothing.
    pub error_status: i64,
    /// Which variable it was, from 1.
    pub error_index: i64,
    /// The variables, not yet decoded.
    pub variables: Variables<'a>,
}

impl<'a> Pdu<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let element = reader.wrapper()?;
        if !(0xa0..=0xa8).contains(&element.tag) {
            return Err(Malformed::Tag { wanted: RESPONSE, found: element.tag });
        }
        let mut inner = Reader::inside(element);
        let request_id = inner.integer()?;
        let error_status = inner.integer()?;
        let error_index = inner.integer()?;
        let list = inner.wrapper()?;
        if list.tag != ber::SEQUENCE {
            return Err(Malformed::Tag { wanted: ber::SEQUENCE, found: list.tag });
        }
        let variables = Variables { reader: Reader::inside(list) };
        Ok(Self { kind: element.tag, request_id, error_status, error_index, variables })
    }
}

/// The variables of a protocol data unit, decoded one by one; the first malformed one ends them.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Variables<'a> {
    type Item = Result<(&'a [u8], ValueRef<'a>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let variable = read_variable(&mut self.reader);
        if variable.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(variable)
    }
}

#[inline]
fn read_variable<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], ValueRef<'a>), Malformed> {
    let mut inner = Reader::inside(reader.expect(ber::SEQUENCE)?);
    let name = inner.expect(ber::OID)?.content;
    if !crate::oid::is_well_formed(name) {
        return Err(Malformed::Oid);
    }
    // A value that does not fit its type is lost, not the variables behind it.
    let value = ValueRef::of(inner.any()?).unwrap_or(ValueRef::Other);
    Ok((name, value))
}

/// The head of a message of version 3 with its security parameters (RFC 3414, section 2.4).
#[derive(Clone, Copy, Debug)]
pub struct Secured<'a> {
    /// The number by which it answers a message.
    pub message_id: i64,
    /// Whether it is authenticated (bit 0) and encrypted (bit 1).
    pub flags: u8,
    /// The engine that is responsible.
    pub engine_id: &'a [u8],
    /// How often that engine was started.
    pub boots: i64,
    /// Seconds since then.
    pub time: i64,
    /// Where the authentication's digest stands in the datagram.
    pub digest: (usize, usize),
    /// What the encryption was salted with.
    pub salt: &'a [u8],
    /// The content: a scoped protocol data unit or its encryption, with its place in the datagram.
    pub content: ber::Element<'a>,
}

/// A decoded message.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// Version 1 or 2c.
    Community {
        /// Which.
        version: Version,
        /// The community.
        community: &'a [u8],
        /// What it says.
        pdu: Pdu<'a>,
    },
    /// Version 3.
    Secured(Secured<'a>),
}

impl<'a> Message<'a> {
    /// Decodes a datagram.
    ///
    /// # Errors
    /// When it is no message of SNMP.
    pub fn read(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let outer = Reader::new(datagram).wrapper()?;
        if outer.tag != ber::SEQUENCE {
            return Err(Malformed::Tag { wanted: ber::SEQUENCE, found: outer.tag });
        }
        let mut reader = Reader::inside(outer);
        let version = match reader.integer()? {
            0 => Version::V1,
            1 => Version::V2c,
            3 => return secured(&mut reader).map(Self::Secured),
            _ => return Err(Malformed::Version),
        };
        let community = reader.octets()?;
        let pdu = Pdu::read(&mut reader)?;
        Ok(Self::Community { version, community, pdu })
    }
}

fn secured<'a>(reader: &mut Reader<'a>) -> Result<Secured<'a>, Malformed> {
    let mut head = Reader::inside(reader.expect(ber::SEQUENCE)?);
    let message_id = head.integer()?;
    // The largest message that the sender takes: requests are far smaller than the smallest allowed, 484.
    head.integer()?;
    let flags = head.octets()?.first().copied().unwrap_or(0);
    const USER_SECURITY_MODEL: i64 = 3;
    if head.integer()? != USER_SECURITY_MODEL {
        return Err(Malformed::Version);
    }
    let mut outer = Reader::inside(reader.expect(ber::OCTETS)?);
    let mut security = Reader::inside(outer.expect(ber::SEQUENCE)?);
    let engine_id = security.octets()?;
    let boots = security.integer()?;
    let time = security.integer()?;
    security.octets()?;
    let digest = security.expect(ber::OCTETS)?;
    let salt = security.octets()?;
    let content = reader.wrapper()?;
    let digest = (digest.offset, digest.content.len());
    Ok(Secured { message_id, flags, engine_id, boots, time, digest, salt, content })
}

/// The engine that a scoped protocol data unit speaks of, and the unit (RFC 3412, section 6.8).
///
/// # Errors
/// When it is malformed; after decryption with a wrong key it always is.
pub fn read_scoped(content: ber::Element<'_>) -> Result<Pdu<'_>, Malformed> {
    if content.tag != ber::SEQUENCE {
        return Err(Malformed::Tag { wanted: ber::SEQUENCE, found: content.tag });
    }
    let mut reader = Reader::inside(content);
    reader.octets()?;
    reader.octets()?;
    Pdu::read(&mut reader)
}

/// Writes a request's protocol data unit.
pub fn write_pdu(writer: &mut Writer, operation: Operation, request_id: i32, names: &[&[u8]]) {
    let (tag, first, second) = match operation {
        Operation::Get => (0xa0, 0, 0),
        Operation::GetNext => (0xa1, 0, 0),
        Operation::GetBulk { max_repetitions } => (0xa5, 0, i64::from(max_repetitions)),
    };
    let mark = writer.mark();
    for name in names.iter().rev() {
        let mark = writer.mark();
        writer.octets(ber::NULL, &[]);
        writer.octets(ber::OID, name);
        writer.wrap(ber::SEQUENCE, mark);
    }
    writer.wrap(ber::SEQUENCE, mark);
    writer.integer(second);
    writer.integer(first);
    writer.integer(i64::from(request_id));
    writer.wrap(tag, mark);
}

/// A request of version 1 or 2c.
#[must_use]
pub fn community_request(
    version: Version,
    community: &[u8],
    operation: Operation,
    request_id: i32,
    names: &[&[u8]],
) -> Vec<u8> {
    let mut writer = Writer::new();
    write_pdu(&mut writer, operation, request_id, names);
    writer.octets(ber::OCTETS, community);
    writer.integer(version.number());
    writer.wrap(ber::SEQUENCE, 0);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer with `count` variables, as an agent would write it.
    fn answer(count: u32) -> Vec<u8> {
        let mut writer = Writer::new();
        for index in (0..count).rev() {
            let mark = writer.mark();
            writer.integer(i64::from(index));
            writer.octets(ber::OID, &crate::oid::encoded(&[1, 3, 6, 1, index]));
            writer.wrap(ber::SEQUENCE, mark);
        }
        writer.wrap(ber::SEQUENCE, 0);
        writer.integer(0);
        writer.integer(0);
        writer.integer(77);
        writer.wrap(RESPONSE, 0);
        writer.octets(ber::OCTETS, b"public");
        writer.integer(1);
        writer.wrap(ber::SEQUENCE, 0);
        writer.finish()
    }

    fn variables(datagram: &[u8]) -> Option<(usize, bool)> {
        match Message::read(datagram).ok()? {
            Message::Community { mut pdu, .. } => {
                let read = pdu.variables.filter(Result::is_ok).count();
                Some((read, pdu.variables.any(|one| one.is_err())))
            }
            Message::Secured(secured) => {
                let pdu = read_scoped(secured.content).ok()?;
                Some((pdu.variables.count(), false))
            }
        }
    }

    #[test]
    fn a_message_that_is_cut_gives_the_variables_that_came_whole() {
        let whole = answer(50);
        assert_eq!(variables(&whole), Some((50, false)));
        let (read, is_malformed) = variables(&whole[..whole.len() / 2]).unwrap();
        assert!((20..30).contains(&read) && is_malformed, "{read}");
    }

    #[test]
    fn an_identifier_of_more_numbers_than_allowed_is_malformed() {
        let mut writer = Writer::new();
        writer.integer(1);
        writer.octets(ber::OID, &[1; 129]);
        writer.wrap(ber::SEQUENCE, 0);
        let bytes = writer.finish();
        let mut found = Variables { reader: Reader::new(&bytes) };
        assert_eq!(found.next().unwrap().unwrap_err(), Malformed::Oid);
        assert!(found.next().is_none());
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let name = crate::oid::encoded(&[1, 3, 6, 1, 2, 1, 2]);
        let bulk = Operation::GetBulk { max_repetitions: 50 };
        let request = community_request(Version::V2c, b"public", bulk, i32::MAX, &[&name]);
        let Message::Community { version, community, pdu } = Message::read(&request).unwrap()
        else {
            panic!("a community");
        };
        assert_eq!((version, community), (Version::V2c, &b"public"[..]));
        assert_eq!((pdu.kind, pdu.request_id), (0xa5, i64::from(i32::MAX)));
        assert_eq!((pdu.error_status, pdu.error_index), (0, 50));
        assert_eq!(pdu.variables.flatten().next(), Some((&name[..], ValueRef::Other)));
    }

    proptest! {
        #[test]
        fn any_datagram_is_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            variables(&bytes);
        }

        #[test]
        fn any_mangled_answer_is_decoded_or_refused(
            places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            length in 0_usize..600,
        ) {
            let mut bytes = answer(20);
            bytes.truncate(length);
            for (place, octet) in places {
                if !bytes.is_empty() {
                    let index = place.index(bytes.len());
                    bytes[index] = octet;
                }
            }
            if let Some((read, _)) = variables(&bytes) {
                prop_assert!(read <= 200);
            }
        }
    }
}
