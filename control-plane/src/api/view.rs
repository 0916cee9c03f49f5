//! What the APIs show of items, changes and the catalog: the JSON forms of REST and the event stream.
//!
//! Values are plain JSON: null means *looked, and there is none*; a moment is RFC 3339 text.

use crate::api::moment::rfc3339;
use model::catalog::IdentityRule;
use model::{
    Change, ChangeKind, ClassDefinition, Item, RelatedItem, RelationshipDefinition, SourceId,
    SourceValue, Value,
};
use serde::Serialize;
use std::collections::BTreeMap;
use store::items::ScopeState;
use utoipa::ToSchema;

/// Any JSON value.
pub type Json = serde_json::Value;

/// A value as plain JSON.
#[must_use]
pub fn json_of(value: &Value) -> Json {
    match value {
        Value::Absent => Json::Null,
        Value::Boolean(yes) => Json::Bool(*yes),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Time(at) => Json::from(rfc3339(*at)),
        Value::List(values) => values.iter().map(json_of).collect(),
        Value::Record(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), json_of(value))).collect()
        }
    }
}

/// Who says something: a collector on a target.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// The collector's name.
    pub collector: String,
    /// What it was pointed at.
    pub target: String,
}

impl From<&SourceId> for SourceView {
    fn from(source: &SourceId) -> Self {
        Self { collector: source.collector.clone(), target: source.target.clone() }
    }
}

/// One source's value of an attribute.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceValueView {
    /// The value.
    pub value: Json,
    /// Who says it.
    pub source: SourceView,
    /// Since when it is so.
    pub since: String,
    /// When a look last confirmed it.
    pub confirmed_at: String,
    /// How much the source is believed, from 0 to 100.
    pub confidence: u8,
}

impl From<&SourceValue> for SourceValueView {
    fn from(said: &SourceValue) -> Self {
        Self {
            value: json_of(&said.value),
            source: (&said.provenance.source).into(),
            since: rfc3339(said.provenance.since),
            confirmed_at: rfc3339(said.provenance.confirmed_at),
            confidence: said.provenance.confidence,
        }
    }
}

/// A configuration item.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemView {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: String,
    /// What a person calls it.
    pub title: String,
    /// The item that it is a part of.
    pub parent_id: Option<String>,
    /// `active`, `missing`, `stale` or `retired`.
    pub state: &'static str,
    /// When it was first observed.
    pub first_seen: String,
    /// When it was last observed.
    pub last_seen: String,
    /// The change set that last changed it.
    pub revision: u64,
    /// The winning value first, the values of other sources behind it. A missing name was not looked at.
    pub attributes: BTreeMap<String, Vec<SourceValueView>>,
}

impl From<&Item> for ItemView {
    fn from(item: &Item) -> Self {
        Self {
            id: item.id.to_string(),
            class: item.class.to_string(),
            title: item.title.clone(),
            parent_id: item.parent.map(|id| id.to_string()),
            state: item.state.name(),
            first_seen: rfc3339(item.first_seen),
            last_seen: rfc3339(item.last_seen),
            revision: item.revision.0,
            attributes: item
                .attributes
                .iter()
                .map(|(name, said)| (name.to_string(), said.iter().map(Into::into).collect()))
                .collect(),
        }
    }
}

/// A relationship, as seen from one of its ends.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationView {
    /// The relationship's name.
    pub verb: String,
    /// Whether the item that was asked about is the first end.
    pub outgoing: bool,
    /// The item at the other end.
    pub item_id: String,
    /// Its class.
    pub class: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: &'static str,
    /// Who says it; for a derived relationship, the rule.
    pub source: SourceView,
    /// Since when.
    pub since: String,
    /// What supports it, in words.
    pub evidence: String,
}

impl From<&RelatedItem> for RelationView {
    fn from(related: &RelatedItem) -> Self {
        Self {
            verb: related.verb.to_string(),
            outgoing: related.outgoing,
            item_id: related.item.to_string(),
            class: related.class.to_string(),
            title: related.title.clone(),
            state: related.state.name(),
            source: (&related.source).into(),
            since: rfc3339(related.since),
            evidence: related.evidence.clone(),
        }
    }
}

/// One line of history.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// The change set.
    pub revision: u64,
    /// Its place in the change set.
    pub index: u32,
    /// The item.
    pub item_id: String,
    /// The item's class.
    pub class: String,
    /// The item's title at that time.
    pub title: String,
    /// When it was observed, by the source's clock.
    pub observed_at: String,
    /// When it was committed, by the control plane's clock.
    pub recorded_at: String,
    /// Who says it.
    pub source: SourceView,
    /// `created`, `attribute_changed`, `related`, `unrelated` or `state_changed`.
    pub kind: &'static str,
    /// The attribute, the relationship, or empty.
    pub name: String,
    /// What was before; missing when nothing was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// What is now; missing when nobody says it any longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
    /// The other end of a relationship.
    pub other_id: Option<String>,
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> Self {
        let parts = ChangeParts::of(&change.what);
        Self {
            revision: change.revision.0,
            index: change.index,
            item_id: change.item.to_string(),
            class: change.class.to_string(),
            title: change.title.clone(),
            observed_at: rfc3339(change.observed_at),
            recorded_at: rfc3339(change.recorded_at),
            source: (&change.source).into(),
            kind: change.what.name(),
            name: parts.name,
            before: parts.before.as_ref().map(json_of),
            after: parts.after.as_ref().map(json_of),
            other_id: parts.other.map(|id| id.to_string()),
        }
    }
}

