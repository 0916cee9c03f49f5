//! The sweep against sockets of this machine: services that behave, and services that do not.
#![expect(clippy::unwrap_used, reason = "what a test needs is there or the test fails")]

mod hostile;
mod services;

use collector::testing::Look;
use collector::{Remote, Target};
use collector_sweep::{SCOPE, SweepCollector};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

/// A target on loopback.
fn target(address: &str, options: &[(&str, &str)]) -> Target {
    let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let remote = Remote {
        address: address.into(),
        port: None,
        options: options.collect(),
        credentials: Vec::new(),
    };
    Target::remote("office", "berlin", remote)
}

/// A server that does `talk` with each connection; its port. It ends with the test's process.
fn server(talk: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = std::sync::Arc::new(talk);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = std::sync::Arc::clone(&talk);
            thread::spawn(move || talk(stream));
        }
    });
    port
}

/// Sweeps ports of loopback, and holds the answer against the manifest.
async fn sweep(ports: &[u16], options: &[(&str, &str)]) -> Look {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let ports = ports.join(",");
    let mut all = vec![("ports", ports.as_str())];
    all.extend(options);
    let target = target("127.0.0.1", &all);
    let look = collector::testing::look(&SweepCollector, &target, SCOPE).await.unwrap();
    let complaints = collector::testing::complaints(&SweepCollector, SCOPE, &look.observations);
    assert_eq!(complaints, Vec::<String>::new());
    look
}

/// A fact of the listener on a port.
fn fact(look: &Look, port: u16, name: &str) -> Option<String> {
    let seen = look.observations.iter().find(|seen| {
        seen.class == "listening_endpoint"
            && seen.facts.get("port").is_some_and(|value| value.to_line() == port.to_string())
    })?;
    seen.facts.get(name).map(model::Value::to_line)
}
