//! Real processes: started, watched and always ended, with their cost read from the kernel.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A child that is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    name: String,
}

/// What a process has used so far, with all its children that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor seconds, user and system.
    pub cpu_seconds: f64,
    /// Resident memory in bytes, of the process alone.
    pub rss_bytes: u64,
    /// Proportional share of memory in bytes.
    pub pss_bytes: u64,
}

impl Process {
    /// Starts a program; its output goes to `log`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(program: &Path, arguments: &[&str], log: &Path) -> Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { child, log: log.to_owned(), name })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has written so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails with the end of the log when the process has ended.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn check(&mut self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let output = self.output();
        let tail: Vec<&str> = output.lines().rev().take(20).collect();
        bail!("{} ended:\n{}", self.name, tail.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end and waits for it.
    ///
    /// # Errors
    /// When it has not ended within ten seconds.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        signal(self.pid(), libc::SIGTERM)?;
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.kill();
        bail!("{} did not end within ten seconds of SIGTERM", self.name)
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn usage(&self) -> Result<Usage> {
        usage_of(self.pid())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, number: i32) -> Result<()> {
    let pid = i32::try_from(pid)?;
    #[expect(
        unsafe_code,
        reason = "kill(2) has no safe form in std; it takes two numbers and touches no memory"
    )]
    // SAFETY: no pointers are passed.
    let code = unsafe { libc::kill(pid, number) };
    if code != 0 {
        bail!("cannot signal {pid}: {}", std::io::Error::last_os_error());
    }
    Ok(())
}

/// What a process has used so far, by /proc (proc(5)).
///
/// # Errors
/// When /proc cannot be read.
pub fn usage_of(pid: u32) -> Result<Usage> {
    /// Clock ticks a second: 100 on every Linux that we run on (sysconf(_SC_CLK_TCK)).
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    // utime, stime, cutime, cstime are fields 14 to 17 of the whole line, 11 to 14 behind the name.
    let ticks: f64 =
        fields.iter().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum();
    let kib = |file: &str, label: &str| -> u64 {
        std::fs::read_to_string(format!("/proc/{pid}/{file}"))
            .unwrap_or_default()
            .lines()
            .find_map(|line| {
                line.strip_prefix(label)?.split_whitespace().next()?.parse::<u64>().ok()
            })
            .unwrap_or(0)
            * 1024
    };
    Ok(Usage {
        cpu_seconds: ticks / TICKS,
        rss_bytes: kib("status", "VmRSS:"),
        pss_bytes: kib("smaps_rollup", "Pss:"),
    })
}

/// What one finished command has cost.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// Processor seconds with all children.
    pub cpu_seconds: f64,
    /// Seconds that passed.
    pub wall_seconds: f64,
    /// Highest resident memory of any of its processes, bytes.
    pub rss_bytes_max: u64,
    /// Its standard output.
    pub output: Vec<u8>,
}

/// Runs a command to its end and says what it cost, by wait4(2). Its errors are thrown away; its code is not judged.
///
/// # Errors
/// When it cannot be started.
pub fn cost_of(program: &str, arguments: &[&str]) -> Result<Cost> {
    use environment::Clock;
    use std::io::Read;
    let clock = environment::SystemClock;
    let begun = clock.monotonic();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let mut output = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut output)?;
    }
    let usage = wait_with_usage(child.id())?;
    let seconds = |time: libc::timeval| -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds of processor time are far below 2^52"
        )]
        let seconds = time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        seconds
    };
    Ok(Cost {
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        wall_seconds: (clock.monotonic() - begun).as_secs_f64(),
        rss_bytes_max: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        output,
    })
}

fn wait_with_usage(pid: u32) -> Result<libc::rusage> {
    let pid = i32::try_from(pid)?;
    let mut status = 0;
    #[expect(
        unsafe_code,
        reason = "wait4(2) is the only way to the cost of one child; std has no form of it"
    )]
    // SAFETY: both pointers point to values of their types that outlive the call; rusage is plain numbers, for which
    // zeros are valid.
    let (code, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
    };
    if code != pid {
        bail!("cannot wait for {pid}: {}", std::io::Error::last_os_error());
    }
    Ok(usage)
}
