//! The transport of a client, whatever its type.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use redress_classify::BoxError;
use reqwest::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_service::Service;

/// The transport below a [`Client`](crate::Client): reqwest, or what [`with_transport`](crate::Client::with_transport) was
/// given.
///
/// The client has no type parameter for it, so that a program's own types need none, and a test can give them a mock. That
/// costs each attempt two allocations.
#[derive(Clone)]
pub struct ClientTransport {
    inner: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>,
}

impl ClientTransport {
    pub(super) fn new<T, R>(transport: T) -> Self
    where
        T: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        T::Error: Into<BoxError>,
        T::Future: Send + 'static,
        R: http_body::Body + Send + Sync + 'static,
        R::Data: Into<Bytes>,
        R::Error: Into<BoxError>,
    {
        let transport = transport.map_response(|response: Response<R>| response.map(Body::wrap)).map_err(Into::into);
        Self { inner: BoxCloneSyncService::new(transport) }
    }
}

impl Service<Request<Body>> for ClientTransport {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.inner.call(request)
    }
}

/// Opaque: a transport's own `Debug` may print secrets.
impl fmt::Debug for ClientTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTransport").finish_non_exhaustive()
    }
}
