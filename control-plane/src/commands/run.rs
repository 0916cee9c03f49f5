//! `run`: the control plane itself.

use crate::arguments::RunArguments;
use anyhow::Context;
use control_plane::config::{CONFIG_FILE, Config};
use control_plane::server::Server;
use environment::{SystemClock, SystemRandomness};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// What is logged when RUST_LOG says nothing.
const LOG_DEFAULT: &str = "info,h2=warn,hyper=warn,tonic=warn";

pub(super) async fn run(arguments: RunArguments) -> anyhow::Result<()> {
    start_log(arguments.log_json);
    let settings = config(&arguments)?.overlaid(arguments.config()).settings()?;
    // Before anything else: a signal during the start must not be lost.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let server = Server::start(settings, Arc::new(SystemClock), Arc::new(SystemRandomness)).await?;
    if let Some(code) = server.setup_code() {
        println!("Setup code: {code}");
    }
    println!("Console: {}", server.addresses().console);
    tracing::info!(
        console = server.addresses().console,
        uplink = server.addresses().uplink,
        enroll = server.addresses().enroll,
        "the control plane is ready"
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("the control plane stops");
    server.stop().await;
    Ok(())
}

fn config(arguments: &RunArguments) -> anyhow::Result<Config> {
    match &arguments.config {
        Some(path) => Ok(Config::read(path)?),
        None if Path::new(CONFIG_FILE).exists() => Ok(Config::read(Path::new(CONFIG_FILE))?),
        None => Ok(Config::default()),
    }
}

fn start_log(is_json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if is_json {
        log.json().init();
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).init();
    }
}
