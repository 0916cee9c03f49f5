//! Agents in a query: the same form that REST gives.

use super::lists::{self, Connection, Edge};
use super::{app, items, or_null, values};
use crate::api::auth::Action;
use crate::api::auth::layer::Caller;
use crate::api::error::ApiError;
use crate::api::rest::agents::{self as rest_agents, AgentView};
use async_graphql::dynamic::{Field, FieldFuture, FieldValue, Object, TypeRef};
use async_graphql::{Result, Value as GraphValue};
use model::query::At;
use std::sync::Arc;

/// The root's list of agents.
pub(super) fn field() -> Field {
    let field = Field::new("agents", TypeRef::named_nn("AgentConnection"), |ctx| {
        FieldFuture::new(async move {
            let app = app(ctx.ctx)?;
            ctx.ctx.data::<Caller>()?.may(Action::AgentsRead)?;
            let request = lists::page(&ctx.args, "agents")?;
            let after = match &request.page.after {
                None => None,
                Some(cursor) => Some(crate::api::rest::extract::id("agent", cursor)?),
            };
            let (agents, has_more) = rest_agents::page(app, after, request.page.size).await?;
            let mut entries = Vec::with_capacity(agents.len());
            for agent in &agents {
                let view = rest_agents::view(app, agent).await?;
                entries.push((view.id.clone(), Arc::new(view)));
            }
            let found = model::query::Paged { entries, has_more };
            let page = Connection::new(&request, found, |view| view);
            Ok(Some(FieldValue::owned_any::<Connection<Arc<AgentView>>>(page)))
        })
    })
    .description("Agents, in the order in which they joined.");
    lists::paged(field)
}

fn plain(name: &str, of: TypeRef, doc: &str, get: fn(&AgentView) -> Option<GraphValue>) -> Field {
    Field::new(name, of, move |ctx| {
        FieldFuture::new(async move {
            let agent = ctx.parent_value.try_downcast_ref::<Arc<AgentView>>()?;
            Ok(get(agent).map(FieldValue::value))
        })
    })
    .description(doc)
}

/// The types of agents.
pub(super) fn types() -> Vec<Object> {
    let text = || TypeRef::named_nn(TypeRef::STRING);
    let time = || TypeRef::named_nn("Time");
    let fields = vec![
        plain("id", TypeRef::named_nn(TypeRef::ID), "Its id.", |agent| {
            Some(agent.id.as_str().into())
        }),
        plain("name", text(), "What a person calls it.", |agent| Some(agent.name.as_str().into())),
        plain("site", text(), "Its site.", |agent| Some(agent.site.as_str().into())),
        plain("version", text(), "Version of its program.", |agent| {
            Some(agent.version.as_str().into())
        }),
        plain("state", TypeRef::named_nn("AgentState"), "Whether its stream is open.", |agent| {
            Some(values::member(agent.state))
        }),
        plain("enrolledAt", time(), "When it joined.", |agent| {
            Some(agent.enrolled_at.as_str().into())
        }),
        plain("lastSeen", time(), "When it was last in contact.", |agent| {
            Some(agent.last_seen.as_str().into())
        }),
        plain("certificateExpires", time(), "When its certificate ends.", |agent| {
            Some(agent.certificate_expires.as_str().into())
        }),
        plain("address", text(), "From where it was last in contact.", |agent| {
            Some(agent.address.as_str().into())
        }),
        plain("labels", TypeRef::named_nn("Value"), "Its labels, as an object.", |agent| {
            GraphValue::from_json(serde_json::json!(agent.labels)).ok()
        }),
        plain(
            "complaints",
            TypeRef::named_nn_list_nn(TypeRef::STRING),
            "What it, or the control plane about it, complains of.",
            |agent| {
                let complaints = agent.complaints.iter().map(|text| text.as_str().into());
                Some(GraphValue::List(complaints.collect()))
            },
        ),
        host_field(),
    ];
    let agent = Object::new("Agent").description("An agent.").implement("Node");
    let agent = fields.into_iter().fold(agent, Object::field);
    let edge = Object::new("AgentEdge")
        .description("An agent of a page.")
        .field(lists::cursor_field::<Arc<AgentView>>())
        .field(
            Field::new("node", TypeRef::named_nn("Agent"), |ctx| {
                FieldFuture::new(async move {
                    let edge = ctx.parent_value.try_downcast_ref::<Arc<Edge<Arc<AgentView>>>>()?;
                    Ok(Some(FieldValue::owned_any(Arc::clone(&edge.node))))
                })
            })
            .description("The agent."),
        );
    let connection = lists::connection_type::<Arc<AgentView>>("AgentConnection", "AgentEdge");
    vec![agent, edge, connection]
}

fn host_field() -> Field {
    Field::new("host", TypeRef::named("Item"), |ctx| {
        FieldFuture::new(async move { or_null(ctx.ctx, host(&ctx).await) })
    })
    .description("The host that it describes, once it has.")
}

async fn host<'a>(
    ctx: &async_graphql::dynamic::ResolverContext<'_>,
) -> Result<Option<FieldValue<'a>>> {
    let agent = ctx.parent_value.try_downcast_ref::<Arc<AgentView>>()?;
    let Some(id) = &agent.item_id else { return Ok(None) };
    let id = id.parse().map_err(|_| ApiError::not_found("item", id))?;
    Ok(items::value_of(ctx.ctx, id, At::Now).await?)
}
