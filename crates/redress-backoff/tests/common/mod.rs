//! A scripted upstream below the layer, on a paused clock.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::num::NonZeroU32;
use std::time::Duration;

use http::{Request, Response};
use redress_backoff::{BackoffLayer, Jitter};
use redress_classify::{Dialect, EndReason, Error, Record, ResponseExt, Schedule};
pub use redress_sandbox::strict_mock::{Answer, Handle, StrictMock};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

pub type Mock = StrictMock<Request<String>, Response<String>>;
pub type Outcome = Result<Response<String>, Error>;

/// A dialect without any advice.
pub fn silent() -> Dialect {
    dialect("")
}

/// A dialect with these keys.
pub fn dialect(toml: &str) -> Dialect {
    Dialect::from_toml("silent.toml", &format!("name = \"silent\"\n{toml}")).expect("the file is right")
}

/// A layer whose waits are exactly those of the schedule.
pub fn layer() -> BackoffLayer {
    BackoffLayer::new(silent()).jitter(Jitter::None)
}

pub fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

/// A doubling schedule, in milliseconds.
pub fn doubling(base: u64, cap: u64) -> Schedule {
    Schedule { base: ms(base), factor: count(2), cap: ms(cap) }
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn answer(status: u16) -> Answer<Response<String>> {
    with(status, &[])
}

pub fn with(status: u16, headers: &[(&str, &str)]) -> Answer<Response<String>> {
    let builder =
        headers.iter().fold(Response::builder().status(status), |builder, (name, value)| builder.header(*name, *value));
    Answer::ok(builder.body("body".to_owned()).expect("the parts are valid"))
}

/// An answer with this JSON body.
pub fn saying(status: u16, json: &str) -> Answer<Response<String>> {
    let builder = Response::builder().status(status).header("content-type", "application/json");
    Answer::ok(builder.body(json.to_owned()).expect("the parts are valid"))
}

pub fn request(method: &str) -> Request<String> {
    Request::builder()
        .method(method)
        .uri("https://api.example/v1/things")
        .body("text".to_owned())
        .expect("the parts are valid")
}

pub fn mock(answers: impl IntoIterator<Item = Answer<Response<String>>>) -> (Mock, Handle<Request<String>>) {
    let mock = StrictMock::scripted(answers.into_iter().collect::<Vec<_>>());
    let handle = mock.handle();
    (mock, handle)
}

/// Runs one call and returns its outcome and the times, in ms from its start, at which requests arrived.
pub async fn run(
    layer: &BackoffLayer,
    request: Request<String>,
    answers: Vec<Answer<Response<String>>>,
) -> (Outcome, Vec<u128>) {
    let (mock, handle) = mock(answers);
    let start = Instant::now();
    let outcome = layer.layer(mock).oneshot(request).await;
    (outcome, handle.instants().iter().map(|instant| (*instant - start).as_millis()).collect())
}

pub fn record(outcome: &Outcome) -> Option<&Record> {
    match outcome {
        Ok(response) => response.record(),
        Err(error) => error.record(),
    }
}

pub fn stop(outcome: &Outcome) -> Option<EndReason> {
    record(outcome).map(Record::end_reason)
}

/// The calls that are made first, so that the latency of the upstream is known: each of them takes 100 ms.
pub const KNOWN: usize = 60;
/// The upper bound of the bucket of 100 ms, in ms rounded up: the time after which a call is hedged.
pub const P95: u128 = 104;

/// The outcome of one call after those that were made first.
pub struct Seen {
    pub outcome: Outcome,
    /// The times of its requests and of its end, in ms from its start.
    pub sent: Vec<u128>,
    pub took: u128,
    pub requests: Vec<Request<String>>,
    pub cancelled: usize,
}

/// Sends a request to an upstream whose latency is known from calls with this request and this answer.
pub async fn call_known(
    layer: &BackoffLayer,
    first: (impl Fn() -> Request<String>, impl Fn() -> Answer<Response<String>>),
    request: Request<String>,
    answers: Vec<Answer<Response<String>>>,
) -> Seen {
    let (mock, handle) = mock((0..KNOWN).map(|_| first.1()).chain(answers));
    let service = layer.layer(mock);
    for _ in 0..KNOWN {
        service.clone().oneshot(first.0()).await.expect("the upstream answers");
    }
    handle.take();
    let start = Instant::now();
    let outcome = service.oneshot(request).await;
    let took = start.elapsed().as_millis();
    handle.assert_idle();
    let sent = handle.instants().iter().map(|at| (*at - start).as_millis()).collect();
    Seen { outcome, sent, took, cancelled: handle.cancelled(), requests: handle.requests() }
}
