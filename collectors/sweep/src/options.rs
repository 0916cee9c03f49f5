//! What a target asks of a sweep: which addresses and ports, how fast, how gently, and by whose engine.

use crate::addresses::Addresses;
use crate::ports;
use collector::{CollectError, OptionDeclaration, Target};

/// The options of the manifest, in the order of the manual.
pub(crate) const DECLARED: &[OptionDeclaration] = &[
    OptionDeclaration {
        name: "profile",
        doc: "How far to look: `discovery` (what answers), `top_ports` (and which ports are open) or `services` (and what listens there). With the engine `nmap` also `os` and `safe_scripts`.",
        default: "services",
    },
    OptionDeclaration {
        name: "ports",
        doc: "TCP ports to ask for, such as `22,80,8000-8100`, or `top100` to `top1000` of our own ranking.",
        default: "top100",
    },
    OptionDeclaration {
        name: "exclude",
        doc: "Addresses that are never asked anything, written like the target's address.",
        default: "none",
    },
    OptionDeclaration {
        name: "rate",
        doc: "The most packets a second that begin something, 1 to 200000.",
        default: "10000, or 20 in fragile mode",
    },
    OptionDeclaration {
        name: "concurrency",
        doc: "The most connections that are being opened at once, 1 to 16384; never more than half of the descriptors that the agent may have.",
        default: "4096, or 8 in fragile mode",
    },
    OptionDeclaration {
        name: "fragile",
        doc: "Whether the target has devices that break easily: one connection at a time to each, nothing written into one, at a low rate.",
        default: "false",
    },
    OptionDeclaration {
        name: "half_open",
        doc: "Whether connections are left half open where the agent may open raw sockets (IPv4), which costs a third; never in fragile mode.",
        default: "true",
    },
    OptionDeclaration {
        name: "assume_up",
        doc: "Whether every address is asked for its ports, also where nothing answered first.",
        default: "false",
    },
    OptionDeclaration {
        name: "engine",
        doc: "Who sweeps: `builtin`, or `nmap` where that program is installed beside the agent.",
        default: "builtin",
    },
    OptionDeclaration {
        name: "nmap_file",
        doc: "A file of `nmap -oX` on the agent's host that is read instead of sweeping.",
        default: "none",
    },
];

/// How far a sweep looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// What answers.
    Discovery,
    /// And which ports are open.
    TopPorts,
    /// And what listens there.
    Services,
    /// And what the operating system may be (nmap only).
    Os,
    /// And what nmap's safe scripts say (nmap only).
    SafeScripts,
}

/// Who sweeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// We.
    Builtin,
    /// The program `nmap`.
    Nmap,
    /// Somebody before: a saved report of nmap.
    File(String),
}

/// What the packets of a sweep may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The most packets a second that begin something.
    pub rate: u32,
    /// The most connections that are being opened at once.
    pub concurrency: usize,
    /// Whether each address has one connection at a time and is written nothing.
    pub is_fragile: bool,
    /// Whether connections may be left half open.
    pub is_half_open: bool,
}

/// The most packets a second that can be asked for: what one core sends through the kernel at all.
const RATE_MAX: u32 = 200_000;
/// A rate that a branch office's line and firewall bear: 10,000 of 60 bytes are 5 Mbit/s.
const RATE_USUAL: u32 = 10_000;
/// A rate that a controller from the nineties bears.
const RATE_FRAGILE: u32 = 20;
/// The most connections that can be asked for.
const CONCURRENCY_MAX: usize = 16_384;
const CONCURRENCY_USUAL: usize = 4096;
const CONCURRENCY_FRAGILE: usize = 8;

/// What a target asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which addresses.
    pub addresses: Addresses,
    /// Which ports, in the order in which they are asked for; empty for discovery.
    pub ports: Vec<u16>,
    /// How far to look.
    pub profile: Profile,
    /// What it may cost.
    pub pace: Pace,
    /// Whether every address is asked for its ports.
    pub is_assumed_up: bool,
    /// Who sweeps.
    pub engine: Engine,
}

