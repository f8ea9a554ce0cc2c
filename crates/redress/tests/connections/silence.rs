//! A server that takes a request and says nothing.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request};
use redress::{BoxError, EndReason, Phase, RedressLayer};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::Service;
use tower::limit::ConcurrencyLimit;

use super::server::{Fault, start};
use super::{hyper, layer, request, reqwest, send};

/// Keeps the paused clock from moving until the server has the request: a blocking task does.
#[derive(Clone)]
struct Held<S> {
    inner: S,
    done: Arc<Mutex<Receiver<()>>>,
}

impl<S: Service<Request<String>>> Service<Request<String>> for Held<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<String>) -> S::Future {
        let done = Arc::clone(&self.done);
        tokio::task::spawn_blocking(move || done.lock().unwrap().recv());
        self.inner.call(request)
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends requests to a silent server over a transport with one place; checks what they came to.
async fn silent<S, R>(transport: S)
where
    S: Service<Request<String>, Response = http::Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let (sender, done) = mpsc::channel();
    let (url, effects) = start(Fault::Stall, sender).await;
    let held = Held { inner: transport, done: Arc::new(Mutex::new(done)) };
    let places = Arc::new(Semaphore::new(1));
    let transport = ConcurrencyLimit::with_semaphore(held, Arc::clone(&places));
    let layer: RedressLayer = layer().attempt_timeout(TIMEOUT);
    for (method, sends, stop) in [("POST", 1, EndReason::NotIdempotent), ("GET", 3, EndReason::MaxAttempts)] {
        let begun = Instant::now();
        let error = send(&layer, transport.clone(), request(method, &url)).await.expect_err("the server says nothing");
        assert!(error.is_timeout() && error.is_transport() && !error.is_deadline(), "{error:?}");
        assert_eq!(error.phase(), Phase::MaybeProcessed);
        let record = error.record().expect("an error has one");
        let waits: Duration = record.attempts().iter().filter_map(|attempt| attempt.wait).sum();
        assert_eq!((record.attempts().len(), record.end_reason()), (sends, stop), "{method}");
        let late = begun.elapsed() - TIMEOUT * u32::try_from(sends).unwrap() - waits;
        assert!(late <= Duration::from_millis(5) * 3, "{method}: {late:?} late");
        assert_eq!(effects.take(), vec![method.parse::<Method>().unwrap(); sends]);
        assert_eq!(places.available_permits(), 1, "{method}: the place of what was cut is free");
    }
    // A deadline sooner than the timeout cuts the attempt in flight, and is told from it.
    let layer = layer.deadline(Duration::from_secs(1));
    let begun = Instant::now();
    let error = send(&layer, transport, request("GET", &url)).await.expect_err("the server says nothing");
    assert!(error.is_deadline() && !error.is_timeout(), "{error:?}");
    assert_eq!((error.phase(), effects.take().len(), places.available_permits()), (Phase::MaybeProcessed, 1, 1));
    assert!(begun.elapsed() - Duration::from_secs(1) <= Duration::from_millis(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn over_hyper_a_silent_server_is_cut_by_the_attempt_timeout_and_its_place_is_free() {
    silent(hyper()).await;
}

#[tokio::test(start_paused = true)]
async fn over_reqwest_a_silent_server_is_cut_by_the_attempt_timeout_and_its_place_is_free() {
    silent(reqwest()).await;
}
