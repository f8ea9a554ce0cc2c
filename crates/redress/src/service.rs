//! The whole stack as one service, and the future of a call: its first attempt goes straight to the transport, and all that
//! follows goes through the layers.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_backoff::Backoff;
use redress_classify::straight::{CallTime, Reader, SentParts, Straight};
use redress_classify::{Body, BoxError, Classify, CloneBody, Error};
use redress_pace::Pace;
use redress_refresh::Refresh;
use tower_service::Service;

use crate::timeout::{AttemptLimit, TimeOut, TimedAttempts, Timer};

/// The layers of redress over a transport.
///
/// Opaque, so that adding a layer is not a breaking change.
///
/// # Errors
/// Returns an [`Error`] if no response came. A response is `Ok` whatever its status:
/// [`ok_or_api_error`](redress_classify::ResponseExt::ok_or_api_error) turns an error response into an error.
///
/// # Cancel safety
/// Dropping the future drops the attempt in flight, or its place in a queue, and sends nothing more. A token refresh that it
/// started goes on for the other calls.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use http::{Request, Response};
/// use redress::{Redress, RedressLayer, ResponseExt, dialects};
/// use tower::{Layer, Service, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sent = Arc::new(AtomicU32::new(0));
/// let transport = service_fn(move |_: Request<String>| {
///     let status = if sent.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
///     async move { Response::builder().status(status).body(String::new()) }
/// });
/// let mut service: Redress<_> = RedressLayer::new(dialects::generic()).layer(transport);
/// let response = service.ready().await?.call(Request::get("https://api.example/").body(String::new())?).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.record().expect("it was sent twice").attempts().len(), 2);
/// # Ok(()) }
/// ```
pub struct Redress<S> {
    transport: S,
    shared: Arc<Shared>,
}

/// The layers in their order, over the attempt timeout and the transport.
pub(crate) type Layers<S> = Backoff<Pace<Refresh<Classify<S>>>>;

/// The settings of the whole stack, which all its services share.
pub(crate) struct Shared {
    pub(crate) layers: Layers<()>,
    pub(crate) attempt_timeout: Option<Duration>,
    /// Whether first attempts go through the futures of the layers, too.
    pub(crate) is_never_straight: bool,
}

