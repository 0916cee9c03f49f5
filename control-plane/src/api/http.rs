//! The console's port: one router for REST, GraphQL, gRPC, the event stream and the console's files.
//!
//! Invariants: every answer has a request id and the security headers; whatever fails under `/api` is a problem
//! document; bodies and times are bounded; a request for a name that is not this host's is refused while the port is
//! on loopback, so that a page of another site cannot reach it by a name of its own (DNS rebinding).

use crate::api::auth::layer::{identify, is_grpc};
use crate::api::error::{ApiError, Code};
use crate::api::{console, graphql, grpc, rest};
use crate::app::App;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

/// Bytes of a request's body; the largest is a GraphQL query with variables.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long an answer may take to begin. Streams go on after that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The header that carries the request id.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// Only what the console itself brings; no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Names of this host that a browser on it uses.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Names a request in answers and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Everything that the console's port answers.
///
/// # Errors
/// When the declared classes do not make a GraphQL schema.
pub async fn router(app: App) -> Result<Router, String> {
    let accounts = Arc::clone(&app.accounts);
    let router = Router::new()
        .merge(rest::router())
        .merge(graphql::router(&app)?)
        .merge(grpc::router(&app).await)
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/install.sh", get(console::install_script))
        .route("/docs/errors/{code}", get(console::error_page))
        .fallback(console::fallback)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(accounts, identify))
        .layer(CompressionLayer::new().br(true).gzip(true))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), finish))
        .with_state(app);
    Ok(router)
}

async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    if app.stopping.is_cancelled() {
        return Err(ApiError::new(Code::Unavailable, "the control plane stops"));
    }
    app.accounts.is_setup_needed().await?;
    Ok("ready\n")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "this path has no such method; /api/openapi.json lists what there is",
    )
}

fn panicked(_cause: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request made the control plane panic; this is a defect");
    ApiError::new(Code::Internal, "the request could not be answered; the log says why")
        .into_response()
}

/// The outermost layer: names the request, bounds its time, completes errors, adds headers.
async fn finish(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id: Arc<str> = app.accounts.request_id().into();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let is_grpc = is_grpc(request.headers());
    let path: Arc<str> = request.uri().path().into();
    let method = request.method().clone();
    let refused = (!app.options.is_remote && !is_for_this_host(&request)).then(host_refused);
    let mut response = match refused {
        Some(error) => error.into_response(),
        None => match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_elapsed) => {
                let detail = "the answer took longer than 30 seconds; ask for less at a time";
                ApiError::new(Code::DeadlineExceeded, detail).into_response()
            }
        },
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        tracing::debug!(request = %id, %method, %path, code = error.code.name(), "request refused");
        response = if is_grpc {
            tonic::Status::from(error).into_http::<axum::body::Body>()
        } else {
            error.respond(&id)
        };
    }
    let headers = response.headers_mut();
    add_security_headers(headers, app.options.is_remote);
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static(REQUEST_ID_HEADER), value);
    }
    response
}

fn add_security_headers(headers: &mut HeaderMap, is_remote: bool) {
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_remote {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

fn host_refused() -> ApiError {
    ApiError::new(
        Code::HostRefused,
        "the console listens on this host only; open it as http://127.0.0.1, or start the control plane with --bind",
    )
}

/// Whether the request names this host. HTTP/1.0 names none, and gRPC clients may name anything that they connected
/// to, but a browser always tells what stands in its address bar.
fn is_for_this_host(request: &Request) -> bool {
    let named = request
        .uri()
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| request.headers().get(header::HOST).and_then(|host| host.to_str().ok()));
    let Some(named) = named else { return true };
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => named,
    };
    LOOPBACK_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// What answers a path under `/api` that nobody knows.
#[must_use]
pub fn unknown_path(path: &str) -> ApiError {
    let path = crate::api::error::shortened(path);
    ApiError::new(
        Code::NotFound,
        format!("there is no path `{path}`; /api/openapi.json lists what there is"),
    )
    .with("path", path)
}
