//! Random bytes for keys, serials and secrets: ring's generator, which is the operating system's on every platform.

use crate::Error;
use ring::rand::{SecureRandom, SystemRandom};

/// `N` unpredictable bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::cryptography("draw random bytes", "the operating system gave none"))?;
    Ok(bytes)
}
