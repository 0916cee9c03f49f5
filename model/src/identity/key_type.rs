//! The types of identity keys: how strong each is, how much it weighs, whether an item has only one of it, and
//! where its values mean one thing.
//!
//! Names are stored and sent as text, so types are added freely and never renamed or reused.

use super::normalize::Form;
use super::realm::RealmRule;
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
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $name:literal, $tier:ident, $bits:literal, single $single:literal, realm $realm:ident, form $form:ident;
    )+) => {
        /// The types of identity keys, strongest first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum KeyType {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl KeyType {
            /// Every type, strongest tier first.
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

            /// Where its values mean one thing.
            #[must_use]
            pub const fn realm_rule(self) -> RealmRule {
                match self { $(Self::$variant => RealmRule::$realm,)+ }
            }

            /// The form that its values have.
            pub(super) const fn form(self) -> Form {
                match self { $(Self::$variant => Form::$form,)+ }
            }
        }
    };
}

key_types! {
    /// The id of the agent that describes its own host.
    AgentKey = "agent_key", Native, 100, single true, realm Everywhere, form Folded;
    /// The id that a cloud gave: ARN, resource id, self link, or `provider/instance`.
    CloudId = "cloud_id", Native, 100, single true, realm Everywhere, form Cloud;
    /// The id that a container engine gave, within its host.
    ContainerId = "container_id", Native, 100, single true, realm Kept, form Folded;
    /// The uid of an object of Kubernetes, in its cluster.
    KubernetesUid = "kubernetes_uid", Native, 100, single true, realm Needed, form Uuid;
    /// The managed object reference of vCenter, in the vCenter of that instance UUID.
    VcenterReference = "vcenter_reference", Native, 100, single true, realm Needed, form Folded;
    /// The UUID that a hypervisor or its manager gave a virtual machine, in the realm of that manager.
    VirtualMachineUuid = "virtual_machine_uuid", Native, 100, single true, realm Needed, form Uuid;
    /// The SMBIOS system UUID (DSP0134, type 1), lower case with hyphens.
    SmbiosUuid = "smbios_uuid", Hardware, 26, single true, realm Everywhere, form Uuid;
    /// Vendor and serial number of the chassis, as `vendor/serial`; of the system where a source does not tell them
    /// apart.
    ChassisSerial = "chassis_serial", Hardware, 24, single true, realm Everywhere, form Serial;
    /// Vendor and serial number of the main board, as `vendor/serial`.
    BoardSerial = "board_serial", Hardware, 20, single true, realm Everywhere, form Serial;
    /// World wide name of a disk or port: NAA or EUI-64, hexadecimal without prefix.
    WorldWideName = "world_wide_name", Hardware, 26, single true, realm Everywhere, form WorldWideName;
    /// Model and serial number of a disk, as `model/serial`.
    DiskSerial = "disk_serial", Hardware, 22, single true, realm Everywhere, form Serial;
    /// Vendor and serial number of the system (SMBIOS type 1, Redfish system), as `vendor/serial`.
    SystemSerial = "system_serial", Hardware, 24, single true, realm Everywhere, form Serial;
    /// Vendor and service tag, as `vendor/tag`. Redfish of Dell gives it as `SKU`, and the board's serial number as
    /// `SerialNumber`.
    ServiceTag = "service_tag", Hardware, 24, single true, realm Everywhere, form Serial;
    /// SHA-256 of the public endorsement key of a trusted platform module, hexadecimal.
    TpmKey = "tpm_key", Hardware, 26, single true, realm Everywhere, form Digest;
    /// UUID of a management controller, as Redfish and IPMI give it.
    ManagementUuid = "management_uuid", Hardware, 26, single true, realm Everywhere, form Uuid;
    /// MAC address that is burnt into a port.
    PermanentMacAddress = "permanent_mac_address", Hardware, 20, single false, realm Everywhere, form Mac;
    /// The systemd or D-Bus machine id of an installation, 32 hexadecimal digits; the kubelet's too.
    MachineId = "machine_id", Installation, 18, single true, realm Everywhere, form MachineId;
    /// SHA-256 of an SSH host key, in OpenSSH's base64 form.
    SshHostKey = "ssh_host_key", Installation, 14, single false, realm Everywhere, form Exact;
    /// SHA-256 of a certificate's subject public key.
    CertificateKey = "certificate_key", Installation, 10, single false, realm Everywhere, form Folded;
    /// The `MachineGuid` of a Windows installation.
    WindowsMachineGuid = "windows_machine_guid", Installation, 18, single true, realm Everywhere, form Uuid;
    /// The engine id of an SNMP agent (RFC 3411, section 5), hexadecimal.
    SnmpEngineId = "snmp_engine_id", Installation, 16, single true, realm Everywhere, form EngineId;
    /// The chassis id that LLDP announces: a MAC address everywhere, any other text in its realm.
    LldpChassisId = "lldp_chassis_id", Installation, 14, single true, realm Kept, form ChassisId;
    /// The system UUID that the kubelet reports; on most machines the SMBIOS system UUID, at the word of software.
    KubernetesSystemUuid = "kubernetes_system_uuid", Installation, 12, single true, realm Everywhere, form Uuid;
    /// A globally administered MAC address, lower case with colons.
    MacAddress = "mac_address", Network, 8, single false, realm Everywhere, form Mac;
    /// Fully qualified host name, lower case, in its realm.
    Fqdn = "fqdn", Network, 6, single true, realm Kept, form Fqdn;
    /// IP address in its realm, at that time.
    IpAddress = "ip_address", Network, 3, single false, realm Address, form Address;
    /// Short host name, lower case.
    HostName = "host_name", Label, 2, single true, realm Kept, form HostName;
    /// The name that the user's own class declares as its key.
    UserKey = "user_key", Label, 30, single true, realm Kept, form Exact;
    /// The asset tag that people gave; a label until a rule declares it trustworthy.
    AssetTag = "asset_tag", Label, 6, single true, realm Kept, form Tag;
    /// The name that a device says of itself (SNMP `sysName`, LLDP system name).
    SystemName = "system_name", Label, 2, single true, realm Kept, form HostName;
    /// The name that a manager shows for it (hypervisor, cloud console, monitoring).
    DisplayName = "display_name", Label, 1, single false, realm Kept, form HostName;
}

impl KeyType {
    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key_type| key_type.name() == name)
    }

    /// Whether a value names one item of a class, so that equality decides and two items cannot share it.
    ///
    /// The other direction is [`Self::is_single`]: whether an item has only one value.
    #[must_use]
    pub const fn names_one(self) -> bool {
        matches!(self.tier(), Tier::Native)
    }
}
