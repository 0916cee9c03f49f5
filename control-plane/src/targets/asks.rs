//! What a person asks of agents: to look now, to try a credential.

use super::{Inner, Targets, TargetsError};
use model::AgentId;
use proto::v1;
use proto::v1::server_frame::Frame;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long an agent has to try a credential, with the way there and back: below what a request may take.
const PROBE_LIMIT: Duration = Duration::from_secs(26);
/// Credentials that are being tried at the same time.
const PROBES_MAX: usize = 64;
/// Letters of an agent's answer that are shown.
const DETAIL_LETTERS_MAX: usize = 400;

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct ProbeRequest {
    /// The credential.
    pub credential: String,
    /// By which collector.
    pub collector: String,
    /// At which address or name.
    pub address: String,
    /// The port, where it is not the protocol's own.
    pub port: Option<u16>,
    /// From which site; any when missing.
    pub site: Option<String>,
    /// Options of the collector.
    pub options: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Who tried.
    pub agent: AgentId,
    /// Whether it was let in.
    pub is_accepted: bool,
    /// What was seen, or why not.
    pub detail: String,
    /// How long it took.
    pub millis: u64,
}

impl Targets {
    /// Has the targets of a set, or one of them, looked at as soon as their limits allow; how many.
    ///
    /// # Errors
    /// When there is no such set or target, or no agent reads it.
    pub fn look_now(
        &self,
        name: &str,
        address: Option<&str>,
        by: &str,
    ) -> Result<usize, TargetsError> {
        let mut inner = self.inner();
        let known = inner
            .sets
            .get(name)
            .ok_or_else(|| TargetsError::NotFound { what: "target set", name: name.to_owned() })?;
        let mut wanted: HashMap<AgentId, Vec<String>> = HashMap::new();
        let mut is_known = address.is_none();
        for (id, one) in &known.targets {
            if address.is_some_and(|address| address != &**one && address != &**id) {
                continue;
            }
            is_known = true;
            if let Some(agent) = inner.plan.holder(&(Arc::clone(&known.collector), Arc::clone(id)))
            {
                wanted.entry(agent).or_default().push(id.to_string());
            }
        }
        if let (false, Some(address)) = (is_known, address) {
            return Err(TargetsError::NotFound { what: "target", name: address.to_owned() });
        }
        let collector = known.collector.to_string();
        let mut count = 0_usize;
        for (agent, targets) in wanted {
            let Some(seat) = inner.seats.get_mut(&agent) else { continue };
            let sum = targets.len();
            let look = v1::LookNow {
                collector: collector.clone(),
                // All of them are named by the set alone: a large one would not fit into a message.
                targets: if address.is_some() { targets } else { Vec::new() },
                set: name.to_owned(),
            };
            if seat.ask(Frame::LookNow(look)) {
                count = count.saturating_add(sum);
            }
        }
        if count == 0 {
            let reason = "no agent that is connected reads this; `dharma target show` says why";
            return Err(TargetsError::NoAgent { reason: reason.to_owned() });
        }
        tracing::info!(set = name, by, count, "looks asked for");
        Ok(count)
    }

    /// Has an agent try a credential once.
    ///
    /// # Errors
    /// When there is no such credential, no agent can try it, or it does not answer.
    pub async fn probe(&self, request: ProbeRequest, by: &str) -> Result<Probed, TargetsError> {
        let parsed = model::targets::addresses::parse(&request.address)?;
        let (number, answer) = self.probe_begin(&request, parsed.to_string())?;
        tracing::info!(credential = request.credential, address = %parsed, by, "credential tried");
        let answer = tokio::time::timeout(PROBE_LIMIT, answer).await;
        self.inner().probes.remove(&number);
        match answer {
            Ok(Ok(probed)) => Ok(probed),
            _ => Err(TargetsError::TimedOut { seconds: PROBE_LIMIT.as_secs() }),
        }
    }

    fn probe_begin(
        &self,
        request: &ProbeRequest,
        address: String,
    ) -> Result<(u64, oneshot::Receiver<Probed>), TargetsError> {
        let mut inner = self.inner();
        if !inner.credentials.contains_key(&request.credential) {
            let name = request.credential.clone();
            return Err(TargetsError::NotFound { what: "credential", name });
        }
        // Why it does not open was said when it was listed; here it is an error of its own.
        if let Some(record) = inner.credentials.get(&request.credential) {
            self.sealer.unseal(&request.credential, &record.sealed)?;
        }
        let credential = inner.opened(&request.credential, &self.sealer);
        if inner.probes.len() >= PROBES_MAX {
            let reason = "many credentials are being tried at this moment; try again soon";
            return Err(TargetsError::NoAgent { reason: reason.to_owned() });
        }
        let agent = inner.able(request).ok_or_else(|| TargetsError::NoAgent {
            reason: format!(
                "no agent that is connected{} has the collector `{}`",
                request
                    .site
                    .as_ref()
                    .map(|site| format!(" at the site `{site}`"))
                    .unwrap_or_default(),
                request.collector
            ),
        })?;
        inner.probes_count = inner.probes_count.wrapping_add(1);
        let number = inner.probes_count;
        let probe = v1::Probe {
            number,
            collector: request.collector.clone(),
            address,
            port: request.port.map_or(0, u32::from),
            options: request.options.clone(),
            credential,
        };
        let (sender, receiver) = oneshot::channel();
        let is_asked =
            inner.seats.get_mut(&agent).is_some_and(|seat| seat.ask(Frame::Probe(probe)));
        if !is_asked {
            let reason = "the agent has too much to do at this moment; try again soon";
            return Err(TargetsError::NoAgent { reason: reason.to_owned() });
        }
        inner.probes.insert(number, (agent, sender));
        Ok((number, receiver))
    }
}

impl Inner {
    /// An agent that can try: the first by id, so that a refused credential is not tried from everywhere.
    fn able(&self, request: &ProbeRequest) -> Option<AgentId> {
        let able = self.plan.agents.iter().filter(|(id, presence)| {
            presence.is_connected
                && self.seats.contains_key(id)
                && presence.collectors.contains(&request.collector)
                && request.site.as_ref().is_none_or(|site| *site == presence.site)
        });
        able.map(|(id, _)| *id).min()
    }

    /// Hands an agent's answer to whoever waits; one that nobody asked of this agent is dropped.
    pub(super) fn take_result(&mut self, agent: AgentId, result: v1::ProbeResult) {
        if self.probes.get(&result.number).is_none_or(|(asked, _)| *asked != agent) {
            return;
        }
        if let Some((_, waiting)) = self.probes.remove(&result.number) {
            let detail = result.detail.chars().filter(|letter| !letter.is_control());
            let probed = Probed {
                agent,
                is_accepted: result.is_accepted,
                detail: detail.take(DETAIL_LETTERS_MAX).collect(),
                millis: result.millis,
            };
            // Whoever asked may have gone away.
            drop(waiting.send(probed));
        }
    }
}
