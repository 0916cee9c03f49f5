//! Other spellings of the same evidence, and what one piece of evidence says of another.
//!
//! *Alternates* are the same value as other sources write it: a UUID in its other byte order, a serial number under
//! another name of its vendor. They make classes of equal keys: `a` is an alternate of `b` exactly when `b` is one of
//! `a`, and all of a class have the same [`canonical`] key. What is *implied* is evidence of another type that follows
//! from a key: Dell writes its service tag into the UUID, VMware the UUID into the serial number.
//!
//! The hash of a key is stored and does not change: whoever looks for evidence looks under the key's own hash and those
//! of its alternates, or keeps an index of canonical keys beside it.

use super::normalize::{engine_mac, is_mac_text, mac_text, serial_part};
use super::{IdentityKey, KeyType, Realm};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use uuid::Uuid;

/// The most alternates that a key has: the spellings of one vendor.
pub const ALTERNATES_MAX: usize = 8;

const SHIPPED_VENDORS: &str = include_str!("../../data/vendors.toml");

/// Every spelling with all spellings of its vendor.
static VENDORS: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the text is part of the program, and a test reads it")]
    let file: BTreeMap<String, Vec<String>> =
        toml::from_str(SHIPPED_VENDORS).expect("the shipped list of vendors is well formed");
    let mut vendors = HashMap::new();
    for (name, mut spellings) in file {
        spellings.push(name);
        spellings.sort();
        for spelling in &spellings {
            vendors.insert(spelling.clone(), spellings.clone());
        }
    }
    vendors
});

