//! The relationships that items can have: name, inverse, allowed ends, cardinality, whether a failure travels, and
//! whether those at one end stand in for each other.
//!
//! `from` and `to` name classes; `*` allows every class. Declared once here; the APIs, the topology and the manual
//! read it.

use crate::classes::volume;
use crate::{Name, Value};
use std::collections::BTreeMap;

/// How many items may stand at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// Each first end has one second end.
    ManyToOne,
    /// Each second end has one first end.
    OneToMany,
    /// Any number on both ends.
    ManyToMany,
}

impl Cardinality {
    /// The name that the APIs and the manual use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ManyToOne => "many_to_one",
            Self::OneToMany => "one_to_many",
            Self::ManyToMany => "many_to_many",
        }
    }
}

/// The direction in which a failure travels along a relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It does not.
    Stays,
    /// When the second end fails, the first suffers (a process runs on a host).
    ToFirst,
    /// When the first end fails, the second suffers (a host contains its disks' file systems).
    ToSecond,
}

impl Failure {
    /// The name that the APIs and the manual use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::ToFirst => "to_first",
            Self::ToSecond => "to_second",
        }
    }
}

/// Whether an item outlives the failure of one of those whose failure travels to it along a relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redundancy {
    /// Nothing stands in: each failure reaches it.
    Alone,
    /// As many may fail as the item itself states that it can lose; it states nothing: each failure reaches it.
    Stated,
    /// The others stand in as long as enough are left: one, unless the item states how many it needs.
    AnyOne,
}

impl Redundancy {
    /// The name that the APIs and the manual use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Stated => "stated",
            Self::AnyOne => "any_one",
        }
    }
}

/// Classes whose items can state how many failures they outlive.
pub const STATING_CLASSES: &[&str] = &[volume::CLASS.name];

/// How many of those that it lies on, or that are its members, an item outlives the failure of, by its own facts;
/// `None` when it does not say. All but one is `u32::MAX`.
#[must_use]
pub fn spare(class: &str, facts: &BTreeMap<Name, Value>) -> Option<u32> {
    if class != volume::CLASS.name {
        return None;
    }
    let Value::Text(level) = facts.get(volume::RAID_LEVEL.name())? else { return None };
    match level.as_str() {
        "raid1" => Some(u32::MAX),
        // Of ten, the second failure can already be that of the other half of the first.
        "raid4" | "raid5" | "raid10" => Some(1),
        "raid6" => Some(2),
        _ => None,
    }
}

/// One relationship, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationshipDefinition {
    /// Lower snake case, unique, read from the first end to the second.
    pub name: &'static str,
    /// Read from the second end to the first.
    pub inverse: &'static str,
    /// A full sentence.
    pub doc: &'static str,
    /// Classes of the first end.
    pub from: &'static [&'static str],
    /// Classes of the second end.
    pub to: &'static [&'static str],
    /// How many items may stand at an end.
    pub cardinality: Cardinality,
    /// Where a failure travels.
    pub failure: Failure,
    /// Whether the end that a failure travels to outlives some of them.
    pub redundancy: Redundancy,
    /// Whether a rule derives it from facts instead of a source stating it.
    pub is_derived: bool,
}

impl RelationshipDefinition {
    /// Whether a relationship from a `from` to a `to` is allowed.
    #[must_use]
    pub fn allows(&self, from: &str, to: &str) -> bool {
        let holds =
            |ends: &[&str], class: &str| ends.iter().any(|end| *end == "*" || *end == class);
        holds(self.from, from) && holds(self.to, to)
    }

    /// The relationship's name as a catalog name.
    #[must_use]
    pub const fn as_name(&self) -> Name {
        Name::Borrowed(self.name)
    }
}

macro_rules! redundancy {
    () => {
        Redundancy::Alone
    };
    ($redundancy:ident) => {
        Redundancy::$redundancy
    };
}

