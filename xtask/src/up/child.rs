//! A child process with its log: started in its own process group, so that Ctrl-C reaches xtask alone, which then
//! stops its children in order.
//!
//! The kernel ends the children when xtask dies without having stopped them.
#![expect(unsafe_code, reason = "signals to and from children are calls of libc")]

use crate::steps::now;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Lines of a log that a report shows.
const TAIL_LINES: usize = 20;

/// Bytes of a log's end that are read for them.
const TAIL_BYTES: u64 = 16 * 1024;

/// How often a child that was told to stop is looked at.
const TICK: Duration = Duration::from_millis(20);

/// A running child.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    process: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts a command; its output goes to `log`, whose former content is kept as `log.1`.
    pub(crate) fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let cannot = || format!("cannot write {}", log.display());
        if log.exists() {
            std::fs::rename(log, log.with_extension("log.1")).with_context(cannot)?;
        }
        let file = File::create(log).with_context(cannot)?;
        command.stdin(Stdio::null()).stdout(file.try_clone().with_context(cannot)?).stderr(file);
        command.process_group(0);
        // SAFETY: all that the closure calls is safe to call between fork and exec; it neither allocates nor locks.
        unsafe {
            command.pre_exec(|| {
                // A child inherits which signals are blocked, and we block those that ask to stop.
                let mut none: libc::sigset_t = std::mem::zeroed();
                libc::sigemptyset(&raw mut none);
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
                #[cfg(target_os = "linux")]
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        let program = command.get_program().to_string_lossy().into_owned();
        let process = command.spawn().with_context(|| format!("cannot start {program}"))?;
        Ok(Self { name, process, log: log.to_owned() })
    }

    /// What it is.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id.
    #[cfg(test)]
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.process.try_wait().with_context(|| format!("cannot ask after the {}", self.name))
    }

    /// Asks it to end, and ends it by force when it does not in time or the person insists.
    pub(crate) fn stop(&mut self, timeout: Duration, insist: &Receiver<()>) {
        self.signal(libc::SIGTERM);
        let begin = now();
        while begin.elapsed() < timeout {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            match insist.recv_timeout(TICK) {
                Ok(()) => break,
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody can insist; the channel does not wait any more, the child does.
                Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(TICK),
            }
        }
        self.signal(libc::SIGKILL);
        drop(self.process.wait());
    }

    /// Sends a signal; a child that has ended but was not waited for still has its number, so no other is hit.
    fn signal(&self, signal: i32) {
        if let Ok(id) = i32::try_from(self.process.id()) {
            // SAFETY: kill takes two numbers.
            unsafe { libc::kill(id, signal) };
        }
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = tail(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let begin = lines.len().saturating_sub(TAIL_LINES);
        let end: String = lines.iter().skip(begin).map(|line| format!("    {line}\n")).collect();
        format!("the end of {}:\n{end}", self.log.display())
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Drop for Child {
    /// An early return must not leave a child behind.
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal(libc::SIGKILL);
            drop(self.process.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str, log: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::start("child", command, log).unwrap()
    }

    #[test]
    fn a_child_that_ignores_the_request_is_ended_by_force() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("child.log");
        let mut child = start("trap '' TERM; echo ready; while :; do sleep 1; done", &log);
        let begin = now();
        while !tail(&log).unwrap().contains("ready") {
            assert!(begin.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        let (_sender, insist) = std::sync::mpsc::channel();
        child.stop(Duration::from_millis(100), &insist);
        assert!(child.ended().unwrap().is_some());
    }

    #[test]
    fn a_child_hears_the_request_although_we_block_the_signal() {
        use std::os::unix::process::ExitStatusExt;
        let stop = crate::up::signals::listen().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut child = start("exec sleep 600", &directory.path().join("child.log"));
        child.stop(Duration::from_secs(60), &stop);
        assert_eq!(child.ended().unwrap().unwrap().signal(), Some(libc::SIGTERM));
    }

    #[test]
    fn the_log_of_the_run_before_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("child.log");
        for word in ["first", "second"] {
            let mut child = start(&format!("echo {word}"), &log);
            child.process.wait().unwrap();
            assert!(child.log_tail().contains(word));
        }
        assert!(tail(&directory.path().join("child.log.1")).unwrap().contains("first"));
    }

    #[test]
    fn only_the_last_lines_of_a_long_log_are_shown() {
        let directory = tempfile::tempdir().unwrap();
        let mut child = start("seq 1 100000", &directory.path().join("child.log"));
        child.process.wait().unwrap();
        let shown = child.log_tail();
        assert!(shown.contains("100000") && !shown.contains("99980\n"), "{shown}");
        assert_eq!(shown.lines().count(), TAIL_LINES + 1);
    }
}
