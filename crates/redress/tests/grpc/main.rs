//! gRPC over a real connection to a server made of h2: every status in every shape, every reset, and the cases of gRPC
//! core's retry suite that `docs/grpc.md` lists.
//!
//! The clock is the real one, and waits are of 1 ms: no test measures time.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod credentials;
mod resets;
mod server;
mod shapes;
mod suite;

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::grpc::{GrpcCode, MethodConfig, RetryPolicy, ServiceConfig};
use redress::transport::Hyper;
use redress::{
    Body, CloneBody, EndReason, Error, Idempotent, Jitter, Record, Redress, RedressLayer, ResponseExt, Schedule,
    Verdict, dialects,
};
use tower::{Layer, ServiceExt};

type Outcome = Result<Answered, Error>;

/// A response whose body was read to its end.
struct Answered {
    verdict: Option<Verdict>,
    record: Option<Record>,
    data: Vec<u8>,
    trailers: HeaderMap,
    /// Whether the body broke off.
    is_cut: bool,
}

fn transport<B>() -> Hyper<HttpConnector, B>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    Hyper::new(Client::builder(TokioExecutor::new()).http2_only(true).build_http())
}

/// Waits of 1 ms.
const fn one_ms() -> Schedule {
    Schedule { base: Duration::from_millis(1), factor: NonZeroU32::MIN, cap: Duration::from_millis(1) }
}

/// A stack that waits 1 ms before each of two retries.
fn layer() -> RedressLayer {
    RedressLayer::new(dialects::grpc()).backoff(|backoff| backoff.transient_backoff(one_ms()).jitter(Jitter::None))
}

/// A stack with this many waits of 1 ms for `UNAVAILABLE` and `ABORTED`, declared by the service.
fn with_policy(retries: usize) -> RedressLayer {
    let waits = vec![Duration::from_millis(1); retries];
    let policy = RetryPolicy::new(waits, [GrpcCode::Unavailable, GrpcCode::Aborted]);
    let config = ServiceConfig::new().service("acme.Orders", MethodConfig::new().retry_policy(policy));
    RedressLayer::new(dialects::grpc()).backoff(|backoff| backoff.service_config(config).jitter(Jitter::None))
}

fn call(url: &str) -> Request<String> {
    with_body(url, "\0\0\0\0\x07request".to_owned())
}

fn with_body<B>(url: &str, body: B) -> Request<B> {
    let request = Request::post(format!("{url}/acme.Orders/Create"));
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    request.header("x-own", "metadata").body(body).unwrap()
}

fn repeatable(url: &str) -> Request<String> {
    let mut request = call(url);
    request.extensions_mut().insert(Idempotent(true));
    request
}

async fn send<B>(layer: &RedressLayer, request: Request<B>) -> Outcome
where
    B: http_body::Body<Data = Bytes> + CloneBody + Send + Unpin + 'static,
    B::Error: Into<redress::BoxError>,
{
    let stack: Redress<Hyper<HttpConnector, B>> = layer.layer(transport());
    read(stack.oneshot(request).await?).await
}

async fn read<R>(response: Response<Body<R>>) -> Outcome
where
    R: http_body::Body<Data = Bytes> + Unpin,
{
    let (verdict, record) = (response.verdict().cloned(), response.record().cloned());
    let mut answered = Answered { verdict, record, data: Vec::new(), trailers: HeaderMap::new(), is_cut: false };
    let mut body = std::pin::pin!(response.into_body());
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => answered.data.extend_from_slice(&data),
            Ok(Err(frame)) => answered.trailers = frame.into_trailers().unwrap_or_default(),
            Err(_) => {
                answered.is_cut = true;
                break;
            }
        }
    }
    Ok(answered)
}

fn end(outcome: &Outcome) -> Option<EndReason> {
    let record = match outcome {
        Ok(answered) => answered.record.as_ref(),
        Err(error) => error.record(),
    };
    record.map(Record::end_reason)
}
