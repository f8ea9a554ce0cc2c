//! The retries of reqwest-retry.

use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::reqwest_retry::RetryTransientMiddleware;
use ::reqwest_retry::policies::ExponentialBackoff;
use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body_util::Full;
use redress::{BoxError, TransportError};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Next};
use tower::timeout::error::Elapsed;
use tower::{Layer, Service, service_fn};

use super::exchange::Exchange;
use super::versions;
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::transport::LabBody;

/// `RetryTransientMiddleware` of reqwest-retry with its own classification, over the modelled network
/// instead of reqwest's client.
///
/// Configured as in the crate's example: three retries and the defaults of `ExponentialBackoff`. The
/// alternative, a total duration, is checked only after a failure, when a caller with that deadline has
/// already left. The classification ignores the method, so a POST is sent again as well. The waits use
/// a random generator that cannot be seeded and the system's clock: two runs differ slightly.
///
/// Transport errors are real errors of reqwest clients that cannot connect: refused, timed out or
/// reset. A reset in the middle of an exchange is reported as a failed connect; the classification
/// treats both alike.
#[derive(Clone, Copy, Debug)]
pub struct ReqwestRetry;

/// The maximum number of retries.
const RETRIES: u32 = 3;

/// One reqwest client per kind of failure to connect.
#[derive(Clone)]
struct Broken {
    refused: reqwest::Client,
    timed_out: reqwest::Client,
    reset: reqwest::Client,
}

/// A layer that fails every attempt to connect.
#[derive(Clone, Copy)]
struct Unreachable(io::ErrorKind);

/// The connector that [`Unreachable`] installs.
#[derive(Clone)]
struct NoConnector<S> {
    kind: io::ErrorKind,
    _connector: S,
}

impl<S> Layer<S> for Unreachable {
    type Service = NoConnector<S>;

    fn layer(&self, connector: S) -> NoConnector<S> {
        NoConnector { kind: self.0, _connector: connector }
    }
}

impl<S: Service<T>, T> Service<T> for NoConnector<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = Ready<Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: T) -> Self::Future {
        ready(Err(io::Error::from(self.kind).into()))
    }
}

impl Broken {
    fn new() -> Self {
        let client = |kind| {
            let builder = reqwest::Client::builder().no_proxy().connector_layer(Unreachable(kind));
            builder.build().expect("a client without TLS needs nothing from the system")
        };
        Self {
            refused: client(io::ErrorKind::ConnectionRefused),
            timed_out: client(io::ErrorKind::TimedOut),
            reset: client(io::ErrorKind::ConnectionReset),
        }
    }

    /// Returns the client that fails in the same way as the attempt.
    fn like(&self, error: &BoxError) -> &reqwest::Client {
        if error.is::<Elapsed>() {
            return &self.timed_out;
        }
        let is_refused = error.downcast_ref().is_some_and(TransportError::is_connect);
        if is_refused { &self.refused } else { &self.reset }
    }
}

type Sent<'a> = Pin<Box<dyn Future<Output = Result<reqwest::Response, Error>> + Send + 'a>>;

/// Returns the innermost middleware. It sends through the call's [`Exchange`] instead of reqwest's
/// client.
fn end(broken: Broken) -> impl for<'a> Fn(reqwest::Request, &'a mut Extensions, Next<'a>) -> Sent<'a> {
    move |request, extensions, _| {
        let exchange = extensions.get::<Arc<Exchange>>().cloned().expect("each call brings its own");
        let broken = broken.clone();
        Box::pin(async move { send(&exchange, &broken, request).await })
    }
}

/// Makes an attempt through the exchange. A transport error is replaced by that of the broken client that fails
/// alike.
async fn send(exchange: &Exchange, broken: &Broken, request: reqwest::Request) -> Result<reqwest::Response, Error> {
    match exchange.attempt().await {
        Ok(status) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = status;
            Ok(response.into())
        }
        Err(error) => Ok(broken.like(&error).execute(request).await?),
    }
}

/// Makes one call through the client with its middleware, and returns the last response of the lab.
async fn call(client: ClientWithMiddleware, exchange: Arc<Exchange>) -> Result<Response<LabBody>, BoxError> {
    let request = exchange.request();
    let request = reqwest::Request::new(request.method().clone(), request.uri().to_string().parse()?);
    let mut extensions = Extensions::new();
    extensions.insert(Arc::clone(&exchange));
    client.execute_with_extensions(request, &mut extensions).await?;
    Ok(exchange.response().ok_or("a response that is not there")?)
}

impl Policy for ReqwestRetry {
    fn name(&self) -> &'static str {
        "reqwest-retry"
    }

    fn about(&self) -> String {
        let (version, policies) = (versions::REQWEST_RETRY, versions::RETRY_POLICIES);
        format!(
            "reqwest-retry {version}, retry-policies {policies}: RetryTransientMiddleware with ExponentialBackoff::builder() (1 s to 30 min, full jitter, not seeded), {RETRIES} retries"
        )
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let retry =
            RetryTransientMiddleware::new_with_policy(ExponentialBackoff::builder().build_with_max_retries(RETRIES));
        let broken = Broken::new();
        let client = ClientBuilder::new(broken.refused.clone()).with(retry).with(end(broken)).build();
        let service = context.transport();
        BoxClient::new(service_fn(move |request: Request<Full<Bytes>>| {
            call(client.clone(), Arc::new(Exchange::new(service.clone(), request)))
        }))
    }
}
