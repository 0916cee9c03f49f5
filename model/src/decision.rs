//! What reconciliation decided: the one value that the store writes in one transaction.
//!
//! Records refer to each other by dense numbers that the control plane gives and the store keeps; they are never
//! shown to anyone. Number 0 stands for *none*. Observations are kept as they came, so that items can be folded
//! again under other rules.
//!
//! Deliberately not here: how it is decided (`reconcile`) and how it is kept (`store`).

use crate::fold::Lock;
use crate::{
    AgentId, Coverage, IdentityKey, ItemId, ItemState, Name, Observation, ScopeDigest, SourceId,
    Timestamp, Value,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A dense number of an item, observation, source or scope; 0 stands for none.
pub type Number = u32;

/// A source, the first time it is seen or when its agent or site changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// Its number.
    pub number: Number,
    /// Who it is.
    pub id: SourceId,
    /// The agent that carries it.
    pub agent: AgentId,
    /// The site in whose network its addresses mean one thing.
    pub site: String,
}

/// A scope of a source after a look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeRecord {
    /// Its number.
    pub number: Number,
    /// Its source.
    pub source: Number,
    /// Its name.
    pub name: Name,
    /// How completely it was seen.
    pub coverage: Coverage,
    /// The last look.
    pub looked_at: Timestamp,
    /// The last complete look.
    pub complete_at: Option<Timestamp>,
    /// How many things it holds.
    pub seen_count: u64,
    /// The digest of all that it holds.
    pub digest: ScopeDigest,
}

/// An item, new or changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemRecord {
    /// Its number.
    pub number: Number,
    /// Its id, when it is new.
    pub id: Option<ItemId>,
    /// Its class.
    pub class: Name,
    /// What a person calls it; `None` when that did not change.
    pub title: Option<String>,
    /// The words by which it is found beside its title.
    pub words: String,
    /// The item that it is a part of.
    pub parent: Number,
    /// Hash of what tells it apart within its parent.
    pub local: u64,
    /// Where it is in its life.
    pub state: ItemState,
    /// Where it was, when that changed.
    pub state_before: Option<ItemState>,
    /// Since when it is in that state.
    pub state_since: Timestamp,
    /// When it was first observed.
    pub first_seen: Timestamp,
}

/// An observation as it is kept: the last word of one scope of a source about one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationRecord {
    /// Its number.
    pub number: Number,
    /// Hash of source and native key.
    pub native: u64,
    /// Its source.
    pub source: Number,
    /// Its scope.
    pub scope: Number,
    /// The item that it belongs to; 0 while its parent is unknown.
    pub item: Number,
    /// Hash of its content.
    pub content: u128,
    /// When it was first observed.
    pub first_seen: Timestamp,
    /// When it got this content, or came back with it.
    pub changed_at: Timestamp,
    /// Since when it is no longer there.
    pub absent_at: Option<Timestamp>,
    /// When it was last confirmed, as far as its scope does not say.
    pub seen_at: Timestamp,
    /// What was seen.
    pub seen: Arc<Observation>,
    /// Since when the facts that changed after the first sight have had their value.
    pub since: BTreeMap<Name, Timestamp>,
}

/// How an observation is to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum ObservationWrite {
    /// It is new.
    New(ObservationRecord),
    /// It has another content, or came back: what it said before is closed at `until`.
    Next {
        /// As it is now.
        record: ObservationRecord,
        /// As it was, valid from its `changed_at` until its `absent_at` or the next `changed_at`.
        before: Box<ObservationRecord>,
    },
    /// Only its item, until now none, or its absence changed.
    Moved(ObservationRecord),
    /// It is known to have been seen earlier, or some of its values since earlier or later, than was known.
    Dated(ObservationRecord),
    /// It belongs to another item, with its keys.
    Reassigned(ObservationRecord),
}

/// An identity key of an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Hash of the key.
    pub hash: u64,
    /// The observation that carries it.
    pub observation: Number,
    /// The item of the observation.
    pub item: Number,
    /// The key.
    pub key: IdentityKey,
}

/// A relationship that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationRecord {
    /// The first end.
    pub from: Number,
    /// The relationship's name.
    pub verb: Name,
    /// The second end.
    pub to: Number,
    /// Who says so.
    pub source: Number,
    /// The observation that states it; 0 for a derived one.
    pub owner: Number,
    /// Since when.
    pub since: Timestamp,
    /// What supports it, in words.
    pub evidence: String,
}

/// A relationship that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationEnd {
    /// The first end.
    pub from: Number,
    /// The relationship's name.
    pub verb: Name,
    /// The second end.
    pub to: Number,
    /// The observation that stated it; 0 for a derived one.
    pub owner: Number,
    /// Since when it is no longer so.
    pub until: Timestamp,
}

