//! Harmless questions by UDP to hosts that are there: what they call themselves.
//!
//! Three questions: mDNS (RFC 6762, which services and which name), NetBIOS name status (RFC 1002, section 4.2.17) and
//! the discovery of an SNMPv3 engine (RFC 3414, section 4), which needs no community and no user. Each is sent twice.
//! A reply counts only from the address and port that was asked.

mod mdns;
mod netbios;
mod snmp;

use crate::options::Pace;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// How long the last host is waited for: 800 milliseconds of a slow one, and its answer's way.
const SILENCE: Duration = Duration::from_millis(1200);

/// How often each question is sent.
const TIMES: usize = 2;

/// The largest reply that is read: what Ethernet carries without fragments, and some.
const REPLY_BYTES_MAX: usize = 2048;

/// The most replies that are read for each host; more is a flood.
const REPLIES_PER_HOST: usize = 16;

/// Questions sent before replies are read.
const SENT_AT_ONCE: usize = 32;

/// What a host said of itself by UDP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Host names, as they were said.
    pub(crate) names: Vec<String>,
    /// Kinds of services by mDNS.
    pub(crate) services: Vec<String>,
    /// Its name by NetBIOS.
    pub(crate) netbios_name: Option<String>,
    /// Its domain or workgroup by NetBIOS.
    pub(crate) workgroup: Option<String>,
    /// Its hardware address by NetBIOS.
    pub(crate) mac_address: Option<String>,
    /// Its SNMP engine id, hexadecimal.
    pub(crate) engine_id: Option<String>,
    /// UDP ports that answered.
    pub(crate) ports: Vec<u16>,
}

/// Asks hosts of one family; the answer has only those that said something.
///
/// # Errors
/// When no socket may be opened.
pub(crate) async fn ask(
    hosts: &[IpAddr],
    is_v6: bool,
    pace: Pace,
) -> std::io::Result<BTreeMap<IpAddr, Said>> {
    let hosts: Vec<IpAddr> = hosts.iter().copied().filter(|host| host.is_ipv6() == is_v6).collect();
    let mut said: BTreeMap<IpAddr, Said> = BTreeMap::new();
    if hosts.is_empty() {
        return Ok(said);
    }
    let any: SocketAddr = if is_v6 { "[::]:0" } else { "0.0.0.0:0" }
        .parse()
        .unwrap_or_else(|_| SocketAddr::from(([0; 4], 0)));
    let socket = UdpSocket::bind(any).await?;
    let questions = [(5353, mdns::question()), (137, netbios::question()), (161, snmp::question())];
    let mut replies_left = hosts.len().saturating_mul(REPLIES_PER_HOST);
    let pause =
        Duration::from_secs(1) * u32::try_from(SENT_AT_ONCE).unwrap_or(1) / pace.rate.max(1);
    let mut sent = 0;
    for _ in 0..TIMES {
        for (port, question) in &questions {
            for host in &hosts {
                if said.get(host).is_some_and(|said| said.ports.contains(port)) {
                    continue;
                }
                // An address that cannot be sent to stays silent.
                drop(socket.send_to(question, SocketAddr::new(*host, *port)).await);
                sent += 1;
                if sent % SENT_AT_ONCE == 0 {
                    let until = Instant::now() + pause;
                    hear(&socket, until, &hosts, &mut replies_left, &mut said).await;
                }
            }
        }
        let until = Instant::now() + SILENCE / 2;
        hear(&socket, until, &hosts, &mut replies_left, &mut said).await;
    }
    let until = Instant::now() + SILENCE / 2;
    hear(&socket, until, &hosts, &mut replies_left, &mut said).await;
    Ok(said)
}

/// Reads replies until that moment.
async fn hear(
    socket: &UdpSocket,
    until: Instant,
    hosts: &[IpAddr],
    replies_left: &mut usize,
    said: &mut BTreeMap<IpAddr, Said>,
) {
    let mut buffer = [0; REPLY_BYTES_MAX];
    while *replies_left > 0 {
        let (length, from) = match timeout_at(until, socket.recv_from(&mut buffer)).await {
            Ok(Ok(reply)) => reply,
            // A port that is closed somewhere says so through the socket; that is no end.
            Ok(Err(_)) => {
                *replies_left -= 1;
                continue;
            }
            Err(_) => return,
        };
        *replies_left -= 1;
        // The hosts are in order.
        if hosts.binary_search(&from.ip()).is_ok() {
            take(buffer.get(..length).unwrap_or_default(), from, said);
        }
    }
    tokio::time::sleep_until(until).await;
}

fn take(bytes: &[u8], from: SocketAddr, all: &mut BTreeMap<IpAddr, Said>) {
    let mut said = all.get(&from.ip()).cloned().unwrap_or_default();
    let is_understood = match from.port() {
        5353 => mdns::read(bytes, &mut said),
        137 => netbios::read(bytes, &mut said),
        161 => snmp::read(bytes, &mut said),
        _ => false,
    };
    if is_understood {
        if !said.ports.contains(&from.port()) {
            said.ports.push(from.port());
        }
        all.insert(from.ip(), said);
    }
}
