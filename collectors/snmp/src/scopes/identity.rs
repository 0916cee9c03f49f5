//! The scope `identity`: the device or host itself, from SNMPv2-MIB (RFC 3418), ENTITY-MIB (RFC 6933), BRIDGE-MIB
//! (RFC 4188), LLDP-MIB (IEEE 802.1AB), Printer-MIB (RFC 3805), UPS-MIB (RFC 1628) and the vendor's own variables.

use super::DEVICE;
use crate::access::Access;
use crate::table::{Row, Table};
use crate::value::{Value, hexadecimal, mac_of};
use crate::vendors::{self, Product};
use crate::view::{TableOf, View};
use collector::Run;
use model::classes::{host, management_access, network_device};
use model::{Coverage, IdentityKey, KeyType, Observation, Realm};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Hardware addresses by which a device is recognized; a chassis with thousands of ports is known by fewer.
const ADDRESSES_MAX: usize = 64;
/// Chassis that are looked at closely; stacks have up to sixteen members.
const CHASSIS_MAX: usize = 32;

/// The system group (SNMPv2-MIB) and what else stands in single variables.
const VARIABLES: [&[u32]; 16] = [
    &[1, 3, 6, 1, 2, 1, 1, 1, 0],            // sysDescr
    &[1, 3, 6, 1, 2, 1, 1, 2, 0],            // sysObjectID
    &[1, 3, 6, 1, 2, 1, 1, 3, 0],            // sysUpTime
    &[1, 3, 6, 1, 2, 1, 1, 4, 0],            // sysContact
    &[1, 3, 6, 1, 2, 1, 1, 5, 0],            // sysName
    &[1, 3, 6, 1, 2, 1, 1, 6, 0],            // sysLocation
    &[1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0],     // snmpEngineID (SNMP-FRAMEWORK-MIB)
    &[1, 3, 6, 1, 2, 1, 17, 1, 1, 0],        // dot1dBaseBridgeAddress (BRIDGE-MIB)
    &[1, 0, 8802, 1, 1, 2, 1, 3, 1, 0],      // lldpLocChassisIdSubtype (LLDP-MIB)
    &[1, 0, 8802, 1, 1, 2, 1, 3, 2, 0],      // lldpLocChassisId
    &[1, 0, 8802, 1, 1, 2, 1, 3, 6, 0],      // lldpLocSysCapEnabled
    &[1, 3, 6, 1, 2, 1, 4, 1, 0],            // ipForwarding (IP-MIB)
    &[1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17, 1], // prtGeneralSerialNumber (Printer-MIB)
    &[1, 3, 6, 1, 2, 1, 33, 1, 1, 1, 0],     // upsIdentManufacturer (UPS-MIB)
    &[1, 3, 6, 1, 2, 1, 33, 1, 1, 2, 0],     // upsIdentModel
    &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 3, 1], // hrDeviceDescr.1 (HOST-RESOURCES-MIB), the model of a printer
];

/// `ifTable` (IF-MIB): `ifType` and `ifPhysAddress`.
const INTERFACES: TableOf =
    TableOf { name: "ifPhysAddress", entry: &[1, 3, 6, 1, 2, 1, 2, 2, 1], columns: &[3, 6] };

/// `entPhysicalTable` (ENTITY-MIB): `entPhysicalClass`.
const CLASSES: TableOf =
    TableOf { name: "entPhysicalClass", entry: &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1], columns: &[5] };

/// `hrProcessorTable` (HOST-RESOURCES-MIB): load.
const PROCESSORS: TableOf =
    TableOf { name: "hrProcessorLoad", entry: &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1], columns: &[2] };

/// The columns that describe a chassis: description, name, hardware, firmware and software revision, serial number,
/// manufacturer, model, asset.
const CHASSIS_COLUMNS: [u32; 9] = [2, 7, 8, 9, 10, 11, 12, 13, 15];

/// `entPhysicalClass`: a chassis.
const CHASSIS: u64 = 3;

/// Everything that identity is made of.
#[derive(Debug, Default)]
pub(crate) struct Known {
    variables: Vec<Option<Value>>,
    interfaces: Table,
    chassis: Row,
    load: Option<f64>,
    product: Product,
    serial: Option<String>,
    model: Option<String>,
    software: Option<String>,
    firmware: Option<String>,
}

impl Known {
    fn value(&self, at: usize) -> Option<&Value> {
        self.variables.get(at)?.as_ref()
    }

    fn text(&self, at: usize) -> Option<String> {
        self.value(at)?.text()
    }

