//! `inspect`: what the state holds, read without changing it; works while the server runs and when it does not.
//!
//! Each line names what it says; a record that cannot be read is named and the next one is shown.

use super::open_state;
use crate::arguments::InspectCommand;
use control_plane::api::error::ApiError;
use control_plane::api::moment::rfc3339;
use control_plane::api::view::{ChangeView, ItemView};
use model::ItemId;
use model::query::{At, ChangeFilter, PAGE_SIZE_MAX, Page};
use std::path::PathBuf;
use store::fleet::{Fleet, LIST_MAX, SqliteFleet};
use store::items::Items;

pub(super) async fn run(path: PathBuf, what: InspectCommand) -> anyhow::Result<()> {
    let state = open_state(&path)?;
    let fleet = SqliteFleet::new(state.database.clone());
    match what {
        InspectCommand::Agents => agents(&fleet).await,
        InspectCommand::Tasks => tasks(&fleet).await,
        InspectCommand::Item { id } => item(state.items()?.as_ref(), &id).await,
        InspectCommand::Changes { limit } => changes(state.items()?.as_ref(), limit).await,
    }
}

async fn agents(fleet: &SqliteFleet) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = fleet.agents(after, LIST_MAX).await?;
        for agent in &page {
            println!("agent {} ({})", agent.id, agent.name);
            println!("  site            {}", agent.site);
            println!("  version         {}", agent.version);
            println!(
                "  joined          {} by token {}",
                rfc3339(agent.enrolled_at),
                agent.token_id
            );
            println!("  last seen       {} from {}", rfc3339(agent.last_seen), agent.address);
            println!(
                "  certificate     {} until {}, renewed {} times",
                agent.certificate.serial,
                rfc3339(agent.certificate.expires_at),
                agent.renewals
            );
            if let Some(at) = agent.revoked_at {
                println!("  revoked         {}", rfc3339(at));
            }
            for finding in fleet.findings(agent.id).await? {
                println!("  {}  {}", finding.code, finding.detail);
            }
            for complaint in &agent.complaints {
                println!("  complains       {complaint}");
            }
        }
        after = page.last().map(|agent| agent.id);
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn tasks(fleet: &SqliteFleet) -> anyhow::Result<()> {
    for task in fleet.tasks().await? {
        println!(
            "{}\tran {} times\tlast {} to {}\t{}",
            task.name,
            task.runs,
            rfc3339(task.started_at),
            rfc3339(task.finished_at),
            task.error
        );
    }
    Ok(())
}

async fn item(items: &dyn Items, id: &str) -> anyhow::Result<()> {
    let wanted: ItemId = id.parse().map_err(|_| ApiError::not_found("item", id))?;
    let found = items.item(wanted, At::Now).await.map_err(ApiError::from)?;
    let found = found.ok_or_else(|| ApiError::not_found("item", id))?;
    println!("{}", serde_json::to_string_pretty(&ItemView::from(&found))?);
    for (verb, outgoing, count) in
        items.relation_counts(found.id, At::Now).await.map_err(ApiError::from)?
    {
        let direction = if outgoing { "to" } else { "from" };
        println!("{verb} {direction} {count} items");
    }
    for scope in items.scopes(found.id).await.map_err(ApiError::from)? {
        println!(
            "scope {} of {}: {} {}, looked at {}",
            scope.scope,
            scope.source,
            scope.coverage.status.name(),
            scope.coverage.detail,
            rfc3339(scope.looked_at)
        );
    }
    Ok(())
}

async fn changes(items: &dyn Items, limit: u32) -> anyhow::Result<()> {
    let page = Page { size: limit.clamp(1, PAGE_SIZE_MAX), after: None };
    let found = items.changes(&ChangeFilter::default(), &page).await.map_err(ApiError::from)?;
    for (_, change) in &found.entries {
        println!("{}", serde_json::to_string(&ChangeView::from(change))?);
    }
    if found.has_more {
        eprintln!("older changes follow; --limit shows up to {PAGE_SIZE_MAX}");
    }
    Ok(())
}
