//! How long a token is good, as people type it.
//!
//! Deliberately without weeks, months and sums: one number and one unit leave nothing to misread.

use std::time::Duration;

/// A text that is no time such as `15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no duration such as 90s, 15m, 24h or 7d")]
pub struct InvalidLife;

/// Reads `90s`, `15m`, `24h` or `7d`; it is never zero.
///
/// # Errors
/// When it is anything else. The text itself is not repeated, because the caller knows where it stood.
pub fn life_from(text: &str) -> Result<Duration, InvalidLife> {
    let unit = text.chars().next_back().ok_or(InvalidLife)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(InvalidLife),
    };
    let digits = text.strip_suffix(unit).ok_or(InvalidLife)?;
    // `parse` alone would take a plus sign too.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidLife);
    }
    let number: u64 = digits.parse().map_err(|_| InvalidLife)?;
    let seconds = number.checked_mul(factor).filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or(InvalidLife)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_a_unit_and_is_never_zero_or_overflowing() {
        for wrong in
            ["", "5", "h", "0s", "-1h", "+1h", "1 h", "99999999999999999d", "1w", "é", "1ä"]
        {
            assert_eq!(life_from(wrong), Err(InvalidLife), "{wrong}");
        }
        let seconds = |text| life_from(text).map(|life| life.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("2h"), Ok(7200));
        assert_eq!(seconds("1d"), Ok(86_400));
    }
}
