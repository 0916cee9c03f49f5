//! The values of variables (RFC 2578, section 7; RFC 3416, section 3), as they stand in a message and as they are kept.
//!
//! Invariant: reading a value never copies it; a value of a type that is unknown is passed over, not refused.

use crate::ber::{self, Element, Malformed};
use crate::oid;

/// A value, as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// `INTEGER`.
    Integer(i64),
    /// `Counter32`, `Gauge32`, `Unsigned32`, `TimeTicks` or `Counter64`.
    Unsigned(u64),
    /// `OCTET STRING`.
    Octets(&'a [u8]),
    /// `OBJECT IDENTIFIER`, encoded.
    Oid(&'a [u8]),
    /// `IpAddress`.
    Address([u8; 4]),
    /// The agent has no such object or instance.
    NotThere,
    /// There is nothing after the identifier that was asked for.
    EndOfView,
    /// `NULL`, or a type that means nothing here.
    Other,
}

impl<'a> ValueRef<'a> {
    /// The value of an element.
    ///
    /// # Errors
    /// When its content does not fit its type.
    #[inline]
    pub fn of(element: Element<'a>) -> Result<Self, Malformed> {
        Ok(match element.tag {
            ber::INTEGER => Self::Integer(ber::signed(element.content)?),
            ber::OCTETS => Self::Octets(element.content),
            ber::OID => Self::Oid(element.content),
            0x41 | 0x42 | 0x43 | 0x46 | 0x47 => Self::Unsigned(ber::unsigned(element.content)?),
            0x40 => match element.content.try_into() {
                Ok(octets) => Self::Address(octets),
                Err(_) => Self::Other,
            },
            0x80 | 0x81 => Self::NotThere,
            0x82 => Self::EndOfView,
            _ => Self::Other,
        })
    }

    /// A copy of it to keep; `None` for what is not there.
    #[must_use]
    pub fn kept(self) -> Option<Value> {
        Some(match self {
            Self::Integer(number) => Value::Integer(number),
            Self::Unsigned(number) => Value::Unsigned(number),
            Self::Octets(octets) => Value::Octets(octets.into()),
            Self::Oid(bytes) => Value::Oid(oid::numbers(bytes)),
            Self::Address(octets) => Value::Octets(octets.into()),
            Self::NotThere | Self::EndOfView | Self::Other => return None,
        })
    }
}

/// A value that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number with sign.
    Integer(i64),
    /// A number without sign.
    Unsigned(u64),
    /// Octets: text, an address, bits.
    Octets(Box<[u8]>),
    /// The numbers of an object identifier.
    Oid(Vec<u32>),
}

/// The longest text that is taken from a device; descriptions of whole operating systems stay below it.
pub const TEXT_LENGTH_MAX: usize = 4096;

impl Value {
    /// As a number without sign.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Unsigned(number) => Some(*number),
            Self::Octets(_) | Self::Oid(_) => None,
        }
    }

    /// As a number with sign.
    #[must_use]
    pub fn signed(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            Self::Octets(_) | Self::Oid(_) => None,
        }
    }

    /// As octets.
    #[must_use]
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Self::Octets(octets) => Some(octets),
            Self::Integer(_) | Self::Unsigned(_) | Self::Oid(_) => None,
        }
    }

    /// As an object identifier.
    #[must_use]
    pub fn oid(&self) -> Option<&[u32]> {
        match self {
            Self::Oid(arcs) => Some(arcs),
            Self::Integer(_) | Self::Unsigned(_) | Self::Octets(_) => None,
        }
    }

    /// As text that can be shown: see [`text_of`].
    #[must_use]
    pub fn text(&self) -> Option<String> {
        text_of(self.octets()?)
    }

    /// How many octets it takes, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Octets(octets) => octets.len(),
                Self::Oid(arcs) => arcs.len() * size_of::<u32>(),
                Self::Integer(_) | Self::Unsigned(_) => 0,
            }
    }
}

/// Text of a device: without the control characters that a terminal would obey, one space for each run of white
/// space, without padding, bounded. `None` when nothing is left.
#[must_use]
pub fn text_of(octets: &[u8]) -> Option<String> {
    let octets = octets.get(..octets.len().min(TEXT_LENGTH_MAX)).unwrap_or_default();
    let mut text = String::with_capacity(octets.len());
    for letter in String::from_utf8_lossy(octets).chars() {
        // Line breaks of a description are spaces; NUL ends many a text in C.
        if letter == '\0' {
            break;
        }
        if letter.is_whitespace() {
            if !text.is_empty() && !text.ends_with(' ') {
                text.push(' ');
            }
        } else if !letter.is_control() && !is_directing(letter) {
            text.push(letter);
        }
    }
    text.truncate(text.trim_end().len());
    (!text.is_empty()).then_some(text)
}

/// Characters that turn the direction of the text around them, or are not to be seen.
fn is_directing(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A hardware address with colons; `None` when it has not six octets or only zeros.
#[must_use]
pub fn mac_of(octets: &[u8]) -> Option<String> {
    if octets.len() != 6 || octets.iter().all(|octet| *octet == 0) {
        return None;
    }
    let parts: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    Some(parts.join(":"))
}

/// Octets as hexadecimal digits.
#[must_use]
pub fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_loses_what_a_terminal_would_obey() {
        let text = text_of(b"\x1b]0;owned\x07 Switch\r\n  model\t9\x00hidden").unwrap();
        assert_eq!(text, "]0;owned Switch model 9");
        assert_eq!(text_of("a\u{202e}b".as_bytes()).unwrap(), "ab");
        assert_eq!(text_of(&[0xff, 0xfe]).unwrap(), "\u{fffd}\u{fffd}");
        assert_eq!((text_of(b" \0"), text_of(b"")), (None, None));
        assert!(text_of(&[b'x'; 70_000]).unwrap().len() <= TEXT_LENGTH_MAX);
    }

    #[test]
    fn an_unknown_type_is_passed_over() {
        let element = |tag, content| Element { tag, content, offset: 0 };
        assert_eq!(ValueRef::of(element(0x99, &[1, 2])), Ok(ValueRef::Other));
        assert_eq!(ValueRef::of(element(0x40, &[1, 2])), Ok(ValueRef::Other));
        assert_eq!(ValueRef::of(element(0x46, &[0xff; 8])), Ok(ValueRef::Unsigned(u64::MAX)));
        assert!(ValueRef::of(element(ber::INTEGER, &[])).is_err());
    }

    #[test]
    fn only_six_octets_are_a_hardware_address() {
        assert_eq!(mac_of(&[0, 0, 0x5e, 0, 0x53, 1]).unwrap(), "00:00:5e:00:53:01");
        assert_eq!((mac_of(&[0; 6]), mac_of(&[1; 8])), (None, None));
    }
}
