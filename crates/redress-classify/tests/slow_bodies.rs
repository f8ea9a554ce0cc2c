//! Bodies that are slow or endless: the status decides in time, and memory is bounded.

mod common;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use common::classify;
use http::Response;
use http_body::Frame;
use redress_classify::{ApiError, Class, DecidedBy, Dialect, ResponseExt, dialects};
use tokio::time::{Instant, Sleep};

/// The maximum time for which an error is read.
const MAX_TIME: Duration = Duration::from_secs(2);

/// A body that gives one byte after each pause: a text, followed by `x` for ever if it is endless.
struct Drip {
    text: &'static [u8],
    is_endless: bool,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
    given: Arc<AtomicUsize>,
}

impl Drip {
    fn new(text: &'static str, is_endless: bool, pause: Duration) -> Self {
        let sleep = Box::pin(tokio::time::sleep(pause));
        Self { text: text.as_bytes(), is_endless, pause, sleep, given: Arc::default() }
    }
}

impl http_body::Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let nth = self.given.load(Ordering::Relaxed);
        let byte = match self.text.get(nth) {
            Some(byte) => *byte,
            None if self.is_endless => b'x',
            None => return Poll::Ready(None),
        };
        ready!(self.sleep.as_mut().poll(cx));
        let next = Instant::now() + self.pause;
        self.sleep.as_mut().reset(next);
        self.given.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&[byte])))))
    }
}

fn slow(status: u16, body: Drip) -> Response<Drip> {
    Response::builder().status(status).header("retry-after", "7").body(body).expect("the parts are valid")
}

const ENVELOPE: &str = r#"{"error":"rate_limited","message":"too many requests from this key, wait"}"#;

#[tokio::test(start_paused = true)]
async fn a_slow_error_body_is_read_for_its_time_and_then_the_head_decides() {
    for (pause, is_endless, bytes) in [
        (Duration::from_secs(10), false, 0),
        (Duration::from_millis(100), false, 19),
        (Duration::from_millis(100), true, 19),
        (Duration::from_millis(1), true, 1_999),
        (Duration::from_secs(3_600), true, 0),
    ] {
        let body = Drip::new(if is_endless { "{\"error\":\"" } else { ENVELOPE }, is_endless, pause);
        let given = Arc::clone(&body.given);
        let start = Instant::now();
        let response = classify(dialects::veridia(), slow(503, body)).await;
        assert_eq!(start.elapsed(), MAX_TIME, "{pause:?}");
        let verdict = response.verdict().expect("an error");
        assert_eq!((verdict.class(), verdict.decided_by()), (Class::Unavailable, DecidedBy::Status), "{pause:?}");
        assert_eq!(verdict.hint_delay(start), Some(Duration::from_secs(7)), "{pause:?}: the head's hint counts");
        assert!(given.load(Ordering::Relaxed).abs_diff(bytes) <= 1, "{pause:?}: {given:?} bytes were waited for");
        assert!(verdict.api_error().is_some_and(|error| error.report().ends_with("(cut)")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_in_time_decides() {
    let body = Drip::new(ENVELOPE, false, Duration::from_millis(20));
    let response = classify(dialects::veridia(), slow(503, body)).await;
    let verdict = response.verdict().expect("an error");
    assert_eq!((verdict.class(), verdict.decided_by()), (Class::RateLimited, DecidedBy::Code));
}

#[tokio::test(start_paused = true)]
async fn a_signalled_error_is_read_on_for_its_time_and_no_longer() {
    let body = Drip::new(r#"{"error_code":1050,"error_message":""#, true, Duration::from_millis(100));
    let start = Instant::now();
    let response = classify(dialects::vlens(), slow(200, body)).await;
    // The signal is certain with the comma behind the number.
    assert_eq!(start.elapsed(), Duration::from_millis(1_900) + MAX_TIME);
    let verdict = response.verdict().expect("an error");
    assert_eq!(verdict.decided_by(), DecidedBy::Signal, "a code in a body that breaks off is not trusted");
    assert_eq!(verdict.api_error().and_then(ApiError::code), Some("1050"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_success_is_returned_when_its_hold_ends() {
    for (pause, bytes) in [(Duration::from_millis(100), 50), (Duration::from_secs(10), 0)] {
        let body = Drip::new(r#"{"data":""#, true, pause);
        let given = Arc::clone(&body.given);
        let start = Instant::now();
        let response = classify(dialects::vlens(), slow(200, body)).await;
        assert_eq!((start.elapsed(), given.load(Ordering::Relaxed)), (Duration::from_secs(5), bytes), "{pause:?}");
        assert!(response.verdict().is_none(), "{pause:?}: what gave no signal is a success");
    }
    let body = Drip::new("", true, Duration::from_secs(1));
    let untouched = classify(dialects::veridia(), slow(200, body)).await;
    assert!(untouched.verdict().is_none(), "where no body can signal an error none is waited for");
}

#[test]
fn a_drip_does_not_grow_with_its_length() {
    let peak = |dialect: fn() -> Dialect, pause| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        dialect();
        measure(|| {
            runtime.block_on(async {
                let body = Drip::new("{\"error\":\"", true, pause);
                classify(dialect(), slow(503, body)).await;
            });
        })
        .bytes_max
    };
    let quick = peak(dialects::veridia, Duration::from_micros(1_001));
    assert!(quick < 512 * 1024, "{quick} bytes");
}
