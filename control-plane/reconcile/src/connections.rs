//! Binding connections to listeners: an agent reports sockets with an address and a port; which item stands behind
//! them is decided here, and decided again when a listener or an address appears or goes.
//!
//! The rule: an address of the client's own host (or one that means the host itself, such as 127.0.0.1) leads to a
//! listener of that host; an address that exactly one host of the same site has leads to a listener there; anything
//! else becomes a remote endpoint within the client's host, until an item is known behind it.
//!
//! Also kept here is everything else that waits: statements whose other end, and parts whose parent is not known.

use crate::change::Word;
use crate::index::Sight;
use crate::{Error, Past, Reconciler};
use model::classes::{listening_endpoint, network_interface, remote_endpoint};
use model::decision::{
    EndpointRecord, Number, ObservationRecord, RelationEnd, RelationRecord, WaitingRecord,
    native_hash,
};
use model::observation::local_key;
use model::run::ContentHash;
use model::{Name, Observation, SourceId, Timestamp, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

/// The collector's name of what reconciliation itself observes: remote endpoints.
pub(crate) const SELF: &str = "reconcile";
/// The scope in which it observes them.
const SCOPE: &str = "remote_endpoints";

type EndpointId = (Number, String, String, u16);

/// A listener as binding sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listener {
    is_in_host: bool,
    item: Number,
    protocol: String,
    address: Option<IpAddr>,
}

/// What waits, and what connections are bound to.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    waiting: HashMap<u64, Vec<WaitingRecord>>,
    orphans: HashMap<u64, Vec<ObservationRecord>>,
    orphan_parents: HashMap<Number, u64>,
    was_orphan: HashSet<Number>,
    endpoints: BTreeMap<EndpointId, EndpointRecord>,
    by_address: HashMap<(String, u16), BTreeSet<EndpointId>>,
    ports_of_address: HashMap<String, BTreeSet<u16>>,
    by_host: HashMap<(Number, u16), BTreeSet<EndpointId>>,
    by_client: HashMap<Number, BTreeSet<EndpointId>>,
    listeners: HashMap<(Number, u16), BTreeSet<Listener>>,
    /// Addresses of hosts in their site, with how many interfaces say so.
    hosts_of_address: HashMap<(String, IpAddr), BTreeMap<Number, u32>>,
    addresses_of_host: HashMap<Number, BTreeMap<IpAddr, u32>>,
    /// Remote endpoints in use, by native key.
    remotes: HashMap<u64, u32>,
    touched: BTreeSet<EndpointId>,
}

fn id_of(record: &EndpointRecord) -> EndpointId {
    (record.observation, record.protocol.clone(), record.address.clone(), record.port)
}

fn parsed(address: &str) -> Option<IpAddr> {
    let address = address.split(['%', '/']).next()?;
    let address: IpAddr = address.parse().ok()?;
    Some(address.to_canonical())
}

impl Connections {
    pub(crate) fn know_waiting(&mut self, record: WaitingRecord) {
        self.waiting.entry(record.hash).or_default().push(record);
    }

    pub(crate) fn stop_waiting(&mut self, record: &WaitingRecord) -> bool {
        let Some(waiting) = self.waiting.get_mut(&record.hash) else { return false };
        let before = waiting.len();
        waiting.retain(|held| held.observation != record.observation || held.verb != record.verb);
        let has_stopped = waiting.len() < before;
        if waiting.is_empty() {
            self.waiting.remove(&record.hash);
        }
        has_stopped
    }

    pub(crate) fn take_waiting(&mut self, hash: u64) -> Vec<WaitingRecord> {
        self.waiting.remove(&hash).unwrap_or_default()
    }

    pub(crate) fn add_orphan(&mut self, parent: u64, record: ObservationRecord) {
        self.was_orphan.insert(record.number);
        self.orphan_parents.insert(record.number, parent);
        self.orphans.entry(parent).or_default().push(record);
    }

    pub(crate) fn take_orphans(&mut self, parent: u64) -> Vec<ObservationRecord> {
        let found = self.orphans.remove(&parent).unwrap_or_default();
        for record in &found {
            self.orphan_parents.remove(&record.number);
        }
        found
    }

    pub(crate) fn take_orphan(&mut self, number: Number) -> Option<ObservationRecord> {
        let parent = self.orphan_parents.remove(&number)?;
        let orphans = self.orphans.get_mut(&parent)?;
        let place = orphans.iter().position(|record| record.number == number)?;
        Some(orphans.swap_remove(place))
    }

    /// Whether an observation was written without an item; it no longer is from now on.
    pub(crate) fn was_orphan(&mut self, number: Number) -> bool {
        self.was_orphan.remove(&number)
    }

