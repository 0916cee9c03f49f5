//! Watches the host for changes, so that a scope is looked at within seconds instead of at its next interval.
//!
//! Three sources tell of changes without polling: rtnetlink (links, addresses, routes), inotify (the files that
//! guarded scopes are made of, and the directories in which systemd shows what runs) and the mount table. What
//! they say is only *that* something changed; the scope's own look says what. Changes are collected for half a
//! second and reported at most once a second per scope, so that a burst costs one look.
//!
//! A source that cannot be watched (limits, missing kernel support) is left out: the intervals still hold.

mod sources;

use collector::Target;
use sources::{Files, Watched};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, interval_at, sleep_until};

/// How long changes are collected after the first one.
const COLLECT_FOR: Duration = Duration::from_millis(500);
/// How often at most changes are reported.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// How often directories that were not there are tried again.
const REARM_EVERY: Duration = Duration::from_secs(300);
/// The buffer for events; one read takes all that it holds.
const EVENTS_BYTES: usize = 16 * 1024;
/// The most reads for one wake-up; what remains wakes again.
const READS_MAX: usize = 64;

/// Reports the scopes of the running host that changed, until the receiver is gone.
///
/// Returns at once for a target that is not the running host. Stopping it at any point loses nothing but changes
/// that were not yet reported.
pub(crate) async fn watch(target: Target, changed: Sender<&'static str>) {
    if !target.is_live() {
        return;
    }
    let mut sources = Sources::open();
    sources.arm();
    let mut pending = BTreeSet::new();
    let (mut report_at, mut reported_at) = (Instant::now(), None::<Instant>);
    let mut rearm = interval_at(Instant::now() + REARM_EVERY, REARM_EVERY);
    let mut buffer = vec![0; EVENTS_BYTES];
    loop {
        let was_empty = pending.is_empty();
        tokio::select! {
            () = changed.closed() => return,
            () = sources.wait(&mut pending, &mut buffer) => {}
            _ = rearm.tick() => sources.arm(),
            () = sleep_until(report_at), if !was_empty => {
                pending = match report(pending, &changed) {
                    Some(left) => left,
                    None => return,
                };
                reported_at = Some(Instant::now());
                report_at = Instant::now() + REPORT_EVERY;
            }
        }
        if was_empty && !pending.is_empty() {
            let collected = Instant::now() + COLLECT_FOR;
            report_at = reported_at.map_or(collected, |last| collected.max(last + REPORT_EVERY));
        }
    }
}

/// Reports the scopes; those for which there is no room stay for the next time. `None`: the receiver is gone.
fn report(
    pending: BTreeSet<&'static str>,
    changed: &Sender<&'static str>,
) -> Option<BTreeSet<&'static str>> {
    let mut left = BTreeSet::new();
    for scope in pending {
        match changed.try_send(scope) {
            Ok(()) => {}
            Err(TrySendError::Full(scope)) => {
                left.insert(scope);
            }
            Err(TrySendError::Closed(_)) => return None,
        }
    }
    Some(left)
}

/// What is watched; each is `None` when the kernel does not let us.
struct Sources {
    network: Option<AsyncFd<OwnedFd>>,
    files: Option<(AsyncFd<OwnedFd>, Files)>,
    mounts: Option<AsyncFd<OwnedFd>>,
}

impl Sources {
    fn open() -> Self {
        let network = sources::network_events()
            .and_then(|events| sources::register(events, Interest::READABLE))
            .ok();
        let files = sources::file_events()
            .and_then(|events| sources::register(events, Interest::READABLE))
            .ok();
        let mounts = std::fs::File::open("/proc/self/mountinfo")
            .and_then(|table| sources::register(table.into(), Interest::PRIORITY))
            .ok();
        Self { network, files: files.map(|events| (events, Files::default())), mounts }
    }

