//! How well records were brought together: pairwise precision and recall, B³, and how often too much or too little.
//!
//! Only records of one class are compared. Counting goes over groups of equal (class, truth, cluster), so that it
//! takes the time of a sort, not of all pairs.

use super::{Class, Estate};
use model::KeyType;
use model::decision::key_hash;
use std::collections::HashMap;

/// What a record really is at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Truth {
    /// Its class.
    pub class: Class,
    /// The number of the thing.
    pub truth: u64,
}

/// The truth of every record: what it showed when it was last seen.
#[derive(Debug, Default)]
pub struct Truths(pub HashMap<u64, Truth>);

impl Truths {
    /// Those of an estate.
    #[must_use]
    pub fn of(estate: &Estate) -> Self {
        let mut truths = HashMap::new();
        estate.each(|seen| {
            truths.insert(seen.record, Truth { class: seen.class, truth: seen.truth });
        });
        Self(truths)
    }

    /// Scores an assignment of records to clusters. A record without a cluster is one of its own.
    #[must_use]
    pub fn score(&self, cluster_of: impl Fn(u64) -> Option<u64>) -> Scores {
        let rows = self.0.iter().map(|(record, truth)| {
            let cluster = cluster_of(*record).map_or(Cluster::Alone(*record), Cluster::Number);
            (*truth, cluster)
        });
        score(rows)
    }

    /// Scores the records of one class only.
    #[must_use]
    pub fn score_class(&self, class: Class, cluster_of: impl Fn(u64) -> Option<u64>) -> Scores {
        let rows =
            self.0.iter().filter(|(_, truth)| truth.class == class).map(|(record, truth)| {
                let cluster = cluster_of(*record).map_or(Cluster::Alone(*record), Cluster::Number);
                (*truth, cluster)
            });
        score(rows)
    }
}

/// What the identifiers of an estate allow: records of one thing are brought together when a chain of equal keys
/// connects them, and never records of two things. No system that looks at keys alone can have a greater recall.
#[must_use]
pub fn ceiling(estate: &Estate, truths: &Truths, counts: impl Fn(KeyType) -> bool) -> Scores {
    let mut keys: HashMap<u64, Vec<u64>> = HashMap::new();
    estate.each(|seen| {
        let hashes = seen.keys().iter().filter(|key| counts(key.key_type)).map(key_hash).collect();
        keys.insert(seen.record, hashes);
    });
    let mut parents: HashMap<u64, u64> = HashMap::new();
    let mut first: HashMap<(Truth, u64), u64> = HashMap::new();
    for (record, hashes) in &keys {
        let Some(truth) = truths.0.get(record) else { continue };
        for hash in hashes {
            let other = *first.entry((*truth, *hash)).or_insert(*record);
            let (one, other) = (root(&parents, *record), root(&parents, other));
            if one != other {
                parents.insert(one, other);
            }
        }
    }
    truths.score(|record| Some(root(&parents, record)))
}

fn root(parents: &HashMap<u64, u64>, record: u64) -> u64 {
    let mut root = record;
    while let Some(parent) = parents.get(&root) {
        root = *parent;
    }
    root
}

/// Where a record was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Cluster {
    Number(u64),
    Alone(u64),
}

/// The figures of one assignment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Records.
    pub records: u64,
    /// Share of the pairs that were brought together and belong together.
    pub precision: f64,
    /// Share of the pairs that belong together and were brought together.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// The same for each record's cluster, averaged over records (Bagga and Baldwin).
    pub b3_f1: f64,
    /// Things too many in clusters: each cluster counts its things less one.
    pub over_merges: u64,
    /// Clusters too many of things: each thing counts its clusters less one.
    pub under_merges: u64,
}

const fn pairs(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

#[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn harmonic(one: f64, other: f64) -> f64 {
    if one + other > 0.0 { 2.0 * one * other / (one + other) } else { 0.0 }
}

/// Records of one class that are one thing and were put into one cluster.
struct Group {
    class: Class,
    truth: u64,
    cluster: Cluster,
    count: u64,
}

