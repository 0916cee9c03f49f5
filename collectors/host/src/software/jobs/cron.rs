//! Tables of cron (crontab(5)), of anacron (anacrontab(5)) and names of at's jobs.

/// Longest command that is kept.
const COMMAND_LENGTH_MAX: usize = 4096;

/// The most jobs of one table.
const JOBS_MAX: usize = 5000;

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) name: Option<String>,
    pub(super) schedule: String,
    pub(super) command: String,
    pub(super) user: Option<String>,
    pub(super) is_enabled: bool,
}

/// Whether cron takes a file of that name for one of its own.
pub(super) fn is_table_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Parses a table of cron. In those of the system each line names its user.
pub(super) fn table(text: &str, user: Option<&str>) -> Vec<Job> {
    text.lines().filter_map(|line| job(line, user)).take(JOBS_MAX).collect()
}

fn job(line: &str, user: Option<&str>) -> Option<Job> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let fields = if line.starts_with('@') { 1 } else { 5 };
    let (schedule, rest) = split_fields(line, fields)?;
    let is_schedule = fields == 1 || schedule.split_whitespace().all(is_time_field);
    // `NAME=value` lines are the environment.
    if !is_schedule {
        return None;
    }
    let (user, command) = match user {
        Some(user) => (user, rest),
        None => split_fields(rest, 1)?,
    };
    // What follows an unescaped percent sign is the command's input.
    Some(Job {
        name: None,
        schedule: schedule.split_whitespace().collect::<Vec<_>>().join(" "),
        command: crate::redact::cut(command.trim(), COMMAND_LENGTH_MAX).to_owned(),
        user: Some(user.to_owned()),
        is_enabled: true,
    })
}

fn is_time_field(field: &str) -> bool {
    field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*/,-~?#".contains(&byte))
}

/// The first `count` fields and the rest behind the blanks; `None` when there are fewer or no rest.
fn split_fields(line: &str, count: usize) -> Option<(&str, &str)> {
    let mut rest = line;
    for _ in 0..count {
        rest = rest.trim_start();
        let end = rest.find(char::is_whitespace)?;
        rest = rest.get(end..)?;
    }
    let fields = line.get(..line.len() - rest.len())?;
    let rest = rest.trim_start();
    (!rest.is_empty()).then_some((fields, rest))
}

/// Parses anacrontab(5): period in days, delay in minutes, name, command.
pub(super) fn anacrontab(text: &str) -> Vec<Job> {
    text.lines().filter_map(anacron_job).take(JOBS_MAX).collect()
}

fn anacron_job(line: &str) -> Option<Job> {
    let line = line.trim();
    let (fields, command) = split_fields(line, 3)?;
    let mut fields = fields.split_whitespace();
    let (period, delay, name) = (fields.next()?, fields.next()?, fields.next()?);
    delay.parse::<u32>().ok()?;
    let schedule = if period.starts_with('@') {
        format!("{period}, {delay} minutes after the start")
    } else {
        format!("every {} days, {delay} minutes after the start", period.parse::<u32>().ok()?)
    };
    Some(Job {
        name: Some(name.to_owned()),
        schedule,
        command: crate::redact::cut(command, COMMAND_LENGTH_MAX).to_owned(),
        user: Some("root".to_owned()),
        is_enabled: true,
    })
}

/// When a job of at runs: the last eight digits of its name are minutes since the Unix epoch, hexadecimal.
pub(super) fn at_schedule(name: &str) -> Option<String> {
    // Queue letter, number of the job in five digits, time in eight.
    if name.len() != 14 || !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return None;
    }
    u32::from_str_radix(name.get(1..6)?, 16).ok()?;
    let minutes = u64::from(u32::from_str_radix(name.get(6..)?, 16).ok()?);
    let (days, minute) = (minutes / 1440, minutes % 1440);
    let (year, month, day) = civil_date(days);
    Some(format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60))
}

/// The date of a day since the Unix epoch, counted in the 400-year periods of the Gregorian calendar.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (period, day_of_period) = (days / 146_097, days % 146_097);
    let year_of_period = (day_of_period - day_of_period / 1460 + day_of_period / 36_524
        - day_of_period / 146_096)
        / 365;
    let day_of_year =
        day_of_period - (365 * year_of_period + year_of_period / 4 - year_of_period / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_period + period * 400 + u64::from(month <= 2), month, day)
}

/// The command of a job of at: what follows the environment that at writes before it.
pub(super) fn at_command(text: &str) -> String {
    let command = match text.split_once("\n}\n") {
        Some((_, command)) => command,
        None => return String::new(),
    };
    // at may hand the command over as input of a shell.
    let lines = command.lines().filter(|line| !line.contains("marcinDELIMITER"));
    let joined =
        lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    crate::redact::cut(&joined, COMMAND_LENGTH_MAX).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_the_environment_are_no_jobs() {
        for line in [
            "MAILTO=root",
            "PATH = /bin:/usr/bin a b c d",
            "",
            "# 1 2 3 4 5 x",
            "1 2 3 4 5",
            "@daily",
        ] {
            assert_eq!(job(line, Some("a")), None, "{line}");
        }
        let job = job("  0  4 * * mon-fri\troot  /bin/x  -a", None).unwrap();
        assert_eq!(
            (job.schedule.as_str(), job.user.as_deref(), job.command.as_str()),
            ("0 4 * * mon-fri", Some("root"), "/bin/x  -a")
        );
    }

    #[test]
    fn the_time_of_a_job_of_at_is_in_its_name() {
        assert_eq!(at_schedule("a0000101bd62c0").as_deref(), Some("2025-07-01 00:00 UTC"));
        assert_eq!(at_schedule("a0000100000000").as_deref(), Some("1970-01-01 00:00 UTC"));
        assert_eq!(at_schedule(".SEQ"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "[@*a-z0-9=/# \t\n]{0,200}") {
            table(&text, None);
            table(&text, Some("a"));
            anacrontab(&text);
            at_schedule(&text);
            at_command(&text);
        }
    }
}
