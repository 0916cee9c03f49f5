//! Running other programs: visible, checked, with a sentence when one is missing.

use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// Runs a command whose output the person sees; an error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Lines of a failed command that its error repeats: what a test runner says about one failed test, and little more.
pub(crate) const LAST_LINES_MAX: usize = 40;

/// Bytes of one line that are read at once; a child that prints without end of line must not fill memory.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// How long the rest of the output is waited for after the command ended; a process it left behind may never end.
const REST_TIMEOUT: Duration = Duration::from_secs(2);

/// Letters of one repeated line: a longer one is data, and would hide the others.
const LAST_LINE_LETTERS_MAX: usize = 400;

/// A command failed; its last lines come with the error, because what follows them pushes them out of sight.
#[derive(Debug)]
pub(crate) struct Failed {
    shown: String,
    status: ExitStatus,
    last_lines: Vec<String>,
}

impl Failed {
    /// The end of what the command printed, stdout and stderr in the order in which they came.
    pub(crate) fn last_lines(&self) -> &[String] {
        &self.last_lines
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}` failed ({})", self.shown, self.status)
    }
}

impl std::error::Error for Failed {}

/// Runs a command whose output the person sees as it comes; its end is kept for the error.
///
/// Stdout and stderr go through one pipe to stdout, because only so their order is known.
pub(crate) fn run_keeping_end(command: &mut Command) -> Result<()> {
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    run_copying_to(command, std::io::stdout())
}

fn run_copying_to(command: &mut Command, to: impl Write + Send + 'static) -> Result<()> {
    let shown = shown(command);
    let (from, into) = std::io::pipe().context("cannot make a pipe")?;
    command.stdout(into.try_clone().context("cannot make a pipe")?).stderr(into);
    let child = command.spawn();
    // The command keeps its ends of the pipe, and the pipe would stay open.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = child.with_context(|| format!("cannot run `{shown}`"))?;
    let end = Arc::new(Mutex::new(VecDeque::new()));
    let (is_over, over) = mpsc::channel();
    let kept = Arc::clone(&end);
    std::thread::spawn(move || {
        pass_on(from, to, &kept);
        // Nobody waits any more when a process that the command left behind kept the pipe open.
        is_over.send(()).ok();
    });
    let status = child.wait().with_context(|| format!("cannot wait for `{shown}`"))?;
    over.recv_timeout(REST_TIMEOUT).ok();
    if !status.success() {
        let last_lines = end.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        return Err(Failed { shown, status, last_lines }.into());
    }
    Ok(())
}

/// Copies line by line and remembers the last.
fn pass_on(from: impl Read, mut to: impl Write, end: &Mutex<VecDeque<String>>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while let Ok(1..) = from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
        // That nobody reads any more does not stop the command.
        drop(to.write_all(&line).and_then(|()| to.flush()));
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end().chars().take(LAST_LINE_LETTERS_MAX).collect();
        let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
        if end.len() >= LAST_LINES_MAX {
            end.pop_front();
        }
        end.push_back(text);
        drop(end);
        line.clear();
    }
}

/// Runs a command and returns what it printed to stdout; its stderr is seen by the person.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let shown = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    Ok(output.stdout)
}

/// The files that git knows or would add, relative to the root.
pub(crate) fn tracked_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut command = Command::new("git");
    command.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let list = output(&mut command)?;
    let mut files: Vec<PathBuf> = list
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned()))
        .filter(|path| root.join(path).is_file())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Whether a program can be found.
pub(crate) fn is_installed(program: &str) -> bool {
    let places = std::env::var_os("PATH").unwrap_or_default();
    // Tools for administrators are not on everybody's path.
    let extra = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&places).chain(extra).any(|place| place.join(program).is_file())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_with_its_arguments() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("sh -c exit 3"), "{error}");
    }

    fn end_of(script: &str) -> Vec<String> {
        let mut command = Command::new("sh");
        let error = run_copying_to(command.args(["-c", script]), std::io::sink()).unwrap_err();
        error.downcast_ref::<Failed>().unwrap().last_lines().to_vec()
    }

    #[test]
    fn the_end_of_what_a_failing_command_printed_comes_with_the_error_in_order() {
        let lines =
            end_of("for n in $(seq 500); do echo $n; done; echo broke >&2; echo end; exit 3");
        assert_eq!(lines.len(), LAST_LINES_MAX);
        assert_eq!(lines[LAST_LINES_MAX - 3..], ["500", "broke", "end"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let lines = end_of("head -c 300000 /dev/zero | tr '\\0' x; exit 1");
        assert!(!lines.is_empty() && lines.len() <= LAST_LINES_MAX);
        assert!(lines.iter().all(|line| line.len() <= LAST_LINE_LETTERS_MAX));
    }

    #[test]
    fn a_process_that_was_left_behind_is_not_waited_for() {
        // It ends by itself when the test has; until then it holds the pipe.
        let begin = crate::steps::now();
        assert_eq!(end_of("echo last; sleep 20 & exit 1"), ["last"]);
        assert!(begin.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn everything_is_passed_on_and_a_command_that_ends_well_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seen");
        let file = std::fs::File::create(&path).unwrap();
        run_copying_to(Command::new("sh").args(["-c", "echo a; echo b >&2"]), file).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "a\nb\n");
    }

    #[test]
    fn a_program_that_is_nowhere_is_not_installed() {
        assert!(!is_installed("no-such-program-anywhere"));
        assert!(is_installed("sh"));
    }
}
