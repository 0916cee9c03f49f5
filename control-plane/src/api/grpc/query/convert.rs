//! Items and changes as gRPC messages.

use crate::api::view::ChangeParts;
use proto::convert::value_to;
use proto::v1;

pub(super) fn item_to(item: &model::Item) -> v1::Item {
    let attributes = item.attributes.iter().map(|(name, said)| v1::ItemAttribute {
        name: name.to_string(),
        values: said
            .iter()
            .map(|said| v1::SourceValue {
                value: Some(value_to(&said.value)),
                collector: said.provenance.source.collector.clone(),
                target: said.provenance.source.target.clone(),
                since: said.provenance.since.millis(),
                confirmed_at: said.provenance.confirmed_at.millis(),
                confidence: u32::from(said.provenance.confidence),
            })
            .collect(),
    });
    v1::Item {
        id: item.id.to_string(),
        class: item.class.to_string(),
        title: item.title.clone(),
        parent_id: item.parent.map(|id| id.to_string()).unwrap_or_default(),
        state: item.state.name().to_owned(),
        first_seen: item.first_seen.millis(),
        last_seen: item.last_seen.millis(),
        revision: item.revision.0,
        attributes: attributes.collect(),
    }
}

pub(super) fn change_to(change: &model::Change) -> v1::Change {
    let parts = ChangeParts::of(&change.what);
    v1::Change {
        revision: change.revision.0,
        index: change.index,
        item_id: change.item.to_string(),
        class: change.class.to_string(),
        title: change.title.clone(),
        observed_at: change.observed_at.millis(),
        recorded_at: change.recorded_at.millis(),
        collector: change.source.collector.clone(),
        target: change.source.target.clone(),
        kind: change.what.name().to_owned(),
        name: parts.name,
        before: parts.before.as_ref().map(value_to),
        after: parts.after.as_ref().map(value_to),
        other_id: parts.other.map(|id| id.to_string()).unwrap_or_default(),
    }
}
