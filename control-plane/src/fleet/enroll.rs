//! Becoming known and staying known: enrollment, renewal, and the check of every certificate that is shown.
//!
//! A lost answer must not cost a token: an agent that asks again with the same token and the same key, and has not
//! used its certificate yet, gets a new certificate for the agent that it already is. Only the holder of the key can
//! do that, because the signing request is signed by it.

use super::{Fleet, FleetError};
use model::{AgentId, Timestamp};
use pki::Peer;
use pki::token::{JoinToken, hashes_equal};
use std::net::SocketAddr;
use std::time::Duration;
use store::fleet::{
    AgentEvidence, AgentFinding, AgentRecord, Enrollment, GivenCertificate, JoinTokenRecord,
    OnboardingStep, Renewal,
};

/// The life of an agent's certificate.
pub(super) const CERTIFICATE_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long after its end a certificate may still be renewed, unless the agent was revoked: a machine that was
/// switched off over the holidays comes back by itself.
pub(super) const RENEWAL_GRACE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a lost answer to an enrollment can be asked for again.
const REPLAY_WINDOW: Duration = Duration::from_secs(10 * 60);

/// Bytes of each piece of evidence; host names end at 253, machine ids at 36.
const EVIDENCE_BYTES_MAX: usize = 256;

/// An agent that asks to join.
#[derive(Debug, Clone)]
pub struct EnrollAttempt {
    /// The whole token.
    pub token: String,
    /// Certificate signing request, DER.
    pub signing_request: Vec<u8>,
    /// What its installation says of itself.
    pub evidence: AgentEvidence,
    /// Version of its program.
    pub version: String,
    /// From where it asks.
    pub address: SocketAddr,
}

/// What an agent gets that joined.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// Its record.
    pub agent: AgentRecord,
    /// Its certificate first, then the root, DER.
    pub chain: Vec<Vec<u8>>,
    /// Roots by which it recognizes the control plane, DER.
    pub roots: Vec<Vec<u8>>,
    /// Where it finds the uplink.
    pub endpoints: Vec<String>,
}

/// What an agent gets that renewed.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// Its certificate first, then the root, DER.
    pub chain: Vec<Vec<u8>>,
    /// Roots by which it recognizes the control plane, DER.
    pub roots: Vec<Vec<u8>>,
}

impl Fleet {
    /// Makes an agent of whoever shows a good token and a good signing request.
    ///
    /// # Errors
    /// Why not; the reason also stands in the token's onboarding, when the token is known.
    pub async fn enroll(&self, attempt: EnrollAttempt) -> Result<Enrolled, FleetError> {
        self.every_token.take("").map_err(|wait| FleetError::RateLimited { wait })?;
        let shown = JoinToken::parse(attempt.token.trim())
            .map_err(|error| FleetError::TokenInvalid { reason: error.to_string() })?;
        let id = shown.id().to_string();
        self.each_token.take(&id).map_err(|wait| FleetError::RateLimited { wait })?;
        let token = self.store.token(&id).await?;
        let token = token.filter(|token| hashes_equal(&token.secret_hash, &shown.secret_hash()));
        let Some(token) = token else {
            return Err(store::fleet::EnrollError::Unknown.into());
        };
        let address = attempt.address;
        self.note(&id, "connected", Ok(format!("An agent called from {address}.")), None).await?;
        self.note(&id, "tls", Ok("It recognized this control plane by the pin.".into()), None)
            .await?;
        let outcome = self.enroll_with(&token, attempt).await;
        let (noted, agent) = match &outcome {
            Ok(enrolled) => (
                Ok(format!("{} got a certificate for a day.", enrolled.agent.name)),
                Some(enrolled.agent.id),
            ),
            Err(error) => (Err(error.to_string()), None),
        };
        self.note(&id, "identity", noted, agent).await?;
        if let Ok(enrolled) = &outcome {
            tracing::info!(agent = %enrolled.agent.id, name = enrolled.agent.name, %address, "agent enrolled");
            self.note_change();
        }
        outcome
    }

    async fn enroll_with(
        &self,
        token: &JoinTokenRecord,
        attempt: EnrollAttempt,
    ) -> Result<Enrolled, FleetError> {
        let now = self.now();
        let agent = AgentId::new_v7(now, self.random());
        let issued = self.sign(&attempt.signing_request, agent)?;
        let since = now.minus(REPLAY_WINDOW);
        let spki = issued.certificate.spki_sha256;
        if let Some(known) = self.store.enrolled_with(&token.id, spki, since).await?
            && token.revoked_at.is_none()
        {
            return self.enroll_again(known, &attempt, now).await;
        }
        let enrollment = Enrollment {
            token_id: token.id.clone(),
            secret_hash: token.secret_hash,
            agent,
            certificate: issued.certificate,
            evidence: bounded(attempt.evidence),
            version: cut(attempt.version),
            address: attempt.address.to_string(),
            at: now,
        };
        let agent = self.store.enroll(enrollment).await?;
        Ok(self.enrolled(agent, issued.chain))
    }

    async fn enroll_again(
        &self,
        known: AgentRecord,
        attempt: &EnrollAttempt,
        now: Timestamp,
    ) -> Result<Enrolled, FleetError> {
        let issued = self.sign(&attempt.signing_request, known.id)?;
        let renewal = Renewal {
            agent: known.id,
            presented_serial: known.certificate.serial,
            certificate: issued.certificate,
            address: attempt.address.to_string(),
            at: now,
        };
        let agent = self.store.renew(renewal).await?;
        Ok(self.enrolled(agent, issued.chain))
    }

