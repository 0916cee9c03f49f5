//! What is known of vendors and products: `vendors.toml`, evaluated over `sysObjectID` and `sysDescr`.
//!
//! Invariants: rules are data; those that match are taken in their order, and each only adds what those before it
//! left open. A device that no rule knows is still described, by its enterprise number and what it can do.

use serde::Deserialize;
use std::sync::LazyLock;

/// The most letters of a version; what follows it is prose.
const VERSION_LENGTH_MAX: usize = 64;

/// One rule. Every condition that is given has to hold.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// `sysObjectID` is this identifier or lies below it.
    pub object: Option<String>,
    /// `sysDescr` contains one of these, in any case.
    #[serde(default)]
    pub contains: Vec<String>,
    /// The vendor.
    pub vendor: Option<String>,
    /// What it is, in the words of `network_device.device_type`.
    pub device_type: Option<String>,
    /// Whether it is a host, with an operating system for general use.
    #[serde(default)]
    pub is_host: bool,
    /// The operating system or line of software.
    pub os: Option<String>,
    /// The version of the software stands in `sysDescr` after this.
    pub version_after: Option<String>,
    /// The model stands in `sysDescr` after this, up to the next comma or space.
    pub model_after: Option<String>,
    /// The variable with the serial number, as `MIB::object identifier`.
    pub serial: Option<String>,
    /// The variable with the model.
    pub model: Option<String>,
    /// The variable with the version of the software.
    pub software: Option<String>,
    /// The variable with the version of the firmware.
    pub firmware: Option<String>,
    /// Where this is known from.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// What the rules say of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Product {
    /// The vendor.
    pub vendor: Option<String>,
    /// What it is.
    pub device_type: Option<String>,
    /// Whether it is a host.
    pub is_host: bool,
    /// The operating system.
    pub os: Option<String>,
    /// The version of the software.
    pub version: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Where its serial number is to be read.
    pub serial_at: Option<Vec<u32>>,
    /// Where its model is to be read.
    pub model_at: Option<Vec<u32>>,
    /// Where the version of the software is to be read.
    pub software_at: Option<Vec<u32>>,
    /// Where the version of the firmware is to be read.
    pub firmware_at: Option<Vec<u32>>,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    // A test proves that the file is well formed; without it nothing is known of vendors.
    toml::from_str::<File>(include_str!("vendors.toml")).map(|file| file.rule).unwrap_or_default()
});

/// The numbers of an identifier that is written with points; the MIB and name before `::` are for readers.
fn numbers(text: &str) -> Option<Vec<u32>> {
    let text = text.rsplit(' ').next().unwrap_or(text);
    text.split('.').map(|part| part.parse().ok()).collect()
}

impl Rule {
    fn holds(&self, object: &[u32], description: &str) -> bool {
        let object_holds = self
            .object
            .as_deref()
            .is_none_or(|wanted| numbers(wanted).is_some_and(|wanted| object.starts_with(&wanted)));
        let contains = |part: &String| description.contains(&part.to_lowercase());
        object_holds && (self.contains.is_empty() || self.contains.iter().any(contains))
    }
}

/// What is known of a device.
#[must_use]
pub(crate) fn product(object: &[u32], description: &str) -> Product {
    let folded = description.to_lowercase();
    let mut product = Product::default();
    let mut is_decided = false;
    for rule in RULES.iter().filter(|rule| rule.holds(object, &folded)) {
        let fill = |place: &mut Option<String>, value: &Option<String>| {
            if place.is_none() {
                place.clone_from(value);
            }
        };
        fill(&mut product.vendor, &rule.vendor);
        fill(&mut product.os, &rule.os);
        fill(&mut product.device_type, &rule.device_type);
        // The first rule that says what it is decides.
        if !is_decided && (rule.is_host || rule.device_type.is_some()) {
            product.is_host = rule.is_host;
            is_decided = true;
        }
        let after = |mark: &Option<String>, ends: &[char]| {
            mark.as_deref().and_then(|mark| word_after(description, mark, ends))
        };
        product.version = product.version.or_else(|| after(&rule.version_after, &[',', ' ', ';']));
        product.model = product.model.or_else(|| after(&rule.model_after, &[',', ' ', ';']));
        let at = |place: &mut Option<Vec<u32>>, text: &Option<String>| {
            if place.is_none() {
                *place = text.as_deref().and_then(numbers);
            }
        };
        at(&mut product.serial_at, &rule.serial);
        at(&mut product.model_at, &rule.model);
        at(&mut product.software_at, &rule.software);
        at(&mut product.firmware_at, &rule.firmware);
    }
    product
}

