//! Asks drives that speak SCSI themselves (SAS, and controllers that pass it on) for their health, by LOG SENSE.
//!
//! Only pages that the drive lists are asked for. They are foreign bytes: parameters of a code and a length, read as
//! far as they go (SPC-4, 7.3; SBC-4, 6.4).

use super::super::system;
use super::{Health, celsius};
use std::io;

/// Which pages the drive has.
const SUPPORTED: u8 = 0x00;
const WRITE_ERRORS: u8 = 0x02;
const READ_ERRORS: u8 = 0x03;
const VERIFY_ERRORS: u8 = 0x05;
const TEMPERATURE: u8 = 0x0d;
const SOLID_STATE: u8 = 0x11;
const BACKGROUND: u8 = 0x15;
/// What the drive warns of.
const EXCEPTIONS: u8 = 0x2f;
/// The pages that are understood. Temperature comes after the exceptions, which may know an older one.
const PAGES: [u8; 7] =
    [EXCEPTIONS, TEMPERATURE, WRITE_ERRORS, READ_ERRORS, VERIFY_ERRORS, SOLID_STATE, BACKGROUND];
const HEADER_BYTES: usize = 4;
const MINUTE_SECONDS: u64 = 60;

/// Asks a drive; `None` when it has no such pages.
pub(super) fn ask(device: &str) -> io::Result<Option<Health>> {
    let drive = system::Drive::open(device)?;
    let Some(supported) = drive.scsi_log_page(SUPPORTED)? else { return Ok(None) };
    let mut health = Health::default();
    for page in PAGES {
        // The list is a byte for each page.
        if supported.get(HEADER_BYTES..).is_some_and(|list| list.contains(&page))
            && let Some(answer) = drive.scsi_log_page(page)?
        {
            read(page, &answer, &mut health);
        }
    }
    Ok((health != Health::default()).then_some(health))
}

/// Reads one page into what is known.
fn read(page: u8, answer: &[u8], health: &mut Health) {
    if answer.first().is_none_or(|code| code & 0x3f != page) {
        return;
    }
    for (code, value) in parameters(answer) {
        match (page, code) {
            (EXCEPTIONS, 0) => {
                if let Some((sense, qualifier)) = value.first().zip(value.get(1)) {
                    health.verdict = Some(verdict(*sense, *qualifier).to_owned());
                }
                health.celsius = value.get(2).and_then(|byte| celsius(*byte));
            }
            (TEMPERATURE, 0) => {
                let own = value.get(1).and_then(|byte| celsius(*byte));
                health.celsius = own.or(health.celsius);
            }
            // Errors that were not corrected, in all.
            (WRITE_ERRORS | READ_ERRORS | VERIFY_ERRORS, 6) => {
                if let Some(count) = number(value) {
                    health.media_errors =
                        Some(health.media_errors.unwrap_or(0).saturating_add(count));
                }
            }
            (SOLID_STATE, 1) => {
                health.wear_percent = value.get(3).map(|percent| f64::from(*percent));
            }
            (BACKGROUND, 0) => {
                let minutes = value.first_chunk().map(|minutes| u32::from_be_bytes(*minutes));
                health.power_on_seconds =
                    minutes.map(|minutes| u64::from(minutes).saturating_mul(MINUTE_SECONDS));
            }
            _ => {}
        }
    }
}

/// What an additional sense code of the exceptions says (SPC-4, annex F).
const fn verdict(sense: u8, qualifier: u8) -> &'static str {
    match (sense, qualifier) {
        (0x00, _) => "passed",
        (0x5d, _) => "failing",
        (0x0b, 0x01) => "temperature is out of range",
        (0x0b, 0x02) => "enclosure is degraded",
        _ => "warning",
    }
}

/// The parameters of a page: code and value.
fn parameters(answer: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let length = answer.get(2..).and_then(|rest| rest.first_chunk());
    let length = length.map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
    let body = answer.get(HEADER_BYTES..).unwrap_or_default();
    let mut rest = body.get(..length).unwrap_or(body);
    std::iter::from_fn(move || {
        let [high, low, _, length, after @ ..] = rest else { return None };
        let value = after.get(..usize::from(*length))?;
        rest = after.get(value.len()..)?;
        Some((u16::from_be_bytes([*high, *low]), value))
    })
}

/// A number of up to eight bytes, the highest first.
fn number(bytes: &[u8]) -> Option<u64> {
    let is_number = !bytes.is_empty() && bytes.len() <= 8;
    is_number.then(|| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn health_of(pages: &[(u8, &[u8])]) -> Health {
        let mut health = Health::default();
        for (page, answer) in pages {
            read(*page, answer, &mut health);
        }
        health
    }

    #[test]
    fn pages_of_a_drive_are_read() {
        let health = health_of(&[
            (0x2f, &[0x2f, 0, 0, 8, 0, 0, 3, 4, 0x5d, 0x10, 40, 0]),
            (0x0d, &[0x0d, 0, 0, 12, 0, 0, 3, 2, 0, 38, 0, 1, 3, 2, 0, 65]),
            (0x03, &[0x03, 0, 0, 12, 0, 6, 3, 8, 0, 0, 0, 0, 0, 0, 1, 2]),
            (0x05, &[0x05, 0, 0, 8, 0, 6, 3, 4, 0, 0, 0, 1]),
            (0x11, &[0x11, 0, 0, 8, 0, 1, 3, 4, 0, 0, 0, 7]),
            (0x15, &[0x15, 0, 0, 8, 0, 0, 3, 4, 0, 0, 2, 0]),
        ]);
        assert_eq!(health.verdict.as_deref(), Some("failing"));
        assert_eq!((health.celsius, health.wear_percent), (Some(38.0), Some(7.0)));
        assert_eq!(health.media_errors, Some(0x102 + 1));
        assert_eq!(health.power_on_seconds, Some(512 * 60));
    }

    #[test]
    fn a_page_that_was_not_asked_for_says_nothing() {
        assert_eq!(health_of(&[(0x0d, &[0x2f, 0, 0, 6, 0, 0, 3, 2, 0, 38])]), Health::default());
        assert_eq!(health_of(&[(0x0d, &[0x0d, 0, 0, 6, 0, 0, 3, 9, 0, 38])]), Health::default());
    }

    proptest! {
        #[test]
        fn any_page_gives_an_answer(
            page in 0_usize..7,
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut answer = vec![PAGES[page], 0, 0, 60];
            answer.extend(bytes);
            let mut health = Health::default();
            read(PAGES[page], &answer, &mut health);
        }
    }
}
