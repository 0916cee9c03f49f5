//! What the code declares to operators and what the reference says of it: keys of configuration files, metrics, and
//! codes of errors.
//!
//! Both ways: a key or metric that the page lacks cannot be found by whoever needs it, and one that only the page
//! has does not work. Keys are read from the structures that the files are parsed into; a metric is a text of the
//! code that has the form of one. That every code has its page is proved beside the catalog; here, that something
//! still fails with it.
//!
//! Deliberately not here: whether what the page says is right. Bounds and defaults are proved by tests.

use super::Complaint;
use super::sources::blanked;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The page of all keys.
const KEYS_PAGE: &str = "docs/reference/configuration.md";

/// The page of all metrics.
const METRICS_PAGE: &str = "docs/reference/metrics.md";

/// A configuration file, the source that declares its form, and the structure that is the whole file.
struct Form {
    source: &'static str,
    root: &'static str,
    /// The heading of its section on the page.
    heading: &'static str,
}

const FORMS: [Form; 2] = [
    Form { source: "agent/src/config/file.rs", root: "File", heading: "## agent.toml" },
    Form {
        source: "control-plane/src/config.rs",
        root: "Config",
        heading: "## control-plane.toml",
    },
];

/// How deep tables may lie in a file; ours have three.
const DEPTH_MAX: usize = 8;

/// Where the codes of errors are declared.
const CODES: &str = "control-plane/src/api/error/catalog.rs";

/// Every metric begins so.
const METRIC_PREFIX: &str = "dharma_";

/// Every metric ends so: what it counts, or its unit.
const METRIC_ENDS: [&str; 7] =
    ["_bytes", "_celsius", "_count", "_info", "_ratio", "_seconds", "_total"];

/// Holds keys and metrics against their pages.
pub(crate) fn check(files: &[PathBuf], root: &Path) -> Vec<Complaint> {
    let read = |path: &Path| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let page = read(Path::new(KEYS_PAGE));
    let mut complaints = Vec::new();
    for form in &FORMS {
        let source = read(Path::new(form.source));
        complaints.extend(compare_keys(form, &source, &page));
    }
    let sources: Vec<(&Path, String)> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| !path.starts_with("xtask") && !path.iter().any(|part| part == "tests"))
        .map(|path| (path.as_path(), read(path)))
        .collect();
    complaints.extend(compare_metrics(&sources, &read(Path::new(METRICS_PAGE))));
    complaints.extend(unused_codes(&read(Path::new(CODES)), &sources));
    complaints
}

fn compare_keys(form: &Form, source: &str, page: &str) -> Vec<Complaint> {
    let declared = keys(source, form.root);
    if declared.is_empty() {
        let text = format!("declares no keys in `{}`; has the rule lost its source?", form.root);
        return vec![Complaint::new(Path::new(form.source), 0, text)];
    }
    let documented = rows(section(page, form.heading));
    let lacking = declared.difference(&documented).map(|key| {
        let text = format!("the key `{key}` is not described in {KEYS_PAGE}, {}", form.heading);
        Complaint::new(Path::new(form.source), 0, text)
    });
    let invented = documented.difference(&declared).map(|key| {
        let text = format!("`{key}` is no key that {} declares", form.source);
        Complaint::new(Path::new(KEYS_PAGE), 0, text)
    });
    lacking.chain(invented).collect()
}

/// The keys of the file that is read into `root`, with the tables that they lie in.
fn keys(source: &str, root: &str) -> BTreeSet<String> {
    let structures = structures(&blanked(source));
    let mut keys = BTreeSet::new();
    let mut open = vec![(root.to_owned(), String::new(), 0)];
    while let Some((name, place, depth)) = open.pop() {
        for (field, kind) in structures.get(&name).into_iter().flatten() {
            // A table whose names are free is written as `<name>`.
            let is_map = kind.contains("Map<");
            let inner = structures.keys().find(|other| is_word(kind, other));
            let key = format!("{place}{field}{}", if is_map { ".<name>" } else { "" });
            match inner {
                Some(inner) if depth < DEPTH_MAX => {
                    open.push((inner.clone(), format!("{key}."), depth + 1));
                }
                _ => {
                    keys.insert(key);
                }
            }
        }
    }
    keys
}

/// Structures that are read from a file, by name: their fields with their types.
fn structures(code: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found = BTreeMap::new();
    let mut is_read = false;
    let mut lines = code.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line.starts_with("#[") {
            is_read |= line.starts_with("#[derive(") && is_word(line, "Deserialize");
            continue;
        }
        let declared = line.split_once("struct ").and_then(|(_, rest)| rest.strip_suffix(" {"));
        if let (Some(name), true) = (declared, is_read) {
            let fields = lines.by_ref().take_while(|line| *line != "}");
            found.insert(name.to_owned(), fields.filter_map(field).collect());
        }
        is_read &= line.is_empty();
    }
    found
}

/// `pub(super) name: Type,` as name and type.
fn field(line: &str) -> Option<(String, String)> {
    let (before, kind) = line.split_once(": ")?;
    let name = before.rsplit(' ').next()?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_name && !line.starts_with("#[")).then(|| (name.to_owned(), kind.to_owned()))
}

fn is_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).any(|part| part == word)
}

/// The part of a page below a heading, up to the next one of the same level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let Some((_, rest)) = page.split_once(&format!("{heading}\n")) else { return "" };
    rest.split("\n## ").next().unwrap_or_default()
}

