//! The runner with a collector of the test's own: who is let in by which credential, how long it takes, and how many
//! look at once are the test's to say.

use super::*;
use crate::config::Config;
use crate::stop::{Stopper, stop};
use async_trait::async_trait;
use collector::{CollectError, Manifest, Platform, Run, ScopeDeclaration, Target};
use environment::{Clock, Randomness, RealDisk, SystemClock, SystemRandomness};
use model::classes::host;
use model::{Coverage, Observation, Timestamp};
use proto::Message;
use spool::{Entry, Options, Priority, Spool};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

static MANIFEST: Manifest = Manifest {
    name: "banner",
    summary: "Reads what a test says.",
    scopes: &[
        ScopeDeclaration {
            name: "device",
            summary: "The device.",
            classes: &["host"],
            interval: Duration::from_secs(3600),
            time_limit: Duration::from_secs(2),
            is_volatile: false,
        },
        ScopeDeclaration {
            name: "ports",
            summary: "Its ports.",
            classes: &[],
            interval: Duration::from_secs(3600),
            time_limit: Duration::from_secs(2),
            is_volatile: false,
        },
    ],
    relationships: &[],
    privileges: &[],
    platforms: &[Platform::Linux],
    credentials: &["login"],
    options: &[],
    is_remote: true,
};

/// A device for every address: it lets in whoever has the password `right`, hangs when its address says so, and is
/// never there when it says that.
#[derive(Debug, Default)]
struct Banner {
    attempts: Mutex<Vec<(String, String)>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Collector for Banner {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn collect(
        &self,
        target: &Target,
        scope: &str,
        run: &mut Run<'_>,
    ) -> Result<Coverage, CollectError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        let _leaving = Leaving(&self.now);
        self.most.fetch_max(now, Ordering::SeqCst);
        let remote = target.remote.as_ref().unwrap();
        if remote.address.starts_with("gone") {
            self.attempts.lock().unwrap().push((remote.address.clone(), scope.to_owned()));
            let source = std::io::ErrorKind::ConnectionRefused.into();
            return Err(CollectError::Unreachable { target: target.id.clone(), source });
        }
        for credential in remote.credentials("login") {
            self.attempts.lock().unwrap().push((remote.address.clone(), credential.name.clone()));
            if credential.secret("password").is_some_and(|secret| secret.expose() == "right") {
                run.accepted(&credential.name);
                run.progress("reading", 1, Some(2));
                run.saw(
                    Observation::of(&host::CLASS, "device")
                        .with(&host::FQDN, remote.address.clone()),
                );
                if remote.address.starts_with("slow") {
                    std::future::pending::<()>().await;
                }
                return Ok(Coverage::complete());
            }
        }
        if remote.credentials.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(Coverage::complete());
        }
        Err(CollectError::Refused { target: target.id.clone(), remedy: "mend the password".into() })
    }
}

/// A runner, what tells it, and where its reports go.
struct Rig {
    banner: &'static Banner,
    remote: Remote,
    spool: Spool,
    directory: tempfile::TempDir,
    stopper: Stopper,
    running: tokio::task::JoinHandle<()>,
    generation: u64,
}

