//! Realms: the scopes inside which a value means one thing, and which types of keys need one.
//!
//! Invariant: what is the same on every host (loopback, link-local, container bridges) means nothing outside that
//! host, so nothing is ever merged by 127.0.0.1, fe80::1 or 172.17.0.1.

use super::NoEvidence;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// The scope inside which a value means one thing: a site, a VRF, a tenant, an account, a host.
///
/// Empty means everywhere. Loopback, link-local and container-bridge addresses have their host as realm.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Realm(pub String);

const HOST: &str = "host:";

impl Realm {
    /// Everywhere.
    #[must_use]
    pub fn everywhere() -> Self {
        Self::default()
    }

    /// Inside the site of that name.
    #[must_use]
    pub fn site(name: &str) -> Self {
        Self(format!("site:{name}"))
    }

    /// Inside the host that is known by that id: an agent's id, a machine id.
    #[must_use]
    pub fn host(id: &str) -> Self {
        Self(format!("{HOST}{id}"))
    }

    /// Inside a routing domain: a VRF by route distinguisher or by site and name, a VPC or VNet by its id.
    #[must_use]
    pub fn network(id: &str) -> Self {
        Self(format!("network:{id}"))
    }

    /// Inside an account, project, subscription or tenant.
    #[must_use]
    pub fn account(id: &str) -> Self {
        Self(format!("account:{id}"))
    }

    /// Inside what one manager manages: a Kubernetes cluster by the uid of its namespace `kube-system`, a vCenter by
    /// its instance UUID, a hypervisor by its UUID.
    #[must_use]
    pub fn manager(id: &str) -> Self {
        Self(format!("manager:{id}"))
    }

    /// Whether it is everywhere.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is a single host.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.0.strip_prefix(HOST).is_some_and(|id| !id.is_empty())
    }

    /// The realm of an address that was seen on `host` in `network`: the host for what every host has.
    #[must_use]
    pub fn of_address(address: IpAddr, network: &Self, host: &Self) -> Self {
        if is_host_only(address) || is_bridge(address) { host.clone() } else { network.clone() }
    }
}

/// Where the values of a type mean one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RealmRule {
    /// Everywhere; a realm that a source gives is dropped, so that sources agree.
    Everywhere,
    /// In the realm that the source gives, if any.
    Kept,
    /// Only inside a realm: without one it is no evidence.
    Needed,
    /// As an address: in the realm that the source gives; loopback, link-local and unspecified ones only in a host.
    Address,
}

impl RealmRule {
    /// The realm of a normalized value.
    pub(super) fn apply(self, realm: Realm, value: &str) -> Result<Realm, NoEvidence> {
        match self {
            Self::Everywhere => Ok(Realm::everywhere()),
            Self::Kept => Ok(realm),
            Self::Needed if realm.is_everywhere() => Err(NoEvidence::RealmMissing),
            Self::Needed => Ok(realm),
            Self::Address => {
                let is_host_only = value.parse().is_ok_and(is_host_only);
                if is_host_only && !realm.is_host() {
                    return Err(NoEvidence::HostRealmMissing);
                }
                Ok(realm)
            }
        }
    }
}

/// Whether every host has this address for itself.
#[must_use]
pub fn is_host_only(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => four.is_loopback() || four.is_link_local() || four.is_unspecified(),
        IpAddr::V6(six) => six.is_loopback() || six.is_unicast_link_local() || six.is_unspecified(),
    }
}

/// The networks that container engines and libvirt give to the bridge on every host, with their prefix lengths.
const BRIDGES: [(Ipv4Addr, u32); 3] = [
    (Ipv4Addr::new(172, 17, 0, 0), 16),
    (Ipv4Addr::new(10, 88, 0, 0), 16),
    (Ipv4Addr::new(192, 168, 122, 0), 24),
];

fn is_bridge(address: IpAddr) -> bool {
    let IpAddr::V4(address) = address.to_canonical() else { return false };
    BRIDGES.iter().any(|(network, prefix)| {
        let shift = u32::BITS.saturating_sub(*prefix);
        u32::from(address).checked_shr(shift) == u32::from(*network).checked_shr(shift)
    })
}
