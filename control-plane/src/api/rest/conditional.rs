//! Conditional reads: an answer carries a tag, and whoever has it already is told so without getting it again.
//!
//! Invariant: the tag is made of the very bytes of the answer, so that it changes whenever the answer does. A
//! revision alone would not do: readings and times of confirmation change without one.
//!
//! Deliberately not here: conditional writes. Nothing is changed over REST that somebody else could have changed.

use crate::api::error::ApiError;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

/// Bytes of the digest in a tag; two answers of one item never meet by chance.
const DIGEST_BYTES: usize = 16;

/// Tags that are compared; a client sends those of the answers that it keeps of one item.
const TAGS_MAX: usize = 64;

/// The answer with its tag, or 304 when the request names that tag.
///
/// # Errors
/// `INTERNAL` when the answer cannot be written as JSON.
pub fn answer<T: Serialize>(request: &HeaderMap, body: &T) -> Result<Response, ApiError> {
    let bytes = serde_json::to_vec(body)
        .map_err(|error| ApiError::internal("the answer cannot be written", &error))?;
    let tag = tag(&bytes);
    let mut response = if is_known(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = bytes.into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    };
    let headers = response.headers_mut();
    // Kept by the caller only, and asked about each time: rights may be gone, and the item may have changed.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Weak, because compression makes other bytes of the same answer.
fn tag(bytes: &[u8]) -> String {
    let mut digest = [0; DIGEST_BYTES];
    blake3::Hasher::new().update(bytes).finalize_xof().fill(&mut digest);
    format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest))
}

/// Whether the request names this tag, or any.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let wanted = opaque(tag);
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .take(TAGS_MAX)
        .any(|given| given.trim() == "*" || opaque(given) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(given: &[&str], body: &str) -> StatusCode {
        let mut request = HeaderMap::new();
        for one in given {
            request.append(header::IF_NONE_MATCH, HeaderValue::from_str(one).unwrap());
        }
        answer(&request, &body).unwrap().status()
    }

    fn tag_of(body: &str) -> String {
        let response = answer(&HeaderMap::new(), &body).unwrap();
        response.headers()[header::ETAG].to_str().unwrap().to_owned()
    }

    #[test]
    fn another_tag_or_none_gets_the_whole_answer() {
        for given in ["", "x", "\"x\"", "W/\"\"", "\u{20}, ,"] {
            assert_eq!(status(&[given], "a"), StatusCode::OK, "{given}");
        }
        assert_eq!(status(&[&tag_of("b")], "a"), StatusCode::OK);
        let many = vec!["\"x\""; TAGS_MAX].join(",");
        assert_eq!(status(&[&many, &tag_of("a")], "a"), StatusCode::OK);
    }

    #[test]
    fn the_tag_of_the_answer_gets_no_second_copy_however_it_is_written() {
        let tag = tag_of("a");
        let strong = tag.trim_start_matches("W/").to_owned();
        let listed = format!("\"x\", {tag}");
        for given in
            [vec![tag.as_str()], vec![&strong], vec![&listed], vec!["\"x\"", &tag], vec!["*"]]
        {
            assert_eq!(status(&given, "a"), StatusCode::NOT_MODIFIED, "{given:?}");
        }
    }
}
