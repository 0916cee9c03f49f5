//! The wish to stop, told once to every task.

use tokio::sync::watch;

/// Tells the tasks to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears whether to stop; clones hear the same.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A pair of both.
#[must_use]
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Tells everyone to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once everyone is told to stop. May be dropped and asked again.
    pub async fn wanted(&mut self) {
        // An error means that the stopper is gone, and with it the reason to go on.
        drop(self.0.wait_for(|is_wanted| *is_wanted).await);
    }
}
