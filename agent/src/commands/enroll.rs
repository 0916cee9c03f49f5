//! `enroll`: becoming known, once.

use super::{Outcome, output, start_logging};
use crate::cli::Enroll;
use crate::config::Config;
use crate::enrollment;
use crate::identity::{Identity, Store};
use anyhow::Context;
use environment::SystemClock;
use std::path::Path;

/// Where and with what to enroll.
pub(super) fn way(config: &Config) -> anyhow::Result<(String, std::path::PathBuf)> {
    let server = config.server.value.clone().context(
        "this host is not enrolled: say where with --server HOST:7444, and give a join token with --token-file FILE",
    )?;
    let token_file = config.token_file.value.clone().context(
        "this host is not enrolled: give a join token with --token-file FILE; make one in the console under Agents",
    )?;
    Ok((server, token_file))
}

/// The configuration with what the command line says.
pub(super) fn overruled(mut config: Config, how: Enroll) -> Config {
    config.server.overrule(how.server.map(Some));
    config.token_file.overrule(how.token_file.map(Some));
    config
}

/// Enrolls and keeps the identity; the token's file is deleted then.
pub(super) async fn once(store: &Store, config: &Config) -> anyhow::Result<Identity> {
    let (server, token_file) = way(config)?;
    let token = enrollment::read_token(&token_file)?;
    let identity = enrollment::enroll(store, &server, &token, &SystemClock).await?;
    enrollment::delete_token(&token_file);
    tracing::info!(agent = %identity.enrolled.agent_id, server, "this host is enrolled");
    Ok(identity)
}

pub(super) async fn enroll(state: &Path, config: Config, how: Enroll) -> anyhow::Result<Outcome> {
    start_logging();
    let store = Store::new(state);
    if let Some(enrolled) = store.enrolled()? {
        anyhow::bail!(
            "this host is enrolled already, as agent {} at {}; move `{}` away to enroll it anew",
            enrolled.agent_id,
            enrolled.server,
            store.directory().display()
        );
    }
    let identity = once(&store, &overruled(config, how)).await?;
    output::line(format_args!("Enrolled as agent {}", identity.enrolled.agent_id));
    Ok(Outcome::Done)
}
