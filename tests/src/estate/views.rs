//! What each source sees of an asset: the identifiers that such a source really gives, no more.
//!
//! Which sources know an asset, and which optional identifiers one of them gives, is drawn once for the asset and
//! stays so; only what the asset carries changes from day to day.

use super::asset::{Asset, CONTROLLER, HARDWARE, HOST, Kind, MEMBER};
use super::rates;
use super::values::falls;
use super::{Class, Sighting, site_name};
use model::{KeyType, SourceId, Timestamp};

/// The first day, in seconds since the Unix epoch.
const FIRST_DAY: i64 = 1_700_000_000;

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// An agent on the host.
    Agent,
    /// A login over SSH.
    Ssh,
    /// A walk over SNMP.
    Snmp,
    /// A management controller over Redfish.
    Redfish,
    /// A manager of hypervisors.
    Hypervisor,
    /// The API of a cloud.
    Cloud,
    /// A sweep over the network.
    Sweep,
    /// A file imported from another product.
    Import,
}

impl Source {
    const fn number(self) -> u64 {
        self as u64
    }

    const fn collector(self) -> &'static str {
        match self {
            Self::Agent => "host",
            Self::Ssh => "ssh",
            Self::Snmp => "snmp",
            Self::Redfish => "redfish",
            Self::Hypervisor => "hypervisor",
            Self::Cloud => "aws",
            Self::Sweep => "sweep",
            Self::Import => "import",
        }
    }
}

/// The sources that may know an asset of that kind, with their shares; the first two know it when too few do.
fn candidates(kind: Kind) -> &'static [(Source, u64)] {
    match kind {
        Kind::Server => &[
            (Source::Agent, 8_000),
            (Source::Import, 7_000),
            (Source::Ssh, 5_500),
            (Source::Snmp, 3_500),
            (Source::Sweep, 7_500),
        ],
        Kind::VirtualMachine => &[
            (Source::Hypervisor, 9_500),
            (Source::Agent, 7_500),
            (Source::Ssh, 5_000),
            (Source::Snmp, 2_000),
            (Source::Sweep, 7_000),
            (Source::Import, 6_000),
        ],
        Kind::CloudInstance => &[
            (Source::Cloud, 10_000),
            (Source::Agent, 8_000),
            (Source::Ssh, 3_000),
            (Source::Import, 3_000),
        ],
        Kind::Client => &[(Source::Agent, 8_500), (Source::Import, 7_500), (Source::Sweep, 8_000)],
        Kind::Switch | Kind::Stack => &[
            (Source::Snmp, 9_500),
            (Source::Import, 8_000),
            (Source::Ssh, 5_000),
            (Source::Sweep, 7_000),
        ],
    }
}

/// Adds every sighting of an asset on a day.
pub fn see(asset: &Asset, day: u64, seen: &mut Vec<Sighting>) {
    let candidates = candidates(asset.kind);
    let mut sources: Vec<Source> = candidates
        .iter()
        .filter(|(source, share)| falls(asset.draw_view(source.number()), *share))
        .map(|(source, _)| *source)
        .collect();
    for (source, _) in candidates {
        if sources.len() < 2 && !sources.contains(source) {
            sources.push(*source);
        }
    }
    if asset.has_controller() {
        sources.push(Source::Redfish);
    }
    for source in sources {
        let view = View { asset, day, source };
        if day > 0 && source != Source::Agent && view.rarely(1, rates::STALE) {
            continue;
        }
        match source {
            Source::Agent => view.agent(seen),
            Source::Ssh => view.ssh(seen),
            Source::Snmp => view.snmp(seen),
            Source::Redfish => view.redfish(seen),
            Source::Hypervisor => view.hypervisor(seen),
            Source::Cloud => view.cloud(seen),
            Source::Sweep => view.sweep(seen),
            Source::Import => view.import(seen),
        }
    }
}

/// One source's look at one asset on one day.
struct View<'a> {
    asset: &'a Asset,
    day: u64,
    source: Source,
}