impl Rig {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let banner: &'static Banner = Box::leak(Box::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
        let options = Options::new(directory.path().join("spool"));
        let spool =
            Spool::open(options, Arc::new(RealDisk), Arc::clone(&clock), Arc::clone(&randomness));
        let spool = spool.unwrap();
        let (remote, commands) = Remote::new(vec![banner]);
        let around = Surroundings {
            collectors: vec![banner],
            site: "berlin".into(),
            state: directory.path().to_owned(),
            spool: spool.clone(),
            clock,
            randomness,
            config: Arc::new(Config::parse(Path::new("agent.toml"), "").unwrap()),
            capacity: 8,
        };
        let (stopper, stop) = stop();
        let running = tokio::spawn(Runner::new(around, &remote).run(commands, stop));
        Self { banner, remote, spool, directory, stopper, running, generation: 0 }
    }

    /// Gives it these targets with these passwords, by name.
    fn desire(&mut self, set: v1::DesiredSet, passwords: &[(&str, &str)]) {
        self.generation += 1;
        let credentials = passwords.iter().map(|(name, password)| v1::DesiredCredential {
            name: (*name).to_owned(),
            kind: "login".into(),
            secrets: BTreeMap::from([("password".to_owned(), (*password).to_owned())]),
            ..v1::DesiredCredential::default()
        });
        let part = v1::Desired {
            generation: self.generation,
            is_last: true,
            sets: vec![set],
            credentials: credentials.collect(),
            ..v1::Desired::default()
        };
        let desired = Assembly::default().take(part, self.remote.sources()).unwrap();
        self.remote.tell(Command::Desired(Box::new(desired)));
    }

    fn lease(&self, seconds: u64) {
        self.remote.tell(Command::Lease(Instant::now() + Duration::from_secs(seconds)));
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "waited in vain until {what}: {:?}", self.states());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn attempts(&self) -> Vec<(String, String)> {
        self.banner.attempts.lock().unwrap().clone()
    }

    fn states(&self) -> Vec<String> {
        self.remote.board.targets().into_iter().map(|status| status.state).collect()
    }

    fn all_are(&self, state: &str) -> bool {
        let states = self.states();
        !states.is_empty() && states.iter().all(|one| one == state)
    }

    /// Target, scope and status of every report.
    fn reports(&self) -> Vec<(String, String, String)> {
        let entries = self.spool.read(Priority::Inventory, 0, 1000, 1 << 20).unwrap();
        let reports = entries.into_iter().map(|entry| {
            let Entry::Record { payload, .. } = entry else { panic!("a gap") };
            let record = v1::Record::decode(payload).unwrap();
            let Some(v1::record::Content::Report(report)) = record.content else { panic!() };
            let scope = report.scope.unwrap();
            (scope.target, scope.scope, report.coverage.unwrap().status)
        });
        reports.collect()
    }

    async fn stop(self) {
        self.stopper.stop();
        self.running.await.unwrap();
    }
}

fn set(addresses: &[&str], credentials: &[&str]) -> v1::DesiredSet {
    v1::DesiredSet {
        name: "lab".into(),
        collector: "banner".into(),
        credentials: credentials.iter().map(|name| (*name).to_owned()).collect(),
        concurrency: 4,
        targets: addresses
            .iter()
            .map(|address| v1::DesiredTarget {
                id: format!("{address}@berlin"),
                address: (*address).to_owned(),
            })
            .collect(),
        ..v1::DesiredSet::default()
    }
}

