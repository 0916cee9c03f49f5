//! One page for each collector, and their index.

use crate::{NOTICE, Page, cell};
use collector::{Collector, Manifest, Platform};
use std::fmt::Write;
use std::time::Duration;

/// The manifests of every collector that the agent has.
pub(crate) fn all() -> Vec<&'static Manifest> {
    vec![
        collector_host::HostCollector.manifest(),
        collector_snmp::SnmpCollector.manifest(),
        collector_sweep::SweepCollector.manifest(),
    ]
}

/// Their pages, with the index.
pub(crate) fn pages(manifests: &[&Manifest]) -> Vec<Page> {
    let mut index = format!("# Collectors\n\n{NOTICE}| collector | reads |\n|---|---|\n");
    let mut pages = Vec::new();
    for manifest in manifests {
        let _ok =
            writeln!(index, "| [`{0}`]({0}.md) | {1} |", manifest.name, cell(manifest.summary));
        pages.push(Page::new(
            format!("docs/reference/collectors/{}.md", manifest.name),
            render(manifest),
        ));
    }
    pages.push(Page::new("docs/reference/collectors/README.md", index));
    pages
}

fn render(manifest: &Manifest) -> String {
    let platforms: Vec<&str> = manifest
        .platforms
        .iter()
        .map(|platform| match platform {
            Platform::Linux => "Linux",
            Platform::Windows => "Windows",
        })
        .collect();
    let mut page = format!(
        "# Collector `{}`\n\n{NOTICE}{}\n\nRuns on {}.\n",
        manifest.name,
        manifest.summary,
        platforms.join(" and ")
    );
    let platform = if manifest.is_remote { "" } else { " On Linux:" };
    let colon = if manifest.is_remote { ":" } else { "." };
    let _ok = write!(page, "\n## Scopes\n\nEach is looked at by itself{colon}{platform}\n\n");
    page.push_str("| scope | holds | classes | looked at every | limit |\n|---|---|---|---|---|\n");
    for scope in manifest.scopes {
        let classes: Vec<String> = scope.classes.iter().map(|class| format!("`{class}`")).collect();
        let _ok = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            scope.name,
            cell(scope.summary),
            classes.join(", "),
            words(scope.interval),
            words(scope.time_limit)
        );
    }
    page.push_str("\n## Rights\n\nWhat a missing right hides is reported as *not looked at*, never as empty.\n\n");
    page.push_str("| right | without it is not looked at |\n|---|---|\n");
    for privilege in manifest.privileges {
        let _ok = writeln!(page, "| {} | {} |", cell(privilege.needs), cell(privilege.without));
    }
    let relationships: Vec<String> =
        manifest.relationships.iter().map(|name| format!("`{name}`")).collect();
    let _ok = write!(page, "\n## Relationships\n\n{}.\n", relationships.join(", "));
    if manifest.is_remote {
        remote(&mut page, manifest);
    }
    page
}

/// What only collectors of remote targets have.
fn remote(page: &mut String, manifest: &Manifest) {
    let kinds: Vec<String> = manifest.credentials.iter().map(|kind| format!("`{kind}`")).collect();
    if !kinds.is_empty() {
        let _ok = write!(page, "\n## Kinds of credentials\n\n{}.\n", kinds.join(", "));
    }
    page.push_str("\n## Options of a target\n\n| option | means | default |\n|---|---|---|\n");
    for option in manifest.options {
        let _ok =
            writeln!(page, "| `{}` | {} | {} |", option.name, cell(option.doc), option.default);
    }
}

/// A duration as a person says it.
fn words(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{} ms", duration.as_millis());
    }
    UNITS
        .iter()
        .find(|(unit, _)| seconds.is_multiple_of(*unit))
        .map_or_else(String::new, |(unit, name)| format!("{} {name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_in_the_largest_whole_unit() {
        let said: Vec<String> =
            [0, 5, 90, 120, 3_600, 172_800].map(Duration::from_secs).map(words).to_vec();
        assert_eq!(said, ["0 ms", "5 s", "90 s", "2 min", "1 h", "2 d"]);
    }

    #[test]
    fn every_scope_and_right_stands_on_the_page_of_its_collector() {
        for manifest in all() {
            let page = render(manifest);
            for scope in manifest.scopes {
                assert!(page.contains(&format!("| `{}` |", scope.name)), "{}", scope.name);
            }
            for privilege in manifest.privileges {
                assert!(page.contains(&cell(privilege.without)), "{}", privilege.without);
            }
        }
    }

    #[test]
    fn what_a_manifest_names_is_declared_in_the_catalog() {
        let catalog = model::Catalog::built_in();
        for manifest in all() {
            for class in manifest.scopes.iter().flat_map(|scope| scope.classes) {
                assert!(catalog.class(class).is_some(), "{class}");
            }
            for relationship in manifest.relationships {
                assert!(catalog.relationship(relationship).is_some(), "{relationship}");
            }
        }
    }
}
