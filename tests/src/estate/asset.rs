//! One asset: what it really is, and what it carries on a given day.
//!
//! Everything is a function of seed, number and day; neighbors are asked by their number. Nothing is kept.

use super::rates::{self, SITE_ASSETS};
use super::values::{self, draw, falls};

/// Numbers of truth that an asset has: host, hardware, management controller, members of a stack.
pub const PARTS: u64 = 8;
/// The part that is the installed operating system.
pub const HOST: u64 = 0;
/// The part that is the hardware.
pub const HARDWARE: u64 = 1;
/// The part that is the management controller.
pub const CONTROLLER: u64 = 2;
/// The first part that is a further member of a stack.
pub const MEMBER: u64 = 3;

/// The most members of a stack; each has a port of its own.
const MEMBERS_MAX: u64 = 4;
/// Ports that an asset has numbers for.
const PORTS: u64 = 8;
/// The port that replaces the first one.
const SPARE_PORT: u64 = 6;
/// The port of the management controller.
const CONTROLLER_PORT: u64 = 7;

/// What is drawn; each purpose has a stream of its own, so that one rate does not move another.
mod purpose {
    pub(super) const KIND: u64 = 1;
    pub(super) const OVERLAP: u64 = 2;
    pub(super) const SERIAL: u64 = 3;
    pub(super) const UUID: u64 = 4;
    pub(super) const MACHINE: u64 = 5;
    pub(super) const CLONE: u64 = 6;
    pub(super) const REIMAGE: u64 = 7;
    pub(super) const RENAME: u64 = 8;
    pub(super) const REUSE: u64 = 9;
    pub(super) const NIC: u64 = 10;
    pub(super) const NIC_TO: u64 = 11;
    pub(super) const DHCP: u64 = 12;
    pub(super) const BMC: u64 = 13;
    pub(super) const MOVED: u64 = 14;
    pub(super) const JUNK: u64 = 15;
    pub(super) const DAY: u64 = 16;
    pub(super) const VENDOR: u64 = 17;
    pub(super) const PORTS: u64 = 18;
    pub(super) const SYSTEM: u64 = 19;
    pub(super) const MEMBERS: u64 = 20;
    pub(super) const ENCLOSURE: u64 = 21;
    pub(super) const VIEW: u64 = 32;
}

/// What kind of asset it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A physical server.
    Server,
    /// A virtual machine of an own hypervisor.
    VirtualMachine,
    /// An instance of a cloud.
    CloudInstance,
    /// A desktop or mobile computer.
    Client,
    /// A switch that stands alone.
    Switch,
    /// Several switches that are managed as one.
    Stack,
}

/// One asset.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    seed: u64,
    /// Its number.
    pub index: u64,
    /// What it is.
    pub kind: Kind,
}

const JUNK_SERIALS: &[&str] = &[
    "To Be Filled By O.E.M.",
    "Default string",
    "System Serial Number",
    "0123456789",
    "Not Specified",
    "None",
    "Chassis Serial Number",
    "INVALID",
    "1234567",
    "SN0000000001",
];
const JUNK_UUIDS: &[&str] = &[
    "03000200-0400-0500-0006-000700080009",
    "00000000-0000-0000-0000-000000000000",
    "12345678-1234-5678-90ab-cddeefaabbcc",
];

