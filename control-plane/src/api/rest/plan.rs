//! What other rules would change of the winning values, as a plan shows it.

use super::findings::NamedItemView;
use crate::api::view::{Json, json_of};
use crate::identity::Planned;
use serde::Serialize;
use utoipa::ToSchema;

/// A winning value that other rules would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedValueView {
    /// The item.
    pub item: NamedItemView,
    /// The attribute.
    pub attribute: String,
    /// What wins now; missing when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// What would win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
}

impl ChangedValueView {
    /// The ones that a plan lists.
    #[must_use]
    pub fn of(planned: &Planned) -> Vec<Self> {
        let changed = planned.values.listed.iter().filter_map(|changed| {
            Some(Self {
                item: planned.items.get(&changed.item)?.into(),
                attribute: changed.attribute.to_string(),
                before: changed.before.as_ref().map(json_of),
                after: changed.after.as_ref().map(json_of),
            })
        });
        changed.collect()
    }
}
