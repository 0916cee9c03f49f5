//! Trying a credential once, for a person who waits. Nothing is reported but whether it works.

use super::secrets::fetched;
use super::wire::kept_of;
use collector::{Collector, Remote, Run, Sink, Target};
use model::{CoverageStatus, Observation};
use proto::v1;
use std::time::Duration;

/// How long a credential is tried; the person is told after a little more.
const LIMIT: Duration = Duration::from_secs(22);

/// Counts, and keeps nothing.
struct Counting;

impl Sink for Counting {
    fn saw(&mut self, _observation: Observation) {}
}

/// Tries it.
pub(super) async fn probe(
    probe: v1::Probe,
    collectors: Vec<&'static dyn Collector>,
) -> v1::ProbeResult {
    let number = probe.number;
    let answer = |is_accepted, detail: String| v1::ProbeResult {
        number,
        is_accepted,
        detail: crate::report::bounded(&detail),
        millis: 0,
    };
    let Some(collector) = collectors.into_iter().find(|one| one.manifest().name == probe.collector)
    else {
        return answer(false, format!("this agent has no collector `{}`", probe.collector));
    };
    let Some(wire) = probe.credential else {
        return answer(false, "no credential came with the question".to_owned());
    };
    let credential = match fetched(&kept_of(wire)) {
        Ok(credential) => credential,
        Err(error) => return answer(false, error.to_string()),
    };
    let kinds = collector.manifest().credentials;
    if !kinds.contains(&credential.kind.as_str()) {
        let known = kinds.join(", ");
        let why = format!(
            "`{}` cannot use a credential of the kind `{}`; it uses: {known}",
            probe.collector, credential.kind
        );
        return answer(false, why);
    }
    let Some(scope) = collector.manifest().scopes.first() else {
        return answer(false, "the collector has no scopes".to_owned());
    };
    let name = credential.name.clone();
    let remote = Remote {
        address: probe.address.clone(),
        port: u16::try_from(probe.port).ok().filter(|port| *port > 0),
        options: probe.options.into_iter().collect(),
        credentials: vec![credential],
    };
    let target = Target::remote(&probe.address, "", remote);
    let mut sink = Counting;
    let mut run = Run::new(&mut sink);
    let limit = LIMIT.min(scope.time_limit);
    let ended = tokio::time::timeout(limit, collector.collect(&target, scope.name, &mut run)).await;
    let is_named = run.accepted_credential() == Some(name.as_str());
    match ended {
        Err(_) if is_named => answer(
            true,
            format!("accepted; more than {} s are needed to read all", limit.as_secs()),
        ),
        Err(_) => answer(false, format!("no answer within {} s", limit.as_secs())),
        Ok(Err(error)) => answer(is_named, crate::report::chain(&error)),
        Ok(Ok(coverage)) => {
            let is_accepted =
                is_named || coverage.status != CoverageStatus::NotLookedAt && run.count() > 0;
            let seen = format!("{} things seen in `{}`", run.count(), scope.name);
            let why = if coverage.detail.is_empty() {
                seen
            } else {
                format!("{seen}; {}", coverage.detail)
            };
            answer(is_accepted, why)
        }
    }
}
