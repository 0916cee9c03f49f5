//! What collectors test themselves with: run one scope and hold what it emits against the manifest.

use crate::{CollectError, Collector, Run, Target};
use model::{Catalog, Coverage, Observation};

/// What one look at a scope gave.
#[derive(Debug)]
pub struct Look {
    /// What was seen.
    pub observations: Vec<Observation>,
    /// How completely.
    pub coverage: Coverage,
    /// What could not be read.
    pub failures: Vec<crate::PartFailure>,
}

/// Looks at one scope.
///
/// # Errors
/// What the collector itself says.
pub async fn look(
    collector: &dyn Collector,
    target: &Target,
    scope: &str,
) -> Result<Look, CollectError> {
    let mut observations = Vec::new();
    let mut run = Run::new(&mut observations);
    let coverage = collector.collect(target, scope, &mut run).await?;
    let failures = run.failures().to_vec();
    Ok(Look { observations, coverage, failures })
}

/// What in these observations the manifest or the catalog does not allow; empty when all is well.
#[must_use]
pub fn complaints(
    collector: &dyn Collector,
    scope: &str,
    observations: &[Observation],
) -> Vec<String> {
    let manifest = collector.manifest();
    let catalog = Catalog::built_in();
    let mut complaints = Vec::new();
    let Some(declared) = manifest.scope(scope) else {
        return vec![format!("the manifest of `{}` has no scope `{scope}`", manifest.name)];
    };
    for seen in observations {
        if !declared.classes.contains(&seen.class.as_ref()) {
            complaints.push(format!(
                "scope `{scope}` emits the class `{}`, which its declaration lacks",
                seen.class
            ));
        }
        for (name, value) in seen.facts.iter().chain(&seen.readings) {
            let known = catalog.class(&seen.class).and_then(|class| class.attribute(name));
            if known.is_none() {
                complaints.push(format!("`{}.{name}` is not in the catalog", seen.class));
            }
            if let Err(violation) = catalog.check(&seen.class, name, value) {
                complaints.push(violation.to_string());
            }
        }
        for relation in &seen.relations {
            if !manifest.relationships.contains(&relation.verb.as_ref()) {
                complaints.push(format!("the manifest lacks the relationship `{}`", relation.verb));
            }
        }
    }
    complaints.sort();
    complaints.dedup();
    complaints
}
