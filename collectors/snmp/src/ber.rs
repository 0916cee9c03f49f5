//! The Basic Encoding Rules (X.690) as far as SNMP uses them (RFC 3417, section 8): reading without copying, and
//! writing from the end to the beginning, so that every length is known when it is written.
//!
//! Invariants: a reader never looks beyond its bytes, never allocates and never recurses; what it hands out are
//! parts of the datagram. Every length and number is hostile.
//!
//! Deliberately not here: what the elements mean.

/// Why bytes are no BER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An element says that it is longer than what is there.
    #[error("it is cut off")]
    CutOff,
    /// A length in a form that SNMP does not use, or beyond all reason.
    #[error("a length has no usable form")]
    Length,
    /// Another element than the one that stands here in every SNMP message.
    #[error("an element of type {found:#04x} stands where {wanted:#04x} belongs")]
    Tag {
        /// The type that belongs there.
        wanted: u8,
        /// The type that is there.
        found: u8,
    },
    /// A number that does not fit its type.
    #[error("a number is out of range")]
    Number,
    /// An object identifier that is none.
    #[error("an object identifier is malformed")]
    Oid,
    /// A version of SNMP that does not exist.
    #[error("the version of SNMP is unknown")]
    Version,
}

/// A number with sign.
pub const INTEGER: u8 = 0x02;
/// A string of octets.
pub const OCTETS: u8 = 0x04;
/// Nothing.
pub const NULL: u8 = 0x05;
/// An object identifier.
pub const OID: u8 = 0x06;
/// A sequence of elements.
pub const SEQUENCE: u8 = 0x30;

/// The most octets of a length: four already describe more than a datagram can hold.
const LENGTH_OCTETS_MAX: usize = 4;

/// The most octets of a number: eight and the zero that keeps a large one from being negative.
const NUMBER_OCTETS_MAX: usize = 9;

/// One element.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// Its type.
    pub tag: u8,
    /// What it holds.
    pub content: &'a [u8],
    /// Where its content begins in the datagram.
    pub offset: usize,
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads a whole datagram.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    /// Reads what an element holds.
    #[must_use]
    pub const fn inside(element: Element<'a>) -> Self {
        Self { rest: element.content, offset: element.offset }
    }

    /// Whether all was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element of any type.
    ///
    /// # Errors
    /// When there is none, or it is longer than what is there.
    #[inline]
    pub fn any(&mut self) -> Result<Element<'a>, Malformed> {
        self.element(false)
    }

    /// The next element, which must be of this type.
    ///
    /// # Errors
    /// When it is another one or malformed.
    #[inline]
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let element = self.element(false)?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(Malformed::Tag { wanted: tag, found: element.tag })
        }
    }

    /// The next element, of which the end may lack: agents count the lengths of what they wrap wrongly, and a
    /// datagram can be cut. What is inside is still checked element by element.
    ///
    /// # Errors
    /// When its head is malformed.
    pub fn wrapper(&mut self) -> Result<Element<'a>, Malformed> {
        self.element(true)
    }

    #[inline]
    fn element(&mut self, may_be_cut: bool) -> Result<Element<'a>, Malformed> {
        let (&tag, rest) = self.rest.split_first().ok_or(Malformed::CutOff)?;
        let (&first, rest) = rest.split_first().ok_or(Malformed::CutOff)?;
        let (length, head, rest) = if first < 0x80 {
            (usize::from(first), 2, rest)
        } else {
            let (length, octets, rest) = long_length(first, rest)?;
            (length, 2 + octets, rest)
        };
        let offset = self.offset + head;
        let (content, rest) = match rest.split_at_checked(length) {
            Some(parts) => parts,
            None if may_be_cut => (rest, &[][..]),
            None => return Err(Malformed::CutOff),
        };
        self.rest = rest;
        self.offset = offset + content.len();
        Ok(Element { tag, content, offset })
    }

    /// The next element as a number with sign.
    ///
    /// # Errors
    /// When it is no number or too large.
    #[inline]
    pub fn integer(&mut self) -> Result<i64, Malformed> {
        signed(self.expect(INTEGER)?.content)
    }

    /// The next element as octets.
    ///
    /// # Errors
    /// When it is something else.
    #[inline]
    pub fn octets(&mut self) -> Result<&'a [u8], Malformed> {
        Ok(self.expect(OCTETS)?.content)
    }
}

fn long_length(first: u8, rest: &[u8]) -> Result<(usize, usize, &[u8]), Malformed> {
    let octets = usize::from(first & 0x7f);
    // The indefinite form has no octets.
    if octets == 0 || octets > LENGTH_OCTETS_MAX {
        return Err(Malformed::Length);
    }
    let (digits, rest) = rest.split_at_checked(octets).ok_or(Malformed::CutOff)?;
    let length = digits.iter().fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
    Ok((length, octets, rest))
}

