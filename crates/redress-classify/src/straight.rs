//! The straight way of a call: its first attempt is sent without the futures of the layers, which are made only for a call
//! that must wait, or whose attempt did not end in a plain success.
//!
//! It is an agreement between the layers of this repository and changes with them, and so it is not part of the documented
//! interface. A layer of another author goes above or below the whole stack, and needs nothing of this.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Method, Request, Response, Uri};
use tokio::time::Instant;
use tower_service::Service;

use crate::body::Body;
use crate::deadline::Deadline;
use crate::error::Error;
pub use crate::extension::extension;
use crate::future::ResponseFuture;
use crate::judge::RequestLine;
pub use crate::reader::Reader;
pub use crate::record::Attempts;
use crate::service::Classify;
use crate::upstream::Upstream;
use crate::{BoxError, reader};

/// The services of some layers over each other, cut into steps that need no future.
///
/// A service over `()` holds the settings of its layers. It sends a request in two steps, [`admit`](Self::admit) and
/// [`send`](Self::send). The response is a plain success if it [is plain](Self::is_plain) to each layer, and each of them then
/// does with it as its own future does, in [`settle`](Self::settle). Any other result is [adopted](Adopt) by the services
/// over the transport, whose futures go on from there.
///
/// Each service calls the one below it, so that the order of the layers is the type of the services alone.
pub trait Straight<B> {
    /// The same layers over another service.
    type Over<S>;
    /// The state of a request that is admitted.
    type Admitted;
    /// The state of a request that was sent.
    type Kept;

    /// Puts the layers over another service.
    fn over<S>(&self, inner: S) -> Self::Over<S>;

    /// Returns the layer that reads responses.
    fn classify(&self) -> &Classify<()>;

    /// Admits a request that may be sent now. `None` means that nothing was counted, and that the request goes through the
    /// futures of the layers, which wait or fail.
    ///
    /// A layer asks the one below it first if it counts something itself: those that only look come before those that count.
    fn admit(&self, request: &mut Request<B>, time: &mut CallTime) -> Option<Self::Admitted>;

    /// Does to an admitted request what each layer does before it is sent, from the top down.
    fn send(&self, admitted: Self::Admitted, request: &mut Request<B>, time: &mut CallTime) -> Self::Kept;

    /// Returns `true` if each layer returns the response as it is, except for marks of [`settle`](Self::settle).
    fn is_plain<R>(&self, kept: &Self::Kept, response: &Response<R>) -> bool;

    /// Learns from a plain response, from the bottom up.
    fn settle<R>(&self, kept: &Self::Kept, sent: &impl SentParts, response: &mut Response<R>);
}

/// The services of some layers over a transport, which take over a call whose first attempt went [straight](Straight).
pub trait Adopt<B, K>: Service<Request<B>> {
    /// Returns the future of the call, in the state in which it would have seen this result of its first attempt.
    fn adopt(&self, kept: K, sent: SentRequest, result: Result<Self::Response, Error>) -> Self::Future;
}

/// The parts of a request that the layers may ask for after it was sent, wherever they are kept.
pub trait SentParts {
    /// Returns the method.
    fn method(&self) -> &Method;

    /// Returns the path of the URI.
    fn path(&self) -> &str;

    /// Returns the request's own deadline.
    fn deadline(&self) -> Option<Deadline>;

    /// Returns the parts by themselves. Most successes do not ask for them.
    fn to_sent(&self) -> SentRequest;
}

/// The parts of a request that was sent, which share its bytes.
#[derive(Clone)]
pub struct SentRequest {
    pub(crate) line: RequestLine,
    /// The request's own deadline.
    pub(crate) deadline: Option<Deadline>,
}

/// The time at which a call began. The clock is read when it is asked for, and once.
#[derive(Debug, Default)]
pub struct CallTime(Option<Instant>);

impl SentRequest {
    /// Keeps the parts of a request, which copies no bytes.
    #[inline]
    pub fn new<B>(request: &Request<B>) -> Self {
        let line = RequestLine::new(request.method(), request.uri(), request.headers());
        Self { line, deadline: Deadline::from_request(request) }
    }

    /// Puts the parts of a request together. `host` is its `Host` header, which counts if the URI names no host.
    pub const fn from_parts(method: Method, uri: Uri, host: Option<HeaderValue>, deadline: Option<Deadline>) -> Self {
        Self { line: RequestLine::from_parts(method, uri, host), deadline }
    }

    /// Returns the method.
    pub const fn method(&self) -> &Method {
        self.line.method()
    }

    /// Returns the URI.
    pub const fn uri(&self) -> &Uri {
        self.line.uri()
    }

    /// Returns the host and port.
    pub fn upstream(&self) -> Upstream {
        self.line.upstream()
    }
}

impl SentParts for SentRequest {
    fn method(&self) -> &Method {
        self.line.method()
    }

    fn path(&self) -> &str {
        self.line.path()
    }

    fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    fn to_sent(&self) -> SentRequest {
        self.clone()
    }
}

/// Prints no part of the URI, which may hold a secret.
impl fmt::Debug for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentRequest").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl CallTime {
    /// Returns the time, which is read now if it was not read before.
    #[inline]
    pub fn now(&mut self) -> Instant {
        *self.0.get_or_insert_with(Instant::now)
    }

    /// Returns the time if it was read.
    pub const fn known(&self) -> Option<Instant> {
        self.0
    }
}

impl Classify<()> {
    /// Polls the reader of a request that went straight.
    #[doc(hidden)]
    #[inline(always)]
    pub fn poll_reader<F, R, E>(
        &self,
        reader: Pin<&mut Reader<F, R>>,
        sent: &impl SentParts,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<Body<R>>, Error>>
    where
        F: Future<Output = Result<Response<R>, E>>,
        E: Into<BoxError>,
        R: http_body::Body + Unpin,
        R::Error: Into<BoxError>,
    {
        reader.poll(cx, self.settings(), sent)
    }

    /// Converts an error that took the place of a response, such as a timeout, and reports it.
    #[doc(hidden)]
    #[cold]
    pub fn failed(&self, sent: &impl SentParts, error: BoxError) -> Error {
        reader::failed(self.settings(), sent, error)
    }
}

impl<B> Straight<B> for Classify<()> {
    type Over<S> = Classify<S>;
    type Admitted = ();
    type Kept = ();

    fn over<S>(&self, inner: S) -> Classify<S> {
        Classify::new(inner, Arc::clone(self.settings()))
    }

    fn classify(&self) -> &Self {
        self
    }

    fn admit(&self, _: &mut Request<B>, _: &mut CallTime) -> Option<()> {
        Some(())
    }

    fn send(&self, (): (), _: &mut Request<B>, _: &mut CallTime) {}

    fn is_plain<R>(&self, (): &(), _: &Response<R>) -> bool {
        true
    }

    fn settle<R>(&self, (): &(), _: &impl SentParts, _: &mut Response<R>) {}
}

impl<S, B, R> Adopt<B, ()> for Classify<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    #[inline(always)]
    fn adopt(&self, (): (), sent: SentRequest, result: Result<Self::Response, Error>) -> Self::Future {
        ResponseFuture::new(Reader::ended(result), Arc::clone(self.settings()), sent)
    }
}
