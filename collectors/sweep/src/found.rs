//! What a sweep found, before it becomes observations.

use crate::datagram::Said;
use crate::identify::Service;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// How an address showed that something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// It answered an ICMP echo.
    Echo,
    /// It accepted or refused a connection.
    Tcp,
    /// It answered a question by UDP.
    Udp,
    /// The kernel resolved its hardware address.
    Neighbor,
    /// Another scanner's report says so.
    Report,
}

impl Sign {
    /// The word that observations use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "icmp_echo",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Neighbor => "neighbor",
            Self::Report => "report",
        }
    }
}

/// A port that accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) service: Service,
}

/// Something that answers at an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Host {
    pub(crate) address: Option<IpAddr>,
    pub(crate) distance: Option<Duration>,
    pub(crate) signs: BTreeSet<Sign>,
    pub(crate) has_refused: bool,
    /// By protocol and port.
    pub(crate) listeners: BTreeMap<(&'static str, u16), Listener>,
    pub(crate) mac_address: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) ssh_host_keys: Vec<String>,
    pub(crate) os_guess: Option<String>,
    pub(crate) said: Said,
    pub(crate) doubts: Option<String>,
}

impl Host {
    pub(crate) fn at(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// The TCP ports that accept.
    pub fn open_ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.listeners.keys().filter(|(protocol, _)| *protocol == "tcp").map(|(_, port)| *port)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

/// What a sweep of addresses found and what it cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Swept {
    /// What answered, by address.
    pub hosts: BTreeMap<IpAddr, Host>,
    /// Packets that began something.
    pub packets: u64,
    /// The most sockets that were open at once.
    pub sockets_max: usize,
    /// Questions that this host itself could not ask.
    pub unasked: u64,
    /// Why the first of them could not be asked.
    pub unasked_why: Option<String>,
    /// Why echoes were not asked for, when they were not.
    pub echo_refused: Option<String>,
}
