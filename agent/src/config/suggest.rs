//! Says what was probably meant by a misspelled key.

/// Differences up to which a word counts as a misspelling.
const DISTANCE_MAX: usize = 3;

/// What is wrong with the file, with its line and, for an unknown key, the nearest known one.
pub(super) fn explain(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    let message = error.message();
    let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    // serde names the unknown key first and the known ones after it, each between backticks.
    let mut quoted = message.split('`').skip(1).step_by(2);
    let hint = message
        .starts_with("unknown field")
        .then(|| quoted.next().and_then(|unknown| nearest(unknown, quoted)))
        .flatten()
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    format!("{place}{message}{hint}")
}

/// The nearest of some names, when it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (distance(word, name), name))
        .min()
        .filter(|(distance, _)| *distance <= DISTANCE_MAX)
        .map(|(_, name)| name)
}

/// How many letters have to be added, removed, replaced or swapped with their neighbor, at most.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(index + 1);
        for ((known, above_left), above) in other.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(0);
            let replaced = above_left + usize::from(*known != letter);
            next.push(replaced.min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_without_likeness_suggests_nothing() {
        assert_eq!(nearest("zzzzzzzz", ["server", "root"].into_iter()), None);
        assert_eq!(nearest("sevrer", ["server", "root"].into_iter()), Some("server"));
    }
}
