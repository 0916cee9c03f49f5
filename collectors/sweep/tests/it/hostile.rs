//! Services that flood, drip, escape and stay silent: bounded time, bounded memory, and the others are still seen.

use super::{fact, server, sweep};
use std::io::{Read, Write};
use std::time::Duration;

#[tokio::test(flavor = "current_thread")]
async fn floods_drips_and_silence_take_bounded_time_and_the_others_are_seen() {
    let flood = server(|mut stream| {
        let block = vec![b'A'; 1 << 20];
        while stream.write_all(&block).is_ok() {}
    });
    let drip = server(|mut stream| {
        while stream.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    let silent = server(|mut stream| {
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
    });
    let good = server(|mut stream| {
        drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"));
    });
    let ports = [flood, drip, silent, good];
    let look = tokio::time::timeout(Duration::from_secs(60), sweep(&ports, &[])).await.unwrap();
    assert_eq!(fact(&look, good, "product").as_deref(), Some("OpenSSH"));
    assert_eq!(fact(&look, good, "product_version").as_deref(), Some("9.2p1"));
    assert!(fact(&look, flood, "banner").unwrap().len() <= 200);
    assert!(fact(&look, drip, "banner").unwrap().starts_with('x'));
    assert_eq!(fact(&look, silent, "banner"), None);
}

#[tokio::test(flavor = "current_thread")]
async fn escapes_and_zeros_of_a_banner_do_not_get_through() {
    let port = server(|mut stream| {
        drop(stream.write_all(b"220 \x1b]0;title\x07\x1b[2J FTP \0\0\0<script>alert(1)</script>'; DROP TABLE items;--\r\n"));
    });
    let look = sweep(&[port], &[]).await;
    let banner = fact(&look, port, "banner").unwrap();
    assert!(banner.chars().all(|letter| !letter.is_control()), "{banner:?}");
    assert!(banner.contains("<script>"), "text stays text: {banner:?}");
    assert_eq!(fact(&look, port, "service").as_deref(), Some("ftp"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_garbled_greeting_of_tls_is_no_certificate() {
    let port = server(|mut stream| {
        let mut question = [0; 16];
        drop(stream.read(&mut question));
        drop(stream.write_all(&[0x16, 3, 3, 0xff, 0xff]));
        drop(stream.write_all(&vec![0x0b; 1 << 20]));
    });
    let look = sweep(&[port], &[]).await;
    assert!(fact(&look, port, "name").is_some());
    assert!(look.observations.iter().all(|seen| seen.class != "certificate"));
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_is_written_to_a_fragile_device() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let port = server(move |mut stream| {
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
        drop(sender.lock().unwrap().send(bytes));
    });
    let look = sweep(&[port], &[("fragile", "true"), ("rate", "200")]).await;
    assert!(fact(&look, port, "name").is_some());
    let mut connections = 0;
    while let Ok(written) = receiver.recv_timeout(Duration::from_secs(5)) {
        assert_eq!(written, b"");
        connections += 1;
        if connections == 2 {
            break;
        }
    }
    assert_eq!(connections, 2, "one to see whether it is open, one to listen to it");
}
