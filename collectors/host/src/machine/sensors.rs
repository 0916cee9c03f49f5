//! The scope `sensors`: temperatures, fans, voltages, currents and power of /sys/class/hwmon, and thermal zones.

use crate::HARDWARE;
use crate::files::{link_name, list_dir, read_trimmed};
use collector::{CollectError, Run, Target};
use model::catalog::Attribute;
use model::classes::sensor;
use model::{Coverage, Observation};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The most chips that are asked.
const CHIPS_MAX: usize = 512;
/// The most channels of one chip.
const CHANNELS_MAX: usize = 512;

/// Looks at the scope.
#[expect(clippy::unnecessary_wraps, reason = "every scope has this form")]
pub(super) fn collect(target: &Target, run: &mut Run<'_>) -> Result<Coverage, CollectError> {
    let (hwmon, thermal) = (target.path("/sys/class/hwmon"), target.path("/sys/class/thermal"));
    if !hwmon.exists() && !thermal.exists() {
        return Ok(Coverage::not_present("the kernel shows no sensors"));
    }
    let mut taken = BTreeSet::new();
    for chip in list_dir(&hwmon).unwrap_or_default().into_iter().take(CHIPS_MAX) {
        let directory = target.below(&hwmon, &chip);
        let Some(name) = read_trimmed(&target.below(&directory, "name")) else { continue };
        // Several drives or memory modules have chips of one name: their place tells them apart.
        let name = match link_name(&directory.join("device")) {
            Some(place) => format!("{name} {place}"),
            None => name,
        };
        let name = if taken.insert(name.clone()) { name } else { format!("{name} {chip}") };
        let files = list_dir(&directory).unwrap_or_default();
        for file in files.iter().take(CHANNELS_MAX) {
            if let Some((channel, suffix)) = channel(file, &files) {
                let file = |suffix: &str| target.below(&directory, &format!("{channel}_{suffix}"));
                run.saw(hwmon_sensor(&file, &name, channel, suffix));
            }
        }
    }
    for zone in list_dir(&thermal).unwrap_or_default().into_iter().take(CHIPS_MAX) {
        if zone.starts_with("thermal_zone") {
            let directory = target.below(&thermal, &zone);
            run.saw(thermal_zone(&|file| target.below(&directory, file), &zone));
        }
    }
    Ok(Coverage::complete())
}

/// The channel whose value stands in a file, and the file's ending. Some power meters only tell an average.
fn channel<'a>(file: &'a str, files: &[String]) -> Option<(&'a str, &'static str)> {
    if let Some(channel) = file.strip_suffix("_input") {
        return measure(channel).map(|_| (channel, "input"));
    }
    let channel = file.strip_suffix("_average").filter(|channel| channel.starts_with("power"))?;
    let has_input = files.iter().any(|other| other.strip_suffix("_input") == Some(channel));
    (!has_input).then_some((channel, "average"))
}

/// What a kind of channel measures, and by how much its numbers are divided.
fn measure(channel: &str) -> Option<(&'static Attribute<f64>, f64)> {
    let kind = channel.trim_end_matches(|letter: char| letter.is_ascii_digit());
    Some(match kind {
        "temp" => (&sensor::TEMPERATURE_CELSIUS, 1000.0),
        "fan" => (&sensor::FAN_SPEED, 1.0),
        "in" => (&sensor::VOLTAGE, 1000.0),
        "curr" => (&sensor::CURRENT_AMPERES, 1000.0),
        "power" => (&sensor::POWER, 1_000_000.0),
        _ => return None,
    })
}

fn number(path: &std::path::Path) -> Option<f64> {
    read_trimmed(path)?.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn hwmon_sensor(
    file: &dyn Fn(&str) -> PathBuf,
    chip: &str,
    channel: &str,
    value: &str,
) -> Observation {
    let label = read_trimmed(&file("label")).unwrap_or_else(|| channel.to_owned());
    let mut seen = Observation::part(&sensor::CLASS, HARDWARE, &[chip, channel])
        .with(&sensor::LABEL, format!("{chip} {label}"));
    if let Some((attribute, divisor)) = measure(channel)
        && let Some(value) = number(&file(value))
    {
        seen.set(attribute, value / divisor);
    }
    // Chips that know no limit say zero or something beyond reason.
    let critical = number(&file("crit")).map(|limit| limit / 1000.0);
    if channel.starts_with("temp")
        && let Some(critical) = critical.filter(|limit| *limit > 0.0 && *limit < 250.0)
    {
        seen.set(&sensor::TEMPERATURE_CRITICAL_CELSIUS, critical);
    }
    seen
}

fn thermal_zone(file: &dyn Fn(&str) -> PathBuf, zone: &str) -> Observation {
    let kind = read_trimmed(&file("type")).unwrap_or_else(|| zone.to_owned());
    let mut seen =
        Observation::part(&sensor::CLASS, HARDWARE, &["thermal", zone]).with(&sensor::LABEL, kind);
    if let Some(value) = number(&file("temp")) {
        seen.set(&sensor::TEMPERATURE_CELSIUS, value / 1000.0);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn sensors_of_a_chip_are_read_in_their_units() {
        let directory = tempfile::tempdir().unwrap();
        let chip = directory.path().join("sys/class/hwmon/hwmon0");
        fs::create_dir_all(&chip).unwrap();
        for (file, text) in [
            ("name", "nct6775\n"),
            ("temp1_input", "41500\n"),
            ("temp1_label", "SYSTIN\n"),
            ("temp1_crit", "0\n"),
            ("in0_input", "1048\n"),
            ("fan1_input", "1200\n"),
            ("energy1_input", "5\n"),
            ("power1_average", "95000000\n"),
            ("power2_average", "1\n"),
            ("power2_input", "2000000\n"),
            ("temp2_input", "nonsense\n"),
        ] {
            fs::write(chip.join(file), text).unwrap();
        }
        let target = Target {
            id: "t".into(),
            site: "s".into(),
            root: directory.path().to_owned(),
            remote: None,
        };
        let mut seen = Vec::new();
        assert_eq!(collect(&target, &mut Run::new(&mut seen)).unwrap(), Coverage::complete());
        let of = |channel: &str| {
            seen.iter().find(|seen| seen.facts["channel"].as_text() == Some(channel)).unwrap()
        };
        assert_eq!(of("temp1").readings["temperature_celsius"], model::Value::Float(41.5));
        assert_eq!(of("temp1").facts["label"].as_text(), Some("nct6775 SYSTIN"));
        assert!(!of("temp1").facts.contains_key("temperature_critical_celsius"));
        assert_eq!(of("in0").readings["voltage"], model::Value::Float(1.048));
        assert!(of("temp2").readings.is_empty());
        assert_eq!(of("power1").readings["power"], model::Value::Float(95.0));
        assert_eq!(of("power2").readings["power"], model::Value::Float(2.0));
        assert_eq!(seen.len(), 6);
    }
}
