//! The hosts of the lab: they accept as fast as the kernel gives connections, greet and close.
#![expect(clippy::print_stdout, reason = "saying `ready` is its output")]

use super::OPEN;
use anyhow::Result;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Connections that wait to be accepted: all of a network of 16 bits may come at once.
const BACKLOG: i32 = 65_535;

/// Listens on the lab's open ports, and at `extra`; never returns.
///
/// # Errors
/// When a port cannot be had.
pub fn run(extra: Option<SocketAddr>) -> Result<()> {
    let wanted = OPEN.iter().map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port)));
    let mut threads = Vec::new();
    for address in wanted.chain(extra) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        threads.push(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                greet(stream, address.port());
            }
        }));
    }
    println!("ready");
    for thread in threads {
        drop(thread.join());
    }
    Ok(())
}

/// Says what a service of that port says first. Whoever went away already does not hear it.
fn greet(mut stream: TcpStream, port: u16) {
    let words: &[u8] = match port {
        22 => b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
        80 => b"HTTP/1.0 200 OK\r\nServer: nginx/1.22.1\r\n\r\n",
        _ => b"",
    };
    drop(stream.write_all(words));
}
