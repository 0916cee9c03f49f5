//! Moments as the APIs write and read them: RFC 3339, UTC, milliseconds.

use crate::api::error::{ApiError, shortened};
use model::Timestamp;
use model::query::At;

/// The text of a moment.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// The moment of a text.
///
/// # Errors
/// `VALIDATION_FAILED`, which names the parameter.
pub fn parse(parameter: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse::<jiff::Timestamp>().map(|at| Timestamp::from_millis(at.as_millisecond())).map_err(
        |_| {
            let detail =
                format!("`{}` is no moment; write it as 2026-01-31T12:00:00Z", shortened(text));
            ApiError::invalid(parameter, detail)
        },
    )
}

/// The moment that is asked about: now, or the text's.
///
/// # Errors
/// `VALIDATION_FAILED`.
pub fn at(text: Option<&str>) -> Result<At, ApiError> {
    match text {
        None | Some("") => Ok(At::Now),
        Some(text) => parse("at", text).map(At::Time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_milliseconds_and_the_zone_and_survive_the_way_back() {
        for (millis, text) in
            [(1_700_000_000_007, "2023-11-14T22:13:20.007Z"), (0, "1970-01-01T00:00:00.000Z")]
        {
            let at = Timestamp::from_millis(millis);
            assert_eq!(rfc3339(at), text);
            assert_eq!(parse("at", text), Ok(at));
        }
    }

    #[test]
    fn a_text_that_is_no_moment_is_refused_with_its_parameter() {
        for text in ["yesterday", "2026-01-31", "1700000000"] {
            let error = parse("since", text).unwrap_err();
            assert_eq!(error.params.get("parameter"), Some(&"since".into()), "{text}");
        }
    }
}
