//! The first administrator, and people whose password was reset: whoever has the code sets the password.
//!
//! The code is short because a person types it; the rate limit and its life make guessing it hopeless.

use super::{Accounts, Level, OpenedSession, password::Passwords};
use crate::api::error::{ApiError, Code};
use model::{Timestamp, UserId};
use pki::token::{hash_secret, hashes_equal};
use std::net::IpAddr;
use std::time::Duration;
use store::database::DatabaseError;
use store::users::{SetupCode, SetupError, UserRecord};

/// The letters of a code: without those that are mistaken for each other.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Letters of a code, without the hyphen.
const LENGTH: usize = 8;

/// The life of the code for the first administrator, and of one for a reset.
const FIRST_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
const RESET_LIFE: Duration = Duration::from_secs(3600);

/// Bytes of a person's name.
const NAME_BYTES_MAX: usize = 64;

impl Accounts {
    /// Whether nobody is set up yet.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn is_setup_needed(&self) -> Result<bool, DatabaseError> {
        self.users.is_empty().await
    }

    /// Makes a new code for the first administrator; earlier ones are void.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn first_code(&self) -> Result<String, DatabaseError> {
        self.code_for(None, FIRST_LIFE).await
    }

    /// Makes a code by which a person sets a new password; `None` when there is no such person.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn reset_code(&self, name: &str) -> Result<Option<String>, DatabaseError> {
        let Some(user) = self.users.user_by_name(&normalized_name(name)).await? else {
            return Ok(None);
        };
        Ok(Some(self.code_for(Some(user.name), RESET_LIFE).await?))
    }

    async fn code_for(
        &self,
        user: Option<String>,
        life: Duration,
    ) -> Result<String, DatabaseError> {
        let code = code_of(self.random::<LENGTH>());
        let hash = hash_secret(normalized_code(&code).as_bytes());
        let expires_at = self.now().plus(life);
        self.users.setup_code_put(SetupCode { hash, user, expires_at }).await?;
        Ok(code)
    }

    /// Sets a password by a code and logs in.
    ///
    /// # Errors
    /// `SETUP_CODE_WRONG`, `SETUP_DONE`, `VALIDATION_FAILED`, `RATE_LIMITED`.
    pub async fn set_up(
        &self,
        code: &str,
        name: &str,
        password: String,
        address: IpAddr,
    ) -> Result<OpenedSession, ApiError> {
        let limited = |wait| {
            ApiError::new(Code::RateLimited, "too many setup codes were tried; wait and try again")
                .retry_after(wait)
        };
        self.by_setup.take("").map_err(limited)?;
        self.by_address.take(&address.to_string()).map_err(limited)?;
        let now = self.now();
        let hash = hash_secret(normalized_code(code).as_bytes());
        self.check_code(&hash, now).await?;
        let name = normalized_name(name);
        check_name(&name)?;
        Passwords::check(&password, &name)?;
        let password_hash = self.passwords.hash(password).await?;
        let user = UserRecord {
            id: UserId::new_v7(now, self.random()),
            name,
            role: Level::Admin.role().into(),
            password_hash,
            created_at: now,
        };
        let user = self.users.set_up(hash, user, now).await.map_err(setup_error)?;
        self.by_setup.forgive("");
        self.by_address.forgive(&address.to_string());
        self.forget_setup_file();
        tracing::info!(user = user.name, "a person set their password by a setup code");
        self.open_session(user).await
    }

    async fn check_code(&self, hash: &[u8; 32], now: Timestamp) -> Result<(), ApiError> {
        let codes = self.users.setup_codes(now).await?;
        // All of them are compared, so that the time says nothing.
        let is_right =
            codes.iter().fold(false, |found, code| hashes_equal(&code.hash, hash) | found);
        if is_right {
            return Ok(());
        }
        if codes.is_empty() && !self.users.is_empty().await? {
            return Err(ApiError::new(
                Code::SetupDone,
                "an administrator is set up already; log in, or run `dharma-control-plane user reset NAME` on the machine of the control plane",
            ));
        }
        Err(wrong_code())
    }

    fn forget_setup_file(&self) {
        let Some(path) = &self.setup_file else { return };
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            // The code in it is void, so that this is untidy and no danger.
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "cannot remove the setup code")
            }
        }
    }
}

fn wrong_code() -> ApiError {
    ApiError::new(
        Code::SetupCodeWrong,
        "the setup code is wrong, used or expired; the newest one stands in the output of the control plane and in the file `setup-code` of its state",
    )
}

fn setup_error(error: SetupError) -> ApiError {
    match error {
        SetupError::WrongCode => wrong_code(),
        SetupError::WrongName => {
            ApiError::invalid("name", "the setup code is for a person of another name")
        }
        SetupError::NameTaken => ApiError::invalid("name", "the name is taken; choose another"),
        SetupError::Store(error) => error.into(),
    }
}

/// `XXXX-XXXX` of random bytes.
fn code_of(bytes: [u8; LENGTH]) -> String {
    let mut code = String::with_capacity(LENGTH + 1);
    for (index, byte) in bytes.iter().enumerate() {
        if index == LENGTH / 2 {
            code.push('-');
        }
        let letter = ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'2');
        code.push(char::from(letter));
    }
    code
}

/// A code as it is hashed, however a person typed it.
fn normalized_code(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(LENGTH + 1)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

/// A name as it is stored, however a person typed it.
pub(super) fn normalized_name(name: &str) -> String {
    name.trim().chars().take(NAME_BYTES_MAX + 1).flat_map(char::to_lowercase).collect()
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let is_usable = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(|letter| {
            letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '@' | '+')
        });
    if is_usable {
        return Ok(());
    }
    let detail = format!(
        "a name has 1 to {NAME_BYTES_MAX} bytes of letters, digits and the characters . _ - @ +"
    );
    Err(ApiError::invalid("name", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        let code = code_of([0, 31, 32, 255, 7, 8, 9, 10]);
        assert_eq!(code.len(), LENGTH + 1);
        assert_eq!(code.chars().nth(4), Some('-'));
        assert_eq!(normalized_code(&code), normalized_code(&code.to_lowercase().replace('-', " ")));
    }

    #[test]
    fn a_longer_code_is_another_one() {
        assert_ne!(normalized_code("ABCD-EFGH"), normalized_code("ABCD-EFGHX"));
    }

    #[test]
    fn names_have_no_blanks_and_no_end_of_line() {
        assert!(check_name(&normalized_name(" Ann.Lee@example.net ")).is_ok());
        for name in ["", "ann lee", "ann\n", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
