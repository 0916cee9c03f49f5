//! A list of steps: the first that fails ends the work, and the summary says what was not run.

use crate::{say, shell};
use anyhow::Result;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One thing to do.
pub(crate) struct Step<'a> {
    name: &'a str,
    work: Box<dyn FnOnce() -> Result<()> + 'a>,
}

impl<'a> Step<'a> {
    /// A step of that name.
    pub(crate) fn new(name: &'a str, work: impl FnOnce() -> Result<()> + 'a) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

/// Runs the steps in order and prints the summary; `skipped` are lines about what was left out on purpose.
pub(crate) fn run(steps: Vec<Step<'_>>, skipped: &[String]) -> ExitCode {
    let mut outcomes = Vec::new();
    let mut failure: Option<(&str, anyhow::Error)> = None;
    for step in steps {
        if failure.is_some() {
            outcomes.push((step.name, Outcome::NotRun));
            continue;
        }
        say::progress(step.name);
        let begin = now();
        let result = (step.work)();
        let took = begin.elapsed();
        match result {
            Ok(()) => outcomes.push((step.name, Outcome::Passed(took))),
            Err(error) => {
                say::failure(&error);
                outcomes.push((step.name, Outcome::Failed(took)));
                failure = Some((step.name, error));
            }
        }
    }
    for line in summary(&outcomes, skipped) {
        say::result(&line);
    }
    let Some((name, error)) = failure else { return ExitCode::SUCCESS };
    for line in last_words(name, &error) {
        say::result(&line);
    }
    ExitCode::FAILURE
}

/// The end of the failed step's output: who sees only the end of a log sees which test it was.
fn last_words(name: &str, error: &anyhow::Error) -> Vec<String> {
    let mut lines = vec![String::new(), format!("`{name}` failed: {error:#}")];
    if let Some(failed) = error.downcast_ref::<shell::Failed>() {
        lines.push("Its last lines:".to_owned());
        lines.extend(failed.last_lines().iter().map(|line| format!("  {line}")));
    }
    lines
}

fn summary(outcomes: &[(&str, Outcome)], skipped: &[String]) -> Vec<String> {
    let mut lines = vec![String::new(), "Summary".to_owned()];
    for (name, outcome) in outcomes {
        lines.push(match outcome {
            Outcome::Passed(took) => format!("  passed   {:>8.1} s  {name}", took.as_secs_f64()),
            Outcome::Failed(took) => format!("  FAILED   {:>8.1} s  {name}", took.as_secs_f64()),
            Outcome::NotRun => format!("  not run             {name}"),
        });
    }
    lines.extend(skipped.iter().map(|what| format!("  skipped             {what}")));
    lines
}

#[expect(
    clippy::disallowed_methods,
    reason = "a developer tool measures real time and is never simulated"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::cell::Cell;
    use std::process::Command;

    #[test]
    fn the_first_failure_ends_the_work_and_later_steps_are_listed_as_not_run() {
        let has_run = Cell::new(false);
        let steps = vec![
            Step::new("first", || Ok(())),
            Step::new("second", || bail!("no")),
            Step::new("third", || {
                has_run.set(true);
                Ok(())
            }),
        ];
        assert_eq!(run(steps, &[]), ExitCode::FAILURE);
        assert!(!has_run.get());
    }

    #[test]
    fn what_the_failed_step_printed_last_comes_after_the_summary() {
        let script = "echo test a_thing_holds ... FAILED; exit 101";
        let error = shell::run_keeping_end(Command::new("sh").args(["-c", script])).unwrap_err();
        let lines = last_words("cargo test", &error);
        assert!(lines.iter().any(|line| line.contains("`cargo test` failed")), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "  test a_thing_holds ... FAILED");
    }

    #[test]
    fn the_summary_says_what_was_skipped() {
        let lines = summary(&[("lint", Outcome::NotRun)], &["qemu (by --without)".into()]);
        assert!(lines.iter().any(|line| line.contains("not run") && line.contains("lint")));
        assert!(lines.iter().any(|line| line.contains("skipped") && line.contains("qemu")));
    }
}
