//! Asks drives for their health: NVMe by its log page, ATA by SMART through SCSI's translation.
//!
//! The answers are foreign bytes with fixed places (NVM Express 2.0, 5.16.1.3; ACS-3, 7.48); the parsers are pure.
//! Nothing is asked that makes a drive do anything: no self-test, no spinning up of a sleeping disk.

use super::blocks::Block;
use super::system::{self, AtaQuestion};
use crate::files::{Refusal, refusal};
use model::Observation;
use model::classes::drive;
use std::io;

/// The size of NVMe's health log.
const NVME_LOG_BYTES: usize = 512;
const KELVIN_OF_ZERO_CELSIUS: i32 = 273;
const HOUR_SECONDS: u64 = 3600;

/// What a drive says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Health {
    /// `passed`, or what it warns of.
    pub(super) verdict: Option<String>,
    pub(super) celsius: Option<f64>,
    pub(super) wear_percent: Option<f64>,
    pub(super) power_on_seconds: Option<u64>,
    pub(super) power_cycles: Option<u64>,
    pub(super) media_errors: Option<u64>,
    pub(super) reallocated: Option<u64>,
}

/// What became of the question.
#[derive(Debug)]
pub(super) enum Answer {
    /// The drive answered.
    Health(Health),
    /// It has no such thing, or sleeps.
    None,
    /// The right is missing.
    Denied,
    /// It should have answered.
    Failed(io::Error),
}

/// Asks a drive of the running host. `is_ata` says whether the drive speaks ATA, whatever it hangs on.
pub(super) fn health(block: &Block, transport: Option<&str>, is_ata: bool) -> Answer {
    let device = format!("/dev/{}", block.kernel_name.replace('!', "/"));
    let asked = match transport {
        Some("nvme") => system::nvme_health(&device).map(|log| nvme(&log)),
        // Some bridges from USB hang on commands that they do not know.
        Some("usb") => return Answer::None,
        _ if is_ata => ata(&device),
        _ => return Answer::None,
    };
    match asked {
        Ok(Some(health)) => Answer::Health(health),
        Ok(None) => Answer::None,
        Err(error) if refusal(&error) == Refusal::PermissionDenied => Answer::Denied,
        Err(error) if refusal(&error) == Refusal::NotFound => Answer::None,
        // Drivers that do not know the question say so in one of these words.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENOTTY | libc::EINVAL | libc::ENOTSUP)
            ) =>
        {
            Answer::None
        }
        Err(error) => Answer::Failed(error),
    }
}

/// Adds what a drive said.
pub(super) fn describe(seen: &mut Observation, health: &Health) {
    if let Some(verdict) = &health.verdict {
        seen.set(&drive::HEALTH, verdict.clone());
    }
    for (attribute, number) in
        [(&drive::TEMPERATURE_CELSIUS, health.celsius), (&drive::WEAR, health.wear_percent)]
    {
        if let Some(number) = number {
            seen.set(attribute, number);
        }
    }
    for (attribute, number) in [
        (&drive::POWER_ON_SECONDS, health.power_on_seconds),
        (&drive::POWER_CYCLES_COUNT, health.power_cycles),
        (&drive::MEDIA_ERRORS_COUNT, health.media_errors),
        (&drive::REALLOCATED_SECTORS_COUNT, health.reallocated),
    ] {
        if let Some(number) = number {
            seen.set(attribute, number);
        }
    }
}

