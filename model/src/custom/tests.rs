//! What is taken from a file of own classes, and what is said about the rest.

use super::*;
use crate::Value;

const CLASS: &str = include_str!("testdata/class.toml");

const ATTRIBUTE: &str = include_str!("testdata/attribute.toml");

fn problems(text: &str) -> Vec<Problem> {
    let mut catalog = Catalog::built_in();
    let before = catalog.lock_lines();
    let invalid = extend(&mut catalog, text).unwrap_err();
    assert_eq!(catalog.lock_lines(), before, "a refused file changes nothing");
    assert!(!invalid.problems.is_empty());
    invalid.problems
}

/// The problem that arises when `from` is replaced in a good file.
fn problem(from: &str, to: &str) -> Problem {
    let good = format!("{CLASS}{ATTRIBUTE}");
    assert!(good.contains(from), "{from}");
    let problems = problems(&good.replacen(from, to, 1));
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    let problem = &problems("[[class]]\nname = power\n")[0];
    assert_eq!(problem.line, 2, "{problem}");
}

#[test]
fn a_misspelt_field_and_a_missing_one_are_refused_with_the_line() {
    let misspelt = problem("keys =", "key =");
    assert_eq!(misspelt.line, 8, "{misspelt}");
    assert!(misspelt.text.contains("key"), "{misspelt}");
    let missing = problem("plural = \"Power strips\"\n", "");
    assert!(missing.text.contains("plural"), "{missing}");
}

#[test]
fn what_is_built_in_cannot_be_declared_again() {
    let class = problem("name = \"power_strip\"", "name = \"host\"");
    assert_eq!(class.line, 3);
    assert!(class.text.contains("built in"), "{class}");
    let attribute = problem("name = \"cost_center\"", "name = \"fqdn\"");
    assert!(attribute.text.contains("has an attribute `fqdn` already"), "{attribute}");
}

#[test]
fn what_is_declared_twice_is_refused() {
    let twice = problems(&format!("{CLASS}{CLASS}"));
    assert!(twice[0].text.contains("declared above"), "{twice:?}");
    let attribute = problem("name = \"load_watts\"", "name = \"label\"");
    assert!(attribute.text.contains("declared twice"), "{attribute}");
    let twice = problems(&format!("{ATTRIBUTE}{ATTRIBUTE}"));
    assert!(twice[0].text.contains("already"), "{twice:?}");
}

#[test]
fn names_of_another_form_and_reserved_names_are_refused() {
    for name in ["Power", "9strip", "power-strip", "power__strip", "power_", "", "straße"] {
        assert!(
            problem("name = \"power_strip\"", &format!("name = \"{name}\""))
                .text
                .contains("no name"),
            "{name}"
        );
    }
    for name in ["id", "class", "state"] {
        let problem = problem("name = \"cost_center\"", &format!("name = \"{name}\""));
        assert!(problem.text.contains("reserved"), "{problem}");
    }
    let long = "a".repeat(65);
    assert!(
        problem("name = \"cost_center\"", &format!("name = \"{long}\"")).text.contains("too long")
    );
}

#[test]
fn labels_and_sentences_are_short_lines_that_can_be_seen() {
    assert!(problem("label = \"Load\"", "label = \" \"").text.contains("empty"));
    assert!(problem("label = \"Load\"", "label = \"a\\u202Eb\"").text.contains("not shown"));
    assert!(
        problem("label = \"Load\"", &format!("label = \"{}\"", "a".repeat(61)))
            .text
            .contains("too long")
    );
    assert!(problem("doc = \"Who pays for it.\"", "doc = \"payer\"").text.contains("full stop"));
}

#[test]
fn unknown_kinds_units_natures_and_keys_are_refused_with_what_is_known() {
    assert!(problem("kind = \"count\"", "kind = \"number\"").text.contains("record_list"));
    assert!(problem("unit = \"watts\"", "unit = \"furlongs\"").text.contains("no unit"));
    assert!(problem("nature = \"reading\"", "nature = \"guess\"").text.contains("fact or reading"));
    assert!(problem("\"chassis_serial\"", "\"shoe_size\"").text.contains("mac_address"));
    let unit_of_text = problem(
        "doc = \"Who pays for it.\"\nkind = \"text\"",
        "doc = \"Who pays for it.\"\nkind = \"text\"\nunit = \"bytes\"",
    );
    assert!(unit_of_text.text.contains("only numbers"), "{unit_of_text}");
}

