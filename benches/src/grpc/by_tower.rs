//! The stacks that programs make of tower and tower-http for the same calls.

use std::future::Ready;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response};
use redress::CloneBody;
use redress::layers::try_clone_request;
use tower::retry::{Policy, Retry};
use tower_http::auth::AddAuthorization;
use tower_layer::Layer;
use tower_service::Service;

use crate::stacks::TOKEN;

/// The deadline of [`stacks`](crate::stacks), 20 s, in the unit that the stack states.
const TIMEOUT: HeaderValue = HeaderValue::from_static("20000000u");

/// Keeps a copy of each request, and retries none.
#[derive(Clone, Debug)]
pub struct Copy;

/// tower's `Retry` over layers that set `authorization` and `grpc-timeout`.
#[derive(Clone, Debug)]
pub struct RetryAuthTimeout;

/// Sets `grpc-timeout`.
#[derive(Clone, Debug)]
pub struct SetTimeout<S>(S);

impl<B: CloneBody, R, E> Policy<Request<B>, Response<R>, E> for Copy {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<B>, _: &mut Result<Response<R>, E>) -> Option<Ready<()>> {
        None
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        try_clone_request(request)
    }
}

impl<S> Layer<S> for RetryAuthTimeout {
    type Service = Retry<Copy, AddAuthorization<SetTimeout<S>>>;

    fn layer(&self, transport: S) -> Self::Service {
        Retry::new(Copy, AddAuthorization::bearer(SetTimeout(transport), TOKEN).as_sensitive(true))
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for SetTimeout<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.headers_mut().insert("grpc-timeout", TIMEOUT);
        self.0.call(request)
    }
}
