//! From when to when a certificate holds. Read for planning the renewal only; trust is decided by `pki`.

use std::time::SystemTime;

/// The life of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its begin.
    pub not_before: SystemTime,
    /// Its end.
    pub not_after: SystemTime,
}

impl Validity {
    /// The life of a certificate, DER; `None` when it is none.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Option<Self> {
        let (not_before, not_after) = pki::certificate_validity(certificate_der)?;
        Some(Self { not_before, not_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_have_no_validity(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
            proptest::prop_assert_eq!(Validity::of(&bytes), None);
        }
    }
}