    pub(crate) fn know_endpoint(&mut self, record: EndpointRecord) {
        self.add(record);
        self.touched.clear();
    }

    pub(crate) fn know_remote(&mut self, native: u64) {
        let count = self.remotes.entry(native).or_default();
        *count = count.saturating_add(1);
    }

    /// Forgets what was touched: everything is bound as it was stored.
    pub(crate) fn settle(&mut self) {
        self.touched.clear();
    }

    /// A connection that is to be bound.
    pub(crate) fn add(&mut self, record: EndpointRecord) {
        let id = id_of(&record);
        let address = parsed(&record.address).map_or(record.address.clone(), |ip| ip.to_string());
        self.by_address.entry((address.clone(), record.port)).or_default().insert(id.clone());
        self.ports_of_address.entry(address).or_default().insert(record.port);
        self.by_host.entry((record.host, record.port)).or_default().insert(id.clone());
        self.by_client.entry(record.client).or_default().insert(id.clone());
        self.endpoints.insert(id.clone(), record);
        self.touched.insert(id);
    }

    fn remove(&mut self, id: &EndpointId) -> Option<EndpointRecord> {
        let record = self.endpoints.remove(id)?;
        let address = parsed(&record.address).map_or(record.address.clone(), |ip| ip.to_string());
        let place = (address, record.port);
        if let Some(ids) = self.by_address.get_mut(&place) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_address.remove(&place);
                if let Some(ports) = self.ports_of_address.get_mut(&place.0) {
                    ports.remove(&place.1);
                }
            }
        }
        let place = (record.host, record.port);
        if let Some(ids) = self.by_host.get_mut(&place) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_host.remove(&place);
            }
        }
        if let Some(ids) = self.by_client.get_mut(&record.client) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_client.remove(&record.client);
            }
        }
        self.touched.remove(id);
        Some(record)
    }

    /// The connections of a client are those of another host from now on, and are bound again. Gives them.
    pub(crate) fn move_client(&mut self, client: Number, host: Number) -> Vec<EndpointRecord> {
        let ids: Vec<EndpointId> =
            self.by_client.get(&client).into_iter().flatten().cloned().collect();
        let mut moved = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(record) = self.remove(&id) else { continue };
            let record = EndpointRecord { host, ..record };
            self.add(record.clone());
            moved.push(record);
        }
        moved
    }

    /// A listener of a host came or went.
    fn note_listener(&mut self, host: Number, port: u16, listener: Listener, is_there: bool) {
        let listeners = self.listeners.entry((host, port)).or_default();
        let is_change =
            if is_there { listeners.insert(listener) } else { listeners.remove(&listener) };
        if !is_change {
            return;
        }
        if let Some(ids) = self.by_host.get(&(host, port)) {
            self.touched.extend(ids.iter().cloned());
        }
        let addresses = self.addresses_of_host.get(&host);
        for address in addresses.into_iter().flat_map(BTreeMap::keys) {
            if let Some(ids) = self.by_address.get(&(address.to_string(), port)) {
                self.touched.extend(ids.iter().cloned());
            }
        }
    }

    /// An interface of a host has, or no longer has, an address.
    fn note_address(&mut self, site: &str, host: Number, address: IpAddr, is_there: bool) {
        let own = self.addresses_of_host.entry(host).or_default();
        count(own, address, is_there);
        if is_of_site(address) {
            let hosts = self.hosts_of_address.entry((site.to_owned(), address)).or_default();
            count(hosts, host, is_there);
        }
        let ports = self.ports_of_address.get(&address.to_string()).into_iter().flatten();
        for port in ports {
            if let Some(ids) = self.by_address.get(&(address.to_string(), *port)) {
                self.touched.extend(ids.iter().cloned());
            }
        }
    }

    /// The listener behind a connection, when one is known.
    fn resolve(&self, site: &str, record: &EndpointRecord) -> Option<Number> {
        let address = parsed(&record.address)?;
        let is_own = address.is_loopback()
            || self
                .addresses_of_host
                .get(&record.host)
                .is_some_and(|own| own.contains_key(&address));
        let host = if is_own {
            record.host
        } else {
            let hosts = self.hosts_of_address.get(&(site.to_owned(), address))?;
            // An address that several hosts have names none of them.
            let mut hosts = hosts.keys();
            let host = *hosts.next()?;
            if hosts.next().is_some() {
                return None;
            }
            host
        };
        let listeners = self.listeners.get(&(host, record.port))?;
        let fits = |listener: &&Listener| {
            listener.protocol == record.protocol
                && listener.address.is_none_or(|bound| {
                    bound == address
                        || (bound.is_unspecified() && (bound.is_ipv6() || address.is_ipv4()))
                })
        };
        // The host's own namespace comes before those of containers, an exact address before all of them.
        let rank = |listener: &&Listener| {
            (!listener.is_in_host, listener.address != Some(address), listener.item)
        };
        listeners.iter().filter(fits).min_by_key(rank).map(|listener| listener.item)
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K, is_there: bool) {
    if is_there {
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
    } else if let Some(count) = counts.get_mut(&key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// Whether an address means one thing in its site. Loopback and link-local addresses mean the host itself.
fn is_of_site(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() && !is_link_local
}

fn text<'a>(seen: &'a Observation, name: &str) -> Option<&'a str> {
    seen.facts.get(name).and_then(Value::as_text)
}

