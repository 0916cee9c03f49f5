//! Loading what is known from the store.

use crate::Reconciler;
use crate::index::{Absorbed, ItemSlot, Native, ScopeState, Slot, part_key};
use model::decision::{
    AbsorbedRecord, EndpointRecord, JudgedRecord, LockRecord, Number, ObservationRecord,
    PossibleRecord, ScopeRecord, SourceRecord, WaitingRecord, WishRecord,
};
use model::{ItemState, KeyType, Name, Timestamp, relationships};

/// One thing that is known. Sources come before scopes, items before observations.
#[derive(Clone, Debug)]
pub enum Known {
    /// A source.
    Source(SourceRecord),
    /// A scope.
    Scope(ScopeRecord),
    /// An item; they come by ascending number without holes.
    Item {
        /// Its class.
        class: Name,
        /// The item that it is a part of.
        parent: Number,
        /// What tells it apart within its parent.
        local: u64,
        /// Its state.
        state: ItemState,
        /// Since when.
        state_since: Timestamp,
    },
    /// An observation.
    Observation {
        /// Its number.
        number: Number,
        /// Hash of source and native key.
        native: u64,
        /// Its scope.
        scope: Number,
        /// Its item.
        item: Number,
        /// Hash of its content.
        content: u128,
        /// Whether it is there.
        is_present: bool,
    },
    /// An identity key of an observation.
    Key {
        /// Its hash.
        hash: u64,
        /// Its type.
        key_type: KeyType,
        /// Hash of the observation's source and native key.
        native: u64,
    },
    /// An item that was found to be another one. They come after all items.
    Absorbed(AbsorbedRecord),
    /// What a person decided about two sightings.
    Wish(WishRecord),
    /// A value that a person fixed.
    Lock(LockRecord),
    /// By what an item was folded the last time.
    Judged(JudgedRecord),
    /// Two items that a person should look at.
    Possible(PossibleRecord),
    /// A statement that waits for its other end.
    Waiting(WaitingRecord),
    /// A connection and what it is bound to.
    Endpoint(EndpointRecord),
    /// A relationship in force that dependencies are derived from, or a derived one.
    Relation {
        /// The first end.
        from: Number,
        /// The relationship's name.
        verb: Name,
        /// The second end.
        to: Number,
        /// The observation that states it; 0 for a derived one.
        owner: Number,
    },
    /// An observation that is needed whole: of an interface or a listener, or one without an item.
    Whole(Box<ObservationRecord>),
}

impl Reconciler {
    /// Takes over one thing that is known.
    pub fn know(&mut self, known: Known) {
        match known {
            Known::Source(record) => self.index.know_source(record),
            Known::Scope(record) => self.know_scope(record),
            Known::Item { class, parent, local, state, state_since } => {
                let class = self.index.class_number(&class);
                self.index.items.push(ItemSlot::new(class, (parent, local), (state, state_since)));
                let number = Number::try_from(self.index.items.len()).unwrap_or(Number::MAX);
                if parent != 0 {
                    self.index.parts.insert(part_key(parent, local), number);
                }
                if matches!(state, ItemState::Missing | ItemState::Stale) {
                    self.index.waning.insert(number);
                }
            }
            Known::Observation { number, native, scope, item, content, is_present } => {
                self.know_observation((number, native, scope), (item, content, is_present));
            }
            Known::Key { hash, key_type, native } => {
                self.index.keys.hold(hash, native);
                if self.is_recognized_by(native, key_type) {
                    self.index.keys.recognize(native, key_type, hash);
                }
            }
            Known::Absorbed(AbsorbedRecord { item, into, founder, .. }) => {
                self.index.absorb(item, Absorbed { into, founder });
            }
            Known::Wish(record) => {
                self.wishes.say(record.action, (record.one, record.other), record.kind);
            }
            Known::Lock(record) => self.values.know_lock(record),
            Known::Judged(record) => self.turns.know(record),
            Known::Possible(PossibleRecord { one, other, bits }) => {
                self.know_possible((one, other), bits);
            }
            Known::Waiting(record) => self.connections.know_waiting(record),
            Known::Endpoint(record) => self.connections.know_endpoint(record),
            Known::Relation { from, verb, to, owner } => {
                if verb == relationships::DEPENDS_ON && owner == 0 {
                    self.dependencies.know_derived(from, to);
                } else {
                    self.dependencies.begin(&verb, from, to, None);
                }
                self.dependencies.settle();
            }
            Known::Whole(record) => self.know_whole(*record),
        }
    }

    fn know_scope(&mut self, record: ScopeRecord) {
        let key = (record.source, Name::Owned(record.name.clone().into_owned()));
        self.index.scope_numbers.insert(key, record.number);
        // Digest and counts come with the observations, so that they cannot disagree with them.
        let state = ScopeState {
            source: record.source,
            name: record.name,
            coverage: record.coverage,
            looked_at: record.looked_at,
            complete_at: record.complete_at,
            digest: model::ScopeDigest::default(),
            present: 0,
            independent: 0,
            members: Vec::new(),
        };
        self.index.scopes.insert(record.number, state);
    }

    fn know_observation(
        &mut self,
        (number, native, scope): (Number, u64, Number),
        (item, content, is_present): (Number, u128, bool),
    ) {
        let slot = Slot::new(scope, number, content);
        match self.index.natives.get_mut(&native) {
            Some(known) => known.add(slot),
            None => {
                self.index.natives.insert(native, Native::new(item, slot));
            }
        }
        self.index.observations = self.index.observations.max(number);
        if let Some(item) = self.index.item_mut(item) {
            item.observations = item.observations.saturating_add(1);
        }
        self.index.set_present(native, scope, is_present);
    }

    fn know_whole(&mut self, record: ObservationRecord) {
        if record.item == 0 {
            self.adopt_later(record);
        } else {
            self.note_network(&record, true);
            self.connections.settle();
        }
    }
}
