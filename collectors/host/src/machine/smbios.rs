//! Reads the structure table of SMBIOS (DSP0134 3.7): what the firmware says of the machine.
//!
//! The table is foreign bytes: each field is looked up inside its structure's own length, each string inside the
//! table, and the number of structures is bounded. What is outside is *not said*, never an error.
//!
//! Deliberately not here: reading the table, and judging whether a serial number is an identity.

/// The largest table that is looked at; those of large servers have some 30 kB.
pub(super) const TABLE_BYTES_MAX: usize = 1024 * 1024;
/// The most structures that are looked at; a machine with 192 memory slots has some 600.
const STRUCTURES_MAX: usize = 8192;

/// What the firmware says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    /// Type 0.
    pub(super) firmware: Firmware,
    /// Type 1.
    pub(super) system: System,
    /// Type 2, the first one.
    pub(super) board: Board,
    /// Type 3, the first one.
    pub(super) chassis: Chassis,
    /// Type 4, sockets with a processor in them.
    pub(super) processors: Vec<Socket>,
    /// Type 16, arrays of system memory.
    pub(super) arrays: Vec<MemoryArray>,
    /// Type 17.
    pub(super) modules: Vec<MemoryModule>,
}

/// Firmware information.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Firmware {
    pub(super) vendor: Option<String>,
    pub(super) version: Option<String>,
    pub(super) date: Option<String>,
    pub(super) revision: Option<String>,
}

/// System information.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct System {
    pub(super) vendor: Option<String>,
    pub(super) product: Option<String>,
    pub(super) version: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) uuid: Option<String>,
    pub(super) sku: Option<String>,
    pub(super) family: Option<String>,
}

/// Baseboard information.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Board {
    pub(super) vendor: Option<String>,
    pub(super) product: Option<String>,
    pub(super) version: Option<String>,
    pub(super) serial: Option<String>,
}

/// System enclosure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chassis {
    pub(super) vendor: Option<String>,
    pub(super) form: Option<&'static str>,
    pub(super) version: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) asset_tag: Option<String>,
}

/// Processor information of a populated socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) designation: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) part: Option<String>,
}

/// Physical memory array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MemoryArray {
    pub(super) error_correction: Option<&'static str>,
    pub(super) capacity_max_bytes: Option<u64>,
    pub(super) slots_count: u64,
}

/// Memory device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MemoryModule {
    pub(super) slot: Option<String>,
    pub(super) bank: Option<String>,
    /// Zero: the slot is empty; `None`: the firmware does not know.
    pub(super) capacity_bytes: Option<u64>,
    pub(super) form: Option<&'static str>,
    pub(super) technology: Option<&'static str>,
    pub(super) speed: Option<u64>,
    pub(super) speed_configured: Option<u64>,
    pub(super) width_bits: Option<u64>,
    pub(super) ranks: Option<u64>,
    pub(super) voltage_millivolts: Option<u64>,
    pub(super) vendor: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) part: Option<String>,
    pub(super) asset_tag: Option<String>,
}

/// The version that an entry point (`_SM_` or `_SM3_`) states, as major and minor.
pub(super) fn entry_version(entry: &[u8]) -> Option<(u8, u8)> {
    let place = if entry.starts_with(b"_SM3_") {
        7
    } else if entry.starts_with(b"_SM_") {
        6
    } else {
        return None;
    };
    Some((*entry.get(place)?, *entry.get(place + 1)?))
}

/// Reads the table; `version` decides the byte order of the UUID.
pub(super) fn parse(table: &[u8], version: (u8, u8)) -> Tables {
    let mut found = Tables::default();
    let mut rest = table.get(..TABLE_BYTES_MAX).unwrap_or(table);
    let mut seen = [false; 4];
    for _ in 0..STRUCTURES_MAX {
        let Some((structure, after)) = Structure::split(rest) else { break };
        rest = after;
        // Of types that a machine has once, the first one counts.
        if let Some(is_seen) = seen.get_mut(usize::from(structure.kind()))
            && std::mem::replace(is_seen, true)
        {
            continue;
        }
        match structure.kind() {
            0 => found.firmware = firmware(&structure),
            1 => found.system = system(&structure, version),
            2 => found.board = board(&structure),
            3 => found.chassis = chassis(&structure),
            4 => found.processors.extend(socket(&structure)),
            16 => found.arrays.extend(memory_array(&structure)),
            17 => found.modules.push(memory_module(&structure)),
            127 => break,
            _ => {}
        }
    }
    found
}

