//! How often what goes wrong. The rates of corruption are fixed: they may not be chosen so that a product does well.
//!
//! Rates are in parts of ten thousand. Those of the first group are part of the benchmark's definition; those of
//! the second say which sources an estate has and what such a source usually gives.

/// Parts that a rate counts in.
pub const WHOLE: u64 = 10_000;

/// Assets whose serial number is a placeholder or is shared with others; half of them each.
pub const JUNK_SERIAL: u64 = 400;
/// Sources that do not learn the serial number of an asset.
pub const MISSING_SERIAL: u64 = 2_500;
/// Installations that were cloned with machine id and SSH host key.
pub const CLONED_MACHINE_ID: u64 = 200;
/// Assets that get a new installation.
pub const REIMAGE: u64 = 500;
/// Assets that get another name; a part of the old names is used again.
pub const RENAME: u64 = 800;
/// Assets whose first network interface is exchanged; half of the old ones go into another machine.
pub const NIC_SWAP: u64 = 600;
/// Sites that have the same private network as others; those of one owner have the same names too.
pub const OVERLAPPING_SITE: u64 = 3_000;
/// Clients that have another address every day.
pub const DHCP_CHURN: u64 = 5_000;
/// Assets with a management controller beside them.
pub const BMC_PAIR: u64 = 2_000;
/// Virtual machines that move to another hypervisor manager.
pub const MOVED_VM: u64 = 1_000;
/// Records that are never looked at again after the first day.
pub const STALE: u64 = 1_000;

/// Days that the estate is watched; changes happen on the second and the third.
pub const DAYS: u64 = 3;
/// Assets of a site.
pub const SITE_ASSETS: u64 = 250;
/// Assets of a site among which those servers are that share an enclosure.
pub const ENCLOSURE_ASSETS: u64 = 8;
/// Sites of one owner, of which those that overlap have the same plan of names.
pub const SITES_OF_OWNER: u64 = 8;

/// Shares of the kinds of assets; the rest is switch stacks.
pub const SERVERS: u64 = 3_300;
/// Virtual machines of an own hypervisor.
pub const VIRTUAL_MACHINES: u64 = 3_200;
/// Instances of a cloud.
pub const CLOUD_INSTANCES: u64 = 1_000;
/// Desktop and mobile computers.
pub const CLIENTS: u64 = 1_800;
/// Switches that stand alone.
pub const SWITCHES: u64 = 500;

/// Shares of the names that a renamed asset leaves and that the next asset takes over.
pub const NAME_REUSE: u64 = 4_500;
