//! A transport that notes what passes it, and how much is in flight.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use redress::TransportError;
use redress::transport::{Hyper, HyperFuture};
use tokio::time::Instant;
use tower::Service;

use super::call_of;
use super::connector::Connector;

/// The bytes that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Sent,
    /// A response began; how long it asks to wait.
    Answered(u16, Option<Duration>),
    Failed,
}

/// One event of one call.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) call: u32,
    pub(crate) at: Instant,
    pub(crate) event: Event,
}

#[derive(Debug, Default)]
struct Log {
    lines: Vec<Line>,
    in_flight: usize,
}

/// hyper's client, watched.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    inner: Hyper<Connector, String>,
    log: Arc<Mutex<Log>>,
}

pub(crate) struct InFlight {
    inner: HyperFuture,
    call: u32,
    log: Arc<Mutex<Log>>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self { inner: super::connector::client(), log: Arc::default() }
    }

    /// Returns what passed of one call, in order.
    pub(crate) fn lines(&self, call: u32) -> Vec<Line> {
        self.log.lock().unwrap().lines.iter().filter(|line| line.call == call).cloned().collect()
    }

    pub(crate) fn sends(&self, call: u32) -> usize {
        self.lines(call).iter().filter(|line| line.event == Event::Sent).count()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.log.lock().unwrap().in_flight
    }

    fn note(log: &Mutex<Log>, call: u32, event: Event) {
        log.lock().unwrap().lines.push(Line { call, at: Instant::now(), event });
    }
}

impl Service<Request<String>> for Wire {
    type Response = Response<Incoming>;
    type Error = TransportError;
    type Future = InFlight;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<String>) -> InFlight {
        let call = call_of(&request);
        Self::note(&self.log, call, Event::Sent);
        self.log.lock().unwrap().in_flight += 1;
        InFlight { inner: self.inner.call(request), call, log: Arc::clone(&self.log) }
    }
}

impl Future for InFlight {
    type Output = Result<Response<Incoming>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.inner).poll(cx));
        let event = match &result {
            Ok(response) => Event::Answered(response.status().as_u16(), hint(response)),
            Err(_) => Event::Failed,
        };
        Wire::note(&self.log, self.call, event);
        Poll::Ready(result)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.log.lock().unwrap().in_flight -= 1;
    }
}

fn hint(response: &Response<Incoming>) -> Option<Duration> {
    let millis = response.headers().get("retry-after-ms")?.to_str().unwrap().parse().unwrap();
    Some(Duration::from_millis(millis))
}