impl Options {
    /// Reads a target.
    ///
    /// # Errors
    /// With what to write instead, when something cannot be used.
    pub fn of(target: &Target) -> Result<Self, CollectError> {
        let wrong = |what: String| CollectError::Misconfigured { target: target.id.clone(), what };
        let Some(remote) = &target.remote else {
            return Err(wrong(
                "a sweep needs addresses; write a prefix such as 192.0.2.0/24".into(),
            ));
        };
        let excluded = remote.option("exclude").unwrap_or_default();
        let addresses = Addresses::parse(&remote.address, excluded)
            .map_err(|error| wrong(error.to_string()))?;
        let engine = match (remote.option("nmap_file"), remote.option("engine")) {
            (Some(file), _) => Engine::File(file.to_owned()),
            (None, None | Some("builtin")) => Engine::Builtin,
            (None, Some("nmap")) => Engine::Nmap,
            (None, Some(_)) => return Err(wrong("`engine` is `builtin` or `nmap`".into())),
        };
        let profile = profile(remote.option("profile"), &engine).map_err(wrong)?;
        let ports = match profile {
            Profile::Discovery => Vec::new(),
            _ => ports::parse(remote.option("ports").unwrap_or("top100"))
                .map_err(|error| wrong(error.to_string()))?,
        };
        let is_fragile = flag("fragile", remote.option("fragile"), false).map_err(wrong)?;
        let is_half_open = flag("half_open", remote.option("half_open"), true).map_err(wrong)?;
        let (rate, concurrency) = if is_fragile {
            (RATE_FRAGILE, CONCURRENCY_FRAGILE)
        } else {
            (RATE_USUAL, CONCURRENCY_USUAL)
        };
        let rate = number("rate", remote.option("rate"), rate, RATE_MAX).map_err(wrong)?;
        let concurrency =
            number("concurrency", remote.option("concurrency"), concurrency, CONCURRENCY_MAX)
                .map_err(wrong)?;
        let is_assumed_up = flag("assume_up", remote.option("assume_up"), false).map_err(wrong)?;
        let is_half_open = is_half_open && !is_fragile;
        let pace = Pace { rate, concurrency, is_fragile, is_half_open };
        Ok(Self { addresses, ports, profile, pace, is_assumed_up, engine })
    }
}

fn profile(text: Option<&str>, engine: &Engine) -> Result<Profile, String> {
    match (text, engine) {
        (Some("discovery"), _) => Ok(Profile::Discovery),
        (Some("top_ports"), _) => Ok(Profile::TopPorts),
        (None | Some("services"), _) => Ok(Profile::Services),
        (Some("os"), Engine::Nmap) => Ok(Profile::Os),
        (Some("safe_scripts"), Engine::Nmap) => Ok(Profile::SafeScripts),
        (Some("os" | "safe_scripts"), _) => {
            Err("the profiles `os` and `safe_scripts` need `engine` to be `nmap`".to_owned())
        }
        _ => {
            Err("`profile` is `discovery`, `top_ports`, `services`, `os` or `safe_scripts`".into())
        }
    }
}

fn flag(name: &str, text: Option<&str>, usual: bool) -> Result<bool, String> {
    match text {
        None => Ok(usual),
        Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(format!("`{name}` is `true` or `false`")),
    }
}

fn number<N>(name: &str, text: Option<&str>, usual: N, max: N) -> Result<N, String>
where
    N: std::str::FromStr + PartialOrd + From<u8> + std::fmt::Display,
{
    let Some(text) = text else { return Ok(usual) };
    match text.parse::<N>() {
        Ok(number) if number >= N::from(1) && number <= max => Ok(number),
        _ => Err(format!("`{name}` is a number from 1 to {max}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector::Remote;

    fn of(address: &str, options: &[(&str, &str)]) -> Result<Options, String> {
        let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let remote = Remote {
            address: address.into(),
            port: None,
            options: options.collect(),
            credentials: Vec::new(),
        };
        Options::of(&Target::remote("office", "berlin", remote)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_what_to_write() {
        for (name, value) in [
            ("profile", "everything"),
            ("profile", "os"),
            ("ports", "http"),
            ("rate", "0"),
            ("rate", "fast"),
            ("concurrency", "100000"),
            ("fragile", "yes"),
            ("engine", "masscan"),
            ("exclude", "here"),
        ] {
            let error = of("192.0.2.0/24", &[(name, value)]).unwrap_err();
            assert!(error.contains("office"), "{name}: {error}");
        }
        assert!(of("everywhere", &[]).unwrap_err().contains("192.0.2.0/24"));
        let own = Target::own_host("agent", "berlin");
        assert!(Options::of(&own).is_err());
    }

    #[test]
    fn a_fragile_target_is_asked_slowly_unless_it_says_otherwise() {
        let usual = of("192.0.2.0/24", &[]).unwrap();
        assert_eq!((usual.pace.rate, usual.ports.len()), (RATE_USUAL, 100));
        let gentle = of("192.0.2.0/24", &[("fragile", "true")]).unwrap();
        assert!(gentle.pace.is_fragile && gentle.pace.rate == RATE_FRAGILE);
        let own = of("192.0.2.0/24", &[("fragile", "true"), ("rate", "5")]).unwrap();
        assert_eq!(own.pace.rate, 5);
        let found = of("192.0.2.0/24", &[("profile", "discovery")]).unwrap();
        assert!(found.ports.is_empty());
        let nmap = of("192.0.2.0/24", &[("engine", "nmap"), ("profile", "os")]).unwrap();
        assert_eq!((nmap.engine, nmap.profile), (Engine::Nmap, Profile::Os));
    }
}
