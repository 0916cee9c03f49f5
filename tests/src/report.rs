//! The one form in which benchmarks report: one JSON object, medians of several runs with their spread.
#![expect(clippy::print_stdout, reason = "a benchmark's report is its output")]

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The figures of one benchmark, gathered run by run.
#[derive(Debug, Default)]
pub struct Report {
    bench: String,
    figures: BTreeMap<String, Vec<f64>>,
    peers: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    missing_peers: Vec<String>,
}

/// The median of some figures; the mean of the middle two when their number is even.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some((sorted.get(middle - 1)? + upper) / 2.0)
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(bench: &str) -> Self {
        Self { bench: bench.to_owned(), ..Self::default() }
    }

    /// Adds the figure of one run.
    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.entry(name.to_owned()).or_default().push(value);
    }

    /// Adds a peer's figure of one run.
    pub fn peer(&mut self, peer: &str, name: &str, value: f64) {
        self.peers
            .entry(peer.to_owned())
            .or_default()
            .entry(name.to_owned())
            .or_default()
            .push(value);
    }

    /// Says that a peer is not on this machine.
    pub fn missing(&mut self, peer: &str) {
        self.missing_peers.push(peer.to_owned());
    }

    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let medians = |figures: &BTreeMap<String, Vec<f64>>| -> Map<String, Value> {
            figures
                .iter()
                .filter_map(|(name, values)| Some((name.clone(), json!(rounded(median(values)?)))))
                .collect()
        };
        let spread: Map<String, Value> = self
            .figures
            .iter()
            .map(|(name, values)| {
                let low = values.iter().copied().fold(f64::INFINITY, f64::min);
                let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                (name.clone(), json!([rounded(low), rounded(high)]))
            })
            .collect();
        json!({
            "bench": self.bench,
            "figures": medians(&self.figures),
            "peers": self.peers.iter().map(|(peer, figures)| (peer.clone(), Value::Object(medians(figures)))).collect::<Map<_, _>>(),
            "missing_peers": self.missing_peers,
            "runs": self.figures.values().map(Vec::len).max().unwrap_or(0),
            "spread": spread,
            "command": format!("cargo xtask bench {} --json", self.bench),
            "machine": machine(),
        })
    }

    /// Prints the report: a table for people, and last the JSON on one line when it is asked for.
    pub fn print(&self, as_json: bool) {
        let report = self.to_json();
        if as_json {
            println!("{report}");
            return;
        }
        println!("{}", serde_json::to_string_pretty(&report).unwrap_or_default());
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// The machine, as far as it matters for a figure.
#[must_use]
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or("unknown processor");
    format!("{cores} cores, {model}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_peer_that_is_missing_is_named_and_has_no_figures() {
        let mut report = Report::new("example");
        report.figure("cpu_s", 1.0);
        report.missing("lshw");
        let json = report.to_json();
        assert_eq!(json["missing_peers"], json!(["lshw"]));
        assert_eq!(json["peers"], json!({}));
    }
}
