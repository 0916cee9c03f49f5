//! Each validator with what it drops and what it keeps.

use super::*;
use std::net::IpAddr;

fn key(key_type: KeyType, value: &str) -> Option<String> {
    IdentityKey::new(key_type, Realm::host("h"), value).map(|key| key.value)
}

fn why(key_type: KeyType, value: &str) -> Option<NoEvidence> {
    IdentityKey::check(key_type, Realm::everywhere(), value).err()
}

fn everywhere(key_type: KeyType, value: &str) -> IdentityKey {
    IdentityKey::check(key_type, Realm::everywhere(), value).unwrap()
}

#[test]
fn the_shipped_lists_are_well_formed_and_bounded() {
    assert!(Junk::shipped().len() > 80);
    assert!(Junk::shipped().len() < JUNK_VALUES_MAX);
    for spelling in ["dell inc.", "hp", "super micro computer, inc."] {
        let key = everywhere(KeyType::ChassisSerial, &format!("{spelling}/ABC1234"));
        assert!((1..=ALTERNATES_MAX).contains(&alternates(&key).len()), "{spelling}");
    }
}

#[test]
fn every_value_of_the_seed_list_is_junk() {
    let seed = "To Be Filled By O.E.M.|System Product Name|System manufacturer|System Serial Number|\
        Default string|Not Specified|Not Applicable|N/A|NA|None|empty|BUILTIN|Default|0123456789|\
        1234567890|123456789|00000000|0000000000000000|AAAAAAAA|Type1Sku0|SKU|................";
    for junk in seed.split('|') {
        for key_type in [
            KeyType::ChassisSerial,
            KeyType::BoardSerial,
            KeyType::DiskSerial,
            KeyType::SystemSerial,
            KeyType::ServiceTag,
        ] {
            for vendor in ["Dell Inc./", "A/B Systems/", "/", ""] {
                assert_eq!(key(key_type, &format!("{vendor}{junk}")), None, "{vendor}{junk}");
            }
        }
        assert_eq!(key(KeyType::AssetTag, junk), None, "{junk}");
    }
}

#[test]
fn values_are_trimmed_folded_and_their_spaces_collapsed() {
    // A BlueField card pads its serial number with 12 spaces.
    let padded = format!(" Mellanox  Technologies/MT2231X00123{}\0\0", " ".repeat(12));
    assert_eq!(
        key(KeyType::BoardSerial, &padded),
        Some("mellanox technologies/mt2231x00123".into())
    );
    assert_eq!(key(KeyType::ChassisSerial, "Dell Inc./7CX2K13"), Some("dell inc./7cx2k13".into()));
    assert_eq!(key(KeyType::SshHostKey, " SHA256:AbC "), Some("SHA256:AbC".into()));
}

#[test]
fn one_letter_ascending_digits_and_short_serial_numbers_are_no_evidence() {
    assert_eq!(why(KeyType::ChassisSerial, "x/XXXXXXX"), Some(NoEvidence::OneLetter));
    assert_eq!(why(KeyType::ChassisSerial, "x/-.-.-"), Some(NoEvidence::OneLetter));
    for ascending in ["12345678", "4567890123", "0123", "78901234567890"] {
        assert_eq!(why(KeyType::SystemSerial, ascending), Some(NoEvidence::Ascending));
    }
    assert_eq!(why(KeyType::ServiceTag, "dell/a1b"), Some(NoEvidence::TooShort));
    assert!(key(KeyType::ServiceTag, "dell/a1b2").is_some());
    assert!(key(KeyType::SystemSerial, "12345679").is_some());
}

#[test]
fn the_serial_number_of_a_board_may_have_slashes() {
    assert_eq!(
        key(KeyType::BoardSerial, "Dell Inc./.7CX2K13.CNFCP0012345678."),
        Some("dell inc./.7cx2k13.cnfcp0012345678.".into())
    );
    assert!(key(KeyType::BoardSerial, "Dell Inc.//7CX2K13/CNFCP0012345678/").is_some());
    assert_eq!(key(KeyType::BoardSerial, "Dell Inc.///"), None);
}

