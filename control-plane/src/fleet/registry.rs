//! The list of agents, and cutting one off.

use super::{Fleet, FleetError};
use model::{AgentId, ItemId, SourceId};
use store::fleet::{AgentFinding, AgentRecord, Contact, TaskStatus};

/// The collector that describes an agent's own host, and what it calls that host.
const HOST_COLLECTOR: &str = "host";
const HOST_KEY: &str = "host";

impl Fleet {
    /// Agents by id, behind this one; at most `limit`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn agents(
        &self,
        after: Option<AgentId>,
        limit: u32,
    ) -> Result<Vec<AgentRecord>, FleetError> {
        Ok(self.store.agents(after, limit).await?)
    }

    /// The agent of this id.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn agent(&self, id: AgentId) -> Result<Option<AgentRecord>, FleetError> {
        Ok(self.store.agent(id).await?)
    }

    /// How many agents are enrolled and not revoked.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn agent_count(&self) -> Result<u64, FleetError> {
        Ok(self.store.agent_count().await?)
    }

    /// What was noticed about an agent, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn findings(&self, id: AgentId) -> Result<Vec<AgentFinding>, FleetError> {
        Ok(self.store.findings(id).await?)
    }

    /// The item of the host that an agent describes, once it has.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn host_item(&self, id: AgentId) -> Result<Option<ItemId>, FleetError> {
        let source = SourceId { collector: HOST_COLLECTOR.into(), target: id.to_string() };
        Ok(self.items.located(&source, HOST_KEY).await?)
    }

    /// Cuts an agent off for good. From the return on it is admitted nowhere; ending its live stream is the caller's.
    ///
    /// # Errors
    /// [`FleetError::AgentUnknown`], or when the store does not answer.
    pub async fn agent_revoke(&self, id: AgentId) -> Result<(), FleetError> {
        if !self.store.agent_revoke(id, self.now()).await? {
            return Err(FleetError::AgentUnknown);
        }
        tracing::info!(agent = %id, "agent revoked");
        self.note_change();
        Ok(())
    }

    /// Notes a contact of an agent.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn contact(&self, id: AgentId, contact: Contact) -> Result<(), FleetError> {
        Ok(self.store.agent_contact(id, contact).await?)
    }

    /// Notes what the agent's next stream has to begin with.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn nonce_set(&self, id: AgentId, nonce: Vec<u8>) -> Result<(), FleetError> {
        Ok(self.store.agent_nonce_set(id, nonce).await?)
    }

    /// Notes that a background task ran.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn task_note(&self, status: TaskStatus) -> Result<(), FleetError> {
        Ok(self.store.task_note(status).await?)
    }

    /// How the background tasks fare, by name.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn tasks(&self) -> Result<Vec<TaskStatus>, FleetError> {
        Ok(self.store.tasks().await?)
    }
}
