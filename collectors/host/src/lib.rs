//! The host collector: describes the host that the agent runs on.
//!
//! Facts come from /proc, /sys and the tools' own files; nothing is executed. What needs a right that is missing
//! is reported as *not looked at*, never as empty. Every reader takes the target's root, so that an image or a
//! recorded tree is described by the same code; system calls are made only when the target is the running host.
//!
//! The work lies in two halves: `machine` (hardware, operating system, storage, network) and `software` (packages,
//! services, processes, sockets, accounts, containers). Looking blocks its thread, for milliseconds.
//!
//! Deliberately not here: scheduling, fingerprints and sending (the agent), identity (reconciliation).

mod fields;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod machine;
mod redact;
#[cfg(target_os = "linux")]
mod software;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(any(not(target_os = "linux"), test))]
mod windows;

pub use fields::fields_missing;

use async_trait::async_trait;
use collector::{CollectError, Collector, Guard, Manifest, Platform, Privilege, Run, Target};
use model::{Coverage, relationships};
use tokio::sync::mpsc::Sender;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
use windows as platform;

/// The native key of the host itself: the parent of everything that the operating system holds.
pub const HOST: &str = "host";

/// The native key of the machine under the host: the parent of everything that can be touched.
pub const HARDWARE: &str = "hardware";

/// The name of this collector.
pub const NAME: &str = "host";

/// Reads the host that it runs on, or the file system tree of another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostCollector;

static MANIFEST: Manifest = Manifest {
    name: NAME,
    summary: "Describes the host that the agent runs on: hardware, operating system, storage, network and software.",
    scopes: &platform::SCOPES,
    relationships: &[
        relationships::RUNS_ON,
        relationships::HOSTED_ON,
        relationships::INSTANCE_OF,
        relationships::LISTENS_ON,
        relationships::CONNECTS_TO,
        relationships::REQUIRES,
        relationships::USES_IMAGE,
        relationships::STORED_ON,
        relationships::MEMBER_OF,
        relationships::STACKED_ON,
        relationships::SECURED_BY,
        relationships::INSTALLED_BY,
        relationships::BELONGS_TO,
        relationships::ROUTES_VIA,
    ],
    privileges: &[
        Privilege {
            needs: "read /sys/class/dmi/id/*_serial, product_uuid and /sys/firmware/dmi/tables (root)",
            without: "serial numbers and UUID of system, board and chassis; memory modules",
        },
        Privilege {
            needs: "CAP_SYS_ADMIN and CAP_SYS_RAWIO on block devices (root)",
            without: "health of drives",
        },
        Privilege {
            needs: "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (root)",
            without: "sockets and executables of other users' processes",
        },
        Privilege {
            needs: "read /etc/shadow, /etc/sudoers and the homes (root)",
            without: "locked accounts, sudo rights and authorized keys",
        },
        Privilege {
            needs: "read and write the sockets of Docker and Podman, and read the folders of Podman and containerd (root)",
            without: "containers and images",
        },
    ],
    platforms: &[Platform::Linux, Platform::Windows],
    credentials: &[],
    options: &[],
    is_remote: false,
};

#[async_trait]
impl Collector for HostCollector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    fn guard(&self, target: &Target, scope: &str) -> Option<Guard> {
        platform::guard(target, scope)
    }

    async fn collect(
        &self,
        target: &Target,
        scope: &str,
        run: &mut Run<'_>,
    ) -> Result<Coverage, CollectError> {
        if let Some(result) = platform::collect(target, scope, run) {
            return result;
        }
        Err(CollectError::UnknownScope {
            collector: NAME,
            scope: scope.to_owned(),
            known: MANIFEST.scope_names(),
        })
    }
}

/// Reports into `changed` the scopes of the running host that changed, until the receiver is gone.
///
/// A scope that was reported should be looked at soon; the intervals of the manifest hold besides. Returns at once
/// for a target that is not the running host.
pub async fn watch(target: Target, changed: Sender<&'static str>) {
    #[cfg(target_os = "linux")]
    watch::watch(target, changed).await;
    #[cfg(not(target_os = "linux"))]
    windows::watch(target, changed).await;
}
