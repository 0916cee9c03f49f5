//! Secrets that the agent fetches itself, and credentials from a file for a look by hand.
//!
//! A reference is followed at each look, so that a secret that was changed is used without a restart. No error
//! repeats what was read.

use super::wire::Kept;
use collector::{Credential, Secret};
use model::targets::{Reference, SECRET_BYTES_MAX};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Why a credential cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential `{credential}` cannot be used: {why}")]
pub struct Error {
    /// Which.
    pub credential: String,
    /// Why, and what would mend it.
    pub why: String,
}

/// A credential with all of its secrets.
///
/// # Errors
/// When one cannot be fetched.
pub(super) fn fetched(kept: &Kept) -> Result<Credential, Error> {
    let mut credential = kept.credential.clone();
    for (name, reference) in &kept.references {
        let secret = fetch(reference).map_err(|why| Error {
            credential: credential.name.clone(),
            why: format!("`{name}`: {why}"),
        })?;
        credential.secrets.insert(name.clone(), secret);
    }
    Ok(credential)
}

fn fetch(reference: &str) -> Result<Secret, String> {
    match Reference::parse(reference).map_err(|invalid| invalid.reason)? {
        Reference::Environment(name) => std::env::var(&name)
            .map(Secret::new)
            .map_err(|_| format!("the agent's environment has no `{name}`")),
        Reference::File(path) => read(Path::new(&path)).map(|text| {
            let end = text.trim_end_matches(['\r', '\n']).len();
            Secret::new(text.get(..end).unwrap_or_default().to_owned())
        }),
    }
}

/// A regular file that others cannot read.
fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("`{}` is no file", path.display()));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(format!("others may read `{}`; run chmod 600 on it", path.display()));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let limit = u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    file.take(limit.saturating_add(1)).read_to_string(&mut text).map_err(failed)?;
    if text.len() > SECRET_BYTES_MAX {
        return Err(format!("`{}` has more than {SECRET_BYTES_MAX} bytes", path.display()));
    }
    Ok(text)
}

/// A credential as it is written into a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    name: Option<String>,
    kind: String,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// Reads a credential from a file of TOML or JSON that others cannot read.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn credential_file(path: &Path) -> Result<Credential, Error> {
    let failed = |why: String| Error { credential: path.display().to_string(), why };
    let text = read(path).map_err(failed)?;
    // What the parsers say repeats the line, and with it the secret.
    let form = "write `kind`, and tables `settings` and `secrets` of names and texts";
    let file: File = if text.trim_start().starts_with('{') {
        serde_json::from_str(&text)
            .map_err(|error| failed(format!("line {}: {form}", error.line())))?
    } else {
        toml::from_str(&text).map_err(|_| failed(form.to_owned()))?
    };
    Ok(Credential {
        name: file.name.unwrap_or_else(|| "file".to_owned()),
        kind: file.kind,
        settings: file.settings,
        secrets: file.secrets.into_iter().map(|(name, text)| (name, Secret::new(text))).collect(),
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(folder: &Path, text: &str, mode: u32) -> std::path::PathBuf {
        let path = folder.join("secret");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_none_or_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (text, mode) in
            [("hush", 0o644), ("hush", 0o640), (&*"h".repeat(SECRET_BYTES_MAX + 1), 0o600)]
        {
            let path = file(folder.path(), text, mode);
            let why = fetch(&format!("file:{}", path.display())).unwrap_err();
            assert!(!why.contains("hush") && why.len() < 300, "{why}");
        }
        for reference in
            ["file:/dev/zero", "file:/", "file:/nonexistent", "env:DHARMA_NO_SUCH_VARIABLE", "hush"]
        {
            let why = fetch(reference).unwrap_err();
            assert!(!why.contains("hush"), "{why}");
        }
    }

    #[test]
    fn a_secret_of_a_file_is_followed_at_each_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "one\n", 0o600);
        let reference = format!("file:{}", path.display());
        assert_eq!(fetch(&reference).unwrap().expose(), "one");
        file(folder.path(), "two", 0o600);
        assert_eq!(fetch(&reference).unwrap().expose(), "two");
    }

    #[test]
    fn a_credential_file_that_does_not_fit_is_refused_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            "hush",
            "kind = \"x\"\nsecrets = \"hush\"",
            "{\"kind\": {\"hush\": 1}}",
            "{\"hush\"",
            "",
        ] {
            let error = credential_file(&file(folder.path(), text, 0o600)).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
        for text in [
            "kind = \"login\"\n[secrets]\npassword = \"hush\"\n",
            "{\"kind\": \"login\", \"secrets\": {\"password\": \"hush\"}}",
        ] {
            let credential = credential_file(&file(folder.path(), text, 0o600)).unwrap();
            assert_eq!(credential.secret("password").unwrap().expose(), "hush");
        }
    }
}
