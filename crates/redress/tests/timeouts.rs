//! Attempts that take too long: how they are reported, and what is not counted as one.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use redress::{
    Budget, Class, CloneBody, Deadline, EndReason, Error, Phase, RedressLayer, ReplayBody, ResponseExt, StaticHeaders,
    dialects,
};
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tokio::time::{Instant, Sleep};
use tower::{Layer, ServiceExt, service_fn};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A body that gives a frame after each pause, and hangs after the last one if it must.
struct Upload {
    left: u32,
    pause: Duration,
    hangs: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Upload {
    fn new(frames: u32, pause: Duration, hangs: bool) -> Self {
        Self { left: frames, pause, hangs, sleep: Box::pin(tokio::time::sleep(pause)) }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return if self.hangs { Poll::Pending } else { Poll::Ready(None) };
        }
        ready!(self.sleep.as_mut().poll(cx));
        let next = Instant::now() + self.pause;
        self.sleep.as_mut().reset(next);
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

/// Sends a request to a server that reads the body, in a task of its own as connections do, and answers after a pause.
async fn upload<B>(layer: &RedressLayer, body: B, answers_after: Duration) -> Result<Response<()>, Error>
where
    B: CloneBody + Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    let server = service_fn(move |request: Request<B>| async move {
        let (head, body) = request.into_parts();
        drop(head);
        let read = tokio::spawn(async move { body.collect().await.map(drop).map_err(drop) });
        let _ = read.await;
        tokio::time::sleep(answers_after).await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let request = Request::post("https://api.example/v1/uploads").body(body).expect("legal parts");
    layer.layer(server).oneshot(request).await.map(|response| response.map(drop))
}

#[tokio::test(start_paused = true)]
async fn every_stack_has_an_attempt_timeout_unless_it_says_otherwise() {
    let hangs = || async { std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await };
    for (dialect, seconds) in
        [("generic", 60), ("vlens", 60), ("openai", 600), ("anthropic", 600), ("google", 600), ("telegram", 90)]
    {
        let dialect = dialects::by_name(dialect).expect("it is shipped");
        let own = dialect.extend("own.toml", "[attempt]\ntimeout_s = 7\n").expect("no mistakes");
        for (dialect, seconds) in [(dialect, seconds), (own, 7)] {
            let start = Instant::now();
            let request = Request::post("https://api.example/v1/things").body(String::new()).expect("legal parts");
            let layer = RedressLayer::new(dialect);
            let error = layer.layer(service_fn(move |_| hangs())).oneshot(request).await.expect_err("it hangs");
            assert!(error.is_timeout() && error.phase() == Phase::MaybeProcessed, "{error:?}");
            assert_eq!(start.elapsed(), s(seconds));
        }
    }
    let mut request = Request::post("https://api.example/v1/things").body(String::new()).expect("legal parts");
    request.extensions_mut().insert(Deadline::from_now(s(86_400)));
    let layer = RedressLayer::new(dialects::generic()).without_attempt_timeout();
    let error = layer.layer(service_fn(move |_| hangs())).oneshot(request).await.expect_err("it hangs");
    assert!(error.is_deadline(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_makes_progress_is_not_cut() {
    let layer = RedressLayer::new(dialects::generic()).attempt_timeout(s(10));
    for (name, frames, pause, hangs, answers_after, ended) in [
        ("a slow one", 20, s(9), false, s(9), None),
        ("a quick one and a slow answer", 3, s(1), false, s(11), Some(3 + 10)),
        ("one that hangs at its end", 5, s(9), true, s(0), Some(45 + 10)),
        ("one that pauses too long", 5, s(11), false, s(0), Some(10)),
        ("one that never begins", 0, s(1), true, s(0), Some(10)),
    ] {
        let start = Instant::now();
        let result = upload(&layer, ReplayBody::new(Upload::new(frames, pause, hangs)), answers_after).await;
        match ended {
            None => assert!(result.is_ok(), "{name}: {result:?}"),
            Some(seconds) => {
                assert!(result.is_err_and(|error| error.is_timeout()), "{name}");
                assert_eq!(start.elapsed(), s(seconds), "{name}");
            }
        }
    }
    // The setting sees through the alternatives, and of a buffered body there is nothing to see.
    let slow = ReplayBody::new(Upload::new(5, s(9), false));
    assert!(upload(&layer, Either::<_, Full<Bytes>>::Left(slow), s(0)).await.is_ok());
    let buffered = Either::<ReplayBody<Upload>, _>::Right(Full::new(Bytes::from_static(b"x")));
    assert!(upload(&layer, buffered, s(11)).await.is_err_and(|error| error.is_timeout()));
}

#[tokio::test(start_paused = true)]
async fn a_success_whose_body_drips_comes_up_within_the_attempt_timeout_and_the_deadline() {
    for dialect in ["vlens", "graphql", "slack"].map(|name| dialects::by_name(name).expect("it is shipped")) {
        let layer = RedressLayer::new(dialect);
        for (name, layer, head_after, most) in [
            ("neither", layer.clone(), s(0), s(5)),
            ("an attempt timeout", layer.clone().attempt_timeout(s(1)), s(0), s(1)),
            ("a late head", layer.clone().attempt_timeout(s(3)), s(1), s(3)),
            ("a deadline", layer.clone().deadline(s(2)), s(0), s(2)),
            ("a deadline and a late head", layer.clone().deadline(s(4)), s(3), s(4)),
        ] {
            let server = service_fn(move |_: Request<String>| async move {
                tokio::time::sleep(head_after).await;
                Ok::<_, Infallible>(Response::new(Upload::new(u32::MAX, s(10), true)))
            });
            let start = Instant::now();
            let request = Request::post("https://api.example/v1/things").body(String::new()).expect("legal parts");
            let response = layer.layer(server).oneshot(request).await;
            assert!(response.is_ok_and(|response| response.verdict().is_none()), "{name}");
            assert!(start.elapsed() <= most, "{name}: {:?}", start.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_timeout_is_neither_throttling_nor_a_failure_of_the_credentials() {
    let answer = || Answer::ok(Response::new(Full::<Bytes>::default()));
    let late = || answer().after(Duration::from_secs(60));
    for (method, answers, sends) in [("GET", vec![late(), late(), answer()], 3), ("POST", vec![late()], 1)] {
        let mock = StrictMock::scripted(answers);
        let handle = mock.handle();
        let budget = Budget::new();
        let keys = StaticHeaders::new().header("x-api-key", "key").expect("a legal value");
        let layer = RedressLayer::new(dialects::ranex())
            .credentials(keys, "https://api.example".parse().expect("a legal origin"))
            .attempt_timeout(Duration::from_secs(2))
            .backoff(|backoff| backoff.budget(budget.clone()));
        let request = Request::builder().method(method).uri("https://api.example/v1/things").body(String::new());
        let outcome = layer.layer(mock).oneshot(request.expect("legal parts")).await;
        let record = match &outcome {
            Ok(response) => response.record().expect("three attempts"),
            Err(error) => {
                assert!(error.is_timeout() && error.phase() == Phase::MaybeProcessed, "{error:?}");
                error.record().expect("an error has one")
            }
        };
        for attempt in record.attempts().iter().filter(|attempt| attempt.verdict.is_some()) {
            let verdict = attempt.verdict.as_ref().expect("it was asked a line above");
            assert_eq!((verdict.class(), verdict.phase()), (Class::Unavailable, Phase::MaybeProcessed));
            assert!(verdict.hint().is_none());
            let cost = attempt.budget_before.zip(attempt.budget_after).map(|(before, after)| before - after);
            assert_eq!(
                cost,
                Some(if sends == 1 { 0 } else { Budget::TRANSIENT_COST }),
                "{method}: the price of no throttling"
            );
        }
        assert_eq!((handle.calls(), layer.tokens().refreshes(), layer.tokens().logins()), (sends, 0, 0), "{method}");
        let expected = if sends == 1 { EndReason::NotIdempotent } else { EndReason::Success };
        assert_eq!(record.end_reason(), expected, "{method}");
    }
}
