//! The steps of onboardings, and findings about agents, as rows. Both are bounded per subject.

use super::{AgentFinding, FINDINGS_MAX, ONBOARDING_STEPS_MAX, OnboardingStep};
use crate::database::DatabaseError;
use model::{AgentId, Timestamp};
use rusqlite::{Connection, params};

pub(super) fn note(
    tx: &Connection,
    token_id: &str,
    step: &OnboardingStep,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO fleet_onboarding (token_id, step, is_done, detail, at, agent_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            token_id,
            step.step,
            step.is_done,
            step.detail,
            step.at.millis(),
            step.agent.map(|id| id.to_string())
        ],
    )?;
    tx.execute(
        "DELETE FROM fleet_onboarding WHERE token_id = ?1 AND number NOT IN
         (SELECT number FROM fleet_onboarding WHERE token_id = ?1 ORDER BY number DESC LIMIT ?2)",
        params![token_id, ONBOARDING_STEPS_MAX],
    )?;
    Ok(())
}

pub(super) fn steps(db: &Connection, token_id: &str) -> Result<Vec<OnboardingStep>, DatabaseError> {
    let mut statement = db.prepare_cached(
        "SELECT step, is_done, detail, at, agent_id FROM fleet_onboarding WHERE token_id = ?1 ORDER BY number DESC",
    )?;
    let rows = statement.query_map([token_id], |row| {
        Ok(OnboardingStep {
            step: row.get(0)?,
            is_done: row.get(1)?,
            detail: row.get(2)?,
            at: Timestamp::from_millis(row.get(3)?),
            agent: row.get::<_, Option<String>>(4)?.and_then(|id| id.parse().ok()),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn raise(
    tx: &Connection,
    id: AgentId,
    finding: &AgentFinding,
) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT OR REPLACE INTO fleet_finding (agent_id, code, detail, at) VALUES (?1, ?2, ?3, ?4)",
        params![id.to_string(), finding.code, finding.detail, finding.at.millis()],
    )?;
    Ok(())
}

pub(super) fn findings(db: &Connection, id: AgentId) -> Result<Vec<AgentFinding>, DatabaseError> {
    let mut statement = db.prepare_cached(
        "SELECT code, detail, at FROM fleet_finding WHERE agent_id = ?1 ORDER BY at DESC, code LIMIT ?2",
    )?;
    let rows = statement.query_map(params![id.to_string(), FINDINGS_MAX], |row| {
        Ok(AgentFinding {
            code: row.get(0)?,
            detail: row.get(1)?,
            at: Timestamp::from_millis(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
