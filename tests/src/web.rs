//! A small HTTP client for the control plane's REST API, with the session of a person who logged in.

use anyhow::{Context, Result, anyhow, bail};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::sync::Mutex;
use std::time::Duration;

/// Asks one control plane.
#[derive(Debug)]
pub struct Web {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
    cookie: Mutex<Option<String>>,
}

impl Web {
    /// A client of the control plane at this address, logged in as nobody.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            cookie: Mutex::new(None),
        }
    }

    /// Where it asks.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The session cookie, `name=value`, once somebody has logged in.
    #[must_use]
    pub fn cookie(&self) -> Option<String> {
        self.cookie.lock().ok().and_then(|cookie| cookie.clone())
    }

    /// Sends a request and gives the status and the JSON of the answer.
    ///
    /// # Errors
    /// When there is no answer within 20 seconds.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-dharma-csrf", "1");
        if let Some(cookie) = self.cookie() {
            request = request.header(header::COOKIE, cookie);
        }
        let request =
            request.body(Full::from(body.map(|body| body.to_string()).unwrap_or_default()))?;
        let response = tokio::time::timeout(Duration::from_secs(20), self.client.request(request))
            .await
            .context("no answer within 20 seconds")??;
        let status = response.status();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
            *self.cookie.lock().map_err(|_| anyhow!("poisoned"))? = Some(pair);
        }
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// The JSON at a path.
    ///
    /// # Errors
    /// When the status is no success.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let (status, body) = self.send(Method::GET, path, None).await?;
        if !status.is_success() {
            bail!("GET {path}: {status} {body}");
        }
        Ok(body)
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// When the status is no success.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let (status, answer) = self.send(Method::POST, path, Some(body)).await?;
        if !status.is_success() {
            bail!("POST {path}: {status} {answer}");
        }
        Ok(answer)
    }

    /// All items of a class, page by page.
    ///
    /// # Errors
    /// When the control plane refuses.
    pub async fn items(&self, class: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let answer = self
                .get(&format!("/api/v1/items?class={class}&page_size=500&page_token={token}"))
                .await?;
            items
                .extend(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            answer
                .get("next_page_token")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .clone_into(&mut token);
            if token.is_empty() {
                return Ok(items);
            }
        }
    }
}

/// The winning value of an attribute of an item as REST gives it.
#[must_use]
pub fn value<'a>(item: &'a Value, attribute: &str) -> Option<&'a Value> {
    item.get("attributes")?.get(attribute)?.as_array()?.first()?.get("value")
}
