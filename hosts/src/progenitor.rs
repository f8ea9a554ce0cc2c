//! The hook of clients that progenitor generates.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use redress::{BoxError, Error, ReplayBody};
use reqwest::Body;
use tower::Service;

use crate::send;

/// Sends a request through a stack, for the hook `ClientHooks::exec` of a client that progenitor generates.
///
/// # Errors
/// An error of the stack becomes a [`reqwest::Error`], since the hook can return no other. reqwest makes such errors by
/// itself only: this one is that of a body that failed, and says so although there was no response.
/// The [`redress::Error`] is among its sources:
///
/// ```
/// use std::error::Error;
///
/// fn cause(error: &reqwest::Error) -> Option<&redress::Error> {
///     let mut source = error.source();
///     while let Some(error) = source {
///         if let Some(found) = error.downcast_ref() {
///             return Some(found);
///         }
///         source = error.source();
///     }
///     None
/// }
/// ```
///
/// # Cancel safety
/// That of [`send`].
///
/// # Examples
/// A client that keeps the stack as its inner value:
/// ```
/// use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
/// use redress::{Redress, transport::Reqwest};
///
/// type Stack = Redress<Reqwest>;
/// # struct Client;
/// # impl ClientInfo<Stack> for Client {
/// #     fn api_version() -> &'static str { "1" }
/// #     fn baseurl(&self) -> &str { "" }
/// #     fn client(&self) -> &reqwest::Client { unimplemented!() }
/// #     fn inner(&self) -> &Stack { unimplemented!() }
/// # }
///
/// impl ClientHooks<Stack> for Client {
///     async fn exec(&self, request: reqwest::Request, _: &OperationInfo) -> reqwest::Result<reqwest::Response> {
///         redress_hosts::exec(self.inner().clone(), request).await
///     }
/// }
/// ```
pub async fn exec<S, R>(stack: S, request: reqwest::Request) -> reqwest::Result<reqwest::Response>
where
    S: Service<http::Request<ReplayBody<Body>>, Response = Response<R>, Error = Error>,
    R: http_body::Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    match send(stack, request).await {
        Ok(response) => Ok(response),
        Err(error) => Err(to_reqwest_error(error).await),
    }
}

/// Returns an error of reqwest with this one as a source.
async fn to_reqwest_error(error: Error) -> reqwest::Error {
    let response = reqwest::Response::from(Response::new(Body::wrap(FailedBody(Some(error)))));
    response.bytes().await.expect_err("the body fails at its first poll")
}

/// A body that is nothing but this error.
struct FailedBody(Option<Error>);

impl http_body::Body for FailedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
