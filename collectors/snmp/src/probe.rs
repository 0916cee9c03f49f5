//! Finding out which credential a target accepts.
//!
//! Invariants: credentials are tried in the order given, each as it says and never weaker; their number and the time
//! are bounded, so that a dead target costs seconds. What was refused is told apart from what was never heard, as far
//! as the protocol allows: a wrong community looks like silence.
//!
//! Deliberately not here: pausing after refusals (the agent does, for all protocols).

use crate::access::{self, Access};
use crate::memory::{self, Place, Remembered};
use crate::session::{Failure, Session, Timing};
use crate::table;
use crate::usm::User;
use crate::value::Value;
use crate::vendors;
use crate::walk::Tuning;
use collector::{CollectError, Remote, Target};
use environment::SystemRandomness;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The most credentials that are tried on one target.
pub(crate) const CREDENTIALS_MAX: usize = 16;

/// How long finding the credential may take altogether.
const PROBE_TIME_MAX: Duration = Duration::from_secs(45);

/// How often a probe is repeated: once, since most of them are wrong or lead nowhere.
const PROBE_RETRIES: u32 = 1;

/// `sysObjectID.0` and `sysDescr.0` (SNMPv2-MIB), which every agent has.
const OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
const DESCRIPTION: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];

/// An open conversation.
#[derive(Debug)]
pub(crate) struct Found {
    /// The conversation.
    pub session: Session,
    /// How many variables the target takes at once.
    pub tuning: Tuning,
    /// The name of the credential that was accepted.
    pub credential: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// Whether it is a host, so that it and its parts are named accordingly in every scope.
    pub is_host: bool,
    place: Place,
}

impl Found {
    /// Remembers what was learned, for the next look.
    pub(crate) fn remember(&self) {
        let engine = self.session.engine().cloned();
        let what = Remembered { engine, tuning: self.tuning, silent_until: None };
        memory::keep(self.place, what);
    }
}

fn misconfigured(remote: &Remote, what: impl Into<String>) -> CollectError {
    CollectError::Misconfigured { target: remote.address.clone(), what: what.into() }
}

fn unreachable(remote: &Remote, source: io::Error) -> CollectError {
    CollectError::Unreachable { target: remote.address.clone(), source }
}

/// A number among the options, within its limits.
fn option<N: std::str::FromStr + PartialOrd + std::fmt::Display>(
    remote: &Remote,
    name: &str,
    default: N,
    limits: (N, N),
) -> Result<N, CollectError> {
    let Some(text) = remote.option(name) else { return Ok(default) };
    match text.parse::<N>() {
        Ok(number) if number >= limits.0 && number <= limits.1 => Ok(number),
        _ => Err(misconfigured(
            remote,
            format!("`{name}` is `{text}`; write a number from {} to {}", limits.0, limits.1),
        )),
    }
}

/// The first address of the target.
async fn address_of(remote: &Remote) -> Result<SocketAddr, CollectError> {
    let port = remote.port.unwrap_or(crate::PORT);
    let found = tokio::net::lookup_host((remote.address.as_str(), port)).await;
    let found = found.map_err(|error| unreachable(remote, error))?.next();
    found.ok_or_else(|| {
        let why = "the name has no address";
        unreachable(remote, io::Error::new(io::ErrorKind::NotFound, why))
    })
}

/// The credentials that can be used, and why others cannot.
fn accesses(remote: &Remote) -> (Vec<(String, Access)>, Vec<String>) {
    let (mut usable, mut reasons) = (Vec::new(), Vec::new());
    let kinds = [access::COMMUNITY_KIND, access::USER_KIND];
    let ours = remote.credentials.iter().filter(|one| kinds.contains(&one.kind.as_str()));
    for credential in ours.take(CREDENTIALS_MAX) {
        match Access::of(credential) {
            Ok(access) => usable.push((credential.name.clone(), access)),
            Err(why) => reasons.push(format!("`{}`: {why}", credential.name)),
        }
    }
    (usable, reasons)
}

