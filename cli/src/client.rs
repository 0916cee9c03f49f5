//! The HTTP client: one request at a time, bounded answers, typed errors.

use crate::context::Context;
use crate::error::{Error, Problem};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;
use tower::Service;

/// How long an answer may take; a page of 500 items takes well under a second.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// The largest answer that is read; a page of 500 items with all their attributes stays below it.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client of one control plane.
#[derive(Debug)]
pub(crate) struct Client {
    context: Context,
}

/// An answer with the cookie that it set.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The JSON; null when there was none.
    pub(crate) body: Value,
    /// Value of the session cookie.
    pub(crate) session: Option<String>,
    /// Where what was asked for is now.
    moved_to: Option<String>,
}

impl Client {
    /// A client that asks as this context says.
    pub(crate) const fn new(context: Context) -> Self {
        Self { context }
    }

    /// Where it asks.
    pub(crate) fn url(&self) -> &str {
        &self.context.url
    }

    /// Asks for a path.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Error> {
        let path = with_query(path, query);
        let answer = self.send(Method::GET, &path, None).await?;
        // The id of a merged item leads to what is left, and never elsewhere.
        match answer.moved_to {
            Some(path) => Ok(self.send(Method::GET, &path, None).await?.body),
            None => Ok(answer.body),
        }
    }

    /// Sends a request with a JSON body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, Error> {
        let url = format!("{}{path}", self.context.url);
        let request = self.request(method, &url, body)?;
        let unreachable = |source| Error::Unreachable { url: self.context.url.clone(), source };
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, self.exchange(request))
            .await
            .map_err(|_| {
                unreachable(
                    format!("no answer within {} seconds", ANSWER_TIME_MAX.as_secs()).into(),
                )
            })?
            .map_err(unreachable)?;
        let (parts, bytes) = answer;
        let session = parts
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|cookie| cookie.to_str().ok())
            .find_map(session_of);
        let moved_to = moved_to(&parts);
        if moved_to.is_some() {
            return Ok(Answer { body: Value::Null, session, moved_to });
        }
        if !parts.status.is_success() {
            return Err(refusal(parts.status, &bytes));
        }
        if bytes.is_empty() {
            return Ok(Answer { body: Value::Null, session, moved_to: None });
        }
        let body = serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
            url,
            reason: format!("it is no JSON ({error})"),
        })?;
        Ok(Answer { body, session, moved_to: None })
    }

    fn request(
        &self,
        method: Method,
        url: &str,
        body: Option<Value>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("dharma/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.context.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        } else if let Some(session) = &self.context.session {
            request = request
                .header(header::COOKIE, format!("dharma_session={session}"))
                .header("x-dharma-csrf", "1");
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request
            .body(Full::new(bytes))
            .map_err(|error| Error::Usage(format!("`{url}` cannot be asked: {error}")))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(http::response::Parts, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let response = match request.uri().scheme_str() {
            Some("https") => self.exchange_pinned(request).await?,
            _ => HyperClient::builder(TokioExecutor::new()).build_http().request(request).await?,
        };
        let (parts, body) = response.into_parts();
        let bytes = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok((parts, bytes))
    }

    /// Over TLS, to the control plane whose authority has the pinned key; HTTP/2, as the pinned connection offers.
    async fn exchange_pinned(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<http::Response<hyper::body::Incoming>, Box<dyn std::error::Error + Send + Sync>>
    {
        let pin = self.context.pin.as_deref().ok_or(
            "an https address needs the fingerprint of its authority: dharma login URL --pin sha256:…",
        )?;
        let mut connector = pki::connector_pinned(pin.parse::<pki::Pin>()?)?;
        let stream = connector.call(request.uri().clone()).await?;
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        // The connection drives the body that is still to be read; it ends with the sender.
        drop(connection);
        Ok(response)
    }
}

/// The path that an answer leads to: of this control plane's interface, never of another place.
fn moved_to(parts: &http::response::Parts) -> Option<String> {
    if parts.status != StatusCode::TEMPORARY_REDIRECT {
        return None;
    }
    let path = parts.headers.get(header::LOCATION)?.to_str().ok()?;
    path.starts_with("/api/").then(|| path.to_owned())
}

fn session_of(cookie: &str) -> Option<String> {
    let value = cookie.strip_prefix("dharma_session=")?.split(';').next()?;
    (!value.is_empty()).then(|| value.to_owned())
}

fn refusal(status: StatusCode, bytes: &[u8]) -> Error {
    let mut problem: Problem = serde_json::from_slice(bytes).unwrap_or_default();
    if problem.title.is_empty() {
        problem.title = format!("the control plane answered {status}");
    }
    Error::Api { status: status.as_u16(), problem }
}

/// The path with its query, percent-encoded (RFC 3986, 2.1).
pub(crate) fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let mut text = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(&encoded(name));
        text.push('=');
        text.push_str(&encoded(value));
    }
    text
}

/// Text as a part of a path or query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_break_out_of_its_place_in_the_query() {
        let path = with_query(
            "/api/v1/items",
            &[("text", "a&state=x y/é".to_owned()), ("class", "host".to_owned())],
        );
        assert_eq!(path, "/api/v1/items?text=a%26state%3Dx%20y%2F%C3%A9&class=host");
    }

    #[test]
    fn an_answer_leads_to_the_same_control_plane_or_nowhere() {
        let leads = |status: u16, location: &str| {
            let answer = http::Response::builder().status(status).header("location", location);
            moved_to(&answer.body(()).unwrap().into_parts().0)
        };
        assert_eq!(leads(307, "/api/v1/items/a").as_deref(), Some("/api/v1/items/a"));
        for elsewhere in ["https://example.net/api/", "//example.net/api/", "api/v1/items/a"] {
            assert_eq!(leads(307, elsewhere), None, "{elsewhere}");
        }
        assert_eq!(leads(200, "/api/v1/items/a"), None);
    }

    #[test]
    fn a_refusal_that_is_no_problem_document_still_says_the_status() {
        let error = refusal(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(error.exit_code(), crate::error::UNREACHABLE);
        assert!(error.to_string().contains("502"));
    }

    #[test]
    fn the_session_is_taken_from_its_cookie_alone() {
        assert_eq!(session_of("dharma_session=abc; HttpOnly").as_deref(), Some("abc"));
        assert_eq!(session_of("dharma_session=; Max-Age=0"), None);
        assert_eq!(session_of("other=abc"), None);
    }
}
