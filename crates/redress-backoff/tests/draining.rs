//! Draining the body of a failed response during the wait.
#![allow(clippy::unwrap_used, reason = "test helpers are test code")]

mod common;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use common::*;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use redress_backoff::{Backoff, BackoffLayer};
use redress_classify::{ClassifyLayer, EndReason, Refreshed, ResponseExt};
use tokio::time::{Instant, Sleep};
use tower::{Layer, ServiceExt};

#[derive(Clone, Debug)]
enum Step {
    Data(usize),
    Wait(u64),
    Break,
    Hang,
}

/// The observations of a body: the bytes that were read, whether its end was reached, and the time of its drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fate {
    read: usize,
    ended: bool,
    dropped_after: Option<Duration>,
}

/// A scripted body.
struct Script {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    made: Instant,
    fate: Arc<Mutex<Fate>>,
    size: SizeHint,
}

impl Script {
    fn new(steps: &[Step], fate: &Arc<Mutex<Fate>>) -> Self {
        let steps = steps.iter().cloned().collect();
        Self { steps, sleep: None, made: Instant::now(), fate: Arc::clone(fate), size: SizeHint::new() }
    }
}

impl http_body::Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            match self.steps.front().cloned() {
                None => {
                    self.fate.lock().unwrap().ended = true;
                    return Poll::Ready(None);
                }
                Some(Step::Data(size)) => {
                    self.steps.pop_front();
                    self.fate.lock().unwrap().read += size;
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; size])))));
                }
                Some(Step::Break) => return Poll::Ready(Some(Err(io::Error::other("broken")))),
                Some(Step::Hang) => return Poll::Pending,
                Some(Step::Wait(millis)) => {
                    let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(ms(millis))));
                    std::task::ready!(sleep.as_mut().poll(cx));
                    self.sleep = None;
                    self.steps.pop_front();
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.fate.lock().unwrap().dropped_after = Some(self.made.elapsed());
    }
}

/// Answers 500 with this body, then 200 without one. Returns the observations of the body and the time of the second request.
async fn fate(layer: &BackoffLayer, steps: &[Step], size: Option<u64>) -> (Fate, Duration) {
    let fate = Arc::new(Mutex::new(Fate::default()));
    let mut failed = Script::new(steps, &fate);
    if let Some(size) = size {
        failed.size = SizeHint::with_exact(size);
    }
    let answers = [(500, failed), (200, Script::new(&[], &Arc::default()))];
    let mock = StrictMock::scripted(
        answers.map(|(status, body)| Answer::ok(Response::builder().status(status).body(body).expect("a status"))),
    );
    let handle = mock.handle();
    layer.layer(mock).oneshot(request("GET")).await.expect("a response").status();
    let instants = handle.instants();
    let fate = *fate.lock().unwrap();
    (fate, instants[1] - instants[0])
}

#[tokio::test(start_paused = true)]
async fn a_small_rest_is_read_and_a_long_one_dropped() {
    use Step::{Break, Data, Hang, Wait};
    const KIB: usize = 1024;
    let layer = layer().transient_backoff(doubling(1_000, 1_000));
    let at_once = Duration::ZERO;
    for (name, steps, size, read, ended, dropped) in [
        ("nothing", &[][..], None, 0, true, at_once),
        ("small", &[Data(100)], None, 100, true, at_once),
        ("at the bound", &[Data(16 * KIB)], None, 16 * KIB, true, at_once),
        ("beyond the bound", &[Data(16 * KIB), Data(1), Data(1)], None, 16 * KIB + 1, false, at_once),
        ("long by its length", &[Data(20 * KIB)], Some(20 * 1024), 0, false, at_once),
        ("in time", &[Data(10), Wait(60), Data(10)], None, 20, true, ms(60)),
        ("slow", &[Data(10), Wait(99), Data(10), Wait(99), Data(10)], None, 20, false, ms(100)),
        ("hanging", &[Data(10), Hang], None, 10, false, ms(100)),
        ("broken", &[Data(10), Break, Data(10)], None, 10, false, at_once),
        ("broken later", &[Wait(30), Break], None, 0, false, ms(30)),
    ] {
        let (fate, sent) = fate(&layer, steps, size).await;
        assert_eq!(fate, Fate { read, ended, dropped_after: Some(dropped) }, "{name}");
        assert_eq!(sent, ms(1_000), "{name}: the wait is no longer for it");
    }
}

#[tokio::test(start_paused = true)]
async fn draining_ends_after_many_empty_frames() {
    let endless = vec![Step::Data(0); 5_000];
    let (fate, _) = fate(&layer(), &endless, None).await;
    assert_eq!((fate.ended, fate.dropped_after), (false, Some(Duration::ZERO)));
}

