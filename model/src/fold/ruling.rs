//! What people and the flap guard say of an item beside its sources.

use crate::policy::Policy;
use crate::{Name, Provenance, SourceId, SourceValue, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// The collector's name under which a person's word stands in provenance.
pub const PERSON: &str = "user";

/// The trust in a lock: above every source.
pub(super) const LOCK_TRUST: u8 = 100;

/// A value that a person fixed for a time: until then it wins, whatever sources say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// The attribute.
    pub attribute: Name,
    /// The value; [`Value::Absent`] when the person says that there is none.
    pub value: Value,
    /// When it was said.
    pub since: Timestamp,
    /// When it ends; a policy may end it before.
    pub until: Timestamp,
    /// Who said it.
    pub said_by: String,
}

impl Lock {
    /// When it ends under this policy.
    #[must_use]
    pub fn ends_at(&self, policy: &Policy) -> Timestamp {
        self.until.min(self.since.plus(policy.lock_max))
    }

    /// The same, holding on: for who ends locks at their time by a clock, and takes away what has ended.
    #[must_use]
    pub fn held(self) -> Self {
        Self { until: Timestamp::from_millis(i64::MAX), ..self }
    }

    /// As it stands in the provenance.
    pub(super) fn said(&self) -> SourceValue {
        let source = SourceId { collector: PERSON.into(), target: self.said_by.clone() };
        let (since, confirmed_at, confidence) = (self.since, self.since, LOCK_TRUST);
        let provenance = Provenance { source, since, confirmed_at, confidence };
        SourceValue { value: self.value.clone(), provenance }
    }
}

/// What is said of an item beside the statements of its sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rulings<'a> {
    /// Locks, in any order. An expired one has no say; of several for one attribute the newest wins.
    pub locks: &'a [Lock],
    /// Attributes that flap ([`super::flap`]): the more trusted source wins, and neither freshness nor agreement count.
    pub frozen: &'a [Name],
}

impl Rulings<'_> {
    /// Nothing.
    pub const NONE: Rulings<'static> = Rulings { locks: &[], frozen: &[] };

    /// Whether nothing is said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.locks.is_empty() && self.frozen.is_empty()
    }
}
