//! Files of own classes that are nonsense, or good ones that were damaged: taken whole or refused with a few short
//! problems, and never a panic.

use model::Catalog;
use model::custom::{self, CLASSES_MAX};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::LazyLock;

/// The most that is said about one file, in letters of four bytes, whatever the file holds.
const SAID_BYTES_MAX: usize = 100 * 1024;

/// The files of the unit tests, and a class that is part of another item.
const GOOD: &str = concat!(
    include_str!("../../src/custom/testdata/class.toml"),
    include_str!("../../src/custom/testdata/attribute.toml"),
    r#"
[[class]]
name = "x_outlet"
label = "Outlet"
plural = "Outlets"
doc = "One outlet of a strip."
title = "number"
within = ["number"]

[[class.attribute]]
name = "number"
label = "Number"
doc = "Its place on the strip."
kind = "integer"
"#
);

/// The catalog without own classes and its lines; made once, because a long run has ten thousands of cases.
static BUILT_IN: LazyLock<(Catalog, Vec<String>)> = LazyLock::new(|| {
    let catalog = Catalog::built_in();
    let lines = catalog.lock_lines();
    (catalog, lines)
});

/// Holds one file against what is promised of every file.
fn hold(text: &str) -> Result<(), TestCaseError> {
    let (catalog, before) = &*BUILT_IN;
    let mut catalog = catalog.clone();
    match custom::extend(&mut catalog, text) {
        Ok(added) => {
            let after = catalog.lock_lines();
            prop_assert!(added.classes <= CLASSES_MAX);
            prop_assert!(before.iter().all(|line| after.contains(line)), "something is gone");
            prop_assert_eq!(added.classes + added.attributes > 0, after.len() > before.len());
        }
        Err(invalid) => {
            prop_assert_eq!(&catalog.lock_lines(), before, "a refused file changes nothing");
            let lines = text.lines().count() + 1;
            prop_assert!(!invalid.problems.is_empty() && invalid.problems.len() <= 20);
            prop_assert!(invalid.problems.iter().all(|one| (1..=lines).contains(&one.line)));
            prop_assert!(invalid.problems.is_sorted());
            let said = invalid.to_string().len();
            prop_assert!(said <= SAID_BYTES_MAX, "{} bytes", said);
        }
    }
    Ok(())
}

#[test]
fn a_file_that_is_one_long_mistake_is_refused_in_a_few_words() {
    let long = "x".repeat(200_000);
    for text in [
        GOOD.replace("\"watts\"", &format!("\"{long}\"")),
        GOOD.replace("\"x_outlet\"", &format!("\"{long}\"")),
        GOOD.replace("nature =", &format!("{long} =")),
        GOOD.replace("class = \"host\"", &format!("class = \"{long}\"")),
        GOOD.replace("[\"number\"]", &format!("[{}]", "\"no\", ".repeat(50_000))),
        "[[attribute]]\nclass=\"\"\nname=\"\"\nlabel=\"\"\ndoc=\"\"\nkind=\"\"\n".repeat(15_000),
        "[".repeat(500_000),
        format!("a = {}", "[".repeat(500_000)),
        format!("a = {}", "{a=".repeat(200_000)),
    ] {
        let refused = custom::extend(&mut Catalog::built_in(), &text);
        assert!(refused.is_err(), "{}", text.chars().take(80).collect::<String>());
        hold(&text).unwrap();
    }
}

#[test]
fn the_file_that_is_damaged_below_is_good() {
    let added = custom::extend(&mut Catalog::built_in(), GOOD).unwrap();
    assert_eq!((added.classes, added.attributes), (2, 1));
}

/// Pieces that change the meaning of a file.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("[[class]]\n".to_owned()),
        Just("[[class.attribute]]\n".to_owned()),
        Just("[[attribute]]\n".to_owned()),
        Just("[class]\n".to_owned()),
        "(name|label|plural|doc|title|kind|unit|nature|keys|within|icon|class) = ",
        "\"(host|package|text|count|record_list|reading|fact|watts|x_a|number|label)\"\n?",
        "\\[(\"number\"|\"user_key\"|,|1| ){0,4}\\]\n?",
        "-?[0-9]{1,25}\n?",
        "(\"|'|\"\"\"|#|\\\\|=|\\.|\\{|\\}|\\[|\\]|\n|\r|\u{0}|\u{202e}|é)",
        "\\PC{0,12}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_no_file_or_a_good_one(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        hold(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_pieces_are_taken_whole_or_refused(pieces in proptest::collection::vec(piece(), 0..30)) {
        hold(&pieces.concat())?;
    }

    #[test]
    fn a_damaged_file_is_taken_whole_or_refused(
        damages in proptest::collection::vec((any::<Index>(), 0_usize..30, piece()), 1..5)
    ) {
        let mut letters: Vec<char> = GOOD.chars().collect();
        for (place, removed, inserted) in damages {
            let begin = place.index(letters.len());
            let end = begin.saturating_add(removed).min(letters.len());
            letters.splice(begin..end, inserted.chars());
            // Nothing may be left to cut.
            letters.push('\n');
        }
        hold(&letters.into_iter().collect::<String>())?;
    }

    #[test]
    fn repeated_and_exchanged_lines_are_taken_whole_or_refused(
        order in proptest::collection::vec(any::<Index>(), 0..60)
    ) {
        let lines: Vec<&str> = GOOD.lines().collect();
        let text: Vec<&str> = order.iter().map(|place| *place.get(&lines)).collect();
        hold(&text.join("\n"))?;
    }
}
