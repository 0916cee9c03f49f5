//! Ctrl-C, SIGTERM and SIGHUP as messages.
#![expect(unsafe_code, reason = "the standard library does not receive signals")]

use anyhow::{Result, bail};
use std::sync::mpsc::{Receiver, channel};

/// From now on a signal that asks to stop is a message and no longer ends the process. Call it once, before any
/// other thread is started: threads inherit that the signals are blocked.
pub(crate) fn listen() -> Result<Receiver<()>> {
    let set = blocked_set()?;
    let (sender, receiver) = channel();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        loop {
            let mut signal = 0;
            // SAFETY: both pointers are to values that live on this thread's stack for the whole call.
            let failed = unsafe { libc::sigwait(&raw const set, &raw mut signal) };
            if failed == 0 && sender.send(()).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn blocked_set() -> Result<libc::sigset_t> {
    // SAFETY: sigset_t is plain data for which zero is valid, and sigemptyset initializes it anyway; the pointers
    // are to a value that lives on this stack.
    let (set, failed) = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        let failed = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        (set, failed)
    };
    if failed != 0 {
        bail!("cannot receive signals (error {failed})");
    }
    Ok(set)
}
