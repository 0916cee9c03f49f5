//! The scope `kernel_modules`: modules that are loaded, from /proc/modules and /sys/module.

use crate::files::{self, Refusal, StatGuard};
use collector::{Guard, Run, Target};
use model::classes::kernel_module;
use model::run::CoverageReason;
use model::{Coverage, Observation};

/// The largest table that is read; a line has 100 bytes, a host has some hundred modules.
const TABLE_BYTES_MAX: usize = 1 << 20;

/// The most modules that are described.
const MODULES_MAX: usize = 4000;

const TABLE: &str = "/proc/modules";

/// A loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Module<'a> {
    name: &'a str,
    size_bytes: u64,
    references: Option<u64>,
    used_by: Vec<String>,
    taint: Option<&'a str>,
}

/// The guard of the scope. The table has no times, so its own text tells, without the numbers of references.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    let text = files::read_to_string_limited(&target.path(TABLE), TABLE_BYTES_MAX);
    for module in text.unwrap_or_default().lines().filter_map(parse) {
        guard.bytes(module.name.as_bytes());
        guard.number(module.size_bytes);
        module.used_by.iter().for_each(|other| guard.bytes(other.as_bytes()));
    }
    guard.finish()
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let text = match files::read_to_string_limited(&target.path(TABLE), TABLE_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if files::refusal(&error) == Refusal::NotFound => {
            return Coverage::not_present("the kernel has no loadable modules");
        }
        Err(error) => {
            let reason = match files::refusal(&error) {
                Refusal::PermissionDenied => CoverageReason::PermissionDenied,
                _ => CoverageReason::Unreachable,
            };
            return Coverage::not_looked_at(reason, format!("{TABLE}: {error}"));
        }
    };
    let mut count = 0;
    for module in text.lines().filter_map(parse).take(MODULES_MAX) {
        count += 1;
        let version = target.path(&format!("/sys/module/{}/version", module.name));
        run.saw(
            Observation::part(&kernel_module::CLASS, crate::HOST, &[module.name])
                .with(&kernel_module::SIZE_BYTES, module.size_bytes)
                .with(&kernel_module::USED_BY, module.used_by)
                .with_or_absent(&kernel_module::TAINT, module.taint)
                .with_or_absent(&kernel_module::VERSION, files::read_trimmed(&version))
                .with_some(&kernel_module::REFERENCES_COUNT, module.references),
        );
    }
    if count == MODULES_MAX {
        return Coverage::partial(
            CoverageReason::LimitReached,
            format!("{MODULES_MAX} modules or more"),
        );
    }
    Coverage::complete()
}

/// Parses a line of /proc/modules: name, size, references, users, state, address and taint in brackets.
fn parse(line: &str) -> Option<Module<'_>> {
    let mut fields = line.split_ascii_whitespace();
    let name = fields.next().filter(|name| !name.contains('/') && *name != "..")?;
    let size_bytes = fields.next()?.parse().ok()?;
    let references = fields.next()?.parse().ok();
    let users = fields.next().unwrap_or("-").split(',');
    // `[permanent]` stands among the users of a module that cannot be unloaded.
    let used_by = users.filter(|user| !user.is_empty() && *user != "-" && !user.starts_with('['));
    let taint =
        fields.nth(2).map(|taint| taint.trim_matches(['(', ')'])).filter(|taint| !taint.is_empty());
    Some(Module {
        name,
        size_bytes,
        references,
        used_by: used_by.map(str::to_owned).collect(),
        taint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_read() {
        let module =
            parse("nf_nat 57344 2 nft_chain_nat,xt_nat,[permanent], Live 0x0000000000000000 (OE)")
                .unwrap();
        assert_eq!(module.used_by, ["nft_chain_nat", "xt_nat"]);
        assert_eq!(
            (module.size_bytes, module.references, module.taint),
            (57_344, Some(2), Some("OE"))
        );
        assert_eq!(parse("ext4 1024 - - Live 0x0").unwrap().references, None);
        assert_eq!(parse("../../etc 1 0 - Live 0x0"), None);
    }

    #[test]
    fn a_kernel_without_modules_has_none() {
        let place = tempfile::tempdir().unwrap();
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let mut seen = Vec::new();
        assert_eq!(collect(&target, &mut Run::new(&mut seen)).reason, CoverageReason::NotPresent);
    }

    proptest! {
        #[test]
        fn any_line_is_parsed_without_panic(line in "\\PC{0,100}") {
            parse(&line);
        }
    }
}
