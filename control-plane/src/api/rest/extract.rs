//! What handlers take from a request, with errors of the catalog instead of plain text.

use crate::api::error::{ApiError, Code, shortened};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::{header, request::Parts};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

/// Parameters of one request; a filter with 32 conditions and a few classes stays far below.
const PARAMETERS_MAX: usize = 128;

/// Bytes of one parameter's value; a page token is the longest.
const VALUE_BYTES_MAX: usize = 4096;

/// The body of a request, from JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // A page of another site can send a form or plain text without asking, but no JSON.
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !is_json {
            return Err(ApiError::invalid(
                "content-type",
                "send the body as JSON, with `content-type: application/json`",
            ));
        }
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|_| ApiError::new(Code::BodyTooLarge, "the body was cut or is too large"))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // The message names fields and places, never values of the body.
            let detail = match error.classify() {
                serde_json::error::Category::Data => format!("the body does not fit: {error}"),
                _ => format!(
                    "the body is no JSON (line {}, column {})",
                    error.line(),
                    error.column()
                ),
            };
            ApiError::invalid("body", detail)
        })
    }
}

/// The parameter of a question that can be asked as of a past moment, as the description of the API tells it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MomentParameter {
    /// The moment that is asked about, RFC 3339; without it, now
    pub at: Option<String>,
}

/// The parameters of a query, in their order. Each is taken once; what nobody took is an error.
#[derive(Debug)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Query(pairs) =
            axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state)
                .await
                .map_err(|_| ApiError::invalid("query", "the query is not form-encoded"))?;
        if pairs.len() > PARAMETERS_MAX {
            let detail = format!("a request has at most {PARAMETERS_MAX} parameters");
            return Err(ApiError::invalid("query", detail));
        }
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.len() > VALUE_BYTES_MAX) {
            let detail = format!("a parameter has at most {VALUE_BYTES_MAX} bytes");
            return Err(ApiError::invalid(&shortened(name), detail));
        }
        Ok(Self { pairs })
    }
}

impl Parameters {
    /// The values of a parameter that may be repeated.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        let (taken, rest) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(found, _)| found == name);
        self.pairs = rest;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// The values of a parameter that may be repeated, or be one list with commas.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        self.all(name)
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The value of a parameter that may stand once.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when it stands twice.
    pub fn one(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let mut values = self.all(name);
        if values.len() > 1 {
            return Err(ApiError::invalid(name, format!("`{name}` can be given once")));
        }
        Ok(values.pop().filter(|value| !value.is_empty()))
    }

    /// The parameters whose name begins so, without that beginning.
    pub fn prefixed(&mut self, prefix: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        self.pairs.retain(|(name, value)| match name.strip_prefix(prefix) {
            Some(rest) => {
                found.push((rest.to_owned(), value.clone()));
                false
            }
            None => true,
        });
        found
    }

    /// A parameter that is yes or no.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`.
    pub fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.one(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ApiError::invalid(name, format!("`{name}` is `true` or `false`"))),
        }
    }

    /// Ends the taking.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, which names the first parameter that nobody knows.
    pub fn finish(self) -> Result<(), ApiError> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name = shortened(name);
                Err(ApiError::invalid(&name, format!("there is no parameter `{name}` here")))
            }
        }
    }
}

/// The id in a path.
///
/// # Errors
/// `NOT_FOUND`: a text that is no id names nothing.
pub fn id<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::not_found(what, text))
}
