//! The user-based security model of SNMP version 3 (RFC 3414, with RFC 7860 and RFC 3826): messages are written,
//! recognized, checked and decrypted.
//!
//! Invariants: what is authenticated is believed only after its digest was checked, in constant time; a level lower
//! than the user's is never accepted for data; nothing is sent with less security than the credential says.
//!
//! Deliberately not here: the algorithms (`keys`), waiting and repeating (`session`).

pub mod keys;

use crate::ber::{self, Malformed, Reader, Writer};
use crate::message::{self, Message, Operation, Pdu, REPORT, Secured};
use keys::{AuthProtocol, LocalKeys, PrivacyProtocol, SALT_OCTETS};
use std::sync::Arc;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How far an engine's clock may lie behind what is known of it (RFC 3414, section 2.2.3).
const TIME_WINDOW_SECONDS: u64 = 150;

/// The longest engine id (RFC 3411, section 5), with room for those that broke the rule.
pub const ENGINE_ID_OCTETS_MAX: usize = 64;

const FLAG_AUTH: u8 = 1;
const FLAG_PRIVACY: u8 = 2;
const FLAG_REPORTABLE: u8 = 4;

/// The largest message that is taken, as it is announced: the largest of UDP over IPv4.
const MESSAGE_OCTETS_MAX: i64 = 65_507;

/// A user, as a credential describes it.
pub struct User {
    /// Its name.
    pub name: Vec<u8>,
    /// The protocol and the password of authentication, when the level has it.
    pub auth: Option<(AuthProtocol, Zeroizing<Vec<u8>>)>,
    /// The protocol and the password of privacy, when the level has it; never without authentication.
    pub privacy: Option<(PrivacyProtocol, Zeroizing<Vec<u8>>)>,
    /// The context that is asked; empty for the default one.
    pub context: Vec<u8>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("level", &self.level()).finish_non_exhaustive()
    }
}

impl User {
    /// The level of security, in the words of RFC 3411 and with the algorithms.
    #[must_use]
    pub fn level(&self) -> String {
        match (&self.auth, &self.privacy) {
            (Some((auth, _)), Some((privacy, _))) => {
                format!("authPriv ({}, {})", auth.name(), privacy.name())
            }
            (Some((auth, _)), None) => format!("authNoPriv ({})", auth.name()),
            _ => "noAuthNoPriv".to_owned(),
        }
    }

    const fn flags(&self) -> u8 {
        match (&self.auth, &self.privacy) {
            (Some(_), Some(_)) => FLAG_AUTH | FLAG_PRIVACY,
            (Some(_), None) => FLAG_AUTH,
            _ => 0,
        }
    }

    /// The keys of this user at an engine.
    #[must_use]
    pub fn keys(&self, engine_id: &[u8]) -> LocalKeys {
        let auth = self.auth.as_ref().map(|(protocol, password)| (*protocol, password.as_slice()));
        let privacy =
            self.privacy.as_ref().map(|(protocol, password)| (*protocol, password.as_slice()));
        LocalKeys::derive(auth, privacy, engine_id)
    }
}

/// What is known of the engine that is asked.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Its id.
    pub id: Vec<u8>,
    /// How often it was started.
    pub boots: u32,
    /// Seconds since then, at [`Self::at`].
    pub time: u32,
    /// When that was learned.
    pub at: Instant,
    /// Whether boots and time come from an authenticated message.
    pub is_trusted: bool,
    /// Whether it answered at the user's level.
    pub has_answered: bool,
    /// The keys of the user there.
    pub keys: Arc<LocalKeys>,
}

impl Engine {
    fn time_at(&self, now: Instant) -> u64 {
        u64::from(self.time).saturating_add(now.saturating_duration_since(self.at).as_secs())
    }

    /// Takes over what an authenticated message says of the engine's clock.
    pub fn learn(&mut self, boots: u32, time: u32, now: Instant) {
        let is_newer =
            (u64::from(boots), u64::from(time)) > (u64::from(self.boots), self.time_at(now));
        if is_newer || !self.is_trusted {
            (self.boots, self.time, self.at, self.is_trusted) = (boots, time, now, true);
        }
    }
}

/// What a report says (RFC 3414, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The level is not offered for that user.
    UnsupportedLevel,
    /// The clock differs: repeat with the one of the report.
    NotInTimeWindow,
    /// There is no such user.
    UnknownUser,
    /// The engine has another id: the one of the report.
    UnknownEngine,
    /// The digest is wrong: the password or the protocol of authentication.
    WrongDigest,
    /// It could not be decrypted.
    DecryptionError,
    /// Something else.
    Other,
}

/// `usmStats` (RFC 3414): 1.3.6.1.6.3.15.1.1.
const USM_STATS: &[u8] = &[0x2b, 6, 1, 6, 3, 15, 1, 1];