#[tokio::test]
async fn nothing_is_read_without_a_lease_and_a_look_is_dropped_when_it_runs_out() {
    let mut rig = Rig::start();
    rig.desire(set(&["slow1"], &["a"]), &[("a", "right")]);
    rig.until("it is known", |rig| rig.all_are("waiting")).await;
    assert!(rig.attempts().is_empty());
    rig.lease(1);
    rig.until("it is read", |rig| rig.all_are("running")).await;
    rig.until("it is dropped", |rig| rig.all_are("paused")).await;
    rig.until("nobody looks", |rig| rig.banner.now.load(Ordering::SeqCst) == 0).await;
    rig.lease(60);
    rig.until("it is read again", |rig| rig.all_are("running")).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_wrong_credential_is_tried_once_at_a_target_and_at_few_targets_in_all() {
    let mut rig = Rig::start();
    let addresses: Vec<String> = (0..40).map(|number| format!("switch{number}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    rig.desire(set(&addresses, &["wrong"]), &[("wrong", "guess")]);
    rig.lease(60);
    rig.until("it gives up", |rig| {
        rig.states().iter().filter(|state| *state == "paused").count() >= 36
    })
    .await;
    let attempts = rig.attempts();
    assert!((1..=4).contains(&attempts.len()), "{attempts:?}");
    // Nor does asking for looks lead around it.
    rig.remote.tell(Command::LookNow(v1::LookNow {
        collector: "banner".into(),
        set: "lab".into(),
        ..v1::LookNow::default()
    }));
    rig.until("it refuses again", |rig| rig.all_are("paused")).await;
    assert_eq!(rig.attempts().len(), attempts.len());
    // The right password, without a restart.
    rig.desire(set(&addresses, &["wrong"]), &[("wrong", "right")]);
    rig.until("it is let in everywhere", |rig| rig.all_are("done")).await;
    rig.stop().await;
}

#[tokio::test]
async fn the_credential_that_was_accepted_is_tried_first_the_next_time() {
    let mut rig = Rig::start();
    rig.desire(set(&["router"], &["wrong", "good"]), &[("wrong", "x"), ("good", "right")]);
    rig.lease(60);
    rig.until("it is done", |rig| rig.all_are("done")).await;
    let tried = |attempts: Vec<(String, String)>| {
        attempts.into_iter().map(|(_, credential)| credential).collect::<Vec<_>>()
    };
    // The second scope comes in the same look, with the same order of credentials.
    assert_eq!(tried(rig.attempts())[..2], ["wrong", "good"]);
    rig.banner.attempts.lock().unwrap().clear();
    rig.remote.tell(Command::LookNow(v1::LookNow {
        collector: "banner".into(),
        set: "lab".into(),
        ..v1::LookNow::default()
    }));
    rig.until("it is read again", |rig| rig.attempts().len() >= 2).await;
    assert_eq!(tried(rig.attempts()), ["good", "good"]);
    assert_eq!(rig.remote.board.targets()[0].credential.as_deref(), Some("good"));
    rig.stop().await;
}

#[tokio::test]
async fn a_target_that_hangs_or_is_gone_costs_the_others_nothing_and_is_reported() {
    let mut rig = Rig::start();
    rig.desire(set(&["slow1", "gone1", "switch1", "switch2"], &["a"]), &[("a", "right")]);
    rig.lease(60);
    rig.until("the others are done", |rig| {
        rig.states().iter().filter(|state| *state == "done").count() >= 3
    })
    .await;
    let gone = rig.attempts().into_iter().filter(|(address, _)| address == "gone1");
    assert_eq!(gone.count(), 1, "its other scope is not tried");
    rig.until("the slow one is given up", |rig| rig.all_are("done")).await;
    let mut reports = rig.reports();
    reports.sort();
    let report = |target: &str, scope: &str, status: &str| {
        (format!("{target}@berlin"), scope.to_owned(), status.to_owned())
    };
    for expected in [
        report("gone1", "device", "not_looked_at"),
        report("gone1", "ports", "not_looked_at"),
        report("slow1", "device", "partial"),
        report("switch1", "device", "complete"),
        report("switch2", "device", "complete"),
    ] {
        assert!(reports.contains(&expected), "{expected:?} in {reports:?}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn no_more_than_the_set_allows_are_read_at_once() {
    let mut rig = Rig::start();
    let addresses: Vec<String> = (0..30).map(|number| format!("switch{number}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let fragile = v1::DesiredSet { concurrency: 1, is_fragile: true, ..set(&addresses, &[]) };
    rig.desire(fragile, &[]);
    rig.lease(60);
    rig.until("all are done", |rig| rig.all_are("done")).await;
    assert_eq!(rig.banner.most.load(Ordering::SeqCst), 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_closed_window_keeps_targets_waiting() {
    let mut rig = Rig::start();
    // A window of one minute, half a week away.
    let day = Timestamp::from(SystemClock.wall()).millis().div_euclid(86_400_000);
    let names = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
    let then = names[usize::try_from((day + 3).rem_euclid(7)).unwrap()];
    let closed =
        v1::DesiredSet { windows: vec![format!("{then} 12:00-12:01")], ..set(&["switch1"], &[]) };
    rig.desire(closed, &[]);
    rig.lease(60);
    rig.until("it waits with a time", |rig| {
        rig.remote
            .board
            .targets()
            .iter()
            .any(|one| one.state == "waiting" && one.next_look.is_some())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(rig.banner.most.load(Ordering::SeqCst), 0);
    rig.stop().await;
}

#[tokio::test]
async fn what_is_taken_away_is_no_longer_read_before_that_is_confirmed() {
    let mut rig = Rig::start();
    rig.desire(set(&["slow1", "switch1"], &["a"]), &[("a", "right")]);
    rig.lease(60);
    rig.until("they are read", |rig| rig.states().contains(&"running".to_owned())).await;
    rig.until("there is a state on disk", |rig| rig.directory.path().join("targets").exists())
        .await;
    rig.desire(set(&[], &[]), &[]);
    let generation = rig.generation;
    rig.until("it is confirmed", |rig| rig.remote.board.take_beat(1, 0).generation == generation)
        .await;
    assert_eq!(rig.banner.now.load(Ordering::SeqCst), 0, "nobody looks any more");
    let left = std::fs::read_dir(rig.directory.path().join("targets")).unwrap().count();
    assert_eq!(left, 0);
    rig.stop().await;
}

#[tokio::test]
async fn no_secret_is_on_the_disk_or_in_the_state() {
    let mut rig = Rig::start();
    let secret = "right";
    rig.desire(set(&["switch1"], &["a"]), &[("a", secret)]);
    rig.lease(60);
    rig.until("it is done", |rig| rig.all_are("done")).await;
    let printed = format!("{:?} {:?}", rig.remote, rig.remote.board);
    assert!(!printed.contains(secret), "{printed}");
    let mut folders = vec![rig.directory.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "{}", entry.path().display());
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_credential_is_tried_for_a_person_and_nothing_is_reported() {
    let rig = Rig::start();
    let credential = |password: &str, kind: &str| v1::DesiredCredential {
        name: "a".into(),
        kind: kind.into(),
        secrets: BTreeMap::from([("password".to_owned(), password.to_owned())]),
        ..v1::DesiredCredential::default()
    };
    let asked = [
        (1, credential("wrong", "login"), false),
        (2, credential("right", "login"), true),
        (3, credential("right", "other"), false),
    ];
    for (number, credential, is_accepted) in asked {
        let probe = v1::Probe {
            number,
            collector: "banner".into(),
            address: "switch1".into(),
            credential: Some(credential),
            ..v1::Probe::default()
        };
        rig.remote.tell(Command::Probe(Box::new(probe)));
        rig.until("there is an answer", |rig| rig.remote.board.is_urgent()).await;
        let results = rig.remote.board.take_beat(1, 0).results;
        assert_eq!(
            (results[0].number, results[0].is_accepted),
            (number, is_accepted),
            "{results:?}"
        );
    }
    assert!(rig.reports().is_empty());
    rig.stop().await;
}

#[test]
fn parts_out_of_order_or_of_unknown_collectors_do_no_harm() {
    let mut assembly = Assembly::default();
    let banner: &'static Banner = Box::leak(Box::default());
    let sources: Vec<&'static dyn Collector> = vec![banner];
    let part = |generation, part, is_last, set: v1::DesiredSet| v1::Desired {
        generation,
        part,
        is_last,
        sets: vec![set],
        ..v1::Desired::default()
    };
    assert!(assembly.take(part(1, 3, true, set(&["a"], &[])), &sources).is_none());
    assert!(assembly.take(part(1, 0, false, set(&["a"], &[])), &sources).is_none());
    assert!(
        assembly.take(part(2, 1, true, set(&["b"], &[])), &sources).is_none(),
        "of another generation"
    );
    assert!(assembly.take(part(3, 0, false, set(&["a"], &[])), &sources).is_none());
    let whole = assembly.take(part(3, 1, true, set(&["b"], &[])), &sources).unwrap();
    assert_eq!((whole.generation, whole.targets.len()), (3, 2));
    let unknown =
        v1::DesiredSet { collector: "toaster".into(), name: "x".into(), ..set(&["a"], &[]) };
    assert!(assembly.take(part(4, 0, true, unknown), &sources).unwrap().targets.is_empty());
}

#[tokio::test]
async fn a_right_credential_is_known_to_be_right_before_the_long_looks_with_it_end() {
    let mut rig = Rig::start();
    // The first scope of each hangs after it was let in, up to its limit of two seconds.
    let addresses: Vec<String> = (0..8).map(|number| format!("slow{number}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let wide = v1::DesiredSet { concurrency: 8, ..set(&addresses, &["a"]) };
    rig.desire(wide, &[("a", "right")]);
    rig.lease(60);
    rig.until("all were let in", |rig| rig.all_are("done")).await;
    rig.stop().await;
}

#[tokio::test]
async fn looks_of_a_set_begin_no_faster_than_it_allows() {
    let mut rig = Rig::start();
    let addresses: Vec<String> = (0..4).map(|number| format!("switch{number}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let began = Instant::now();
    rig.desire(v1::DesiredSet { looks_per_minute: 120, ..set(&addresses, &[]) }, &[]);
    rig.lease(60);
    rig.until("all are done", |rig| rig.all_are("done")).await;
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
    rig.stop().await;
}

#[tokio::test]
async fn a_credential_of_another_kind_is_not_sent_and_one_that_is_added_is_tried_at_once() {
    let mut rig = Rig::start();
    let of = |kind: &str| v1::DesiredCredential {
        name: kind.into(),
        kind: kind.into(),
        secrets: BTreeMap::from([("password".to_owned(), "right".to_owned())]),
        ..v1::DesiredCredential::default()
    };
    let part = |generation, names: &[&str], credentials| v1::Desired {
        generation,
        is_last: true,
        sets: vec![set(&["switch1"], names)],
        credentials,
        ..v1::Desired::default()
    };
    let tell = |part| {
        let desired = Assembly::default().take(part, rig.remote.sources()).unwrap();
        rig.remote.tell(Command::Desired(Box::new(desired)));
    };
    tell(part(1, &["other"], vec![of("other")]));
    rig.lease(60);
    rig.until("it says so", |rig| rig.all_are("paused")).await;
    assert!(rig.attempts().is_empty());
    let why = rig.remote.board.targets()[0].coverage.clone().unwrap().detail;
    assert!(why.contains("`banner` uses those of the kinds login"), "{why}");
    tell(part(2, &["other", "login"], vec![of("other"), of("login")]));
    rig.until("it is let in", |rig| rig.all_are("done")).await;
    rig.generation = 2;
    rig.stop().await;
}

#[tokio::test]
async fn an_unchanged_target_is_confirmed_and_one_that_is_asked_for_comes_whole() {
    let mut rig = Rig::start();
    rig.desire(set(&["switch1"], &["a"]), &[("a", "right")]);
    rig.lease(60);
    rig.until("it is done", |rig| rig.all_are("done")).await;
    let reports = rig.reports().len();
    let first = rig.remote.board.take_beat(1, u64::MAX);
    assert!(first.confirmations.is_empty(), "the report itself says it");
    rig.remote.tell(Command::LookNow(v1::LookNow {
        collector: "banner".into(),
        set: "lab".into(),
        ..v1::LookNow::default()
    }));
    let mut confirmed = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while confirmed.len() < 2 {
        assert!(Instant::now() < deadline, "waited in vain for confirmations: {confirmed:?}");
        let beat = rig.remote.board.take_beat(2, u64::MAX);
        confirmed.extend(beat.confirmations.into_iter().filter_map(|one| one.scope));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(confirmed.iter().all(|scope| scope.target == "switch1@berlin"), "{confirmed:?}");
    assert_eq!(rig.reports().len(), reports, "nothing is reported again");
    rig.remote.tell(Command::Whole {
        collector: "banner".into(),
        target: "switch1@berlin".into(),
        scope: "device".into(),
    });
    rig.until("it comes whole", |rig| rig.reports().len() > reports).await;
    rig.stop().await;
}
