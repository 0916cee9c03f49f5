//! A report of nmap (`-oX`, format 1.05 and its relatives), read as a stream: a host is told as soon as it ends.
//!
//! The report may come from anywhere. Its bytes, depth, elements between two brackets, hosts and ports are bounded;
//! a document type with declarations of its own is refused, so that no entity can unfold; unknown elements are
//! skipped. A report that breaks off has told its whole hosts, and is known not to have ended.

use crate::addresses::ADDRESSES_MAX;
use crate::found::{Host, Sign};
use crate::text;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use sha2::{Digest, Sha256};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, BufReader, ReadBuf};

/// The most bytes of a report: a network of 16 bits with services has some hundred megabytes.
const REPORT_BYTES_MAX: u64 = 1 << 30;

/// The most bytes between two closing brackets: the answer of a talkative script has some tens of kilobytes.
const ELEMENT_BYTES_MAX: usize = 1 << 20;

/// The deepest nesting: nmap's own reports have seven levels, tables of scripts a few more.
const DEPTH_MAX: usize = 32;

/// The most ports of one host that are kept.
const PORTS_MAX: usize = 4096;

/// The most names and keys of one host that are kept.
const LIST_MAX: usize = 64;

/// The longest text of a service that is kept.
const TEXT_LENGTH_MAX: usize = 200;

/// Why a report cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidReport {
    /// It is no XML, or breaks a limit of its reader.
    #[error("it is no report of nmap, or was cut: {0}")]
    Malformed(String),
    /// It declares entities or a structure of its own.
    #[error("it has a document type with declarations, which no report of nmap has")]
    Declarations,
    /// It is nested without end.
    #[error("its elements are nested more than {DEPTH_MAX} deep")]
    TooDeep,
    /// It has more hosts than a sweep.
    #[error("it has more than {ADDRESSES_MAX} hosts")]
    TooMany,
    /// It begins with another element.
    #[error("it is no report of nmap: its first element is `{0}`")]
    Foreign(String),
}

fn malformed(error: impl std::fmt::Display) -> InvalidReport {
    InvalidReport::Malformed(text::printable(error.to_string().as_bytes(), TEXT_LENGTH_MAX))
}

/// Reads a report and tells each host that was up; whether the report says that nmap had finished.
pub(crate) async fn read(
    report: impl AsyncRead + Unpin,
    each: &mut (dyn FnMut(Host) + Send),
) -> Result<bool, InvalidReport> {
    let mut reader = Reader::from_reader(BufReader::new(Guarded::new(report)));
    let mut buffer = Vec::new();
    let mut reading = Reading::default();
    let mut hosts = 0;
    loop {
        buffer.clear();
        let event = reader.read_event_into_async(&mut buffer).await.map_err(malformed)?;
        match event {
            Event::Start(start) => {
                reading.depth += 1;
                if reading.depth > DEPTH_MAX {
                    return Err(InvalidReport::TooDeep);
                }
                reading.begin(&start)?;
            }
            Event::Empty(start) => reading.begin(&start)?,
            Event::End(end) => {
                reading.depth = reading.depth.saturating_sub(1);
                if let Some(host) = reading.end(end.name().as_ref()) {
                    hosts += 1;
                    if hosts > ADDRESSES_MAX {
                        return Err(InvalidReport::TooMany);
                    }
                    each(host);
                }
            }
            Event::Text(found) => reading.text(found.into_inner().as_ref()),
            Event::DocType(kind) if kind.contains('[') => return Err(InvalidReport::Declarations),
            Event::Eof if !reading.has_begun => return Err(InvalidReport::Foreign(String::new())),
            Event::Eof => return Ok(reading.has_ended),
            _ => {}
        }
    }
}

/// What a text belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    /// A name of the Common Platform Enumeration of a service.
    Cpe,
    /// A public key of a host's sshd, base64.
    HostKey,
}