#[test]
fn mac_addresses_that_many_things_share_are_no_evidence() {
    for shared in [
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01", // multicast
        "02:42:ac:11:00:02", // docker
        "52:54:00:12:34:56", // locally administered
        "00:00:5e:00:01:0a", // VRRP for IPv4
        "00:00:5e:00:02:0a", // VRRP for IPv6
        "00:00:0c:07:ac:01", // HSRP
        "00:00:0c:9f:f0:01", // HSRP version 2
        "00:05:73:a0:00:01", // HSRP version 2 for IPv6
        "00:07:b4:00:01:01", // GLBP
    ] {
        assert_eq!(why(KeyType::MacAddress, shared), Some(NoEvidence::Shared), "{shared}");
        assert_eq!(why(KeyType::PermanentMacAddress, shared), Some(NoEvidence::Shared), "{shared}");
    }
    assert_eq!(why(KeyType::MacAddress, "00-50-56-C0-00-08"), Some(NoEvidence::Placeholder));
    for kept in ["00:00:0c:9f:e0:01", "00:05:73:a0:10:01", "00:00:5e:00:53:01", "00:07:b4:01:00:01"]
    {
        assert!(key(KeyType::MacAddress, kept).is_some(), "{kept}");
    }
}

#[test]
fn a_mac_address_is_the_same_in_every_way_of_writing_it() {
    for written in [
        "3C:EC:EF:12:34:06",
        "3c-ec-ef-12-34-06",
        "3cec.ef12.3406",
        "3CECEF123406",
        "3c:ec:ef:12:34:6",
    ] {
        assert_eq!(
            key(KeyType::MacAddress, written),
            Some("3c:ec:ef:12:34:06".into()),
            "{written}"
        );
    }
    for no in
        ["nonsense", "3c:ec:ef:12:34", "3c:ec:ef:12:34:56:78", "3c:ec:ef:12:34:+6", "éc:ec:ef:1"]
    {
        assert_eq!(why(KeyType::MacAddress, no), Some(NoEvidence::WrongForm), "{no}");
    }
}

#[test]
fn a_uuid_that_boards_share_is_no_evidence_in_either_byte_order() {
    for junk in [
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009",
        "00020003-0004-0005-0006-000700080009",
        "4C4C4544-0000-2010-8020-80C04F202020",
        "not settable",
        "1234",
    ] {
        assert_eq!(key(KeyType::SmbiosUuid, junk), None, "{junk}");
    }
    assert!(key(KeyType::SmbiosUuid, "4C4C4544-0043-5810-8032-B7C04F4B3133").is_some());
}

#[test]
fn both_byte_orders_of_a_uuid_are_the_same_evidence() {
    let one = everywhere(KeyType::SmbiosUuid, "4C4C4544-0043-5810-8032-B7C04F4B3133");
    let other = everywhere(KeyType::SmbiosUuid, "44454c4c-4300-1058-8032-b7c04f4b3133");
    assert_eq!(alternates(&one), std::slice::from_ref(&other));
    assert_eq!(alternates(&other), std::slice::from_ref(&one));
    assert_eq!(canonical(&one), canonical(&other));
    let palindrome = everywhere(KeyType::SmbiosUuid, "abababab-cdcd-efef-8032-b7c04f4b3133");
    assert_eq!(alternates(&palindrome), []);
}

#[test]
fn a_uuid_of_dell_gives_its_service_tag() {
    for uuid in ["4C4C4544-0043-5810-8032-B7C04F4B3133", "44454c4c-4300-1058-8032-b7c04f4b3133"] {
        assert_eq!(dell_service_tag(uuid), Some("7cx2k13".into()), "{uuid}");
        let tags = implied(&everywhere(KeyType::SmbiosUuid, uuid));
        assert!(tags.contains(&everywhere(KeyType::ServiceTag, "Dell/7CX2K13")), "{uuid}");
    }
    for other in [
        "4c4c4544-0043-5810-8032-b7c05f4b3133", // not Dell's constant octets
        "4c4c4544-0000-2010-8020-80c04f202020", // a tag of spaces
        "564d1f2e-3c4b-5a69-7887-96a5b4c3d2e1",
    ] {
        assert_eq!(dell_service_tag(other), None, "{other}");
    }
}

