//! Running a query: measured first, with the caller and the loader at hand, every error with a code.

use super::cost::{self, COST_MAX, Cost, DEPTH_MAX};
use super::loader::ItemLoader;
use crate::api::auth::Action;
use crate::api::auth::layer::Caller;
use crate::api::error::{ApiError, Code};
use crate::app::App;
use async_graphql::dataloader::DataLoader;
use async_graphql::dynamic::Schema;
use async_graphql::{Data, Request, Response, ServerError, Value, value};
use futures::StreamExt;
use futures::stream::BoxStream;
use std::sync::Arc;

/// Runs the queries of one caller.
#[derive(Clone)]
pub(super) struct Executor {
    schema: Schema,
    app: App,
    caller: Caller,
}

impl Executor {
    pub(super) const fn new(schema: Schema, app: App, caller: Caller) -> Self {
        Self { schema, app, caller }
    }

    /// Answers a query.
    pub(super) async fn ask(&self, request: Request) -> Response {
        match self.prepare(request) {
            Ok((request, cost)) => completed(self.schema.execute(request).await, Some(cost)),
            Err(error) => refused(error),
        }
    }

    /// Checks who asks and what it costs, and gives the query what its resolvers need.
    fn prepare(&self, mut request: Request) -> Result<(Request, Cost), ApiError> {
        self.caller.may(Action::ItemsRead)?;
        cost::check_text(&request.query)?;
        let operation = request.operation_name.clone();
        let variables = std::mem::take(&mut request.variables);
        let document = request
            .parsed_query()
            .map_err(|error| ApiError::new(Code::QuerySyntax, syntax(&error)))?;
        let cost = cost::measure(document, operation.as_deref(), &variables)?;
        request.variables = variables;
        let loader = ItemLoader { items: Arc::clone(&self.app.items) };
        let request = request
            .data(self.app.clone())
            .data(self.caller.clone())
            .data(DataLoader::new(loader, tokio::spawn));
        Ok((request, cost))
    }
}

impl async_graphql::Executor for Executor {
    async fn execute(&self, request: Request) -> Response {
        self.ask(request).await
    }

    fn execute_stream(
        &self,
        request: Request,
        _session: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        match self.prepare(request) {
            Ok((request, cost)) => self
                .schema
                .execute_stream(request)
                .map(move |answer| completed(answer, Some(cost)))
                .boxed(),
            Err(error) => futures::stream::once(async move { refused(error) }).boxed(),
        }
    }
}

fn syntax(error: &ServerError) -> String {
    let place = error.locations.first();
    let place = place.map_or_else(String::new, |place| {
        format!(" (line {}, column {})", place.line, place.column)
    });
    // The parser's own words go over several lines and draw arrows; the first line says it.
    let words = error.message.lines().next().unwrap_or_default().trim().trim_start_matches("--> ");
    format!("the query cannot be parsed{place}: {}", crate::api::error::shortened(words))
}

fn refused(error: ApiError) -> Response {
    let mut told = ServerError::new(String::new(), None);
    tell(&mut told, &error);
    Response::from_errors(vec![told])
}

/// Gives an error of a query the words, the code and the data of ours.
fn tell(told: &mut ServerError, error: &ApiError) {
    told.message = error.detail.clone();
    let extensions = told.extensions.get_or_insert_default();
    extensions.set("code", error.code.name());
    let params = serde_json::Value::Object(error.params.clone().into_iter().collect());
    if let Ok(params) = Value::from_json(params) {
        extensions.set("params", params);
    }
    if let Some(wait) = error.retry_after {
        extensions.set("retryAfterSeconds", wait.as_secs().saturating_add(1));
    }
}

/// Adds what the query cost, and a code to every error that has none: those of the validation.
fn completed(mut answer: Response, cost: Option<Cost>) -> Response {
    for error in &mut answer.errors {
        if let Some(ours) = error.source::<ApiError>().cloned() {
            tell(error, &ours);
            continue;
        }
        let code = if error.path.is_empty() { Code::QuerySyntax } else { Code::ValidationFailed };
        error.extensions.get_or_insert_default().set("code", code.name());
    }
    if let Some(cost) = cost {
        let told = value!({
            "cost": cost.total,
            "limit": COST_MAX,
            "depth": cost.depth,
            "depthLimit": DEPTH_MAX,
            "fields": cost.fields,
            "aliases": cost.aliases,
        });
        answer.extensions.insert("cost".to_owned(), told);
    }
    answer
}

/// The code of an error, when it has one.
pub(super) fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}
