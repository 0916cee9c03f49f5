//! Dependencies: their licenses, what is banned, second versions, wildcards and sources, as `deny.toml` declares.
//!
//! cargo-deny reads the same file and knows more; building it takes longer than everything else here. These rules
//! need only what cargo itself says about `Cargo.lock`, so that every run of the tests checks them.
//!
//! Deliberately not here: advisories, which need a database from outside, and the texts of licenses.

use super::{Complaint, spdx};
use crate::{shell, workspace};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FILE: &str = "deny.toml";

/// A crate that is not wanted, but for those that may use it.
#[derive(Debug)]
struct Banned {
    name: String,
    wrappers: Vec<String>,
}

/// What `deny.toml` declares, as far as it is checked here.
#[derive(Debug, Default)]
struct Policy {
    targets: Vec<String>,
    licenses: Vec<String>,
    /// Further licenses of one crate each.
    exceptions: BTreeMap<String, Vec<String>>,
    banned: Vec<Banned>,
    denies_second_versions: bool,
    /// Crates of which a second version is known.
    skipped: Vec<String>,
    denies_wildcards: bool,
    registries: Vec<String>,
}

/// A crate with what uses it.
#[derive(Debug, Default)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// Where it comes from; `None` lies in this checkout.
    source: Option<String>,
    /// Those of its dependencies that take any version.
    wildcards: Vec<String>,
    /// The names of the crates that depend on it.
    users: BTreeSet<String>,
    /// Whether it becomes a part of what users install; tests and benchmarks do not.
    is_shipped: bool,
}

/// Holds what `Cargo.lock` brings against `deny.toml`.
pub(crate) fn check(root: &Path) -> Result<Vec<Complaint>> {
    let text = std::fs::read_to_string(root.join(FILE)).context("cannot read deny.toml")?;
    let policy = match policy(&text) {
        Ok(policy) => policy,
        Err(reason) => return Ok(vec![Complaint::new(Path::new(FILE), 0, reason)]),
    };
    let mut command = workspace::cargo();
    command.args(["metadata", "--locked", "--all-features", "--format-version", "1", "--quiet"]);
    for target in &policy.targets {
        command.args(["--filter-platform", target]);
    }
    let metadata = shell::output(&mut command)?;
    let packages = packages(&serde_json::from_slice(&metadata)?);
    Ok(judge(&policy, &packages))
}

fn policy(text: &str) -> Result<Policy, String> {
    let file: toml::Table = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let section = |name: &str| {
        file.get(name).and_then(toml::Value::as_table).ok_or(format!("there is no [{name}]"))
    };
    let (licenses, bans) = (section("licenses")?, section("bans")?);
    let is_denied = |table: &toml::Table, key: &str| {
        table.get(key).and_then(toml::Value::as_str) == Some("deny")
    };
    let mut policy = Policy {
        targets: texts(section("graph")?.get("targets")),
        licenses: texts(licenses.get("allow")),
        denies_second_versions: is_denied(bans, "multiple-versions"),
        denies_wildcards: is_denied(bans, "wildcards"),
        registries: texts(section("sources")?.get("allow-registry")),
        ..Policy::default()
    };
    if policy.licenses.is_empty() {
        return Err("[licenses] allows nothing".to_owned());
    }
    for entry in tables(licenses.get("exceptions")) {
        policy.exceptions.insert(crate_of(entry)?, texts(entry.get("allow")));
    }
    for entry in tables(bans.get("deny")) {
        let wrappers = texts(entry.get("wrappers"));
        policy.banned.push(Banned { name: crate_of(entry)?, wrappers });
    }
    for entry in tables(bans.get("skip")) {
        policy.skipped.push(crate_of(entry)?);
    }
    Ok(policy)
}

