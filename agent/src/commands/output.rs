//! The one place that prints to standard output.

use std::fmt::Arguments;
use std::io::{self, Write};

/// Prints a line. A reader that went away (`| head`) is no failure of ours.
pub(super) fn line(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{text}"));
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    line(format_args!("{text}"));
    Ok(())
}

/// Prints the completion script of a shell.
pub(super) fn completion(shell: clap_complete::Shell, command: &mut clap::Command) {
    clap_complete::generate(shell, command, "dharma-agent", &mut io::stdout().lock());
}

/// Prints rows under a head, columns aligned.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(&format!("{cell:width$}  "));
        }
        line(format_args!("{}", text.trim_end()));
    };
    print(&mut head.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

/// A moment as people write it, UTC, to the second.
pub(super) fn moment(at: model::Timestamp) -> String {
    let seconds = at.millis().div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The day of the Gregorian calendar that lies so many days after 1970-01-01.
const fn civil(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day is the last one; eras of 400 years repeat exactly.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Bytes as people write them.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes / 100 % 10),
        1_000_000..1_000_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[test]
    fn moments_are_written_in_the_gregorian_calendar() {
        assert_eq!(moment(Timestamp::EPOCH), "1970-01-01 00:00:00Z");
        assert_eq!(moment(Timestamp::from_seconds(951_782_400)), "2000-02-29 00:00:00Z");
        assert_eq!(moment(Timestamp::from_seconds(1_735_689_599)), "2024-12-31 23:59:59Z");
        assert_eq!(moment(Timestamp::from_seconds(-1)), "1969-12-31 23:59:59Z");
    }

    #[test]
    fn sizes_are_decimal() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_950_000), "1.9 MB");
    }
}
