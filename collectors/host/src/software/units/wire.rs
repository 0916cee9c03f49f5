//! The wire format of D-Bus (<https://dbus.freedesktop.org/doc/dbus-specification.html>): the little of it that a
//! call without arguments and its answer need.
//!
//! All lengths in an answer are checked against what there is; nothing is read by its own promise.

use std::io;

/// The largest message that is taken; the specification allows 128 MiB, an answer about 20,000 units has 8.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// The fixed part of a header.
pub(super) const HEADER_BYTES: usize = 16;

/// A call.
pub(super) struct Call<'a> {
    pub(super) destination: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
}

/// The kinds of messages that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Answer,
    Error,
    Other,
}

/// What the fixed part of a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    is_big_endian: bool,
    /// Length of the fields with their padding.
    pub(super) fields_bytes: usize,
    pub(super) body_bytes: usize,
}

/// The error of an answer that does not hold to the format.
pub(super) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed D-Bus message")
}

impl Call<'_> {
    /// The message, in little-endian order.
    pub(super) fn encoded(&self, serial: u32) -> Vec<u8> {
        let mut fields = Vec::new();
        push_field(&mut fields, 1, b'o', self.path);
        push_field(&mut fields, 2, b's', self.interface);
        push_field(&mut fields, 3, b's', self.member);
        if let Some(destination) = self.destination {
            push_field(&mut fields, 6, b's', destination);
        }
        // Order, call, no flags, version 1, no body.
        let mut message = vec![b'l', 1, 0, 1];
        message.extend(0_u32.to_le_bytes());
        message.extend(serial.to_le_bytes());
        message.extend(u32::try_from(fields.len()).unwrap_or(u32::MAX).to_le_bytes());
        message.extend(&fields);
        pad(&mut message, 8);
        message
    }
}

/// A field of the header: code, signature of one letter, text. Fields begin at multiples of eight.
fn push_field(fields: &mut Vec<u8>, code: u8, signature: u8, text: &str) {
    pad(fields, 8);
    fields.extend([code, 1, signature, 0]);
    fields.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    fields.extend(text.as_bytes());
    fields.push(0);
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

impl Header {
    /// Parses the fixed part.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> io::Result<Self> {
        let [order, kind, _, version, rest @ ..] = bytes;
        let is_big_endian = match order {
            b'l' => false,
            b'B' => true,
            _ => return Err(malformed()),
        };
        if *version != 1 {
            return Err(malformed());
        }
        let mut reader = Reader { bytes: rest, place: 0, is_big_endian };
        let (body, _serial, fields) = (reader.number()?, reader.number()?, reader.number()?);
        let fields_bytes = usize_of(fields)?.next_multiple_of(8);
        let body_bytes = usize_of(body)?;
        if fields_bytes.saturating_add(body_bytes) > MESSAGE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "D-Bus message larger than 16 MiB",
            ));
        }
        let kind = match kind {
            2 => Kind::Answer,
            3 => Kind::Error,
            _ => Kind::Other,
        };
        Ok(Self { kind, is_big_endian, fields_bytes, body_bytes })
    }

    /// A reader of the body.
    pub(super) const fn body<'a>(&self, bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, place: 0, is_big_endian: self.is_big_endian }
    }
}

fn usize_of(number: u32) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| malformed())
}

/// Reads values one after the other. The body begins at a multiple of eight, so its own places keep the alignment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    place: usize,
    is_big_endian: bool,
}

impl<'a> Reader<'a> {
    /// Steps to the next multiple of `to`.
    pub(super) fn align(&mut self, to: usize) {
        self.place = self.place.next_multiple_of(to);
    }

    /// Where the reader stands.
    pub(super) const fn place(&self) -> usize {
        self.place
    }

    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let end = self.place.checked_add(count).ok_or_else(malformed)?;
        let taken = self.bytes.get(self.place..end).ok_or_else(malformed)?;
        self.place = end;
        Ok(taken)
    }

    /// A number of 32 bits.
    pub(super) fn number(&mut self) -> io::Result<u32> {
        self.align(4);
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| malformed())?;
        Ok(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// A text or the path of an object.
    pub(super) fn text(&mut self) -> io::Result<&'a str> {
        let length = usize_of(self.number()?)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| malformed())?;
        self.take(1)?;
        Ok(text)
    }

    /// The end of an array whose elements begin at multiples of eight; the reader stands at the first one then.
    pub(super) fn array_end(&mut self) -> io::Result<usize> {
        let length = usize_of(self.number()?)?;
        self.align(8);
        let end = self.place.checked_add(length).ok_or_else(malformed)?;
        if end > self.bytes.len() {
            return Err(malformed());
        }
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_padded_and_holds_its_fields() {
        let call = Call { destination: Some("a.b"), path: "/a", interface: "i.f", member: "M" };
        let bytes = call.encoded(7);
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(&bytes[..4], b"l\x01\x00\x01");
        assert_eq!(bytes[8..12], 7_u32.to_le_bytes());
    }

    #[test]
    fn a_message_that_promises_too_much_is_refused() {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(b"l\x02\x00\x01");
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Header::parse(&bytes).is_err());
        bytes[4..8].copy_from_slice(&8_u32.to_le_bytes());
        assert_eq!(Header::parse(&bytes).unwrap().body_bytes, 8);
        bytes[0] = b'x';
        assert!(Header::parse(&bytes).is_err());
    }
}
