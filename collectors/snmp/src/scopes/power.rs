//! The scopes `power` and `supplies`: UPS-MIB (RFC 1628) and Printer-MIB (RFC 3805).

use super::DEVICE;
use crate::table::Table;
use crate::value::Value;
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::{battery, printer_supply};
use model::{Coverage, Observation};

/// `upsBattery`: state, minutes that remain, charge, tenths of volts, temperature.
const BATTERY: [&[u32]; 5] = [
    &[1, 3, 6, 1, 2, 1, 33, 1, 2, 1, 0],
    &[1, 3, 6, 1, 2, 1, 33, 1, 2, 3, 0],
    &[1, 3, 6, 1, 2, 1, 33, 1, 2, 4, 0],
    &[1, 3, 6, 1, 2, 1, 33, 1, 2, 5, 0],
    &[1, 3, 6, 1, 2, 1, 33, 1, 2, 7, 0],
];
/// `upsOutputTable`: load.
const OUTPUTS: TableOf =
    TableOf { name: "upsOutputTable", entry: &[1, 3, 6, 1, 2, 1, 33, 1, 4, 4, 1], columns: &[5] };
/// `prtMarkerSuppliesTable`: type, description, capacity, level.
const SUPPLIES: TableOf = TableOf {
    name: "prtMarkerSuppliesTable",
    entry: &[1, 3, 6, 1, 2, 1, 43, 11, 1, 1],
    columns: &[5, 6, 8, 9],
};

/// Looks at the scope `power`.
pub(crate) async fn collect_batteries(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let values = view.get(run, "upsBattery", &BATTERY).await;
    if values.iter().all(Option::is_none) {
        return view.coverage_of(0, "battery");
    }
    let outputs = view.table(run, &OUTPUTS).await;
    view.saw(run, observe_battery(&values, &outputs));
    view.coverage()
}

fn observe_battery(values: &[Option<Value>], outputs: &Table) -> Observation {
    let number = |at: usize| values.get(at)?.as_ref()?.number();
    let real = |at: usize| number(at).and_then(|number| u32::try_from(number).ok()).map(f64::from);
    let state = number(0).map(|state| match state {
        2 => "normal",
        3 => "low",
        4 => "depleted",
        _ => "unknown",
    });
    let loads = outputs.rows().filter_map(|(_, row)| row.number(5));
    let load = loads.max().and_then(|load| u32::try_from(load).ok()).filter(|load| *load <= 1000);
    Observation::part(&battery::CLASS, DEVICE, &["battery"])
        .with_some(&battery::STATE, state)
        .with_some(&battery::REMAINING_SECONDS, number(1).map(|minutes| minutes.saturating_mul(60)))
        .with_some(&battery::CHARGE_PERCENT, real(2).filter(|charge| *charge <= 100.0))
        .with_some(
            &battery::VOLTAGE,
            real(3).filter(|tenths| *tenths > 0.0).map(|tenths| tenths / 10.0),
        )
        .with_some(&battery::TEMPERATURE_CELSIUS, real(4).filter(|degrees| *degrees < 200.0))
        .with_some(&battery::LOAD_PERCENT, load.map(f64::from))
}

/// Looks at the scope `supplies`.
pub(crate) async fn collect_supplies(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    let supplies = view.table(run, &SUPPLIES).await;
    let found = observe_supplies(&supplies);
    let count = found.len();
    found.into_iter().for_each(|seen| view.saw(run, seen));
    view.coverage_of(count, "supplies of a printer")
}

pub(super) fn observe_supplies(supplies: &Table) -> Vec<Observation> {
    let mut found = Vec::new();
    for (index, row) in supplies.rows() {
        let number = crate::oid::text(index);
        let level = row.signed(9).zip(row.signed(8)).and_then(|(level, capacity)| {
            // Negative ones say that it is unknown, or that there is some.
            let (level, capacity) = (u32::try_from(level).ok()?, u32::try_from(capacity).ok()?);
            let percent = 100.0 * f64::from(level) / f64::from(capacity);
            (capacity > 0 && percent <= 100.0).then_some(percent)
        });
        let seen = Observation::part(&printer_supply::CLASS, DEVICE, &[&number])
            .with_some(&printer_supply::DESCRIPTION, row.text(6))
            .with_some(&printer_supply::SUPPLY_TYPE, row.number(5).map(supply_name))
            .with_some(&printer_supply::LEVEL_PERCENT, level);
        found.push(seen);
    }
    found
}

/// `PrtMarkerSuppliesTypeTC`.
fn supply_name(number: u64) -> &'static str {
    match number {
        3 => "toner",
        4 => "wasteToner",
        5 => "ink",
        6 => "inkCartridge",
        7 => "inkRibbon",
        8 => "wasteInk",
        9 => "opc",
        10 => "developer",
        11 => "fuserOil",
        15 => "fuser",
        20 => "transferUnit",
        21 => "tonerCartridge",
        32 => "staples",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Row;

    #[test]
    fn a_level_that_is_only_a_sign_is_not_told() {
        let row = |level, capacity| {
            Row([(8, Value::Integer(capacity)), (9, Value::Integer(level))].into())
        };
        let supplies = Table(
            [
                (vec![1, 1], row(-3, 100)),
                (vec![1, 2], row(25, 50)),
                (vec![1, 3], row(1, 0)),
                (vec![1, 4], row(i64::MAX, 5)),
            ]
            .into(),
        );
        let levels: Vec<bool> =
            observe_supplies(&supplies).iter().map(|seen| !seen.readings.is_empty()).collect();
        assert_eq!(levels, [false, true, false, false]);
    }
}
