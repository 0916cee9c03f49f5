//! Makes an authority for development and an agent's certificate: `cargo xtask certs`.
//!
//! Everything is written below the given directory with mode 0600. An authority that is there is used again.

use environment::{Clock, SystemClock};
use model::AgentId;
use pki::{AgentKey, Authority, certificates_to_pem};
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Development certificates need no renewal for a year.
const LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

fn main() -> Result<(), Box<dyn Error>> {
    let directory =
        PathBuf::from(std::env::args_os().nth(1).ok_or("usage: make_certificates DIRECTORY")?);
    let now = SystemClock.wall();
    let authority = Authority::load_or_create(&directory, now)?;
    let agent = AgentId::from_bytes(*b"development-only");
    let key = AgentKey::generate()?;
    let issued = authority.issue_agent(&key.csr_der()?, agent, now, LIFE)?;
    key.store(&directory.join("agent.key.pem"))?;
    std::fs::write(directory.join("agent.pem"), certificates_to_pem(&issued.chain_der))?;
    eprintln!("authority {} in {}; agent {agent}", authority.pin(), directory.display());
    Ok(())
}
