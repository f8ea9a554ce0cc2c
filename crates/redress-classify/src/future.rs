//! The future of a call: a reader with its settings and its request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

use crate::BoxError;
use crate::body::Body;
use crate::error::Error;
use crate::reader::Reader;
use crate::settings::Settings;
use crate::straight::SentRequest;

pin_project! {
    /// The future of a [`Classify`](crate::Classify) service.
    ///
    /// # Panics
    /// Panics if it is polled after completion.
    pub struct ResponseFuture<F, R: http_body::Body> {
        #[pin]
        reader: Reader<F, R>,
        settings: Arc<Settings>,
        request: SentRequest,
    }
}

impl<F, R: http_body::Body> ResponseFuture<F, R> {
    pub(crate) const fn new(reader: Reader<F, R>, settings: Arc<Settings>, request: SentRequest) -> Self {
        Self { reader, settings, request }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<R>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.reader.poll(cx, this.settings, this.request)
    }
}

impl<F, R: http_body::Body> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("reader", &self.reader).finish_non_exhaustive()
    }
}