/// A number with sign.
///
/// # Errors
/// When it has no octets or more than a number of 64 bits.
#[inline]
pub fn signed(content: &[u8]) -> Result<i64, Malformed> {
    let first = *content.first().ok_or(Malformed::Number)?;
    if content.len() > 8 {
        return Err(Malformed::Number);
    }
    let start = if first & 0x80 == 0 { 0 } else { -1 };
    Ok(content.iter().fold(start, |sum: i64, octet| (sum << 8) | i64::from(*octet)))
}

/// A number without sign. Agents that forget the leading zero of a large one are understood.
///
/// # Errors
/// When it has no octets or more than a number of 64 bits.
#[inline]
pub fn unsigned(content: &[u8]) -> Result<u64, Malformed> {
    let fits = match content.len() {
        1..=8 => true,
        NUMBER_OCTETS_MAX => content.first() == Some(&0),
        _ => false,
    };
    if !fits {
        return Err(Malformed::Number);
    }
    Ok(content.iter().fold(0_u64, |sum, octet| (sum << 8) | u64::from(*octet)))
}

/// Writes elements from the last one to the first.
#[derive(Debug, Default)]
pub struct Writer {
    reversed: Vec<u8>,
}

impl Writer {
    /// Something empty, with room for a request.
    #[must_use]
    pub fn new() -> Self {
        Self { reversed: Vec::with_capacity(192) }
    }

    /// How much was written, to be given to [`Self::wrap`].
    #[must_use]
    pub const fn mark(&self) -> usize {
        self.reversed.len()
    }

    /// Puts octets in front.
    pub fn octets(&mut self, tag: u8, content: &[u8]) {
        let mark = self.mark();
        self.reversed.extend(content.iter().rev());
        self.wrap(tag, mark);
    }

    /// Puts something in front that is already encoded.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.reversed.extend(encoded.iter().rev());
    }

    /// Puts a number in front.
    pub fn integer(&mut self, number: i64) {
        let mark = self.mark();
        let octets = number.to_be_bytes();
        // As few octets as keep the sign.
        let fill = if number < 0 { 0xff } else { 0 };
        let mut skip = 0;
        while let (Some(&one), Some(&next)) = (octets.get(skip), octets.get(skip + 1))
            && one == fill
            && (next & 0x80 != 0) == (number < 0)
        {
            skip += 1;
        }
        self.reversed.extend(octets.iter().skip(skip).rev());
        self.wrap(INTEGER, mark);
    }

    /// Makes everything that was written since `mark` the content of an element.
    pub fn wrap(&mut self, tag: u8, mark: usize) {
        let length = self.reversed.len().saturating_sub(mark);
        if let Ok(short) = u8::try_from(length)
            && short < 0x80
        {
            self.reversed.push(short);
        } else {
            let octets = length.to_be_bytes();
            let skip = octets.iter().take_while(|octet| **octet == 0).count();
            self.reversed.extend(octets.iter().skip(skip).rev());
            let count = octets.len().saturating_sub(skip);
            self.reversed.push(0x80 | u8::try_from(count).unwrap_or(8));
        }
        self.reversed.push(tag);
    }

    /// What was written, in its right order.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.reversed.reverse();
        self.reversed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_length_beyond_the_datagram_is_refused_and_a_wrapper_takes_what_is_there() {
        let bytes = [SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 2];
        assert_eq!(Reader::new(&bytes).any().unwrap_err(), Malformed::CutOff);
        assert_eq!(Reader::new(&bytes).wrapper().unwrap().content, [1, 2]);
        for head in [[0x30, 0x80], [0x30, 0x85], [0x30, 0xff]] {
            assert_eq!(Reader::new(&head).wrapper().unwrap_err(), Malformed::Length);
        }
    }

    #[test]
    fn numbers_without_their_leading_zero_are_understood() {
        assert_eq!(unsigned(&[0xff; 4]), Ok(u64::from(u32::MAX)));
        assert_eq!(unsigned(&[0, 255, 255, 255, 255, 255, 255, 255, 255]), Ok(u64::MAX));
        assert_eq!(unsigned(&[1; 9]), Err(Malformed::Number));
        assert_eq!((signed(&[]), signed(&[0xff])), (Err(Malformed::Number), Ok(-1)));
    }

    proptest! {
        #[test]
        fn any_number_is_read_as_it_was_written(number in any::<i64>()) {
            let mut writer = Writer::new();
            writer.integer(number);
            prop_assert_eq!(Reader::new(&writer.finish()).integer(), Ok(number));
        }

        #[test]
        fn octets_of_any_length_are_read_as_they_were_written(octets in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let mut writer = Writer::new();
            writer.octets(OCTETS, &octets);
            let written = writer.finish();
            let element = Reader::new(&written).any().unwrap();
            prop_assert_eq!(element.content, &octets[..]);
            prop_assert_eq!(&written[element.offset..], &octets[..]);
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            let mut steps = 0;
            while !reader.is_empty() && reader.wrapper().is_ok() {
                steps += 1;
            }
            prop_assert!(steps <= bytes.len());
        }
    }
}