/// Opens a conversation with the first credential that the target accepts.
///
/// # Errors
/// When it answers to none of them.
pub(crate) async fn find(target: &Target, end: Instant) -> Result<Found, CollectError> {
    let remote = target.remote.as_ref().ok_or_else(|| CollectError::Misconfigured {
        target: target.id.clone(),
        what: "it has no address; name one".to_owned(),
    })?;
    let timeout = option(remote, "timeout_seconds", 2.0_f64, (0.05, 30.0))?;
    let timing = Timing {
        timeout: Duration::from_secs_f64(timeout),
        retries: option(remote, "retries", 2_u32, (0, 10))?,
    };
    let most = option(remote, "variables_max", crate::walk::VARIABLES_MAX, (1, 2000))?;
    let (usable, mut reasons) = accesses(remote);
    if usable.is_empty() {
        reasons.push("give it a credential of the kind `snmp_community` or `snmp_user`".to_owned());
        return Err(misconfigured(remote, reasons.join("; ")));
    }
    let address = address_of(remote).await?;
    let mut search = Search {
        remote,
        address,
        timing,
        end: end.min(Instant::now() + PROBE_TIME_MAX),
        reasons,
        is_alive: false,
        last: None,
    };
    let mut has_user = false;
    for (credential, access) in usable {
        has_user |= matches!(access, Access::User(_));
        let place = Place { address, access: memory::digest(&access) };
        let remembered = memory::recall(place);
        let tuning = remembered.tuning.limited_to(most);
        let tried = search.try_one(&credential, access, place, remembered).await?;
        if let Some((mut session, is_host)) = tried {
            session.end_at(end);
            return Ok(Found { session, tuning, credential, address, is_host, place });
        }
    }
    if !search.is_alive && !has_user {
        search.is_alive = search.has_engine().await;
    }
    Err(search.failed())
}

/// Whether what says this of itself is a host.
fn is_host(values: &[Option<Value>]) -> bool {
    let value = |at: usize| values.get(at).and_then(Option::as_ref);
    let object = value(0).and_then(Value::oid).unwrap_or_default();
    let description = value(1).and_then(Value::text).unwrap_or_default();
    vendors::product(object, &description).is_host
}

/// The search for a credential on one target.
struct Search<'r> {
    remote: &'r Remote,
    address: SocketAddr,
    timing: Timing,
    end: Instant,
    reasons: Vec<String>,
    /// Whether anything was heard of it.
    is_alive: bool,
    last: Option<Failure>,
}

impl Search<'_> {
    async fn open(&self, access: Access) -> Result<Session, CollectError> {
        let timing = Timing { retries: self.timing.retries.min(PROBE_RETRIES), ..self.timing };
        let opened = Session::open(self.address, Arc::new(access), timing, &SystemRandomness).await;
        let mut session = opened.map_err(|error| unreachable(self.remote, error))?;
        session.end_at(self.end);
        Ok(session)
    }

    async fn try_one(
        &mut self,
        credential: &str,
        access: Access,
        place: Place,
        mut remembered: Remembered,
    ) -> Result<Option<(Session, bool)>, CollectError> {
        if remembered.silent_until.is_some_and(|until| Instant::now() < until) {
            self.reasons.push(format!("`{credential}`: it was silent some seconds ago"));
            return Ok(None);
        }
        let mut session = self.open(access).await?;
        if let Some(engine) = remembered.engine.take() {
            session.remember(engine);
        }
        match table::get(&mut session, &[OBJECT_ID, DESCRIPTION]).await {
            Ok(values) => {
                session.set_timing(self.timing);
                return Ok(Some((session, is_host(&values))));
            }
            Err(Failure::Network(error)) => return Err(unreachable(self.remote, error)),
            Err(failure) => {
                self.reasons.push(format!("`{credential}`: {failure}"));
                if matches!(failure, Failure::Silent(_) | Failure::OutOfTime) {
                    remembered.silent_until = Some(Instant::now() + memory::SILENT_FOR);
                    memory::keep(place, remembered);
                } else {
                    self.is_alive = true;
                }
                self.last = Some(failure);
            }
        }
        Ok(None)
    }

    /// Whether an engine of version 3 answers there, which needs no user: the communities are wrong then.
    async fn has_engine(&mut self) -> bool {
        let nobody = User { name: Vec::new(), auth: None, privacy: None, context: Vec::new() };
        let Ok(mut session) = self.open(Access::User(nobody)).await else { return false };
        // Nobody is let in as a rule; that the engine says so is enough.
        let answered = table::get(&mut session, &[OBJECT_ID]).await.is_ok();
        answered || session.engine().is_some()
    }

    fn failed(self) -> CollectError {
        let reasons = self.reasons.join("; ");
        if self.is_alive {
            let target = self.remote.address.clone();
            return CollectError::Refused {
                target,
                remedy: format!("{reasons}; correct the credential or add another one"),
            };
        }
        let text = format!(
            "no answer from {}; {reasons}; nothing listens there, a firewall is between, or the community is wrong",
            self.address
        );
        unreachable(self.remote, io::Error::new(io::ErrorKind::TimedOut, text))
    }
}