    /// Begins to watch what is there and not yet watched.
    fn arm(&mut self) {
        if let Some((events, files)) = &mut self.files {
            files.arm(events.get_ref());
        }
    }

    /// Waits until one of the sources says something, and adds the scopes that it is about.
    ///
    /// Nothing is lost when it is stopped while it waits: what was said is read only after the wait.
    async fn wait(&mut self, pending: &mut BTreeSet<&'static str>, buffer: &mut [u8]) {
        let Self { network, files, mounts } = self;
        tokio::select! {
            () = network_changed(network.as_ref(), buffer) => {
                pending.insert("network");
            }
            () = mounts_changed(mounts.as_ref()) => {
                pending.insert("storage");
            }
            scopes = files_changed(files.as_mut()) => pending.extend(scopes),
        }
    }
}

/// Waits for a message about links, addresses or routes and drops all that came with it.
async fn network_changed(events: Option<&AsyncFd<OwnedFd>>, buffer: &mut [u8]) {
    let Some(events) = events else { return std::future::pending().await };
    loop {
        let Ok(mut ready) = events.readable().await else { return std::future::pending().await };
        let mut is_told = false;
        for _ in 0..READS_MAX {
            match sources::read(events.get_ref(), buffer) {
                Ok(_) => is_told = true,
                // The kernel ran out of room for us: that, too, tells of changes.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => is_told = true,
                Err(_) => {
                    ready.clear_ready();
                    break;
                }
            }
        }
        if is_told {
            return;
        }
    }
}

/// Waits until something is mounted or unmounted.
async fn mounts_changed(table: Option<&AsyncFd<OwnedFd>>) {
    let Some(table) = table else { return std::future::pending().await };
    match table.ready(Interest::PRIORITY).await {
        Ok(mut ready) => ready.clear_ready(),
        Err(_) => std::future::pending().await,
    }
}

/// Waits for events of files and gives the scopes that they are about.
async fn files_changed(files: Option<&mut (AsyncFd<OwnedFd>, Files)>) -> BTreeSet<&'static str> {
    let mut scopes = BTreeSet::new();
    let Some((events, files)) = files else { return std::future::pending().await };
    let Ok(mut ready) = events.readable().await else { return std::future::pending().await };
    let mut buffer = [0_u8; 4096];
    for _ in 0..READS_MAX {
        match sources::read(events.get_ref(), &mut buffer) {
            Ok(length) => files.scopes_of(buffer.get(..length).unwrap_or_default(), &mut scopes),
            Err(_) => {
                ready.clear_ready();
                break;
            }
        }
    }
    scopes
}

