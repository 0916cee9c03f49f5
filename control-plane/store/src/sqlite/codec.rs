//! How observations and values lie in the file: a version byte, then a compact encoding in which the names of
//! classes, attributes and relationships are numbers of the table `name`.
//!
//! Invariants: every encoding begins with its version; what was encoded decodes to the same value; bytes that are
//! no encoding give an error, never a panic. It is independent of the wire, so that either can change alone.

use super::names::Names;
use model::decision::ObservationRecord;
use model::{
    IdentityKey, KeyType, Name, Observation, ObservedRelation, Realm, RelationTarget, Timestamp,
    Value,
};
use std::collections::BTreeMap;

/// A plain encoding follows.
const PLAIN: u8 = 1;
/// A plain encoding follows, compressed with zstd.
const COMPRESSED: u8 = 2;

/// Below this, compressing costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 256;

/// The largest body: a bound for decompression, far above what the wire lets in.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes that are no encoding of this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored bytes are in no form that this build knows")]
pub(crate) struct Unreadable;

/// Appends encoded values.
pub(crate) struct Writer<'a> {
    bytes: Vec<u8>,
    names: &'a mut Names,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(names: &'a mut Names, buffer: Vec<u8>) -> Self {
        let mut bytes = buffer;
        bytes.clear();
        bytes.push(PLAIN);
        Self { bytes, names }
    }

    fn number(&mut self, mut number: u64) {
        loop {
            let low = u8::try_from(number & 0x7f).unwrap_or(0);
            number >>= 7;
            if number == 0 {
                self.bytes.push(low);
                return;
            }
            self.bytes.push(low | 0x80);
        }
    }

    fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn signed(&mut self, number: i64) {
        // Zigzag: small magnitudes stay short whatever their sign.
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn name(&mut self, name: &Name) {
        match self.names.number(name) {
            Some(number) => self.number(u64::from(number)),
            None => {
                self.number(0);
                self.text(name);
            }
        }
    }

    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Absent => self.bytes.push(0),
            Value::Boolean(false) => self.bytes.push(1),
            Value::Boolean(true) => self.bytes.push(2),
            Value::Integer(number) => {
                self.bytes.push(3);
                self.signed(*number);
            }
            Value::Float(number) => {
                self.bytes.push(4);
                self.bytes.extend_from_slice(&number.to_le_bytes());
            }
            Value::Text(text) => {
                self.bytes.push(5);
                self.text(text);
            }
            Value::Time(time) => {
                self.bytes.push(6);
                self.signed(time.millis());
            }
            Value::List(values) => {
                self.bytes.push(7);
                self.count(values.len());
                values.iter().for_each(|value| self.value(value));
            }
            Value::Record(fields) => {
                self.bytes.push(8);
                self.count(fields.len());
                for (name, value) in fields {
                    self.text(name);
                    self.value(value);
                }
            }
        }
    }

    pub(crate) fn values(&mut self, values: &BTreeMap<Name, Value>) {
        self.count(values.len());
        for (name, value) in values {
            self.name(name);
            self.value(value);
        }
    }

    fn key(&mut self, key: &IdentityKey) {
        self.name(&Name::Borrowed(key.key_type.name()));
        self.text(&key.realm.0);
        self.text(&key.value);
    }

    fn relation(&mut self, relation: &ObservedRelation) {
        self.name(&relation.verb);
        match &relation.target {
            RelationTarget::Native(key) => {
                self.bytes.push(0);
                self.text(key);
            }
            RelationTarget::Key(key) => {
                self.bytes.push(1);
                self.key(key);
            }
            RelationTarget::Endpoint { protocol, address, port } => {
                self.bytes.push(2);
                self.text(protocol);
                self.text(address);
                self.number(u64::from(*port));
            }
        }
    }

    /// The body of an observation: what was seen without its readings, and since when its facts are so.
    pub(crate) fn body(&mut self, record: &ObservationRecord) {
        let seen = &record.seen;
        self.name(&seen.class);
        self.text(&seen.native_key);
        self.text(seen.within.as_deref().unwrap_or_default());
        self.values(&seen.facts);
        self.count(record.since.len());
        for (name, since) in &record.since {
            self.name(name);
            self.signed(since.millis().saturating_sub(record.first_seen.millis()));
        }
        self.count(seen.keys.len());
        seen.keys.iter().for_each(|key| self.key(key));
        self.count(seen.relations.len());
        seen.relations.iter().for_each(|relation| self.relation(relation));
    }

    /// The encoding.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Compresses encodings of history, which is read seldom. Made once for many: its tables cost more than the work.
