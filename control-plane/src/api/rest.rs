//! REST under `/api/v1`, described by an OpenAPI document that is made from the handlers.
//!
//! Invariants: every list has a page limit and says whether more follows; a page token belongs to its question; an
//! unknown query parameter is an error, because a filter that is silently ignored shows the wrong things.

pub mod agents;
pub mod can;
pub mod changes;
pub mod classes;
pub mod conditional;
pub mod counts;
pub mod credentials;
pub mod events;
pub mod extract;
pub mod filter;
pub mod findings;
pub mod held;
pub mod history;
pub mod idempotency;
pub mod identity;
pub mod items;
pub mod locks;
pub mod onboarding;
pub mod openapi;
pub mod page;
pub mod plan;
pub mod review;
pub mod session;
pub mod targets;
pub mod tokens;
pub mod topology;
pub mod why;

use crate::app::App;
use axum::Router;
use axum::routing::{get, post, put};

/// The paths of the API. What is listed here must also stand in the OpenAPI document; a test compares both.
pub fn router() -> Router<App> {
    Router::new()
        .route("/api/openapi.json", get(openapi::document))
        .route("/api/v1/session", get(session::show))
        .route("/api/v1/can", get(can::show))
        .route("/api/v1/setup", post(session::set_up))
        .route("/api/v1/login", post(session::log_in))
        .route("/api/v1/logout", post(session::log_out))
        .route("/api/v1/classes", get(classes::list))
        .route("/api/v1/counts", get(counts::show))
        .route("/api/v1/items", get(items::list))
        .route("/api/v1/items/{id}", get(items::show))
        .route("/api/v1/items/{id}/relations", get(items::relations))
        .route("/api/v1/items/{id}/changes", get(changes::of_item))
        .route("/api/v1/items/{id}/locks", get(locks::list))
        .route("/api/v1/items/{id}/locks/{attribute}", put(locks::put).delete(locks::delete))
        .route("/api/v1/items/{id}/attributes/{attribute}/explanation", get(why::show))
        .route("/api/v1/items/{id}/scopes", get(items::scopes))
        .route("/api/v1/items/{id}/impact", get(topology::impact))
        .route("/api/v1/items/{id}/dependencies", get(topology::dependencies))
        .route("/api/v1/items/{id}/path", get(topology::path))
        .route("/api/v1/items/{id}/neighborhood", get(topology::neighborhood))
        .route("/api/v1/topology/orphans", get(topology::orphans))
        .route("/api/v1/topology/groups", get(topology::groups))
        .route("/api/v1/items/{id}/moments", get(history::moments))
        .route("/api/v1/changes", get(changes::list))
        .route("/api/v1/history", get(history::extent))
        .route("/api/v1/diff", get(history::diff))
        .route("/api/v1/held-retirements", get(findings::held_retirements))
        .route("/api/v1/held-retirements/{id}/items", get(held::items))
        .route("/api/v1/held-retirements/{id}/approve", post(held::approve))
        .route("/api/v1/held-retirements/{id}/dismiss", post(held::dismiss))
        .route("/api/v1/possible-duplicates", get(findings::possible_duplicates))
        .route("/api/v1/items/{id}/explanation", get(identity::explanation))
        .route("/api/v1/identity/possible", get(review::possible))
        .route("/api/v1/identity/comparison", get(review::comparison))
        .route("/api/v1/identity/simulate", post(review::simulate))
        .route("/api/v1/identity/words", post(review::words))
        .route("/api/v1/identity/join", post(identity::join))
        .route("/api/v1/identity/divide", post(identity::divide))
        .route("/api/v1/identity/keep-apart", post(identity::keep_apart))
        .route("/api/v1/identity/decisions", get(identity::decisions))
        .route("/api/v1/identity/decisions/{action}", axum::routing::delete(identity::take_back))
        .route("/api/v1/identity/rules", get(identity::rules).put(identity::apply_rules))
        .route("/api/v1/identity/rules/plan", post(identity::plan_rules))
        .route("/api/v1/agents", get(agents::list))
        .route("/api/v1/agents/{id}", get(agents::show).delete(agents::revoke))
        .route("/api/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/api/v1/tokens/{id}", axum::routing::delete(tokens::revoke))
        .route("/api/v1/targets", get(targets::list))
        .route("/api/v1/targets/{name}", targets::one())
        .route("/api/v1/targets/{name}/states", get(targets::states))
        .route("/api/v1/targets/{name}/run", post(targets::run))
        .route("/api/v1/credentials", get(credentials::list))
        .route("/api/v1/credentials/{name}", credentials::one())
        .route("/api/v1/credentials/{name}/test", post(credentials::test))
        .route("/api/v1/onboarding/{token_id}", get(onboarding::show))
        .route("/api/v1/events", get(events::stream))
}
