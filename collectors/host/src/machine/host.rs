//! The scope `host`.

use crate::HOST;
use collector::{CollectError, Run, Target};
use model::classes::host;
use model::{Coverage, Observation};

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    let name = crate::files::read_trimmed(&target.path("/proc/sys/kernel/hostname"));
    run.saw(Observation::of(&host::CLASS, HOST).with_some(&host::HOST_NAME, name));
    Ok(Coverage::complete())
}
