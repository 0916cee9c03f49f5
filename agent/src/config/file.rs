//! The file's form, its defaults and its bounds. `documentation` is the commented file that packages install.

use super::{Config, Error, MEGABYTE, ScopeConfig, Setting};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    server: Option<String>,
    token_file: Option<PathBuf>,
    root: Option<PathBuf>,
    #[serde(default)]
    uplink: Uplink,
    #[serde(default)]
    spool: Spool,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    readings: Readings,
    #[serde(default)]
    collectors: BTreeMap<String, Collector>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Uplink {
    endpoints: Option<Vec<String>>,
    start_spread_seconds: Option<u64>,
    pause_max_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spool {
    size_mb: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    memory_mb: Option<u64>,
    child_memory_mb: Option<u64>,
    descriptors: Option<u64>,
    nice: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Readings {
    interval_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Collector {
    #[serde(default)]
    scopes: BTreeMap<String, Scope>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    enabled: Option<bool>,
    interval_seconds: Option<u64>,
    time_limit_seconds: Option<u64>,
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The most endpoints that are tried in order.
const ENDPOINTS_MAX: usize = 16;

/// Holds given numbers against their bounds.
struct Bounds {
    path: PathBuf,
}

impl Bounds {
    fn hold(
        &self,
        key: &str,
        value: Option<u64>,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, Error> {
        match value {
            Some(value) if !(least..=most).contains(&value) => Err(Error::OutOfBounds {
                path: self.path.clone(),
                key: key.to_owned(),
                value,
                least,
                most,
            }),
            value => Ok(value),
        }
    }

    fn invalid(&self, reason: String) -> Error {
        Error::Invalid { path: self.path.clone(), reason }
    }
}

/// What is in force when the file says this.
pub(super) fn effective(path: Option<PathBuf>, file: File) -> Result<Config, Error> {
    let bounds = Bounds { path: path.clone().unwrap_or_default() };
    let seconds = |key: &str, value, least, most| {
        bounds.hold(key, value, least, most).map(|value| value.map(Duration::from_secs))
    };
    let megabytes = |key: &str, value, least, most| {
        bounds.hold(key, value, least, most).map(|value| value.map(|value| value * MEGABYTE))
    };
    let endpoints = file.uplink.endpoints;
    if endpoints.as_ref().is_some_and(|all| all.len() > ENDPOINTS_MAX) {
        return Err(bounds.invalid(format!("`uplink.endpoints` has more than {ENDPOINTS_MAX}")));
    }
    let spread = seconds("uplink.start_spread_seconds", file.uplink.start_spread_seconds, 0, 3600)?;
    let pause = seconds("uplink.pause_max_seconds", file.uplink.pause_max_seconds, 1, 3600)?;
    // The least is what the spool itself needs; the most is what its list of segments stays small for.
    let spool = megabytes("spool.size_mb", file.spool.size_mb, 16, 1_000_000)?;
    let memory = megabytes("limits.memory_mb", file.limits.memory_mb, 16, 4096)?;
    let child = megabytes("limits.child_memory_mb", file.limits.child_memory_mb, 64, 65_536)?;
    let descriptors = bounds.hold("limits.descriptors", file.limits.descriptors, 64, 65_536)?;
    let nice = bounds.hold("limits.nice", file.limits.nice, 0, 19)?;
    let readings =
        seconds("readings.interval_seconds", file.readings.interval_seconds, 10, DAY_SECONDS)?;
    Ok(Config {
        server: Setting::of(file.server.map(Some), None),
        token_file: Setting::of(file.token_file.map(Some), None),
        root: Setting::of(file.root, PathBuf::from("/")),
        endpoints: Setting::of(endpoints, Vec::new()),
        start_spread: Setting::of(spread.map(Some), None),
        pause_max: Setting::of(pause, Duration::from_secs(300)),
        spool_bytes: Setting::of(spool, 256 * MEGABYTE),
        memory_bytes: Setting::of(memory, 64 * MEGABYTE),
        child_memory_bytes: Setting::of(child, 1024 * MEGABYTE),
        descriptors: Setting::of(descriptors, 256),
        nice: Setting::of(nice, 5),
        readings_interval: Setting::of(readings, Duration::from_secs(300)),
        scopes: scopes(&bounds, file.collectors)?,
        file: path,
    })
}

fn scopes(
    bounds: &Bounds,
    collectors: BTreeMap<String, Collector>,
) -> Result<BTreeMap<(String, String), ScopeConfig>, Error> {
    let mut scopes = BTreeMap::new();
    for (collector, section) in collectors {
        let known = crate::collectors::by_name(&collector).ok_or_else(|| {
            let known = crate::collectors::names();
            bounds.invalid(format!("there is no collector `{collector}`; there is: {known}"))
        })?;
        for (scope, given) in section.scopes {
            if known.manifest().scope(&scope).is_none() {
                let names = known.manifest().scopes.iter().map(|scope| scope.name);
                let hint = super::suggest::nearest(&scope, names)
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_else(|| format!("; there is: {}", known.manifest().scope_names()));
                return Err(bounds
                    .invalid(format!("the collector `{collector}` has no scope `{scope}`{hint}")));
            }
            let key = |name: &str| format!("collectors.{collector}.scopes.\"{scope}\".{name}");
            let seconds = |name: &str, value, least, most| {
                bounds
                    .hold(&key(name), value, least, most)
                    .map(|value| value.map(Duration::from_secs))
            };
            let config = ScopeConfig {
                enabled: given.enabled,
                interval: seconds("interval_seconds", given.interval_seconds, 1, 30 * DAY_SECONDS)?,
                time_limit: seconds("time_limit_seconds", given.time_limit_seconds, 1, 3600)?,
            };
            scopes.insert((collector.clone(), scope), config);
        }
    }
    Ok(scopes)
}

/// The configuration file with every key, its default and what it does.
#[must_use]
pub fn documentation() -> String {
    let defaults = effective(None, File::default());
    let Ok(defaults) = defaults else { return String::new() };
    let mut text = String::from(
        "# Configuration of dharma-agent. Every key is optional; what stands here are the defaults.\n\n\
         # Where to enroll, host:port, when the agent has no identity yet.\n\
         # server = \"control-plane.example.net:7444\"\n\
         # File with the join token; the agent deletes it after use.\n\
         # token_file = \"/etc/dharma/join-token\"\n\
         # Where the file system of the described host begins (images, tests).\n",
    );
    let explained = [
        (
            "uplink.start_spread_seconds",
            "The first connection comes after a random part of this (2 s; 10 s after boot).",
        ),
        ("uplink.pause_max_seconds", "The longest pause between two attempts to connect."),
        (
            "spool.size_mb",
            "What the spool may take of the disk; beyond it the oldest records are dropped and reported.",
        ),
        ("limits.memory_mb", "Resident memory above which the agent sheds work and complains."),
        ("limits.child_memory_mb", "Address space of the short-lived child that looks."),
        ("limits.descriptors", "Open files and sockets."),
        ("limits.nice", "How much the agent gives way to other processes, 0 to 19."),
        (
            "readings.interval_seconds",
            "How often the readings of things that did not change are sent.",
        ),
    ];
    text.push_str(&format!("root = \"{}\"\n", defaults.root.value.display()));
    let mut section = "";
    for (key, value, _) in defaults.lines() {
        let Some((name, why)) = explained.iter().find(|(name, _)| *name == key) else { continue };
        let Some((begins, last)) = name.split_once('.') else { continue };
        if begins != section {
            text.push_str(&format!("\n[{begins}]\n"));
            section = begins;
        }
        // A default that depends on the host is shown in the comment only.
        let sign = if value.parse::<u64>().is_ok() { "" } else { "# " };
        let value = if sign.is_empty() { value } else { "2".to_owned() };
        text.push_str(&format!("# {why}\n{sign}{last} = {value}\n"));
    }
    text.push_str(
        "\n# One scope of a collector (`dharma-agent collect host --list` names them):\n\
         # [collectors.host.scopes.\"packages.dpkg\"]\n\
         # enabled = true\n# interval_seconds = 3600\n# time_limit_seconds = 30\n",
    );
    text
}