pub(crate) struct Compression(Option<zstd::bulk::Compressor<'static>>);

impl Compression {
    /// Fast, because every change of an observation passes through it.
    const LEVEL: i32 = 1;

    pub(crate) fn new() -> Self {
        Self(zstd::bulk::Compressor::new(Self::LEVEL).ok())
    }

    /// The same encoding, compressed when that is worth it.
    pub(crate) fn compressed(&mut self, plain: Vec<u8>) -> Vec<u8> {
        let Some(compressor) = self.0.as_mut().filter(|_| plain.len() >= COMPRESS_BYTES_MIN) else {
            return plain;
        };
        match compressor.compress(plain.get(1..).unwrap_or_default()) {
            Ok(small) if small.len().saturating_add(1) < plain.len() => {
                let mut bytes = Vec::with_capacity(small.len().saturating_add(1));
                bytes.push(COMPRESSED);
                bytes.extend_from_slice(&small);
                bytes
            }
            _ => plain,
        }
    }
}

/// Takes encoded values apart.
pub(crate) struct Reader<'a> {
    bytes: std::borrow::Cow<'a, [u8]>,
    at: usize,
    names: &'a Names,
}

/// How deep lists and records may lie in each other; the wire allows less.
const DEPTH_MAX: usize = 32;

impl<'a> Reader<'a> {
    pub(crate) fn new(names: &'a Names, bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let (version, rest) = bytes.split_first().ok_or(Unreadable)?;
        let bytes = match *version {
            PLAIN => std::borrow::Cow::Borrowed(rest),
            COMPRESSED => {
                zstd::bulk::decompress(rest, BODY_BYTES_MAX).map_err(|_| Unreadable)?.into()
            }
            _ => return Err(Unreadable),
        };
        Ok(Self { bytes, at: 0, names })
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        let byte = *self.bytes.get(self.at).ok_or(Unreadable)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    fn number(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Unreadable)
    }

    fn count(&mut self) -> Result<usize, Unreadable> {
        let count = usize::try_from(self.number()?).map_err(|_| Unreadable)?;
        // Every element takes a byte or more, so a larger count is a lie.
        if count > self.bytes.len() { Err(Unreadable) } else { Ok(count) }
    }

