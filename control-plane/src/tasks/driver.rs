//! Runs tasks at their intervals, one run of a task at a time, and notes how they fare.

use crate::api::error::chain;
use crate::app::App;
use async_trait::async_trait;
use environment::Clock;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use store::fleet::TaskStatus;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long one run may take; a task that needs more is broken, and must not stop others from being noticed.
const RUN_TIMEOUT: Duration = Duration::from_secs(300);

/// Something that is done again and again.
#[async_trait]
pub(super) trait Task: Send + Sync + 'static {
    /// Its name, in lower snake case.
    fn name(&self) -> &'static str;
    /// How often it runs.
    fn interval(&self) -> Duration;
    /// Does it once.
    async fn run(&self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Owns the tasks.
#[derive(Debug)]
pub(super) struct Driver {
    app: App,
    running: TaskTracker,
    stopping: CancellationToken,
}

impl Driver {
    pub(super) fn new(app: &App) -> Self {
        Self { app: app.clone(), running: TaskTracker::new(), stopping: app.stopping.child_token() }
    }

    pub(super) fn add(&mut self, task: impl Task) {
        let work = work(task, self.app.clone(), self.stopping.clone());
        self.running.spawn(work);
    }

    pub(super) async fn stop(&self) {
        self.stopping.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

async fn work(task: impl Task, app: App, stopping: CancellationToken) {
    let mut ticks = tokio::time::interval(task.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let clock: &Arc<dyn Clock> = &app.clock;
        let started_at = clock.wall().into();
        let error = match tokio::time::timeout(RUN_TIMEOUT, task.run()).await {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => chain(error.as_ref()),
            Err(_elapsed) => format!("it took longer than {} seconds", RUN_TIMEOUT.as_secs()),
        };
        if !error.is_empty() {
            tracing::error!(task = task.name(), %error, "a background task failed; it is tried again");
        }
        let status = TaskStatus {
            name: task.name().to_owned(),
            runs: 1,
            started_at,
            finished_at: clock.wall().into(),
            error,
        };
        if let Err(error) = app.fleet.task_note(status).await {
            tracing::warn!(task = task.name(), %error, "cannot note how a background task fares");
        }
    }
}
