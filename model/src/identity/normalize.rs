//! The forms of values: from what a source wrote to the one text by which two sources agree.
//!
//! Invariants: every function is idempotent (a normalized value normalizes to itself), never panics and never makes
//! a value longer than [`VALUE_LENGTH_MAX`].
//!
//! Deliberately not here: the list of junk, and other spellings of the same value (`alternates`).

use super::{NoEvidence, VALUE_LENGTH_MAX};
use std::net::IpAddr;
use uuid::Uuid;

/// The shortest serial number; shorter ones are counters and leftovers.
const SERIAL_LETTERS_MIN: usize = 4;

/// The longest host name (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// Spaces and line ends that a value may have beside its letters, as a multiple of its length: what fixed-width
/// fields of firmware are padded with.
const PADDING_FACTOR_MAX: usize = 8;

/// The form that the values of a type have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the source wrote it: upper and lower case mean different things.
    Exact,
    /// Any text in lower case.
    Folded,
    /// An id of a cloud.
    Cloud,
    /// `vendor/serial`.
    Serial,
    /// A label with the rules of a serial number.
    Tag,
    /// A UUID.
    Uuid,
    /// 32 hexadecimal digits.
    MachineId,
    /// A SHA-256, hexadecimal.
    Digest,
    /// A MAC address.
    Mac,
    /// A world wide name.
    WorldWideName,
    /// An SNMP engine id.
    EngineId,
    /// An LLDP chassis id.
    ChassisId,
    /// A host name with its domain.
    Fqdn,
    /// A name of one word or several.
    HostName,
    /// An IP address.
    Address,
}

/// The normalized value.
pub(super) fn value_of(form: Form, raw: &str) -> Result<String, NoEvidence> {
    let clean = cleaned(raw)?;
    let value = match form {
        Form::Exact => clean,
        Form::Cloud => cloud(&clean)?,
        _ => shaped(form, clean.to_lowercase())?,
    };
    // Folding case can make a text longer.
    if value.len() > VALUE_LENGTH_MAX {
        return Err(NoEvidence::TooLong);
    }
    if value.is_empty() { Err(NoEvidence::Empty) } else { Ok(value) }
}

fn shaped(form: Form, value: String) -> Result<String, NoEvidence> {
    match form {
        Form::Serial => {
            serial(serial_part(&value))?;
            // The name of the vendor may have a slash too.
            let last = value.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            if last.len() >= SERIAL_LETTERS_MIN {
                serial(last)?;
            }
            Ok(value)
        }
        Form::Tag => serial(&value).map(|()| value),
        Form::Uuid => uuid(&value),
        Form::MachineId => hexadecimal(&value, |length| length == 32),
        Form::Digest => {
            hexadecimal(value.strip_prefix("sha256:").unwrap_or(&value), |length| length == 64)
        }
        Form::Mac => global_mac(&value),
        Form::WorldWideName => world_wide_name(value),
        Form::EngineId => engine_id(&value),
        // Twelve digits without separators may as well be a serial number.
        Form::ChassisId if value.contains([':', '-', '.']) && mac_of(&value).is_some() => {
            global_mac(&value)
        }
        Form::ChassisId => one_letter(&value).map(|()| value),
        Form::Fqdn => fqdn(&value),
        Form::HostName => host_name(value),
        Form::Address => address(&value),
        Form::Exact | Form::Folded | Form::Cloud => Ok(value),
    }
}

/// Without control characters and with single spaces. Firmware pads its fields with spaces and zero bytes.
fn cleaned(raw: &str) -> Result<String, NoEvidence> {
    if raw.len() > VALUE_LENGTH_MAX.saturating_mul(PADDING_FACTOR_MAX) {
        return Err(NoEvidence::TooLong);
    }
    let is_gap = |letter: char| letter.is_whitespace() || letter.is_control();
    let mut clean = String::with_capacity(raw.len());
    for word in raw.split(is_gap).filter(|word| !word.is_empty()) {
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(word);
    }
    match clean.len() {
        0 => Err(NoEvidence::Empty),
        length if length > VALUE_LENGTH_MAX => Err(NoEvidence::TooLong),
        _ => Ok(clean),
    }
}

/// The serial number of `vendor/serial`, without the slashes that Dell writes around that of a board.
pub(super) fn serial_part(value: &str) -> &str {
    let serial = value.split_once('/').map_or(value, |(_, serial)| serial);
    serial.trim_matches(|letter| letter == '/' || letter == ' ')
}

