//! Requests that may be repeated: who sends `Idempotency-Key` and never sees the answer can send the same again, and
//! gets the answer of the first time instead of a second token.
//!
//! Invariants: a key belongs to the person or program that sent it; the same key with another request is an error,
//! never an answer; what is kept is bounded in number and in time; a request that failed, or whose caller went away
//! before it was answered, is forgotten, so that it can be sent again.
//!
//! Deliberately not here: answers that outlive the process. They hold secrets, of which the store keeps hashes only.
//! After a restart a repeated request makes another token; the first, whose text nobody has, ends by its time.

use crate::api::auth::{Means, Principal};
use crate::api::error::{ApiError, Code};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use environment::Clock;
use http::HeaderMap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The header.
pub const HEADER: &str = "idempotency-key";

/// How long an answer is kept; nobody repeats a request later than that without looking first.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Bytes of a key; a UUID has 36.
const KEY_BYTES_MAX: usize = 128;

/// Answers that are kept of one person or program: the oldest goes first, and others lose nothing.
const KEPT_OF_ONE_MAX: usize = 256;

/// Answers that are kept in all; each has less than a kilobyte.
const KEPT_MAX: usize = 4096;

/// When asking again can help while the first request is still running.
const RETRY: Duration = Duration::from_secs(1);

/// Who sent which key.
type Place = (String, String);

struct Kept {
    fingerprint: [u8; 32],
    since: Duration,
    /// `None` while the first request is running.
    answer: Option<Arc<[u8]>>,
}

/// The answers that are kept.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct Idempotency {
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<Place, Kept>>,
}

/// What becomes of a request with a key.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub enum Begun {
    /// It was answered before, so.
    Again(Arc<[u8]>),
    /// It is the first of its kind.
    First(Running),
}

/// A request that is running; forgotten when it is dropped without an answer.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct Running {
    answers: Arc<Idempotency>,
    place: Option<Place>,
}

impl Idempotency {
    /// Nothing is kept yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kept: Mutex::new(HashMap::new()) }
    }

    /// Begins a request; `fingerprint` is the digest of all that it asks for.
    ///
    /// # Errors
    /// `IDEMPOTENCY_REUSED`, `IDEMPOTENCY_IN_PROGRESS`.
    pub fn begin(
        self: &Arc<Self>,
        by: &Principal,
        key: String,
        fingerprint: [u8; 32],
    ) -> Result<Begun, ApiError> {
        let now = self.clock.monotonic();
        let place = (owner(by), key);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, one| now.saturating_sub(one.since) < KEPT_FOR);
        if let Some(known) = kept.get(&place) {
            if known.fingerprint != fingerprint {
                return Err(ApiError::new(
                    Code::IdempotencyReused,
                    "this `idempotency-key` was sent with another request; make a new key for each request",
                ));
            }
            return known.answer.clone().map(Begun::Again).ok_or_else(|| {
                let detail = "the first request with this `idempotency-key` is still running; send it again in a moment";
                ApiError::new(Code::IdempotencyInProgress, detail).retry_after(RETRY)
            });
        }
        make_room(&mut kept, &place.0)?;
        kept.insert(place.clone(), Kept { fingerprint, since: now, answer: None });
        Ok(Begun::First(Running { answers: Arc::clone(self), place: Some(place) }))
    }
}