/// Where in a report the reader is.
#[derive(Debug, Default)]
struct Reading {
    depth: usize,
    has_begun: bool,
    has_ended: bool,
    host: Option<Host>,
    is_up: bool,
    port: Option<(&'static str, u16)>,
    is_host_key_script: bool,
    within: Within,
}

/// The value of an attribute, when it is there and can be read.
fn value(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    let value = attribute.normalized_value(XmlVersion::Explicit1_0).ok()?;
    Some(text::printable(value.as_bytes(), TEXT_LENGTH_MAX)).filter(|value| !value.is_empty())
}

impl Reading {
    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), InvalidReport> {
        let name = start.name();
        let name: &str = name.as_ref();
        if !self.has_begun {
            if name != "nmaprun" {
                let name = text::printable(name.as_bytes(), 32);
                return Err(InvalidReport::Foreign(name));
            }
            self.has_begun = true;
            return Ok(());
        }
        self.within = Within::Nothing;
        match name {
            "host" => {
                *self = Self { depth: self.depth, has_begun: true, ..Self::default() };
                self.host = Some(Host::default());
            }
            "finished" => {
                self.has_ended = value(start, "exit").is_none_or(|exit| exit == "success");
            }
            _ => self.part(name, start),
        }
        Ok(())
    }

    /// A part of a host.
    fn part(&mut self, name: &str, start: &BytesStart<'_>) {
        let Some(host) = &mut self.host else { return };
        match name {
            "status" => self.is_up = value(start, "state").as_deref() == Some("up"),
            "address" => address(host, start),
            "hostname" => {
                let found = value(start, "name").and_then(|name| text::host_name(&name));
                if let Some(found) = found
                    && host.names.len() < LIST_MAX
                {
                    host.names.push(found);
                }
            }
            "times" => {
                let micros = value(start, "srtt").and_then(|srtt| srtt.parse().ok());
                host.distance = micros.map(Duration::from_micros);
            }
            "port" => self.port = port(start),
            "state" => {
                if let Some(port) = self.port
                    && value(start, "state").as_deref() == Some("open")
                    && host.listeners.len() < PORTS_MAX
                {
                    host.listeners.entry(port).or_default();
                }
            }
            "service" => self.service(start),
            "cpe" => self.within = Within::Cpe,
            "osmatch" if host.os_guess.is_none() => host.os_guess = value(start, "name"),
            "script" => {
                self.is_host_key_script = value(start, "id").as_deref() == Some("ssh-hostkey")
            }
            "elem" => {
                let is_key =
                    self.is_host_key_script && value(start, "key").as_deref() == Some("key");
                if is_key {
                    self.within = Within::HostKey;
                }
            }
            _ => {}
        }
    }

    fn service(&mut self, start: &BytesStart<'_>) {
        let listener = self.port.and_then(|port| self.host.as_mut()?.listeners.get_mut(&port));
        let Some(listener) = listener else { return };
        // A name out of nmap's table says what usually listens there, not what does.
        if value(start, "method").as_deref() != Some("probed") {
            return;
        }
        let service = &mut listener.service;
        service.recognized.service = value(start, "name");
        service.recognized.product = value(start, "product");
        service.recognized.version = value(start, "version");
        service.recognized.os = value(start, "ostype");
        service.is_tls = value(start, "tunnel").as_deref() == Some("ssl");
    }

    fn text(&mut self, found: &str) {
        match self.within {
            Within::Nothing => {}
            Within::Cpe => {
                let listener =
                    self.port.and_then(|port| self.host.as_mut()?.listeners.get_mut(&port));
                if let Some(listener) = listener
                    && let Some(cpe) = cpe(found)
                {
                    listener.service.recognized.cpe.get_or_insert(cpe);
                }
            }
            Within::HostKey => {
                if let (Some(host), Ok(key)) = (&mut self.host, STANDARD.decode(found.trim()))
                    && host.ssh_host_keys.len() < LIST_MAX
                {
                    let digest = STANDARD_NO_PAD.encode(Sha256::digest(key));
                    host.ssh_host_keys.push(format!("SHA256:{digest}"));
                }
            }
        }
        self.within = Within::Nothing;
    }

