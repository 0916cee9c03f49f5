//! Asks drives for their health: NVMe by its log page, ATA by SMART through SCSI's translation, SCSI by its own pages.
//!
//! The answers are foreign bytes with fixed places (NVM Express 2.0, 5.16.1.3; ACS-3, 7.48); the parsers are pure.
//! Nothing is asked that makes a drive do anything: no self-test, no spinning up of a sleeping disk.

mod scsi;

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

/// The registers of an ATA drive after a command, as far as they answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AtaRegisters {
    pub(super) status: u8,
    pub(super) count: u8,
    pub(super) lba_middle: u8,
    pub(super) lba_high: u8,
}

impl AtaRegisters {
    /// Whether the drive refused or aborted the command (ERR or DF).
    pub(super) const fn is_refused(self) -> bool {
        self.status & 0x21 != 0
    }
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

/// The language in which a drive can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Nvme,
    /// ATA, whatever the drive hangs on.
    Ata,
    Scsi,
    /// None that says anything of its health.
    Other,
}

/// How a drive can be asked. `vendor` is what the kernel says of a SCSI disk; others have none.
pub(super) fn protocol(transport: Option<&str>, vendor: Option<&str>) -> Protocol {
    match (transport, vendor) {
        (Some("nvme"), _) => Protocol::Nvme,
        // Some bridges from USB hang on commands that they do not know.
        (Some("usb"), _) => Protocol::Other,
        // SATA drives hide behind the name ATA.
        (_, Some("ATA")) => Protocol::Ata,
        // The disks of hypervisors and of storage servers have no health, and some complain when asked for it.
        (Some("sas") | None, Some(_)) => Protocol::Scsi,
        _ => Protocol::Other,
    }
}

/// Asks a drive of the running host.
pub(super) fn health(block: &Block, protocol: Protocol) -> Answer {
    let device = format!("/dev/{}", block.kernel_name.replace('!', "/"));
    let asked = match protocol {
        Protocol::Nvme => system::nvme_health(&device).map(|log| nvme(&log)),
        Protocol::Ata => ata(&device),
        Protocol::Scsi => scsi::ask(&device),
        Protocol::Other => return Answer::None,
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
    const STANDBY: u8 = 0x00;
    let drive = system::Drive::open(device)?;
    let (_, power) = drive.ata_command(ATA_CHECK_POWER)?;
    if power.is_none_or(|registers| registers.is_refused() || registers.count == STANDBY) {
        return Ok(None);
    }
    let (data, refused) = drive.ata_command(ATA_SMART_DATA)?;
    // A read returns its registers only when it fails: the drive has no SMART, or it is turned off.
    if refused.is_some_and(AtaRegisters::is_refused) {
        return Ok(None);
    }
    let (_, status) = drive.ata_command(ATA_SMART_STATUS)?;
    Ok(ata_health(&data, status.and_then(ata_is_failing)))
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
    // Vendors put other things into the upper bytes of most attributes.
    let mut near_air = None;
    for entry in data.get(ATTRIBUTES_START..)?.chunks_exact(ATTRIBUTE_BYTES).take(ATTRIBUTES_MAX) {
        let [id, _, _, current, _, raw @ ..] = entry else { continue };
        let [r0, r1, r2, r3, ..] = *raw else { continue };
        let number = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes));
        match id {
            5 => health.reallocated = Some(number([r0, r1, 0, 0])),
            9 => {
                let hours = number([r0, r1, r2, 0]);
                health.power_on_seconds = Some(hours.saturating_mul(HOUR_SECONDS));
            }
            12 => health.power_cycles = Some(number([r0, r1, r2, r3])),
            187 => health.media_errors = Some(number([r0, r1, r2, r3])),
            // Of the air around the disk, for drives that do not tell their own.
            190 => near_air = celsius(r0),
            194 => health.celsius = celsius(r0),
            // Remaining life of flash drives, normalized from 100 down.
            177 | 231 | 233 => {
                health.wear_percent =
                    health.wear_percent.or_else(|| 100_u8.checked_sub(*current).map(f64::from));
            }
            _ => {}
        }
    }
    health.celsius = health.celsius.or(near_air);
    Some(health)
}

