//! Connections that are refused, reset, closed or silent, byte for byte over loopback and both adapters; the server counts
//! what it did.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod effects;
mod held;
mod refused;
mod server;
mod silence;

use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::transport::{Hyper, Reqwest};
use redress::{BoxError, Error, RedressLayer, dialects};
use tower::{Layer, Service, ServiceExt};

fn hyper() -> Hyper<HttpConnector, String> {
    Hyper::new(Client::builder(TokioExecutor::new()).build_http())
}

fn reqwest() -> Reqwest {
    Reqwest::new(reqwest::Client::builder()).unwrap()
}

/// A stack for an API none of whose routes is idempotent by itself.
fn layer() -> RedressLayer {
    RedressLayer::new(dialects::generic())
}

fn request(method: &str, url: &str) -> Request<String> {
    Request::builder().method(method).uri(format!("{url}/v1/things")).body("payload".to_owned()).unwrap()
}

/// Sends a request through the stack over a transport; returns the status.
async fn send<S, R>(layer: &RedressLayer, transport: S, request: Request<String>) -> Result<u16, Error>
where
    S: Service<Request<String>, Response = http::Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    layer.layer(transport).oneshot(request).await.map(|response| response.status().as_u16())
}

/// The same over both adapters, one after the other.
async fn both(layer: &RedressLayer, request: &Request<String>) -> [Result<u16, Error>; 2] {
    [send(layer, hyper(), request.clone()).await, send(layer, reqwest(), request.clone()).await]
}
