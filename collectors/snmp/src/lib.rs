//! The SNMP collector: describes what answers to SNMP, in version 1, 2c and 3.
//!
//! The lower half is the protocol, written for many devices at once: `ber`, `oid`, `value` and `message` decode
//! without copying, `usm` is the security of version 3, `session` a conversation over a socket of its own, `walk` and
//! `table` read what lies below an identifier. The upper half gives it meaning: `scopes` with one module for each part
//! of a device, `vendors` with what is known of products, as data.
//!
//! Invariants: what an agent says is hostile: bounded in number, size and time, and never executed. A table that was
//! not read to its end makes its scope partial. The version and the level of security are those of the credential
//! that was accepted, and are reported; nothing weaker is tried in its place.
//!
//! Deliberately not here: writing (there is no SET), traps, and deciding what belongs together (reconciliation).

pub mod access;
pub mod ber;
mod memory;
pub mod message;
pub mod oid;
mod ports;
mod probe;
mod scopes;
pub mod session;
pub mod table;
pub mod usm;
pub mod value;
mod vendors;
mod view;
pub mod walk;

use async_trait::async_trait;
use collector::{
    CollectError, Collector, Manifest, OptionDeclaration, Platform, Privilege, Run, Target,
};
use model::{Coverage, relationships};
use tokio::time::Instant;

/// The port of SNMP.
pub const PORT: u16 = 161;

/// The name of this collector.
pub const NAME: &str = "snmp";

/// Reads what answers to SNMP.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnmpCollector;

static MANIFEST: Manifest = Manifest {
    name: NAME,
    summary: "Describes network devices, printers, power supplies and hosts that answer to SNMP.",
    scopes: scopes::SCOPES,
    relationships: &[
        relationships::MEMBER_OF,
        relationships::STACKED_ON,
        relationships::ROUTES_VIA,
        relationships::SEEN_ON,
        relationships::LINKED_TO,
        relationships::ADJACENT_TO,
        relationships::SITS_IN,
    ],
    privileges: &[
        Privilege {
            needs: "read access to a view with 1.3.6.1.2.1 (MIB-2) and 1.0.8802.1.1.2 (LLDP-MIB)",
            without: "what the view leaves out; the device then seems not to have it",
        },
        Privilege {
            needs: "read access to 1.3.6.1.4.1 (the vendor's own MIBs)",
            without: "serial numbers and versions of devices without ENTITY-MIB, and CDP neighbors",
        },
    ],
    platforms: &[Platform::Linux, Platform::Windows],
    credentials: &[access::COMMUNITY_KIND, access::USER_KIND],
    options: &[
        OptionDeclaration {
            name: "timeout_seconds",
            doc: "How long the first attempt of a request waits for its answer, from 0.05 to 30; each further one waits twice as long.",
            default: "2",
        },
        OptionDeclaration {
            name: "retries",
            doc: "How often a request is repeated, from 0 to 10.",
            default: "2",
        },
        OptionDeclaration {
            name: "variables_max",
            doc: "The most variables that are asked for at once, from 1 to 2000; less is tried by itself when answers are lost.",
            default: "160",
        },
    ],
    is_remote: true,
};

#[async_trait]
impl Collector for SnmpCollector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn collect(
        &self,
        target: &Target,
        scope: &str,
        run: &mut Run<'_>,
    ) -> Result<Coverage, CollectError> {
        let declared = MANIFEST.scope(scope).ok_or_else(|| CollectError::UnknownScope {
            collector: NAME,
            scope: scope.to_owned(),
            known: MANIFEST.scope_names(),
        })?;
        // A little less than is allowed, so that what was seen can still be reported.
        let end = Instant::now() + declared.time_limit.mul_f64(0.95);
        let found = probe::find(target, end).await?;
        run.accepted(&found.credential);
        let mut view = view::View::new(target, found);
        let coverage = scopes::collect(declared.name, &mut view, run).await;
        view.found.remember();
        Ok(coverage.unwrap_or_else(Coverage::complete))
    }
}
