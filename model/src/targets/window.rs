//! The hours in which looks may begin: `mon-fri 22:00-06:00`, in UTC. Pure.

use super::{Invalid, invalid};
use crate::Timestamp;
use std::time::Duration;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_OF_DAY: u32 = 24 * 60;
const MINUTES_OF_WEEK: u32 = 7 * MINUTES_OF_DAY;
/// 1970 began on a Thursday.
const FIRST_DAY: i64 = 3;
/// Bytes of a window's text.
const TEXT_BYTES_MAX: usize = 64;

/// Hours of some days of the week. One that ends before it begins goes on into the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// From Monday on.
    days: [bool; 7],
    /// Minutes of the day.
    from: u32,
    length: u32,
}

impl Window {
    /// Reads a window: days (`mon-fri`, `sat,sun`, or none for all) and hours (`22:00-06:00`).
    ///
    /// # Errors
    /// When it is no window, or one that never opens.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let malformed = || Invalid {
            field: "windows",
            reason: "write days and hours in UTC, such as `mon-fri 22:00-06:00` or `00:00-24:00`"
                .into(),
        };
        if text.len() > TEXT_BYTES_MAX {
            return Err(malformed());
        }
        let mut words = text.split_whitespace();
        let (days, hours) = match (words.next(), words.next(), words.next()) {
            (Some(hours), None, None) => ([true; 7], hours),
            (Some(days), Some(hours), None) => (days_of(days).ok_or_else(malformed)?, hours),
            _ => return Err(malformed()),
        };
        let (from, to) = hours.split_once('-').ok_or_else(malformed)?;
        let (from, to) = (minute(from), minute(to));
        let (Some(from), Some(to)) = (from.filter(|from| *from < MINUTES_OF_DAY), to) else {
            return Err(malformed());
        };
        if from == to {
            return invalid(
                "windows",
                "a window that ends when it begins never opens; all day is `00:00-24:00`",
            );
        }
        let length = if to > from { to - from } else { to + MINUTES_OF_DAY - from };
        Ok(Self { days, from, length })
    }

    /// Minutes until it opens, at a minute of the week; 0 while it is open.
    fn opens_in(&self, now: u32) -> u32 {
        let days = (0_u32..).zip(self.days).filter(|(_, is_in)| *is_in);
        let waits = days.map(|(day, _)| {
            let start = day * MINUTES_OF_DAY + self.from;
            let since = (now + MINUTES_OF_WEEK - start) % MINUTES_OF_WEEK;
            if since < self.length { 0 } else { MINUTES_OF_WEEK - since }
        });
        waits.min().unwrap_or(MINUTES_OF_WEEK)
    }

    /// How long until the first of these opens; zero while one is open, or when there is none.
    #[must_use]
    pub fn wait(windows: &[Self], now: Timestamp) -> Duration {
        let minutes = now.millis().div_euclid(60_000);
        let shifted = minutes + FIRST_DAY * i64::from(MINUTES_OF_DAY);
        let minute = u32::try_from(shifted.rem_euclid(i64::from(MINUTES_OF_WEEK))).unwrap_or(0);
        let wait = windows.iter().map(|window| window.opens_in(minute)).min().unwrap_or(0);
        Duration::from_secs(u64::from(wait) * 60)
    }
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    let number = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        let mut day = first;
        loop {
            *days.get_mut(day)? = true;
            if day == last {
                break;
            }
            day = (day + 1) % DAYS.len();
        }
    }
    Some(days)
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u32>().ok()).flatten();
    let (hour, minute) = (number(hour)?, number(minute)?);
    let is_time = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
    is_time.then_some(hour * 60 + minute)
}
