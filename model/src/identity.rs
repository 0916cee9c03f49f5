//! Identity keys: the typed evidence by which a sighting is recognized.
//!
//! A key's type decides its tier, how much it weighs and whether an item can have only one of it. What is no
//! evidence at all (junk serials, shared addresses) is dropped by [`IdentityKey::new`], in one place.

use serde::{Deserialize, Serialize};

/// How strong a type of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Issued by the platform or by us: one value, one item.
    Native,
    /// Burnt into hardware.
    Hardware,
    /// Made at installation; clones share it.
    Installation,
    /// Of the network; moves between items.
    Network,
    /// What people call it.
    Label,
}

macro_rules! key_types {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $tier:ident, $bits:literal, $single:literal;)+) => {
        /// The types of identity keys, strongest first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum KeyType {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl KeyType {
            /// Every type, strongest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that the wire, the store and the APIs use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// How strong this type of evidence is.
            #[must_use]
            pub const fn tier(self) -> Tier {
                match self { $(Self::$variant => Tier::$tier,)+ }
            }

            /// The starting weight in bits: log2 of how much likelier equality is for the same thing than by chance.
            #[must_use]
            pub const fn bits(self) -> i32 {
                match self { $(Self::$variant => $bits,)+ }
            }

            /// Whether one item has only one value of this type, so that two different values speak against it.
            #[must_use]
            pub const fn is_single(self) -> bool {
                match self { $(Self::$variant => $single,)+ }
            }
        }
    };
}

key_types! {
    /// The id of the agent that describes its own host.
    AgentKey = "agent_key", Native, 100, true;
    /// The id that a cloud gave: ARN, resource id, self link.
    CloudId = "cloud_id", Native, 100, true;
    /// The id that a container engine gave, within its host.
    ContainerId = "container_id", Native, 100, true;
    /// The SMBIOS system UUID (DSP0134, type 1), lower case with hyphens.
    SmbiosUuid = "smbios_uuid", Hardware, 26, true;
    /// Vendor and serial number of the chassis or system, as `vendor/serial`.
    ChassisSerial = "chassis_serial", Hardware, 24, true;
    /// Vendor and serial number of the main board, as `vendor/serial`.
    BoardSerial = "board_serial", Hardware, 20, true;
    /// World wide name of a disk or port.
    WorldWideName = "world_wide_name", Hardware, 26, true;
    /// Model and serial number of a disk, as `model/serial`.
    DiskSerial = "disk_serial", Hardware, 22, true;
    /// The systemd or D-Bus machine id of an installation.
    MachineId = "machine_id", Installation, 18, true;
    /// SHA-256 of an SSH host key, in OpenSSH's base64 form.
    SshHostKey = "ssh_host_key", Installation, 14, false;
    /// SHA-256 of a certificate's subject public key.
    CertificateKey = "certificate_key", Installation, 10, false;
    /// A globally administered MAC address, lower case with colons.
    MacAddress = "mac_address", Network, 8, false;
    /// Fully qualified host name, lower case, in its realm.
    Fqdn = "fqdn", Network, 6, true;
    /// IP address in its realm, at that time.
    IpAddress = "ip_address", Network, 3, false;
    /// Short host name, lower case.
    HostName = "host_name", Label, 2, true;
    /// The name that the user's own class declares as its key.
    UserKey = "user_key", Label, 30, true;
}

impl KeyType {
    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key_type| key_type.name() == name)
    }
}

/// The scope inside which a value means one thing: a site, a VRF, a tenant, an account, a host.
///
/// Empty means everywhere. Loopback, link-local and container-bridge addresses have their host as realm.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Realm(pub String);

impl Realm {
    /// Everywhere.
    #[must_use]
    pub fn everywhere() -> Self {
        Self::default()
    }

    /// Inside the site of that name.
    #[must_use]
    pub fn site(name: &str) -> Self {
        Self(format!("site:{name}"))
    }
}

/// One piece of evidence: a typed value in its realm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdentityKey {
    /// What kind of value it is.
    pub key_type: KeyType,
    /// Where the value means one thing.
    pub realm: Realm,
    /// The value after normalization.
    pub value: String,
}

/// The longest value that is taken as evidence; ARNs and certificate names stay below it.
pub const VALUE_LENGTH_MAX: usize = 512;

/// Values that firmware and images carry instead of an identity, lower case.
const JUNK: &[&str] = &[
    "to be filled by o.e.m.",
    "system product name",
    "system manufacturer",
    "system serial number",
    "default string",
    "not specified",
    "not applicable",
    "not available",
    "n/a",
    "na",
    "none",
    "empty",
    "unknown",
    "builtin",
    "default",
    "0123456789",
    "1234567890",
    "123456789",
    "00000000",
    "type1sku0",
    "sku",
    "localhost",
    "localhost.localdomain",
    "03000200-0400-0500-0006-000700080009",
    "uninitialized",
];

