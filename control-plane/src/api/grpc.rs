//! The gRPC services: questions on the console's port, enrollment and agents on ports of their own.

pub mod enroll;
pub mod identity;
pub mod query;
pub mod uplink;

use crate::app::App;
use axum::Router;
use proto::v1::query_server::QueryServer;
use std::sync::Arc;
use std::time::Duration;
use tonic::server::NamedService;
use tonic::transport::Server;

/// Bytes of a request; questions are small.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Requests of one agent at the same time: its stream, a renewal, and room for a retry of either.
const AGENT_REQUESTS_MAX: u32 = 8;

/// Bytes of all headers of a request of an agent.
const AGENT_HEADER_BYTES_MAX: u32 = 16 * 1024;

/// How often a silent agent is asked for a sign of life, and how long it may take. Beats come more often.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(90);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves enrolled agents until the app stops.
pub async fn serve_agents(acceptor: pki::Acceptor, app: App, parts: uplink::UplinkParts) {
    let uplink = uplink::service(parts);
    let served = server()
        .add_service(uplink)
        .add_service(identity::Service::server(Arc::clone(&app.fleet)))
        .serve_with_incoming_shutdown(acceptor, app.stopping.clone().cancelled_owned());
    report("the uplink", served.await);
}

/// Serves agents that want to join until the app stops.
pub async fn serve_enrollment(acceptor: pki::Acceptor, app: App, timeout: Duration) {
    let served = server()
        .timeout(timeout)
        .add_service(enroll::Service::server(Arc::clone(&app.fleet)))
        .serve_with_incoming_shutdown(acceptor, app.stopping.clone().cancelled_owned());
    report("the enrollment", served.await);
}

fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(AGENT_REQUESTS_MAX)
        .http2_max_header_list_size(AGENT_HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
}

fn report(what: &'static str, ended: Result<(), tonic::transport::Error>) {
    if let Err(error) = ended {
        tracing::error!(what, cause = crate::api::error::chain(&error), "a listener ended");
    }
}

/// The services of the console's port: questions, health and reflection.
pub async fn router(app: &App) -> Router<App> {
    let query = QueryServer::new(query::Service::new(app.clone()))
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .send_compressed(tonic::codec::CompressionEncoding::Zstd)
        .accept_compressed(tonic::codec::CompressionEncoding::Zstd);
    let router = mount(Router::new(), query);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<QueryServer<query::Service>>().await;
    let router = mount(router, health);
    match reflection() {
        Ok(service) => mount(router, service),
        Err(error) => {
            tracing::error!(%error, "gRPC reflection is off: the descriptors cannot be read");
            router
        }
    }
}

fn reflection() -> Result<
    tonic_reflection::server::v1::ServerReflectionServer<
        impl tonic_reflection::server::v1::ServerReflection,
    >,
    tonic_reflection::server::Error,
> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::v1::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
}

fn mount<S>(router: Router<App>, service: S) -> Router<App>
where
    S: tower::Service<
            http::Request<axum::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    router.route_service(&format!("/{}/{{*method}}", S::NAME), service)
}
