//! The future of a call: its first attempt goes straight to the transport, and all that follows goes through the layers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_classify::straight::{Reader, SentRequest, Straight};
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
    pub(crate) parts: SentRequest,
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
    #[inline]
    pub(crate) const fn straight(response: S::Future, sent: Sent<S, B>) -> Self {
        Self { state: State::Straight { reader: Reader::new(response), timer: Timer::new() }, sent: Some(sent) }
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
        Box::pin(self.shared.over::<S, B>(self.transport).adopt(self.kept, self.parts, result))
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const SENT: &str = "it is taken at the end of the first attempt";
        let mut this = self.project();
        loop {
            let result = match this.state.as_mut().project() {
                StateProj::Straight { mut reader, timer } => {
                    let Sent { shared, kept, parts, limit, .. } = this.sent.as_ref().expect(SENT);
                    let layers = &shared.layers;
                    let classify = Straight::<B>::classify(layers);
                    let mut polled = classify.poll_reader(reader.as_mut(), parts, cx);
                    if let Poll::Ready(Ok(response)) = &mut polled
                        && layers.is_plain(kept, response)
                    {
                        // Nearly all calls end here.
                        layers.settle(kept, parts, response);
                        *this.sent = None;
                        this.state.set(State::Done);
                        return polled;
                    }
                    match polled {
                        Poll::Ready(result) => result,
                        Poll::Pending => {
                            let end = || limit.end(reader.sent()?).filter(|_| reader.awaits_head());
                            match ready!(timer.poll(cx, end, kept.deadline())) {
                                TimeOut::Attempt => Err(classify.failed(parts, limit.error())),
                                TimeOut::Call => {
                                    let sent = this.sent.take().expect(SENT);
                                    let result = sent.shared.layers.expired(sent.kept);
                                    this.state.set(State::Done);
                                    return Poll::Ready(result);
                                }
                            }
                        }
                    }
                }
                StateProj::Layers { layers } => return layers.as_mut().poll(cx),
                StateProj::Done => panic!("`ResponseFuture` polled after completion"),
            };
            let layers = this.sent.take().expect(SENT).adopt(result);
            this.state.set(State::Layers { layers });
        }
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
