//! Threads that ask, and the channel by which they tell.
//!
//! Asking keeps a processor busy and must not hold up the agent, so it has threads of its own. They end with the
//! [`Workers`]: dropping it, as a cancelled run does, tells them to stop and waits for the few milliseconds that takes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Messages that wait to be taken; above it the threads wait.
const WAITING_MAX: usize = 256;

/// Threads that send messages of type `T`.
#[derive(Debug)]
pub(crate) struct Workers<T> {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    sender: Option<mpsc::Sender<T>>,
    receiver: mpsc::Receiver<T>,
}

impl<T: Send + 'static> Workers<T> {
    /// No thread yet.
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        Self { stop, threads: Vec::new(), sender: Some(sender), receiver }
    }

    /// What tells the threads to stop.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Starts a thread that does `work`.
    ///
    /// # Errors
    /// When the host starts no more threads.
    pub(crate) fn start(
        &mut self,
        work: impl FnOnce(mpsc::Sender<T>) + Send + 'static,
    ) -> io::Result<()> {
        let Some(sender) = self.sender.clone() else { return Ok(()) };
        let thread = std::thread::Builder::new().name("sweep".to_owned());
        self.threads.push(thread.spawn(move || work(sender))?);
        Ok(())
    }

    /// The next message; `None` when every thread has ended. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<T> {
        self.sender = None;
        self.receiver.recv().await
    }
}

impl<T> Drop for Workers<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that waits for its message to be taken goes on.
        self.receiver.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            drop(thread.join());
        }
    }
}
