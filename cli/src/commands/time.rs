//! Moments and durations as people type them.

use crate::error::Error;
use environment::{Clock, SystemClock};
use std::time::{Duration, SystemTime};

/// Seconds of a duration such as `90s`, `15m`, `24h` or `7d`.
pub(crate) fn seconds(text: &str) -> Result<u64, Error> {
    let life = pki::life_from(text);
    life.map(|life| life.as_secs()).map_err(|why| Error::Usage(format!("`{text}` is {why}")))
}

/// The moment as the API takes it (RFC 3339): a full moment as it is, a duration as that long before `now`.
fn moment_at(text: &str, now: SystemTime) -> Result<String, Error> {
    if text.contains('T') || text.contains(':') {
        return Ok(text.to_owned());
    }
    let ago = Duration::from_secs(seconds(text.trim_start_matches('-'))?);
    now.checked_sub(ago)
        .and_then(|then| jiff::Timestamp::try_from(then).ok())
        .map(|then| format!("{then:.3}"))
        .ok_or_else(|| Error::Usage(format!("`{text}` lies before all time")))
}

/// The moment as the API takes it: a full moment as it is, a duration as that long from now.
pub(crate) fn later(text: &str) -> Result<String, Error> {
    later_at(text, SystemClock.wall())
}

fn later_at(text: &str, now: SystemTime) -> Result<String, Error> {
    if text.contains('T') || text.contains(':') {
        return Ok(text.to_owned());
    }
    now.checked_add(Duration::from_secs(seconds(text)?))
        .and_then(|then| jiff::Timestamp::try_from(then).ok())
        .map(|then| format!("{then:.3}"))
        .ok_or_else(|| Error::Usage(format!("`{text}` lies after all time")))
}

/// The moment as the API takes it, by the clock of this machine.
pub(crate) fn moment(text: &str) -> Result<String, Error> {
    moment_at(text, SystemClock.wall())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_duration_is_named_with_what_would_be_one() {
        let error = seconds("5").unwrap_err().to_string();
        assert!(error.contains("`5` is no duration such as 90s"), "{error}");
        assert_eq!(seconds("24h").ok(), Some(86_400));
    }

    #[test]
    fn a_moment_is_taken_as_it_is_and_a_duration_as_that_long_ago() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_007_200);
        let moment = |text| moment_at(text, now).ok();
        assert_eq!(moment("2026-11-01T03:12:00Z").as_deref(), Some("2026-11-01T03:12:00Z"));
        assert_eq!(moment("2h").as_deref(), Some("2023-11-14T22:13:20.000Z"));
        assert_eq!(moment("yesterday"), None);
        let later = later_at("2h", now).ok();
        assert_eq!(later.as_deref(), Some("2023-11-15T02:13:20.000Z"));
    }
}