fn texts(value: Option<&toml::Value>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

fn tables(value: Option<&toml::Value>) -> impl Iterator<Item = &toml::Table> {
    let list = value.and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(toml::Value::as_table)
}

/// The crate that an entry is about, without a version.
fn crate_of(entry: &toml::Table) -> Result<String, String> {
    let name = entry.get("crate").and_then(toml::Value::as_str);
    let name = name.ok_or("an entry of a list names no `crate`")?;
    Ok(name.split('@').next().unwrap_or(name).to_owned())
}

fn packages(metadata: &Value) -> Vec<Package> {
    let nodes = list(metadata.pointer("/resolve/nodes"));
    let mut packages: BTreeMap<String, Package> = list(metadata.get("packages"))
        .iter()
        .map(|package| (text(package, "id"), package_of(package)))
        .collect();
    let mut shipped: Vec<String> = Vec::new();
    for node in nodes {
        let id = text(node, "id");
        let user = packages.get(&id).map(|package| package.name.clone()).unwrap_or_default();
        if packages.get(&id).is_some_and(|package| package.source.is_none()) {
            shipped.push(id);
        }
        for dependency in list(node.get("deps")) {
            if let Some(used) = packages.get_mut(&text(dependency, "pkg")) {
                used.users.insert(user.clone());
            }
        }
    }
    // From our own crates outwards, but not over what only tests need.
    while let Some(id) = shipped.pop() {
        let Some(package) = packages.get_mut(&id) else { continue };
        if std::mem::replace(&mut package.is_shipped, true) {
            continue;
        }
        let node = nodes.iter().find(|node| text(node, "id") == id);
        for dependency in list(node.and_then(|node| node.get("deps"))) {
            let kinds = list(dependency.get("dep_kinds"));
            if kinds.iter().any(|kind| text(kind, "kind") != "dev") {
                shipped.push(text(dependency, "pkg"));
            }
        }
    }
    packages.into_values().collect()
}

fn package_of(package: &Value) -> Package {
    let some = |name: &str| Some(text(package, name)).filter(|text| !text.is_empty());
    let is_wild = |dependency: &&Value| {
        // What lies beside it has the version of this checkout.
        text(dependency, "req") == "*" && !dependency.get("path").is_some_and(Value::is_string)
    };
    let dependencies = list(package.get("dependencies"));
    Package {
        name: text(package, "name"),
        version: text(package, "version"),
        license: some("license"),
        source: some("source"),
        wildcards: dependencies
            .iter()
            .filter(is_wild)
            .map(|dependency| text(dependency, "name"))
            .collect(),
        ..Package::default()
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn judge(policy: &Policy, packages: &[Package]) -> Vec<Complaint> {
    let mut sentences = Vec::new();
    for package in packages {
        sentences.extend(bans(policy, package));
        match &package.source {
            None if policy.denies_wildcards => {
                sentences.extend(package.wildcards.iter().map(|name| {
                    format!("`{}` takes any version of `{name}`: name one", package.name)
                }))
            }
            None => {}
            Some(source) => {
                sentences.extend(license(policy, package));
                sentences.extend(origin(policy, package, source));
            }
        }
    }
    if policy.denies_second_versions {
        sentences.extend(second_versions(policy, packages));
    }
    sentences.into_iter().map(|text| Complaint::new(Path::new(FILE), 0, text)).collect()
}

fn license(policy: &Policy, package: &Package) -> Option<String> {
    if !package.is_shipped {
        return None;
    }
    let Package { name, version, .. } = package;
    let Some(expression) = &package.license else {
        return Some(format!("`{name}` {version} names no license"));
    };
    let excepted = policy.exceptions.get(name);
    let is_listed = |license: &str| {
        policy.licenses.iter().chain(excepted.into_iter().flatten()).any(|listed| listed == license)
    };
    match spdx::is_allowed(expression, &is_listed) {
        Some(true) => None,
        Some(false) => Some(format!("`{name}` {version} has the license {expression}")),
        None => Some(format!("`{name}` {version} has no license that can be read: {expression}")),
    }
}

fn bans(policy: &Policy, package: &Package) -> Option<String> {
    let banned = policy.banned.iter().find(|banned| banned.name == package.name)?;
    if banned.wrappers.is_empty() {
        let users: Vec<&str> = package.users.iter().map(String::as_str).collect();
        return Some(format!("`{}` is denied, and {} brings it", package.name, users.join(", ")));
    }
    let user = package.users.iter().find(|user| !banned.wrappers.contains(user))?;
    let wrappers = banned.wrappers.join(", ");
    Some(format!("`{}` may be used by {wrappers} only, not by {user}", package.name))
}

fn origin(policy: &Policy, package: &Package, source: &str) -> Option<String> {
    let is_known = source
        .strip_prefix("registry+")
        .is_some_and(|url| policy.registries.iter().any(|known| known == url));
    (!is_known).then(|| format!("`{}` comes from {source}", package.name))
}

fn second_versions(policy: &Policy, packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions
        .into_iter()
        .filter(|(name, versions)| {
            versions.len() > 1 && !policy.skipped.iter().any(|skipped| skipped == name)
        })
        .map(|(name, versions)| format!("`{name}` comes in versions {}", versions.join(" and ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DENY: &str = r#"
[graph]
targets = []
[licenses]
allow = ["MIT"]
exceptions = [{ crate = "fonts", allow = ["OFL-1.1"] }]
[bans]
multiple-versions = "deny"
wildcards = "deny"
skip = [{ crate = "twice@1" }]
deny = [{ crate = "openssl" }, { crate = "rcgen", wrappers = ["pki"] }]
[sources]
allow-registry = ["https://registry.example"]
"#;

    /// What is complained about when our crate `name` has one dependency that looks like this.
    fn complaints_of(name: &str, change: impl Fn(&mut Value)) -> Vec<String> {
        let mut dependency = json!({
            "id": "d", "name": "d", "version": "1.0.0", "license": "MIT",
            "source": "registry+https://registry.example",
        });
        change(&mut dependency);
        let own = json!({
            "id": "own", "name": name, "version": "0.1.0", "license": null, "source": null,
            "dependencies": [{"name": "d", "req": "*", "path": "/d"}, {"name": "e", "req": "^1"}],
        });
        let kinds = dependency.get("kinds").cloned().unwrap_or(json!([{"kind": null}]));
        let metadata = json!({
            "packages": [dependency, own],
            "resolve": {"nodes": [
                {"id": "own", "deps": [{"pkg": "d", "dep_kinds": kinds}]},
                {"id": "d", "deps": []},
            ]},
        });
        judge(&policy(DENY).unwrap(), &packages(&metadata))
            .into_iter()
            .map(|complaint| complaint.text)
            .collect()
    }

    #[test]
    fn a_license_that_is_not_allowed_is_complained_about_unless_only_tests_need_it() {
        let found = complaints_of("agent", |one| one["license"] = json!("GPL-3.0-only"));
        assert_eq!(found, ["`d` 1.0.0 has the license GPL-3.0-only"]);
        assert_eq!(complaints_of("agent", |one| one["license"] = Value::Null).len(), 1);
        let for_tests = complaints_of("agent", |one| {
            one["license"] = json!("GPL-3.0-only");
            one["kinds"] = json!([{"kind": "dev"}]);
        });
        assert_eq!(for_tests, Vec::<String>::new());
        let excepted = complaints_of("agent", |one| {
            one["name"] = json!("fonts");
            one["license"] = json!("OFL-1.1");
        });
        assert_eq!(excepted, Vec::<String>::new());
    }

    #[test]
    fn a_denied_crate_is_complained_about_and_a_wrapped_one_beside_its_wrapper() {
        assert_eq!(complaints_of("agent", |one| one["name"] = json!("openssl")).len(), 1);
        assert_eq!(complaints_of("agent", |one| one["name"] = json!("rcgen")).len(), 1);
        assert_eq!(complaints_of("pki", |one| one["name"] = json!("rcgen")), Vec::<String>::new());
    }

    #[test]
    fn a_source_that_is_not_allowed_is_complained_about() {
        for source in ["git+https://git.example/d", "registry+https://other.example"] {
            assert_eq!(complaints_of("agent", |one| one["source"] = json!(source)).len(), 1);
        }
    }

    #[test]
    fn any_version_and_a_second_version_are_complained_about() {
        let package = |name: &str, version: &str| Package {
            name: name.into(),
            version: version.into(),
            ..Package::default()
        };
        let policy = policy(DENY).unwrap();
        let wild = Package { wildcards: vec!["e".into()], ..package("agent", "0.1.0") };
        assert_eq!(judge(&policy, &[wild]).len(), 1);
        assert_eq!(judge(&policy, &[package("a", "1.0.0"), package("a", "2.0.0")]).len(), 1);
        assert_eq!(judge(&policy, &[package("twice", "1.0.0"), package("twice", "2.0.0")]), []);
    }

    #[test]
    fn a_file_that_allows_nothing_or_lacks_a_section_is_no_policy() {
        assert!(policy("").is_err());
        assert!(policy(&DENY.replace("[\"MIT\"]", "[]")).is_err());
        assert!(policy(&DENY.replace("crate = \"openssl\"", "krate = \"openssl\"")).is_err());
    }
}