/// One structure: its formatted area and its strings.
struct Structure<'a> {
    formatted: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Structure<'a> {
    /// The first structure and what follows it.
    fn split(table: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = usize::from(*table.get(1)?);
        if length < 4 {
            return None;
        }
        let (formatted, rest) = table.split_at_checked(length)?;
        // The strings end at two zeros in a row; a table that is cut ends them too.
        let end = rest.windows(2).position(|pair| pair == [0, 0]);
        let (strings, after) = match end {
            Some(end) => (rest.get(..end)?, rest.get(end + 2..)?),
            None => (rest, &[][..]),
        };
        Some((Self { formatted, strings }, after))
    }

    fn kind(&self) -> u8 {
        self.formatted.first().copied().unwrap_or(127)
    }

    fn byte(&self, place: usize) -> Option<u8> {
        self.formatted.get(place).copied()
    }

    fn word(&self, place: usize) -> Option<u16> {
        let bytes = self.formatted.get(place..)?.first_chunk::<2>()?;
        Some(u16::from_le_bytes(*bytes))
    }

    fn double(&self, place: usize) -> Option<u32> {
        let bytes = self.formatted.get(place..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes))
    }

    fn quad(&self, place: usize) -> Option<u64> {
        let bytes = self.formatted.get(place..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// The string whose number stands at `place`, unless it is a placeholder.
    fn string(&self, place: usize) -> Option<String> {
        let number = usize::from(self.byte(place)?);
        let bytes = self.strings.split(|byte| *byte == 0).nth(number.checked_sub(1)?)?;
        meaningful(&String::from_utf8_lossy(bytes))
    }
}

/// A text of the firmware, unless it only says that no one filled it in.
pub(super) fn meaningful(text: &str) -> Option<String> {
    const PLACEHOLDERS: [&str; 16] = [
        "to be filled by o.e.m.",
        "to be filled by o.e.m",
        "default string",
        "not specified",
        "not available",
        "not applicable",
        "not provided",
        "system manufacturer",
        "system product name",
        "system version",
        "system serial number",
        "no asset tag",
        "no asset information",
        "undefined",
        "unknown",
        "n/a",
    ];
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    let lower = text.to_ascii_lowercase();
    let says_something = text.chars().any(|letter| letter.is_alphanumeric())
        && !PLACEHOLDERS.contains(&lower.as_str())
        && lower != "none"
        && lower != "empty";
    says_something.then(|| text.to_owned())
}

fn firmware(structure: &Structure<'_>) -> Firmware {
    let revision = structure.byte(0x14).zip(structure.byte(0x15));
    Firmware {
        vendor: structure.string(4),
        version: structure.string(5),
        date: structure.string(8),
        revision: revision
            .filter(|(major, minor)| (*major, *minor) != (0xff, 0xff))
            .map(|(major, minor)| format!("{major}.{minor}")),
    }
}

fn system(structure: &Structure<'_>, version: (u8, u8)) -> System {
    let uuid = structure.formatted.get(8..24).and_then(|bytes| uuid(bytes, version >= (2, 6)));
    System {
        vendor: structure.string(4),
        product: structure.string(5),
        version: structure.string(6),
        serial: structure.string(7),
        uuid,
        sku: structure.string(0x19),
        family: structure.string(0x1a),
    }
}

/// The UUID in text form; from 2.6 on, its first three parts are little-endian.
fn uuid(bytes: &[u8], is_mixed: bool) -> Option<String> {
    let mut octets: [u8; 16] = bytes.try_into().ok()?;
    if octets == [0; 16] || octets == [0xff; 16] {
        return None;
    }
    if is_mixed {
        octets.get_mut(..4)?.reverse();
        octets.get_mut(4..6)?.reverse();
        octets.get_mut(6..8)?.reverse();
    }
    let mut text = String::with_capacity(36);
    for (index, octet) in octets.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{octet:02x}"));
    }
    Some(text)
}

fn board(structure: &Structure<'_>) -> Board {
    Board {
        vendor: structure.string(4),
        product: structure.string(5),
        version: structure.string(6),
        serial: structure.string(7),
    }
}

fn chassis(structure: &Structure<'_>) -> Chassis {
    Chassis {
        vendor: structure.string(4),
        form: structure.byte(5).and_then(|number| chassis_form(number & 0x7f)),
        version: structure.string(6),
        serial: structure.string(7),
        asset_tag: structure.string(8),
    }
}