/// A temperature in the lowest byte of its attribute, when it is one that a drive can have.
fn celsius(byte: u8) -> Option<f64> {
    (byte > 0 && byte < 128).then(|| f64::from(byte))
}

/// The questions that are put to an ATA drive, in order; the first one tells whether it sleeps.
const ATA_CHECK_POWER: AtaQuestion =
    AtaQuestion { command: 0xe5, feature: 0, lba_middle: 0, lba_high: 0, reads: false };
/// Its data.
const ATA_SMART_DATA: AtaQuestion =
    AtaQuestion { command: 0xb0, feature: 0xd0, lba_middle: 0x4f, lba_high: 0xc2, reads: true };
/// Its verdict, which comes back in the registers.
const ATA_SMART_STATUS: AtaQuestion =
    AtaQuestion { command: 0xb0, feature: 0xda, lba_middle: 0x4f, lba_high: 0xc2, reads: false };

/// The registers in the sense data that an ATA command leaves, in either of the forms that translators write
/// (SAT-4, 12.2.2.7).
pub(super) fn ata_registers(sense: &[u8]) -> Option<AtaRegisters> {
    const FIXED: u8 = 0x70;
    const DESCRIPTOR: u8 = 0x72;
    const ATA_RETURN: u8 = 0x09;
    // ATA PASS-THROUGH INFORMATION AVAILABLE
    const INFORMATION: [u8; 2] = [0x00, 0x1d];
    let [status, count, middle, high] = match sense.first()? & 0x7f {
        DESCRIPTOR if *sense.get(8)? == ATA_RETURN => [21, 13, 17, 19],
        FIXED if sense.get(12..14)? == INFORMATION => [4, 6, 10, 11],
        _ => return None,
    };
    Some(AtaRegisters {
        status: *sense.get(status)?,
        count: *sense.get(count)?,
        lba_middle: *sense.get(middle)?,
        lba_high: *sense.get(high)?,
    })
}

/// Whether the registers say that the drive is failing; `None` when they say neither.
fn ata_is_failing(registers: AtaRegisters) -> Option<bool> {
    match (registers.lba_middle, registers.lba_high) {
        (0x4f, 0xc2) => Some(false),
        (0xf4, 0x2c) => Some(true),
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
        data[14..26].copy_from_slice(&[9, 0, 0, 90, 90, 16, 39, 0, 7, 0, 0, 0]);
        data[26..38].copy_from_slice(&[190, 0, 0, 70, 50, 30, 0, 20, 0, 45, 0, 0]);
        data[38..50].copy_from_slice(&[194, 0, 0, 60, 50, 38, 0, 20, 0, 45, 0, 0]);
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
        let mut sense = [0; 32];
        (sense[0], sense[13], sense[10], sense[11]) = (0xf0, 0x1d, 0x4f, 0xc2);
        assert_eq!(ata_registers(&sense).and_then(ata_is_failing), Some(false));
        assert_eq!(ata_registers(&[0x70; 32]), None);
    }

    #[test]
    fn a_command_that_the_drive_aborts_is_told() {
        let mut sense = [0; 32];
        (sense[0], sense[8], sense[21]) = (0x72, 9, 0x51);
        assert!(ata_registers(&sense).unwrap().is_refused());
        sense[21] = 0x50;
        assert!(!ata_registers(&sense).unwrap().is_refused());
    }

    #[test]
    fn each_drive_is_asked_in_its_language_or_not_at_all() {
        for (transport, vendor, language) in [
            (Some("nvme"), None, Protocol::Nvme),
            (Some("sata"), Some("ATA"), Protocol::Ata),
            (Some("sas"), Some("ATA"), Protocol::Ata),
            (Some("sas"), Some("SEAGATE"), Protocol::Scsi),
            (None, Some("DELL"), Protocol::Scsi),
            (Some("usb"), Some("ATA"), Protocol::Other),
            (Some("virtio"), Some("QEMU"), Protocol::Other),
            (Some("virtio"), Some("0x1af4"), Protocol::Other),
            (None, None, Protocol::Other),
        ] {
            assert_eq!(protocol(transport, vendor), language, "{transport:?} {vendor:?}");
        }
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