fn serial(serial: &str) -> Result<(), NoEvidence> {
    one_letter(serial)?;
    if serial.chars().count() < SERIAL_LETTERS_MIN {
        return Err(NoEvidence::TooShort);
    }
    let is_next = |(one, next): (u8, u8)| {
        one.is_ascii_digit()
            && next.is_ascii_digit()
            && (next == one + 1 || (one, next) == (b'9', b'0'))
    };
    let is_ascending = serial.bytes().zip(serial.bytes().skip(1)).all(is_next);
    if is_ascending { Err(NoEvidence::Ascending) } else { Ok(()) }
}

/// Refuses what is one letter again and again, or nothing but separators.
fn one_letter(value: &str) -> Result<(), NoEvidence> {
    let mut letters =
        value.chars().filter(|letter| !matches!(letter, '-' | ' ' | ':' | '.' | '_' | '/'));
    let first = letters.next();
    if letters.all(|letter| Some(letter) == first) { Err(NoEvidence::OneLetter) } else { Ok(()) }
}

/// Lower-case hexadecimal digits of a fitting length, without separators and prefix.
fn hexadecimal(value: &str, fits: impl Fn(usize) -> bool) -> Result<String, NoEvidence> {
    let value = value.strip_prefix("0x").unwrap_or(value);
    let digits: String =
        value.chars().filter(|letter| !matches!(letter, '-' | ':' | ' ' | '{' | '}')).collect();
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hexadecimal || !fits(digits.len()) {
        return Err(NoEvidence::WrongForm);
    }
    one_letter(&digits).map(|()| digits)
}

/// A UUID in its usual form. VMware writes it as `VMware-56 4d …`.
fn uuid(value: &str) -> Result<String, NoEvidence> {
    let value = value.strip_prefix("vmware-").unwrap_or(value);
    let value = value.strip_prefix("urn:uuid:").unwrap_or(value);
    let digits = hexadecimal(value, |length| length == 32)?;
    let parsed = Uuid::try_parse(&digits).map_err(|_| NoEvidence::WrongForm)?;
    Ok(parsed.as_hyphenated().to_string())
}

/// The octets of a MAC address, in any of the usual ways of writing it.
pub(super) fn mac_of(value: &str) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    if value.contains([':', '-']) {
        let mut parts = value.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() <= 2)?;
            *octet = octet_of(part)?;
        }
        return parts.next().is_none().then_some(octets);
    }
    // `3cec.ef12.3456` and `3cecef123456`.
    let digits: String = value.chars().filter(|letter| *letter != '.').collect();
    if digits.len() != 12 || !digits.is_ascii() {
        return None;
    }
    for (index, octet) in octets.iter_mut().enumerate() {
        *octet = octet_of(digits.get(index * 2..index * 2 + 2)?)?;
    }
    Some(octets)
}

/// One octet; `from_str_radix` alone would take `+f`.
fn octet_of(digits: &str) -> Option<u8> {
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hexadecimal.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// The text of a MAC address.
pub(super) fn mac_text(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

/// Whether a normalized value is a MAC address.
pub(super) fn is_mac_text(value: &str) -> bool {
    value.contains(':') && mac_of(value).is_some()
}

fn global_mac(value: &str) -> Result<String, NoEvidence> {
    let octets = mac_of(value).ok_or(NoEvidence::WrongForm)?;
    if is_global_mac(octets) { Ok(mac_text(octets)) } else { Err(NoEvidence::Shared) }
}

/// Whether a MAC address was given by a manufacturer to one port (IEEE 802-2014, 8.2).
///
/// Docker's `02:42:…` and Microsoft's `02:bf:…` of load balancing are locally administered.
pub(super) fn is_global_mac(octets: [u8; 6]) -> bool {
    let is_multicast_or_local = octets[0] & 0b11 != 0;
    let is_of_several_routers = match octets {
        // VRRP for IPv4 and IPv6 (RFC 9568, 7.3) and CARP.
        [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _] => true,
        // HSRP version 1, version 2, and version 2 for IPv6.
        [0x00, 0x00, 0x0c, 0x07, 0xac, _]
        | [0x00, 0x00, 0x0c, 0x9f, 0xf0..=0xff, _]
        | [0x00, 0x05, 0x73, 0xa0, 0x00..=0x0f, _] => true,
        // GLBP.
        [0x00, 0x07, 0xb4, 0x00, _, _] => true,
        _ => false,
    };
    octets != [0; 6] && !is_multicast_or_local && !is_of_several_routers
}

/// NAA (64 or 128 bits) and EUI-64 as digits; what a bus makes of vendor, model and serial number stays text.
fn world_wide_name(value: String) -> Result<String, NoEvidence> {
    let mut bare = value.as_str();
    for prefix in ["wwn-", "naa.", "eui.", "uuid."] {
        bare = bare.strip_prefix(prefix).unwrap_or(bare);
    }
    match hexadecimal(bare, |length| matches!(length, 16 | 32)) {
        Err(NoEvidence::WrongForm) if value.starts_with("t10.") || value.starts_with("nvme.") => {
            serial(&value).map(|()| value)
        }
        digits => digits,
    }
}

/// RFC 3411: 5 to 32 octets; with the first bit set, the fifth says what follows.
fn engine_id(value: &str) -> Result<String, NoEvidence> {
    let digits = hexadecimal(value, |length| length % 2 == 0 && (10..=64).contains(&length))?;
    if let Some(octets) = engine_mac(&digits)
        && !is_global_mac(octets)
    {
        return Err(NoEvidence::Shared);
    }
    // Made of an address that every host has.
    let is_of_loopback = engine_part(&digits, "01").is_some_and(|part| {
        part.starts_with("7f") || part.starts_with("a9fe") || part.starts_with("00000000")
    });
    if is_of_loopback { Err(NoEvidence::Shared) } else { Ok(digits) }
}

/// What follows the format octet of an engine id, when that is `format`.
fn engine_part<'a>(digits: &'a str, format: &str) -> Option<&'a str> {
    let is_described = matches!(digits.bytes().next()?, b'8' | b'9' | b'a'..=b'f');
    let rest = digits.get(8..).filter(|_| is_described)?;
    rest.strip_prefix(format)
}