    /// The host that ended and was up.
    fn end(&mut self, name: &str) -> Option<Host> {
        match name {
            "port" => self.port = None,
            "script" => self.is_host_key_script = false,
            "host" => {
                let host = self.host.take()?;
                return (self.is_up && host.address.is_some()).then_some(host);
            }
            _ => {}
        }
        self.within = Within::Nothing;
        None
    }
}

fn address(host: &mut Host, start: &BytesStart<'_>) {
    let Some(found) = value(start, "addr") else { return };
    match value(start, "addrtype").as_deref() {
        Some("ipv4" | "ipv6") => {
            host.address = host.address.or_else(|| found.parse().ok());
            host.signs.insert(Sign::Report);
        }
        Some("mac") => host.mac_address = Some(found.to_ascii_lowercase()),
        _ => {}
    }
}

fn port(start: &BytesStart<'_>) -> Option<(&'static str, u16)> {
    let protocol = match value(start, "protocol")?.as_str() {
        "tcp" => "tcp",
        "udp" => "udp",
        _ => return None,
    };
    Some((protocol, value(start, "portid")?.parse().ok().filter(|port| *port > 0)?))
}

/// A name of an application in the form of CPE 2.3; nmap writes the one of 2.2, such as `cpe:/a:vendor:product:1.0`.
fn cpe(text: &str) -> Option<String> {
    let parts = text.trim().strip_prefix("cpe:/a:")?;
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "._-~:+".contains(letter);
    if parts.len() > TEXT_LENGTH_MAX || !parts.chars().all(is_fine) {
        return None;
    }
    let mut parts = parts.split(':');
    let (vendor, product) = (parts.next()?, parts.next()?);
    let version = parts.next().filter(|version| !version.is_empty()).unwrap_or("*");
    Some(format!("cpe:2.3:a:{vendor}:{product}:{version}:*:*:*:*:*:*:*"))
}

/// A reader that ends with an error when too much comes, in all or between two closing brackets: the parser would
/// keep all of it.
#[derive(Debug)]
struct Guarded<R> {
    inner: R,
    left: u64,
    since_bracket: usize,
}

impl<R> Guarded<R> {
    const fn new(inner: R) -> Self {
        Self { inner, left: REPORT_BYTES_MAX, since_bracket: 0 }
    }