/// The word after a mark.
fn word_after(text: &str, mark: &str, ends: &[char]) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    let word = rest.trim_start().split(ends).next().unwrap_or_default();
    // A bracket that was opened before the mark ends there too.
    let word = if word.contains('(') { word } else { word.trim_end_matches(')') };
    let word: String = word.chars().take(VERSION_LENGTH_MAX).collect();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE_TYPES: [&str; 15] = [
        "switch",
        "router",
        "firewall",
        "access_point",
        "wireless_controller",
        "load_balancer",
        "printer",
        "ups",
        "pdu",
        "storage",
        "management_controller",
        "camera",
        "phone",
        "sensor",
        "appliance",
    ];

    #[test]
    fn every_rule_is_well_formed_and_says_where_it_is_from() {
        let file: File = toml::from_str(include_str!("vendors.toml")).unwrap();
        assert!(file.rule.len() > 60, "{}", file.rule.len());
        for rule in file.rule {
            assert!(rule.source.len() > 6, "{rule:?}");
            assert!(rule.object.is_some() || !rule.contains.is_empty(), "{rule:?}");
            let kind = rule.device_type.as_deref();
            assert!(kind.is_none_or(|kind| DEVICE_TYPES.contains(&kind)), "{rule:?}");
            for text in [&rule.object, &rule.serial, &rule.model, &rule.software, &rule.firmware] {
                assert!(text.as_deref().is_none_or(|text| numbers(text).is_some()), "{rule:?}");
            }
        }
    }

    #[test]
    fn a_specific_rule_decides_before_that_of_its_vendor() {
        let known = |object: &str, description: &str| {
            let product = product(&numbers(object).unwrap(), description);
            let words = [product.vendor, product.device_type, product.os, product.version];
            words.map(Option::unwrap_or_default).join("|")
        };
        let asa = "Cisco Adaptive Security Appliance Version 9.8(4)10";
        assert_eq!(known("1.3.6.1.4.1.9.1.2114", asa), "Cisco|firewall|ASA|9.8(4)10");
        let switch = "Cisco IOS Software, C3560 Software (C3560-IPSERVICESK9-M), Version 12.2(55)SE5, RELEASE SOFTWARE";
        assert_eq!(known("1.3.6.1.4.1.9.1.564", switch), "Cisco||IOS|12.2(55)SE5");
        let junos =
            "Juniper Networks, Inc. mx960 internet router, kernel JUNOS 15.1R6.7, Build date";
        assert_eq!(known("1.3.6.1.4.1.2636.1.1.1.2.21", junos), "Juniper|router|Junos|15.1R6.7");
        assert_eq!(known("1.3.6.1.4.1.99999.1", "unheard of"), "|||");
        assert!(product(&[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10], "Linux web1 6.1.0").is_host);
        assert!(!product(&[1, 3, 6, 1, 4, 1, 9, 1, 1], "Linux inside").is_host);
    }

    #[test]
    fn a_hostile_description_gives_a_bounded_version() {
        let text = format!("Cisco IOS Software, Version {}", "9".repeat(4000));
        let version = product(&[1, 3, 6, 1, 4, 1, 9, 1, 1], &text).version.unwrap();
        assert_eq!(version.len(), VERSION_LENGTH_MAX);
    }
}