impl Reconciler {
    /// Takes a listener or an interface into, or out of, what connections are bound by.
    pub(crate) fn note_network(&mut self, record: &ObservationRecord, is_there: bool) {
        let seen = &record.seen;
        let is_there = is_there && record.absent_at.is_none();
        let Some(host) = self.index.item(record.item).map(|item| item.parent) else { return };
        if seen.class == listening_endpoint::CLASS.name {
            let port =
                text(seen, listening_endpoint::PORT.name()).and_then(|port| port.parse().ok());
            let (Some(port), Some(protocol)) =
                (port, text(seen, listening_endpoint::PROTOCOL.name()))
            else {
                return;
            };
            let namespace = text(seen, listening_endpoint::NAMESPACE.name());
            let listener = Listener {
                is_in_host: namespace.is_none_or(|namespace| namespace == "host"),
                item: record.item,
                protocol: protocol.to_owned(),
                address: text(seen, listening_endpoint::ADDRESS.name()).and_then(parsed),
            };
            self.connections.note_listener(host, port, listener, is_there);
        } else if seen.class == network_interface::CLASS.name
            && let Some(Value::List(addresses)) =
                seen.facts.get(network_interface::ADDRESSES.name())
        {
            let source = self.index.sources.get(&record.source);
            let site = source.map(|source| source.site.clone()).unwrap_or_default();
            for address in addresses.iter().filter_map(Value::as_text).filter_map(parsed) {
                self.connections.note_address(&site, host, address, is_there);
            }
        }
    }

    /// Binds every connection that something touched.
    pub(crate) fn bind_connections(&mut self, past: &dyn Past) -> Result<(), Error> {
        let touched = std::mem::take(&mut self.connections.touched);
        for id in touched {
            let Some(record) = self.connections.endpoints.get(&id).cloned() else { continue };
            let source = self.index.sources.get(&record.source);
            let site = source.map(|source| source.site.clone()).unwrap_or_default();
            let at = if record.bound == 0 { record.since } else { self.decision.recorded_at };
            let to = match self.connections.resolve(&site, &record) {
                Some(listener) => listener,
                None => self.remote_endpoint(past, &record, at)?,
            };
            if to != record.bound {
                self.bind(past, record, to, at)?;
            }
        }
        Ok(())
    }

    fn bind(
        &mut self,
        past: &dyn Past,
        mut record: EndpointRecord,
        to: Number,
        at: Timestamp,
    ) -> Result<(), Error> {
        let was_bound = record.bound != 0;
        if was_bound {
            self.unbind(&record, at);
            self.release_remote(past, &record, at)?;
        }
        record.bound = to;
        record.since = at;
        let EndpointRecord { protocol, address, port, .. } = &record;
        let begun = RelationRecord {
            from: record.client,
            verb: record.verb.clone(),
            to,
            source: record.source,
            owner: record.observation,
            since: at,
            evidence: format!("connected to {protocol} {address} port {port}"),
        };
        self.relate(begun, was_bound);
        if self.index.class_of(to).is_some_and(|class| *class == remote_endpoint::CLASS.name)
            && let Some((_, native)) = self.remote_name(&record)
        {
            self.connections.know_remote(native);
        }
        self.connections.endpoints.insert(id_of(&record), record.clone());
        self.decision.endpoints.push(record);
        Ok(())
    }

    fn unbind(&mut self, record: &EndpointRecord, at: Timestamp) {
        let end = RelationEnd {
            from: record.client,
            verb: record.verb.clone(),
            to: record.bound,
            owner: record.observation,
            until: at,
        };
        self.unrelate(end, record.source);
    }

