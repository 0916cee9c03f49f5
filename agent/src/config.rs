//! The agent's configuration: one TOML file, all of it optional, every value with a documented default and bounds.
//!
//! Invariants: an unknown key is an error with a suggestion, never ignored; a value outside its bounds is refused
//! with the bounds; every effective value knows where it comes from. Nothing secret stands in it.
//!
//! Deliberately not here: desired configuration from the control plane, and what a value does.

mod file;
mod suggest;

pub use file::documentation;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("the configuration `{}` has {bytes} bytes; at most {FILE_BYTES_MAX} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// The file is no such configuration.
    #[error("cannot use the configuration `{}`: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line and reason, with a suggestion where there is one.
        reason: String,
    },
    /// A value lies outside its bounds.
    #[error("`{key}` in `{}` is {value}; it must lie between {least} and {most}", path.display())]
    OutOfBounds {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        value: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said otherwise.
    Default,
    /// The configuration file.
    File,
    /// The command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::CommandLine => "command line",
        })
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn of(given: Option<T>, default: T) -> Self {
        match given {
            Some(value) => Self { value, origin: Origin::File },
            None => Self { value: default, origin: Origin::Default },
        }
    }

    /// Sets the value when the command line gives one.
    pub fn overrule(&mut self, given: Option<T>) {
        if let Some(value) = given {
            *self = Self { value, origin: Origin::CommandLine };
        }
    }
}

/// What is configured of one scope; `None` means what the collector declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeConfig {
    /// Whether it is looked at.
    pub enabled: Option<bool>,
    /// How often.
    pub interval: Option<Duration>,
    /// How long one look may take.
    pub time_limit: Option<Duration>,
}

/// The effective configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that it was read from; `None` when there is none.
    pub file: Option<PathBuf>,
    /// Where to enroll, `host:port`.
    pub server: Setting<Option<String>>,
    /// The file with the join token; deleted after use.
    pub token_file: Setting<Option<PathBuf>>,
    /// Where the file system of the host that is described begins.
    pub root: Setting<PathBuf>,
    /// Addresses of the uplink, `host:port`; empty means what the control plane said at enrollment.
    pub endpoints: Setting<Vec<String>>,
    /// The first connection comes after a random part of this.
    pub start_spread: Setting<Option<Duration>>,
    /// The longest pause between two attempts to connect.
    pub pause_max: Setting<Duration>,
    /// What the spool may take of the disk.
    pub spool_bytes: Setting<u64>,
    /// Resident memory above which the agent sheds work and complains.
    pub memory_bytes: Setting<u64>,
    /// Address space of a child that looks.
    pub child_memory_bytes: Setting<u64>,
    /// Open files and sockets.
    pub descriptors: Setting<u64>,
    /// How much the agent gives way to others, 0 to 19.
    pub nice: Setting<u64>,
    /// How often the readings of unchanged things are sent.
    pub readings_interval: Setting<Duration>,
    /// Collector and scope, as far as configured.
    pub scopes: BTreeMap<(String, String), ScopeConfig>,
}