pin_project! {
    /// The future of a [`Redress`] service.
    ///
    /// # Panics
    /// If it is polled after it has completed. Also if it must wait outside of a tokio runtime with a timer, or in one that is
    /// shutting down; that message is tokio's. A result that is there at the first poll needs no runtime.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
        Layers<TimedAttempts<S>>: Service<Request<B>>,
        B: CloneBody,
        R: http_body::Body,
    {
        #[pin]
        state: State<S, B, R>,
        // `None` unless the first attempt is in flight, straight.
        sent: Option<Sent<S, B>>,
    }

    impl<S, B, R> PinnedDrop for ResponseFuture<S, B, R>
    where
        S: Service<Request<B>>,
        Layers<TimedAttempts<S>>: Service<Request<B>>,
        B: CloneBody,
        R: http_body::Body,
    {
        fn drop(this: Pin<&mut Self>) {
            if let Some(sent) = this.project().sent.take() {
                sent.shared.layers.dropped(sent.kept);
            }
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, R>
    where
        S: Service<Request<B>>,
        Layers<TimedAttempts<S>>: Service<Request<B>>,
        R: http_body::Body,
    {
        // The first attempt is in flight, or its response is read.
        Straight { #[pin] reader: Reader<S::Future, R>, #[pin] timer: Timer },
        // A call that must wait, or whose first attempt did not end in a plain success.
        Layers { layers: Pin<Box<LayersFuture<S, B>>> },
        // The result was returned.
        Done,
    }
}

/// The future of a call through the layers.
type LayersFuture<S, B> = <Layers<TimedAttempts<S>> as Service<Request<B>>>::Future;

/// The state of a call whose first attempt went straight to the transport.
struct Sent<S, B: CloneBody> {
    /// It is sent again by this service.
    transport: S,
    shared: Arc<Shared>,
    kept: <Layers<()> as Straight<B>>::Kept,
    limit: AttemptLimit,
}

impl Shared {
    /// Puts the layers over a transport.
    pub(crate) fn over<S, B: CloneBody>(&self, transport: S) -> Layers<TimedAttempts<S>> {
        Straight::<B>::over(&self.layers, TimedAttempts::new(transport, self.attempt_timeout))
    }
}

impl<S> Redress<S> {
    pub(crate) fn new(transport: S, shared: Shared) -> Self {
        Self { transport, shared: Arc::new(shared) }
    }
}

impl<S: Clone> Clone for Redress<S> {
    fn clone(&self) -> Self {
        Self { transport: self.transport.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S> fmt::Debug for Redress<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redress").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Redress<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = Error;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.transport.poll_ready(cx).map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The transport that was polled ready is used; its clone may not be ready, and is left for the next call.
        let clone = self.transport.clone();
        let mut transport = mem::replace(&mut self.transport, clone);
        let layers = &self.shared.layers;
        let mut time = CallTime::default();
        let admitted = if self.shared.is_never_straight { None } else { layers.admit(&mut request, &mut time) };
        let Some(admitted) = admitted else {
            return ResponseFuture::through_layers(&self.shared, transport, request);
        };
        let limit = AttemptLimit::new(&request, self.shared.attempt_timeout);
        let kept = layers.send(admitted, &mut request, &mut time);
        let response = transport.call(request);
        ResponseFuture::straight(response, Sent { transport, shared: Arc::clone(&self.shared), kept, limit })
    }
}

impl<S, B, R> ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    /// Waits for the response to a request that was sent.
    #[inline]
    const fn straight(response: S::Future, sent: Sent<S, B>) -> Self {
        Self { state: State::Straight { reader: Reader::new(response), timer: Timer::new() }, sent: Some(sent) }
    }

    /// Waits for a first attempt that is pending, or hands one to the layers that did not end in a plain success.
    #[inline(never)]
    fn go_on(self: Pin<&mut Self>, polled: &mut Poll<Result<Response<Body<R>>, Error>>, cx: &mut Context<'_>) {
        const SENT: &str = "it is taken at the end of the first attempt";
        let mut this = self.project();
        let StateProj::Straight { reader, timer } = this.state.as_mut().project() else { return };
        let result = match mem::replace(polled, Poll::Pending) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                let Sent { shared, kept, limit, .. } = this.sent.as_ref().expect(SENT);
                let end = || limit.end(reader.sent()?).filter(|_| reader.awaits_head());
                match timer.poll(cx, end, kept.call_deadline()) {
                    Poll::Pending => return,
                    Poll::Ready(TimeOut::Attempt) => {
                        Err(Straight::<B>::classify(&shared.layers).failed(kept, limit.error()))
                    }
                    Poll::Ready(TimeOut::Call) => {
                        let sent = this.sent.take().expect(SENT);
                        *polled = Poll::Ready(sent.shared.layers.expired(sent.kept));
                        this.state.set(State::Done);
                        return;
                    }
                }
            }
        };
        let mut layers = this.sent.take().expect(SENT).adopt(result);
        *polled = layers.as_mut().poll(cx);
        this.state.set(State::Layers { layers });
    }

    /// Sends a request through the futures of the layers, by a transport that is ready.
    #[cold]
    #[inline(never)]
    fn through_layers(shared: &Shared, transport: S, request: Request<B>) -> Self {
        let layers = Box::pin(shared.over::<S, B>(transport).call(request));
        Self { state: State::Layers { layers }, sent: None }
    }
}

impl<S, B: CloneBody> Sent<S, B> {
    /// Hands the result of the first attempt to the futures of the layers.
    #[cold]
    #[inline(never)]
    fn adopt<R>(self, result: Result<Response<Body<R>>, Error>) -> Pin<Box<LayersFuture<S, B>>>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        R: http_body::Body + Unpin,
        R::Error: Into<BoxError>,
    {
        let parts = self.kept.to_sent();
        Box::pin(self.shared.over::<S, B>(self.transport).adopt(self.kept, parts, result))
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<R>>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_mut().project();
        let (state, sent) = (this.state.project(), this.sent.as_ref());
        // The one result of this function, so that it is made where it is returned, and not moved there.
        let mut polled = match (state, sent) {
            (StateProj::Straight { reader, .. }, Some(Sent { shared, kept, .. })) => {
                Straight::<B>::classify(&shared.layers).poll_reader(reader, kept, cx)
            }
            (StateProj::Layers { layers }, _) => layers.as_mut().poll(cx),
            _ => panic!("`ResponseFuture` polled after completion"),
        };
        match (&mut polled, sent) {
            // Nearly all calls end here.
            (Poll::Ready(Ok(response)), Some(Sent { shared, kept, .. })) if shared.layers.is_plain(kept, response) => {
                shared.layers.settle(kept, kept, response);
                self.as_mut().project().state.set(State::Done);
                *self.project().sent = None;
            }
            (_, Some(_)) => self.go_on(&mut polled, cx),
            (_, None) => {}
        }
        polled
    }
}

impl<S, B, R> fmt::Debug for ResponseFuture<S, B, R>
where
    S: Service<Request<B>>,
    Layers<TimedAttempts<S>>: Service<Request<B>>,
    B: CloneBody,
    R: http_body::Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