/// The MAC address that an engine id is made of.
pub(super) fn engine_mac(digits: &str) -> Option<[u8; 6]> {
    let part = engine_part(digits, "03")?;
    (part.len() == 12).then(|| mac_of(part)).flatten()
}

/// Ids that several sources write differently become one: `provider/…`. Everything else stays as it is, because ids
/// of clouds tell upper from lower case.
fn cloud(value: &str) -> Result<String, NoEvidence> {
    let after = |prefix: &str| {
        let head = value.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| value.get(prefix.len()..)).flatten()
    };
    if let Some(rest) = after("aws://") {
        // `aws:///zone/i-…`: the instance is unique in all of AWS.
        let instance = rest.rsplit('/').next().unwrap_or_default();
        return if instance.is_empty() {
            Err(NoEvidence::WrongForm)
        } else {
            Ok(format!("aws/{instance}"))
        };
    }
    if let Some(rest) = after("gce://") {
        return Ok(format!("gcp/{rest}"));
    }
    let link = after("https://www.googleapis.com/compute/v1/projects/")
        .or_else(|| after("https://compute.googleapis.com/compute/v1/projects/"));
    if let Some((project, rest)) = link.and_then(|rest| rest.split_once("/zones/"))
        && let Some((zone, name)) = rest.split_once("/instances/")
    {
        return Ok(format!("gcp/{project}/{zone}/{name}"));
    }
    // Azure's resource ids do not tell upper from lower case.
    if let Some(rest) = after("azure:///subscriptions/")
        .or_else(|| after("/subscriptions/"))
        .or_else(|| after("azure/subscriptions/"))
    {
        return Ok(format!("azure/subscriptions/{}", rest.to_lowercase()));
    }
    Ok(value.to_owned())
}

fn fqdn(value: &str) -> Result<String, NoEvidence> {
    let name = value.trim_end_matches('.');
    let first = name.split('.').next().unwrap_or_default();
    if first == "localhost" {
        return Err(NoEvidence::Placeholder);
    }
    let is_name = name.contains('.')
        && name.len() <= NAME_BYTES_MAX
        && name.split('.').all(|label| !label.is_empty())
        && !name.contains([' ', '/', ':', '@', '*'])
        && name.parse::<IpAddr>().is_err();
    if is_name { Ok(name.to_owned()) } else { Err(NoEvidence::WrongForm) }
}

fn host_name(value: String) -> Result<String, NoEvidence> {
    one_letter(&value)?;
    // The name of a host that has none is often its address, which is evidence of another kind.
    if value.parse::<IpAddr>().is_ok() { Err(NoEvidence::WrongForm) } else { Ok(value) }
}

fn address(value: &str) -> Result<String, NoEvidence> {
    let bare = value.split('%').next().unwrap_or_default();
    let bare = bare.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = bare.parse().map_err(|_| NoEvidence::WrongForm)?;
    let address = address.to_canonical();
    let is_of_many =
        address.is_multicast() || matches!(address, IpAddr::V4(four) if four.is_broadcast());
    if is_of_many { Err(NoEvidence::Shared) } else { Ok(address.to_string()) }
}