    fn chassis_text(&self, column: u32) -> Option<String> {
        self.chassis.text(column).filter(|text| !is_placeholder(text))
    }

    fn is_printer(&self) -> bool {
        self.value(12).is_some()
    }

    fn is_ups(&self) -> bool {
        self.value(13).is_some() || self.value(14).is_some()
    }

    fn vendor(&self) -> Option<String> {
        let product = self.product.vendor.clone();
        product.or_else(|| self.chassis_text(12)).or_else(|| self.text(13))
    }

    fn serial_number(&self) -> Option<String> {
        let chassis = self.chassis_text(11);
        let printer = self.text(12).filter(|text| !is_placeholder(text));
        chassis.or_else(|| self.serial.clone()).or(printer)
    }

    fn model_name(&self) -> Option<String> {
        let printer = self.is_printer().then(|| self.text(15)).flatten();
        let chassis = self.chassis_text(13);
        let words = chassis.or_else(|| self.model.clone()).or_else(|| self.product.model.clone());
        words.or_else(|| self.text(14)).or(printer)
    }

    fn capabilities(&self) -> Vec<String> {
        super::neighbors::capabilities(self.value(10).and_then(Value::octets).unwrap_or_default())
    }

    /// What it is: by the vendor's rules, else by the MIBs that only such a thing has, else by what it announces.
    fn device_type(&self) -> String {
        if let Some(known) = &self.product.device_type {
            return known.clone();
        }
        let capabilities = self.capabilities();
        let announces = |word: &str| capabilities.iter().any(|known| known == word);
        let is_forwarding = self.value(11).and_then(Value::number) == Some(1);
        let guess = if self.is_printer() {
            "printer"
        } else if self.is_ups() {
            "ups"
        } else if announces("wlan_access_point") {
            "access_point"
        } else if announces("telephone") {
            "phone"
        } else if self.value(7).is_some() {
            "switch"
        } else if is_forwarding || announces("router") {
            "router"
        } else {
            "unknown"
        };
        guess.to_owned()
    }
}

/// What vendors write where nothing is known.
fn is_placeholder(text: &str) -> bool {
    let folded = text.to_lowercase();
    ["n/a", "na", "none", "unknown", "unspecified", "not available", "0", "-", "default string"]
        .contains(&folded.as_str())
}

/// Looks at the scope.
pub(crate) async fn collect(view: &mut View<'_>, run: &mut Run<'_>) -> Coverage {
    run.progress("identity", 0, Some(4));
    let variables = view.get(run, "system", &VARIABLES).await;
    let mut known = Known { variables, ..Known::default() };
    let object = known.value(1).and_then(Value::oid).unwrap_or_default().to_vec();
    known.product = vendors::product(&object, &known.text(0).unwrap_or_default());
    run.progress("identity", 1, Some(4));
    vendor_variables(view, run, &mut known).await;
    run.progress("identity", 2, Some(4));
    known.interfaces = view.table(run, &INTERFACES).await;
    run.progress("identity", 3, Some(4));
    chassis(view, run, &mut known).await;
    known.load = load_of(&view.table(run, &PROCESSORS).await);
    for seen in observe(&known, view) {
        view.saw(run, seen);
    }
    run.progress("identity", 4, Some(4));
    view.coverage()
}

/// What the vendor keeps in variables of its own.
async fn vendor_variables(view: &mut View<'_>, run: &mut Run<'_>, known: &mut Known) {
    let product = known.product.clone();
    let places = [product.serial_at, product.model_at, product.software_at, product.firmware_at];
    let names: Vec<&[u32]> = places.iter().flatten().map(Vec::as_slice).collect();
    if names.is_empty() {
        return;
    }
    let mut values = view.get(run, "the vendor's variables", &names).await.into_iter();
    let mut next = |is_there: bool| {
        let value = if is_there { values.next().flatten() } else { None };
        let number = value.as_ref().and_then(Value::number).map(|number| number.to_string());
        let text = value.as_ref().and_then(Value::text).or(number);
        text.filter(|text| !is_placeholder(text))
    };
    let [serial, model, software, firmware] = places.map(|place| next(place.is_some()));
    (known.serial, known.model) = (serial, model);
    (known.software, known.firmware) = (software, firmware);
}

