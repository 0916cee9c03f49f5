//! An agent of SNMP that answers from a recording, well or as badly as it is told to.

use collector_snmp::ber::{self, Writer};
use collector_snmp::message::{Message, Pdu, RESPONSE};
use collector_snmp::oid;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What an agent does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing.
    Honest,
    /// It answers with request numbers of its own.
    OddIds,
    /// Each third answer is lost.
    Loses,
    /// It answers `tooBig` to more than this many variables.
    TooBig(usize),
    /// After some variables it begins again, for ever.
    GoesRound,
    /// Its answers are cut in half.
    Cuts,
    /// It hears and says nothing.
    Silent,
    /// It answers with noise.
    Noise,
    /// It answers each request with a thousand answers to others.
    Floods,
    /// The lengths around its answers are too large.
    WrongLengths,
    /// It answers this many requests and then no more.
    Dies(usize),
}

/// A value: its type and content.
type Encoded = (u8, Vec<u8>);

/// Variables by their identifiers.
pub(crate) type Variables = BTreeMap<Vec<u32>, Encoded>;

/// A running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub address: SocketAddr,
    pub requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Agent {
    /// Starts an agent on a free port.
    pub(crate) async fn start(variables: Variables, manner: Manner) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut datagram = vec![0; 65_535];
            while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
                let number = counter.fetch_add(1, Ordering::Relaxed);
                for answer in answers(&datagram[..length], &variables, manner, number) {
                    drop(socket.send_to(&answer, from).await);
                }
            }
        });
        Self { address, requests, task }
    }
}

fn answers(request: &[u8], variables: &Variables, manner: Manner, number: usize) -> Vec<Vec<u8>> {
    let Ok(Message::Community { community, pdu, version }) = Message::read(request) else {
        return Vec::new();
    };
    if community != b"public" {
        return Vec::new();
    }
    let version = i64::from(version == collector_snmp::message::Version::V2c);
    let answer = |id: i64| answer(&pdu, (version, id), variables, manner);
    match manner {
        Manner::Silent => Vec::new(),
        Manner::Loses if number % 3 == 1 => Vec::new(),
        Manner::Dies(after) if number >= after => Vec::new(),
        Manner::Noise => {
            vec![vec![0x30, 0x82, 0xff, 0xff, 2, 1, 1, 4, 200], vec![], vec![0xff; 900]]
        }
        Manner::Floods => (0..1000).map(|other| answer(pdu.request_id - 1 - other)).collect(),
        Manner::OddIds => vec![answer(0x7000_0000)],
        Manner::Cuts => {
            let whole = answer(pdu.request_id);
            vec![whole[..whole.len() / 2 + 20].to_vec()]
        }
        Manner::WrongLengths => {
            let mut whole = answer(pdu.request_id);
            if whole[1] == 0x82 {
                whole[2] = 0x7f;
            }
            vec![whole]
        }
        _ => vec![answer(pdu.request_id)],
    }
}

/// Type 5 with no such instance, or end of view.
fn answer(
    pdu: &Pdu<'_>,
    (version, id): (i64, i64),
    variables: &Variables,
    manner: Manner,
) -> Vec<u8> {
    let names: Vec<Vec<u32>> =
        pdu.variables.flatten().map(|(name, _)| oid::numbers(name)).collect();
    let mut found: Vec<(Vec<u32>, Encoded)> = Vec::new();
    let mut error = (0, 0);
    let after = |name: &Vec<u32>| {
        let range = (Bound::Excluded(name.clone()), Bound::Unbounded);
        variables.range(range).next().map(|(name, value)| (name.clone(), value.clone()))
    };
    match pdu.kind {
        0xa0 => {
            for name in &names {
                let value = variables.get(name).cloned().unwrap_or((0x81, Vec::new()));
                found.push((name.clone(), value));
            }
        }
        _ => {
            let repetitions = if pdu.kind == 0xa5 { pdu.error_index } else { 1 };
            let mut at = names.clone();
            for round in 0..repetitions {
                for name in &mut at {
                    let next = after(name).unwrap_or((name.clone(), (0x82, Vec::new())));
                    *name = next.0.clone();
                    if manner == Manner::GoesRound && round == 7 {
                        *name = names[0].clone();
                    }
                    found.push((name.clone(), next.1));
                }
            }
        }
    }
    if version == 0
        && let Some(place) = found.iter().position(|(_, (tag, _))| *tag >= 0x80)
    {
        error = (2, i64::try_from(place).unwrap() + 1);
        found.clear();
    }
    if let Manner::TooBig(most) = manner
        && found.len() > most
    {
        error = (1, 0);
        found.clear();
    }
    written(version, id, error, &found)
}

fn written(version: i64, id: i64, error: (i64, i64), found: &[(Vec<u32>, Encoded)]) -> Vec<u8> {
    let mut writer = Writer::new();
    for (name, (tag, content)) in found.iter().rev() {
        let mark = writer.mark();
        writer.octets(*tag, content);
        writer.octets(ber::OID, &oid::encoded(name));
        writer.wrap(ber::SEQUENCE, mark);
    }
    writer.wrap(ber::SEQUENCE, 0);
    writer.integer(error.1);
    writer.integer(error.0);
    writer.integer(id);
    writer.wrap(RESPONSE, 0);
    writer.octets(ber::OCTETS, b"public");
    writer.integer(version);
    writer.wrap(ber::SEQUENCE, 0);
    writer.finish()
}

/// Reads a recording: a line for each variable, `identifier|type|value`, octets in hexadecimal where the type ends
/// in `x`.
pub(crate) fn recording(text: &str) -> Variables {
    text.lines().filter(|line| !line.trim().is_empty()).map(variable).collect()
}

fn variable(line: &str) -> (Vec<u32>, Encoded) {
    let mut parts = line.splitn(3, '|');
    let (name, kind, value) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let name = numbers(name);
    let tag: u8 = kind.trim_end_matches('x').parse().unwrap();
    let content = if kind.ends_with('x') {
        let digit = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).unwrap();
        (0..value.len()).step_by(2).map(digit).collect()
    } else {
        match tag {
            2 => i64::to_be_bytes(value.parse().unwrap()).to_vec(),
            6 => oid::encoded(&numbers(value)),
            64 => value.split('.').map(|part| part.parse().unwrap()).collect(),
            65..=67 | 70 => u64::to_be_bytes(value.parse().unwrap()).to_vec(),
            _ => value.as_bytes().to_vec(),
        }
    };
    (name, (tag, content))
}

fn numbers(text: &str) -> Vec<u32> {
    text.trim_start_matches('.').split('.').map(|part| part.parse().unwrap()).collect()
}
