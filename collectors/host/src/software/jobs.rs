//! The scope `jobs`: what a host runs at set times by cron, anacron, at and the timers of systemd.
//!
//! A job is told apart by scheduler, file and its own name; jobs of cron have none, so their command is it.

mod cron;
mod timers;

use crate::files::{self, Refusal, StatGuard};
use collector::{Guard, Run, Target};
use cron::Job;
use model::classes::scheduled_job;
use model::run::CoverageReason;
use model::{Coverage, Observation};
use std::collections::{BTreeMap, BTreeSet};

/// The largest table of jobs that is read.
const FILE_BYTES_MAX: usize = 1 << 20;

/// The most jobs that are described.
const JOBS_MAX: usize = 10_000;

/// Longest name of a job that is made of its command.
const NAME_LENGTH_MAX: usize = 120;

const CRONTAB: &str = "/etc/crontab";
const CRON_FOLDER: &str = "/etc/cron.d";
const ANACRONTAB: &str = "/etc/anacrontab";

/// Folders of scripts, and when cron runs them.
const PERIODS: [(&str, &str); 4] = [
    ("/etc/cron.hourly", "hourly"),
    ("/etc/cron.daily", "daily"),
    ("/etc/cron.weekly", "weekly"),
    ("/etc/cron.monthly", "monthly"),
];

/// Where users' tables lie: Debian, Red Hat and Alpine, SUSE.
const SPOOLS: [&str; 3] = ["/var/spool/cron/crontabs", "/var/spool/cron", "/var/spool/cron/tabs"];

/// Where at keeps its jobs.
const AT_SPOOLS: [&str; 2] = ["/var/spool/cron/atjobs", "/var/spool/at"];

/// The guard of the scope.
pub(super) fn guard(target: &Target) -> Guard {
    let mut guard = StatGuard::new();
    for file in [CRONTAB, ANACRONTAB] {
        guard.path(&target.path(file));
    }
    guard.directory(target, &target.path(CRON_FOLDER));
    for folder in PERIODS.iter().map(|(folder, _)| folder).chain(&SPOOLS).chain(&AT_SPOOLS) {
        guard.directory(target, &target.path(folder));
    }
    timers::add_to_guard(target, &mut guard);
    guard.finish()
}

/// Jobs under way to the run, each name once.
struct Jobs<'a, 'b> {
    run: &'a mut Run<'b>,
    seen: BTreeMap<(&'static str, String, String), u32>,
    denied: BTreeSet<&'static str>,
}

/// Looks at the scope.
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Coverage {
    let mut jobs = Jobs { run, seen: BTreeMap::new(), denied: BTreeSet::new() };
    jobs.table(target, CRONTAB, None);
    for name in files::list_dir(&target.path(CRON_FOLDER)).unwrap_or_default() {
        // cron leaves out what package managers and editors leave behind.
        if cron::is_table_name(&name) {
            jobs.table(target, &format!("{CRON_FOLDER}/{name}"), None);
        }
    }
    for (folder, schedule) in PERIODS {
        jobs.scripts(target, folder, schedule);
    }
    for folder in SPOOLS {
        jobs.spool(target, folder);
    }
    if let Ok(text) = files::read_to_string_limited(&target.path(ANACRONTAB), FILE_BYTES_MAX) {
        for job in cron::anacrontab(&text) {
            jobs.saw("anacron", ANACRONTAB, job);
        }
    }
    for folder in AT_SPOOLS {
        jobs.at(target, folder);
    }
    for timer in timers::read(target) {
        let place = timer.place.clone();
        jobs.saw("systemd", &place, timer.job);
    }
    if jobs.seen.len() >= JOBS_MAX {
        return Coverage::partial(CoverageReason::LimitReached, format!("{JOBS_MAX} jobs or more"));
    }
    if jobs.denied.is_empty() {
        return Coverage::complete();
    }
    let what: Vec<&str> = jobs.denied.into_iter().collect();
    Coverage::partial(
        CoverageReason::PermissionDenied,
        format!(
            "{} may not be read; run the agent as root or install the package",
            what.join(" and ")
        ),
    )
}

impl Jobs<'_, '_> {
    fn saw(&mut self, scheduler: &'static str, place: &str, job: Job) {
        let command = crate::redact::redact(&job.command);
        let name = job.name.unwrap_or_else(|| {
            let words: Vec<&str> = command.split_whitespace().collect();
            crate::redact::cut(&words.join(" "), NAME_LENGTH_MAX).to_owned()
        });
        if name.is_empty() || self.seen.len() >= JOBS_MAX {
            return;
        }
        let count = self.seen.entry((scheduler, place.to_owned(), name.clone())).or_default();
        *count += 1;
        // The same command at two times in one table is two jobs.
        let name = if *count > 1 { format!("{name} ({count})") } else { name };
        self.run.saw(
            Observation::part(&scheduled_job::CLASS, crate::HOST, &[scheduler, place, &name])
                .with(&scheduled_job::SCHEDULE, job.schedule)
                .with_some(&scheduled_job::COMMAND, (!command.is_empty()).then_some(command))
                .with_some(&scheduled_job::RUN_AS, job.user)
                .with(&scheduled_job::IS_ENABLED, job.is_enabled),
        );
    }