#[test]
fn the_serial_number_of_dell_is_its_service_tag() {
    let tag = everywhere(KeyType::ServiceTag, "dell/7cx2k13");
    for vendor in ["Dell Inc.", "Dell EMC", "dell"] {
        let serial = everywhere(KeyType::ChassisSerial, &format!("{vendor}/7CX2K13"));
        assert_eq!(implied(&serial), std::slice::from_ref(&tag), "{vendor}");
    }
    assert_eq!(implied(&everywhere(KeyType::ChassisSerial, "HPE/7CX2K13")), []);
}

#[test]
fn the_serial_number_of_a_virtual_machine_of_vmware_is_its_uuid() {
    let uuid = everywhere(KeyType::SmbiosUuid, "564d1f2e-3c4b-5a69-7887-96a5b4c3d2e1");
    let written = "VMware-56 4d 1f 2e 3c 4b 5a 69-78 87 96 a5 b4 c3 d2 e1";
    let serial = everywhere(KeyType::ChassisSerial, &format!("VMware, Inc./{written}"));
    assert_eq!(implied(&serial), std::slice::from_ref(&uuid));
    assert_eq!(everywhere(KeyType::SmbiosUuid, written), uuid);
}

#[test]
fn a_vendor_is_the_same_in_every_way_of_writing_it() {
    let one = everywhere(KeyType::ChassisSerial, "Dell Inc./7CX2K13");
    let other = everywhere(KeyType::ChassisSerial, "DELL EMC/7cx2k13");
    assert!(alternates(&one).contains(&other));
    assert_eq!(canonical(&one), canonical(&other));
    let unknown = everywhere(KeyType::ChassisSerial, "Acme/7cx2k13");
    assert_eq!(canonical(&unknown), unknown);
}

#[test]
fn what_only_repeats_stronger_evidence_is_known_as_such() {
    for (key_type, value) in [
        (KeyType::SmbiosUuid, "4C4C4544-0043-5810-8032-B7C04F4B3133"),
        (KeyType::ChassisSerial, "dell/7cx2k13"),
        (KeyType::SystemSerial, "vmware/VMware-56 4d 1f 2e 3c 4b 5a 69-78 87 96 a5 b4 c3 d2 e1"),
        (KeyType::PermanentMacAddress, "3c:ec:ef:12:34:56"),
        (KeyType::LldpChassisId, "3c:ec:ef:12:34:56"),
        (KeyType::SnmpEngineId, "80:00:00:09:03:3c:ec:ef:12:34:56"),
    ] {
        let found = implied(&everywhere(key_type, value));
        assert!(!found.is_empty(), "{value}");
        for weak in found {
            assert!(is_implied_by(weak.key_type, key_type), "{value}");
        }
    }
}

#[test]
fn addresses_that_every_host_has_need_the_host_as_their_realm() {
    for address in
        ["127.0.0.1", "169.254.1.1", "0.0.0.0", "::1", "fe80::1%eth0", "::", "::ffff:127.0.0.1"]
    {
        let in_realm = |realm| IdentityKey::check(KeyType::IpAddress, realm, address);
        assert_eq!(in_realm(Realm::site("berlin")), Err(NoEvidence::HostRealmMissing), "{address}");
        assert_eq!(in_realm(Realm::everywhere()), Err(NoEvidence::HostRealmMissing), "{address}");
        assert!(in_realm(Realm::host("a")).is_ok(), "{address}");
    }
    assert_eq!(why(KeyType::IpAddress, "224.0.0.1"), Some(NoEvidence::Shared));
    assert_eq!(why(KeyType::IpAddress, "255.255.255.255"), Some(NoEvidence::Shared));
    assert_eq!(why(KeyType::IpAddress, "10.0.0.256"), Some(NoEvidence::WrongForm));
    assert_eq!(key(KeyType::IpAddress, "2001:DB8:0:0::1"), Some("2001:db8::1".into()));
}

#[test]
fn an_address_of_a_container_bridge_has_its_host_as_realm() {
    let (site, host) = (Realm::site("berlin"), Realm::host("a"));
    let of = |address: &str| Realm::of_address(address.parse::<IpAddr>().unwrap(), &site, &host);
    for own in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "fe80::1",
        "172.17.0.2",
        "::ffff:172.17.0.2",
        "10.88.3.4",
        "192.168.122.7",
    ] {
        assert_eq!(of(own), host, "{own}");
    }
    for shared in ["172.18.0.2", "10.89.0.1", "192.168.123.7", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(of(shared), site, "{shared}");
    }
}