impl Running {
    /// Keeps the answer.
    pub fn done(mut self, answer: &[u8]) {
        let Some(place) = self.place.take() else { return };
        let mut kept = self.answers.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = kept.get_mut(&place) {
            one.answer = Some(answer.into());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        self.answers.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
    }
}

/// Drops the oldest answer of whoever has their share, then the oldest of all. What is running is never dropped.
fn make_room(kept: &mut HashMap<Place, Kept>, owner: &str) -> Result<(), ApiError> {
    let is_own = |place: &Place| place.0 == owner;
    let has_share = kept.keys().filter(|place| is_own(place)).count() >= KEPT_OF_ONE_MAX;
    if !has_share && kept.len() < KEPT_MAX {
        return Ok(());
    }
    let oldest = kept
        .iter()
        .filter(|(place, one)| one.answer.is_some() && (!has_share || is_own(place)))
        .min_by_key(|(_, one)| one.since)
        .map(|(place, _)| place.clone());
    let place = oldest.ok_or_else(|| {
        let detail =
            "too many requests with an `idempotency-key` are running; send it again in a moment";
        ApiError::new(Code::RateLimited, detail).retry_after(RETRY)
    })?;
    kept.remove(&place);
    Ok(())
}

/// A person has the same keys in every session and with every token; a program has those of its token.
fn owner(by: &Principal) -> String {
    match (&by.user, &by.means) {
        (Some(user), _) => user.to_string(),
        (None, Means::Token(token)) => token.to_string(),
        (None, Means::Session(hash)) => URL_SAFE_NO_PAD.encode(hash),
    }
}

/// The key of a request, when it has one.
///
/// # Errors
/// `VALIDATION_FAILED` for a key that is given twice, or is none.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none()).map(str::trim);
    // The draft of the standard writes it as a quoted text; most programs send it bare.
    let text = text
        .map(|text| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text));
    let is_key = |text: &&str| {
        (1..=KEY_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    text.filter(is_key).map(|text| Some(text.to_owned())).ok_or_else(|| {
        let detail = format!(
            "`{HEADER}` is given once and has 1 to {KEY_BYTES_MAX} visible letters without blanks, such as a UUID"
        );
        ApiError::invalid(HEADER, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::Level;
    use environment::SimulatedClock;
    use http::HeaderValue;

    fn somebody(number: u8) -> Principal {
        Principal {
            user: None,
            name: "program".into(),
            role: Level::Write,
            granted: Level::Write,
            means: Means::Session([number; 32]),
        }
    }

    fn rig() -> (Arc<SimulatedClock>, Arc<Idempotency>) {
        let clock = Arc::new(SimulatedClock::default());
        let answers = Idempotency::new(Arc::clone(&clock) as Arc<dyn Clock>);
        (clock, Arc::new(answers))
    }

    /// The answer that is repeated; nothing when the request is the first of its kind, which then is answered.
    fn ask(answers: &Arc<Idempotency>, by: u8, key: &str, body: u8) -> Result<Option<u8>, Code> {
        match answers.begin(&somebody(by), key.to_owned(), [body; 32]) {
            Ok(Begun::Again(answer)) => Ok(answer.first().copied()),
            Ok(Begun::First(running)) => {
                running.done(&[body]);
                Ok(None)
            }
            Err(error) => Err(error.code),
        }
    }

    #[test]
    fn a_key_with_another_request_is_refused_and_that_of_somebody_else_is_another_key() {
        let (_, answers) = rig();
        assert_eq!(ask(&answers, 1, "a", 5), Ok(None));
        assert_eq!(ask(&answers, 1, "a", 6), Err(Code::IdempotencyReused));
        assert_eq!(ask(&answers, 2, "a", 6), Ok(None));
        assert_eq!(ask(&answers, 1, "a", 5), Ok(Some(5)));
        assert_eq!(ask(&answers, 2, "a", 6), Ok(Some(6)));
    }

    #[test]
    fn a_request_that_is_running_is_not_run_twice_and_one_that_failed_is() {
        let (_, answers) = rig();
        let first = answers.begin(&somebody(1), "a".into(), [5; 32]).ok();
        assert_eq!(ask(&answers, 1, "a", 5), Err(Code::IdempotencyInProgress));
        drop(first);
        assert_eq!(ask(&answers, 1, "a", 5), Ok(None));
    }

    #[test]
    fn an_answer_is_kept_for_a_day() {
        let (clock, answers) = rig();
        assert_eq!(ask(&answers, 1, "a", 5), Ok(None));
        clock.advance(KEPT_FOR - Duration::from_secs(1));
        assert_eq!(ask(&answers, 1, "a", 5), Ok(Some(5)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(ask(&answers, 1, "a", 6), Ok(None));
    }

    #[test]
    fn who_sends_very_many_keys_loses_their_own_oldest_answers() {
        let (clock, answers) = rig();
        assert_eq!(ask(&answers, 2, "other", 9), Ok(None));
        for number in 0..=KEPT_OF_ONE_MAX {
            clock.advance(Duration::from_millis(1));
            assert_eq!(ask(&answers, 1, &number.to_string(), 5), Ok(None));
        }
        assert_eq!(ask(&answers, 2, "other", 9), Ok(Some(9)));
        assert_eq!(ask(&answers, 1, "1", 5), Ok(Some(5)));
        assert_eq!(ask(&answers, 1, "0", 5), Ok(None), "the oldest was dropped");
        assert_eq!(answers.kept.lock().unwrap().len(), KEPT_OF_ONE_MAX + 1);
    }

    #[test]
    fn all_together_keep_a_bounded_number_of_answers() {
        let (clock, answers) = rig();
        for number in 0..=KEPT_MAX {
            clock.advance(Duration::from_millis(1));
            let by = u8::try_from(number % 32).unwrap();
            assert_eq!(ask(&answers, by, &number.to_string(), 5), Ok(None));
        }
        assert!(answers.kept.lock().unwrap().len() <= KEPT_MAX);
        assert_eq!(ask(&answers, 0, &KEPT_MAX.to_string(), 5), Ok(Some(5)));
    }

    #[test]
    fn requests_that_all_run_leave_no_room_for_more() {
        let (_, answers) = rig();
        let begin = |key: usize| answers.begin(&somebody(1), key.to_string(), [5; 32]);
        let running: Vec<Begun> =
            (0..KEPT_OF_ONE_MAX).map(|key| begin(key).ok().unwrap()).collect();
        assert_eq!(begin(KEPT_OF_ONE_MAX).err().unwrap().code, Code::RateLimited);
        drop(running);
        assert!(begin(KEPT_OF_ONE_MAX).is_ok());
    }

    #[test]
    fn a_key_is_given_once_bare_or_quoted_and_has_a_bounded_length() {
        let taken = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_str(value).unwrap());
            }
            key(&headers).map_err(|error| error.code)
        };
        let long = "x".repeat(KEY_BYTES_MAX + 1);
        for wrong in [vec![""], vec!["\"\""], vec!["a b"], vec!["a", "a"], vec![long.as_str()]] {
            assert_eq!(taken(&wrong), Err(Code::ValidationFailed), "{wrong:?}");
        }
        assert_eq!(taken(&[]), Ok(None));
        assert_eq!(taken(&["\"a-1\""]), Ok(Some("a-1".into())));
        assert_eq!(taken(&["a-1"]), taken(&[" a-1 "]));
    }
}
