//! The OpenAPI document, made from the handlers.

use super::{
    agents, can, changes, classes, counts, credentials, events, findings, held, history, identity,
    items, locks, onboarding, review, session, targets, tokens, topology, why,
};
use axum::Json;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The description of the REST API.
#[derive(OpenApi, Debug)]
#[openapi(
    info(title = "Dharma", description = "Configuration items, their relationships and their history; agents and tokens.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        session::show, session::set_up, session::log_in, session::log_out, can::show,
        classes::list, counts::show,
        items::list, items::show, items::relations, items::scopes,
        locks::list, locks::put, locks::delete, why::show,
        changes::list, changes::of_item, events::stream,
        history::extent, history::moments, history::diff,
        findings::held_retirements, findings::possible_duplicates,
        held::items, held::approve, held::dismiss,
        review::possible, review::comparison, review::simulate, review::words,
        identity::explanation, identity::join, identity::divide, identity::keep_apart,
        identity::decisions, identity::take_back, identity::rules, identity::apply_rules,
        identity::plan_rules,
        agents::list, agents::show, agents::revoke, onboarding::show,
        tokens::list, tokens::create, tokens::revoke,
        topology::impact, topology::dependencies, topology::path, topology::neighborhood,
        topology::orphans, topology::groups,
        targets::list, targets::show, targets::put, targets::delete, targets::states, targets::run,
        credentials::list, credentials::show, credentials::put, credentials::delete, credentials::test,
    ),
    modifiers(&Ways),
    security(("token" = []), ("session" = [])),
    tags(
        (name = "session", description = "Logging in and out."),
        (name = "catalog", description = "What classes and relationships there are."),
        (name = "items", description = "Configuration items."),
        (name = "history", description = "What changed, when, and said by whom."),
        (name = "topology", description = "How the estate hangs together, as it is now."),
        (name = "findings", description = "What a person should look at; nothing acts on it."),
        (name = "identity", description = "Which sightings are one item, why, and what people say about it."),
        (name = "agents", description = "Agents and how they join."),
        (name = "targets", description = "What is read over the network, and with which credentials."),
        (name = "tokens", description = "Tokens for agents, people and programs."),
    )
)]
pub struct Document;

/// The ways to show who is calling.
struct Ways;

impl Modify for Ways {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        components
            .add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(
                crate::api::auth::SESSION_COOKIE,
            ))),
        );
    }
}

/// The document as it is served and kept in the repository.
#[must_use]
pub fn text() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

/// Serves the document; it says nothing that the source does not, so anybody may read it.
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}