#[test]
fn a_realm_is_dropped_where_values_mean_one_thing_everywhere_and_needed_where_they_do_not() {
    let of = |key_type, value| IdentityKey::check(key_type, Realm::site("x"), value).unwrap().realm;
    assert_eq!(of(KeyType::MacAddress, "3c:ec:ef:12:34:56"), Realm::everywhere());
    assert_eq!(of(KeyType::Fqdn, "db1.example.net"), Realm::site("x"));
    for (key_type, value) in [
        (KeyType::VcenterReference, "vm-1042"),
        (KeyType::KubernetesUid, "5a1c8d7e-1111-4222-8333-444455556666"),
        (KeyType::VirtualMachineUuid, "5a1c8d7e-1111-4222-8333-444455556666"),
        (KeyType::LldpChassisId, "core-switch"),
    ] {
        assert_eq!(why(key_type, value), Some(NoEvidence::RealmMissing), "{value}");
        assert_eq!(of(key_type, value), Realm::site("x"), "{value}");
    }
    assert_eq!(of(KeyType::LldpChassisId, "3C-EC-EF-12-34-56"), Realm::everywhere());
}

#[test]
fn names_without_a_domain_or_of_no_host_are_no_fqdn() {
    for no in [
        "db1",
        "localhost.localdomain",
        "localhost.example.net",
        "192.0.2.1",
        "a..b",
        "a b.c",
        ".",
        "",
    ] {
        assert_eq!(key(KeyType::Fqdn, no), None, "{no}");
    }
    assert_eq!(key(KeyType::Fqdn, "DB1.Example.NET."), Some("db1.example.net".into()));
    for no in ["localhost", "ip6-localhost", "192.0.2.1", "(none)", "-"] {
        assert_eq!(key(KeyType::HostName, no), None, "{no}");
    }
}

#[test]
fn an_engine_id_that_is_made_of_a_shared_address_is_no_evidence() {
    assert_eq!(why(KeyType::SnmpEngineId, "0x80000009 03 00000000 0000"), Some(NoEvidence::Shared));
    assert_eq!(why(KeyType::SnmpEngineId, "80001f88017f000001"), Some(NoEvidence::Shared));
    assert_eq!(why(KeyType::SnmpEngineId, "8000"), Some(NoEvidence::WrongForm));
    assert_eq!(
        key(KeyType::SnmpEngineId, "0x80:00:00:09:03:3C:EC:EF:12:34:56"),
        Some("80000009033cecef123456".into())
    );
}

#[test]
fn ids_of_clouds_that_are_written_differently_become_one() {
    for (written, value) in [
        ("aws:///eu-west-1a/i-0abc", "aws/i-0abc"),
        ("aws/i-0abc", "aws/i-0abc"),
        ("gce://p/europe-west1-b/web-1", "gcp/p/europe-west1-b/web-1"),
        (
            "https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b/instances/web-1",
            "gcp/p/europe-west1-b/web-1",
        ),
        ("azure:///subscriptions/AB/resourceGroups/x", "azure/subscriptions/ab/resourcegroups/x"),
        ("/subscriptions/ab/ResourceGroups/X", "azure/subscriptions/ab/resourcegroups/x"),
        ("arn:aws:s3:::Bucket", "arn:aws:s3:::Bucket"),
    ] {
        assert_eq!(key(KeyType::CloudId, written), Some(value.into()), "{written}");
    }
    let arn = everywhere(KeyType::CloudId, "arn:aws:ec2:eu-west-1:123456789012:instance/i-0abc");
    assert_eq!(implied(&arn), [everywhere(KeyType::CloudId, "aws/i-0abc")]);
}

#[test]
fn a_world_wide_name_is_the_same_in_every_way_of_writing_it() {
    for written in ["0x5000C500A1B2C3D4", "naa.5000c500a1b2c3d4", "50:00:c5:00:a1:b2:c3:d4"] {
        assert_eq!(
            key(KeyType::WorldWideName, written),
            Some("5000c500a1b2c3d4".into()),
            "{written}"
        );
    }
    assert_eq!(key(KeyType::WorldWideName, "0000000000000000"), None);
    assert_eq!(key(KeyType::WorldWideName, "disk 1"), None);
}

