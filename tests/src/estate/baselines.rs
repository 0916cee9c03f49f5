//! What other products do by default, in a few lines each: ordered rules, the first that finds something wins.
//!
//! They are fed the same sightings in the same order. What one source reports together, such as a host with its
//! hardware, is one payload to them, as it is in those products. Junk is dropped before, by the product's own list,
//! which is more than some of them do. Scopes of names and addresses are unknown to their default rules.

use super::{Class, Sighting};
use model::KeyType;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a rule compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Serial number of the system.
    Serial,
    /// UUID of the system.
    Uuid,
    /// Short host name.
    Name,
    /// Host name with its domain.
    Fqdn,
    /// Any one of the hardware addresses.
    Mac,
    /// Machine id of the installation.
    MachineId,
    /// Kind of device; known of a payload that says more than an address.
    Type,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// An item with all these equal is it.
    Find(&'static [Field]),
    /// An item with all these equal that has no value of another field is it.
    FindWithout(&'static [Field], Field),
    /// What has all these is new when nothing before was it.
    New(&'static [Field]),
}

/// A product's default rules.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The name under which it is reported.
    pub name: &'static str,
    /// The rules in their order.
    pub order: &'static [Step],
    /// Whether a rule that finds several finds nothing.
    pub wants_unique: bool,
}

/// The products.
pub const ALL: [Rules; 5] = [SERVICENOW, GLPI, DEVICE42, OPEN_AUDIT, CARTOGRAPHY];

/// ServiceNow's identification rule of the class Hardware: serial number with its type (priority 100), serial number
/// (200), name (300), network adapter by MAC address and name (400).
/// Source: ServiceNow documentation, *Identification rules* and *Hardware rule*.
pub const SERVICENOW: Rules = Rules {
    name: "servicenow_rules",
    order: &[
        Step::Find(&[Field::Serial, Field::Type]),
        Step::Find(&[Field::Serial]),
        Step::Find(&[Field::Name]),
        Step::Find(&[Field::Mac, Field::Name]),
    ],
    wants_unique: false,
};

/// GLPI's rules for importing and linking computers that are active by default: an item with serial number and UUID,
/// one with the serial number and no UUID; then what has both is new; then by serial number, by name. Those by UUID
/// alone and by MAC address are there and switched off. That nameless things are refused is left out.
/// Source: the default rules in `src/RuleImportAsset.php` of glpi-project/glpi, version 10.
pub const GLPI: Rules = Rules {
    name: "glpi_rules",
    order: &[
        Step::Find(&[Field::Serial, Field::Uuid]),
        Step::FindWithout(&[Field::Serial], Field::Uuid),
        Step::New(&[Field::Serial, Field::Uuid]),
        Step::Find(&[Field::Serial]),
        Step::Find(&[Field::Name]),
    ],
    wants_unique: false,
};

/// Device42's matching level *Classic*: serial number, UUID and name, in that order.
/// Source: docs.device42.com, *Unprocessed Device Records*.
pub const DEVICE42: Rules = Rules {
    name: "device42_rules",
    order: &[Step::Find(&[Field::Serial]), Step::Find(&[Field::Uuid]), Step::Find(&[Field::Name])],
    wants_unique: false,
};

/// Open-AudIT's match order with its defaults (by the machine id alone and by address alone are off): host name with
/// UUID, with machine id, with serial; FQDN; serial with type; serial; MAC address; host name.
/// Source: open-audit.com, *Matching Devices*.
pub const OPEN_AUDIT: Rules = Rules {
    name: "open_audit_rules",
    order: &[
        Step::Find(&[Field::Name, Field::Uuid]),
        Step::Find(&[Field::Name, Field::MachineId]),
        Step::Find(&[Field::Name, Field::Serial]),
        Step::Find(&[Field::Fqdn]),
        Step::Find(&[Field::Serial, Field::Type]),
        Step::Find(&[Field::Serial]),
        Step::Find(&[Field::Mac]),
        Step::Find(&[Field::Name]),
    ],
    wants_unique: false,
};

/// Cartography's canonical devices: by serial number, else by a host name that only one device has.
/// Source: cartography-cncf.github.io, *Ontology in Cartography*.
pub const CARTOGRAPHY: Rules = Rules {
    name: "cartography_rules",
    order: &[Step::Find(&[Field::Serial]), Step::Find(&[Field::Name])],
    wants_unique: true,
};

/// What a payload says: values by field, hashed.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    values: BTreeMap<Field, Vec<u64>>,
    /// The records that it reports.
    records: Vec<u64>,
}

