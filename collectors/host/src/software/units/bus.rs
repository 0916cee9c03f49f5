//! Asking systemd which units it has loaded: over its private socket as root, else over the system bus.
//!
//! One connection, one question, one answer; every step has a time limit, so that a systemd that hangs costs two
//! seconds and the answer is then *not looked at*.

use super::State;
use super::wire::{self, Call, HEADER_BYTES, Header, Kind};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where systemd itself listens for root.
const PRIVATE_SOCKET: &str = "/run/systemd/private";

/// Where the system bus listens for everybody.
const BUS_SOCKET: &str = "/run/dbus/system_bus_socket";

/// Systemd answers in milliseconds; it is single-threaded and may be busy with a reload.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The most messages that are skipped while waiting for the answer: signals that nobody asked for.
const MESSAGES_MAX: usize = 64;

/// Longest line of the authentication.
const LINE_BYTES_MAX: usize = 512;

/// The most units of an answer that are kept.
const UNITS_MAX: usize = 50_000;

/// A unit that systemd has loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) name: String,
    pub(super) state: State,
}

/// The units that systemd has loaded.
pub(super) fn list_units() -> io::Result<Vec<Loaded>> {
    match UnixStream::connect(PRIVATE_SOCKET) {
        Ok(stream) => ask(stream, false),
        Err(_) => ask(UnixStream::connect(BUS_SOCKET)?, true),
    }
}

fn ask(mut stream: UnixStream, is_bus: bool) -> io::Result<Vec<Loaded>> {
    stream.set_read_timeout(Some(TIME_LIMIT))?;
    stream.set_write_timeout(Some(TIME_LIMIT))?;
    authenticate(&mut stream)?;
    if is_bus {
        let hello = Call {
            destination: Some("org.freedesktop.DBus"),
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
        };
        stream.write_all(&hello.encoded(1))?;
        answer(&mut stream)?;
    }
    let list = Call {
        destination: is_bus.then_some("org.freedesktop.systemd1"),
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "ListUnits",
    };
    stream.write_all(&list.encoded(2))?;
    let (header, body) = answer(&mut stream)?;
    parse_units(&header, &body)
}

/// The kernel tells the other side who we are; we only say that it may ask.
///
/// All our lines go at once and the question waits for their answer: systemd's private socket does not look again
/// at what it has read behind `BEGIN`, so a question that arrives together with it would lie there for ever.
fn authenticate(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
    let mut reply = read_line(stream)?;
    if reply == b"DATA" {
        reply = read_line(stream)?;
    }
    if !reply.starts_with(b"OK") {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "systemd refused the connection",
        ));
    }
    Ok(())
}

/// A line without its end. Read byte by byte, because what follows it is not ours to take yet.
fn read_line(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE_BYTES_MAX {
        stream.read_exact(&mut byte)?;
        line.extend(byte);
        if let Some(text) = line.strip_suffix(b"\r\n") {
            return Ok(text.to_vec());
        }
    }
    Err(wire::malformed())
}

/// The next answer; signals before it are skipped. We never have more than one question open.
fn answer(stream: &mut impl Read) -> io::Result<(Header, Vec<u8>)> {
    for _ in 0..MESSAGES_MAX {
        let mut fixed = [0; HEADER_BYTES];
        stream.read_exact(&mut fixed)?;
        let header = Header::parse(&fixed)?;
        let mut bytes = vec![0; header.fields_bytes + header.body_bytes];
        stream.read_exact(&mut bytes)?;
        match header.kind {
            Kind::Answer => return Ok((header, bytes.split_off(header.fields_bytes))),
            Kind::Error => {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "systemd refused the question",
                ));
            }
            Kind::Other => {}
        }
    }
    Err(wire::malformed())
}

/// Parses the answer to `ListUnits`: an array of (name, description, load state, active state, sub state, followed
/// unit, path, job number, job type, job path).
fn parse_units(header: &Header, body: &[u8]) -> io::Result<Vec<Loaded>> {
    let mut reader = header.body(body);
    let end = reader.array_end()?;
    let mut units = Vec::new();
    while reader.place() < end && units.len() < UNITS_MAX {
        reader.align(8);
        let name = reader.text()?.to_owned();
        let description = reader.text()?.to_owned();
        let (load, active) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let sub = reader.text()?.to_owned();
        let (_followed, _path, _job) = (reader.text()?, reader.text()?, reader.number()?);
        let (_job_type, _job_path) = (reader.text()?, reader.text()?);
        units.push(Loaded { name, state: State { description, load, active, sub } });
    }
    Ok(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn push_text(bytes: &mut Vec<u8>, text: &str) {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }

    fn body(units: &[&str]) -> Vec<u8> {
        let mut elements = Vec::new();
        for unit in units {
            elements.resize(elements.len().next_multiple_of(8), 0);
            for text in [unit, "A web server", "loaded", "active", "running", "", "/o/u"] {
                push_text(&mut elements, text);
            }
            elements.resize(elements.len().next_multiple_of(4), 0);
            elements.extend(0_u32.to_le_bytes());
            push_text(&mut elements, "");
            push_text(&mut elements, "/");
        }
        let mut body = u32::try_from(elements.len()).unwrap().to_le_bytes().to_vec();
        body.extend([0; 4]);
        body.extend(elements);
        body
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![b'l', kind, 0, 1];
        for number in [u32::try_from(body.len()).unwrap(), 1, 0] {
            message.extend(number.to_le_bytes());
        }
        message.extend(body);
        message
    }

    #[test]
    fn a_systemd_on_a_socket_is_asked_and_understood() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || {
            let mut zero = [0];
            theirs.read_exact(&mut zero).unwrap();
            assert_eq!(read_line(&mut theirs).unwrap(), b"AUTH EXTERNAL");
            theirs.write_all(b"DATA\r\n").unwrap();
            assert_eq!(read_line(&mut theirs).unwrap(), b"DATA");
            theirs.write_all(b"OK 0123\r\n").unwrap();
            assert_eq!(read_line(&mut theirs).unwrap(), b"BEGIN");
            let mut fixed = [0; HEADER_BYTES];
            theirs.read_exact(&mut fixed).unwrap();
            let header = Header::parse(&fixed).unwrap();
            let mut rest = vec![0; header.fields_bytes];
            theirs.read_exact(&mut rest).unwrap();
            assert!(String::from_utf8_lossy(&rest).contains("ListUnits"));
            // A signal comes first.
            theirs.write_all(&message(4, b"")).unwrap();
            theirs.write_all(&message(2, &body(&["web.service", "db.service"]))).unwrap();
        });
        let units = ask(ours, false).unwrap();
        server.join().unwrap();
        assert_eq!(units.len(), 2);
        assert_eq!(units[1].name, "db.service");
        assert_eq!(units[0].state.sub, "running");
    }

    #[test]
    fn a_torn_answer_is_an_error() {
        let whole = body(&["web.service"]);
        let header = |length: usize| {
            let mut fixed = [0; HEADER_BYTES];
            fixed.copy_from_slice(&message(2, &whole[..length])[..HEADER_BYTES]);
            Header::parse(&fixed).unwrap()
        };
        for length in 0..whole.len() {
            assert!(parse_units(&header(length), &whole[..length]).is_err(), "{length}");
        }
        assert!(answer(&mut &message(3, b"")[..]).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(answer(&mut &bytes[..]));
            let (header, body) = answer(&mut &message(2, &bytes)[..]).unwrap();
            drop(parse_units(&header, &body));
        }
    }
}
