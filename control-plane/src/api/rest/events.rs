//! The event stream: changes as they are committed, and a word when the number of agents changes.
//!
//! Resumable by `Last-Event-ID`: the id of an event is the revision that it ends with.

use super::extract::Parameters;
use crate::api::auth::{Action, Caller, Principal};
use crate::api::error::{ApiError, Problem};
use crate::api::live::{Feed, RECHECK_INTERVAL};
use crate::api::view::ChangeView;
use crate::app::App;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use http::{HeaderMap, HeaderValue, header};
use model::Revision;
use serde::Serialize;
use serde_json::json;
use std::convert::Infallible;
use tokio::sync::watch;
use tokio::time::Interval;
use utoipa::ToSchema;

/// Changes that were committed together.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeEvent {
    /// Everything through this revision is contained or was before.
    pub revision: u64,
    /// The changes, oldest first.
    pub changes: Vec<ChangeView>,
}

/// Server-sent events: `change` with a ChangeEvent, `agents` with the numbers of agents, `ping` every 15 s, and
/// `error` with a Problem before the stream ends by itself.
#[utoipa::path(get, path = "/api/v1/events", tag = "history", params(
    ("after" = Option<u64>, Query, description = "Changes after this revision; without it, from now on"),
    ("last-event-id" = Option<u64>, Header, description = "The same, as browsers send it when they reconnect")),
    responses((status = 200, content_type = "text/event-stream", body = ChangeEvent), (status = "default", body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, ApiError> {
    let principal = caller.may(Action::ItemsRead)?.clone();
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let asked = parameters.one("after")?;
    parameters.finish()?;
    // A browser that reconnects sends both, and knows more by its own id.
    let after = match resumed.or(asked) {
        None => None,
        Some(text) => Some(Revision(
            text.trim()
                .parse()
                .map_err(|_| ApiError::invalid("after", "`after` is the number of a revision"))?,
        )),
    };
    let feed = Feed::open(std::sync::Arc::clone(&app.items), after, Vec::new())?;
    let events = Events {
        agents: app.streams.changed(),
        fleet: app.fleet.changed(),
        feed,
        principal,
        pings: tokio::time::interval(RECHECK_INTERVAL),
        is_over: false,
        app,
    };
    let mut response = Sse::new(events.into_stream()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that collects before it passes on would make the stream worthless.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Events {
    app: App,
    feed: Feed,
    principal: Principal,
    agents: watch::Receiver<u64>,
    fleet: watch::Receiver<u64>,
    pings: Interval,
    is_over: bool,
}

impl Events {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures::stream::unfold(self, |mut events| async move {
            if events.is_over {
                return None;
            }
            let event = match events.next().await {
                Ok(event) => event?,
                Err(error) => {
                    events.is_over = true;
                    event("error", &error.problem(""))
                }
            };
            Some((Ok(event), events))
        })
    }

    async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        tokio::select! {
            () = self.app.stopping.cancelled() => Ok(None),
            batch = self.feed.next() => {
                let batch = batch?;
                let changes = batch.changes.iter().map(Into::into).collect();
                let body = ChangeEvent { revision: batch.revision.0, changes };
                Ok(Some(event("change", &body).id(batch.revision.0.to_string())))
            }
            Ok(()) = self.agents.changed() => Ok(Some(self.agents_event().await?)),
            Ok(()) = self.fleet.changed() => Ok(Some(self.agents_event().await?)),
            _ = self.pings.tick() => {
                let is_still = self.app.accounts.is_still(&self.principal).await?;
                let revision = self.feed.last().0;
                Ok(is_still.then(|| event("ping", &json!({ "revision": revision }))))
            }
        }
    }

    async fn agents_event(&self) -> Result<Event, ApiError> {
        let total = self.app.fleet.agent_count().await?;
        let body = json!({ "connected": self.app.streams.count(), "total": total });
        Ok(event("agents", &body))
    }
}

fn event(name: &str, body: &impl Serialize) -> Event {
    // The bodies are ours: JSON text without line breaks.
    Event::default().event(name).data(serde_json::to_string(body).unwrap_or_default())
}