    fn enrolled(&self, agent: AgentRecord, chain: Vec<Vec<u8>>) -> Enrolled {
        Enrolled { agent, chain, roots: self.roots(), endpoints: self.endpoints() }
    }

    /// Gives an agent a new certificate for the one that it shows, which may have ended.
    ///
    /// # Errors
    /// Why not.
    pub async fn renew(&self, peer: &Peer, signing_request: &[u8]) -> Result<Renewed, FleetError> {
        let (Some(agent), Some(serial)) = (peer.agent, peer.serial.clone()) else {
            return Err(FleetError::AgentUnknown);
        };
        self.each_token
            .take(&agent.to_string())
            .map_err(|wait| FleetError::RateLimited { wait })?;
        let ended = peer.not_after.map_or(Timestamp::EPOCH, Timestamp::from);
        if ended.plus(RENEWAL_GRACE) < self.now() {
            return Err(FleetError::CertificateExpired {
                remedy: "more than 30 days ago; enroll the agent again with a new join token",
            });
        }
        let issued = self.sign(signing_request, agent)?;
        let renewal = Renewal {
            agent,
            presented_serial: serial,
            certificate: issued.certificate,
            address: peer.address.to_string(),
            at: self.now(),
        };
        match self.store.renew(renewal).await {
            Ok(_) => Ok(Renewed { chain: issued.chain, roots: self.roots() }),
            Err(error) => Err(self.refused(agent, peer.address, error.into()).await),
        }
    }

    /// The record of the agent that shows this certificate. To be asked before anything else that an agent wants.
    ///
    /// # Errors
    /// Why it is not admitted.
    pub async fn admit(&self, peer: &Peer) -> Result<AgentRecord, FleetError> {
        let (Some(agent), Some(serial)) = (peer.agent, peer.serial.as_deref()) else {
            return Err(FleetError::AgentUnknown);
        };
        // A revoked or unknown agent is told so even when its certificate has ended too: that is what a person has
        // to mend.
        match self.store.certificate_seen(agent, serial, self.now()).await {
            Ok(_) if peer.is_expired => {
                Err(FleetError::CertificateExpired { remedy: "renew it first" })
            }
            Ok(record) => Ok(record),
            Err(error) => Err(self.refused(agent, peer.address, error.into()).await),
        }
    }

    /// Notes that two machines hold one identity, as a stream noticed it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn duplicate_noticed(
        &self,
        agent: AgentId,
        detail: String,
    ) -> Result<(), FleetError> {
        let finding = AgentFinding { code: "AGENT_DUPLICATE".into(), detail, at: self.now() };
        self.store.finding_raise(agent, finding).await?;
        tracing::warn!(%agent, "two machines hold the identity of one agent");
        self.note_change();
        Ok(())
    }

    async fn refused(&self, agent: AgentId, from: SocketAddr, error: FleetError) -> FleetError {
        if !matches!(error, FleetError::AgentDuplicate) {
            return error;
        }
        let detail = format!(
            "A machine at {from} shows a certificate of this agent that was already replaced: it is probably a \
             copy. Enroll it again with a join token of its own."
        );
        match self.duplicate_noticed(agent, detail).await {
            Ok(()) => error,
            Err(failed) => failed,
        }
    }

    fn roots(&self) -> Vec<Vec<u8>> {
        vec![self.authority.root_der().to_vec()]
    }

    fn sign(&self, signing_request: &[u8], agent: AgentId) -> Result<Signed, FleetError> {
        let issued = self.authority.issue_agent(
            signing_request,
            agent,
            self.clock.wall(),
            CERTIFICATE_LIFE,
        )?;
        Ok(Signed {
            chain: issued.chain_der,
            certificate: GivenCertificate {
                serial: issued.serial,
                spki_sha256: issued.spki_sha256,
                expires_at: issued.not_after.into(),
            },
        })
    }

    async fn note(
        &self,
        token_id: &str,
        step: &str,
        outcome: Result<String, String>,
        agent: Option<AgentId>,
    ) -> Result<(), FleetError> {
        let (is_done, detail) = match outcome {
            Ok(detail) => (true, detail),
            Err(detail) => (false, sentence(&detail)),
        };
        let step = OnboardingStep { step: step.into(), is_done, detail, at: self.now(), agent };
        Ok(self.store.onboarding_note(token_id, step).await?)
    }
}

struct Signed {
    chain: Vec<Vec<u8>>,
    certificate: GivenCertificate,
}

/// An error's text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Foreign text that is shown to people: bounded, without control characters.
fn cut(text: String) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .scan(0, |bytes, letter| {
            *bytes += letter.len_utf8();
            (*bytes <= EVIDENCE_BYTES_MAX).then_some(letter)
        })
        .collect()
}

fn bounded(evidence: AgentEvidence) -> AgentEvidence {
    AgentEvidence {
        host_name: cut(evidence.host_name),
        machine_id: cut(evidence.machine_id),
        os_name: cut(evidence.os_name),
        architecture: cut(evidence.architecture),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_cut_and_loses_its_control_characters() {
        assert_eq!(cut("web\u{1b}[31m-1\n".into()), "web[31m-1");
        assert_eq!(cut("é".repeat(1000)).len(), EVIDENCE_BYTES_MAX);
    }

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(sentence("the token has expired"), "The token has expired.");
        assert_eq!(sentence(""), ".");
    }
}