impl View<'_> {
    /// Whether something holds for this source and asset, the same every day.
    fn rarely(&self, what: u64, rate: u64) -> bool {
        falls(self.asset.draw_view(8 + self.source.number() * 16 + what), rate)
    }

    /// A sighting of a part of the asset, in a file of `target`'s; `device` is what it is reported with.
    fn sighting(&self, (target, device): (&str, &str), class: Class, part: u64) -> Sighting {
        let source =
            SourceId { collector: self.source.collector().to_owned(), target: target.to_owned() };
        let native_key = match class {
            Class::Host => device.to_owned(),
            Class::Hardware => format!("{device}/hardware"),
        };
        let offset = self.day * 86_400 + self.source.number() * 3_600 + self.asset.index % 3_600;
        Sighting {
            record: Sighting::record_of(&source, &native_key),
            device: Sighting::record_of(&source, device),
            source,
            native_key,
            class,
            site: self.asset.site(),
            at: Timestamp::from_seconds(FIRST_DAY.saturating_add_unsigned(offset)),
            truth: self.asset.truth(part),
            vendor: self.asset.vendor(),
            identifiers: Vec::with_capacity(10),
            description: self.asset.system(),
            runs_on: None,
        }
    }

    fn site(&self) -> String {
        site_name(self.asset.site())
    }

    fn target(&self) -> String {
        format!("target-{}", self.asset.index)
    }

    fn with_names(&self, seen: &mut Sighting) {
        seen.identifiers.push((KeyType::Fqdn, self.asset.fqdn(self.day)));
        seen.identifiers.push((KeyType::HostName, self.asset.name(self.day)));
    }

    fn with_macs(&self, seen: &mut Sighting) {
        let macs = self.asset.macs(self.day);
        seen.identifiers.extend(macs.into_iter().map(|mac| (KeyType::MacAddress, mac)));
    }

    fn with_ip(&self, seen: &mut Sighting) {
        seen.identifiers.push((KeyType::IpAddress, self.asset.ip(self.day)));
    }

    fn with_uuid(&self, seen: &mut Sighting) {
        seen.identifiers.push((KeyType::SmbiosUuid, self.asset.uuid()));
    }

    fn with_serial(&self, seen: &mut Sighting, serial: String) {
        if !self.rarely(2, rates::MISSING_SERIAL) {
            seen.identifiers.push((KeyType::ChassisSerial, serial));
        }
    }

    fn with_installation(&self, seen: &mut Sighting) {
        if self.asset.is_unix() {
            seen.identifiers.push((KeyType::MachineId, self.asset.machine_id(self.day)));
            seen.identifiers.push((KeyType::SshHostKey, self.asset.ssh_host_key(self.day)));
        }
    }

    /// The id that a cloud shows in the firmware and to whoever asks its metadata service.
    fn with_instance(&self, seen: &mut Sighting) {
        if self.asset.kind == Kind::CloudInstance {
            seen.identifiers.push((KeyType::CloudId, format!("aws/{}", self.asset.instance())));
        }
    }

    /// The agent reads everything as root.
    fn agent(&self, out: &mut Vec<Sighting>) {
        let agent = self.asset.agent(self.day);
        let mut host = self.sighting((&agent, "host"), Class::Host, HOST);
        host.identifiers.push((KeyType::AgentKey, agent.clone()));
        self.with_uuid(&mut host);
        self.with_installation(&mut host);
        self.with_names(&mut host);
        self.with_macs(&mut host);
        self.with_ip(&mut host);
        let mut hardware = self.sighting((&agent, "host"), Class::Hardware, HARDWARE);
        self.with_uuid(&mut hardware);
        self.with_serial(&mut hardware, self.asset.serial());
        self.with_instance(&mut host);
        if matches!(self.asset.kind, Kind::Server | Kind::Client) {
            hardware.identifiers.push((KeyType::BoardSerial, self.asset.board_serial()));
        }
        self.with_macs(&mut hardware);
        host.runs_on = Some(hardware.native_key.clone());
        out.extend([host, hardware]);
    }

    /// A login sees the installation; firmware only where it may become root.
    fn ssh(&self, out: &mut Vec<Sighting>) {
        let (site, target) = (self.site(), self.target());
        let mut host = self.sighting((&site, &target), Class::Host, HOST);
        if self.asset.is_computer() {
            self.with_installation(&mut host);
        } else {
            host.identifiers.push((KeyType::SshHostKey, self.asset.ssh_host_key(self.day)));
        }
        self.with_names(&mut host);
        self.with_macs(&mut host);
        self.with_ip(&mut host);
        if self.rarely(4, 7_000) {
            self.with_instance(&mut host);
        }
        if self.asset.is_computer() && self.rarely(3, 6_000) {
            self.with_uuid(&mut host);
            let mut hardware = self.sighting((&site, &target), Class::Hardware, HARDWARE);
            self.with_uuid(&mut hardware);
            self.with_serial(&mut hardware, self.asset.serial());
            self.with_macs(&mut hardware);
            host.runs_on = Some(hardware.native_key.clone());
            out.push(hardware);
        }
        out.push(host);
    }

    /// SNMP has names and interfaces; of network devices it has the serial numbers too.
    fn snmp(&self, out: &mut Vec<Sighting>) {
        let (site, target) = (self.site(), self.target());
        let mut host = self.sighting((&site, &target), Class::Host, HOST);
        host.identifiers.push((KeyType::HostName, self.asset.name(self.day)));
        if self.rarely(3, 5_000) {
            host.identifiers.push((KeyType::Fqdn, self.asset.fqdn(self.day)));
        }
        self.with_macs(&mut host);
        self.with_ip(&mut host);
        out.push(host);
        if !self.asset.is_computer() {
            self.members((&site, &target), out);
        }
    }

    /// The members of a stack, each with its own serial number and base address.
    fn members(&self, (target, device): (&str, &str), out: &mut Vec<Sighting>) {
        for member in 0..self.asset.members() {
            let part = if member == 0 { HARDWARE } else { MEMBER + member - 1 };
            let device = format!("{device}/{member}");
            let mut hardware = self.sighting((target, &device), Class::Hardware, part);
            self.with_serial(&mut hardware, self.asset.member_serial(member));
            let mac = match self.asset.kind {
                Kind::Stack => Some(self.asset.member_mac(member)),
                _ => self.asset.macs(self.day).into_iter().next(),
            };
            hardware.identifiers.extend(mac.map(|mac| (KeyType::MacAddress, mac)));
            out.push(hardware);
        }
    }

    /// A management controller knows the firmware and the board's interfaces, and itself.
    fn redfish(&self, out: &mut Vec<Sighting>) {
        let (site, target) = (self.site(), self.target());
        let mut hardware = self.sighting((&site, &target), Class::Hardware, HARDWARE);
        self.with_uuid(&mut hardware);
        self.with_serial(&mut hardware, self.asset.serial());
        hardware.identifiers.push((KeyType::BoardSerial, self.asset.board_serial()));
        self.with_macs(&mut hardware);
        let manager = format!("{target}/manager");
        let mut controller = self.sighting((&site, &manager), Class::Host, CONTROLLER);
        self.as_controller(&mut controller);
        controller.identifiers.push((KeyType::MacAddress, self.asset.controller_mac()));
        controller.identifiers.push((KeyType::HostName, self.asset.controller_name(self.day)));
        out.extend([hardware, controller]);
    }

    fn as_controller(&self, seen: &mut Sighting) {
        seen.description = "BMC";
        seen.identifiers.push((KeyType::CertificateKey, self.asset.controller_key()));
        seen.identifiers.push((KeyType::IpAddress, self.asset.controller_ip()));
    }

    /// A hypervisor shows hardware, and by its guest tools what runs there.
    fn hypervisor(&self, out: &mut Vec<Sighting>) {
        let (manager, machine) = self.asset.placement(self.day);
        let (target, device) = (format!("vc-{manager}"), format!("vm-{machine}"));
        let mut hardware = self.sighting((&target, &device), Class::Hardware, HARDWARE);
        hardware.identifiers.push((KeyType::CloudId, format!("vmware/{target}/{device}")));
        self.with_uuid(&mut hardware);
        self.with_macs(&mut hardware);
        if self.rarely(3, 8_500) {
            let mut host = self.sighting((&target, &device), Class::Host, HOST);
            self.with_uuid(&mut host);
            self.with_names(&mut host);
            self.with_macs(&mut host);
            self.with_ip(&mut host);
            host.runs_on = Some(hardware.native_key.clone());
            out.push(host);
        }
        out.push(hardware);
    }

    /// A cloud knows the instance and its address, not what it calls itself.
    fn cloud(&self, out: &mut Vec<Sighting>) {
        let target = format!("account-{}", self.asset.site());
        let instance = self.asset.instance();
        let mut host = self.sighting((&target, &instance), Class::Host, HOST);
        self.with_instance(&mut host);
        self.with_macs(&mut host);
        self.with_ip(&mut host);
        if self.rarely(3, 8_000) {
            // The name is a label that people give.
            host.identifiers.push((KeyType::HostName, self.asset.name(self.day)));
        }
        out.push(host);
    }

    /// A sweep knows an answering address; the hardware address only on its own segment.
    fn sweep(&self, out: &mut Vec<Sighting>) {
        let site = self.site();
        let is_near = if self.asset.kind == Kind::Client { 9_500 } else { 8_800 };
        let mac = self.asset.macs(self.day).into_iter().next().filter(|_| self.rarely(3, is_near));
        let ip = self.asset.ip(self.day);
        let device = mac.clone().unwrap_or_else(|| ip.clone());
        let mut host = self.sighting((&site, &device), Class::Host, HOST);
        host.description = "answers";
        if mac.is_none() || self.rarely(4, 8_000) {
            host.identifiers.push((KeyType::Fqdn, self.asset.fqdn(self.day)));
        }
        host.identifiers.extend(mac.map(|mac| (KeyType::MacAddress, mac)));
        host.identifiers.push((KeyType::IpAddress, ip));
        if self.asset.is_unix() {
            host.identifiers.push((KeyType::SshHostKey, self.asset.ssh_host_key(self.day)));
        }
        out.push(host);
        if self.asset.has_controller() && self.rarely(5, 7_000) {
            let mac = self.asset.controller_mac();
            let mut controller = self.sighting((&site, &mac), Class::Host, CONTROLLER);
            self.as_controller(&mut controller);
            controller.identifiers.push((KeyType::MacAddress, mac));
            out.push(controller);
        }
    }

    /// Another product's export: names, often a serial number, sometimes more.
    fn import(&self, out: &mut Vec<Sighting>) {
        let target = self.target();
        let mut host = self.sighting(("cmdb", &target), Class::Host, HOST);
        host.identifiers.push((KeyType::HostName, self.asset.name(self.day)));
        if self.rarely(3, 8_000) {
            host.identifiers.push((KeyType::Fqdn, self.asset.fqdn(self.day)));
        }
        let (has_mac, has_uuid) = (self.rarely(4, 8_800), self.rarely(5, 4_500));
        let mac = self.asset.macs(self.day).into_iter().next().filter(|_| has_mac);
        host.identifiers.extend(mac.clone().map(|mac| (KeyType::MacAddress, mac)));
        if self.rarely(6, 8_000) {
            self.with_ip(&mut host);
        }
        if self.rarely(7, 8_000) {
            self.with_instance(&mut host);
        }
        if has_uuid && self.asset.is_computer() {
            self.with_uuid(&mut host);
        }
        out.push(host);
        if self.asset.kind == Kind::Stack {
            return self.members(("cmdb", &target), out);
        }
        if self.asset.kind == Kind::CloudInstance {
            return;
        }
        let mut hardware = self.sighting(("cmdb", &target), Class::Hardware, HARDWARE);
        self.with_serial(&mut hardware, self.asset.serial());
        hardware.identifiers.extend(mac.map(|mac| (KeyType::MacAddress, mac)));
        if has_uuid && self.asset.is_computer() {
            self.with_uuid(&mut hardware);
        }
        // A row that names nothing of the hardware says nothing of it.
        if !hardware.identifiers.is_empty() {
            out.push(hardware);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Estate;
    use std::collections::BTreeMap;

    fn share(part: usize, whole: usize) -> f64 {
        f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
    }

    #[test]
    fn a_tenth_of_the_records_is_seen_on_the_first_day_only() {
        let mut days: BTreeMap<u64, usize> = BTreeMap::new();
        Estate::new(6, 4_000).each(|seen| {
            // A sweep's records follow the addresses, an agent's the installation, and neither is stale by that.
            if !matches!(seen.source.collector.as_str(), "sweep" | "host" | "hypervisor") {
                *days.entry(seen.record).or_default() += 1;
            }
        });
        let stale = days.values().filter(|count| **count == 1).count();
        let share = share(stale, days.len());
        assert!((0.09..0.11).contains(&share), "{share}");
    }

    #[test]
    fn a_quarter_of_the_sources_does_not_learn_the_serial_number() {
        let (mut with, mut all) = (0, 0);
        Estate::new(6, 4_000).each(|seen| {
            if seen.class == Class::Hardware && seen.source.collector == "host" {
                all += 1;
                let has = |(key_type, _): &(KeyType, String)| *key_type == KeyType::ChassisSerial;
                with += usize::from(seen.identifiers.iter().any(has));
            }
        });
        let missing = share(all - with, all);
        assert!((0.23..0.27).contains(&missing), "{missing}");
    }

    #[test]
    fn a_management_controller_never_shows_an_identifier_of_its_server_but_its_name() {
        let mut keys: BTreeMap<(KeyType, String), u64> = BTreeMap::new();
        let mut shared = 0;
        Estate::new(6, 2_000).each(|seen| {
            for identifier in &seen.identifiers {
                if matches!(identifier.0, KeyType::HostName | KeyType::IpAddress) {
                    continue;
                }
                let part = seen.truth % crate::estate::asset::PARTS;
                let is_controller = u64::from(part == CONTROLLER);
                let known = *keys.entry(identifier.clone()).or_insert(is_controller);
                shared += u64::from(known != is_controller);
            }
        });
        assert_eq!(shared, 0);
    }
}
