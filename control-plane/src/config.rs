//! What the control plane is told at its start: by a file, and by the command line, which wins.
//!
//! Deliberately small: everything else is decided in the console or is a named limit in the code.

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where the file lies when the control plane is installed.
pub const CONFIG_FILE: &str = "/etc/dharma/control-plane.toml";

/// Where the state lies when the control plane is installed.
pub const STATE_DIRECTORY: &str = "/var/lib/dharma";

/// Ports of the console, the uplink and the enrollment service.
pub const CONSOLE_PORT: u16 = 7400;
/// Port of the uplink.
pub const UPLINK_PORT: u16 = 7443;
/// Port of the enrollment service.
pub const ENROLL_PORT: u16 = 7444;

/// For how many days history is kept when nothing else is said: as long as a retired item.
pub const HISTORY_DAYS: u32 = 400;

/// The longest time that can be asked for; for ever is written as 0.
const HISTORY_DAYS_MAX: u32 = 36_500;

/// Bytes of the file; it holds a dozen lines.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Names that a control plane may be reached by.
const NAMES_MAX: usize = 32;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It is too long to be one.
    #[error("the configuration `{path}` has more than {FILE_BYTES_MAX} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be understood.
    #[error("the configuration `{path}` cannot be understood")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of range.
    #[error("{reason}")]
    Invalid {
        /// Which, why, and what is allowed.
        reason: String,
    },
}

