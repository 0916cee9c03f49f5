//! Tables of any form: whatever an agent puts where, the functions that give it meaning end and stay within the
//! catalog.

use super::{
    addresses, components, forwarding, host, interfaces, neighbors, peers, power, routes, sensors,
};
use crate::table::{Row, Table};
use crate::value::Value;
use collector::testing::complaints;
use model::{Observation, Realm};
use proptest::prelude::*;

/// Numbers of an index: small ones, octets, and the largest.
fn arc() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..20, 0_u32..256, Just(u32::MAX), any::<u32>()]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3_i64..20).prop_map(Value::Integer),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Unsigned),
        proptest::collection::vec(any::<u8>(), 0..24)
            .prop_map(|octets| Value::Octets(octets.into())),
        "[a-z0-9_/ \\x00-\\x1f]{0,20}".prop_map(|text| Value::Octets(text.into_bytes().into())),
        proptest::collection::vec(arc(), 0..20).prop_map(Value::Oid),
    ]
}

fn table() -> impl Strategy<Value = Table> {
    let row = proptest::collection::btree_map(1_u32..21, value(), 0..12).prop_map(Row);
    proptest::collection::btree_map(proptest::collection::vec(arc(), 0..18), row, 0..5)
        .prop_map(Table)
}

fn check(scope: &str, seen: Vec<Observation>) {
    let complaints = complaints(&crate::SnmpCollector, scope, &seen);
    assert!(complaints.is_empty(), "{complaints:?}");
    for one in &seen {
        assert!(one.native_key.len() <= model::observation::NATIVE_KEY_LENGTH_MAX);
    }
}

proptest! {
    #[test]
    fn any_tables_give_observations_that_the_catalog_allows(
        one in table(), two in table(), three in table(), four in table(),
    ) {
        let site = Realm::site("berlin");
        check("interfaces", interfaces::hostile(&one, &two, &three, &four));
        check("neighbors", neighbors::hostile((&one, &two), (&three, &four), &site));
        check("vlans", forwarding::hostile_vlans((&one, &two), &three, &four));
        check("forwarding", forwarding::hostile_entries((&one, &two), &three, &four));
        check("addresses", addresses::hostile((&one, &two), &three, &four));
        check("routes", routes::hostile((&one, &two), &three));
        check("peers", peers::observe(&one, &two, &site));
        check("components", components::observe(&one));
        check("sensors", sensors::observe(&one, &two));
        check("storage", host::observe_storage(&one, &two).into_values().collect());
        check("software", host::observe_software(&one).into_values().collect());
        check("supplies", power::observe_supplies(&one));
    }
}