impl Payload {
    /// The payloads of an asset's sightings of one day: what has the same source and device is one.
    #[must_use]
    pub fn group(seen: &[Sighting]) -> Vec<Self> {
        let mut groups: BTreeMap<u64, Self> = BTreeMap::new();
        for sighting in seen {
            groups.entry(sighting.device).or_default().add(sighting);
        }
        groups.into_values().collect()
    }

    fn add(&mut self, seen: &Sighting) {
        self.records.push(seen.record);
        for key in seen.keys() {
            let (field, value) = match key.key_type {
                KeyType::ChassisSerial => (Field::Serial, key.value.rsplit('/').next()),
                KeyType::SmbiosUuid => (Field::Uuid, Some(key.value.as_str())),
                KeyType::MachineId => (Field::MachineId, Some(key.value.as_str())),
                KeyType::MacAddress => (Field::Mac, Some(key.value.as_str())),
                KeyType::HostName => (Field::Name, Some(key.value.as_str())),
                KeyType::Fqdn => (Field::Fqdn, Some(key.value.as_str())),
                _ => continue,
            };
            if field == Field::Fqdn {
                self.put(Field::Name, value.and_then(|name| name.split('.').next()));
            }
            self.put(field, value);
        }
        if seen.class == Class::Hardware {
            self.put(Field::Type, Some(seen.vendor));
        }
    }

    fn put(&mut self, field: Field, value: Option<&str>) {
        let Some(value) = value else { return };
        let values = self.values.entry(field).or_default();
        let hash = hash_of(&value);
        if !values.contains(&hash) {
            values.push(hash);
        }
    }

    /// The keys that a rule makes of it: nothing when a field is missing.
    fn keys(&self, rule: &[Field]) -> Vec<u64> {
        let mut keys = vec![hash_of(&rule)];
        for field in rule {
            let Some(values) = self.values.get(field) else { return Vec::new() };
            keys = keys
                .iter()
                .flat_map(|key| values.iter().map(move |value| hash_of(&(key, value))))
                .collect();
        }
        keys
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// How many holders of a key are remembered: enough to know that it is not unique and to find one that is current.
const HOLDERS_MAX: usize = 8;

/// A product with ordered rules at work.
#[derive(Debug)]
pub struct Matcher {
    rules: Rules,
    /// The values of each field that an item has now.
    items: Vec<BTreeMap<Field, Vec<u64>>>,
    keys: HashMap<u64, Vec<usize>>,
    record_items: HashMap<u64, usize>,
}

impl Matcher {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, items: Vec::new(), keys: HashMap::new(), record_items: HashMap::new() }
    }

    /// Takes in a payload: finds its item by the first rule that matches, or makes a new one, and updates it.
    pub fn take(&mut self, payload: &Payload) {
        let item = self.decide(payload).unwrap_or_else(|| {
            self.items.push(BTreeMap::new());
            self.items.len() - 1
        });
        if let Some(known) = self.items.get_mut(item) {
            for (field, values) in &payload.values {
                let held = known.entry(*field).or_default();
                // Interfaces are rows of their own and stay; everything else is overwritten.
                if *field == Field::Mac {
                    held.extend(
                        values
                            .iter()
                            .filter(|value| !held.contains(value))
                            .copied()
                            .collect::<Vec<_>>(),
                    );
                } else {
                    held.clone_from(values);
                }
            }
        }
        self.note(payload, item);
        for record in &payload.records {
            self.record_items.insert(*record, item);
        }
    }

    fn decide(&self, payload: &Payload) -> Option<usize> {
        for step in self.rules.order {
            match step {
                Step::New(fields) if !payload.keys(fields).is_empty() => return None,
                Step::New(_) => {}
                Step::Find(fields) => {
                    if let Some(item) = self.find(payload, fields, None) {
                        return Some(item);
                    }
                }
                Step::FindWithout(fields, lacking) => {
                    if let Some(item) = self.find(payload, fields, Some(*lacking)) {
                        return Some(item);
                    }
                }
            }
        }
        None
    }

    fn note(&mut self, payload: &Payload, item: usize) {
        for step in self.rules.order {
            let (Step::Find(rule) | Step::FindWithout(rule, _)) = step else { continue };
            for key in payload.keys(rule) {
                let holders = self.keys.entry(key).or_default();
                if !holders.contains(&item) && holders.len() < HOLDERS_MAX {
                    holders.push(item);
                }
            }
        }
    }