/// What may be told. Everything has a default.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the state.
    pub state: Option<PathBuf>,
    /// Address of the console.
    pub listen: Option<SocketAddr>,
    /// Address of the uplink.
    pub uplink: Option<SocketAddr>,
    /// Address of the enrollment service.
    pub enroll: Option<SocketAddr>,
    /// Address at which other hosts reach all three; turns TLS on for the console.
    pub bind: Option<IpAddr>,
    /// Names by which other hosts reach it; the first is told to agents.
    #[serde(default)]
    pub names: Vec<String>,
    /// Folder of a console to serve instead of the embedded one.
    pub console_dir: Option<PathBuf>,
    /// File that is written once everything is served.
    pub ready_file: Option<PathBuf>,
    /// File that declares classes and attributes of the user's own; `classes.toml` of the state when it is there.
    pub classes: Option<PathBuf>,
    /// For how many days history is kept; 0 for ever.
    pub history_days: Option<u32>,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Folder of the state.
    pub state: PathBuf,
    /// Address of the console.
    pub listen: SocketAddr,
    /// Address of the uplink.
    pub uplink: SocketAddr,
    /// Address of the enrollment service.
    pub enroll: SocketAddr,
    /// Whether other hosts reach the console, over TLS.
    pub is_remote: bool,
    /// Names and addresses for the certificate; the first is told to agents.
    pub names: Vec<String>,
    /// Folder of a console to serve instead of the embedded one.
    pub console_dir: Option<PathBuf>,
    /// File that is written once everything is served.
    pub ready_file: Option<PathBuf>,
    /// File that declares classes and attributes of the user's own.
    pub classes: Option<PathBuf>,
    /// For how many days history is kept; without it, for ever.
    pub history_days: Option<u32>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read_error = |source| ConfigError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(read_error)?.len();
        if length > FILE_BYTES_MAX {
            return Err(ConfigError::TooLong { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(path).map_err(read_error)?;
        toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// This configuration with another laid over it.
    #[must_use]
    pub fn overlaid(self, over: Self) -> Self {
        Self {
            state: over.state.or(self.state),
            listen: over.listen.or(self.listen),
            uplink: over.uplink.or(self.uplink),
            enroll: over.enroll.or(self.enroll),
            bind: over.bind.or(self.bind),
            names: if over.names.is_empty() { self.names } else { over.names },
            console_dir: over.console_dir.or(self.console_dir),
            ready_file: over.ready_file.or(self.ready_file),
            classes: over.classes.or(self.classes),
            history_days: over.history_days.or(self.history_days),
        }
    }

    /// What it comes to, with the defaults filled in.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let host = self.bind.unwrap_or(IpAddr::from([127, 0, 0, 1]));
        let at = |given: Option<SocketAddr>, port| given.unwrap_or(SocketAddr::new(host, port));
        let listen = at(self.listen, CONSOLE_PORT);
        if self.bind.is_none() && !listen.ip().is_loopback() {
            let reason = format!(
                "the console would be open to other hosts at {listen} without TLS; use --bind {} instead",
                listen.ip()
            );
            return Err(ConfigError::Invalid { reason });
        }
        if self.names.len() > NAMES_MAX {
            let reason = format!("a control plane has at most {NAMES_MAX} names");
            return Err(ConfigError::Invalid { reason });
        }
        let history_days = self.history_days.unwrap_or(HISTORY_DAYS);
        if history_days > HISTORY_DAYS_MAX {
            let reason = format!(
                "`history_days` is at most {HISTORY_DAYS_MAX}; to keep history for ever, write 0"
            );
            return Err(ConfigError::Invalid { reason });
        }
        let mut names = self.names;
        if let Some(bind) = self.bind.filter(|bind| !bind.is_unspecified()) {
            names.push(bind.to_string());
        }
        if self.bind.is_some_and(|bind| bind.is_unspecified()) && names.is_empty() {
            let reason =
                "bound to every address, agents need a name to come back to; add --name NAME"
                    .into();
            return Err(ConfigError::Invalid { reason });
        }
        Ok(Settings {
            state: self.state.unwrap_or_else(|| STATE_DIRECTORY.into()),
            listen,
            uplink: at(self.uplink, UPLINK_PORT),
            enroll: at(self.enroll, ENROLL_PORT),
            is_remote: self.bind.is_some(),
            names,
            console_dir: self.console_dir,
            ready_file: self.ready_file,
            classes: self.classes,
            history_days: Some(history_days).filter(|days| *days > 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_the_file() {
        let file = Config {
            state: Some("/a".into()),
            names: vec!["a.example".into()],
            ..Config::default()
        };
        let line = Config { state: Some("/b".into()), ..Config::default() };
        let both = file.overlaid(line).settings().unwrap();
        assert_eq!((both.state, both.names), ("/b".into(), vec!["a.example".to_owned()]));
    }

    #[test]
    fn the_default_is_loopback_and_an_open_console_without_tls_is_refused() {
        let default = Config::default().settings().unwrap();
        assert!(default.listen.ip().is_loopback() && !default.is_remote);
        let open = Config { listen: "0.0.0.0:7400".parse().ok(), ..Config::default() };
        assert!(open.settings().unwrap_err().to_string().contains("--bind"));
    }

    #[test]
    fn bound_to_every_address_a_name_is_needed() {
        let config = Config { bind: "0.0.0.0".parse().ok(), ..Config::default() };
        assert!(config.clone().settings().is_err());
        let named = Config { names: vec!["dharma.example".into()], ..config };
        assert_eq!(named.settings().unwrap().uplink.port(), UPLINK_PORT);
    }

    #[test]
    fn history_is_kept_for_400_days_unless_told_otherwise() {
        let days = |history_days| {
            Config { history_days, ..Config::default() }.settings().map(|all| all.history_days)
        };
        assert_eq!(days(None).unwrap(), Some(400));
        assert_eq!(days(Some(30)).unwrap(), Some(30));
        assert_eq!(days(Some(0)).unwrap(), None, "for ever");
        assert!(days(Some(40_000)).unwrap_err().to_string().contains("write 0"));
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control-plane.toml");
        std::fs::write(&path, "lissten = \"127.0.0.1:1\"\n").unwrap();
        assert!(matches!(Config::read(&path), Err(ConfigError::Parse { .. })));
    }
}
