//! Object identifiers: compared and cut as they stand in a message, and taken apart only where their numbers matter.
//!
//! Invariants: the order is that of the numbers, not of the octets; a malformed identifier gives no numbers instead
//! of wrong ones. An identifier has at most [`ARCS_MAX`] numbers (RFC 2578, section 3.5).

use std::cmp::Ordering;

/// The most numbers of an identifier (RFC 2578, section 3.5).
pub const ARCS_MAX: usize = 128;

/// The most octets of a number of 32 bits.
const ARC_OCTETS_MAX: usize = 5;

/// The encoded form of an identifier that is known when the program is written.
#[must_use]
pub fn encoded(arcs: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(arcs.len() + 8);
    let mut rest = arcs.iter().copied();
    let first = rest.next().unwrap_or(0);
    let second = rest.next().unwrap_or(0);
    push(&mut bytes, first.saturating_mul(40).saturating_add(second));
    rest.for_each(|arc| push(&mut bytes, arc));
    bytes
}

fn push(bytes: &mut Vec<u8>, arc: u32) {
    for shift in [28, 21, 14, 7] {
        let high = arc >> shift;
        if high != 0 {
            bytes.push(0x80 | u8::try_from(high & 0x7f).unwrap_or(0));
        }
    }
    bytes.push(u8::try_from(arc & 0x7f).unwrap_or(0));
}

/// The numbers of a part of an identifier that does not hold its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Arcs<'a>(pub &'a [u8]);

impl Iterator for Arcs<'_> {
    type Item = u32;

    /// A malformed rest ends the numbers.
    #[inline]
    fn next(&mut self) -> Option<u32> {
        let mut arc = 0_u32;
        for (index, octet) in self.0.iter().enumerate().take(ARC_OCTETS_MAX) {
            if arc.leading_zeros() < 7 {
                break;
            }
            arc = (arc << 7) | u32::from(octet & 0x7f);
            if octet & 0x80 == 0 {
                self.0 = self.0.get(index + 1..).unwrap_or_default();
                return Some(arc);
            }
        }
        self.0 = &[];
        None
    }
}

/// Whether every number is whole and there are not too many of them.
#[must_use]
pub fn is_well_formed(bytes: &[u8]) -> bool {
    let ends = bytes.iter().filter(|octet| **octet & 0x80 == 0).count();
    bytes.last().is_some_and(|octet| octet & 0x80 == 0)
        && ends < ARCS_MAX
        && (bytes.iter().all(|octet| octet & 0x80 == 0) || Arcs(bytes).count() == ends)
}

/// All numbers of an identifier.
#[must_use]
pub fn numbers(bytes: &[u8]) -> Vec<u32> {
    let mut arcs = Arcs(bytes);
    let Some(first) = arcs.next() else { return Vec::new() };
    let (one, two) = match first {
        0..40 => (0, first),
        40..80 => (1, first - 40),
        _ => (2, first - 80),
    };
    let mut numbers = Vec::with_capacity(bytes.len() + 1);
    numbers.extend([one, two]);
    numbers.extend(arcs.take(ARCS_MAX));
    numbers
}

/// As people write it: `1.3.6.1.2.1.1.2`.
#[must_use]
pub fn text(arcs: &[u32]) -> String {
    let parts: Vec<String> = arcs.iter().map(u32::to_string).collect();
    parts.join(".")
}

/// The order of the tree.
#[inline]
#[must_use]
pub fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let Some(differ) = one.iter().zip(other).position(|(a, b)| a != b) else {
        return one.len().cmp(&other.len());
    };
    // Back to where the number begins that differs.
    let same = one.get(..differ).unwrap_or_default();
    let tail = same.iter().rev().take_while(|octet| **octet & 0x80 != 0).count();
    let begin = differ.saturating_sub(tail);
    let arc = |bytes: &[u8]| Arcs(bytes.get(begin..).unwrap_or_default()).next();
    arc(one).cmp(&arc(other))
}

/// What follows `root`, when the identifier lies below it.
#[inline]
#[must_use]
pub fn below<'a>(bytes: &'a [u8], root: &[u8]) -> Option<&'a [u8]> {
    bytes.strip_prefix(root).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_order_is_that_of_the_numbers() {
        let order =
            |one: u32, other: u32| compare(&encoded(&[1, 3, one]), &encoded(&[1, 3, other]));
        assert_eq!(order(16_383, 16_384), Ordering::Less);
        assert_eq!(order(127, 128), Ordering::Less);
        assert_eq!(order(u32::MAX, 1), Ordering::Greater);
    }

    #[test]
    fn a_number_that_is_too_large_or_cut_is_none() {
        assert!(!is_well_formed(&[0x2b, 0x8f, 0xff, 0xff, 0xff, 0xff, 0x7f]));
        assert!(!is_well_formed(&[0x2b, 0x86]));
        assert!(!is_well_formed(&[]));
        assert!(!is_well_formed(&[1; 200]));
        assert_eq!(numbers(&encoded(&[1, 3, 6, 1, 4, 1, u32::MAX])), [1, 3, 6, 1, 4, 1, u32::MAX]);
        assert_eq!(numbers(&encoded(&[2, 999, 3])), [2, 999, 3]);
    }

    proptest! {
        #[test]
        fn any_numbers_are_read_and_ordered_as_they_were_written(
            one in proptest::collection::vec(any::<u32>(), 0..20),
            other in proptest::collection::vec(any::<u32>(), 0..20),
        ) {
            let of = |tail: &[u32]| [&[1, 3][..], tail].concat();
            let (one, other) = (of(&one), of(&other));
            prop_assert_eq!(&numbers(&encoded(&one)), &one);
            prop_assert_eq!(compare(&encoded(&one), &encoded(&other)), one.cmp(&other));
            prop_assert!(is_well_formed(&encoded(&one)));
        }

        #[test]
        fn any_bytes_have_an_order(one in proptest::collection::vec(any::<u8>(), 0..40), other in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(numbers(&one).len() <= ARCS_MAX + 2);
            if is_well_formed(&one) && is_well_formed(&other) {
                prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
            }
        }
    }
}
