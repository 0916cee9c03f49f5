//! The scope `sensors`: `entPhySensorTable` (ENTITY-SENSOR-MIB, RFC 3433) and `entSensorValueTable`
//! (CISCO-ENTITY-SENSOR-MIB), which number types and scales alike.

use super::DEVICE;
use super::components::{PLACES, positions};
use crate::table::{Row, Table};
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::sensor;
use model::{Coverage, Observation};
use std::collections::BTreeMap;

/// Type, scale, precision, value, state.
const SENSORS: TableOf = TableOf {
    name: "entPhySensorTable",
    entry: &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1],
    columns: &[1, 2, 3, 4, 5],
};
const CISCO: TableOf = TableOf {
    name: "entSensorValueTable",
    entry: &[1, 3, 6, 1, 4, 1, 9, 9, 91, 1, 1, 1, 1],
    columns: &[1, 2, 3, 4, 5],
};

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let mut sensors = view.table(run, &SENSORS).await;
    if sensors.is_empty() {
        sensors = view.table(run, &CISCO).await;
    }
    if sensors.is_empty() {
        return view.coverage_of(0, "sensors");
    }
    let places = view.table(run, &PLACES).await;
    for seen in observe(&sensors, &places) {
        view.saw(run, seen);
    }
    view.coverage()
}

/// What a sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Temperature,
    FanSpeed,
    Voltage,
    Current,
    Power,
}

fn measure_of(kind: u64) -> Option<Measure> {
    Some(match kind {
        3 | 4 => Measure::Voltage,
        5 => Measure::Current,
        6 => Measure::Power,
        8 => Measure::Temperature,
        10 => Measure::FanSpeed,
        // Percent, truth and the like have no attribute yet.
        _ => return None,
    })
}

/// The value in units: `EntitySensorDataScale` counts from 10^-24 in steps of a thousand, and the precision is the
/// number of decimals.
fn value_of(row: &Row) -> Option<f64> {
    // The largest and the smallest say that it is out of range.
    let raw = row.signed(4).and_then(|value| i32::try_from(value).ok());
    let raw = raw.filter(|value| value.unsigned_abs() < 1_000_000_000)?;
    let scale =
        i32::try_from(row.signed(2).unwrap_or(9)).ok().filter(|scale| (1..=17).contains(scale))?;
    let decimals =
        i32::try_from(row.signed(3).unwrap_or(0)).ok().filter(|at| (-8..=9).contains(at))?;
    let exponent = (scale - 9) * 3 - decimals;
    // Dividing by a whole power of ten keeps 3300 thousandths at 3.3.
    let value = if exponent < 0 {
        f64::from(raw) / 10_f64.powi(-exponent)
    } else {
        f64::from(raw) * 10_f64.powi(exponent)
    };
    value.is_finite().then_some(value)
}

pub(super) fn observe(sensors: &Table, places: &Table) -> Vec<Observation> {
    let positions: BTreeMap<u32, String> = positions(places);
    let mut found = Vec::new();
    for (index, row) in sensors.rows() {
        let &[number] = index.as_slice() else { continue };
        let Some(measure) = row.number(1).and_then(measure_of) else { continue };
        let position = positions.get(&number).cloned().unwrap_or_else(|| number.to_string());
        let label = places.row(&[number]).and_then(|row| row.text(7).or_else(|| row.text(2)));
        let mut seen = Observation::part(&sensor::CLASS, DEVICE, &["entity", &position])
            .with(&sensor::LABEL, label.unwrap_or_else(|| position.clone()));
        // State one: it works.
        if row.number(5) == Some(1)
            && let Some(value) = value_of(row)
        {
            let attribute = match measure {
                Measure::Temperature => &sensor::TEMPERATURE_CELSIUS,
                Measure::FanSpeed => &sensor::FAN_SPEED,
                Measure::Voltage => &sensor::VOLTAGE,
                Measure::Current => &sensor::CURRENT_AMPERES,
                Measure::Power => &sensor::POWER,
            };
            seen.set(attribute, value);
        }
        found.push(seen);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn value(scale: i64, decimals: i64, raw: i64) -> Option<f64> {
        value_of(&Row([
            (2, Value::Integer(scale)),
            (3, Value::Integer(decimals)),
            (4, Value::Integer(raw)),
        ]
        .into()))
    }

    #[test]
    fn values_are_brought_to_their_unit() {
        assert_eq!(value(9, 1, 425), Some(42.5));
        assert_eq!(value(8, 0, 3300), Some(3.3));
        assert_eq!((value(9, 0, i64::MAX), value(99, 0, 1), value(9, 99, 1)), (None, None, None));
        assert_eq!(value(9, 0, 1_000_000_000), None);
    }
}