/// The words of DSP0134, table 17, for a form of chassis.
pub(super) fn chassis_form(number: u8) -> Option<&'static str> {
    const FORMS: [&str; 36] = [
        "Other",
        "Unknown",
        "Desktop",
        "Low Profile Desktop",
        "Pizza Box",
        "Mini Tower",
        "Tower",
        "Portable",
        "Laptop",
        "Notebook",
        "Hand Held",
        "Docking Station",
        "All in One",
        "Sub Notebook",
        "Space-saving",
        "Lunch Box",
        "Main Server Chassis",
        "Expansion Chassis",
        "SubChassis",
        "Bus Expansion Chassis",
        "Peripheral Chassis",
        "RAID Chassis",
        "Rack Mount Chassis",
        "Sealed-case PC",
        "Multi-system chassis",
        "Compact PCI",
        "Advanced TCA",
        "Blade",
        "Blade Enclosure",
        "Tablet",
        "Convertible",
        "Detachable",
        "IoT Gateway",
        "Embedded PC",
        "Mini PC",
        "Stick PC",
    ];
    FORMS.get(usize::from(number).checked_sub(1)?).copied()
}

fn socket(structure: &Structure<'_>) -> Option<Socket> {
    const POPULATED: u8 = 0x40;
    // Type 3 is a central processor; others are math and signal processors.
    if structure.byte(5)? != 3 || structure.byte(0x18)? & POPULATED == 0 {
        return None;
    }
    Some(Socket {
        designation: structure.string(4),
        serial: structure.string(0x20),
        part: structure.string(0x22),
    })
}

fn memory_array(structure: &Structure<'_>) -> Option<MemoryArray> {
    const SYSTEM_MEMORY: u8 = 3;
    if structure.byte(5)? != SYSTEM_MEMORY {
        return None;
    }
    let capacity = match structure.double(7)? {
        0x8000_0000 => structure.quad(0x0f),
        kibibytes => u64::from(kibibytes).checked_mul(1024),
    };
    Some(MemoryArray {
        error_correction: match structure.byte(6)? {
            3 => Some("None"),
            4 => Some("Parity"),
            5 => Some("Single-bit ECC"),
            6 => Some("Multi-bit ECC"),
            7 => Some("CRC"),
            _ => None,
        },
        capacity_max_bytes: capacity.filter(|bytes| *bytes > 0),
        slots_count: structure.word(0x0d).map_or(0, u64::from),
    })
}

fn memory_module(structure: &Structure<'_>) -> MemoryModule {
    let speed = |place, extended| match structure.word(place)? {
        0 => None,
        0xffff => structure.double(extended).map(|speed| u64::from(speed & 0x7fff_ffff)),
        speed => Some(u64::from(speed)),
    };
    let is_known = |word: &u16| *word != 0 && *word != 0xffff;
    MemoryModule {
        slot: structure.string(0x10),
        bank: structure.string(0x11),
        capacity_bytes: module_bytes(structure),
        form: structure.byte(0x0e).and_then(module_form),
        technology: structure.byte(0x12).and_then(module_technology),
        speed: speed(0x15, 0x54),
        speed_configured: speed(0x20, 0x58),
        width_bits: structure.word(0x0a).filter(is_known).map(u64::from),
        ranks: structure.byte(0x1b).map(|byte| u64::from(byte & 0x0f)).filter(|ranks| *ranks > 0),
        voltage_millivolts: structure.word(0x26).filter(is_known).map(u64::from),
        vendor: structure.string(0x17),
        serial: structure.string(0x18),
        part: structure.string(0x1a),
        asset_tag: structure.string(0x19),
    }
}

fn module_bytes(structure: &Structure<'_>) -> Option<u64> {
    match structure.word(0x0c)? {
        0xffff => None,
        0x7fff => {
            let mebibytes = u64::from(structure.double(0x1c)? & 0x7fff_ffff);
            mebibytes.checked_mul(1 << 20)
        }
        size if size & 0x8000 != 0 => Some(u64::from(size & 0x7fff) << 10),
        size => Some(u64::from(size) << 20),
    }
}

fn module_form(number: u8) -> Option<&'static str> {
    Some(match number {
        3 => "SIMM",
        4 => "SIP",
        5 => "Chip",
        6 => "DIP",
        7 => "ZIP",
        8 => "Proprietary Card",
        9 => "DIMM",
        10 => "TSOP",
        11 => "Row Of Chips",
        12 => "RIMM",
        13 => "SODIMM",
        14 => "SRIMM",
        15 => "FB-DIMM",
        16 => "Die",
        17 => "CAMM",
        _ => return None,
    })
}

