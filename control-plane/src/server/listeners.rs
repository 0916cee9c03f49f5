//! The three ports: console, uplink, enrollment.

use super::{Addresses, StartError, State};
use crate::api;
use crate::api::grpc::uplink::UplinkParts;
use crate::app::App;
use crate::config::Settings;
use environment::Clock;
use pki::{AcceptLimits, ServerIdentitySource};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// Connections to the enrollment port; an agent is there for a second.
const ENROLL_CONNECTIONS_MAX: usize = 1024;

/// How long an enrolling agent may take for its one question.
const ENROLL_TIMEOUT: Duration = Duration::from_secs(15);

/// Machines that broke off and wait to be noted; noting one takes a microsecond, so only a flood fills it.
const BROKEN_OFF_MAX: usize = 64;

/// The names that a server certificate carries besides those of the settings.
const OWN_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Ports that are bound and not yet served.
pub(super) struct Listeners {
    console: TcpListener,
    uplink: TcpListener,
    enroll: TcpListener,
    /// The certificate of all of them, replaced by a task before it ends.
    pub(super) identity: ServerIdentitySource,
    clock: Arc<dyn Clock>,
    root: Vec<u8>,
    is_remote: bool,
}

/// The names of a server certificate.
pub(crate) fn certificate_names(names: &[String]) -> Vec<String> {
    OWN_NAMES.iter().map(|name| (*name).to_owned()).chain(names.iter().cloned()).collect()
}

impl Listeners {
    pub(super) async fn bind(
        settings: &Settings,
        state: &State,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let names = certificate_names(&settings.names);
        let identity = state.authority.issue_server(&names, clock.wall())?;
        Ok(Self {
            console: bind(settings.listen, "the console").await?,
            uplink: bind(settings.uplink, "the uplink of agents").await?,
            enroll: bind(settings.enroll, "the enrollment of agents").await?,
            identity: ServerIdentitySource::new(identity),
            clock,
            root: state.authority.root_der().to_vec(),
            is_remote: settings.is_remote,
        })
    }

    /// Where others find the ports.
    pub(super) fn addresses(
        &self,
        settings: &Settings,
        state: &State,
    ) -> Result<Addresses, StartError> {
        let at = |listener: &TcpListener, wanted| {
            let address = listener.local_addr().map_err(|source| StartError::Listen {
                address: wanted,
                purpose: "itself",
                source,
            })?;
            // Agents on other hosts need a name or address of this one; on loopback the address itself is right.
            Ok::<_, StartError>(match settings.names.first() {
                Some(name) if settings.is_remote => host_port(name, address.port()),
                _ => address.to_string(),
            })
        };
        let scheme = if self.is_remote { "https" } else { "http" };
        Ok(Addresses {
            console: format!("{scheme}://{}", at(&self.console, settings.listen)?),
            uplink: at(&self.uplink, settings.uplink)?,
            enroll: at(&self.enroll, settings.enroll)?,
            pin: state.authority.pin().to_string(),
        })
    }

    /// Serves all three until the app stops.
    pub(super) async fn serve(
        self,
        app: &App,
        uplink_parts: UplinkParts,
        running: &TaskTracker,
    ) -> Result<(), StartError> {
        let limits = AcceptLimits { clock: Arc::clone(&self.clock), ..AcceptLimits::default() };
        let uplink =
            pki::serve_mutual(self.uplink, self.identity.clone(), &self.root, limits.clone())?;
        let few = AcceptLimits { connections_max: ENROLL_CONNECTIONS_MAX, ..limits.clone() };
        let (broken_off, mut noted) = tokio::sync::mpsc::channel(BROKEN_OFF_MAX);
        let enroll = pki::serve_plain_tls(self.enroll, self.identity.clone(), few)?
            .reporting_broken_off(broken_off);
        let router =
            api::http::router(app.clone()).await.map_err(|reason| StartError::Schema { reason })?;
        let stopping = app.stopping.clone();
        if self.is_remote {
            let acceptor = pki::serve_plain_tls(self.console, self.identity, limits)?;
            running.spawn(api::serve::serve(api::serve::tls(acceptor), router, stopping));
        } else {
            let incoming = api::serve::plain(self.console);
            running.spawn(api::serve::serve(incoming, router, stopping));
        }
        let fleet = Arc::clone(&app.fleet);
        // Ends when the listener does, which holds the other end.
        running.spawn(async move {
            while let Some(broken_off) = noted.recv().await {
                fleet.note_broken_off(broken_off);
            }
        });
        running.spawn(api::grpc::serve_agents(uplink, app.clone(), uplink_parts));
        running.spawn(api::grpc::serve_enrollment(enroll, app.clone(), ENROLL_TIMEOUT));
        Ok(())
    }
}

async fn bind(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen {
        address,
        purpose,
        source,
    })
}

fn host_port(name: &str, port: u16) -> String {
    match name.parse::<std::net::IpAddr>() {
        Ok(address) => SocketAddr::new(address, port).to_string(),
        Err(_) => format!("{name}:{port}"),
    }
}