    /// An observation no longer states a connection.
    pub(crate) fn disconnect(
        &mut self,
        past: &dyn Past,
        observation: &ObservationRecord,
        (protocol, address, port): (&str, &str, u16),
        until: Timestamp,
    ) -> Result<(), Error> {
        let id = (observation.number, protocol.to_owned(), address.to_owned(), port);
        let Some(record) = self.connections.remove(&id) else { return Ok(()) };
        if record.bound == 0 {
            return Ok(());
        }
        self.unbind(&record, until);
        self.release_remote(past, &record, until)?;
        self.decision.endpoints.retain(|written| id_of(written) != id);
        self.decision.endpoints_removed.push(record);
        Ok(())
    }

    /// The source and the native key under which a remote endpoint is observed.
    fn remote_name(&self, record: &EndpointRecord) -> Option<(SourceId, u64)> {
        let target = &self.index.sources.get(&record.source)?.id.target;
        let id = SourceId { collector: SELF.to_owned(), target: target.clone() };
        let native = native_hash(&id, &remote_key(record));
        Some((id, native))
    }

    /// The remote endpoint that stands for a connection whose other end is unknown.
    fn remote_endpoint(
        &mut self,
        past: &dyn Past,
        record: &EndpointRecord,
        at: Timestamp,
    ) -> Result<Number, Error> {
        let Some((id, native)) = self.remote_name(record) else { return Ok(0) };
        let known = self.index.sources.get(&record.source);
        let (agent, site) = known
            .map_or((model::AgentId::from_bytes([0; 16]), String::new()), |known| {
                (known.agent, known.site.clone())
            });
        let source = self.source(&id, agent, &site)?;
        let scope = self.scope(source, SCOPE)?;
        if let Some(state) = self.scope_state_mut(scope) {
            state.coverage = model::Coverage::complete();
            state.looked_at = state.looked_at.max(at);
            state.complete_at = Some(state.looked_at);
        }
        let seen = observed_remote(record);
        let body = format!("{:?}", seen.facts);
        let content = ContentHash::of(&seen.class, &seen.native_key, body.as_bytes()).0;
        let sight = Sight { source, scope, native, content, at, mark: 0 };
        if !self.is_unchanged(&sight) {
            self.observe_in(past, &sight, seen, record.host)?;
        }
        Ok(self.index.natives.get(&native).map_or(0, |known| known.item))
    }

    /// One connection less leads to a remote endpoint; the last one takes it along.
    fn release_remote(
        &mut self,
        past: &dyn Past,
        record: &EndpointRecord,
        at: Timestamp,
    ) -> Result<(), Error> {
        let is_remote = self
            .index
            .class_of(record.bound)
            .is_some_and(|class| *class == remote_endpoint::CLASS.name);
        let Some((id, native)) = self.remote_name(record).filter(|_| is_remote) else {
            return Ok(());
        };
        let count = self.connections.remotes.entry(native).or_default();
        *count = count.saturating_sub(1);
        if *count > 0 {
            return Ok(());
        }
        self.connections.remotes.remove(&native);
        let Some(source) = self.index.source_numbers.get(&id).copied() else { return Ok(()) };
        let scope = self.scope(source, SCOPE)?;
        self.disappear(past, native, scope, at)
    }

    /// Ends the loading: puts parts under their parents, and counts which remote endpoints the known connections are bound to.
    pub fn settle(&mut self) {
        self.index.link_parts();
        let records: Vec<EndpointRecord> = self.connections.endpoints.values().cloned().collect();
        for record in records {
            let is_remote = self
                .index
                .class_of(record.bound)
                .is_some_and(|class| *class == remote_endpoint::CLASS.name);
            if is_remote && let Some((_, native)) = self.remote_name(&record) {
                self.connections.know_remote(native);
            }
        }
        self.connections.settle();
        self.dependencies.settle();
    }

    /// Who says that an item changed because of a connection.
    pub(crate) fn word_of(&self, record: &ObservationRecord, at: Timestamp) -> Word {
        Word { item: record.item, source: record.source, at }
    }
}

fn remote_key(record: &EndpointRecord) -> String {
    let port = record.port.to_string();
    let local = local_key(&[&record.protocol, &record.address, &port]);
    format!("{}/{}/{local}", record.within, remote_endpoint::CLASS.name)
}

fn observed_remote(record: &EndpointRecord) -> Observation {
    let EndpointRecord { protocol, address, port, .. } = record;
    let mut seen = Observation::of(&remote_endpoint::CLASS, remote_key(record))
        .with(&remote_endpoint::PROTOCOL, protocol.as_str())
        .with(&remote_endpoint::ADDRESS, address.as_str())
        .with(&remote_endpoint::PORT, port.to_string())
        .with(&remote_endpoint::NAME, format!("{protocol} {address} port {port}"));
    seen.class = Name::Borrowed(remote_endpoint::CLASS.name);
    seen
}