/// Reads NVMe's health log.
fn nvme(log: &[u8]) -> Option<Health> {
    let log: &[u8; NVME_LOG_BYTES] = log.first_chunk()?;
    // A log of zeros comes from controllers that have none.
    if log.iter().all(|byte| *byte == 0) {
        return None;
    }
    let quad = |place: usize| -> Option<u64> {
        // Sixteen bytes each; what does not fit eight has long outlived the drive.
        let low = u64::from_le_bytes(*log.get(place..)?.first_chunk()?);
        let high = u64::from_le_bytes(*log.get(place + 8..)?.first_chunk()?);
        Some(if high == 0 { low } else { u64::MAX })
    };
    let kelvin = u16::from_le_bytes(*log.get(1..)?.first_chunk()?);
    Some(Health {
        verdict: Some(nvme_verdict(*log.first()?)),
        celsius: (kelvin > 0).then(|| f64::from(i32::from(kelvin) - KELVIN_OF_ZERO_CELSIUS)),
        wear_percent: log.get(5).map(|percent| f64::from(*percent)),
        power_on_seconds: quad(128).map(|hours| hours.saturating_mul(HOUR_SECONDS)),
        power_cycles: quad(112),
        media_errors: quad(160),
        reallocated: None,
    })
}

/// The warnings of NVMe's first byte, in words.
fn nvme_verdict(warnings: u8) -> String {
    const WORDS: [&str; 6] = [
        "spare blocks are low",
        "temperature is out of range",
        "reliability is degraded",
        "medium is read-only",
        "volatile memory backup failed",
        "persistent memory is unreliable",
    ];
    let found: Vec<&str> = WORDS
        .iter()
        .enumerate()
        .filter(|(bit, _)| warnings & (1 << bit) != 0)
        .map(|(_, word)| *word)
        .collect();
    if found.is_empty() { "passed".to_owned() } else { found.join(", ") }
}

/// Asks an ATA drive, unless it sleeps: the question would wake it.
fn ata(device: &str) -> io::Result<Option<Health>> {
    let answers = system::ata_ask(device)?;
    let Some(answers) = answers else { return Ok(None) };
    Ok(ata_health(&answers.data, answers.is_failing))
}

/// Reads the 512 bytes of SMART READ DATA.
fn ata_health(data: &[u8], is_failing: Option<bool>) -> Option<Health> {
    const ATTRIBUTES_START: usize = 2;
    const ATTRIBUTE_BYTES: usize = 12;
    const ATTRIBUTES_MAX: usize = 30;
    let sum = data.get(..512)?.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if sum != 0 {
        return None;
    }
    let mut health = Health {
        verdict: is_failing.map(|failing| if failing { "failing" } else { "passed" }.to_owned()),
        ..Health::default()
    };
    for entry in data.get(ATTRIBUTES_START..)?.chunks_exact(ATTRIBUTE_BYTES).take(ATTRIBUTES_MAX) {
        let [id, _, _, current, _, raw @ ..] = entry else { continue };
        let [r0, r1, r2, r3, ..] = *raw else { continue };
        let raw = u64::from(u32::from_le_bytes([r0, r1, r2, r3]));
        match id {
            5 => health.reallocated = Some(raw),
            9 => health.power_on_seconds = Some(raw.saturating_mul(HOUR_SECONDS)),
            12 => health.power_cycles = Some(raw),
            187 => health.media_errors = Some(raw),
            190 | 194 => health.celsius = health.celsius.or_else(|| celsius(r0)),
            // Remaining life of flash drives, normalized from 100 down.
            177 | 231 | 233 => {
                health.wear_percent =
                    health.wear_percent.or_else(|| 100_u8.checked_sub(*current).map(f64::from));
            }
            _ => {}
        }
    }
    Some(health)
}

/// A temperature in the lowest byte of its attribute, when it is one that a drive can have.
fn celsius(byte: u8) -> Option<f64> {
    (byte > 0 && byte < 128).then(|| f64::from(byte))
}

/// The questions that are put to an ATA drive, in order; the first one tells whether it sleeps.
pub(super) const ATA_CHECK_POWER: AtaQuestion =
    AtaQuestion { command: 0xe5, feature: 0, lba_middle: 0, lba_high: 0, reads: false };
