//! `run`: the agent in the foreground, until it is told to stop.
//!
//! Invariants: one agent per state directory (the spool's lock says so); every task is owned here and awaited at the
//! end; a signal ends the process within five seconds with what was accepted safe on disk.

use super::{Outcome, enroll, start_logging};
use crate::board::{About, Board};
use crate::child::Program;
use crate::cli::Enroll;
use crate::config::Config;
use crate::identity::{Identity, Store};
use crate::remote::{self, Remote, Runner};
use crate::schedule::{NEWS_MAX, News, Schedule, Surroundings};
use crate::stop::{Stop, stop};
use crate::uplink::{self, Backoff, Ended, Uplink};
use crate::{collectors, enrollment, evidence, limits, place};
use anyhow::Context;
use collector::Target;
use environment::{Clock, Randomness, RealDisk, SystemClock, SystemRandomness};
use model::{SourceId, Timestamp};
use spool::{Options, Spool};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long tasks may take to end; a second more is left for the spool.
const END_LIMIT: Duration = Duration::from_secs(4);
/// After a boot all agents of a site come at once: they spread over this.
const BOOT_SPREAD: Duration = Duration::from_secs(10);
/// The same for a start at another time.
const START_SPREAD: Duration = Duration::from_secs(2);
/// A start this soon after the boot belongs to it.
const BOOT_SECONDS: u64 = 180;

/// What the tasks share.
struct Common {
    state: PathBuf,
    config: Arc<Config>,
    store: Store,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

/// What belongs to one life of the spool.
struct Life {
    spool: Spool,
    board: Board,
    wanted: mpsc::Sender<String>,
    remote: Remote,
}

pub(super) async fn run(state: &Path, config: Config, how: Enroll) -> anyhow::Result<Outcome> {
    start_logging();
    limits::confine_agent(&config);
    place::create_private_directory(state)
        .with_context(|| format!("cannot create the state directory `{}`", state.display()))?;
    let common = Common {
        state: state.to_owned(),
        config: Arc::new(enroll::overruled(config, how)),
        store: Store::new(state),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
    };
    let (stopper, mut stop) = stop();
    let signals = tokio::spawn(async move {
        let heard = signal().await;
        stopper.stop();
        heard
    });
    let result = common.enroll_and_serve(&mut stop).await;
    signals.abort();
    result.map(|()| Outcome::Done)
}

/// Returns when the service manager or a person wants the agent to stop.
async fn signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

impl Common {
    async fn enroll_and_serve(&self, stop: &mut Stop) -> anyhow::Result<()> {
        let (mut identity, mut is_new) = match self.store.load()? {
            Some(identity) => (identity, false),
            None => match self.enroll(stop).await? {
                Some(identity) => (identity, true),
                None => return Ok(()),
            },
        };
        // A token that could not be deleted after use, or was given to a host that is enrolled already.
        if let Some(token_file) = &self.config.token_file.value {
            enrollment::delete_token(token_file);
        }
        loop {
            match self.serve(identity, is_new, stop).await? {
                Ended::Stopped => return Ok(()),
                Ended::SpoolSetBack(why) => {
                    tracing::error!(why, "the spool is laid aside and begun anew");
                    self.lay_spool_aside()?;
                    identity = self.store.load()?.context("the identity is gone")?;
                    is_new = false;
                }
            }
        }
    }

