//! What the person who adds an agent sees: the steps from the token to the described host, as they happen.
//!
//! Deliberately without a step before *connected*: a machine that never reaches the control plane leaves no trace
//! here, so that step's waiting text says what to check. One that reaches it and breaks off is shown as a hint to
//! everyone who waits for the first call, because it has not said which token it has.

use super::{Fleet, FleetError, Hint};
use model::{AgentId, ItemId, Timestamp, TokenId};
use store::fleet::{JoinTokenRecord, OnboardingStep};

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not yet.
    Waiting,
    /// It succeeded.
    Done,
    /// It failed; the detail says what to do.
    Failed,
}

impl Progress {
    /// The name that the APIs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `connected`, `tls`, `identity` or `first_inventory`.
    pub name: &'static str,
    /// How far it is.
    pub progress: Progress,
    /// A sentence.
    pub detail: String,
    /// When it came so far.
    pub at: Option<Timestamp>,
}

/// All steps of one token's newest agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarding {
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// The agent, once it has an identity.
    pub agent: Option<AgentId>,
    /// The item of its host, once it is described.
    pub item: Option<ItemId>,
    /// While no agent has called: what may be the reason, the newest first.
    pub hints: Vec<Hint>,
}

const WAITING: [(&str, &str); 3] = [
    (
        "connected",
        "No agent has called with this token yet. If the command ran and said nothing, check that the machine \
         reaches the enrollment port of this control plane.",
    ),
    (
        "tls",
        "The agent checks that this is the control plane that the token was made by. If it says that the pin is \
         another, it reached another control plane: check the address.",
    ),
    ("identity", "The agent sends the token and gets a certificate."),
];

impl Fleet {
    /// How far the newest agent of this token is; `None` when there is no such token.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn onboarding(&self, id: TokenId) -> Result<Option<Onboarding>, FleetError> {
        let id = id.to_string();
        let Some(token) = self.store.token(&id).await? else { return Ok(None) };
        let notes = self.store.onboarding(&id).await?;
        let mut steps: Vec<Step> =
            WAITING.iter().map(|(name, waiting)| step(name, waiting, &notes)).collect();
        let mut hints = Vec::new();
        if notes.is_empty()
            && let Some(first) = steps.first_mut()
        {
            if let Some(detail) = self.unusable(&token) {
                first.progress = Progress::Failed;
                first.detail = detail;
            } else {
                hints = self.strangers.hints(token.created_at, self.now());
            }
        }
        let agent = notes.iter().find_map(|note| note.agent);
        let item = match agent {
            Some(agent) => self.host_item(agent).await?,
            None => None,
        };
        steps.push(self.inventory_step(agent, item).await?);
        Ok(Some(Onboarding { steps, agent, item, hints }))
    }

    fn unusable(&self, token: &JoinTokenRecord) -> Option<String> {
        if token.revoked_at.is_some() {
            return Some("The join token was revoked. Make a new one.".into());
        }
        (token.expires_at <= self.now())
            .then(|| "The join token expired before an agent used it. Make a new one.".into())
    }

    async fn inventory_step(
        &self,
        agent: Option<AgentId>,
        item: Option<ItemId>,
    ) -> Result<Step, FleetError> {
        let name = "first_inventory";
        let Some(agent) = agent else {
            let detail = "The agent describes its host.".to_owned();
            return Ok(Step { name, progress: Progress::Waiting, detail, at: None });
        };
        if let Some(item) = item {
            let found = self.items.item(item, model::query::At::Now).await?;
            let at = found.as_ref().map(|item| item.first_seen);
            let title = found.map(|item| item.title).unwrap_or_default();
            let detail = format!("{title} is described.");
            return Ok(Step { name, progress: Progress::Done, detail, at });
        }
        let revoked = self.store.agent(agent).await?.is_some_and(|agent| agent.is_revoked());
        if revoked {
            let detail = "The agent was revoked before it described its host.".to_owned();
            return Ok(Step { name, progress: Progress::Failed, detail, at: None });
        }
        let detail = "The agent is looking at its host; that takes a few seconds. If it lasts longer than a minute, \
                      `dharma-agent doctor` on that machine says what is wrong."
            .to_owned();
        Ok(Step { name, progress: Progress::Waiting, detail, at: None })
    }
}

/// The newest note of a step decides.
fn step(name: &'static str, waiting: &str, notes: &[OnboardingStep]) -> Step {
    match notes.iter().find(|note| note.step == name) {
        None => Step { name, progress: Progress::Waiting, detail: waiting.to_owned(), at: None },
        Some(note) => Step {
            name,
            progress: if note.is_done { Progress::Done } else { Progress::Failed },
            detail: note.detail.clone(),
            at: Some(note.at),
        },
    }
}
