//! Where a person is logged in: the file that keeps the session, readable by its owner only.
//!
//! A token given by file or environment wins over it and is never written to disk.

use crate::arguments::Common;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::PathBuf;

/// How to reach the control plane and who asks.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Context {
    /// Address, without a slash at its end.
    pub(crate) url: String,
    /// Value of the session cookie.
    #[serde(default)]
    pub(crate) session: Option<String>,
    /// Pin of the control plane's authority, for https.
    #[serde(default)]
    pub(crate) pin: Option<String>,
    /// An access token; never stored.
    #[serde(skip)]
    pub(crate) token: Option<String>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The longest token file that is read; a token has under 200 bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

fn path() -> Result<PathBuf, Error> {
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
        .ok_or_else(|| {
            Error::Usage(
                "neither HOME nor XDG_CONFIG_HOME is set; use DHARMA_URL and --token-file"
                    .to_owned(),
            )
        })?;
    Ok(folder.join("dharma").join("session.json"))
}

fn local(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |source| Error::Local { what, source }
}

impl Context {
    /// The context of the last login, overridden by what the command line and the environment say.
    pub(crate) fn load(common: &Common) -> Result<Self, Error> {
        let mut context = Self::stored()?.unwrap_or_default();
        if let Some(url) = &common.url {
            let url = normalized(url)?;
            if url != context.url {
                // A session is only ever sent to the control plane that gave it.
                context = Self { url, ..Self::default() };
            }
        }
        context.token = token(common)?;
        if context.url.is_empty() {
            return Err(Error::NotLoggedIn);
        }
        Ok(context)
    }

    fn stored() -> Result<Option<Self>, Error> {
        let path = path()?;
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| {
                Error::Usage(format!("{} is damaged; delete it and log in again", path.display()))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(local(format!("read {}", path.display()))(source)),
        }
    }

    /// Keeps the context for later commands, in a file that only its owner can read.
    pub(crate) fn store(&self) -> Result<PathBuf, Error> {
        let path = path()?;
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        std::fs::create_dir_all(&folder).map_err(local(format!("make {}", folder.display())))?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| local("encode the session")(std::io::Error::other(error)))?;
        let fresh = path.with_extension("new");
        let mut file = private_file(&fresh).map_err(local(format!("write {}", fresh.display())))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&fresh, &path))
            .map_err(local(format!("write {}", path.display())))?;
        Ok(path)
    }

    /// Forgets the session.
    pub(crate) fn forget() -> Result<(), Error> {
        match std::fs::remove_file(path()?) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(local("delete the session file")(error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
fn private_file(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    drop(std::fs::remove_file(path));
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_file(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    std::fs::File::create(path)
}

fn token(common: &Common) -> Result<Option<String>, Error> {
    if let Some(path) = &common.token_file {
        let what = || format!("read the token file {}", path.display());
        let length = std::fs::metadata(path).map_err(local(what()))?.len();
        if length > TOKEN_FILE_BYTES_MAX {
            return Err(Error::Usage(format!(
                "{} is no token file: it has {length} bytes",
                path.display()
            )));
        }
        return Ok(Some(std::fs::read_to_string(path).map_err(local(what()))?.trim().to_owned()));
    }
    Ok(std::env::var("DHARMA_TOKEN").ok().filter(|token| !token.is_empty()))
}

/// The address in the form in which it is stored and compared.
pub(crate) fn normalized(url: &str) -> Result<String, Error> {
    let url = url.trim().trim_end_matches('/');
    let parsed: Result<http::Uri, _> = url.parse();
    match parsed {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() => {
            Ok(url.to_owned())
        }
        _ => Err(Error::Usage(format!("`{url}` is no address such as http://127.0.0.1:7400"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_scheme_or_host_is_refused() {
        for wrong in ["127.0.0.1:7400", "ftp://host", "", "http://"] {
            assert!(normalized(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            normalized("http://127.0.0.1:7400/").ok().as_deref(),
            Some("http://127.0.0.1:7400")
        );
    }

    #[test]
    fn the_session_never_shows_in_debug_output() {
        let context = Context {
            url: "http://h".into(),
            session: Some("secret1".into()),
            pin: None,
            token: Some("secret2".into()),
        };
        assert!(!format!("{context:?}").contains("secret"));
    }
}