    /// Enrolls; while the control plane cannot be reached, again and again. `None` when told to stop.
    async fn enroll(&self, stop: &mut Stop) -> anyhow::Result<Option<Identity>> {
        let mut backoff = Backoff::new(self.config.pause_max.value);
        loop {
            let attempt = tokio::select! {
                () = stop.wanted() => return Ok(None),
                attempt = enroll::once(&self.store, &self.config) => attempt,
            };
            let error = match attempt {
                Ok(identity) => return Ok(Some(identity)),
                Err(error) => error,
            };
            let is_transient = error
                .downcast_ref::<enrollment::Error>()
                .is_some_and(enrollment::Error::is_transient);
            if !is_transient {
                return Err(error);
            }
            let pause = backoff.next(&*self.randomness);
            tracing::warn!(why = %error, pause_seconds = pause.as_secs(), "not enrolled yet; trying again");
            tokio::select! {
                () = stop.wanted() => return Ok(None),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn spool_directory(&self) -> PathBuf {
        self.state.join("spool")
    }

    /// Keeps a spool that was set back for whoever wants to look into it; an older one makes room.
    fn lay_spool_aside(&self) -> anyhow::Result<()> {
        let aside = self.state.join("spool.set-back");
        match std::fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        std::fs::rename(self.spool_directory(), aside).context("cannot lay the spool aside")
    }

    fn open_spool(&self) -> anyhow::Result<Spool> {
        let options = Options::with_total(self.spool_directory(), self.config.spool_bytes.value);
        let spool = Spool::open(
            options,
            Arc::new(RealDisk),
            Arc::clone(&self.clock),
            Arc::clone(&self.randomness),
        );
        spool.context("cannot open the spool")
    }

    /// What must be the same for a guard to mean anything: this very build, this boot, this target.
    fn context(&self, target: &Target) -> String {
        let binary = std::env::current_exe().and_then(std::fs::metadata);
        let built = binary.and_then(|binary| binary.modified()).map(Timestamp::from);
        format!(
            "{} {} {} {} {}",
            crate::VERSION,
            built.unwrap_or_default().millis(),
            evidence::boot_id(),
            target.id,
            target.root.display()
        )
    }

    /// The tasks of one life of the spool.
    async fn serve(
        &self,
        identity: Identity,
        is_new: bool,
        stop: &mut Stop,
    ) -> anyhow::Result<Ended> {
        let enrolled = &identity.enrolled;
        let about = About {
            version: crate::VERSION.to_owned(),
            agent_id: enrolled.agent_id.to_string(),
            site: enrolled.site.clone(),
            pid: std::process::id(),
            started_at: Timestamp::from(self.clock.wall()),
        };
        let target = Target {
            id: enrolled.agent_id.to_string(),
            site: enrolled.site.clone(),
            root: self.config.root.value.clone(),
            remote: None,
        };
        let (wanted_sender, wanted) = mpsc::channel(NEWS_MAX);
        let (changed_sender, changed) = mpsc::channel(NEWS_MAX);
        let (remote, commands) = Remote::new(collectors::remote());
        let life = Life {
            spool: self.open_spool()?,
            board: Board::new(about),
            wanted: wanted_sender,
            remote,
        };
        let mut tasks = tokio::task::JoinSet::new();
        self.start_control(&mut tasks, &life, stop);
        tasks.spawn(watch(target.clone(), changed_sender, stop.clone()));
        let runner = Runner::new(self.reading(&enrolled.site, &life), &life.remote);
        tasks.spawn(runner.run(commands, stop.clone()));
        let schedule = self.schedule(target, &life)?;
        tasks.spawn(schedule.run(News { changed, wanted }, stop.clone()));
        let uplink = Uplink::new(self.uplink(identity, is_new, &life));
        let ended = uplink.run(stop.clone()).await;
        if matches!(ended, Ended::SpoolSetBack(_)) {
            tasks.shutdown().await;
        } else {
            let all = async { while tasks.join_next().await.is_some() {} };
            if tokio::time::timeout(END_LIMIT, all).await.is_err() {
                tracing::warn!("a task did not end in time");
            }
        }
        tracing::info!("the agent has stopped");
        Ok(ended)
    }

    fn schedule(&self, target: Target, life: &Life) -> anyhow::Result<Schedule> {
        let collector = collectors::by_name(collector_host::NAME)
            .context("this build has no collector for its own host")?;
        Ok(Schedule::new(Surroundings {
            collector,
            context: self.context(&target),
            target,
            state: self.state.clone(),
            spool: life.spool.clone(),
            board: life.board.clone(),
            clock: Arc::clone(&self.clock),
            randomness: Arc::clone(&self.randomness),
            config: Arc::clone(&self.config),
            program: Program::this().context("cannot find this program's own file")?,
        }))
    }

    /// What the reader of targets needs.
    fn reading(&self, site: &str, life: &Life) -> remote::Surroundings {
        remote::Surroundings {
            collectors: life.remote.sources().to_vec(),
            site: site.to_owned(),
            state: self.state.clone(),
            spool: life.spool.clone(),
            clock: Arc::clone(&self.clock),
            randomness: Arc::clone(&self.randomness),
            config: Arc::clone(&self.config),
            capacity: usize::try_from(remote::CAPACITY).unwrap_or(1),
        }
    }

    /// What the uplink needs; `is_new` when a person waits for this very enrollment.
    fn uplink(&self, identity: Identity, is_new: bool, life: &Life) -> uplink::Surroundings {
        let endpoints = if self.config.endpoints.value.is_empty() {
            identity.enrolled.endpoints.clone()
        } else {
            self.config.endpoints.value.clone()
        };
        let is_boot = evidence::uptime_seconds().is_some_and(|uptime| uptime < BOOT_SECONDS);
        let spread = match (is_new, is_boot) {
            (true, _) => Duration::ZERO,
            (false, true) => BOOT_SPREAD,
            (false, false) => START_SPREAD,
        };
        uplink::Surroundings {
            store: self.store.clone(),
            spool: life.spool.clone(),
            board: life.board.clone(),
            wanted: life.wanted.clone(),
            remote: life.remote.clone(),
            endpoints,
            source: SourceId {
                collector: collector_host::NAME.to_owned(),
                target: identity.enrolled.agent_id.to_string(),
            },
            clock: Arc::clone(&self.clock),
            randomness: Arc::clone(&self.randomness),
            start_spread: self.config.start_spread.value.unwrap_or(spread),
            pause_max: self.config.pause_max.value,
            identity,
        }
    }

    /// The socket for `status`. Without it the agent works all the same.
    fn start_control(&self, tasks: &mut tokio::task::JoinSet<()>, life: &Life, stop: &Stop) {
        #[cfg(unix)]
        {
            use crate::control;
            use crate::report::chain;
            let path = place::socket_path(&self.state);
            match control::listen(&path) {
                Ok(listener) => {
                    let (board, spool) = (life.board.clone(), life.spool.clone());
                    let remote = life.remote.board.clone();
                    let stop = stop.clone();
                    tasks.spawn(async move {
                        control::serve(listener, (board, remote, spool), stop).await;
                        // A socket that nobody answers on says less than none.
                        drop(std::fs::remove_file(path));
                    });
                }
                Err(error) => {
                    let why = format!("cannot listen on `{}`: {}", path.display(), chain(&error));
                    tracing::warn!(why, "`dharma-agent status` will not work");
                    life.board.complain("socket", Some(why));
                }
            }
        }
        #[cfg(not(unix))]
        let _ = (tasks, life, stop);
    }
}

/// Tells the schedule what changed, until told to stop.
async fn watch(target: Target, changed: mpsc::Sender<&'static str>, mut stop: Stop) {
    tokio::select! {
        () = stop.wanted() => {}
        () = collector_host::watch(target, changed) => {
            // An image or another system than Linux; or the kernel gave no more watches.
            tracing::info!("changes are not watched; they are found by the intervals");
            stop.wanted().await;
        }
    }
}