impl IdentityKey {
    /// The key of a normalized value; `None` when the value is no evidence.
    ///
    /// Trims, folds case and spaces, and drops junk: known placeholders, a run of one letter, a serial shorter
    /// than four letters, MAC addresses that are zero, multicast, locally administered or virtual (VRRP, HSRP).
    #[must_use]
    pub fn new(key_type: KeyType, realm: Realm, value: &str) -> Option<Self> {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if value.is_empty() || value.len() > VALUE_LENGTH_MAX {
            return None;
        }
        let value = match key_type {
            KeyType::SshHostKey | KeyType::CloudId | KeyType::UserKey => value,
            _ => value.to_lowercase(),
        };
        let acceptable = match key_type {
            KeyType::SmbiosUuid | KeyType::MachineId => !is_junk(&value) && value.len() >= 32,
            KeyType::ChassisSerial | KeyType::BoardSerial | KeyType::DiskSerial => {
                let serial = value.rsplit('/').next().unwrap_or(&value);
                !is_junk(serial) && serial.len() >= 4
            }
            KeyType::MacAddress => is_global_mac(&value),
            KeyType::Fqdn => value.contains('.') && !is_junk(&value),
            KeyType::HostName => !is_junk(&value),
            _ => true,
        };
        acceptable.then_some(Self { key_type, realm, value })
    }
}

fn is_junk(value: &str) -> bool {
    let mut letters = value.chars().filter(|letter| *letter != '-' && *letter != ' ');
    let first = letters.next();
    JUNK.contains(&value) || letters.all(|letter| Some(letter) == first)
}

/// Whether a MAC address was given by a manufacturer to one port (IEEE 802-2014, 8.2).
fn is_global_mac(value: &str) -> bool {
    let octets: Option<Vec<u8>> =
        value.split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    match octets.as_deref() {
        Some([first, rest @ ..]) if rest.len() == 5 => {
            let is_multicast_or_local = first & 0b11 != 0;
            let is_zero = *first == 0 && rest.iter().all(|octet| *octet == 0);
            let is_virtual_router = value.starts_with("00:00:5e:00:01:")
                || value.starts_with("00:00:5e:00:02:")
                || value.starts_with("00:00:0c:07:ac:");
            !is_multicast_or_local && !is_zero && !is_virtual_router
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key_type: KeyType, value: &str) -> Option<String> {
        IdentityKey::new(key_type, Realm::everywhere(), value).map(|key| key.value)
    }

    #[test]
    fn junk_serials_are_no_evidence() {
        for junk in
            ["Dell Inc./To Be Filled By O.E.M.", "HP/0000000000", "x/123", "Dell/Default string"]
        {
            assert_eq!(key(KeyType::ChassisSerial, junk), None, "{junk}");
        }
        assert_eq!(
            key(KeyType::ChassisSerial, " Dell Inc./7CX2K13  "),
            Some("dell inc./7cx2k13".into())
        );
    }

    #[test]
    fn addresses_that_many_things_share_are_no_evidence() {
        for mac in [
            "00:00:00:00:00:00",
            "01:00:5e:00:00:01",
            "02:42:ac:11:00:02",
            "00:00:5e:00:01:0a",
            "nonsense",
        ] {
            assert_eq!(key(KeyType::MacAddress, mac), None, "{mac}");
        }
        assert_eq!(key(KeyType::MacAddress, "3C:EC:EF:12:34:56"), Some("3c:ec:ef:12:34:56".into()));
    }

    #[test]
    fn a_uuid_of_zeros_or_of_a_known_board_is_no_evidence() {
        assert_eq!(key(KeyType::SmbiosUuid, "00000000-0000-0000-0000-000000000000"), None);
        assert_eq!(key(KeyType::SmbiosUuid, "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"), None);
        assert_eq!(key(KeyType::SmbiosUuid, "03000200-0400-0500-0006-000700080009"), None);
        assert!(key(KeyType::SmbiosUuid, "4C4C4544-0043-5810-8032-B7C04F4B3133").is_some());
    }

    #[test]
    fn types_are_listed_strongest_first_and_their_names_are_unique() {
        assert!(KeyType::ALL.is_sorted_by_key(|key_type| key_type.tier()));
        for key_type in KeyType::ALL {
            assert_eq!(KeyType::from_name(key_type.name()), Some(*key_type));
        }
    }
}