/// The outermost chassis of the lowest number, which speaks for a stack.
async fn chassis(view: &mut View<'_>, run: &mut Run<'_>, known: &mut Known) {
    let classes = view.table(run, &CLASSES).await;
    let chassis: Vec<u32> = classes
        .rows()
        .filter(|(_, row)| row.number(5) == Some(CHASSIS))
        .filter_map(|(index, _)| index.first().copied())
        .take(CHASSIS_MAX)
        .collect();
    let Some(first) = chassis.first() else { return };
    let names: Vec<Vec<u32>> =
        CHASSIS_COLUMNS.iter().map(|column| [CLASSES.entry, &[*column, *first]].concat()).collect();
    let names: Vec<&[u32]> = names.iter().map(Vec::as_slice).collect();
    let values = view.get(run, "entPhysicalTable", &names).await;
    let pairs = CHASSIS_COLUMNS.iter().zip(values);
    known.chassis = Row(pairs.filter_map(|(column, value)| Some((*column, value?))).collect());
}

/// The load of all processors on average.
fn load_of(processors: &Table) -> Option<f64> {
    let loads: Vec<u32> = processors
        .rows()
        .filter_map(|(_, row)| u32::try_from(row.number(2)?).ok())
        .filter(|load| *load <= 100)
        .collect();
    let count = u32::try_from(loads.len()).ok().filter(|count| *count > 0)?;
    Some(f64::from(loads.iter().sum::<u32>()) / f64::from(count))
}

/// What the variables and tables mean.
fn observe(known: &Known, view: &View<'_>) -> Vec<Observation> {
    let address = view.found.address.ip();
    let mut seen = if view.found.is_host { host_of(known) } else { device_of(known, address) };
    for key in keys(known, view, address) {
        seen = seen.key(Some(key));
    }
    vec![seen, access_of(view, known)]
}

fn device_of(known: &Known, address: IpAddr) -> Observation {
    let software = known.chassis_text(10).or_else(|| known.software.clone());
    let firmware = known.chassis_text(9).or_else(|| known.firmware.clone());
    let object = known.value(1).and_then(Value::oid).map(crate::oid::text);
    let ticks = known.value(2).and_then(Value::number);
    Observation::of(&network_device::CLASS, DEVICE)
        .with(&network_device::NAME, known.text(4).unwrap_or_else(|| address.to_string()))
        .with(&network_device::DEVICE_TYPE, known.device_type())
        .with_some(&network_device::VENDOR, known.vendor())
        .with_some(&network_device::MODEL, known.model_name())
        .with_some(&network_device::SERIAL_NUMBER, known.serial_number())
        .with_some(&network_device::ASSET_TAG, known.chassis_text(15))
        .with_some(&network_device::OS_NAME, known.product.os.clone())
        .with_some(
            &network_device::SOFTWARE_VERSION,
            software.or_else(|| known.product.version.clone()),
        )
        .with_some(&network_device::FIRMWARE_VERSION, firmware)
        .with_some(&network_device::HARDWARE_VERSION, known.chassis_text(8))
        .with_some(&network_device::DESCRIPTION, known.text(0))
        .with_some(&network_device::OBJECT_ID, object)
        .with_some(&network_device::CONTACT, known.text(3))
        .with_some(&network_device::LOCATION, known.text(5))
        .with(&network_device::MANAGEMENT_ADDRESS, address.to_string())
        .with_some(&network_device::BRIDGE_ADDRESS, bridge_address(known))
        .with(&network_device::CAPABILITIES, known.capabilities())
        .with_some(&network_device::UPTIME_SECONDS, ticks.map(|ticks| ticks / 100))
        .with_some(&network_device::PROCESSOR_LOAD_PERCENT, known.load)
}

fn bridge_address(known: &Known) -> Option<String> {
    known.value(7).and_then(Value::octets).and_then(mac_of)
}

fn host_of(known: &Known) -> Observation {
    let name = known.text(4);
    let short = name.as_deref().and_then(|name| name.split('.').next()).map(str::to_owned);
    let description = known.text(0).unwrap_or_default();
    let words: Vec<&str> = description.split(' ').collect();
    // `Linux web1 6.1.0-18-amd64 #1 SMP …`: what uname says.
    let is_uname = name.as_deref().is_some_and(|_| words.len() > 3)
        && known
            .product
            .os
            .as_deref()
            .is_some_and(|os| words.first().is_some_and(|word| word.eq_ignore_ascii_case(os)));
    let release = words.get(2).filter(|_| is_uname).map(|word| (*word).to_owned());
    Observation::of(&host::CLASS, DEVICE)
        .with_some(&host::FQDN, name)
        .with_some(&host::HOST_NAME, short)
        .with_some(&host::OS_FAMILY, known.product.os.clone())
        .with_some(&host::OS_VERSION, known.product.version.clone())
        .with_some(&host::KERNEL_RELEASE, release)
}

