//! A slow wire: what comes in at one TUN device leaves at the other after half of [`super::SLOW`], both ways.
#![expect(clippy::print_stdout, reason = "saying `ready` is its output")]

use super::SLOW;
use anyhow::{Context, Result, bail};
use environment::{Clock, SystemClock};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The device on the side of the sweep.
pub const NEAR: &str = "near0";
/// The device on the side of the slow host.
pub const FAR: &str = "far0";

/// Packets on the wire; what comes above it is lost, as on a real one.
const PACKETS_MAX: usize = 65_536;
/// The largest packet.
const PACKET_BYTES_MAX: usize = 2048;

/// Makes both devices and carries packets; never returns.
///
/// # Errors
/// When this is not root or the kernel has no TUN devices.
pub fn run() -> Result<()> {
    let (near, far) = (open(NEAR)?, open(FAR)?);
    println!("ready");
    let threads =
        [(near.try_clone()?, far.try_clone()?), (far, near)].map(|(from, to)| carry(from, to));
    for thread in threads.into_iter().flatten() {
        drop(thread.join());
    }
    Ok(())
}

fn carry(mut from: File, mut to: File) -> [thread::JoinHandle<()>; 2] {
    let (sender, receiver) = mpsc::sync_channel::<(Duration, Vec<u8>)>(PACKETS_MAX);
    let reading = thread::spawn(move || {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        // A device that is not up yet gives an error; it is tried again when there is something to carry.
        loop {
            match from.read(&mut buffer) {
                Ok(length) => {
                    let due = SystemClock.monotonic() + SLOW / 2;
                    let packet = buffer.get(..length).unwrap_or_default().to_vec();
                    drop(sender.try_send((due, packet)));
                }
                Err(_) => thread::park_timeout(Duration::from_millis(10)),
            }
        }
    });
    let writing = thread::spawn(move || {
        while let Ok((due, packet)) = receiver.recv() {
            loop {
                let now = SystemClock.monotonic();
                if now >= due {
                    break;
                }
                thread::park_timeout(due - now);
            }
            drop(to.write(&packet));
        }
    });
    [reading, writing]
}

/// Makes a TUN device that carries bare packets.
fn open(name: &str) -> Result<File> {
    let file =
        File::options().read(true).write(true).open("/dev/net/tun").context("/dev/net/tun")?;
    let mut request = [0_u8; 40];
    for (place, byte) in request.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    for (place, byte) in request.iter_mut().skip(16).zip(u16::try_from(flags)?.to_ne_bytes()) {
        *place = byte;
    }
    #[expect(unsafe_code, reason = "a TUN device is named by ioctl(2), which std has no form of")]
    // SAFETY: the request is a `struct ifreq` of 40 bytes that outlives the call, and the descriptor is open.
    let code = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    if code != 0 {
        bail!("cannot make the device {name}: {}", std::io::Error::last_os_error());
    }
    Ok(file)
}