    fn find(&self, payload: &Payload, rule: &[Field], lacking: Option<Field>) -> Option<usize> {
        let lacks = |item: usize| {
            let known = self.items.get(item);
            lacking.is_none_or(|field| known.is_some_and(|known| !known.contains_key(&field)))
        };
        for key in payload.keys(rule) {
            let Some(holders) = self.keys.get(&key) else { continue };
            let mut current = holders
                .iter()
                .copied()
                .filter(|item| self.has(*item, payload, rule) && lacks(*item));
            let first = current.next();
            if self.rules.wants_unique && current.next().is_some() {
                continue;
            }
            if first.is_some() {
                return first;
            }
        }
        None
    }

    /// Whether an item still has what a rule compares.
    fn has(&self, item: usize, payload: &Payload, rule: &[Field]) -> bool {
        let Some(known) = self.items.get(item) else { return false };
        rule.iter().all(|field| match (known.get(field), payload.values.get(field)) {
            (Some(held), Some(said)) => said.iter().any(|value| held.contains(value)),
            _ => false,
        })
    }

    /// The item that a record was put into.
    #[must_use]
    pub fn item_of(&self, record: u64) -> Option<u64> {
        self.record_items.get(&record).and_then(|item| u64::try_from(*item).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(record: u64, values: &[(Field, &str)]) -> Payload {
        let mut payload = Payload { records: vec![record], ..Payload::default() };
        for (field, value) in values {
            payload.put(*field, Some(value));
        }
        payload
    }

    fn run(rules: Rules, payloads: &[Payload]) -> Vec<Option<u64>> {
        let mut matcher = Matcher::new(rules);
        payloads.iter().for_each(|payload| matcher.take(payload));
        payloads.iter().map(|payload| matcher.item_of(payload.records[0])).collect()
    }

    #[test]
    fn an_earlier_rule_wins_over_a_later_one() {
        let found = run(
            DEVICE42,
            &[
                payload(1, &[(Field::Serial, "a"), (Field::Name, "web")]),
                payload(2, &[(Field::Serial, "b"), (Field::Name, "db")]),
                payload(3, &[(Field::Serial, "b"), (Field::Name, "web")]),
            ],
        );
        assert_eq!(found, [Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn a_name_that_an_item_had_before_finds_it_no_longer() {
        let found = run(
            DEVICE42,
            &[
                payload(1, &[(Field::Serial, "a"), (Field::Name, "web")]),
                payload(2, &[(Field::Serial, "a"), (Field::Name, "web-new")]),
                payload(3, &[(Field::Name, "web")]),
            ],
        );
        assert_eq!(found, [Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn a_host_name_that_two_devices_have_finds_none_of_them_in_cartography() {
        let found = run(
            CARTOGRAPHY,
            &[
                payload(1, &[(Field::Serial, "a"), (Field::Name, "web")]),
                payload(2, &[(Field::Serial, "b"), (Field::Name, "x")]),
                payload(3, &[(Field::Serial, "b"), (Field::Name, "web")]),
                payload(4, &[(Field::Name, "web")]),
            ],
        );
        assert_eq!(found, [Some(0), Some(1), Some(1), Some(2)]);
    }

    #[test]
    fn in_glpi_a_known_serial_number_with_another_uuid_is_another_computer() {
        let found = run(
            GLPI,
            &[
                payload(1, &[(Field::Serial, "a"), (Field::Name, "web")]),
                payload(2, &[(Field::Serial, "a"), (Field::Uuid, "u"), (Field::Name, "web")]),
                payload(3, &[(Field::Serial, "a"), (Field::Uuid, "v"), (Field::Name, "web")]),
            ],
        );
        assert_eq!(found, [Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn a_rule_of_two_fields_wants_both() {
        let found = run(
            Rules {
                name: "both",
                order: &[Step::Find(&[Field::Mac, Field::Name])],
                wants_unique: false,
            },
            &[
                payload(1, &[(Field::Mac, "m"), (Field::Name, "web")]),
                payload(2, &[(Field::Mac, "m")]),
                payload(3, &[(Field::Mac, "m"), (Field::Name, "web")]),
            ],
        );
        assert_eq!(found, [Some(0), Some(1), Some(0)]);
    }
}