/// What is watched of the file system: a directory, the names in it that count (all when empty), and the scopes
/// that a change in it is about.
const WATCHED: &[Watched] = &[
    Watched {
        directory: "/etc",
        names: &["passwd", "group", "shadow", "gshadow", "sudoers"],
        scopes: &["accounts"],
    },
    Watched {
        directory: "/etc",
        names: &[
            "hostname",
            "hosts",
            "resolv.conf",
            "os-release",
            "machine-id",
            "localtime",
            "timezone",
            "nftables.conf",
        ],
        scopes: &["host"],
    },
    Watched { directory: "/etc", names: &["crontab", "anacrontab"], scopes: &["jobs"] },
    Watched { directory: "/etc/sudoers.d", names: &[], scopes: &["accounts"] },
    Watched { directory: "/etc/cron.d", names: &[], scopes: &["jobs"] },
    Watched { directory: "/var/spool/cron/crontabs", names: &[], scopes: &["jobs"] },
    Watched { directory: "/var/spool/cron", names: &[], scopes: &["jobs"] },
    Watched {
        directory: "/run",
        names: &["reboot-required", "reboot-required.pkgs"],
        scopes: &["host"],
    },
    Watched { directory: "/var/lib/dpkg", names: &["status"], scopes: &["packages.dpkg"] },
    Watched { directory: "/var/lib/rpm", names: &[], scopes: &["packages.rpm"] },
    Watched { directory: "/usr/lib/sysimage/rpm", names: &[], scopes: &["packages.rpm"] },
    Watched { directory: "/lib/apk/db", names: &["installed"], scopes: &["packages.apk"] },
    Watched { directory: "/var/lib/pacman/local", names: &[], scopes: &["packages.pacman"] },
    Watched { directory: "/etc/systemd/system", names: &[], scopes: &["units", "jobs"] },
    Watched {
        directory: "/etc/systemd/system/multi-user.target.wants",
        names: &[],
        scopes: &["units"],
    },
    Watched {
        directory: "/etc/systemd/system/timers.target.wants",
        names: &[],
        scopes: &["units", "jobs"],
    },
    Watched {
        directory: "/etc/systemd/system/sockets.target.wants",
        names: &[],
        scopes: &["units"],
    },
    Watched { directory: "/usr/lib/systemd/system", names: &[], scopes: &["units", "jobs"] },
    Watched { directory: "/run/systemd/system", names: &[], scopes: &["units", "jobs"] },
    Watched { directory: "/run/systemd/transient", names: &[], scopes: &["units"] },
    // systemd keeps a link here for each unit that is active.
    Watched { directory: "/run/systemd/units", names: &[], scopes: &["units"] },
    // Each service that runs has a control group; the place depends on the version of the hierarchy.
    Watched {
        directory: "/sys/fs/cgroup/system.slice",
        names: &[],
        scopes: &["units", "processes", "containers"],
    },
    Watched {
        directory: "/sys/fs/cgroup/unified/system.slice",
        names: &[],
        scopes: &["units", "processes"],
    },
    Watched {
        directory: "/sys/fs/cgroup/systemd/system.slice",
        names: &[],
        scopes: &["units", "processes"],
    },
    Watched { directory: "/var/lib/docker/containers", names: &[], scopes: &["containers"] },
    Watched {
        directory: "/var/lib/containers/storage/overlay-containers",
        names: &[],
        scopes: &["containers"],
    },
    Watched {
        directory: "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
        names: &[],
        scopes: &["containers", "processes"],
    },
    Watched { directory: "/etc/ssl/certs", names: &[], scopes: &["certificates"] },
    Watched { directory: "/etc/ssl/private", names: &[], scopes: &["certificates"] },
    Watched { directory: "/etc/pki/tls/certs", names: &[], scopes: &["certificates"] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_without_room_are_kept_for_the_next_time() {
        let (tx, mut rx) = tokio::sync::mpsc::channel(1);
        let left = report(BTreeSet::from(["host", "network", "units"]), &tx).unwrap();
        assert_eq!(left, BTreeSet::from(["network", "units"]));
        assert_eq!(rx.try_recv(), Ok("host"));
        drop(rx);
        assert_eq!(report(left, &tx), None);
    }

    #[test]
    fn every_scope_that_can_be_reported_is_one_of_the_collector() {
        for watched in WATCHED {
            for scope in watched.scopes {
                let declared = crate::linux::SCOPES.iter().any(|declared| declared.name == *scope);
                assert!(declared, "{}: {scope}", watched.directory);
            }
        }
    }

    #[tokio::test]
    async fn a_tree_of_another_host_is_not_watched() {
        let (tx, mut rx) = tokio::sync::mpsc::channel(1);
        let target =
            Target { id: "t".into(), site: "s".into(), root: "/nowhere".into(), remote: None };
        watch(target, tx).await;
        assert_eq!(rx.recv().await, None);
    }

    #[tokio::test]
    async fn it_ends_with_its_receiver() {
        let (tx, rx) = tokio::sync::mpsc::channel(1);
        let watching = tokio::spawn(watch(Target::own_host("t", "s"), tx));
        drop(rx);
        tokio::time::timeout(Duration::from_secs(10), watching).await.unwrap().unwrap();
    }
}
