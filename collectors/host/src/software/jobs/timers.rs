//! Timers of systemd as jobs: when they elapse and what they start.

use super::cron::Job;
use crate::files::StatGuard;
use crate::software::units;
use collector::Target;

/// A timer and the file that defines it.
pub(super) struct Timer {
    pub(super) place: String,
    pub(super) job: Job,
}

/// Adds what timers are read from. A file of a package changes with its folder.
pub(super) fn add_to_guard(target: &Target, guard: &mut StatGuard) {
    for folder in ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"] {
        guard.path(&target.path(folder));
    }
    for folder in ["/etc/systemd/system", "/run/systemd/system"] {
        guard.directory(target, &target.path(&format!("{folder}/timers.target.wants")));
    }
}

/// Reads the timers.
pub(super) fn read(target: &Target) -> Vec<Timer> {
    let timers = units::timers(target).into_iter();
    timers
        .map(|timer| {
            let (unit, schedule) = divided(&timer.triggers);
            let started = unit
                .unwrap_or_else(|| format!("{}.service", timer.name.trim_end_matches(".timer")));
            Timer {
                place: timer.path,
                job: Job {
                    schedule,
                    command: started,
                    user: None,
                    is_enabled: timer.is_enabled,
                    name: Some(timer.name),
                },
            }
        })
        .collect()
}

/// The unit that is started, when it is named, and the times.
fn divided(triggers: &[String]) -> (Option<String>, String) {
    let unit = triggers.iter().find_map(|trigger| trigger.strip_prefix("Unit=")).map(str::to_owned);
    let times: Vec<&str> = triggers
        .iter()
        .map(String::as_str)
        .filter(|trigger| !trigger.starts_with("Unit="))
        .collect();
    (unit, times.join(", "))
}
