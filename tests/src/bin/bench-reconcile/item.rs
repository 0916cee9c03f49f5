//! The item that the benchmarks `reconcile` and `ingest` send: one file, so that their figures are about the same.
//!
//! Twenty attributes, three identity keys and two relationships to items before it. Three attributes follow the number
//! of changes; about half of the values are unlike any other item's.

use model::classes::hardware;
use model::relationships::{MEMBER_OF, STORED_ON};
use model::{IdentityKey, KeyType, Name, Observation, Realm, RelationTarget, Value};

const ATTRIBUTES: [&str; 20] = [
    "vendor",
    "product_name",
    "product_version",
    "product_family",
    "product_sku",
    "serial_number",
    "system_uuid",
    "chassis_type",
    "chassis_vendor",
    "chassis_version",
    "chassis_serial",
    "asset_tag",
    "board_vendor",
    "board_name",
    "board_version",
    "board_serial",
    "firmware_vendor",
    "firmware_version",
    "firmware_date",
    "firmware_revision",
];

/// Items of one agent; the next one's begin behind them.
const ITEMS_MAX: u64 = 10_000_000;

/// One item of one agent, after so many changes.
pub(crate) fn item(agent: u64, index: u64, changes: u64) -> Observation {
    let unique = agent * ITEMS_MAX + index;
    let mut seen = Observation::of(&hardware::CLASS, format!("item-{index:07}"));
    for (place, name) in ATTRIBUTES.into_iter().enumerate() {
        let value = match place {
            17..20 => format!("{changes}.{}.{place}", index % 97),
            _ if place % 2 == 0 => format!("Acme {name} {}", index % 53),
            _ => format!("{name}-{unique:012x}"),
        };
        seen.facts.insert(Name::Borrowed(name), Value::Text(value));
    }
    let octets: Vec<String> =
        (0..4).rev().map(|byte| format!("{:02x}", unique >> (8 * byte) & 0xff)).collect();
    let uuid = format!("4c4c4544-0043-5810-{:04x}-{unique:012x}", agent + 0x8000);
    let key = |key_type, value: &str| IdentityKey::new(key_type, Realm::everywhere(), value);
    seen = seen
        .key(key(KeyType::SmbiosUuid, &uuid))
        .key(key(KeyType::ChassisSerial, &format!("acme/sn{unique:010}")))
        .key(key(KeyType::MacAddress, &format!("3c:ec:{}", octets.join(":"))));
    assert_eq!((seen.facts.len(), seen.keys.len()), (20, 3), "a key that is not taken");
    seen.relate(MEMBER_OF, RelationTarget::Native(format!("item-{:07}", index / 16)));
    let before = index.saturating_sub(1);
    seen.relate(STORED_ON, RelationTarget::Native(format!("item-{before:07}")));
    seen
}
