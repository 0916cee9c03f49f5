//! What lay around an item at a past moment: the same answer as for now, read from history.

use super::{AROUND_DEPTH_MAX, AROUND_MAX, FOLD_MAX, GraphError, within};
use super::{GraphRelation, Neighborhood, Surroundings};
use model::query::At;
use model::{ItemId, Timestamp};
use store::history::{self, History};
use topology::{Around, Bundle};

/// What lay around an item then.
///
/// # Errors
/// When the item was not there, a limit is exceeded, or history does not reach back that far.
pub async fn neighborhood_at(
    history: &dyn History,
    item: ItemId,
    around: Around,
    then: Timestamp,
) -> Result<Neighborhood, GraphError> {
    within("depth", around.depth, (1, AROUND_DEPTH_MAX))?;
    within("limit", around.items, (1, AROUND_MAX))?;
    within("fold", around.fold, (1, FOLD_MAX))?;
    let Around { depth, items, fold, verbs } = around;
    let at = At::Time(then);
    let asked = history::Around { id: item, verbs, depth, items, fold, at };
    let found = history.neighborhood(&asked).await?;
    let found = found.ok_or(GraphError::NotFound { id: item.to_string() })?;
    let bundles = found.bundles.into_iter().map(|bundle| {
        let history::NeighborBundle { id, verb, outgoing, class, count, troubled_count } = bundle;
        // The graph's own number says nothing here: who reads it goes by the id.
        (id, Bundle { item: 0, verb, is_outgoing: outgoing, class, count, troubled_count })
    });
    let relations = found.relations.into_iter().map(|relation| {
        let history::NeighborRelation { from, verb, to } = relation;
        GraphRelation { from, verb, to }
    });
    Ok(Neighborhood {
        item: found.middle,
        found: Surroundings {
            items: found.items.iter().map(|(item, depth)| (item.id, *depth)).collect(),
            count: found.count,
            bundles: bundles.collect(),
            relations: relations.collect(),
        },
        names: found.items.into_iter().map(|(item, _)| (item.id, item)).collect(),
        at,
    })
}