#[test]
fn a_machine_id_has_32_digits() {
    let id = "0f3c9be1a85c4a1c9f1b7a5f9ad2c7e1";
    assert_eq!(key(KeyType::MachineId, "0F3C9BE1-A85C-4A1C-9F1B-7A5F9AD2C7E1"), Some(id.into()));
    assert_eq!(key(KeyType::MachineId, "uninitialized"), None);
    assert_eq!(key(KeyType::MachineId, &format!("{id}0")), None);
    assert_eq!(key(KeyType::MachineId, &"0".repeat(32)), None);
}

#[test]
fn a_value_that_is_too_long_is_no_evidence() {
    assert_eq!(why(KeyType::UserKey, &"x".repeat(VALUE_LENGTH_MAX + 1)), Some(NoEvidence::TooLong));
    assert_eq!(why(KeyType::UserKey, &" ".repeat(1 << 20)), Some(NoEvidence::TooLong));
    // Two bytes become three.
    assert_eq!(why(KeyType::AgentKey, &"İ".repeat(200)), Some(NoEvidence::TooLong));
}

#[test]
fn what_a_person_calls_an_item_of_an_own_class_may_be_called_default() {
    assert_eq!(key(KeyType::UserKey, "Default"), Some("Default".into()));
    assert_eq!(key(KeyType::ChassisSerial, "x/Default"), None);
}

#[test]
fn a_file_of_junk_is_taken_whole_or_not_at_all_with_the_lines_of_what_is_wrong() {
    let refused = |text: &str| Junk::shipped().extended(text).unwrap_err().problems;
    assert_eq!(refused("any = [\n  4,\n]")[0].line, 2);
    let unknown = refused("any = [\"x\"]\nshoe_size = [\"44\"]\nmac_address = [\"\"]");
    assert_eq!(unknown.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 3]);
    assert!(unknown[0].text.contains("mac_address"), "{unknown:?}");
    assert!(refused(&" ".repeat(JUNK_FILE_BYTES_MAX + 1))[0].text.contains("bytes"));
    let many: String = (0..=JUNK_VALUES_MAX).map(|index| format!("\"v{index}\",")).collect();
    assert!(refused(&format!("any = [{many}]"))[0].text.contains("values"));
}

#[test]
fn junk_of_the_user_is_dropped_beside_the_shipped_one() {
    let junk = Junk::shipped()
        .extended("any = [\"Lab  Machine\"]\nssh_host_key = [\"SHA256:AbC\"]\n")
        .unwrap();
    assert_eq!(junk.len(), Junk::shipped().len() + 2);
    let serial = everywhere(KeyType::ChassisSerial, "Acme/lab machine");
    assert!(junk.covers(&serial));
    assert!(!Junk::shipped().covers(&serial));
    assert!(junk.covers(&everywhere(KeyType::SshHostKey, "SHA256:AbC")));
    assert!(!junk.covers(&everywhere(KeyType::SshHostKey, "SHA256:Abd")));
}

#[test]
fn types_are_listed_strongest_first_and_their_names_are_unique() {
    assert!(KeyType::ALL.is_sorted_by_key(|key_type| key_type.tier()));
    for key_type in KeyType::ALL {
        assert_eq!(KeyType::from_name(key_type.name()), Some(*key_type));
        assert!(key_type.bits() > 0);
        assert_eq!(key_type.names_one(), key_type.tier() == Tier::Native);
    }
}

#[test]
fn names_that_were_once_given_stay() {
    for name in [
        "agent_key",
        "cloud_id",
        "container_id",
        "smbios_uuid",
        "chassis_serial",
        "board_serial",
        "world_wide_name",
        "disk_serial",
        "machine_id",
        "ssh_host_key",
        "certificate_key",
        "mac_address",
        "fqdn",
        "ip_address",
        "host_name",
        "user_key",
    ] {
        assert!(KeyType::from_name(name).is_some(), "{name}");
    }
}

#[test]
fn the_guide_lists_every_type_with_its_weight() {
    let guide = include_str!("../../../docs/guide/identity-keys.md");
    for key_type in KeyType::ALL {
        let tier = format!("{:?}", key_type.tier()).to_lowercase();
        let several = if key_type.is_single() { "one" } else { "several" };
        let line = format!("| `{}` | {tier} | {} | {several} |", key_type.name(), key_type.bits());
        assert!(guide.contains(&line), "{line}");
    }
}
