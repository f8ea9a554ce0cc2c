//! The future of a call: its first attempt goes straight to the transport, and all that follows goes through the layers.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_classify::straight::{Reader, SentParts, Straight};
use redress_classify::{Body, BoxError, CloneBody, Error};
use tower_service::Service;

use crate::service::{Layers, Shared};
use crate::timeout::{AttemptLimit, TimeOut, TimedAttempts, Timer};

pin_project! {
    /// The future of a [`Redress`](crate::Redress) service.
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
pub(crate) struct Sent<S, B: CloneBody> {
    /// It is sent again by this service.
    pub(crate) transport: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) kept: <Layers<()> as Straight<B>>::Kept,
    pub(crate) limit: AttemptLimit,
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
    #[inline(always)]
    pub(crate) const fn straight(response: S::Future, sent: Sent<S, B>) -> Self {
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
    pub(crate) fn through_layers(shared: &Shared, transport: S, request: Request<B>) -> Self {
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
