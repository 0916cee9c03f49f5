//! Pages of lists. A token carries the store's cursor and a digest of the question, so that it cannot be used with
//! another one.

use super::extract::Parameters;
use crate::api::error::{ApiError, Code};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::query::{PAGE_SIZE_MAX, Page};
use utoipa::IntoParams;

/// The size of a page when none is asked for.
const PAGE_SIZE_DEFAULT: u32 = 100;

/// Bytes of a question's digest in a token; it guards against mistakes, not against an attacker, who could ask the
/// question directly.
const DIGEST_BYTES: usize = 8;

/// The parameters that [`PageRequest::take`] takes, as the description of the API tells them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParameters {
    /// From 1 to 500; 100 when missing
    pub page_size: Option<u32>,
    /// next_page_token of the page before, with the same question
    pub page_token: Option<String>,
}

/// The page that is asked for, and the question that it belongs to.
#[derive(Debug)]
pub struct PageRequest {
    /// Size and cursor, as the store takes them.
    pub page: Page,
    digest: [u8; DIGEST_BYTES],
}

impl PageRequest {
    /// Reads `page_size` and `page_token`; everything else that is asked for goes into `question`.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, `PAGE_TOKEN_MISMATCH`.
    pub fn take(parameters: &mut Parameters, question: &str) -> Result<Self, ApiError> {
        let size = match parameters.one("page_size")? {
            None => PAGE_SIZE_DEFAULT,
            Some(text) => {
                text.parse().ok().filter(|size| (1..=PAGE_SIZE_MAX).contains(size)).ok_or_else(
                    || {
                        let detail = format!("`page_size` is from 1 to {PAGE_SIZE_MAX}");
                        ApiError::invalid("page_size", detail).with("max", PAGE_SIZE_MAX)
                    },
                )?
            }
        };
        let token = parameters.one("page_token")?.unwrap_or_default();
        Self::of(size, &token, question)
    }

    /// The page of a size and a token; no token is the first page.
    ///
    /// # Errors
    /// `PAGE_TOKEN_MISMATCH`.
    pub fn of(size: u32, token: &str, question: &str) -> Result<Self, ApiError> {
        let digest = digest(question);
        let after = if token.is_empty() { None } else { Some(cursor(token, digest)?) };
        Ok(Self { page: Page { size, after }, digest })
    }

    /// The token of the page behind this cursor; empty when nothing follows.
    #[must_use]
    pub fn next(&self, last_cursor: Option<&String>, has_more: bool) -> String {
        match last_cursor {
            Some(cursor) if has_more => {
                let mut bytes = self.digest.to_vec();
                bytes.extend_from_slice(cursor.as_bytes());
                URL_SAFE_NO_PAD.encode(bytes)
            }
            _ => String::new(),
        }
    }
}

fn digest(question: &str) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    blake3::Hasher::new().update(question.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn cursor(token: &str, wanted: [u8; DIGEST_BYTES]) -> Result<String, ApiError> {
    let mismatch = || {
        ApiError::new(
            Code::PageTokenMismatch,
            "the page token belongs to another question, or was cut; ask again without it",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| mismatch())?;
    let (digest, cursor) = bytes.split_first_chunk::<DIGEST_BYTES>().ok_or_else(mismatch)?;
    if *digest != wanted {
        return Err(mismatch());
    }
    String::from_utf8(cursor.to_vec()).map_err(|_| mismatch())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_only_with_its_own_question() {
        let first = PageRequest::of(10, "", "class=host").unwrap();
        let token = first.next(Some(&"cursor".into()), true);
        let second = PageRequest::of(20, &token, "class=host").unwrap();
        assert_eq!(second.page.after.as_deref(), Some("cursor"));
        let other = PageRequest::of(10, &token, "class=package").unwrap_err();
        assert_eq!(other.code, Code::PageTokenMismatch);
    }

    #[test]
    fn a_cut_or_invented_token_is_refused() {
        for token in ["x", "AAAA", "////", "AAAAAAAAAAAAAAAAAAAA"] {
            assert!(PageRequest::of(10, token, "").is_err(), "{token}");
        }
    }

    #[test]
    fn the_last_page_has_no_token() {
        let page = PageRequest::of(10, "", "").unwrap();
        assert_eq!(page.next(Some(&"cursor".into()), false), "");
        assert_eq!(page.next(None, true), "");
    }
}
