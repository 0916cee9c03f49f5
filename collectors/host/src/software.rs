//! The half of the host collector that describes software.

use collector::{CollectError, Guard, Run, ScopeDeclaration, Target};
use model::Coverage;

/// The scopes of this half.
pub(crate) const SCOPES: [ScopeDeclaration; 0] = [];

/// Looks at a scope of this half; `None` when the scope is another half's.
pub(crate) fn collect(
    _target: &Target,
    _scope: &str,
    _run: &mut Run<'_>,
) -> Option<Result<Coverage, CollectError>> {
    None
}

/// The guard of a scope of this half.
pub(crate) fn guard(_target: &Target, _scope: &str) -> Option<Guard> {
    None
}