/// A stated relationship whose other end is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitingRecord {
    /// Hash of the native key or identity key that is waited for.
    pub hash: u64,
    /// The observation that states it.
    pub observation: Number,
    /// The relationship's name.
    pub verb: Name,
    /// The item of the observation.
    pub from: Number,
    /// Who states it.
    pub source: Number,
    /// Since when.
    pub since: Timestamp,
}

/// A stated connection to an address and port, and what it is bound to now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointRecord {
    /// The observation that states it.
    pub observation: Number,
    /// The relationship's name.
    pub verb: Name,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// IP address.
    pub address: String,
    /// Port.
    pub port: u16,
    /// The item that connects.
    pub client: Number,
    /// The host that it runs on.
    pub host: Number,
    /// The native key of that host for the source.
    pub within: String,
    /// Who states it.
    pub source: Number,
    /// Since when it is bound as it is.
    pub since: Timestamp,
    /// The item that it is bound to.
    pub bound: Number,
}

/// One line of history.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRecord {
    /// The item.
    pub item: Number,
    /// Who says so.
    pub source: Number,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// What happened.
    pub what: ChangeWhat,
}

/// What happened to an item, by numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeWhat {
    /// First seen.
    Created,
    /// A fact has another winning value.
    Attribute {
        /// The attribute.
        name: Name,
        /// Before; `None` when it had not been looked at.
        before: Option<Value>,
        /// Now; `None` when nobody says it any longer.
        after: Option<Value>,
    },
    /// A relationship appeared.
    Related {
        /// Its name.
        verb: Name,
        /// The other end.
        other: Number,
    },
    /// A relationship is gone.
    Unrelated {
        /// Its name.
        verb: Name,
        /// The other end.
        other: Number,
    },
    /// Another item was found to be this one.
    Merged {
        /// The other one, whose id leads here from now on.
        other: Number,
    },
    /// Some of its sightings were found to be another item.
    Split {
        /// The other one.
        other: Number,
    },
    /// It moved to another state.
    State {
        /// Before.
        before: ItemState,
        /// Now.
        after: ItemState,
    },
}

/// The last values of an observation's readings. They make no history.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadingRecord {
    /// The observation.
    pub observation: Number,
    /// When they were read.
    pub at: Timestamp,
    /// The values.
    pub values: BTreeMap<Name, Value>,
}

/// How far the chain of one priority class of an agent's spool is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedRecord {
    /// The agent.
    pub agent: AgentId,
    /// The epoch of its spool.
    pub epoch: u64,
    /// The priority class.
    pub class: u32,
    /// Everything up to it is stored.
    pub sequence: u64,
}

/// A record that could not be used, kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The agent that sent it.
    pub agent: AgentId,
    /// The epoch of its spool.
    pub epoch: u64,
    /// The priority class.
    pub class: u32,
    /// Its sequence.
    pub sequence: u64,
    /// Code of the error catalog.
    pub code: &'static str,
    /// Why.
    pub detail: String,
    /// The record as it came, cut at a limit.
    pub bytes: Vec<u8>,
}

/// Two items that may be one: too much evidence to ignore, too little to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PossibleRecord {
    /// The newer item.
    pub one: Number,
    /// The older item.
    pub other: Number,
    /// How much speaks for it.
    pub bits: i32,
}

/// An item that was found to be another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsorbedRecord {
    /// The item, which has no sightings of its own any longer.
    pub item: Number,
    /// The item that its id leads to.
    pub into: Number,
    /// Its first sighting, as the hash of source and native key: with it the item comes back. 0 for a part.
    pub founder: u64,
    /// Since when.
    pub at: Timestamp,
}

/// What a person says about two sightings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WishKind {
    /// They are one item, whatever the evidence says.
    Must,
    /// They are not one item, whatever the evidence says.
    Cannot,
    /// The evidence decides; what was said before no longer counts.
    Neither,
}

/// What a person decided about two sightings, given as hashes of source and native key. It outlives every run; of
/// several about one pair the one of the latest action counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WishRecord {
    /// The action that it is a part of; a person takes back a whole action.
    pub action: Number,
    /// The lesser hash.
    pub one: u64,
    /// The greater hash.
    pub other: u64,
    /// What was said.
    pub kind: WishKind,
    /// Who said so.
    pub said_by: String,
    /// When.
    pub at: Timestamp,
}

/// A version of the rules of identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesRecord {
    /// What they call themselves.
    pub version: String,
    /// Their text.
    pub text: String,
    /// Who made them live.
    pub said_by: String,
    /// When.
    pub at: Timestamp,
    /// Whether everything that is known was decided by them.
    pub is_applied: bool,
}

/// A value that a person fixed for an attribute. It belongs to the sighting that the item began with, so that it goes
/// where that goes when items are merged and split.
#[derive(Clone, Debug, PartialEq)]
pub struct LockRecord {
    /// Hash of source and native key of the sighting.
    pub native: u64,
    /// What was fixed, until when, and who did it.
    pub lock: Lock,
    /// Why, in the person's words.
    pub why: String,
}

