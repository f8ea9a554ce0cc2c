//! The stack of a client and the layers above it, whatever their types.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use redress_classify::{Body, Error};
use tower::util::BoxCloneSyncService;
use tower_service::Service;

type Boxed = BoxCloneSyncService<Request<reqwest::Body>, Response<Body<reqwest::Body>>, Error>;

/// The stack of a [`Client`](crate::Client), and the layers that [`call_layer`](crate::Client::call_layer) has put above it.
///
/// One call of this service is one call of the client: attempts, waits and refreshes are below. It has no type parameter, so
/// that the client needs none; that costs each call two allocations for each layer.
///
/// # Errors
/// Returns those of the stack, or of the layers above it.
///
/// # Cancel safety
/// As that of [`Redress`](crate::Redress).
#[derive(Clone)]
pub struct ClientService {
    inner: Boxed,
}

impl ClientService {
    pub(super) fn new<S>(service: S) -> Self
    where
        S: Service<Request<reqwest::Body>, Response = Response<Body<reqwest::Body>>, Error = Error>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self { inner: BoxCloneSyncService::new(service) }
    }
}

impl Service<Request<reqwest::Body>> for ClientService {
    type Response = Response<Body<reqwest::Body>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<reqwest::Body>) -> Self::Future {
        self.inner.call(request)
    }
}

/// Opaque: the `Debug` of a layer may print secrets.
impl fmt::Debug for ClientService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientService").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::limit::{ConcurrencyLimit, ConcurrencyLimitLayer};
    use tower::{ServiceBuilder, service_fn};

    use crate::{Client, RedressLayer, dialects};

    /// `ConcurrencyLimit` panics if it is called before it was ready.
    #[tokio::test]
    async fn layers_and_transports_are_ready_before_they_are_called() {
        let answering = service_fn(|_: http::Request<reqwest::Body>| async {
            Ok::<_, Infallible>(http::Response::new("[1]".to_owned()))
        });
        let transport = ConcurrencyLimit::new(answering, 1);
        let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
        let client = client.call_layer(ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(1)).into_inner());
        for _ in 0..2 {
            assert_eq!(client.get("https://api.example").send().await.unwrap().status(), 200);
        }
    }
}