    fn note(&mut self, bytes: &[u8]) -> io::Result<()> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            io::Error::other(format!("the report is larger than {REPORT_BYTES_MAX} bytes"))
        })?;
        match bytes.iter().rposition(|byte| *byte == b'>') {
            // Whole elements in between are shorter than what was read at once.
            Some(place) => self.since_bracket = bytes.len() - place,
            None => self.since_bracket += bytes.len(),
        }
        if self.since_bracket > ELEMENT_BYTES_MAX {
            return Err(io::Error::other(format!(
                "an element is longer than {ELEMENT_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Guarded<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
        let bytes = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.note(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REPORT: &str = include_str!("../testdata/nmap-services.xml");

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn read_text(text: &[u8]) -> (Result<bool, InvalidReport>, Vec<Host>) {
        let mut hosts = Vec::new();
        let end = block(read(text, &mut |host| hosts.push(host)));
        (end, hosts)
    }

    #[test]
    fn entities_depth_size_and_foreign_documents_are_refused() {
        let bomb = "<?xml version=\"1.0\"?><!DOCTYPE nmaprun [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><nmaprun>&b;</nmaprun>";
        assert!(matches!(read_text(bomb.as_bytes()).0, Err(InvalidReport::Declarations)));
        let deep = format!("<nmaprun>{}", "<x>".repeat(100_000));
        assert!(matches!(read_text(deep.as_bytes()).0, Err(InvalidReport::TooDeep)));
        let wide = format!("<nmaprun><host x=\"{}", "a".repeat(ELEMENT_BYTES_MAX * 2));
        assert!(matches!(read_text(wide.as_bytes()).0, Err(InvalidReport::Malformed(_))));
        assert!(matches!(read_text(b"<html><body/></html>").0, Err(InvalidReport::Foreign(_))));
        assert!(read_text(b"\xff\xfe\x00garbage<").0.is_err());
    }

    #[test]
    fn an_endless_report_is_cut() {
        let head = io::Cursor::new(b"<nmaprun><host a=\"".to_vec());
        let endless = tokio::io::AsyncReadExt::chain(head, tokio::io::repeat(b'a'));
        let error = block(read(endless, &mut |_| {})).unwrap_err().to_string();
        assert!(error.contains("longer than"), "{error}");
    }

    #[test]
    fn a_report_is_read() {
        let (end, hosts) = read_text(REPORT.as_bytes());
        assert!(end.unwrap());
        let addresses: Vec<String> =
            hosts.iter().map(|host| host.address.unwrap().to_string()).collect();
        assert_eq!(addresses, ["192.0.2.10", "192.0.2.20"]);
        let first = &hosts[0];
        assert_eq!(first.mac_address.as_deref(), Some("00:00:5e:00:53:10"));
        assert_eq!(first.names, ["ssh.example.net"]);
        let ssh = &first.listeners[&("tcp", 22)].service.recognized;
        assert_eq!(ssh.product.as_deref(), Some("OpenSSH"));
        assert_eq!(ssh.cpe.as_deref(), Some("cpe:2.3:a:openbsd:openssh:9.2p1:*:*:*:*:*:*:*"));
        assert_eq!(first.ssh_host_keys.len(), 1);
        assert!(first.ssh_host_keys[0].starts_with("SHA256:"));
        assert_eq!(first.os_guess.as_deref(), Some("Linux 5.0 - 6.2"));
        assert_eq!(
            hosts[1].listeners.len(),
            1,
            "closed and guessed ports are not told as services"
        );
        assert_eq!(hosts[1].listeners[&("tcp", 8080)].service.recognized.service, None);
    }

    #[test]
    fn a_report_that_breaks_off_has_told_its_whole_hosts() {
        let place = REPORT.find("192.0.2.20").unwrap();
        let (end, hosts) = read_text(&REPORT.as_bytes()[..place]);
        assert!(!end.unwrap_or(false));
        assert_eq!(hosts.len(), 1);
    }

    #[test]
    fn hostile_texts_come_out_harmless() {
        let report = "<nmaprun><host><status state=\"up\"/><address addr=\"192.0.2.1\" addrtype=\"ipv4\"/><hostnames><hostname name=\"$(reboot)\"/><hostname name=\"&#27;[31mx\"/></hostnames><ports><port protocol=\"tcp\" portid=\"80\"><state state=\"open\"/><service name=\"http\" method=\"probed\" product=\"&lt;script&gt;&#27;]0;x&#7;\"/></port><port protocol=\"tcp\" portid=\"99999\"><state state=\"open\"/></port></ports></host></nmaprun>";
        let (end, hosts) = read_text(report.as_bytes());
        assert!(!end.unwrap(), "nothing says that it finished");
        assert_eq!(hosts[0].names, Vec::<String>::new());
        assert_eq!(hosts[0].listeners.len(), 1);
        let product = hosts[0].listeners[&("tcp", 80)].service.recognized.product.clone().unwrap();
        assert!(!product.contains('\u{1b}') && !product.contains('\u{7}'), "{product:?}");
    }

    proptest! {
        #[test]
        fn any_report_is_read_or_refused(text in "[<>/a-z =\"&;#!\\[\\]-]{0,200}") {
            read_text(format!("<nmaprun>{text}").as_bytes()).0.unwrap_or_default();
        }

        #[test]
        fn a_mangled_report_is_read_or_refused(place in 0_usize..4000, byte in any::<u8>(), length in 0_usize..4000) {
            let mut bytes = REPORT.as_bytes().to_vec();
            if let Some(there) = bytes.get_mut(place) {
                *there = byte;
            }
            bytes.truncate(length);
            read_text(&bytes).0.unwrap_or_default();
        }
    }
}