fn module_technology(number: u8) -> Option<&'static str> {
    Some(match number {
        3 => "DRAM",
        4 => "EDRAM",
        5 => "VRAM",
        6 => "SRAM",
        7 => "RAM",
        8 => "ROM",
        9 => "Flash",
        10 => "EEPROM",
        15 => "SDRAM",
        17 => "RDRAM",
        18 => "DDR",
        19 => "DDR2",
        20 => "DDR2 FB-DIMM",
        24 => "DDR3",
        25 => "FBD2",
        26 => "DDR4",
        27 => "LPDDR",
        28 => "LPDDR2",
        29 => "LPDDR3",
        30 => "LPDDR4",
        31 => "Logical non-volatile device",
        32 => "HBM",
        33 => "HBM2",
        34 => "DDR5",
        35 => "LPDDR5",
        36 => "HBM3",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A structure with these bytes after its header and these strings.
    fn structure(kind: u8, body: &[u8], strings: &[&str]) -> Vec<u8> {
        let mut bytes = vec![kind, u8::try_from(body.len() + 4).unwrap(), 0, 0];
        bytes.extend_from_slice(body);
        for string in strings {
            bytes.extend_from_slice(string.as_bytes());
            bytes.push(0);
        }
        if strings.is_empty() {
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_structure_that_is_shorter_than_its_header_ends_the_table() {
        assert_eq!(parse(&[1, 2, 0, 0, 9, 9], (3, 0)), Tables::default());
        assert_eq!(parse(&[1, 200, 0, 0], (3, 0)), Tables::default());
    }

    #[test]
    fn a_string_that_is_not_there_is_not_said() {
        let table = structure(2, &[1, 9, 0, 2], &["Vendor", "Default string"]);
        let board = parse(&table, (3, 0)).board;
        assert_eq!(board, Board { vendor: Some("Vendor".into()), ..Board::default() });
    }

    #[test]
    fn the_byte_order_of_the_uuid_follows_the_version() {
        let mut body = vec![1, 2, 0, 0];
        body.extend(1..=16_u8);
        body.extend([0, 0, 0]);
        let table = structure(1, &body, &["ACME", "Anvil 9000"]);
        let uuid = |version| parse(&table, version).system.uuid.unwrap();
        assert_eq!(uuid((2, 5)), "01020304-0506-0708-090a-0b0c0d0e0f10");
        assert_eq!(uuid((2, 8)), "04030201-0605-0807-090a-0b0c0d0e0f10");
        assert_eq!(parse(&table, (3, 0)).system.product.as_deref(), Some("Anvil 9000"));
    }

    #[test]
    fn a_module_beyond_32_gib_tells_its_size_in_the_extended_field() {
        let mut body = vec![0; 0x5c - 4];
        body[0x0c - 4..0x0e - 4].copy_from_slice(&0x7fff_u16.to_le_bytes());
        body[0x0e - 4] = 9;
        body[0x10 - 4] = 1;
        body[0x12 - 4] = 34;
        body[0x15 - 4..0x17 - 4].copy_from_slice(&4800_u16.to_le_bytes());
        body[0x1c - 4..0x20 - 4].copy_from_slice(&65_536_u32.to_le_bytes());
        let modules = parse(&structure(17, &body, &["DIMM A1"]), (3, 3)).modules;
        let module = modules.first().unwrap();
        assert_eq!(module.capacity_bytes, Some(64 << 30));
        assert_eq!((module.form, module.technology), (Some("DIMM"), Some("DDR5")));
        assert_eq!((module.slot.as_deref(), module.speed), (Some("DIMM A1"), Some(4800)));
    }

    #[test]
    fn empty_slots_and_sockets_are_told_from_full_ones() {
        let empty = structure(17, &[0; 0x20], &[]);
        assert_eq!(parse(&empty, (3, 0)).modules.first().unwrap().capacity_bytes, Some(0));
        let mut body = vec![0; 0x20];
        body[1] = 3;
        assert!(parse(&structure(4, &body, &[]), (3, 0)).processors.is_empty());
        body[0x14] = 0x41;
        assert_eq!(parse(&structure(4, &body, &[]), (3, 0)).processors.len(), 1);
    }

    #[test]
    fn the_entry_point_tells_the_version() {
        assert_eq!(entry_version(b"_SM3_\x00\x18\x03\x07\x00"), Some((3, 7)));
        assert_eq!(entry_version(b"_SM_\x00\x1f\x02\x08"), Some((2, 8)));
        assert_eq!(entry_version(b"_DMI_"), None);
    }

    proptest! {
        #[test]
        fn any_table_gives_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            parse(&bytes, (3, 0));
            entry_version(&bytes);
        }

        #[test]
        fn any_body_of_a_known_type_gives_an_answer(
            kind in prop_oneof![Just(0_u8), Just(1), Just(2), Just(3), Just(4), Just(16), Just(17)],
            body in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            parse(&structure(kind, &body, &["one", "two"]), (2, 6));
        }
    }
}