/// The evidence by which it may be recognized.
fn keys(known: &Known, view: &View<'_>, address: IpAddr) -> Vec<IdentityKey> {
    let everywhere = Realm::everywhere;
    let mut found = Vec::new();
    let mut add =
        |key_type, realm, value: &str| found.extend(IdentityKey::new(key_type, realm, value));
    if let Some(serial) = known.serial_number() {
        let vendor = known.vendor().unwrap_or_default();
        add(KeyType::ChassisSerial, everywhere(), &format!("{vendor}/{serial}"));
    }
    let engine = view.found.session.engine().map(|engine| engine.id.clone());
    let said = known.value(6).and_then(Value::octets).map(<[u8]>::to_vec);
    if let Some(engine) = engine.or(said) {
        add(KeyType::SnmpEngineId, everywhere(), &hexadecimal(&engine));
    }
    if let Some(chassis) = lldp_chassis(known) {
        add(KeyType::LldpChassisId, view.site(), &chassis);
    }
    for mac in hardware_addresses(known) {
        add(KeyType::MacAddress, everywhere(), &mac);
    }
    if let Some(name) = known.text(4) {
        if name.contains('.') {
            add(KeyType::Fqdn, view.site(), &name);
        }
        add(KeyType::SystemName, view.site(), &name);
    }
    let realm = Realm::of_address(address, &view.site(), &Realm::host(&view.target.id));
    add(KeyType::IpAddress, realm, &address.to_string());
    found
}

/// The chassis id that the device announces of itself.
fn lldp_chassis(known: &Known) -> Option<String> {
    let subtype = known.value(8)?.number()?;
    super::neighbors::id_text(subtype, super::neighbors::Id::Chassis, known.value(9)?.octets()?)
}

fn hardware_addresses(known: &Known) -> BTreeSet<String> {
    // Ethernet in its several numbers (IANAifType-MIB), and wireless.
    const ETHERNET: [u64; 5] = [6, 62, 69, 71, 117];
    let ports = known.interfaces.rows().map(|(_, row)| row);
    let ports = ports.filter(|row| row.number(3).is_some_and(|kind| ETHERNET.contains(&kind)));
    let ports = ports.filter_map(|row| row.octets(6).and_then(mac_of)).take(ADDRESSES_MAX);
    ports.chain(bridge_address(known)).collect()
}

fn access_of(view: &View<'_>, known: &Known) -> Observation {
    let session = &view.found.session;
    let is_encrypted = matches!(session.access(), Access::User(user) if user.privacy.is_some());
    let said = known.value(6).and_then(Value::octets).map(hexadecimal);
    let engine = session.engine().map(|engine| hexadecimal(&engine.id)).or(said);
    let mut oddities = Vec::new();
    if session.has_odd_ids() {
        oddities.push("answers with request numbers of its own".to_owned());
    }
    Observation::part(&management_access::CLASS, DEVICE, &["snmp"])
        .with(&management_access::PROTOCOL_VERSION, session.access().version().name())
        .with(&management_access::SECURITY_LEVEL, session.access().level())
        .with(&management_access::IS_ENCRYPTED, is_encrypted)
        .with(&management_access::ADDRESS, view.found.address.to_string())
        .with_some(&management_access::ENGINE_ID, engine)
        .with(&management_access::ODDITIES, oddities)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(variables: &[(usize, &str)]) -> Known {
        let mut known = Known { variables: vec![None; VARIABLES.len()], ..Known::default() };
        for (at, text) in variables {
            known.variables[*at] = Some(Value::Octets(text.as_bytes().into()));
        }
        known
    }

    #[test]
    fn what_only_a_printer_or_an_ups_has_says_what_it_is() {
        assert_eq!(known(&[(12, "VNB3M01234")]).device_type(), "printer");
        assert_eq!(known(&[(14, "Smart 1500")]).device_type(), "ups");
        assert_eq!(known(&[(7, "\x00\x00\x5e\x00\x53\x01")]).device_type(), "switch");
        assert_eq!(known(&[]).device_type(), "unknown");
    }

    #[test]
    fn placeholders_are_no_serial_numbers() {
        let mut known = known(&[(12, "N/A")]);
        assert_eq!(known.serial_number(), None);
        known.chassis = Row([(11, Value::Octets(b"FOX1234ABCD".as_slice().into()))].into());
        assert_eq!(known.serial_number().as_deref(), Some("FOX1234ABCD"));
    }
}