impl Config {
    /// Reads the configuration. A missing file is fine when it is not asked for by name.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key or a value outside its bounds.
    pub fn load(path: &Path, is_required: bool) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let length = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_required => {
                return file::effective(None, file::File::default());
            }
            Err(error) => return Err(read(error)),
        };
        if length > FILE_BYTES_MAX {
            return Err(Error::TooLarge { path: path.to_owned(), bytes: length });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(path, &text)
    }

    /// The configuration of a file's text.
    ///
    /// # Errors
    /// When it has an unknown key or a value outside its bounds.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let file = toml::from_str(text).map_err(|error: toml::de::Error| Error::Invalid {
            path: path.to_owned(),
            reason: suggest::explain(&error, text),
        })?;
        file::effective(Some(path.to_owned()), file)
    }

    /// What is configured of a scope.
    #[must_use]
    pub fn scope(&self, collector: &str, scope: &str) -> ScopeConfig {
        self.scopes.get(&(collector.to_owned(), scope.to_owned())).copied().unwrap_or_default()
    }

    /// Every value by key, with its origin, for a person.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String, Origin)> {
        fn shown<T>(
            key: &str,
            setting: &Setting<T>,
            show: impl Fn(&T) -> String,
        ) -> (String, String, Origin) {
            (key.to_owned(), show(&setting.value), setting.origin)
        }
        let seconds = |duration: &Duration| format!("{}", duration.as_secs());
        let mega = |bytes: &u64| format!("{}", bytes / MEGABYTE);
        let none = || "(none)".to_owned();
        let mut lines = vec![
            shown("server", &self.server, |server| server.clone().unwrap_or_else(none)),
            shown("token_file", &self.token_file, |file| {
                file.as_ref().map_or_else(none, |file| file.display().to_string())
            }),
            shown("root", &self.root, |root| root.display().to_string()),
            shown("uplink.endpoints", &self.endpoints, |all| {
                if all.is_empty() { "(as told at enrollment)".to_owned() } else { all.join(", ") }
            }),
            shown("uplink.start_spread_seconds", &self.start_spread, |spread| {
                spread.as_ref().map_or_else(|| "2, or 10 after boot".to_owned(), seconds)
            }),
            shown("uplink.pause_max_seconds", &self.pause_max, seconds),
            shown("spool.size_mb", &self.spool_bytes, mega),
            shown("limits.memory_mb", &self.memory_bytes, mega),
            shown("limits.child_memory_mb", &self.child_memory_bytes, mega),
            shown("limits.descriptors", &self.descriptors, u64::to_string),
            shown("limits.nice", &self.nice, u64::to_string),
            shown("readings.interval_seconds", &self.readings_interval, seconds),
        ];
        for ((collector, scope), config) in &self.scopes {
            let mut line = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    let key = format!("collectors.{collector}.scopes.\"{scope}\".{name}");
                    lines.push((key, value, Origin::File));
                }
            };
            line("enabled", config.enabled.map(|yes| yes.to_string()));
            line("interval_seconds", config.interval.as_ref().map(seconds));
            line("time_limit_seconds", config.time_limit.as_ref().map(seconds));
        }
        lines
    }
}

/// What `_mb` means in keys.
pub(crate) const MEGABYTE: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Error> {
        Config::parse(Path::new("agent.toml"), text)
    }

    #[test]
    fn a_misspelled_key_is_refused_with_its_line_and_the_right_one() {
        let error = parse("[limits]\nmemory_bm = 3\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`memory_mb`"), "{error}");
        let error = parse("[collectors.host.scopes.mounts]\nintervall_seconds = 3\n").unwrap_err();
        assert!(error.to_string().contains("did you mean `interval_seconds`"), "{error}");
    }

    #[test]
    fn an_unknown_collector_or_scope_is_refused_with_the_known_ones() {
        let error = parse("[collectors.hots]\n").unwrap_err().to_string();
        assert!(error.contains("there is: host"), "{error}");
        let error = parse("[collectors.host.scopes.no_such_thing]\n").unwrap_err().to_string();
        assert!(error.contains("no_such_thing"), "{error}");
    }

    #[test]
    fn a_value_outside_its_bounds_is_refused_with_the_bounds() {
        let error = parse("[spool]\nsize_mb = 1\n").unwrap_err().to_string();
        assert!(error.contains("spool.size_mb") && error.contains("between"), "{error}");
        parse("[limits]\nnice = 20\n").unwrap_err();
    }

    #[test]
    fn values_know_where_they_come_from() {
        let mut config = parse("server = \"control.example.net:7444\"\n").unwrap();
        assert_eq!(config.server.origin, Origin::File);
        assert_eq!(config.spool_bytes.origin, Origin::Default);
        config.server.overrule(Some(Some("other.example.net:7444".into())));
        assert_eq!(config.server.origin, Origin::CommandLine);
        assert!(
            config
                .lines()
                .iter()
                .any(|(key, _, origin)| key == "server" && *origin == Origin::CommandLine)
        );
    }

    #[test]
    fn a_missing_file_is_fine_unless_it_was_named() {
        let path = Path::new("/nonexistent/agent.toml");
        assert!(Config::load(path, false).unwrap().file.is_none());
        assert!(matches!(Config::load(path, true), Err(Error::Read { .. })));
    }

    #[test]
    fn the_documented_defaults_are_a_valid_configuration() {
        let config = parse(&documentation()).unwrap();
        assert_eq!(config.spool_bytes.value, parse("").unwrap().spool_bytes.value);
    }
}
