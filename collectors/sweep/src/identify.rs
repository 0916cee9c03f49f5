//! What listens on an open port: what it says by itself, what it answers to a harmless question, and its certificate.
//!
//! At most two connections to a port, each bounded in time and bytes: a service that says nothing, drips a byte a
//! second or pours ten megabytes costs the same. In fragile mode nothing is written; only what is said unasked counts.

use crate::fingerprint::{self, Recognized};
use crate::tls::{self, Answer};
use crate::{text, x509};
use environment::{Randomness, SystemRandomness};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may take beyond twice the distance; it was accepted a moment ago.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long a service has for its first words before it is asked something.
const UNASKED: Duration = Duration::from_millis(600);

/// How long all of one connection may take: a drip of a byte a second is cut off here.
const TALK_LIMIT: Duration = Duration::from_secs(4);

/// How long to wait for more once something came.
const MORE_LIMIT: Duration = Duration::from_millis(200);

/// The most bytes of first words.
const BANNER_BYTES_MAX: usize = 4096;

/// The longest banner that is told.
const BANNER_LENGTH_MAX: usize = 200;

/// Ports on which the client speaks TLS first.
const TLS_PORTS: &[u16] = &[
    443, 465, 563, 636, 664, 853, 989, 990, 992, 993, 994, 995, 1443, 2376, 2379, 2380, 3269, 4443,
    4444, 5061, 5223, 5671, 5986, 5989, 6443, 6514, 7443, 8006, 8043, 8243, 8443, 8444, 8445, 8501,
    8834, 8883, 9043, 9443, 10250, 10443, 15671, 16993, 16995,
];

/// Ports on which the client speaks HTTP first, so that waiting for a banner is lost time.
const HTTP_PORTS: &[u16] = &[
    80, 81, 591, 631, 3000, 5000, 5601, 5985, 5988, 8000, 8001, 8006, 8008, 8080, 8081, 8086, 8088,
    8090, 8123, 8161, 8180, 8500, 8888, 9000, 9090, 9091, 9104, 9200, 10000, 15672, 16992,
];

/// Ports of devices that take what they are sent for what they are to print or to do.
const NEVER_WRITTEN: &[u16] = &[
    102, 502, 515, 789, 1911, 1962, 2404, 2455, 4911, 5006, 5007, 5094, 9100, 9101, 9102, 9103,
    9600, 18245, 20000, 20547, 34962, 34963, 34964, 44818, 47808,
];

/// What a port turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) recognized: Recognized,
    pub(crate) banner: Option<String>,
    pub(crate) certificate: Option<Box<x509::Certificate>>,
    pub(crate) is_tls: bool,
}

/// An open port that is to be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenPort {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) distance: Duration,
    pub(crate) is_fragile: bool,
}

/// Looks at a port. What cannot be read stays unknown.
pub(crate) async fn look(at: OpenPort) -> Service {
    let is_tls_port = TLS_PORTS.contains(&at.port);
    if is_tls_port && !at.is_fragile {
        let found = with_tls(at, None).await;
        if found.is_tls {
            return found;
        }
    }
    let first = match at.port {
        5432 | 5433 if !at.is_fragile => return postgres(at).await,
        3389 if !at.is_fragile => return remote_desktop(at).await,
        _ => first_words(at).await,
    };
    let recognized = fingerprint::recognize(&first);
    let wants_tls = !is_tls_port
        && !at.is_fragile
        && (matches!(tls::read(&first), Answer::NoCertificate) || says_https(&first));
    if wants_tls {
        let found = with_tls(at, None).await;
        if found.is_tls {
            return found;
        }
    }
    let banner = text::printable(&first, BANNER_LENGTH_MAX);
    Service {
        recognized,
        banner: Some(banner).filter(|line| !line.is_empty()),
        ..Service::default()
    }
}

/// Whether a web server complains that it was not spoken to in TLS.
fn says_https(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    text.starts_with("http/1.") && text.contains(" 400 ") && text.contains("https")
}

async fn connect(at: OpenPort) -> Option<TcpStream> {
    let address = SocketAddr::new(at.address, at.port);
    let stream = timeout(CONNECT_LIMIT + at.distance * 2, TcpStream::connect(address)).await;
    let stream = stream.ok()?.ok()?;
    if !at.is_fragile {
        // Closing resets it, so that neither side keeps it for minutes.
        stream.set_zero_linger().unwrap_or_default();
    }
    Some(stream)
}

/// Reads until `is_enough`, the end, the limit of bytes, or a pause after something came.
async fn read(
    stream: &mut TcpStream,
    first: Duration,
    limit: usize,
    is_enough: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let all = async {
        let mut buffer = [0; 4096];
        let mut wait = first;
        while bytes.len() < limit {
            let Ok(Ok(length)) = timeout(wait, stream.read(&mut buffer)).await else { return };
            if length == 0 {
                return;
            }
            let left = limit.saturating_sub(bytes.len()).min(length);
            bytes.extend_from_slice(buffer.get(..left).unwrap_or_default());
            if is_enough(&bytes) {
                return;
            }
            wait = MORE_LIMIT.max(first / 4);
        }
    };
    // What came until then counts.
    timeout(TALK_LIMIT, all).await.unwrap_or_default();
    bytes
}

