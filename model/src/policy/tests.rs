//! What is taken from a file of policies, and what is said about the rest.

use super::*;

const GOOD: &str = r#"
[trust]
"csv" = 60
"csv:finance" = 97
default = 40

[default]
half_life = "2d"

[[policy]]
class = "host"
attribute = "memory_bytes"
strategy = "max"

[[policy]]
class = "hardware"
attribute = "serial_number"
strategy = "authoritative"
sources = ["csv:finance", "redfish"]
trust = { snmp = 10 }
half_life = "never"

[[policy]]
class = "host"
attribute = "dns_servers"
strategy = "union"

[[policy]]
class = "host"
attribute = "time_zone"
strategy = "quorum"
quorum = 3
"#;

fn policies(text: &str) -> Policies {
    Policies::built_in().overridden(&Catalog::built_in(), text).unwrap()
}

fn problems(text: &str) -> Vec<crate::problems::Problem> {
    Policies::built_in().overridden(&Catalog::built_in(), text).unwrap_err().problems
}

/// The problem that arises when `from` is replaced in a good file.
fn problem(from: &str, to: &str) -> crate::problems::Problem {
    assert!(GOOD.contains(from), "{from}");
    let problems = problems(&GOOD.replacen(from, to, 1));
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

fn source(collector: &str, target: &str) -> SourceId {
    SourceId { collector: collector.into(), target: target.into() }
}

#[test]
fn a_file_that_is_no_toml_and_an_unknown_field_are_refused_with_the_line() {
    assert_eq!(problems("[trust]\nsnmp = high\n")[0].line, 2);
    let misspelt = problem("half_life = \"2d\"", "halflife = \"2d\"");
    assert_eq!(misspelt.line, 8, "{misspelt}");
}

#[test]
fn an_unknown_strategy_class_or_attribute_is_refused_with_the_line_and_what_is_known() {
    let strategy = problem("strategy = \"max\"", "strategy = \"biggest\"");
    assert_eq!(strategy.line, 13);
    assert!(strategy.text.contains("most_specific"), "{strategy}");
    let class = problem(
        "class = \"host\"\nattribute = \"memory_bytes\"",
        "class = \"hots\"\nattribute = \"x\"",
    );
    assert_eq!((class.line, class.text.as_str()), (11, "there is no class `hots`"));
    let attribute = problem("attribute = \"memory_bytes\"", "attribute = \"memory\"");
    assert_eq!(attribute.line, 12);
    assert_eq!(attribute.text, "class `host` has no attribute `memory`");
    let nowhere =
        problems("[[policy]]\nclass = \"*\"\nattribute = \"shoe_size\"\nstrategy = \"freshest\"");
    assert_eq!(nowhere[0].text, "no class has an attribute `shoe_size`");
    let lock = problem("strategy = \"max\"", "strategy = \"manual_lock\"");
    assert!(lock.text.contains("a lock is no strategy"), "{lock}");
}

#[test]
fn a_strategy_that_the_values_do_not_allow_is_refused() {
    for (strategy, attribute) in [
        ("max", "fqdn"),
        ("min", "dns_servers"),
        ("most_specific", "memory_bytes"),
        ("union", "fqdn"),
    ] {
        let text = format!(
            "[[policy]]\nclass = \"host\"\nattribute = \"{attribute}\"\nstrategy = \"{strategy}\""
        );
        let found = problems(&text);
        assert!(found[0].text.contains("does not fit"), "{found:?}");
    }
    let reading = "[[policy]]\nclass = \"host\"\nattribute = \"load_1m\"\nstrategy = \"freshest\"";
    assert!(problems(reading)[0].text.contains("reading"));
    assert!(problems("[default]\nstrategy = \"union\"")[0].text.contains("every attribute"));
    let all = "[[policy]]\nclass = \"*\"\nattribute = \"*\"\nstrategy = \"freshest\"";
    assert!(problems(all)[0].text.contains("[default]"));
}

#[test]
fn what_belongs_to_another_strategy_is_refused() {
    assert!(
        problem("strategy = \"max\"", "strategy = \"max\"\nsources = [\"host\"]")
            .text
            .contains("sources")
    );
    assert!(
        problem("sources = [\"csv:finance\", \"redfish\"]\n", "").text.contains("needs `sources`")
    );
    assert!(
        problem("sources = [\"csv:finance\", \"redfish\"]", "sources = []").text.contains("1 to")
    );
    assert!(
        problem("strategy = \"max\"", "strategy = \"max\"\nquorum = 2").text.contains("quorum")
    );
    assert!(problem("trust = { snmp = 10 }", "trust = { default = 10 }").text.contains("[trust]"));
}

#[test]
fn numbers_times_and_sources_of_another_form_are_refused() {
    assert!(problem("\"csv\" = 60", "\"csv\" = 101").text.contains("0 to 100"));
    assert!(problem("quorum = 3", "quorum = 1").text.contains("2 to 64"));
    for time in
        ["2 weeks", "0d", "30s", "99999999999999999999d", "-1d", "18446744073709551615d", ""]
    {
        let found = problem("half_life = \"2d\"", &format!("half_life = \"{time}\""));
        assert!(found.text.contains("no time"), "{found}");
    }
    for name in ["CSV", "", "csv:", ":x", "a b"] {
        let found = problem("\"csv\" = 60", &format!("\"{name}\" = 60"));
        assert!(found.text.contains("no source"), "{found}");
    }
    let absent = problem("half_life = \"2d\"", "absent = \"sometimes\"");
    assert!(absent.text.contains("trusted_as_much"), "{absent}");
}

#[test]
fn a_second_policy_for_the_same_attribute_is_refused() {
    let twice =
        "[[policy]]\nclass = \"host\"\nattribute = \"fqdn\"\nstrategy = \"freshest\"\n".repeat(2);
    let found = problems(&twice);
    assert_eq!(found[0].line, 7);
    assert!(found[0].text.contains("already"), "{found:?}");
}

#[test]
fn the_limits_of_the_file_are_held() {
    assert!(problems(&" ".repeat(FILE_BYTES_MAX + 1))[0].text.contains("bytes"));
    let entry = "[[policy]]\nclass='a'\nattribute='a'\nstrategy='max'\n";
    assert!(problems(&entry.repeat(ENTRIES_MAX + 1))[0].text.contains("5001 policies"));
    let many: String = (0..300).map(|index| format!("c{index} = 1\n")).collect();
    assert!(problems(&format!("[trust]\n{many}"))[0].text.contains("at most 256"));
}

#[test]
fn a_file_overrides_entry_by_entry_and_what_it_leaves_out_stays() {
    let ours = policies(GOOD);
    let before = Policies::built_in();
    assert_eq!(ours.of("host", "memory_bytes").strategy, Strategy::Max);
    assert_eq!(ours.of("host", "os_name").strategy, Strategy::MostSpecific);
    // A shipped entry that says nothing of half-lives takes the new default; an entry of its own says never.
    assert_eq!(ours.of("host", "os_name").half_life, Some(Duration::from_secs(2 * 24 * 3600)));
    let serial = ours.of("hardware", "serial_number");
    assert_eq!((serial.half_life, serial.absent), (None, AbsentRule::TrustedAsMuch));
    assert_eq!(before.of("hardware", "serial_number").absent, AbsentRule::Never);
    assert_eq!(ours.of("host", "time_zone").quorum, 3);
    let plain = ours.of("host", "memory_bytes");
    assert_eq!(ours.trust_in(&source("csv", "finance"), plain), 97);
    assert_eq!(ours.trust_in(&source("csv", "sales"), plain), 60);
    assert_eq!(ours.trust_in(&source("snmp", "x"), plain), 75);
    assert_eq!(ours.trust_in(&source("snmp", "x"), serial), 10);
    assert_eq!(ours.trust_in(&source("of_tomorrow", "x"), plain), 40);
}

#[test]
fn the_nearest_policy_holds() {
    let entry = |class: &str, attribute: &str, strategy: &str| {
        format!(
            "[[policy]]\nclass = \"{class}\"\nattribute = \"{attribute}\"\nstrategy = \"{strategy}\"\n"
        )
    };
    let ours =
        policies(&[entry("package", "*", "freshest"), entry("*", "name", "quorum")].concat());
    assert_eq!(ours.of("package", "name").strategy, Strategy::Freshest);
    assert_eq!(ours.of("drive", "name").strategy, Strategy::Quorum);
    assert_eq!(ours.of("drive", "model").strategy, Strategy::Trusted);
    assert_eq!(ours.of("of_tomorrow", "name").strategy, Strategy::Quorum);
}

#[test]
fn the_version_follows_the_content_and_not_the_words() {
    let ours = policies(GOOD);
    assert_ne!(ours.version(), Policies::built_in().version());
    assert_eq!(ours.version(), policies(&format!("# Why.\n{GOOD}")).version());
    assert_ne!(ours.version(), policies(&GOOD.replace("= 97", "= 96")).version());
    assert_eq!(policies("").version(), Policies::built_in().version());
    assert_eq!(ours.version().len(), 16);
}

#[test]
fn classes_of_ones_own_can_have_policies() {
    let mut catalog = Catalog::built_in();
    let attribute = "[[attribute]]\nclass='host'\nname='x_owner'\nlabel='Owner'\ndoc='Who has it.'\nkind='text'";
    crate::custom::extend(&mut catalog, attribute).unwrap();
    let text = "[[policy]]\nclass='host'\nattribute='x_owner'\nstrategy='freshest'";
    let ours = Policies::built_in().overridden(&catalog, text).unwrap();
    assert_eq!(ours.of("host", "x_owner").strategy, Strategy::Freshest);
    assert!(!problems(text).is_empty());
}

#[test]
fn the_shipped_trust_is_the_one_that_is_used_without_policies() {
    let default = Policies::built_in().of("host", "architecture");
    for collector in [
        "redfish",
        "ipmi",
        "bmc",
        "host",
        "hypervisor",
        "aws",
        "azure",
        "gcp",
        "kubernetes",
        "reconcile",
        "ssh",
        "winrm",
        "netconf",
        "snmp",
        "sweep",
        "dns",
        "of_tomorrow",
    ] {
        let by_policy = Policies::built_in().trust_in(&source(collector, "t"), default);
        assert_eq!(by_policy, crate::fold::confidence_of(collector), "{collector}");
    }
}

#[test]
fn the_guide_explains_every_strategy_and_every_rule_of_absence() {
    let guide = include_str!("../../../docs/guide/attribute-policies.md");
    for name in
        Strategy::ALL.map(Strategy::name).iter().chain(&AbsentRule::ALL.map(AbsentRule::name))
    {
        assert!(guide.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn a_file_of_rules_says_of_values_beside_identity() {
    let catalog = Catalog::built_in();
    let text = "version = \"ours\"\n[default]\nlink_at = 24\n[class.host]\nreview_at = 3\n\
        [trust]\ndns = 97\n[policy_default]\nhalf_life = \"never\"\n\
        [[policy]]\nclass = \"host\"\nattribute = \"time_zone\"\nstrategy = \"freshest\"\n";
    let ours = Policies::in_rules(&catalog, text).unwrap();
    let dns = SourceId { collector: "dns".into(), target: "t".into() };
    assert_eq!(ours.trust_of(&dns), 97);
    assert_eq!(ours.of("host", "time_zone").strategy, Strategy::Freshest);
    assert_eq!(ours.of("host", "cpu_model").half_life, None);
    // What it does not say is as shipped.
    let shipped = Policies::built_in().of("host", "fqdn").strategy;
    assert_eq!(ours.of("host", "fqdn").strategy, shipped);
    let silent = Policies::in_rules(&catalog, "version = \"ours\"\n[default]\nveto = 3\n").unwrap();
    assert_eq!(silent.version(), Policies::built_in().version());
    let broken = "version = \"a\"\n[[policy]]\nclass = \"host\"\nattribute = \"fqdn\"\nstrategy = \"biggest\"\n";
    let problems = Policies::in_rules(&catalog, broken).unwrap_err().problems;
    assert_eq!(problems.first().map(|problem| problem.line), Some(5), "{problems:?}");
}
