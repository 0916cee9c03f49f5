//! Which items are connected with each other, however far away.

use crate::Graph;
use crate::place;
use model::decision::Number;

/// The oldest item that each item is connected with: itself when it is the oldest.
pub(super) fn oldest(graph: &Graph) -> Vec<Number> {
    let mut above: Vec<Number> = (0..graph.numbers_end()).collect();
    for item in (1..graph.numbers_end()).filter(|item| !graph.hidden.contains(*item)) {
        let mut own = top(&mut above, item);
        for relation in graph.relations(item) {
            if !relation.is_outgoing() || graph.hidden.contains(relation.other()) {
                continue;
            }
            let other = top(&mut above, relation.other());
            // The older one goes on top, so that the answer does not depend on the order of the relationships.
            let (older, newer) = (own.min(other), own.max(other));
            if let Some(held) = above.get_mut(place(newer)) {
                *held = older;
            }
            own = older;
        }
    }
    (0..graph.numbers_end()).map(|item| top(&mut above, item)).collect()
}

/// The item at the top, halving the way there for the next time.
fn top(above: &mut [Number], item: Number) -> Number {
    let mut item = item;
    loop {
        let next = above.get(place(item)).copied().unwrap_or(item);
        if next == item {
            return item;
        }
        let over = above.get(place(next)).copied().unwrap_or(next);
        if let Some(held) = above.get_mut(place(item)) {
            *held = over;
        }
        item = over;
    }
}
