//! A stack whose waits are as good as none, and what is sent through it.

use std::time::Duration;

use http::{Request, Response};
use redress::{BoxError, Error, RedressLayer, dialects};
use tower::{Layer, Service, ServiceExt};

/// Longer than anything here takes, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A stack whose waits are as good as none.
pub(crate) fn layer() -> RedressLayer {
    let quick = redress::Schedule {
        base: Duration::from_millis(1),
        factor: std::num::NonZeroU32::MIN,
        cap: Duration::from_millis(1),
    };
    RedressLayer::new(dialects::generic()).backoff(|backoff| backoff.transient_backoff(quick).throttling_backoff(quick))
}

pub(crate) fn request(method: &str, url: &str) -> Request<String> {
    Request::builder().method(method).uri(format!("{url}/v1/things?token=secret")).body("payload".to_owned()).unwrap()
}

/// Sends a request through the stack; returns the status.
pub(crate) async fn send<S, R>(layer: &RedressLayer, transport: &S, request: Request<String>) -> Result<u16, Error>
where
    S: Service<Request<String>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let response = tokio::time::timeout(PATIENCE, layer.layer(transport.clone()).oneshot(request)).await;
    response.expect("it does not hang").map(|response| response.status().as_u16())
}

/// An error and all its sources, as text.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
