//! A question by HTTP/1.1 over a Unix socket (RFC 9112): one request, one answer, then the connection ends.
//!
//! The answer is bounded in size and time; anything but a plain 200 is an error with the engine's words left out.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// An engine with thousands of containers answers within a second.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The largest answer; 10,000 containers with their labels have some 20 MB.
const ANSWER_BYTES_MAX: u64 = 32 << 20;

/// The most chunks of one answer.
const CHUNKS_MAX: usize = 1 << 20;

/// Asks for a path; gives the body of the answer.
pub(super) fn get(socket: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(TIME_LIMIT))?;
    stream.set_write_timeout(Some(TIME_LIMIT))?;
    ask(&mut stream, path)
}

fn ask(stream: &mut (impl Read + Write), path: &str) -> io::Result<Vec<u8>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer).map_err(|error| {
        match error.kind() {
            // What a socket with a time limit says when it passed.
            io::ErrorKind::WouldBlock => io::Error::from(io::ErrorKind::TimedOut),
            _ => error,
        }
    })?;
    if u64::try_from(answer.len()).unwrap_or(u64::MAX) > ANSWER_BYTES_MAX {
        return Err(invalid("an answer of more than 32 MiB"));
    }
    body(&answer)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The body of an answer whose status is 200.
fn body(answer: &[u8]) -> io::Result<Vec<u8>> {
    let end = answer
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .ok_or_else(|| invalid("no HTTP answer"))?;
    let (head, rest) = answer.split_at(end);
    let rest = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| invalid("no HTTP answer"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")?.split(' ').nth(1));
    match status {
        Some("200") => {}
        Some("401" | "403") => return Err(io::Error::from(io::ErrorKind::PermissionDenied)),
        Some(status) => {
            return Err(invalid(&format!("HTTP status {}", crate::redact::cut(status, 8))));
        }
        None => return Err(invalid("no HTTP answer")),
    }
    let header = |name: &str| {
        head.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find_map(|(field, value)| field.eq_ignore_ascii_case(name).then(|| value.trim()))
    };
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return unchunked(rest);
    }
    match header("content-length").map(str::parse::<usize>) {
        None => Ok(rest.to_vec()),
        Some(Ok(length)) => {
            rest.get(..length).map(<[u8]>::to_vec).ok_or_else(|| invalid("a torn answer"))
        }
        Some(Err(_)) => Err(invalid("a malformed length")),
    }
}

/// Joins chunks: a length in hexadecimal on a line, so many bytes, a line end; the last one has none.
fn unchunked(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut whole = Vec::with_capacity(rest.len());
    let torn = || invalid("a torn answer");
    for _ in 0..CHUNKS_MAX {
        let end = rest.windows(2).position(|part| part == b"\r\n").ok_or_else(torn)?;
        let (line, after) = rest.split_at(end);
        let after = after.get(2..).ok_or_else(torn)?;
        let digits = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.split(';').next())
            .ok_or_else(torn)?;
        let length = usize::from_str_radix(digits.trim(), 16).map_err(|_| torn())?;
        if length == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(after.get(..length).ok_or_else(torn)?);
        let next = length.checked_add(2).ok_or_else(torn)?;
        rest = after.get(next..).ok_or_else(torn)?;
    }
    Err(invalid("too many chunks"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_in_chunks_and_one_with_a_length_are_read() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[{}]\r\n2;x=y\r\n\n\n\r\n0\r\n\r\n";
        assert_eq!(body(chunked).unwrap(), b"[{}]\n\n");
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]x").unwrap(), b"[]");
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\n[]").unwrap(), b"[]");
    }

    #[test]
    fn what_is_torn_or_refused_is_an_error() {
        for answer in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 500 No\r\n\r\n[]",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n[]",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]",
            b"garbage\r\n\r\n",
        ] {
            assert!(body(answer).is_err(), "{}", String::from_utf8_lossy(answer));
        }
        assert_eq!(
            body(b"HTTP/1.1 403 No\r\n\r\n").unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
    }

    #[test]
    fn an_engine_on_a_socket_is_asked() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("engine.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").unwrap();
            String::from_utf8(request).unwrap()
        });
        assert_eq!(get(path.to_str().unwrap(), "/images/json").unwrap(), b"[]");
        assert!(server.join().unwrap().starts_with("GET /images/json HTTP/1.1\r\n"));
        drop(std::fs::remove_file(&path));
        assert_eq!(get(path.to_str().unwrap(), "/").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn any_answer_is_parsed_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(body(&bytes));
            drop(unchunked(&bytes));
        }
    }
}
