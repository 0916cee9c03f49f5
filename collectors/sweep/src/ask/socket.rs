//! One connection: begun without waiting, looked at without waiting, and ended without a trace.

use super::Verdict;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What became of beginning a connection.
#[derive(Debug)]
pub(super) enum Begun {
    /// It is under way.
    UnderWay(TcpStream),
    /// The answer is already there.
    Answered(Verdict),
    /// The host has no descriptors, ports or memory left.
    Starved(io::Error),
    /// The host cannot send there at all.
    Unsendable(io::Error),
}

/// Begins a connection. `is_near`: it is worth looking for the answer at once.
pub(super) fn begin(to: SocketAddr, is_near: bool, is_fragile: bool) -> Begun {
    let socket = match open(to) {
        Ok(socket) => socket,
        Err(error) => return Begun::Starved(error),
    };
    let address = SockAddr::from(to);
    let mut result = socket.connect(&address);
    if is_near && result.as_ref().is_err_and(is_under_way) {
        // The kernel says now what came of it, if it knows.
        result = socket.connect(&address);
    }
    match result {
        Ok(()) => {
            end(&socket, is_fragile);
            Begun::Answered(Verdict::Open)
        }
        Err(error) if is_under_way(&error) => {
            Begun::UnderWay(TcpStream::from_std(std::net::TcpStream::from(socket)))
        }
        Err(error) => match verdict_of(&error) {
            Some(verdict) => Begun::Answered(verdict),
            None if is_starved(&error) => Begun::Starved(error),
            None => Begun::Unsendable(error),
        },
    }
}

fn open(to: SocketAddr) -> io::Result<Socket> {
    let protocol = Some(Protocol::TCP);
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        Socket::new_raw(Domain::for_address(to), Type::STREAM.nonblocking().cloexec(), protocol)
    }
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// What became of a connection that was under way; `None`: it still is.
pub(super) fn look(stream: &TcpStream, is_fragile: bool) -> Option<Verdict> {
    match stream.take_error() {
        Ok(Some(error)) | Err(error) => {
            return Some(verdict_of(&error).unwrap_or(Verdict::Unreachable));
        }
        Ok(None) => {}
    }
    stream.peer_addr().ok()?;
    end(&socket2::SockRef::from(stream), is_fragile);
    Some(Verdict::Open)
}

/// Has closing reset the connection, so that neither side keeps it for minutes. A fragile device gets an orderly end.
fn end(socket: &Socket, is_fragile: bool) {
    if !is_fragile {
        // Without it the connection ends the slow way.
        socket.set_linger(Some(Duration::ZERO)).unwrap_or_default();
    }
}

fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if let Some(libc::EINPROGRESS | libc::EALREADY) = error.raw_os_error() {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

fn is_starved(error: &io::Error) -> bool {
    #[cfg(unix)]
    if let Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) = error.raw_os_error() {
        return true;
    }
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory)
}

/// What an error of the network says about the far end.
fn verdict_of(error: &io::Error) -> Option<Verdict> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Some(Verdict::Refused),
        io::ErrorKind::HostUnreachable => Some(Verdict::Unreachable),
        io::ErrorKind::TimedOut => Some(Verdict::Silent),
        _ => None,
    }
}