/// The same evidence as other sources write it, sorted, without the key itself; at most [`ALTERNATES_MAX`].
///
/// The SMBIOS specification changed the byte order of a UUID's first three fields, and firmware, hypervisors and
/// management controllers follow one or the other.
#[must_use]
pub fn alternates(key: &IdentityKey) -> Vec<IdentityKey> {
    let with = |value: String| IdentityKey { value, ..key.clone() };
    match key.key_type {
        KeyType::SmbiosUuid
        | KeyType::KubernetesSystemUuid
        | KeyType::ManagementUuid
        | KeyType::VirtualMachineUuid => swapped_uuid(&key.value)
            .filter(|other| *other != key.value)
            .map(with)
            .into_iter()
            .collect(),
        KeyType::ChassisSerial
        | KeyType::BoardSerial
        | KeyType::SystemSerial
        | KeyType::ServiceTag => {
            let Some((vendor, serial)) = key.value.split_once('/') else { return Vec::new() };
            let spellings = VENDORS.get(vendor).map(Vec::as_slice).unwrap_or_default();
            let others = spellings.iter().filter(|spelling| *spelling != vendor);
            others
                .map(|spelling| with(format!("{spelling}/{serial}")))
                .filter(|key| key.value.len() <= super::VALUE_LENGTH_MAX)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The least of a key and its alternates: equal for all spellings of the same evidence.
#[must_use]
pub fn canonical(key: &IdentityKey) -> IdentityKey {
    let least = alternates(key).into_iter().min();
    match least {
        Some(other) if other < *key => other,
        _ => key.clone(),
    }
}

/// The evidence of other types that follows from a key, sorted.
///
/// It repeats what the key says in words of other sources, so that of a key and what it implies only the stronger
/// counts when both are equal: see [`is_implied_by`].
#[must_use]
pub fn implied(key: &IdentityKey) -> Vec<IdentityKey> {
    let everywhere = |key_type, value: &str| IdentityKey::new(key_type, Realm::everywhere(), value);
    let mac = |octets| everywhere(KeyType::MacAddress, &mac_text(octets));
    let mut found: Vec<IdentityKey> = match key.key_type {
        KeyType::SmbiosUuid => {
            let tag = dell_service_tag(&key.value).map(|tag| format!("dell/{tag}"));
            let kubelet = everywhere(KeyType::KubernetesSystemUuid, &key.value);
            let tag = tag.and_then(|tag| everywhere(KeyType::ServiceTag, &tag));
            kubelet.into_iter().chain(tag).collect()
        }
        KeyType::ChassisSerial | KeyType::SystemSerial => {
            let serial = serial_part(&key.value);
            let vendor = key.value.split_once('/').map_or("", |(vendor, _)| vendor);
            let is_dell =
                VENDORS.get(vendor).is_some_and(|all| all.iter().any(|one| one == "dell"));
            let is_tag = is_dell && is_service_tag(serial);
            let tag = is_tag.then(|| everywhere(KeyType::ServiceTag, &format!("dell/{serial}")));
            let uuid =
                serial.starts_with("vmware-").then(|| everywhere(KeyType::SmbiosUuid, serial));
            tag.flatten().into_iter().chain(uuid.flatten()).collect()
        }
        KeyType::PermanentMacAddress => {
            everywhere(KeyType::MacAddress, &key.value).into_iter().collect()
        }
        KeyType::LldpChassisId if is_mac_text(&key.value) => {
            everywhere(KeyType::MacAddress, &key.value).into_iter().collect()
        }
        KeyType::SnmpEngineId => engine_mac(&key.value).and_then(mac).into_iter().collect(),
        KeyType::Fqdn => {
            let short = key.value.split('.').next().unwrap_or_default();
            IdentityKey::new(KeyType::HostName, key.realm.clone(), short).into_iter().collect()
        }
        KeyType::CloudId => {
            let instance = key
                .value
                .strip_prefix("arn:aws:ec2:")
                .and_then(|rest| rest.split_once(":instance/"))
                .and_then(|(_, id)| everywhere(KeyType::CloudId, &format!("aws/{id}")));
            instance.into_iter().collect()
        }
        _ => Vec::new(),
    };
    found.sort();
    found
}

/// Whether evidence of the type `weak` may only repeat what evidence of the type `strong` says.
#[must_use]
pub const fn is_implied_by(weak: KeyType, strong: KeyType) -> bool {
    use KeyType::{
        ChassisSerial, Fqdn, HostName, KubernetesSystemUuid, LldpChassisId, MacAddress,
        PermanentMacAddress, ServiceTag, SmbiosUuid, SnmpEngineId, SystemSerial,
    };
    matches!(
        (weak, strong),
        (KubernetesSystemUuid, SmbiosUuid)
            | (ServiceTag, SmbiosUuid | ChassisSerial | SystemSerial)
            | (SmbiosUuid, ChassisSerial | SystemSerial)
            | (HostName, Fqdn)
            | (MacAddress, PermanentMacAddress | LldpChassisId | SnmpEngineId)
    )
}

/// A UUID with its first three fields in the other byte order.
pub(super) fn swapped_uuid(value: &str) -> Option<String> {
    let uuid = Uuid::try_parse(value).ok()?;
    Some(Uuid::from_bytes(uuid.to_bytes_le()).as_hyphenated().to_string())
}

/// The service tag that Dell writes into a system's UUID, in either byte order; lower case.
///
/// In `4c4c4544-0043-5810-8032-b7c04f4b3133` the letters of `7cx2k13` stand between constant octets.
#[must_use]
pub fn dell_service_tag(uuid: &str) -> Option<String> {
    let uuid = Uuid::try_parse(uuid).ok()?;
    [uuid.into_bytes(), uuid.to_bytes_le()].into_iter().find_map(tag_in)
}

fn tag_in(octets: [u8; 16]) -> Option<String> {
    let [
        0x4c,
        0x4c,
        0x45,
        0x44,
        0x00,
        two,
        three,
        0x10,
        0x80,
        four,
        one,
        0xc0,
        0x4f,
        five,
        six,
        seven,
    ] = octets
    else {
        return None;
    };
    let letters = [one & 0x7f, two, three, four, five, six, seven].map(char::from);
    let tag: String = letters.iter().collect::<String>().to_lowercase();
    is_service_tag(&tag).then_some(tag)
}

fn is_service_tag(text: &str) -> bool {
    text.len() == 7 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