fn score(rows: impl Iterator<Item = (Truth, Cluster)>) -> Scores {
    let mut rows: Vec<(Class, u64, Cluster)> =
        rows.map(|(truth, cluster)| (truth.class, truth.truth, cluster)).collect();
    rows.sort_unstable();
    let mut groups: Vec<Group> = rows
        .chunk_by(|one, other| one == other)
        .filter_map(|same| {
            let (class, truth, cluster) = *same.first()?;
            Some(Group { class, truth, cluster, count: u64::try_from(same.len()).ok()? })
        })
        .collect();
    let right: u64 = groups.iter().map(|group| pairs(group.count)).sum();
    let of_truths = Sides::of(
        groups.chunk_by(|one, other| (one.class, one.truth) == (other.class, other.truth)),
    );
    groups.sort_unstable_by_key(|group| (group.class, group.cluster));
    let of_clusters = Sides::of(
        groups.chunk_by(|one, other| (one.class, one.cluster) == (other.class, other.cluster)),
    );
    let precision = ratio(right, of_clusters.pairs);
    let recall = ratio(right, of_truths.pairs);
    let mean = ratio(1, of_truths.records);
    Scores {
        records: of_truths.records,
        precision,
        recall,
        f1: harmonic(precision, recall),
        b3_f1: harmonic(of_clusters.squares * mean, of_truths.squares * mean),
        over_merges: of_clusters.too_many,
        under_merges: of_truths.too_many,
    }
}

/// Sums over the clusters, or over the things.
#[derive(Default)]
struct Sides {
    records: u64,
    pairs: u64,
    /// For each group of a side its share of the side, counted by its records.
    squares: f64,
    /// Groups beyond the first of each side.
    too_many: u64,
}

impl Sides {
    fn of<'a>(sides: impl Iterator<Item = &'a [Group]>) -> Self {
        let mut sums = Self::default();
        for side in sides {
            let whole: u64 = side.iter().map(|group| group.count).sum();
            sums.records += whole;
            sums.pairs += pairs(whole);
            sums.too_many += u64::try_from(side.len().saturating_sub(1)).unwrap_or(0);
            for group in side {
                sums.squares += ratio(group.count * group.count, whole);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truths(of: &[(u64, u64)]) -> Truths {
        let truth = |truth| Truth { class: Class::Host, truth };
        Truths(of.iter().map(|(record, number)| (*record, truth(*number))).collect())
    }

    fn near(is: f64, wanted: f64) {
        assert!((is - wanted).abs() < 1e-9, "{is} instead of {wanted}");
    }

    #[test]
    fn a_perfect_answer_has_full_marks() {
        let truths = truths(&[(1, 1), (2, 1), (3, 2)]);
        let scores = truths.score(|record| Some(u64::from(record < 3)));
        near(scores.f1, 1.0);
        near(scores.b3_f1, 1.0);
        assert_eq!((scores.over_merges, scores.under_merges), (0, 0));
    }

    #[test]
    fn everything_in_one_cluster_has_full_recall_and_counts_its_over_merges() {
        let truths = truths(&[(1, 1), (2, 1), (3, 2), (4, 3)]);
        let scores = truths.score(|_| Some(9));
        near(scores.recall, 1.0);
        near(scores.precision, 1.0 / 6.0);
        // B³: records of thing 1 have precision 2/4, the others 1/4.
        near(scores.b3_f1, harmonic(f64::midpoint(0.5, 0.25), 1.0));
        assert_eq!((scores.over_merges, scores.under_merges), (2, 0));
    }

    #[test]
    fn every_record_alone_has_full_precision_and_counts_its_under_merges() {
        let truths = truths(&[(1, 1), (2, 1), (3, 1)]);
        let scores = truths.score(|_| None);
        near(scores.precision, 1.0);
        near(scores.recall, 0.0);
        near(scores.b3_f1, harmonic(1.0, 1.0 / 3.0));
        assert_eq!((scores.over_merges, scores.under_merges), (0, 2));
    }

    #[test]
    fn records_of_different_classes_in_one_cluster_are_no_pair() {
        let mut truths = truths(&[(1, 1)]);
        truths.0.insert(2, Truth { class: Class::Hardware, truth: 2 });
        let scores = truths.score(|_| Some(1));
        near(scores.precision, 1.0);
        assert_eq!(scores.over_merges, 0);
    }
}
