//! Hashing and comparing passwords: argon2id, off the async threads, a few at a time.

use crate::api::error::{ApiError, Code};
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use environment::Randomness;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Passwords that are hashed at the same time. Each takes 19 MiB and some 30 ms of one core.
const HASHES_MAX: usize = 2;

/// Requests that wait for their turn; a longer queue would only make everybody wait in vain.
const WAITING_MAX: usize = 32;

/// The shortest password, in characters, and the longest, in bytes (so that hashing stays cheap).
const CHARACTERS_MIN: usize = 10;
const BYTES_MAX: usize = 1024;

/// When asking again can help: the whole queue is worked off.
const RETRY: Duration = Duration::from_secs(2);

/// Hashes and compares passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    randomness: Arc<dyn Randomness>,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// A hash of nobody's password: comparing with it takes as long as comparing with a real one, so that the time
    /// of an answer does not tell which names exist.
    decoy: OnceLock<String>,
}

impl Passwords {
    pub(super) fn new(randomness: Arc<dyn Randomness>) -> Self {
        Self {
            randomness,
            turns: Arc::new(Semaphore::new(HASHES_MAX)),
            places: Arc::new(Semaphore::new(HASHES_MAX + WAITING_MAX)),
            decoy: OnceLock::new(),
        }
    }

    /// Whether a password may be chosen.
    pub(super) fn check(password: &str, name: &str) -> Result<(), ApiError> {
        if password.chars().count() < CHARACTERS_MIN {
            let detail = format!("a password has at least {CHARACTERS_MIN} characters");
            return Err(ApiError::invalid("password", detail));
        }
        if password.len() > BYTES_MAX {
            let detail = format!("a password has at most {BYTES_MAX} bytes");
            return Err(ApiError::invalid("password", detail));
        }
        if password.to_lowercase().contains(&name.to_lowercase()) {
            return Err(ApiError::invalid("password", "a password does not contain the name"));
        }
        Ok(())
    }

    pub(super) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let salt = self.salt()?;
        self.work(move || hash_with(&password, &salt)).await?
    }

    /// Whether the password is the one of this hash; `None` compares with nobody's.
    pub(super) async fn is_right(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        if password.len() > BYTES_MAX {
            return Ok(false);
        }
        let is_known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => self.decoy().await?,
        };
        let is_equal = self.work(move || verify(&password, &hash)).await?;
        Ok(is_equal && is_known)
    }

    async fn decoy(&self) -> Result<String, ApiError> {
        if let Some(decoy) = self.decoy.get() {
            return Ok(decoy.clone());
        }
        let made = self.hash("nobody's password".to_owned()).await?;
        Ok(self.decoy.get_or_init(|| made).clone())
    }

    fn salt(&self) -> Result<SaltString, ApiError> {
        let mut bytes = [0; 16];
        self.randomness.fill(&mut bytes);
        SaltString::encode_b64(&bytes).map_err(|_| broken())
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || {
            ApiError::new(Code::RateLimited, "too many people log in at this moment; try again")
                .retry_after(RETRY)
        };
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let _turn = self.turns.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| broken())
    }
}

fn hash_with(password: &str, salt: &SaltString) -> Result<String, ApiError> {
    // The crate's defaults: argon2id, 19 MiB, two passes, as OWASP recommends. The parameters are a part of the
    // hash, so that they can be raised later.
    let hash = Argon2::default().hash_password(password.as_bytes(), salt).map_err(|_| broken())?;
    Ok(hash.to_string())
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn broken() -> ApiError {
    ApiError::new(Code::Internal, "passwords cannot be hashed now; the log says why")
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::SeededRandomness;

    fn passwords() -> Passwords {
        Passwords::new(Arc::new(SeededRandomness::new(1)))
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_person_is_right() {
        let passwords = passwords();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.is_right("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.is_right("correct horsf".into(), Some(hash)).await.unwrap());
        assert!(!passwords.is_right("nobody's password".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_is_refused_with_the_time_to_come_back() {
        let passwords = passwords();
        let all = u32::try_from(HASHES_MAX + WAITING_MAX).unwrap();
        let _taken = passwords.places.acquire_many(all).await.unwrap();
        let refused = passwords.hash("correct horse".into()).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(RETRY)));
    }

    #[test]
    fn weak_passwords_are_refused() {
        assert!(Passwords::check("short", "ann").is_err());
        assert!(Passwords::check("xx-administrator-xx", "Administrator").is_err());
        assert!(Passwords::check(&"x".repeat(BYTES_MAX + 1), "ann").is_err());
        assert!(Passwords::check("correct horse battery", "ann").is_ok());
    }
}
