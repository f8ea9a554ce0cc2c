//! The retries of kube's client.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use kube_client::client::Body;
use kube_client::client::retry::RetryPolicy;
use redress_lab::{BoxClient, LabBody, Policy, PolicyContext};
use tower::retry::Retry;
use tower::{BoxError, ServiceExt as _, service_fn};

/// kube's `RetryPolicy::server_retry()` in tower's `Retry`, as in the stack that `Client::try_from` builds by
/// default.
///
/// It repeats responses with the statuses 429, 503 and 504 up to 15 times, with waits from 5 ms that double, and
/// waits at least for a `Retry-After`. It repeats a POST as well, and no transport error. There is no budget. The
/// waits use a random generator that cannot be seeded: two runs differ slightly.
#[derive(Clone, Copy, Debug)]
pub struct Kube;

/// The version in this workspace's Cargo.lock. A test keeps the two in step.
const VERSION: &str = "5.0.0";

/// A call whose request and response stay in the lab: kube sees status and `Retry-After`.
struct Exchange {
    service: BoxClient,
    request: Request<Full<Bytes>>,
    /// The response of the last attempt.
    last: Mutex<Option<Response<LabBody>>>,
}

impl Exchange {
    /// Replaces the response of the last attempt, and returns it.
    fn keep(&self, response: Option<Response<LabBody>>) -> Option<Response<LabBody>> {
        std::mem::replace(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner), response)
    }
}

/// Makes an attempt through the exchange of the call.
async fn attempt(request: Request<Body>) -> Result<Response<()>, BoxError> {
    let exchange = request.extensions().get::<Arc<Exchange>>().expect("each call brings its own");
    exchange.keep(None);
    let response = exchange.service.clone().oneshot(exchange.request.clone()).await?;
    let mut head = Response::new(());
    *head.status_mut() = response.status();
    let hint = response.headers().get(header::RETRY_AFTER).cloned();
    head.headers_mut().extend(hint.map(|hint| (header::RETRY_AFTER, hint)));
    exchange.keep(Some(response));
    Ok(head)
}

/// Makes one call, with an empty request of kube's type, and returns the last response of the lab.
async fn call(service: BoxClient, request: Request<Full<Bytes>>) -> Result<Response<LabBody>, BoxError> {
    let exchange = Arc::new(Exchange { service, request, last: Mutex::new(None) });
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(Arc::clone(&exchange));
    Retry::new(RetryPolicy::server_retry(), service_fn(attempt)).oneshot(request).await?;
    Ok(exchange.keep(None).ok_or("a response that is not there")?)
}

impl Policy for Kube {
    fn name(&self) -> &'static str {
        "kube"
    }

    fn about(&self) -> String {
        format!(
            "kube-client {VERSION}: RetryPolicy::server_retry() (15 retries of 429, 503 and 504, 5 ms to 1000 s, not seeded, Retry-After kept)"
        )
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let service = context.transport();
        BoxClient::new(service_fn(move |request| call(service.clone(), request)))
    }
}
