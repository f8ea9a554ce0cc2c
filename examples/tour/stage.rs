//! A server, a stack over it built as the README builds it, and what a call came to.

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::{ApiError, Attempt, Body, BoxError, EndReason, Error, Redress, ResponseExt, transport::Hyper};
use redress_sandbox::{Sandbox, Vendor};
use serde_json::Value;
use tower::ServiceExt;

/// A transport over real HTTP.
pub(crate) type Transport = Hyper<HttpConnector, String>;

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    service: Redress<Transport>,
}

/// The caller's view of one call.
pub(crate) struct Outcome {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) stop: Option<EndReason>,
    pub(crate) status: Option<u16>,
    pub(crate) api_error: Option<ApiError>,
    pub(crate) error: Option<Error>,
    pub(crate) body: Value,
}

pub(crate) fn transport() -> Transport {
    Hyper::new(Client::builder(TokioExecutor::new()).build_http())
}

/// Starts the vendor's server and builds a stack for it.
pub(crate) async fn stage(
    vendor: Vendor,
    build: impl FnOnce(&Sandbox) -> Result<Redress<Transport>, BoxError>,
) -> Result<Stage, BoxError> {
    let sandbox = Sandbox::start(vendor).await?;
    let service = build(&sandbox)?;
    Ok(Stage { sandbox, service })
}

impl Stage {
    pub(crate) async fn get(&self, path: &str) -> Result<Outcome, BoxError> {
        self.call("GET", path, &Value::Null).await
    }

    pub(crate) async fn call(&self, method: &'static str, path: &str, body: &Value) -> Result<Outcome, BoxError> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.sandbox.url()))
            .header("content-type", "application/json")
            .body(body)?;
        let path = request.uri().path().to_owned();
        let result = self.service.clone().oneshot(request).await;
        Ok(match result {
            Ok(response) => Outcome::answered(method, path, response).await,
            Err(error) => Outcome::failed(method, path, error),
        })
    }
}

impl Outcome {
    async fn answered(method: &'static str, path: String, response: Response<Body<Incoming>>) -> Self {
        let status = response.status().as_u16();
        let single = || vec![Attempt::new(Some(status), response.verdict().cloned(), false)];
        let attempts = response.record().map_or_else(single, |record| record.attempts().to_vec());
        let stop = response.record().map(redress::Record::end_reason);
        let api_error = response.verdict().and_then(|verdict| verdict.api_error()).cloned();
        // The body is there for the caller, however much of it the stack has read.
        let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Self { method, path, attempts, stop, status: Some(status), api_error, error: None, body }
    }

    /// Stands for the calls of a scenario that looks at them all together.
    pub(crate) const fn nothing() -> Self {
        Self {
            method: "",
            path: String::new(),
            attempts: Vec::new(),
            stop: None,
            status: None,
            api_error: None,
            error: None,
            body: Value::Null,
        }
    }

    fn failed(method: &'static str, path: String, error: Error) -> Self {
        let attempts = error.record().map(|record| record.attempts().to_vec()).unwrap_or_default();
        let stop = error.record().map(redress::Record::end_reason);
        Self { method, path, attempts, stop, status: None, api_error: None, error: Some(error), body: Value::Null }
    }
}