impl Report {
    fn of(pdu: &Pdu<'_>) -> Self {
        let name = pdu.variables.flatten().next().map(|(name, _)| name).unwrap_or_default();
        match name.strip_prefix(USM_STATS).and_then(|rest| rest.first()) {
            Some(1) => Self::UnsupportedLevel,
            Some(2) => Self::NotInTimeWindow,
            Some(3) => Self::UnknownUser,
            Some(4) => Self::UnknownEngine,
            Some(5) => Self::WrongDigest,
            Some(6) => Self::DecryptionError,
            _ => Self::Other,
        }
    }
}

/// A message that was checked.
#[derive(Debug)]
pub enum Opened<'a> {
    /// An answer at the user's own level.
    Answer(Pdu<'a>),
    /// A report. Only an authenticated one may set the clock.
    Reported {
        /// What it says.
        report: Report,
        /// Whether its digest was checked and is right.
        is_authentic: bool,
        /// The engine that says it.
        engine_id: Vec<u8>,
        /// How often that was started.
        boots: u32,
        /// Seconds since then.
        time: u32,
    },
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is no message of version 3.
    #[error("it is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// It answers another message.
    #[error("it answers another message")]
    Other,
    /// Its digest is wrong.
    #[error("its digest is wrong")]
    WrongDigest,
    /// Its level is lower than that of the request.
    #[error("it is less secure than the request")]
    LevelTooLow,
    /// What it holds cannot be decrypted.
    #[error("it cannot be decrypted")]
    Undecryptable,
    /// It was recorded earlier, or the engine's clock was set back.
    #[error("it is older than what is already known")]
    Outdated,
}

/// What a request is to say.
#[derive(Debug)]
pub struct Request<'a> {
    /// What is asked for.
    pub operation: Operation,
    /// Its number.
    pub id: i32,
    /// What the encryption is salted with; never used twice with one key.
    pub salt: u64,
    /// The variables.
    pub names: &'a [&'a [u8]],
}

/// A request that any engine answers with its id, and that needs no user (RFC 3414, section 4).
#[must_use]
pub fn discovery(id: i32) -> Vec<u8> {
    let mut writer = Writer::new();
    message::write_pdu(&mut writer, Operation::Get, id, &[]);
    writer.octets(ber::OCTETS, &[]);
    writer.octets(ber::OCTETS, &[]);
    writer.wrap(ber::SEQUENCE, 0);
    let mark = writer.mark();
    for _ in 0..3 {
        writer.octets(ber::OCTETS, &[]);
    }
    writer.integer(0);
    writer.integer(0);
    writer.octets(ber::OCTETS, &[]);
    finish(writer, mark, id, FLAG_REPORTABLE)
}

/// Puts the security parameters, written since `mark`, and the head in front.
fn finish(mut writer: Writer, mark: usize, id: i32, flags: u8) -> Vec<u8> {
    writer.wrap(ber::SEQUENCE, mark);
    writer.wrap(ber::OCTETS, mark);
    let mark = writer.mark();
    writer.integer(3);
    writer.octets(ber::OCTETS, &[flags]);
    writer.integer(MESSAGE_OCTETS_MAX);
    writer.integer(i64::from(id));
    writer.wrap(ber::SEQUENCE, mark);
    writer.integer(3);
    writer.wrap(ber::SEQUENCE, 0);
    writer.finish()
}

/// A request at the user's level.
#[must_use]
pub fn request(user: &User, engine: &Engine, now: Instant, request: &Request<'_>) -> Vec<u8> {
    let (boots, time) = if engine.is_trusted {
        (engine.boots, u32::try_from(engine.time_at(now)).unwrap_or(u32::MAX))
    } else {
        // A clock that nobody vouched for is not used: the engine's authenticated report gives it.
        (0, 0)
    };
    let mut scoped = Writer::new();
    message::write_pdu(&mut scoped, request.operation, request.id, request.names);
    scoped.octets(ber::OCTETS, &user.context);
    scoped.octets(ber::OCTETS, &engine.id);
    scoped.wrap(ber::SEQUENCE, 0);
    let mut content = scoped.finish();
    let mut salt = Vec::new();
    let mut writer = Writer::new();
    if user.privacy.is_some() {
        salt = engine.keys.encrypt(&mut content, boots, time, request.salt).to_vec();
        writer.octets(ber::OCTETS, &content);
    } else {
        writer.raw(&content);
    }
    let mark = writer.mark();
    writer.octets(ber::OCTETS, &salt);
    let digest_octets = engine.keys.digest_octets();
    let behind_digest = writer.mark();
    let zeros = [0; 64];
    writer.octets(ber::OCTETS, zeros.get(..digest_octets).unwrap_or_default());
    writer.octets(ber::OCTETS, &user.name);
    writer.integer(i64::from(time));
    writer.integer(i64::from(boots));
    writer.octets(ber::OCTETS, &engine.id);
    let mut bytes = finish(writer, mark, request.id, user.flags() | FLAG_REPORTABLE);
    if digest_octets > 0 {
        let end = bytes.len().saturating_sub(behind_digest);
        let digest = engine.keys.digest(&[&bytes]);
        if let Some(place) = bytes.get_mut(end.saturating_sub(digest_octets)..end)
            && let Some(digest) = digest.get(..digest_octets)
        {
            place.copy_from_slice(digest);
        }
    }
    bytes
}

