//! Errors as answers: `application/problem+json` (RFC 9457), gRPC status with details, GraphQL error.

use super::{ApiError, Code};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::HashMap;
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of the reasons in gRPC error details.
const DOMAIN: &str = "dharma.dev";

/// Where a code's page lies, beside the console.
const PAGES: &str = "/docs/errors/";

/// The body of an error over REST.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Where the page of the code lies.
    #[serde(rename = "type")]
    pub page: String,
    /// A few words, the same for every error of the code.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A sentence: what is wrong with this request, and what to do.
    pub detail: String,
    /// The code, such as `VALIDATION_FAILED`.
    pub code: &'static str,
    /// The data of the sentence, for programs.
    #[schema(value_type = Object)]
    pub params: BTreeMap<String, Value>,
    /// Names the request in the log.
    pub request_id: String,
}

impl ApiError {
    /// The problem document of this error.
    #[must_use]
    pub fn problem(&self, request_id: &str) -> Problem {
        Problem {
            page: format!("{PAGES}{}", self.code.name()),
            title: self.code.title(),
            status: self.code.http_status(),
            detail: self.detail.clone(),
            code: self.code.name(),
            params: self.params.clone(),
            request_id: request_id.to_owned(),
        }
    }

    /// The complete HTTP answer.
    #[must_use]
    pub fn respond(&self, request_id: &str) -> Response {
        let status = StatusCode::from_u16(self.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.problem(request_id)).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            // Rounded up: asking a moment too early would only be refused again.
            headers
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().saturating_add(1)));
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    /// Leaves the error in the response's extensions, where the outermost layer finds it and adds the request id.
    fn into_response(self) -> Response {
        let mut response = self.respond("");
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ApiError> for tonic::Status {
    fn from(error: ApiError) -> Self {
        let metadata: HashMap<String, String> = error
            .params
            .iter()
            .map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), text)
            })
            .collect();
        let mut details = ErrorDetails::with_error_info(error.code.name(), DOMAIN, metadata);
        if let Some(wait) = error.retry_after {
            details.set_retry_info(Some(wait));
        }
        Self::with_error_details(error.code.grpc(), error.to_string(), details)
    }
}
