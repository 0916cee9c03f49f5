//! A run of the built-in engine: sweep, look at what listens, tell phantoms from hosts, observe.

use crate::found::{Host, Listener, Sign, Swept};
use crate::identify::{self, OpenPort};
use crate::options::{Options, Profile};
use crate::{datagram, observe, phantom, sweep};
use collector::{CollectError, Run, Target};
use environment::SystemRandomness;
use futures::StreamExt;
use model::Coverage;
use model::run::CoverageReason;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Ports that are looked at at once; each takes a descriptor and some kilobytes.
const LOOKED_AT_ONCE: usize = 128;

/// In fragile mode: few at once, and never two of one host.
const LOOKED_AT_ONCE_FRAGILE: usize = 4;

/// The most ports of one host that are looked at: more belong to something that accepts everything.
const LOOKED_PER_HOST: usize = 256;

/// After so many of its ports were looked at, the progress is told.
const TOLD_EACH: usize = 64;

/// Runs the built-in engine.
pub(crate) async fn collect(
    target: &Target,
    options: &Options,
    run: &mut Run<'_>,
) -> Result<Coverage, CollectError> {
    let unreachable =
        |source: io::Error| CollectError::Unreachable { target: target.id.clone(), source };
    let mut swept = {
        let run = &mut *run;
        let mut progress = |at: &str, done: usize, total: usize| told(run, at, done, total);
        sweep::sweep(options, &mut progress).await.map_err(unreachable)?
    };
    let mut phantoms = Vec::new();
    if options.profile >= Profile::TopPorts && !options.pace.is_fragile {
        phantoms.extend(accepting(options, &mut swept.hosts).await.map_err(unreachable)?);
    }
    if options.profile >= Profile::Services {
        look_at_ports(options, run, &mut swept.hosts).await;
        if !options.pace.is_fragile
            && let Err(error) = ask_names(options, &mut swept.hosts).await
        {
            run.failed("names by UDP", error);
        }
    }
    let is_asked = |address: IpAddr| options.addresses.contains(address);
    phantoms.extend(phantom::fold_alike(&mut swept.hosts, &is_asked));
    for host in swept.hosts.values() {
        observe::observe(host, &target.site, &target.id, &mut |seen| run.saw(seen));
    }
    let is_cut = run.is_cut();
    for one in &phantoms {
        run.failed(one.what.clone(), &one.why);
    }
    Ok(coverage(&swept, phantoms.len(), is_cut, run))
}

/// Tells how far it has come.
fn told(run: &mut Run<'_>, at: &str, done: usize, total: usize) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    run.progress(at, count(done), Some(count(total)));
}

/// Asks hosts with open ports for ports drawn at random, and folds those that accept them.
async fn accepting(
    options: &Options,
    hosts: &mut BTreeMap<IpAddr, Host>,
) -> io::Result<Vec<phantom::Phantom>> {
    let with_ports: Vec<IpAddr> = hosts
        .iter()
        .filter(|(_, host)| !host.listeners.is_empty())
        .map(|(address, _)| *address)
        .collect();
    let drawn = phantom::drawn_ports(&SystemRandomness, &options.ports);
    if with_ports.is_empty() || drawn.len() < phantom::DRAWN {
        return Ok(Vec::new());
    }
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (address, _) in sweep::ask_again(&with_ports, &drawn, options.pace).await? {
        *counts.entry(address).or_default() += 1;
    }
    let accepting: BTreeSet<IpAddr> = counts
        .into_iter()
        .filter(|(_, count)| *count >= phantom::DRAWN)
        .map(|(address, _)| address)
        .collect();
    Ok(phantom::fold_accepting(hosts, &accepting))
}

/// Looks at every open port, many at once.
async fn look_at_ports(options: &Options, run: &mut Run<'_>, hosts: &mut BTreeMap<IpAddr, Host>) {
    let is_fragile = options.pace.is_fragile;
    let queues: Vec<Vec<OpenPort>> = hosts
        .iter()
        .map(|(address, host)| {
            let ports = host.open_ports().take(LOOKED_PER_HOST);
            let distance = host.distance.unwrap_or(Duration::ZERO);
            ports.map(|port| OpenPort { address: *address, port, distance, is_fragile }).collect()
        })
        .collect();
    let total: usize = queues.iter().map(Vec::len).sum();
    let at_once = if is_fragile { LOOKED_AT_ONCE_FRAGILE } else { LOOKED_AT_ONCE };
    // In fragile mode a queue is a host, else each port is a queue of its own.
    let queues: Vec<Vec<OpenPort>> = if is_fragile {
        queues
    } else {
        queues.into_iter().flatten().map(|port| vec![port]).collect()
    };
    let mut looks = futures::stream::iter(queues)
        .map(|queue| async move {
            let mut found = Vec::with_capacity(queue.len());
            for at in queue {
                found.push((at, identify::look(at).await));
            }
            found
        })
        .buffer_unordered(at_once);
    let mut done = 0;
    while let Some(found) = looks.next().await {
        for (at, service) in found {
            done += 1;
            if done % TOLD_EACH == 0 || done == total {
                told(run, "services", done, total);
            }
            let listener = hosts
                .get_mut(&at.address)
                .and_then(|host| host.listeners.get_mut(&("tcp", at.port)));
            if let Some(listener) = listener {
                listener.service = service;
            }
        }
    }
}

/// Asks hosts for their names by UDP.
async fn ask_names(options: &Options, hosts: &mut BTreeMap<IpAddr, Host>) -> io::Result<()> {
    let all: Vec<IpAddr> = hosts.keys().copied().collect();
    for is_v6 in [false, true] {
        for (address, said) in datagram::ask(&all, is_v6, options.pace).await? {
            let Some(host) = hosts.get_mut(&address) else { continue };
            host.signs.insert(Sign::Udp);
            for port in &said.ports {
                let service = match port {
                    137 => "netbios_ns",
                    161 => "snmp",
                    _ => "mdns",
                };
                let mut listener = Listener::default();
                listener.service.recognized.service = Some(service.to_owned());
                host.listeners.insert(("udp", *port), listener);
            }
            host.said = said;
        }
    }
    Ok(())
}

/// How completely the addresses were seen.
fn coverage(swept: &Swept, phantoms: usize, is_cut: bool, run: &mut Run<'_>) -> Coverage {
    if let Some(why) = &swept.unasked_why {
        run.failed("some addresses", format!("{} packets could not be sent: {why}", swept.unasked));
    }
    if let Some(why) = &swept.echo_refused {
        run.failed(
            "ICMP echoes",
            format!("{why}; hosts that answer nothing else stay unseen. Let the agent's group into net.ipv4.ping_group_range"),
        );
    }
    if is_cut {
        let detail = "more items than one run may report; divide the target";
        return Coverage::partial(CoverageReason::LimitReached, detail);
    }
    if swept.unasked > 0 {
        let detail = format!(
            "{} packets could not be sent; look at the routes and the firewall of the agent's host",
            swept.unasked
        );
        return Coverage::partial(CoverageReason::Unreachable, detail);
    }
    if swept.echo_refused.is_some() {
        let detail =
            "ICMP echoes may not be sent; let the agent's group into net.ipv4.ping_group_range";
        return Coverage::partial(CoverageReason::PermissionDenied, detail);
    }
    if phantoms > 0 {
        let detail = format!(
            "something answers for others in {phantoms} places; what is behind it was not seen"
        );
        return Coverage::partial(CoverageReason::Malformed, detail);
    }
    Coverage::complete()
}