#[tokio::test(start_paused = true)]
async fn a_body_at_its_end_is_not_polled() {
    let polled = Arc::new(Mutex::new(0));
    struct Ended(Arc<Mutex<u32>>);
    impl http_body::Body for Ended {
        type Data = Bytes;
        type Error = io::Error;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            *self.0.lock().unwrap() += 1;
            Poll::Pending
        }
        fn is_end_stream(&self) -> bool {
            true
        }
    }
    let body = || Ended(Arc::clone(&polled));
    let answers =
        [500, 200].map(|status| Answer::ok(Response::builder().status(status).body(body()).expect("a status")));
    layer().layer(StrictMock::scripted(answers)).oneshot(request("GET")).await.expect("a response").status();
    assert_eq!(*polled.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn draining_does_not_prolong_a_short_wait() {
    for base in [0, 1, 30] {
        let layer = layer().transient_backoff(doubling(base, base));
        let (fate, sent) = fate(&layer, &[Step::Data(1), Step::Wait(90), Step::Data(1)], None).await;
        assert_eq!((fate.read, fate.dropped_after, sent), (1, Some(ms(base)), ms(base)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_resend_drains_only_the_buffered_body_and_does_not_wait() {
    for (steps, ended) in [
        (&[Step::Data(100), Step::Data(100)][..], true),
        (&[Step::Data(100), Step::Wait(1), Step::Data(100)], false),
        (&[Step::Data(100), Step::Hang], false),
    ] {
        let fate = Arc::new(Mutex::new(Fate::default()));
        let mut rejected = Response::builder().status(401).body(Script::new(steps, &fate)).expect("a status");
        rejected.extensions_mut().insert(Refreshed);
        let mock =
            StrictMock::scripted([Answer::ok(rejected), Answer::ok(Response::new(Script::new(&[], &Arc::default())))]);
        let handle = mock.handle();
        layer().layer(mock).oneshot(request("POST")).await.expect("a response").status();
        let instants = handle.instants();
        assert_eq!(instants[1], instants[0], "a replay waits for nothing");
        let fate = *fate.lock().unwrap();
        assert_eq!((fate.ended, fate.dropped_after), (ended, Some(Duration::ZERO)), "{steps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_classify_has_read_do_not_count() {
    const KIB: usize = 1024;
    for (rest, ended) in [(6 * KIB, true), (15 * KIB, true), (200 * KIB, false)] {
        let fate = Arc::new(Mutex::new(Fate::default()));
        let steps: Vec<_> = (0..(64 * KIB + rest) / 1_000).map(|_| Step::Data(1_000)).collect();
        let mut answers = vec![(503, Script::new(&steps, &fate)), (200, Script::new(&[], &Arc::default()))].into_iter();
        let mock = StrictMock::new(move |_: &Request<String>| {
            let (status, body) = answers.next().expect("two requests");
            async move { Ok(Response::builder().status(status).body(body).expect("a status")) }
        });
        let stack: Backoff<_> = layer().layer(ClassifyLayer::new(silent()).layer(mock));
        stack.oneshot(request("GET")).await.expect("a response").status();
        assert_eq!(fate.lock().unwrap().ended, ended, "a rest of {rest} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn draining_ends_with_a_cancelled_call_and_at_the_deadline() {
    let fate = Arc::new(Mutex::new(Fate::default()));
    let body = Script::new(&[Step::Hang], &fate);
    let mock = StrictMock::scripted([Answer::ok(Response::builder().status(500).body(body).expect("a status"))]);
    let handle = mock.handle();
    let mut call = Box::pin(layer().layer(mock).oneshot(request("GET")));
    assert!(tokio::time::timeout(ms(10), call.as_mut()).await.is_err());
    assert_eq!(fate.lock().unwrap().dropped_after, None, "it is still drained");
    drop(call);
    assert_eq!((fate.lock().unwrap().dropped_after, handle.calls()), (Some(ms(10)), 1));

    let fate = Arc::new(Mutex::new(Fate::default()));
    let body = |steps| Script::new(steps, &fate);
    let answers = [(500, body(&[Step::Hang])), (500, body(&[Step::Hang]))];
    let answers =
        answers.map(|(status, body)| Answer::ok(Response::builder().status(status).body(body).expect("a status")));
    let start = Instant::now();
    let layer = layer().deadline(ms(120));
    let response = layer.layer(StrictMock::scripted(answers)).oneshot(request("GET")).await.expect("in hand");
    assert_eq!(response.record().map(redress_classify::Record::end_reason), Some(EndReason::Deadline));
    assert_eq!(start.elapsed(), ms(50), "the last one is not drained");
}

#[tokio::test(start_paused = true)]
async fn the_failed_response_is_dropped_before_the_wait() {
    let fate = Arc::new(Mutex::new(Fate::default()));
    let answers = [Script::new(&[Step::Data(1)], &fate), Script::new(&[], &Arc::default())]
        .map(|body| Answer::ok(Response::builder().status(500).body(body).expect("a status")));
    let layer = layer().max_attempts(count(2)).transient_backoff(doubling(500, 500));
    let mut call = std::pin::pin!(layer.layer(StrictMock::scripted(answers)).oneshot(request("GET")));
    assert!(tokio::time::timeout(ms(1), call.as_mut()).await.is_err());
    assert_eq!(
        fate.lock().unwrap().dropped_after,
        Some(Duration::ZERO),
        "the call is alive, its first response is not"
    );
    assert_eq!(call.await.expect("the last response").status(), 500);
}