/// Its data.
pub(super) const ATA_SMART_DATA: AtaQuestion =
    AtaQuestion { command: 0xb0, feature: 0xd0, lba_middle: 0x4f, lba_high: 0xc2, reads: true };
/// Its verdict, which comes back in the registers.
pub(super) const ATA_SMART_STATUS: AtaQuestion =
    AtaQuestion { command: 0xb0, feature: 0xda, lba_middle: 0x4f, lba_high: 0xc2, reads: false };

/// The registers in the sense data that an ATA command leaves: count, middle and high part of the address.
pub(super) fn ata_registers(sense: &[u8]) -> Option<[u8; 3]> {
    const DESCRIPTOR_FORMAT: u8 = 0x72;
    const ATA_RETURN: u8 = 0x09;
    if sense.first()? & 0x7f != DESCRIPTOR_FORMAT || *sense.get(8)? != ATA_RETURN {
        return None;
    }
    Some([*sense.get(13)?, *sense.get(17)?, *sense.get(19)?])
}

/// Whether the registers say that the drive is failing; `None` when they say neither.
pub(super) fn ata_is_failing(registers: [u8; 3]) -> Option<bool> {
    match registers {
        [_, 0x4f, 0xc2] => Some(false),
        [_, 0xf4, 0x2c] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn data_with_a_wrong_sum_is_no_answer() {
        let mut data = vec![0; 512];
        data[2] = 5;
        assert_eq!(ata_health(&data, Some(false)), None);
        assert_eq!(ata_health(&[], None), None);
    }

    #[test]
    fn attributes_of_an_ata_drive_are_read() {
        let mut data = vec![0; 512];
        data[2..14].copy_from_slice(&[5, 0, 0, 100, 100, 7, 0, 0, 0, 0, 0, 0]);
        data[14..26].copy_from_slice(&[9, 0, 0, 90, 90, 16, 39, 0, 0, 0, 0, 0]);
        data[26..38].copy_from_slice(&[194, 0, 0, 60, 50, 38, 0, 20, 0, 45, 0, 0]);
        let sum = data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        data[511] = 0_u8.wrapping_sub(sum);
        let health = ata_health(&data, Some(true)).unwrap();
        assert_eq!(health.verdict.as_deref(), Some("failing"));
        assert_eq!((health.reallocated, health.celsius), (Some(7), Some(38.0)));
        assert_eq!(health.power_on_seconds, Some(10_000 * 3600));
    }

    #[test]
    fn warnings_of_an_nvme_drive_are_told_in_words() {
        let mut log = vec![0; 512];
        log[0] = 0b101;
        log[1..3].copy_from_slice(&310_u16.to_le_bytes());
        log[5] = 3;
        log[128] = 2;
        let health = nvme(&log).unwrap();
        assert_eq!(
            health.verdict.as_deref(),
            Some("spare blocks are low, reliability is degraded")
        );
        assert_eq!((health.celsius, health.wear_percent), (Some(37.0), Some(3.0)));
        assert_eq!(health.power_on_seconds, Some(7200));
        assert_eq!(nvme(&[0; 512]), None);
    }

    #[test]
    fn the_verdict_stands_in_the_registers() {
        let mut sense = [0; 32];
        (sense[0], sense[8], sense[17], sense[19]) = (0x72, 9, 0xf4, 0x2c);
        assert_eq!(ata_registers(&sense).and_then(ata_is_failing), Some(true));
        assert_eq!(ata_registers(&[0x70; 32]), None);
    }

    proptest! {
        #[test]
        fn any_answer_gives_an_answer(mut bytes in proptest::collection::vec(any::<u8>(), 0..520)) {
            nvme(&bytes);
            ata_registers(&bytes);
            if let Some(head) = bytes.get(..511) {
                let sum = head.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
                if let Some(last) = bytes.get_mut(511) {
                    *last = 0_u8.wrapping_sub(sum);
                }
            }
            ata_health(&bytes, None);
        }
    }
}
