//! The sweep: finds what answers on a network, which ports are open, and what listens there.
//!
//! The built-in engine needs neither nmap nor a right: it connects, many addresses at once, with timers of its own. It
//! asks for echoes where that is permitted, reads the kernel's table of neighbors, and asks what answers for its name
//! and for what it speaks. Where nmap is installed, that program can sweep instead, and a saved report of it be read.
//!
//! Invariants: packets a second, sockets, bytes and time are bounded; what an answer says is never executed and never
//! believed to be more than a text; a firewall that answers for everybody is told once and not as hundreds of hosts.
//! A silent address counts as empty only when everything was asked.
//!
//! Deliberately not here: weaknesses, passwords, and whatever else could harm or impress its target.

mod addresses;
mod ask;
mod builtin;
mod datagram;
mod echo;
mod fingerprint;
mod found;
mod identify;
mod neighbors;
mod nmap;
mod observe;
mod options;
mod pace;
mod phantom;
mod ports;
mod sweep;
mod text;
mod tls;
mod worker;
mod x509;

pub use addresses::{ADDRESSES_MAX, Addresses, InvalidAddresses};
pub use found::{Host, Sign, Swept};
pub use options::{Engine, Options, Pace, Profile};
pub use ports::{InvalidPorts, parse as parse_ports, top as top_ports};

use async_trait::async_trait;
use collector::{
    CollectError, Collector, Manifest, Platform, Privilege, Run, ScopeDeclaration, Target,
};
use model::classes::{certificate, discovered_host, listening_endpoint};
use model::{Coverage, relationships};
use std::time::Duration;

/// The name of this collector.
pub const NAME: &str = "sweep";

/// The name of its scope.
pub const SCOPE: &str = "hosts";

/// Sweeps networks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SweepCollector;

static MANIFEST: Manifest = Manifest {
    name: NAME,
    summary: "Sweeps networks: what answers at an address, which ports are open and what listens there.",
    scopes: &[ScopeDeclaration {
        name: SCOPE,
        summary: "What answers at the addresses of the target, with open ports, services and certificates.",
        classes: &[
            discovered_host::CLASS.name,
            listening_endpoint::CLASS.name,
            certificate::CLASS.name,
        ],
        // Networks change by the day; a sweep is traffic that others notice.
        interval: Duration::from_secs(24 * 3600),
        // Four networks of 16 bits at the usual rate.
        time_limit: Duration::from_secs(4 * 3600),
        is_volatile: false,
    }],
    relationships: &[relationships::SECURED_BY],
    privileges: &[
        Privilege {
            needs: "the agent's group within net.ipv4.ping_group_range, or CAP_NET_RAW (root)",
            without: "hosts that answer an ICMP echo and nothing else",
        },
        Privilege {
            needs: "a place on the network segment of the target",
            without: "hardware addresses, and hosts that answer nothing but ARP or neighbor discovery",
        },
        Privilege {
            needs: "the program nmap, and root for some of its profiles (only with `engine` `nmap`)",
            without: "guesses of the operating system and the answers of nmap's safe scripts",
        },
    ],
    platforms: &[Platform::Linux, Platform::Windows],
    credentials: &[],
    options: options::DECLARED,
    is_remote: true,
};

#[async_trait]
impl Collector for SweepCollector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn collect(
        &self,
        target: &Target,
        scope: &str,
        run: &mut Run<'_>,
    ) -> Result<Coverage, CollectError> {
        if scope != SCOPE {
            return Err(CollectError::UnknownScope {
                collector: NAME,
                scope: scope.to_owned(),
                known: MANIFEST.scope_names(),
            });
        }
        let options = Options::of(target)?;
        match &options.engine {
            Engine::Builtin => builtin::collect(target, &options, run).await,
            Engine::Nmap => nmap::sweep(target, &options, run).await,
            Engine::File(path) => nmap::import(target, &options, path, run).await,
        }
    }
}

/// Sweeps with the built-in engine and gives what answered, without looking at what listens there and whether it is
/// to be believed: for measuring.
///
/// # Errors
/// When the host has no threads, descriptors or event queues left.
pub async fn sweep_addresses(options: &Options) -> std::io::Result<Swept> {
    sweep::sweep(options, &mut |_, _, _| {}).await
}