/// What happened, in the columns that all APIs have for it.
#[derive(Debug, Default)]
pub struct ChangeParts {
    /// The attribute, the relationship, or empty.
    pub name: String,
    /// What was before.
    pub before: Option<Value>,
    /// What is now.
    pub after: Option<Value>,
    /// The other end of a relationship.
    pub other: Option<model::ItemId>,
}

impl ChangeParts {
    /// The columns of a change.
    #[must_use]
    pub fn of(what: &ChangeKind) -> Self {
        match what {
            ChangeKind::Created => Self::default(),
            ChangeKind::AttributeChanged { attribute, before, after } => Self {
                name: attribute.to_string(),
                before: before.clone(),
                after: after.clone(),
                other: None,
            },
            ChangeKind::Related { verb, other } | ChangeKind::Unrelated { verb, other } => {
                Self { name: verb.to_string(), other: Some(*other), ..Self::default() }
            }
            ChangeKind::Merged { other } | ChangeKind::Split { other } => {
                Self { other: Some(*other), ..Self::default() }
            }
            ChangeKind::StateChanged { before, after } => Self {
                name: String::new(),
                before: Some(Value::Text(before.to_string())),
                after: Some(Value::Text(after.to_string())),
                other: None,
            },
        }
    }
}

/// How completely a scope was seen.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScopeView {
    /// Who looks.
    pub source: SourceView,
    /// The scope.
    pub scope: String,
    /// `complete`, `partial` or `not_looked_at`.
    pub status: &'static str,
    /// Why not completely; empty when complete.
    pub reason: &'static str,
    /// A sentence: which right, file or limit, and what would mend it.
    pub detail: String,
    /// The last look.
    pub looked_at: String,
    /// The last complete look.
    pub complete_at: Option<String>,
    /// How many things it holds.
    pub seen_count: u64,
    /// The agent that carried it.
    pub agent_id: String,
}

impl From<&ScopeState> for ScopeView {
    fn from(scope: &ScopeState) -> Self {
        Self {
            source: (&scope.source).into(),
            scope: scope.scope.to_string(),
            status: scope.coverage.status.name(),
            reason: scope.coverage.reason.name(),
            detail: scope.coverage.detail.clone(),
            looked_at: rfc3339(scope.looked_at),
            complete_at: scope.complete_at.map(rfc3339),
            seen_count: scope.seen_count,
            agent_id: scope.agent.to_string(),
        }
    }
}

/// An attribute of a class.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttributeView {
    /// Its name.
    pub name: String,
    /// What a person reads in a heading.
    pub label: String,
    /// One or more sentences.
    pub doc: String,
    /// The form of its values.
    pub kind: &'static str,
    /// What its numbers count; empty for none.
    pub unit: &'static str,
    /// `fact` or `reading`.
    pub nature: &'static str,
}

/// A class of configuration items.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClassView {
    /// Its name.
    pub name: String,
    /// What a person calls one of them.
    pub label: String,
    /// What a person calls several.
    pub plural: String,
    /// One or more sentences.
    pub doc: String,
    /// Where the console shows it.
    pub group: &'static str,
    /// Name of an icon.
    pub icon: String,
    /// The attribute that names an item to a person.
    pub title: String,
    /// Whether its items live and die with the item that contains them.
    pub is_part: bool,
    /// Identity keys, strongest first; for parts, the attributes that tell them apart.
    pub identity: Vec<String>,
    /// The attributes, in reading order.
    pub attributes: Vec<AttributeView>,
}

impl From<&ClassDefinition> for ClassView {
    fn from(class: &ClassDefinition) -> Self {
        let identity = match &class.identity {
            IdentityRule::Keys(keys) => keys.iter().map(|key| key.name().to_owned()).collect(),
            IdentityRule::Within(names) => names.iter().map(ToString::to_string).collect(),
        };
        let attributes = class.attributes.iter().map(|attribute| AttributeView {
            name: attribute.name.to_string(),
            label: attribute.label.to_string(),
            doc: attribute.doc.to_string(),
            kind: attribute.kind.name(),
            unit: attribute.unit.name(),
            nature: attribute.nature.name(),
        });
        Self {
            name: class.name.to_string(),
            label: class.label.to_string(),
            plural: class.plural.to_string(),
            doc: class.doc.to_string(),
            group: class.group.name(),
            icon: class.icon.to_string(),
            title: class.title.to_string(),
            is_part: class.is_part(),
            identity,
            attributes: attributes.collect(),
        }
    }
}

/// A relationship that items can have.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelationshipView {
    /// Its name, read from the first end.
    pub name: &'static str,
    /// Its name, read from the second end.
    pub inverse: &'static str,
    /// A sentence.
    pub doc: &'static str,
    /// Classes of the first end; `*` is every class.
    pub from: Vec<&'static str>,
    /// Classes of the second end; `*` is every class.
    pub to: Vec<&'static str>,
    /// How many items may stand at an end.
    pub cardinality: &'static str,
    /// Where a failure travels.
    pub failure: &'static str,
    /// Whether the end that a failure travels to outlives some: `alone` (no), `stated` (as many as it says) or
    /// `any_one` (as long as one is left).
    pub redundancy: &'static str,
    /// Whether a rule derives it from facts.
    pub is_derived: bool,
}

impl From<&'static RelationshipDefinition> for RelationshipView {
    fn from(relationship: &'static RelationshipDefinition) -> Self {
        Self {
            name: relationship.name,
            inverse: relationship.inverse,
            doc: relationship.doc.trim(),
            from: relationship.from.to_vec(),
            to: relationship.to.to_vec(),
            cardinality: relationship.cardinality.name(),
            failure: relationship.failure.name(),
            redundancy: relationship.redundancy.name(),
            is_derived: relationship.is_derived,
        }
    }
}