/// By what an item was folded the last time of which several sources speak: time alone can change what wins then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedRecord {
    /// The item.
    pub item: Number,
    /// When another value may win, as far as its sources are still confirmed then.
    pub turn: Option<Timestamp>,
    /// Its observations with when each was last confirmed, by number; empty when time changes nothing.
    pub confirmed: Vec<(Number, Timestamp)>,
}

/// A lock that holds no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockEnd {
    /// Hash of source and native key of its sighting.
    pub native: u64,
    /// The attribute.
    pub attribute: Name,
    /// When it was said.
    pub since: Timestamp,
    /// Who ended it; empty when its time was over.
    pub ended_by: String,
    /// When.
    pub at: Timestamp,
}

/// A disappearance that was held because it would have taken too much of its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRecord {
    /// The scope.
    pub scope: Number,
    /// When.
    pub at: Timestamp,
    /// How many would have gone.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// What would have gone, as hashes of source and native key: the items of their own come first.
    pub natives: Vec<u64>,
}

/// A person's word about a held disappearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledRecord {
    /// The scope.
    pub scope: Number,
    /// When it was held.
    pub at: Timestamp,
    /// Whether it was let happen; else everything stays as it is.
    pub is_approved: bool,
    /// Who said so.
    pub said_by: String,
}

/// Everything that a group of batches changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// When it was decided, by the control plane's clock.
    pub recorded_at: Timestamp,
    /// Sources.
    pub sources: Vec<SourceRecord>,
    /// Scopes.
    pub scopes: Vec<ScopeRecord>,
    /// Items.
    pub items: Vec<ItemRecord>,
    /// Observations.
    pub observations: Vec<ObservationWrite>,
    /// Identity keys that are new.
    pub keys_added: Vec<KeyRecord>,
    /// Identity keys that are gone: hash and observation.
    pub keys_removed: Vec<(u64, Number)>,
    /// Relationships that began.
    pub relations_begun: Vec<RelationRecord>,
    /// Relationships that ended.
    pub relations_ended: Vec<RelationEnd>,
    /// Statements that wait for their other end.
    pub waiting_added: Vec<WaitingRecord>,
    /// Statements that wait no longer.
    pub waiting_removed: Vec<WaitingRecord>,
    /// Connections, new or bound to another item.
    pub endpoints: Vec<EndpointRecord>,
    /// Connections that are gone.
    pub endpoints_removed: Vec<EndpointRecord>,
    /// History.
    pub changes: Vec<ChangeRecord>,
    /// Readings.
    pub readings: Vec<ReadingRecord>,
    /// Spool positions.
    pub committed: Vec<CommittedRecord>,
    /// Records kept aside.
    pub rejected: Vec<RejectedRecord>,
    /// Items that may be one.
    pub possible: Vec<PossibleRecord>,
    /// Items that may be one no longer: newer and older item.
    pub possible_removed: Vec<(Number, Number)>,
    /// Items that are other ones from now on, or lead to another one than before.
    pub absorbed: Vec<AbsorbedRecord>,
    /// Absorbed items that are items of their own again.
    pub revived: Vec<Number>,
    /// The item through which everything was folded again by the latest rules.
    pub refolded: Option<Number>,
    /// Rules of identity that are live from now on.
    pub rules: Option<RulesRecord>,
    /// What a person decided.
    pub wishes: Vec<WishRecord>,
    /// Actions that a person took back.
    pub wishes_removed: Vec<Number>,
    /// By what items were folded.
    pub judged: Vec<JudgedRecord>,
    /// Values that people fixed.
    pub locks: Vec<LockRecord>,
    /// Fixed values that hold no longer. They end before others begin.
    pub locks_ended: Vec<LockEnd>,
    /// Held disappearances.
    pub held: Vec<HeldRecord>,
    /// Held disappearances about which a person has decided.
    pub held_settled: Vec<SettledRecord>,
}

impl Decision {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { recorded_at: self.recorded_at, ..Self::default() }
    }
}

fn hash_of(parts: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

/// The hash by which a thing is found that `source` names `native_key`. It is stored: it never changes.
#[must_use]
pub fn native_hash(source: &SourceId, native_key: &str) -> u64 {
    hash_of(&[&source.collector, &source.target, native_key])
}

/// The hash by which an identity key is found. It is stored: it never changes.
#[must_use]
pub fn key_hash(key: &IdentityKey) -> u64 {
    hash_of(&[key.key_type.name(), &key.realm.0, &key.value])
}

/// The hash of what tells a part of this class apart within its parent. It is stored: it never changes.
#[must_use]
pub fn local_hash(class: &str, local_key: &str) -> u64 {
    hash_of(&[class, local_key])
}