/// What stands in the first cell of the rows of tables: | `name` | … |.
fn rows(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

fn compare_metrics(sources: &[(&Path, String)], page: &str) -> Vec<Complaint> {
    let documented = rows(page);
    let mut declared = BTreeSet::new();
    let mut complaints = Vec::new();
    for (path, text) in sources {
        for name in metrics(text) {
            if !documented.contains(&name) {
                let text = format!("the metric `{name}` is not described in {METRICS_PAGE}");
                complaints.push(Complaint::new(path, 0, text));
            }
            declared.insert(name);
        }
    }
    complaints.extend(documented.difference(&declared).map(|name| {
        Complaint::new(Path::new(METRICS_PAGE), 0, format!("`{name}` is no metric of the code"))
    }));
    complaints
}

/// Codes that nothing fails with any longer.
fn unused_codes(catalog: &str, sources: &[(&Path, String)]) -> Vec<Complaint> {
    let codes = catalog.lines().filter_map(|line| {
        let (variant, rest) = line.trim().split_once(" = \"")?;
        let (name, _) = rest.split_once("\", ")?;
        variant.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some((variant, name))
    });
    let is_used = |variant: &str, name: &str| {
        sources.iter().filter(|(path, _)| *path != Path::new(CODES)).any(|(_, text)| {
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
            code.contains(&format!("Code::{variant}")) || code.contains(&format!("\"{name}\""))
        })
    };
    let unused: Vec<&str> =
        codes.filter(|(variant, name)| !is_used(variant, name)).map(|(_, name)| name).collect();
    unused
        .into_iter()
        .map(|name| Complaint::new(Path::new(CODES), 0, format!("nothing fails with `{name}`")))
        .collect()
}

/// Texts of the code that have the form of a metric's name.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_part =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    text.split('"')
        .skip(1)
        .filter_map(|piece| piece.split(|letter| !is_part(letter)).next())
        .filter(|name| name.starts_with(METRIC_PREFIX))
        .filter(|name| METRIC_ENDS.iter().any(|end| name.ends_with(end)))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
//! Text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where.
    pub server: Option<String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    collectors: BTreeMap<String, Collector>,
}

#[derive(Deserialize)]
struct Limits {
    memory_mb: Option<u64>,
}

#[derive(Deserialize)]
struct Collector {
    enabled: Option<bool>,
}

#[derive(Debug)]
struct Effective {
    other: u64,
}
"#;
    const FORM: Form = Form { source: "a.rs", root: "File", heading: "## a.toml" };
    const PAGE: &str = "# Keys\n\n## a.toml\n\n| key | |\n|---|---|\n| `server` | |\n| `limits.memory_mb` | |\n\
        | `collectors.<name>.enabled` | |\n\n## b.toml\n\n| `elsewhere` | |\n";

    #[test]
    fn a_key_without_a_row_and_a_row_without_a_key_are_complained_about() {
        let complaints = |page: &str| compare_keys(&FORM, SOURCE, page);
        assert_eq!(complaints(PAGE), []);
        let lacking = complaints(&PAGE.replace("| `limits.memory_mb` | |\n", ""));
        assert_eq!(lacking.len(), 1);
        assert!(lacking[0].text.contains("limits.memory_mb"), "{lacking:?}");
        let invented = complaints(&PAGE.replace("| `server`", "| `colour` | |\n| `server`"));
        assert_eq!(invented.len(), 1);
        assert_eq!(invented[0].path, Path::new(KEYS_PAGE));
        assert_eq!(complaints("# Keys\n").len(), 3);
    }

    #[test]
    fn a_source_that_no_longer_declares_the_structure_is_complained_about() {
        assert_eq!(compare_keys(&FORM, "struct File {}", PAGE).len(), 1);
    }

    #[test]
    fn a_metric_without_a_row_and_a_row_without_a_metric_are_complained_about() {
        let source = "let a = counter(\"dharma_batches_total\"); let cookie = \"dharma_session=\";";
        let sources = [(Path::new("a.rs"), source.to_owned())];
        let row = "| `dharma_batches_total` | |\n";
        assert_eq!(compare_metrics(&sources, row), []);
        assert_eq!(compare_metrics(&sources, "").len(), 1);
        assert_eq!(
            compare_metrics(&sources, &format!("{row}| `dharma_spool_bytes` | |\n")).len(),
            1
        );
    }

    #[test]
    fn a_code_that_nothing_fails_with_is_complained_about() {
        let catalog = "codes! {\n    /// Doc.\n    NotFound = \"NOT_FOUND\", 404, \"x\";\n    Malformed = \"MALFORMED\", 400, \"y\";\n}\n";
        let complaints = |text: &str| {
            let found = unused_codes(catalog, &[(Path::new("a.rs"), text.to_owned())]);
            found.into_iter().map(|complaint| complaint.text).collect::<Vec<_>>()
        };
        let both = "fn f() { fail(Code::NotFound); refuse(\"MALFORMED\") }";
        assert_eq!(complaints(both), Vec::<String>::new());
        assert_eq!(complaints("fail(Code::NotFound)"), ["nothing fails with `MALFORMED`"]);
        let only_tests = "fail(Code::NotFound)\n#[cfg(test)]\nmod tests { x(Code::Malformed) }";
        assert_eq!(complaints(only_tests).len(), 1);
    }

    #[test]
    fn every_form_that_is_checked_is_there() {
        let root = crate::workspace::root();
        for form in &FORMS {
            let source = std::fs::read_to_string(root.join(form.source)).unwrap();
            assert!(keys(&source, form.root).len() > 5, "{}", form.source);
        }
    }
}
