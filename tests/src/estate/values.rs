//! Values drawn from a seed: a pure function of seed, subject and purpose, so that any asset can be made by itself.

use super::rates::WHOLE;

/// A number drawn for `purpose` of `subject`; SplitMix64's finalizer over the three.
#[must_use]
pub const fn draw(seed: u64, subject: u64, purpose: u64) -> u64 {
    let mut state = seed ^ subject.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = state.wrapping_add(purpose.wrapping_mul(0xd1b5_4a32_d192_ed03));
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^= state >> 31;
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state ^ (state >> 27)
}

/// Whether a draw falls into a rate of [`WHOLE`].
#[must_use]
pub const fn falls(drawn: u64, rate: u64) -> bool {
    drawn % WHOLE < rate
}

/// One of several values; the first when there is none.
#[must_use]
pub fn pick<'a>(drawn: u64, values: &[&'a str]) -> &'a str {
    let count = u64::try_from(values.len()).unwrap_or(1).max(1);
    let place = usize::try_from(drawn % count).unwrap_or(0);
    values.get(place).copied().unwrap_or_default()
}

/// A serial number of ten letters and digits without look-alikes.
#[must_use]
pub fn serial(drawn: u64) -> String {
    const LETTERS: &[u8] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ5";
    (0..10).map(|place| letter(LETTERS, drawn >> (place * 5), 32)).collect()
}

/// A UUID, lower case with hyphens.
#[must_use]
pub fn uuid(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// A machine id: 32 hexadecimal digits.
#[must_use]
pub fn machine_id(high: u64, low: u64) -> String {
    format!("{high:016x}{low:016x}")
}

/// The SHA-256 of a key, in OpenSSH's form.
#[must_use]
pub fn fingerprint(drawn: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("SHA256:");
    for block in 0..4 {
        let bits = draw(drawn, block, 1);
        let letters = if block == 3 { 10 } else { 11 };
        text.extend((0..letters).map(|place| letter(LETTERS, bits >> (place * 5), 64)));
    }
    text
}

fn letter(letters: &[u8], bits: u64, count: u64) -> char {
    let place = usize::try_from(bits % count).unwrap_or(0);
    letters.get(place).copied().map_or('0', char::from)
}

/// A manufacturer's address: `number` names one port in the whole estate.
#[must_use]
pub fn mac(prefix: &str, number: u64) -> String {
    // An odd factor permutes the 24 bits, so that neighbors do not look alike and no two ports collide.
    let bits = number.wrapping_mul(0x6d_2b79) & 0xff_ffff;
    format!("{prefix}:{:02x}:{:02x}:{:02x}", bits >> 16, (bits >> 8) & 0xff, bits & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_rate_is_met_over_many_draws() {
        let hits = (0..100_000).filter(|subject| falls(draw(9, *subject, 4), 800)).count();
        assert!((7_600..8_400).contains(&hits), "{hits}");
    }

    #[test]
    fn no_two_ports_have_one_address() {
        let addresses: BTreeSet<String> = (0..50_000).map(|port| mac("3c:ec:ef", port)).collect();
        assert_eq!(addresses.len(), 50_000);
    }

    #[test]
    fn values_have_the_form_that_the_world_gives_them() {
        assert_eq!(uuid(u64::MAX, 0).len(), 36);
        assert_eq!(machine_id(1, 2).len(), 32);
        assert_eq!(fingerprint(3).len(), "SHA256:".len() + 43);
        assert_eq!(serial(4).len(), 10);
    }
}
