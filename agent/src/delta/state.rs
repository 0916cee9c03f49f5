//! What the control plane was last told of a scope, and its form on disk.
//!
//! The file is a cache, not a record: a missing, torn or foreign one costs a full report and nothing else, which
//! is why it is written without waiting for the disk. Entries are not kept in memory between looks.

use super::Held;
use collector::Guard;
use model::run::{ContentHash, CoverageReason, CoverageStatus};
use model::{Coverage, Name, ScopeDigest, Timestamp};
use std::collections::HashMap;

/// Begins each file; the last byte is the version of the form.
const MAGIC: [u8; 8] = *b"dharmaS\x01";
/// Bytes of the digest that ends each file.
const TRAILER_BYTES: usize = 16;
/// The most bytes of a file that is read back; a scope at the limit of a run stays below it.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is kept in memory of a scope between looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// How completely it was seen; `None` when it was never looked at.
    pub coverage: Option<Coverage>,
    /// The digest of all that it holds.
    pub digest: ScopeDigest,
    /// How many things it holds.
    pub count: usize,
    /// When it was last looked at.
    pub looked_at: Timestamp,
    /// The guard before that look.
    pub guard: Option<Guard>,
    /// What must be the same for the guard to mean anything: version, boot, target.
    pub context: String,
}

/// What a scope held when it was last reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeState {
    /// What is kept in memory.
    pub header: Header,
    pub(super) held: HashMap<String, Held>,
}

/// The file cannot be used; the next report is a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is torn, changed or of another version")]
pub struct Corrupt;

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(0);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Takes values from the front of what is left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        self.bytes(N)?.try_into().map_err(|_| Corrupt)
    }

    fn number(&mut self) -> Result<usize, Corrupt> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| Corrupt)
    }

    fn text(&mut self) -> Result<&'a str, Corrupt> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Corrupt)
    }
}

fn trailer_of(content: &[u8]) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    let hash = blake3::hash(content);
    for (to, from) in trailer.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    trailer
}

impl ScopeState {
    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut classes: Vec<&str> = self.held.values().map(|held| held.class.as_ref()).collect();
        classes.sort_unstable();
        classes.dedup();
        let mut bytes = MAGIC.to_vec();
        self.header.put(&mut bytes);
        bytes.extend_from_slice(&u32::try_from(classes.len()).unwrap_or(0).to_le_bytes());
        for class in &classes {
            put_text(&mut bytes, class);
        }
        bytes.extend_from_slice(&u32::try_from(self.held.len()).unwrap_or(0).to_le_bytes());
        for (native_key, held) in &self.held {
            let class = classes.binary_search(&held.class.as_ref()).unwrap_or(usize::MAX);
            bytes.extend_from_slice(&u32::try_from(class).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(&held.hash.0.to_le_bytes());
            put_text(&mut bytes, native_key);
        }
        let trailer = trailer_of(&bytes);
        bytes.extend_from_slice(&trailer);
        bytes
    }

    /// The state of a file.
    ///
    /// # Errors
    /// When the file is not exactly what was written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = checked(bytes)?;
        let header = Header::take(&mut reader)?;
        let classes = (0..reader.number()?)
            .map(|_| reader.text().map(|class| Name::Owned(class.to_owned())))
            .collect::<Result<Vec<_>, _>>()?;
        let count = reader.number()?;
        // Every entry has 24 bytes at least, so that a count without entries allocates nothing.
        if count > reader.0.len() / 24 {
            return Err(Corrupt);
        }
        let mut held = HashMap::with_capacity(count);
        for _ in 0..count {
            let class = classes.get(reader.number()?).ok_or(Corrupt)?.clone();
            let hash = ContentHash(u128::from_le_bytes(reader.array()?));
            held.insert(reader.text()?.to_owned(), Held { class, hash, is_seen: false });
        }
        if !reader.0.is_empty() || held.len() != count {
            return Err(Corrupt);
        }
        Ok(Self { header, held })
    }
}

/// The content behind the magic, once the digest at the end is right.
fn checked(bytes: &[u8]) -> Result<Reader<'_>, Corrupt> {
    let end = bytes.len().checked_sub(TRAILER_BYTES).ok_or(Corrupt)?;
    let (content, trailer) = bytes.split_at_checked(end).ok_or(Corrupt)?;
    if trailer_of(content) != trailer {
        return Err(Corrupt);
    }
    content.strip_prefix(MAGIC.as_slice()).map(Reader).ok_or(Corrupt)
}

impl Header {
    /// The header of a file.
    ///
    /// # Errors
    /// When the file is not exactly what was written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Corrupt> {
        Self::take(&mut checked(bytes)?)
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        let never = Coverage::not_looked_at(CoverageReason::None, "");
        let coverage = self.coverage.as_ref().unwrap_or(&never);
        bytes.push(u8::from(self.coverage.is_some()));
        put_text(bytes, coverage.status.name());
        put_text(bytes, coverage.reason.name());
        put_text(bytes, &coverage.detail);
        bytes.extend_from_slice(&self.digest.0.to_le_bytes());
        bytes.extend_from_slice(&u64::try_from(self.count).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&self.looked_at.millis().to_le_bytes());
        bytes.push(u8::from(self.guard.is_some()));
        bytes.extend_from_slice(&self.guard.map_or(0, |guard| guard.0).to_le_bytes());
        put_text(bytes, &self.context);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let is_looked_at = reader.array::<1>()? == [1];
        let status = reader.text()?;
        let status =
            [CoverageStatus::Complete, CoverageStatus::Partial, CoverageStatus::NotLookedAt]
                .into_iter()
                .find(|known| known.name() == status)
                .ok_or(Corrupt)?;
        let reason = reader.text()?;
        let reason =
            CoverageReason::ALL.into_iter().find(|known| known.name() == reason).ok_or(Corrupt)?;
        let coverage = Coverage { status, reason, detail: reader.text()?.to_owned() };
        let digest = ScopeDigest(u128::from_le_bytes(reader.array()?));
        let count = usize::try_from(u64::from_le_bytes(reader.array()?)).map_err(|_| Corrupt)?;
        let looked_at = Timestamp::from_millis(i64::from_le_bytes(reader.array()?));
        let is_guarded = reader.array::<1>()? == [1];
        let guard = Guard(u64::from_le_bytes(reader.array()?));
        Ok(Self {
            coverage: is_looked_at.then_some(coverage),
            digest,
            count,
            looked_at,
            guard: is_guarded.then_some(guard),
            context: reader.text()?.to_owned(),
        })
    }
}