    fn signed(&mut self) -> Result<i64, Unreadable> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ (number & 1).cast_signed().wrapping_neg())
    }

    fn slice(&mut self, length: usize) -> Result<&[u8], Unreadable> {
        let end = self.at.checked_add(length).ok_or(Unreadable)?;
        let slice = self.bytes.get(self.at..end).ok_or(Unreadable)?;
        self.at = end;
        Ok(slice)
    }

    fn text(&mut self) -> Result<String, Unreadable> {
        let length = self.count()?;
        std::str::from_utf8(self.slice(length)?).map(str::to_owned).map_err(|_| Unreadable)
    }

    fn name(&mut self) -> Result<Name, Unreadable> {
        match self.number()? {
            0 => Ok(Name::Owned(self.text()?)),
            number => {
                let number = u32::try_from(number).map_err(|_| Unreadable)?;
                self.names.name(number).cloned().ok_or(Unreadable)
            }
        }
    }

    pub(crate) fn value(&mut self) -> Result<Value, Unreadable> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: usize) -> Result<Value, Unreadable> {
        if depth > DEPTH_MAX {
            return Err(Unreadable);
        }
        Ok(match self.byte()? {
            0 => Value::Absent,
            1 => Value::Boolean(false),
            2 => Value::Boolean(true),
            3 => Value::Integer(self.signed()?),
            4 => {
                Value::Float(f64::from_le_bytes(self.slice(8)?.try_into().map_err(|_| Unreadable)?))
            }
            5 => Value::Text(self.text()?),
            6 => Value::Time(Timestamp::from_millis(self.signed()?)),
            7 => {
                let count = self.count()?;
                Value::List((0..count).map(|_| self.value_at(depth + 1)).collect::<Result<_, _>>()?)
            }
            8 => {
                let count = self.count()?;
                Value::Record(
                    (0..count)
                        .map(|_| Ok((self.text()?, self.value_at(depth + 1)?)))
                        .collect::<Result<_, Unreadable>>()?,
                )
            }
            _ => return Err(Unreadable),
        })
    }

    pub(crate) fn values(&mut self) -> Result<BTreeMap<Name, Value>, Unreadable> {
        let count = self.count()?;
        (0..count).map(|_| Ok((self.name()?, self.value()?))).collect()
    }

    fn key(&mut self) -> Result<Option<IdentityKey>, Unreadable> {
        let key_type = KeyType::from_name(&self.name()?);
        let (realm, value) = (Realm(self.text()?), self.text()?);
        Ok(key_type.map(|key_type| IdentityKey { key_type, realm, value }))
    }

    fn relation(&mut self) -> Result<Option<ObservedRelation>, Unreadable> {
        let verb = self.name()?;
        let target = match self.byte()? {
            0 => RelationTarget::Native(self.text()?),
            1 => match self.key()? {
                Some(key) => RelationTarget::Key(key),
                None => return Ok(None),
            },
            2 => RelationTarget::Endpoint {
                protocol: self.text()?,
                address: self.text()?,
                port: u16::try_from(self.number()?).map_err(|_| Unreadable)?,
            },
            _ => return Err(Unreadable),
        };
        Ok(Some(ObservedRelation { verb, target }))
    }

    /// What was seen, and since when the facts that changed after `first_seen` are so.
    pub(crate) fn body(
        &mut self,
        first_seen: Timestamp,
    ) -> Result<(Observation, BTreeMap<Name, Timestamp>), Unreadable> {
        let class = self.name()?;
        let native_key = self.text()?;
        let within = Some(self.text()?).filter(|within| !within.is_empty());
        let facts = self.values()?;
        let changed = self.count()?;
        let since = (0..changed)
            .map(|_| {
                let name = self.name()?;
                let millis = first_seen.millis().saturating_add(self.signed()?);
                Ok((name, Timestamp::from_millis(millis)))
            })
            .collect::<Result<_, Unreadable>>()?;
        let keys = self.count()?;
        let keys = (0..keys).filter_map(|_| self.key().transpose()).collect::<Result<_, _>>()?;
        let relations = self.count()?;
        let relations =
            (0..relations).filter_map(|_| self.relation().transpose()).collect::<Result<_, _>>()?;
        let readings = BTreeMap::new();
        Ok((Observation { class, native_key, within, keys, facts, readings, relations }, since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn record(seen: Observation) -> ObservationRecord {
        let first_seen = Timestamp::from_seconds(1_700_000_000);
        let since =
            BTreeMap::from([(Name::Borrowed("fqdn"), Timestamp::from_seconds(1_700_000_009))]);
        ObservationRecord {
            number: 1,
            native: 2,
            source: 1,
            scope: 1,
            item: 1,
            content: 3,
            first_seen,
            changed_at: first_seen,
            absent_at: None,
            seen_at: first_seen,
            seen: Arc::new(seen),
            since,
        }
    }

    fn example() -> Observation {
        use model::classes::host;
        use model::relationships::{CONNECTS_TO, RUNS_ON};
        Observation::of(&host::CLASS, "host")
            .with(&host::FQDN, "db1.example.net")
            .with(&host::MEMORY_BYTES, 8_u64 << 30)
            .with_or_absent(&host::OS_CODENAME, None::<String>)
            .key(IdentityKey::new(KeyType::HostName, Realm::site("berlin"), "db1"))
            .relates(RUNS_ON, RelationTarget::Native("hardware".into()))
            .relates(
                CONNECTS_TO,
                RelationTarget::Endpoint {
                    protocol: "tcp".into(),
                    address: "::1".into(),
                    port: 5432,
                },
            )
    }

    #[test]
    fn a_body_survives_the_file_plain_and_compressed() {
        let record = record(example());
        let mut names = Names::default();
        let mut writer = Writer::new(&mut names, Vec::new());
        writer.body(&record);
        let bytes = writer.finish();
        for bytes in [bytes.clone(), Compression::new().compressed(bytes)] {
            let (seen, since) =
                Reader::new(&names, &bytes).unwrap().body(record.first_seen).unwrap();
            assert_eq!(seen, *record.seen);
            assert_eq!(since, record.since);
        }
    }

    #[test]
    fn the_first_format_stays_readable() {
        // Golden bytes: version 1, an integer of 300 (zigzag 600), a text.
        let names = Names::default();
        let mut reader = Reader::new(&names, &[1, 3, 0xd8, 0x04, 5, 2, b'o', b'k']).unwrap();
        assert_eq!(reader.value(), Ok(Value::Integer(300)));
        assert_eq!(reader.value(), Ok(Value::Text("ok".into())));
        assert!(Reader::new(&names, &[9]).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let names = Names::default();
            if let Ok(mut reader) = Reader::new(&names, &bytes) {
                drop(reader.body(Timestamp::EPOCH));
            }
        }

        #[test]
        fn numbers_survive(number in any::<i64>()) {
            let mut names = Names::default();
            let mut writer = Writer::new(&mut names, Vec::new());
            writer.value(&Value::Integer(number));
            let bytes = writer.finish();
            prop_assert_eq!(Reader::new(&names, &bytes).unwrap().value(), Ok(Value::Integer(number)));
        }
    }
}