/// What a service says unasked, else what it answers to a question of HTTP/1.0 (RFC 1945), which hardly any service
/// takes amiss.
async fn first_words(at: OpenPort) -> Vec<u8> {
    let Some(mut stream) = connect(at).await else { return Vec::new() };
    let patience = at.distance * 3;
    if !HTTP_PORTS.contains(&at.port) || at.is_fragile {
        let unasked = read(&mut stream, UNASKED + patience, BANNER_BYTES_MAX, ends_line).await;
        if !unasked.is_empty() || at.is_fragile {
            return unasked;
        }
    }
    if NEVER_WRITTEN.contains(&at.port) {
        return Vec::new();
    }
    let question = b"GET / HTTP/1.0\r\n\r\n";
    if timeout(TALK_LIMIT, stream.write_all(question)).await.is_err() {
        return Vec::new();
    }
    read(&mut stream, TALK_LIMIT / 2 + patience, BANNER_BYTES_MAX, |bytes| {
        bytes.windows(4).any(|four| four == b"\r\n\r\n")
    })
    .await
}

fn ends_line(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\n")
}

/// Greets in TLS, on a fresh connection or one that is ready for it.
async fn with_tls(at: OpenPort, ready: Option<TcpStream>) -> Service {
    let stream = match ready {
        Some(stream) => Some(stream),
        None => connect(at).await,
    };
    let Some(mut stream) = stream else { return Service::default() };
    let mut random = [0; 32];
    SystemRandomness.fill(&mut random);
    let greeting = tls::greeting(&random);
    if !matches!(timeout(TALK_LIMIT, stream.write_all(&greeting)).await, Ok(Ok(()))) {
        return Service::default();
    }
    let is_enough = |bytes: &[u8]| tls::read(bytes) != Answer::More;
    let wait = TALK_LIMIT / 2 + at.distance * 3;
    let bytes = read(&mut stream, wait, tls::ANSWER_BYTES_MAX, is_enough).await;
    let certificate = match tls::read(&bytes) {
        Answer::Certificate(der) => x509::parse(&der).map(Box::new),
        Answer::NoCertificate => None,
        Answer::More | Answer::NotTls => return Service::default(),
    };
    let service = tls_service(at.port).map(str::to_owned);
    let recognized = Recognized { service, ..Recognized::default() };
    Service { recognized, banner: None, certificate, is_tls: true }
}

/// What is usually spoken inside of TLS on a port.
fn tls_service(port: u16) -> Option<&'static str> {
    Some(match port {
        465 => "smtps",
        636 | 3269 => "ldaps",
        853 => "dns_over_tls",
        990 => "ftps",
        993 => "imaps",
        995 => "pop3s",
        5061 => "sips",
        5671 => "amqps",
        6514 => "syslog_tls",
        8883 => "mqtts",
        443 | 4443 | 5986 | 7443 | 8006 | 8043 | 8243 | 8443..=8445 | 9443 | 10443 => "https",
        _ => "tls",
    })
}

/// PostgreSQL says by one letter whether it speaks TLS, and says nothing to anybody else.
async fn postgres(at: OpenPort) -> Service {
    let Some(mut stream) = connect(at).await else { return Service::default() };
    // SSLRequest: length 8, code 80877103.
    let question = [0, 0, 0, 8, 4, 210, 22, 47];
    if timeout(TALK_LIMIT, stream.write_all(&question)).await.is_err() {
        return Service::default();
    }
    let answer = read(&mut stream, TALK_LIMIT / 2 + at.distance * 3, 1, |_| true).await;
    let mut found = match answer.as_slice() {
        b"S" => with_tls(at, Some(stream)).await,
        b"N" => Service::default(),
        _ => return Service::default(),
    };
    found.recognized = Recognized {
        service: Some("postgresql".to_owned()),
        product: Some("PostgreSQL".to_owned()),
        ..Recognized::default()
    };
    found
}

/// Remote desktop: a connection request of X.224 that offers TLS (MS-RDPBCGR, section 2.2.1.1), then its certificate.
async fn remote_desktop(at: OpenPort) -> Service {
    let Some(mut stream) = connect(at).await else { return Service::default() };
    let question = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0];
    if timeout(TALK_LIMIT, stream.write_all(&question)).await.is_err() {
        return Service::default();
    }
    let wait = TALK_LIMIT / 2 + at.distance * 3;
    let answer = read(&mut stream, wait, 19, |bytes| bytes.len() >= 19).await;
    if !matches!(answer.as_slice(), [3, 0, _, _, _, 0xd0, ..]) {
        return Service::default();
    }
    let mut found = with_tls(at, Some(stream)).await;
    found.recognized.service = Some("rdp".to_owned());
    found
}
