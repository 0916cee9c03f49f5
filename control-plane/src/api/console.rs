//! The console's files: embedded into the program, or from a folder. Whatever is no file is the console's first
//! page, because its addresses are its own; under `/api` it is an error.
//!
//! Files whose name carries a hash never change and may be kept for a year; the first page is asked for each time
//! and is cheap to compare. A file that the build compressed is sent as it lies there.

#[cfg(feature = "console")]
mod embedded;
mod folder;

use crate::api::error::{ApiError, Code};
use crate::api::http::unknown_path;
use crate::app::App;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use std::borrow::Cow;

/// The folder of files with a hash in their names, as the console's build lays it out.
const HASHED_FOLDER: &str = "assets/";

/// The first page.
const INDEX: &str = "index.html";

/// Segments of a path; the console's own have five.
const SEGMENTS_MAX: usize = 16;

/// A file with what tells it from an older one.
#[derive(Debug)]
pub(crate) struct File {
    bytes: Cow<'static, [u8]>,
    /// Changes with the content.
    tag: String,
}

/// Shown when the program was built without the console.
const NOTICE: &str = include_str!("console/notice.html");

/// The script that brings an agent to a host.
const INSTALL_SCRIPT: &str = include_str!("console/install.sh");

/// Answers whatever no route knows.
pub async fn fallback(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = uri.path();
    let is_api = ["/api", "/graphql", "/docs/errors"].iter().any(|prefix| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if is_api {
        return Err(unknown_path(path));
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return Err(ApiError::new(Code::MethodNotAllowed, "the console's pages can only be read"));
    }
    let wanted = path.trim_start_matches('/');
    let wanted = if wanted.is_empty() { INDEX } else { wanted };
    if let Some(response) = file(&app, wanted, &headers).await {
        return Ok(response);
    }
    // A missing file is missing; only a page's address, which has no ending, is the console's to understand.
    let is_file = wanted.starts_with(HASHED_FOLDER)
        || wanted.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if is_file {
        return Err(unknown_path(path));
    }
    match file(&app, INDEX, &headers).await {
        Some(response) => Ok(response),
        None => Ok(notice()),
    }
}

async fn file(app: &App, path: &str, headers: &HeaderMap) -> Option<Response> {
    if !is_plain(path) {
        return None;
    }
    for (ending, encoding) in [(".br", "br"), (".gz", "gzip")] {
        if accepts(headers, encoding)
            && let Some(file) = read(app, &format!("{path}{ending}")).await
        {
            return Some(respond(path, file, Some(encoding), headers));
        }
    }
    let file = read(app, path).await?;
    Some(respond(path, file, None, headers))
}

async fn read(app: &App, path: &str) -> Option<File> {
    match &app.options.console_dir {
        Some(folder) => folder::read(folder, path).await,
        #[cfg(feature = "console")]
        None => embedded::read(path),
        #[cfg(not(feature = "console"))]
        None => None,
    }
}

fn respond(path: &str, file: File, encoding: Option<&'static str>, asked: &HeaderMap) -> Response {
    let tag =
        format!("\"{}{}\"", file.tag, encoding.map_or(String::new(), |name| format!("-{name}")));
    let is_known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.bytes.into_owned().into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let keep = if path.starts_with(HASHED_FOLDER) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether a path names a file below the root: no `..`, nothing hidden, no backslash.
fn is_plain(path: &str) -> bool {
    path.split('/').count() <= SEGMENTS_MAX
        && path.split('/').all(|segment| {
            !segment.is_empty()
                && !segment.starts_with('.')
                && segment.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@')
                })
        })
}

fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(
        |value| {
            value.split(',').any(|offer| {
                let mut parts = offer.split(';');
                let name = parts.next().unwrap_or_default().trim();
                let is_refused = parts.any(|part| part.trim().replace(' ', "") == "q=0");
                name.eq_ignore_ascii_case(encoding) && !is_refused
            })
        },
    )
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

fn notice() -> Response {
    let mut response = NOTICE.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The script that brings an agent to a host. It carries the addresses of this control plane and no secret.
pub async fn install_script(State(app): State<App>) -> Response {
    let script = INSTALL_SCRIPT
        .replace("@ENROLL@", &app.options.enroll_address)
        .replace("@CONSOLE@", &app.options.console_url);
    let mut response = script.into_response();
    let kind = HeaderValue::from_static("text/x-shellscript; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The page of an error code, where a problem's `type` leads.
pub async fn error_page(Path(code): Path<String>) -> Result<Response, ApiError> {
    let page =
        crate::api::error::page(&code).ok_or_else(|| ApiError::not_found("error code", &code))?;
    let mut response = page.into_response();
    let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_out_of_the_folder_are_none() {
        for path in ["../etc/passwd", "a/../b", ".env", "a//b", "a\\b", "a%2fb", "", "a/./b"] {
            assert!(!is_plain(path), "{path}");
        }
        assert!(is_plain("assets/index-BxY_1.js"));
    }

    #[test]
    fn an_encoding_is_used_only_when_it_is_offered() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br;q=0"));
        assert!(accepts(&headers, "gzip"));
        assert!(!accepts(&headers, "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }
}