macro_rules! relationships {
    ($(
        $(#[doc = $doc:literal])+
        $handle:ident: $name:literal / $inverse:literal, [$($from:literal),+] -> [$($to:literal),+], $cardinality:ident, $failure:ident $($redundancy:ident)?, derived $derived:literal;
    )+) => {
        $(
            $(#[doc = $doc])+
            pub const $handle: &str = $name;
        )+

        /// Every relationship.
        pub const ALL: &[&RelationshipDefinition] = &[$(
            &RelationshipDefinition {
                name: $name,
                inverse: $inverse,
                doc: concat!($($doc),+),
                from: &[$($from),+],
                to: &[$($to),+],
                cardinality: Cardinality::$cardinality,
                failure: Failure::$failure,
                redundancy: redundancy!($($redundancy)?),
                is_derived: $derived,
            },
        )+];
    };
}

relationships! {
    /// A part belongs to the item that contains it.
    PART_OF: "part_of" / "contains", ["*"] -> ["*"], ManyToOne, ToFirst, derived false;
    /// A process, service or container runs on a host.
    RUNS_ON: "runs_on" / "runs", ["*"] -> ["host", "hardware"], ManyToOne, ToFirst, derived false;
    /// A host is placed on a hypervisor or in a container engine.
    HOSTED_ON: "hosted_on" / "hosts", ["*"] -> ["*"], ManyToOne, ToFirst, derived false;
    /// A process was started by, and is supervised as, a service unit.
    INSTANCE_OF: "instance_of" / "has_instance", ["process"] -> ["service_unit", "container"], ManyToOne, ToFirst, derived false;
    /// A process accepts connections on a listening endpoint.
    LISTENS_ON: "listens_on" / "served_by", ["process"] -> ["listening_endpoint"], ManyToMany, ToSecond AnyOne, derived false;
    /// A process has open connections to an endpoint.
    CONNECTS_TO: "connects_to" / "connected_from", ["process"] -> ["listening_endpoint", "remote_endpoint"], ManyToMany, ToFirst, derived false;
    /// What the first end does needs the second: derived from sockets, mounts and units.
    DEPENDS_ON: "depends_on" / "used_by", ["*"] -> ["*"], ManyToMany, ToFirst, derived true;
    /// A service unit wants another unit to be running.
    REQUIRES: "requires" / "required_by", ["service_unit"] -> ["service_unit"], ManyToMany, ToFirst, derived false;
    /// A container was made from an image.
    USES_IMAGE: "uses_image" / "image_of", ["container"] -> ["container_image"], ManyToOne, Stays, derived false;
    /// Data of the first end lies on the second.
    STORED_ON: "stored_on" / "stores", ["*"] -> ["*"], ManyToMany, ToFirst Stated, derived false;
    /// A member of a bond, bridge, team, volume group or array.
    MEMBER_OF: "member_of" / "has_member", ["*"] -> ["*"], ManyToMany, ToSecond AnyOne, derived false;
    /// An interface carries an address or lies on top of another interface.
    STACKED_ON: "stacked_on" / "carries", ["network_interface"] -> ["network_interface"], ManyToOne, ToFirst, derived false;
    /// An endpoint or service is secured by a certificate.
    SECURED_BY: "secured_by" / "secures", ["*"] -> ["certificate"], ManyToMany, ToFirst, derived false;
    /// A file, command or service came with a package.
    INSTALLED_BY: "installed_by" / "installs", ["service_unit", "process"] -> ["package"], ManyToMany, Stays, derived false;
    /// A user belongs to a group.
    BELONGS_TO: "belongs_to" / "has_user", ["user_account"] -> ["user_group"], ManyToMany, Stays, derived false;
    /// A route leaves through an interface.
    ROUTES_VIA: "routes_via" / "carries_route", ["route"] -> ["network_interface"], ManyToOne, ToFirst, derived false;
    /// A device saw a neighbor, an address or a peer on one of its interfaces.
    SEEN_ON: "seen_on" / "sees", ["neighbor", "forwarding_entry", "address_binding", "routing_peer"] -> ["network_interface"], ManyToOne, Stays, derived false;
    /// What a port says of its other end leads to what announces itself there.
    LINKED_TO: "linked_to" / "linked_from", ["neighbor", "network_interface"] -> ["network_device", "host", "network_interface"], ManyToMany, Stays, derived false;
    /// A router exchanges routes with another one.
    ADJACENT_TO: "adjacent_to" / "adjacent_from", ["routing_peer"] -> ["network_device", "host"], ManyToMany, Stays, derived false;
    /// A part of a device sits in another part.
    SITS_IN: "sits_in" / "holds", ["device_module", "power_supply", "fan", "transceiver", "stack_member", "network_interface"] -> ["device_module", "power_supply", "fan", "transceiver", "stack_member"], ManyToOne, ToFirst, derived false;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_inverses_are_all_different() {
        let mut seen = BTreeSet::new();
        for relationship in ALL {
            assert!(seen.insert(relationship.name), "{}", relationship.name);
            assert!(seen.insert(relationship.inverse), "{}", relationship.inverse);
            assert!(relationship.doc.trim().ends_with('.'), "{}", relationship.name);
        }
    }

    #[test]
    fn only_where_a_failure_travels_can_something_stand_in() {
        for relationship in ALL.iter().filter(|one| one.failure == Failure::Stays) {
            assert_eq!(relationship.redundancy, Redundancy::Alone, "{}", relationship.name);
        }
    }

    #[test]
    fn an_array_outlives_as_many_drives_as_its_level_says() {
        let of = |level: &str| {
            let facts = BTreeMap::from([(Name::Borrowed("raid_level"), Value::Text(level.into()))]);
            spare("volume", &facts)
        };
        assert_eq!([of("raid1"), of("raid5"), of("raid6")], [Some(u32::MAX), Some(1), Some(2)]);
        assert_eq!((of("raid0"), spare("volume", &BTreeMap::new())), (None, None));
        assert!(
            STATING_CLASSES.iter().all(|class| crate::Catalog::built_in().class(class).is_some())
        );
    }

    #[test]
    fn every_named_end_is_a_class() {
        let catalog = crate::Catalog::built_in();
        for relationship in ALL {
            for end in relationship.from.iter().chain(relationship.to).filter(|end| **end != "*") {
                assert!(
                    catalog.class(end).is_some(),
                    "{} names the class {end}",
                    relationship.name
                );
            }
        }
    }
}