#[test]
fn identity_and_title_must_be_made_of_what_is_declared() {
    assert!(problem("title = \"label\"", "title = \"name\"").text.contains("title `name`"));
    assert!(
        problem("keys = [\"chassis_serial\", \"user_key\"]", "keys = []")
            .text
            .contains("at least one")
    );
    let keys = "keys = [\"chassis_serial\", \"user_key\"]";
    assert!(problem(keys, "within = [\"slot\"]").text.contains("none of the class's attributes"));
    assert!(problem(keys, "within = [\"load_watts\"]").text.contains("only facts"));
    assert!(problem(keys, "within = []").text.contains("at least one"));
    assert!(problem(keys, &format!("{keys}\nwithin = [\"label\"]")).text.contains("keep one"));
}

#[test]
fn an_attribute_for_a_class_that_is_nowhere_is_refused() {
    assert!(problem("class = \"host\"", "class = \"hots\"").text.contains("no class `hots`"));
}

#[test]
fn all_problems_are_reported_in_order_up_to_a_limit() {
    let bad = ATTRIBUTE.replace("text", "number");
    let found = problems(&bad.repeat(30));
    assert_eq!(found.len(), PROBLEMS_MAX);
    assert!(found.is_sorted());
    assert_eq!(found[0].line, 7);
}

#[test]
fn the_limits_of_the_file_are_held() {
    let comment = format!("# {}", "x".repeat(FILE_BYTES_MAX));
    assert!(problems(&comment)[0].text.contains("bytes"));
    let classes: String = (0..=CLASSES_MAX)
        .map(|index| CLASS.replace("power_strip", &format!("strip{index}")))
        .collect();
    assert!(problems(&classes)[0].text.contains("201 classes"));
    let attributes: String = (0..ATTRIBUTES_MAX)
        .map(|index| ATTRIBUTE.replace("cost_center", &format!("cost{index}")))
        .collect();
    assert!(problems(&attributes)[0].text.contains("more than 256"));
}

#[test]
fn a_class_of_ones_own_is_like_a_built_in_one() {
    let mut catalog = Catalog::built_in();
    let added = extend(&mut catalog, &format!("{CLASS}{ATTRIBUTE}")).unwrap();
    assert_eq!(added, Added { classes: 1, attributes: 1 });
    let class = catalog.class("power_strip").unwrap();
    assert_eq!(class.group, Group::Custom);
    assert_eq!(class.icon, DEFAULT_ICON);
    assert_eq!(class.identity, IdentityRule::Keys(vec![KeyType::ChassisSerial, KeyType::UserKey]));
    let load = class.attribute("load_watts").unwrap();
    assert_eq!((load.kind, load.unit, load.nature), (Kind::Count, Unit::Watts, Nature::Reading));
    assert!(catalog.check("power_strip", "load_watts", &Value::Text("much".into())).is_err());
    assert!(catalog.check("host", "cost_center", &Value::Text("4711".into())).is_ok());
    assert!(catalog.check("host", "cost_center", &Value::Integer(4711)).is_err());
}

#[test]
fn a_class_without_identity_is_told_apart_by_the_key_that_its_source_gives() {
    let mut catalog = Catalog::built_in();
    extend(&mut catalog, &CLASS.replace("keys = [\"chassis_serial\", \"user_key\"]\n", ""))
        .unwrap();
    let identity = &catalog.class("power_strip").unwrap().identity;
    assert_eq!(*identity, IdentityRule::Keys(vec![KeyType::UserKey]));
}

#[test]
fn a_part_of_another_item_lives_and_dies_with_it() {
    let mut catalog = Catalog::built_in();
    let text = CLASS.replace("keys = [\"chassis_serial\", \"user_key\"]", "within = [\"label\"]");
    extend(&mut catalog, &text).unwrap();
    let class = catalog.class("power_strip").unwrap();
    assert!(class.is_part());
    assert_eq!(class.life, Life::PART);
}

#[test]
fn an_empty_file_adds_nothing() {
    assert_eq!(extend(&mut Catalog::built_in(), "# nothing yet\n").unwrap(), Added::default());
}
