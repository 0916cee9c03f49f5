//! `token create|list|revoke`: for whoever owns the state; the server may run meanwhile.

use super::open_state;
use crate::arguments::{Kind, TokenCommand, TokenCreateArguments};
use anyhow::{Context, bail};
use control_plane::api::auth::{Accounts, NewAccessToken, TOKEN_LIFE_DEFAULT};
use control_plane::api::error::ApiError;
use control_plane::api::moment::rfc3339;
use control_plane::fleet::{Fleet, FleetParts, JOIN_TOKEN_LIFE_DEFAULT, NewJoinToken};
use control_plane::server::{State, write_private};
use environment::{SystemClock, SystemRandomness};
use model::TokenId;
use pki::token::AccessKind;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use store::fleet::{LIST_MAX, SqliteFleet};
use store::users::SqliteUsers;

pub(super) async fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create(arguments) => create(arguments).await,
        TokenCommand::List { state } => list(&state.state).await,
        TokenCommand::Revoke { state, id } => revoke(&state.state, &id).await,
    }
}

fn fleet(state: &State) -> anyhow::Result<Fleet> {
    let parts = FleetParts {
        store: Arc::new(SqliteFleet::new(state.database.clone())),
        authority: Arc::clone(&state.authority),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
    };
    Ok(Fleet::new(parts, state.items()?))
}

/// People and access tokens of a state.
pub(super) fn accounts(state: &State) -> Accounts {
    let users = Arc::new(SqliteUsers::new(state.database.clone()));
    Accounts::new(users, Arc::new(SystemClock), Arc::new(SystemRandomness), None)
}

async fn create(arguments: TokenCreateArguments) -> anyhow::Result<()> {
    let state = open_state(&arguments.state.state)?;
    let life = arguments.ttl;
    let text = match arguments.kind {
        Kind::Join => {
            let wanted = NewJoinToken {
                name: arguments.name,
                site: arguments.site,
                labels: labels(&arguments.labels)?,
                uses: arguments.uses,
                life: life.unwrap_or(JOIN_TOKEN_LIFE_DEFAULT),
                created_by: "the owner of the state".into(),
            };
            let made = fleet(&state)?.token_create(wanted).await.map_err(ApiError::from)?;
            eprintln!(
                "join token {}, good until {}",
                made.record.id,
                rfc3339(made.record.expires_at)
            );
            made.text
        }
        Kind::Personal | Kind::Service => {
            let kind = match arguments.kind {
                Kind::Personal => AccessKind::Personal,
                Kind::Service | Kind::Join => AccessKind::Service,
            };
            if (kind == AccessKind::Personal) != arguments.user.is_some() {
                bail!("a personal token needs --user NAME, and a service token has none");
            }
            let scopes = arguments.scopes;
            let wanted = NewAccessToken {
                kind,
                name: arguments.name,
                scopes: if scopes.is_empty() { vec!["read".into()] } else { scopes },
                life: life.unwrap_or(TOKEN_LIFE_DEFAULT),
            };
            let (record, text) =
                accounts(&state).token_create_locally(wanted, arguments.user.as_deref()).await?;
            eprintln!(
                "{} token {}, good until {}",
                record.kind,
                record.id,
                rfc3339(record.expires_at)
            );
            text
        }
    };
    match arguments.out {
        Some(path) => write_private(&path, &format!("{text}\n"))
            .with_context(|| format!("cannot write `{}`", path.display()))?,
        None => println!("{text}"),
    }
    state.close().await;
    Ok(())
}

async fn list(path: &Path) -> anyhow::Result<()> {
    let state = open_state(path)?;
    let fleet = fleet(&state)?;
    let mut after = None;
    loop {
        let page = fleet.tokens(after.take(), LIST_MAX).await.map_err(ApiError::from)?;
        for token in &page {
            println!(
                "join\t{}\t{}\t{} of {} used\t{}\t{}",
                token.id,
                rfc3339(token.expires_at),
                token.uses,
                token.uses_max,
                if token.revoked_at.is_some() { "revoked" } else { "" },
                token.name
            );
        }
        after = page.last().map(|token| token.id.clone());
        if after.is_none() {
            break;
        }
    }
    let accounts = accounts(&state);
    loop {
        let page = accounts.tokens_locally(after.take(), LIST_MAX).await?;
        for token in &page {
            println!(
                "{}\t{}\t{}\t{}\t{}\t{}",
                token.kind,
                token.id,
                rfc3339(token.expires_at),
                token.scopes.join(","),
                if token.revoked_at.is_some() { "revoked" } else { "" },
                token.name
            );
        }
        after = page.last().map(|token| token.id.clone());
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn revoke(path: &Path, id: &str) -> anyhow::Result<()> {
    let state = open_state(path)?;
    let id: TokenId = id.parse().map_err(|_| ApiError::not_found("token", id))?;
    let is_revoked = fleet(&state)?.token_revoke(id).await.map_err(ApiError::from)?
        || accounts(&state).token_revoke_locally(id).await?;
    if !is_revoked {
        return Err(ApiError::not_found("token", &id.to_string()).into());
    }
    println!("revoked");
    state.close().await;
    Ok(())
}

fn labels(given: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    given
        .iter()
        .map(|label| {
            let (name, value) = label
                .split_once('=')
                .with_context(|| format!("`{label}` is no label; write NAME=VALUE"))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}