    /// Reads a table of cron; one of a user when `user` is given, one of the system with users in it else.
    fn table(&mut self, target: &Target, path: &str, user: Option<&str>) {
        match files::read_to_string_limited(&target.path(path), FILE_BYTES_MAX) {
            Ok(text) => {
                for job in cron::table(&text, user) {
                    self.saw("cron", path, job);
                }
            }
            Err(error) => self.refused(path, &error),
        }
    }

    fn refused(&mut self, path: &str, error: &std::io::Error) {
        match files::refusal(error) {
            Refusal::NotFound => {}
            Refusal::PermissionDenied => {
                self.denied.insert("users' tables of jobs");
            }
            Refusal::Other => self.run.failed(path, error),
        }
    }

    fn scripts(&mut self, target: &Target, folder: &str, schedule: &str) {
        for name in files::list_dir(&target.path(folder)).unwrap_or_default() {
            if !cron::is_table_name(&name) {
                continue;
            }
            let job = Job {
                command: format!("{folder}/{name}"),
                name: Some(name),
                schedule: schedule.to_owned(),
                user: Some("root".to_owned()),
                is_enabled: true,
            };
            self.saw("cron", folder, job);
        }
    }

    fn spool(&mut self, target: &Target, folder: &str) {
        match files::list_dir(&target.path(folder)) {
            Ok(users) => {
                for user in
                    users.iter().filter(|user| !user.starts_with('.') && !user.contains(".tmp"))
                {
                    let path = format!("{folder}/{user}");
                    // The folder of tables also holds folders of at and anacron.
                    if std::fs::metadata(target.path(&path))
                        .is_ok_and(|metadata| metadata.is_file())
                    {
                        self.table(target, &path, Some(user));
                    }
                }
            }
            Err(error) => self.refused(folder, &error),
        }
    }

    fn at(&mut self, target: &Target, folder: &str) {
        match files::list_dir(&target.path(folder)) {
            Ok(names) => {
                for name in names {
                    let Some(schedule) = cron::at_schedule(&name) else { continue };
                    let path = target.path(&format!("{folder}/{name}"));
                    let text =
                        files::read_to_string_limited(&path, FILE_BYTES_MAX).unwrap_or_default();
                    let command = cron::at_command(&text);
                    self.saw(
                        "at",
                        folder,
                        Job { name: Some(name), schedule, command, user: None, is_enabled: true },
                    );
                }
            }
            Err(error) => self.refused(folder, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheduler_is_told_and_secrets_are_not() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("etc/crontab", "SHELL=/bin/sh\n17 * * * * root cd / && run-parts /etc/cron.hourly\n");
        write(
            "etc/cron.d/backup",
            "@daily backup /bin/backup --password=hunter2\n@daily backup /bin/backup --password=hunter2\n",
        );
        write("etc/cron.d/backup.dpkg-old", "@daily root /bin/no\n");
        write("etc/cron.daily/logrotate", "#!/bin/sh\n");
        write("var/spool/cron/crontabs/alice", "# m h\n*/5 * * * * /home/alice/check\n");
        write("etc/anacrontab", "1\t5\tcron.daily\trun-parts /etc/cron.daily\n");
        write(
            "var/spool/cron/atjobs/a0000101bd62c0",
            "#!/bin/sh\n# atrun uid=0 gid=0\nPATH=/bin; export PATH\ncd / || {\n\t echo no >&2\n\t exit 1\n}\nreboot\n",
        );
        write(
            "usr/lib/systemd/system/fstrim.timer",
            "[Timer]\nOnCalendar=weekly\n[Install]\nWantedBy=timers.target\n",
        );
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: place.path().to_owned(),
            remote: None,
        };
        let mut seen = Vec::new();
        assert_eq!(collect(&target, &mut Run::new(&mut seen)), Coverage::complete());
        let told: Vec<String> = seen
            .iter()
            .map(|job| {
                ["scheduler", "name", "schedule"].map(|name| job.facts[name].to_line()).join(" | ")
            })
            .collect();
        assert_eq!(
            told,
            [
                "cron | cd / && run-parts /etc/cron.hourly | 17 * * * *",
                "cron | /bin/backup --password=*** | @daily",
                "cron | /bin/backup --password=*** (2) | @daily",
                "cron | logrotate | daily",
                "cron | /home/alice/check | */5 * * * *",
                "anacron | cron.daily | every 1 days, 5 minutes after the start",
                "at | a0000101bd62c0 | 2025-07-01 00:00 UTC",
                "systemd | fstrim.timer | OnCalendar=weekly",
            ]
        );
    }
}
