//! The relationships between listed groups, counted in one pass over all of them.

use super::Link;
use super::keys::NOWHERE;
use crate::Graph;
use crate::graph::{CARRIES, SUFFERS};
use crate::place;
use model::Name;

/// What the relationships of an estate come to.
pub(super) struct Linked {
    /// By how many relationships, most first.
    pub(super) links: Vec<Link>,
    /// Relationships within each group.
    pub(super) inner: Vec<u64>,
    /// Relationships with one end in no listed group.
    pub(super) outside: u64,
}

/// The relationships from one group to another.
#[derive(Clone, Copy, Default)]
struct Cell {
    count: u32,
    dependencies: u32,
    troubled: u32,
}

fn add(number: &mut u32, is_one: bool) {
    *number = number.saturating_add(u32::from(is_one));
}

pub(super) fn count(graph: &Graph, group_of: &[u32], groups: usize, verbs: &[Name]) -> Linked {
    let kinds = graph.kinds(verbs);
    let mut cells = vec![Cell::default(); groups.saturating_mul(groups)];
    let mut outside = 0_u64;
    for (item, own) in (0..graph.numbers_end()).zip(group_of) {
        let is_active = graph.is_active(item);
        for relation in graph.relations(item).iter().filter(|relation| relation.is_outgoing()) {
            if let Some(kinds) = &kinds
                && !kinds.get(place(relation.kind())).copied().unwrap_or(false)
            {
                continue;
            }
            let other = relation.other();
            let far = group_of.get(place(other)).copied().unwrap_or(NOWHERE);
            if *own == NOWHERE || far == NOWHERE {
                let is_seen = !graph.hidden.contains(item) && !graph.hidden.contains(other);
                let is_half = is_seen && *own != far;
                outside = outside.saturating_add(u64::from(is_half));
                continue;
            }
            let flags = graph.flags(*relation);
            // The one that suffers comes first.
            let (from, to) = if flags & CARRIES == 0 { (*own, far) } else { (far, *own) };
            let at = place(from).saturating_mul(groups).saturating_add(place(to));
            let Some(cell) = cells.get_mut(at) else { continue };
            cell.count = cell.count.saturating_add(1);
            add(&mut cell.dependencies, flags & (CARRIES | SUFFERS) != 0);
            add(&mut cell.troubled, !is_active || !graph.is_active(other));
        }
    }
    sorted(&cells, groups, outside)
}

fn sorted(cells: &[Cell], groups: usize, outside: u64) -> Linked {
    let mut inner = vec![0_u64; groups];
    let mut links = Vec::new();
    for (from, row) in cells.chunks(groups.max(1)).enumerate() {
        for (to, cell) in row.iter().enumerate().filter(|(_, cell)| cell.count > 0) {
            let count = u64::from(cell.count);
            if from == to {
                if let Some(inner) = inner.get_mut(from) {
                    *inner = count;
                }
                continue;
            }
            links.push(Link {
                from,
                to,
                count,
                dependencies_count: u64::from(cell.dependencies),
                troubled_count: u64::from(cell.troubled),
            });
        }
    }
    links.sort_by_key(|link| (std::cmp::Reverse(link.count), link.from, link.to));
    Linked { links, inner, outside }
}
