//! The layer that finds out who is calling, for every path of the console's port.
//!
//! A wrong token is refused at once; a cookie that is no longer good only makes the caller nobody, because a browser
//! sends it without being asked. A request that changes something by cookie must carry a header that a page of
//! another site cannot send.

use super::{Accounts, Action, Principal, SESSION_COOKIE};
use crate::api::error::{ApiError, Code};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, header, request::Parts};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The header that says that a page of the console itself sent the request.
pub const CSRF_HEADER: &str = "x-dharma-csrf";

/// GraphQL has no mutations: its POST changes nothing, so it needs no such header.
const READING_POST: &str = "/graphql";

/// From where a request comes; the server puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct RemoteAddress(pub SocketAddr);

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Nobody, or somebody who is known.
    pub principal: Option<Principal>,
    /// From where.
    pub address: IpAddr,
}

impl Caller {
    /// The caller, when this is allowed to them.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, `PERMISSION_DENIED`.
    pub fn may(&self, action: Action) -> Result<&Principal, ApiError> {
        let principal = self.known()?;
        principal.may(action)?;
        Ok(principal)
    }

    /// The caller, when they are somebody.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub fn known(&self) -> Result<&Principal, ApiError> {
        self.principal.as_ref().ok_or_else(|| {
            ApiError::new(
                Code::Unauthenticated,
                "log in first, or send a token in the header `authorization: Bearer …`",
            )
        })
    }

    /// The caller that the layer found.
    #[must_use]
    pub fn of(extensions: &http::Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or(Self { principal: None, address: nowhere() })
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions))
    }
}

/// Finds out who is calling and hands it on; or refuses.
pub async fn identify(
    State(accounts): State<Arc<Accounts>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let address =
        parts.extensions.get::<RemoteAddress>().map_or_else(nowhere, |remote| remote.0.ip());
    match principal(&accounts, &parts, address).await {
        Ok(principal) => {
            parts.extensions.insert(Caller { principal, address });
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) if is_grpc(&parts.headers) => {
            tonic::Status::from(error).into_http::<axum::body::Body>()
        }
        Err(error) => error.into_response(),
    }
}

/// Whether a request is a gRPC call, whose errors have another form.
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

async fn principal(
    accounts: &Accounts,
    request: &Parts,
    address: IpAddr,
) -> Result<Option<Principal>, ApiError> {
    if let Some(authorization) = request.headers.get(header::AUTHORIZATION) {
        let text = authorization.to_str().unwrap_or_default();
        let token = bearer(text).ok_or_else(|| {
            ApiError::new(Code::TokenInvalid, "the header is `authorization: Bearer TOKEN`")
        })?;
        return accounts.token(token, address).await.map(Some);
    }
    let Some(secret) = cookie(&request.headers, SESSION_COOKIE) else { return Ok(None) };
    let Some(principal) = accounts.session(secret).await? else { return Ok(None) };
    let changes = !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS)
        && request.uri.path() != READING_POST;
    if changes && request.headers.get(CSRF_HEADER).is_none_or(|value| value != "1") {
        return Err(ApiError::new(
            Code::CsrfRequired,
            "a request by cookie that changes something needs the header `x-dharma-csrf: 1`",
        ));
    }
    Ok(Some(principal))
}

fn bearer(text: &str) -> Option<&str> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of a cookie.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

const fn nowhere() -> IpAddr {
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_cookie_is_found_among_others_and_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xdharma_session=no"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2; dharma_session=yes"));
        assert_eq!(cookie(&headers, SESSION_COOKIE), Some("yes"));
        assert_eq!(cookie(&headers, "dharma"), None);
    }

    #[test]
    fn the_scheme_is_bearer_whatever_the_case() {
        assert_eq!(bearer("bearer x"), Some("x"));
        assert_eq!(bearer("Basic x"), None);
        assert_eq!(bearer("x"), None);
    }
}
