//! Layers: a crate depends only on crates of lower layers, by the table in ARCHITECTURE.md.
//!
//! Dependencies of tests count like any other: what a test may reach, code soon does.

use super::Complaint;
use crate::{shell, workspace};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Around the table.
const BEGIN: &str = "<!-- layers:begin -->";
const END: &str = "<!-- layers:end -->";

/// A crate of the workspace and those crates of the workspace that it depends on.
#[derive(Debug)]
struct Package {
    name: String,
    manifest: PathBuf,
    needs: Vec<String>,
}

/// Checks every edge between crates of the workspace.
pub(crate) fn check(root: &Path) -> Result<Vec<Complaint>> {
    let architecture = Path::new("ARCHITECTURE.md");
    let text =
        std::fs::read_to_string(root.join(architecture)).context("cannot read ARCHITECTURE.md")?;
    let metadata = shell::output(workspace::cargo().args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--quiet",
    ]))?;
    let packages = packages(&serde_json::from_slice(&metadata)?, root);
    Ok(match table(&text) {
        Some(layers) => edges(&layers, &packages),
        None => vec![Complaint::new(architecture, 0, "the layer table is missing or malformed")],
    })
}

/// Reads the rows `| layer | \`crate\`, \`crate\` | … |`.
fn table(text: &str) -> Option<BTreeMap<String, u32>> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (table, _) = rest.split_once(END)?;
    let mut layers = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with('|')) {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let Some(Ok(layer)) = cells.next().map(str::parse::<u32>) else { continue };
        // Every second piece stands between backticks.
        for name in cells.next()?.split('`').skip(1).step_by(2) {
            layers.insert(name.to_owned(), layer);
        }
    }
    (!layers.is_empty()).then_some(layers)
}

fn packages(metadata: &Value, root: &Path) -> Vec<Package> {
    let list = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let text = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    list(metadata, "packages")
        .iter()
        .map(|package| {
            let manifest = PathBuf::from(text(package, "manifest_path"));
            Package {
                name: text(package, "name"),
                manifest: manifest.strip_prefix(root).unwrap_or(&manifest).to_owned(),
                needs: list(package, "dependencies")
                    .iter()
                    .filter(|dependency| dependency.get("path").is_some_and(Value::is_string))
                    .map(|dependency| text(dependency, "name"))
                    .collect(),
            }
        })
        .collect()
}

fn edges(layers: &BTreeMap<String, u32>, packages: &[Package]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for package in packages {
        let Some(layer) = layers.get(&package.name) else {
            let text =
                format!("crate `{}` is not in the layer table of ARCHITECTURE.md", package.name);
            complaints.push(Complaint::new(&package.manifest, 0, text));
            continue;
        };
        for need in &package.needs {
            if layers.get(need).is_none_or(|below| below >= layer) {
                let text = format!(
                    "`{}` (layer {layer}) may not depend on `{need}`: only on lower layers",
                    package.name
                );
                complaints.push(Complaint::new(&package.manifest, 0, text));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "text\n<!-- layers:begin -->\n| layer | crates | |\n|---|---|---|\n| 0 | `model` | |\n| 1 | `proto`, `pki` | |\n<!-- layers:end -->\n| 9 | `other` |";

    fn package(name: &str, needs: &[&str]) -> Package {
        Package {
            name: name.into(),
            manifest: "Cargo.toml".into(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        }
    }

    #[test]
    fn an_edge_upwards_or_sideways_is_complained_about() {
        let layers = table(TABLE).unwrap();
        assert_eq!(edges(&layers, &[package("model", &["proto"])]).len(), 1);
        assert_eq!(edges(&layers, &[package("proto", &["pki"])]).len(), 1);
        assert_eq!(edges(&layers, &[package("proto", &["model"])]), []);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_complained_about() {
        let layers = table(TABLE).unwrap();
        assert_eq!(edges(&layers, &[package("other", &[])]).len(), 1);
        assert_eq!(edges(&layers, &[package("proto", &["other"])]).len(), 1);
    }

    #[test]
    fn a_page_without_table_has_no_layers() {
        assert_eq!(table("# Architecture"), None);
        assert_eq!(table("<!-- layers:begin --><!-- layers:end -->"), None);
    }
}