/// Checks and decrypts a message. `is_answer` says whether a message number is that of an open request.
///
/// # Errors
/// When it is not to be believed.
pub fn open<'d>(
    datagram: &'d mut [u8],
    user: &User,
    engine: Option<&mut Engine>,
    now: Instant,
    is_answer: impl Fn(i64) -> bool,
) -> Result<Opened<'d>, OpenError> {
    let Message::Secured(head) = Message::read(datagram)? else {
        return Err(OpenError::Malformed(Malformed::Version));
    };
    if !is_answer(head.message_id) || head.engine_id.len() > ENGINE_ID_OCTETS_MAX {
        return Err(OpenError::Other);
    }
    let boots = u32::try_from(head.boots).unwrap_or(0);
    let time = u32::try_from(head.time).unwrap_or(0);
    let has_digest = head.flags & FLAG_AUTH != 0;
    let mut is_authentic = false;
    if let Some(engine) = &engine
        && has_digest
        && head.engine_id == engine.id
        && user.auth.is_some()
    {
        if !is_digest_right(datagram, &head, engine) {
            return Err(OpenError::WrongDigest);
        }
        is_authentic = true;
    }
    let is_encrypted = head.flags & FLAG_PRIVACY != 0;
    if !is_encrypted {
        let pdu = message::read_scoped(head.content)?;
        if pdu.kind == REPORT {
            let (report, engine_id) = (Report::of(&pdu), head.engine_id.to_vec());
            return Ok(Opened::Reported { report, is_authentic, engine_id, boots, time });
        }
    }
    let engine = engine.filter(|engine| head.engine_id == engine.id).ok_or(OpenError::Other)?;
    if (user.auth.is_some() && !is_authentic) || (user.privacy.is_some() && !is_encrypted) {
        return Err(OpenError::LevelTooLow);
    }
    if is_authentic {
        if is_outdated(engine, boots, time, now) {
            return Err(OpenError::Outdated);
        }
        engine.learn(boots, time, now);
    }
    let (tag, begin) = (head.content.tag, head.content.offset);
    let end = begin + head.content.content.len();
    if is_encrypted {
        let salt = head.salt.try_into().map_err(|_| OpenError::Undecryptable)?;
        let keys = Arc::clone(&engine.keys);
        let pdu = decrypted(datagram, (begin, end), &keys, (boots, time, salt))?;
        return Ok(answer_or_report(pdu, boots, time));
    }
    let content = datagram.get(begin..end).unwrap_or_default();
    Ok(Opened::Answer(message::read_scoped(ber::Element { tag, content, offset: begin })?))
}

fn answer_or_report(pdu: Pdu<'_>, boots: u32, time: u32) -> Opened<'_> {
    if pdu.kind == REPORT {
        let report = Report::of(&pdu);
        return Opened::Reported { report, is_authentic: true, engine_id: Vec::new(), boots, time };
    }
    Opened::Answer(pdu)
}

fn decrypted<'d>(
    datagram: &'d mut [u8],
    (begin, end): (usize, usize),
    keys: &LocalKeys,
    (boots, time, salt): (u32, u32, [u8; SALT_OCTETS]),
) -> Result<Pdu<'d>, OpenError> {
    let content = datagram.get_mut(begin..end).ok_or(OpenError::Undecryptable)?;
    if !keys.decrypt(content, boots, time, salt) {
        return Err(OpenError::Undecryptable);
    }
    // With the wrong key it is noise, which is no scoped unit. Padding may follow.
    let element = Reader::new(content).any().map_err(|_| OpenError::Undecryptable)?;
    message::read_scoped(element).map_err(|_| OpenError::Undecryptable)
}

fn is_digest_right(datagram: &[u8], head: &Secured<'_>, engine: &Engine) -> bool {
    let (offset, length) = head.digest;
    if length != engine.keys.digest_octets() {
        return false;
    }
    let zeros = [0_u8; 64];
    let parts = (
        datagram.get(..offset),
        zeros.get(..length),
        datagram.get(offset + length..),
        datagram.get(offset..offset + length),
    );
    let (Some(before), Some(zeros), Some(behind), Some(said)) = parts else { return false };
    engine.keys.is_digest(&[before, zeros, behind], said)
}

fn is_outdated(engine: &Engine, boots: u32, time: u32, now: Instant) -> bool {
    engine.is_trusted
        && (boots < engine.boots
            || (boots == engine.boots
                && u64::from(time).saturating_add(TIME_WINDOW_SECONDS) < engine.time_at(now)))
}

#[cfg(test)]
mod tests;
