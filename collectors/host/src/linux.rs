//! The scopes of Linux: those of the machine and those of the software that is on it.

use crate::{machine, software};
use collector::{CollectError, Guard, Run, ScopeDeclaration, Target};
use model::Coverage;

const SCOPES_COUNT: usize = machine::SCOPES.len() + software::SCOPES.len();

/// The scopes of both halves.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses a wrong index"
)]
pub(crate) static SCOPES: [ScopeDeclaration; SCOPES_COUNT] = {
    let mut all = [machine::SCOPES[0]; SCOPES_COUNT];
    let mut index = 0;
    while index < SCOPES_COUNT {
        all[index] = if index < machine::SCOPES.len() {
            machine::SCOPES[index]
        } else {
            software::SCOPES[index - machine::SCOPES.len()]
        };
        index += 1;
    }
    all
};

/// Looks at a scope; `None` when there is none of that name.
pub(crate) fn collect(
    target: &Target,
    scope: &str,
    run: &mut Run<'_>,
) -> Option<Result<Coverage, CollectError>> {
    machine::collect(target, scope, run).or_else(|| software::collect(target, scope, run))
}

/// The guard of a scope.
pub(crate) fn guard(target: &Target, scope: &str) -> Option<Guard> {
    machine::guard(target, scope).or_else(|| software::guard(target, scope))
}