impl Asset {
    /// The asset of that number.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        let mut left = draw(seed, index, purpose::KIND) % rates::WHOLE;
        let mut kind = Kind::Stack;
        for (candidate, share) in [
            (Kind::Server, rates::SERVERS),
            (Kind::VirtualMachine, rates::VIRTUAL_MACHINES),
            (Kind::CloudInstance, rates::CLOUD_INSTANCES),
            (Kind::Client, rates::CLIENTS),
            (Kind::Switch, rates::SWITCHES),
        ] {
            if left < share {
                kind = candidate;
                break;
            }
            left -= share;
        }
        Self { seed, index, kind }
    }

    fn draw(&self, purpose: u64) -> u64 {
        draw(self.seed, self.index, purpose)
    }

    fn falls(&self, purpose: u64, rate: u64) -> bool {
        falls(self.draw(purpose), rate)
    }

    /// A draw for what one of its sources sees.
    #[must_use]
    pub fn draw_view(&self, view: u64) -> u64 {
        self.draw(purpose::VIEW + view)
    }

    /// Its site.
    #[must_use]
    pub const fn site(&self) -> u64 {
        self.index / SITE_ASSETS
    }

    /// Its number within the site.
    #[must_use]
    pub const fn rank(&self) -> u64 {
        self.index % SITE_ASSETS
    }

    /// Whether its site has the same private network and names as others.
    #[must_use]
    pub fn overlaps(&self) -> bool {
        falls(draw(self.seed, self.site(), purpose::OVERLAP), rates::OVERLAPPING_SITE)
    }

    fn previous(&self) -> Option<Self> {
        (self.rank() > 0).then(|| Self::new(self.seed, self.index - 1))
    }

    /// Whether a change of that kind has happened: on the second or the third day.
    fn has_come(&self, purpose: u64, day: u64) -> bool {
        day > self.draw(purpose::DAY + purpose * 64) % (rates::DAYS - 1)
    }

    /// Whether it is a computer with an operating system that people install.
    #[must_use]
    pub const fn is_computer(&self) -> bool {
        !matches!(self.kind, Kind::Switch | Kind::Stack)
    }

    /// Whether its operating system is of the kind that has a machine id and SSH host keys.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        match self.kind {
            Kind::Client => false,
            Kind::Switch | Kind::Stack => true,
            _ => self.draw(purpose::SYSTEM) % 10 < 6,
        }
    }

    /// The vendor of its hardware.
    #[must_use]
    pub fn vendor(&self) -> &'static str {
        match self.kind {
            Kind::VirtualMachine => "VMware, Inc.",
            Kind::CloudInstance => "Amazon EC2",
            Kind::Client => {
                values::pick(self.draw(purpose::VENDOR), &["LENOVO", "Dell Inc.", "HP"])
            }
            Kind::Server => {
                // What stands in one enclosure is of one vendor.
                let drawn = match self.enclosure() {
                    Some(number) => draw(self.seed, number, purpose::VENDOR),
                    None => self.draw(purpose::VENDOR),
                };
                values::pick(drawn, &["Dell Inc.", "HPE", "Supermicro", "Lenovo"])
            }
            _ => values::pick(self.draw(purpose::VENDOR), &["Cisco", "Arista", "Juniper"]),
        }
    }

    /// The name of its system.
    #[must_use]
    pub fn system(&self) -> &'static str {
        match (self.kind, self.is_unix()) {
            (Kind::Switch | Kind::Stack, _) => "IOS-XE 17.9",
            (Kind::Client, _) => "Windows 11",
            (_, true) => "Debian GNU/Linux 12",
            (_, false) => "Windows Server 2022",
        }
    }

    /// Whether its serial number identifies nothing.
    #[must_use]
    pub fn has_junk_serial(&self) -> bool {
        self.has_placeholder() || self.enclosure().is_some()
    }

    fn has_placeholder(&self) -> bool {
        self.falls(purpose::JUNK, rates::JUNK_SERIAL / 2)
    }

    /// The enclosure of a blade that says its enclosure's serial number. Neighbors are in one.
    fn enclosure(&self) -> Option<u64> {
        let rate = rates::JUNK_SERIAL / 2 * rates::WHOLE / rates::SERVERS;
        let number = self.site() * SITE_ASSETS + self.rank() / rates::ENCLOSURE_ASSETS;
        let is_one = falls(draw(self.seed, number, purpose::ENCLOSURE), rate);
        (self.kind == Kind::Server && is_one).then_some(number)
    }

    /// The serial number that its firmware has: its own, a placeholder, or one that its neighbors have too.
    #[must_use]
    pub fn serial(&self) -> String {
        if self.has_placeholder() {
            return values::pick(self.draw(purpose::JUNK) / rates::WHOLE, JUNK_SERIALS).to_owned();
        }
        match (self.enclosure(), self.kind) {
            (Some(number), _) => values::serial(draw(self.seed, number, purpose::SERIAL + 1000)),
            (None, Kind::VirtualMachine) => format!("VMware-{}", self.uuid()),
            _ => values::serial(self.draw(purpose::SERIAL)),
        }
    }

    /// The serial number of its main board.
    #[must_use]
    pub fn board_serial(&self) -> String {
        values::serial(self.draw(purpose::SERIAL + 2000))
    }

    /// The serial number of a member of a stack.
    #[must_use]
    pub fn member_serial(&self, member: u64) -> String {
        if member == 0 {
            return self.serial();
        }
        values::serial(draw(self.seed, self.index * MEMBERS_MAX + member, purpose::SERIAL + 3000))
    }

    /// The UUID that its firmware has; a quarter of those with a placeholder serial number have such a UUID too.
    #[must_use]
    pub fn uuid(&self) -> String {
        let drawn = self.draw(purpose::UUID);
        if self.has_placeholder() && self.kind == Kind::Server && drawn.is_multiple_of(4) {
            return values::pick(drawn / 4, JUNK_UUIDS).to_owned();
        }
        values::uuid(drawn, self.draw(purpose::UUID + 1000))
    }

    /// How often it has been installed anew.
    #[must_use]
    pub fn installation(&self, day: u64) -> u64 {
        let is_new = self.is_computer()
            && self.falls(purpose::REIMAGE, rates::REIMAGE)
            && self.has_come(purpose::REIMAGE, day);
        u64::from(is_new)
    }

    /// The asset whose installation it was cloned from; a new installation ends that.
    fn image(&self, day: u64) -> Self {
        let is_clone = self.is_computer()
            && self.rank() > 0
            && self.falls(purpose::CLONE, rates::CLONED_MACHINE_ID)
            && self.installation(day) == 0;
        if !is_clone {
            return *self;
        }
        let back = 1 + self.draw(purpose::CLONE + 1000) % self.rank().min(20);
        Self::new(self.seed, self.index - back)
    }

    fn installed(&self, day: u64, what: u64) -> u64 {
        let image = self.image(day);
        let number = if image.index == self.index { self.installation(day) } else { 0 };
        image.draw(purpose::MACHINE + 1000 * what + 100_000 * number)
    }

    /// Its machine id.
    #[must_use]
    pub fn machine_id(&self, day: u64) -> String {
        values::machine_id(self.installed(day, 1), self.installed(day, 2))
    }

    /// The SHA-256 of its SSH host key.
    #[must_use]
    pub fn ssh_host_key(&self, day: u64) -> String {
        values::fingerprint(self.installed(day, 3))
    }

    /// The id of its agent; a new installation has another one.
    #[must_use]
    pub fn agent(&self, day: u64) -> String {
        let number = self.installation(day);
        values::uuid(self.draw(purpose::MACHINE + 9000 + number), self.index)
    }

    fn base_name(&self) -> String {
        let prefix = match self.kind {
            Kind::Server => "srv",
            Kind::VirtualMachine => "vm",
            Kind::CloudInstance => "app",
            Kind::Client => "pc",
            Kind::Switch | Kind::Stack => "sw",
        };
        format!("{prefix}{:03}-{}", self.rank(), self.domain())
    }

    /// The label by which names of a site differ from those of others. Of overlapping sites the ones of one owner
    /// have the same plan of names too; the addresses are the same everywhere.
    fn domain(&self) -> String {
        if self.overlaps() {
            format!("c{}", self.site() / rates::SITES_OF_OWNER)
        } else {
            format!("s{}", self.site())
        }
    }

    fn leaves_its_name(&self) -> bool {
        // One in NAME_REUSE renames makes another one, so that both together are RENAME.
        let rate = rates::RENAME * rates::WHOLE / (rates::WHOLE + rates::NAME_REUSE);
        self.falls(purpose::RENAME, rate)
    }

    /// Its short host name.
    #[must_use]
    pub fn name(&self, day: u64) -> String {
        let has_changed = |asset: &Self| asset.has_come(purpose::RENAME, day);
        if self.leaves_its_name() {
            let name = self.base_name();
            return if has_changed(self) { format!("{name}-new") } else { name };
        }
        match self.previous() {
            Some(previous)
                if previous.leaves_its_name()
                    && previous.falls(purpose::REUSE, rates::NAME_REUSE)
                    && has_changed(&previous) =>
            {
                previous.base_name()
            }
            _ => self.base_name(),
        }
    }

    /// Its host name with its domain.
    #[must_use]
    pub fn fqdn(&self, day: u64) -> String {
        format!("{}.{}.example.net", self.name(day), self.domain())
    }

    fn mac(&self, port: u64) -> String {
        let prefix = match self.kind {
            Kind::VirtualMachine => "00:50:56",
            // A cloud makes its addresses up and says so in them; they are no evidence.
            Kind::CloudInstance => "0a:3f:11",
            Kind::Client => "54:e1:ad",
            Kind::Server => "3c:ec:ef",
            Kind::Switch | Kind::Stack => "00:1c:73",
        };
        values::mac(prefix, self.index * PORTS + port)
    }

    fn has_swapped_nic(&self, day: u64) -> bool {
        self.kind != Kind::Stack
            && self.falls(purpose::NIC, rates::NIC_SWAP)
            && self.has_come(purpose::NIC, day)
    }

    /// The addresses of its interfaces, the first one in use.
    #[must_use]
    pub fn macs(&self, day: u64) -> Vec<String> {
        let first = if self.has_swapped_nic(day) { SPARE_PORT } else { 0 };
        let count = match self.kind {
            Kind::Server => 2 + self.draw(purpose::PORTS) % 3,
            Kind::Client => 2,
            Kind::VirtualMachine => 1 + self.draw(purpose::PORTS) % 2,
            Kind::Switch => 3,
            Kind::CloudInstance | Kind::Stack => 1,
        };
        let mut macs = vec![self.mac(first)];
        macs.extend((1..count).map(|port| self.mac(port)));
        let is_reused = |previous: &Self| {
            previous.kind == self.kind
                && previous.has_swapped_nic(day)
                && previous.draw(purpose::NIC_TO).is_multiple_of(2)
        };
        if matches!(self.kind, Kind::Server | Kind::Client)
            && let Some(previous) = self.previous().filter(is_reused)
        {
            macs.push(previous.mac(0));
        }
        macs
    }

    /// The base address of a member of a stack.
    #[must_use]
    pub fn member_mac(&self, member: u64) -> String {
        self.mac(member)
    }

    /// How many members its stack has.
    #[must_use]
    pub fn members(&self) -> u64 {
        if self.kind == Kind::Stack {
            2 + self.draw(purpose::MEMBERS) % (MEMBERS_MAX - 1)
        } else {
            1
        }
    }

    /// Whether it has a management controller. Only servers have one; the rate is that of all assets.
    #[must_use]
    pub fn has_controller(&self) -> bool {
        let rate = rates::BMC_PAIR * rates::WHOLE / rates::SERVERS;
        self.kind == Kind::Server && self.falls(purpose::BMC, rate)
    }

    /// The address of its management controller's interface.
    #[must_use]
    pub fn controller_mac(&self) -> String {
        values::mac("d0:94:66", self.index * PORTS + CONTROLLER_PORT)
    }

    /// The name of its management controller: its own, or by ill luck that of its server.
    #[must_use]
    pub fn controller_name(&self, day: u64) -> String {
        if self.draw(purpose::BMC + 1000) % 10 < 3 {
            return self.name(day);
        }
        format!("bmc-{}", self.board_serial().to_lowercase())
    }

    /// The SHA-256 of its management controller's certificate.
    #[must_use]
    pub fn controller_key(&self) -> String {
        values::fingerprint(self.draw(purpose::BMC + 2000))
    }

    fn address(&self, block: u64, host: u64) -> String {
        if self.overlaps() {
            return format!("10.0.{block}.{host}");
        }
        let site = self.site();
        format!("10.{}.{}.{host}", 1 + site / 32 % 250, site % 32 * 8 + block)
    }

    /// Its IP address.
    #[must_use]
    pub fn ip(&self, day: u64) -> String {
        if self.kind == Kind::Client && self.falls(purpose::DHCP, rates::DHCP_CHURN) {
            // A rotation of the whole pool: nobody has an address that somebody else has.
            return self.address(1, 1 + (self.rank() + 7 * day) % SITE_ASSETS);
        }
        self.address(0, 1 + self.rank())
    }

    /// The IP address of its management controller.
    #[must_use]
    pub fn controller_ip(&self) -> String {
        self.address(2, 1 + self.rank())
    }

    /// The hypervisor manager that has it, and what that one calls it.
    #[must_use]
    pub fn placement(&self, day: u64) -> (u64, u64) {
        let home = self.site() / 4 * 2;
        let is_moved =
            self.falls(purpose::MOVED, rates::MOVED_VM) && self.has_come(purpose::MOVED, day);
        (home + u64::from(is_moved), 100 + self.index % 1000 + 1000 * u64::from(is_moved))
    }

    /// The id that the cloud gave it.
    #[must_use]
    pub fn instance(&self) -> String {
        format!("i-{:016x}", self.draw(purpose::UUID + 5000))
    }

    /// The number of the truth of one of its parts.
    #[must_use]
    pub const fn truth(&self, part: u64) -> u64 {
        self.index * PARTS + part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    const COUNT: u64 = 40_000;

    fn share(of: impl Fn(&Asset) -> bool, is: impl Fn(&Asset) -> bool) -> f64 {
        let all: Vec<Asset> = (0..COUNT).map(|index| Asset::new(11, index)).filter(of).collect();
        let hits = all.iter().filter(|asset| is(asset)).count();
        f64::from(u32::try_from(hits).unwrap()) / f64::from(u32::try_from(all.len()).unwrap())
    }

    #[test]
    fn the_rates_of_corruption_are_those_that_the_benchmark_fixes() {
        let last = rates::DAYS - 1;
        let any = |_: &Asset| true;
        let computer = Asset::is_computer;
        let near = |name: &str, is: f64, wanted: f64| {
            assert!((is - wanted).abs() < wanted * 0.15, "{name}: {is} instead of {wanted}");
        };
        near("junk serial", share(any, Asset::has_junk_serial), 0.04);
        near("re-image", share(computer, |a| a.installation(last) == 1), 0.05);
        near("rename", share(any, |a| a.name(0) != a.name(last)), 0.08);
        near("controller", share(any, Asset::has_controller), 0.20);
        near("NIC swap", share(any, |a| a.macs(0).first() != a.macs(last).first()), 0.06);
        near("clone", share(computer, |a| a.image(0).index != a.index), 0.02);
        let vm = |a: &Asset| a.kind == Kind::VirtualMachine;
        near("moved", share(vm, |a| a.placement(0) != a.placement(last)), 0.10);
        let client = |a: &Asset| a.kind == Kind::Client;
        near("churn", share(client, |a| a.ip(0) != a.ip(1)), 0.50);
    }

    #[test]
    fn a_shared_serial_number_is_shared() {
        let mut holders: BTreeMap<String, u64> = BTreeMap::new();
        let assets = (0..COUNT).map(|index| Asset::new(11, index));
        for asset in assets.filter(|asset| asset.enclosure().is_some()) {
            *holders.entry(asset.serial()).or_default() += 1;
        }
        let alone = holders.values().filter(|count| **count == 1).count();
        assert!(alone * 3 < holders.len(), "{alone} of {} have one holder", holders.len());
    }

    #[test]
    fn within_a_site_no_two_assets_have_one_address_on_one_day() {
        for day in 0..rates::DAYS {
            let addresses: BTreeSet<String> =
                (0..SITE_ASSETS).map(|index| Asset::new(11, index).ip(day)).collect();
            assert_eq!(u64::try_from(addresses.len()).unwrap(), SITE_ASSETS);
        }
    }

    #[test]
    fn no_two_sites_share_a_network_unless_they_overlap() {
        let mut seen = BTreeSet::new();
        for site in 0..4000 {
            let asset = Asset::new(11, site * SITE_ASSETS);
            if !asset.overlaps() {
                assert!(seen.insert(asset.ip(0)), "{}", asset.ip(0));
            }
        }
    }
}
