//! Checks of this host: the state directory, the spool, and what is not looked at for want of a right.

use super::{Findings, Verdict};
use crate::config::Config;
use crate::report::chain;
use crate::{collectors::COLLECTORS, commands::output, place};
use collector::{Run, Target};
use environment::{Disk, RealDisk};
use model::run::{CoverageReason, CoverageStatus};
use std::path::Path;

/// Free space below which the spool is likely to meet a full disk.
const FREE_BYTES_LEAST: u64 = 64 * 1024 * 1024;

/// Whether the state directory is there, private and writable.
pub(super) fn state_directory(findings: &mut Findings, state: &Path) {
    const CHECK: &str = "state directory";
    let metadata = match std::fs::metadata(state) {
        Ok(metadata) => metadata,
        Err(error) => {
            let remedy = "start the agent once, or give the right directory with --state";
            let finding = format!("`{}`: {error}", state.display());
            return findings.add(Verdict::Fail, CHECK, finding, remedy);
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let finding =
                format!("`{}` can be entered by others (mode {mode:03o})", state.display());
            let remedy = format!("chmod 700 {}", state.display());
            return findings.add(Verdict::Warn, CHECK, finding, &remedy);
        }
    }
    #[cfg(not(unix))]
    let _ = metadata;
    let scratch = state.join("doctor.tmp");
    match place::write_private(&scratch, b"").and_then(|()| std::fs::remove_file(&scratch)) {
        Ok(()) => {
            let private = if cfg!(unix) { "private and " } else { "" };
            findings.ok(CHECK, format!("`{}` is {private}writable", state.display()));
        }
        Err(error) => {
            let remedy =
                "run as the agent's user or root; if the disk is read-only or full, mend that";
            findings.add(Verdict::Fail, CHECK, format!("`{}`: {error}", state.display()), remedy);
        }
    }
}

/// Whether the spool is sound and has room.
pub(super) fn spool(findings: &mut Findings, state: &Path, config: Option<&Config>) {
    const CHECK: &str = "spool";
    let directory = state.join("spool");
    if directory.is_dir() {
        match spool::tool::fsck(&directory) {
            Ok(report) if report.is_sound() => findings.ok(CHECK, "every record is whole"),
            Ok(report) => {
                let first =
                    report.problems.first().map(|p| format!("{}: {}", p.file, p.description));
                let finding =
                    format!("{} problems; {}", report.problems_count, first.unwrap_or_default());
                let remedy = "nothing to do: the agent mends the files when it starts and reports what is lost";
                findings.add(Verdict::Warn, CHECK, finding, remedy);
            }
            Err(error) => {
                let remedy = "run as the agent's user or root";
                findings.add(Verdict::Fail, CHECK, chain(&error), remedy);
            }
        }
    } else {
        findings.ok(CHECK, "none yet; the agent makes it when it starts");
    }
    let Ok(free) = RealDisk.free_bytes(state) else { return };
    let wanted = config.map_or(0, |config| config.spool_bytes.value);
    let (free_shown, wanted_shown) = (output::size(free), output::size(wanted));
    if free < FREE_BYTES_LEAST {
        let finding = format!("only {free_shown} are free");
        findings.add(
            Verdict::Fail,
            "disk",
            finding,
            "free some space: nothing can be kept while the disk is full",
        );
    } else if free < wanted {
        let finding = format!("{free_shown} are free, the spool may take {wanted_shown}");
        let remedy = "free some space, or set a smaller `spool.size_mb`";
        findings.add(Verdict::Warn, "disk", finding, remedy);
    } else {
        findings.ok("disk", format!("{free_shown} are free, the spool may take {wanted_shown}"));
    }
}

/// What is not looked at, and which right would mend it.
pub(super) async fn rights(findings: &mut Findings, config: Option<&Config>) {
    let root = config.map_or_else(|| "/".into(), |config| config.root.value.clone());
    let target = Target { id: "doctor".into(), site: String::new(), root, remote: None };
    for collector in COLLECTORS.iter().filter(|collector| !collector.manifest().is_remote) {
        let manifest = collector.manifest();
        let mut unseen_count = 0;
        for scope in manifest.scopes {
            let mut observations = Vec::new();
            let mut run = Run::new(&mut observations);
            let coverage = match collector.collect(&target, scope.name, &mut run).await {
                Ok(coverage) if coverage.status == CoverageStatus::Complete => continue,
                Ok(coverage) => coverage,
                Err(error) => {
                    model::Coverage::not_looked_at(CoverageReason::Unreachable, chain(&error))
                }
            };
            unseen_count += 1;
            let check = format!("{}.{}", manifest.name, scope.name);
            let what = match coverage.status {
                CoverageStatus::NotLookedAt => "not looked at",
                _ => "not completely seen",
            };
            let remedy = match coverage.reason {
                CoverageReason::PermissionDenied => {
                    "run the agent as root, or install the package, which grants the right"
                }
                CoverageReason::Unreachable => {
                    "start the service that is asked, or switch the scope off in the configuration"
                }
                _ => "",
            };
            findings.add(Verdict::Warn, &check, format!("{what}: {}", coverage.detail), remedy);
        }
        if unseen_count == 0 {
            findings.ok(manifest.name, "everything that this collector knows can be looked at");
        }
    }
}
