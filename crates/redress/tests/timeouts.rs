//! What an attempt that takes too long is, and what it is not.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::{Budget, Class, Phase, RedressLayer, ResponseExt, StaticHeaders, Stop, dialects};
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tower::{Layer, ServiceExt};

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
                Some(if sends == 1 { 0 } else { Budget::TRANSIENT }),
                "{method}: the price of no throttling"
            );
        }
        assert_eq!((handle.calls(), layer.tokens().refreshes(), layer.tokens().logins()), (sends, 0, 0), "{method}");
        let expected = if sends == 1 { Stop::NotIdempotent } else { Stop::Success };
        assert_eq!(record.stop(), expected, "{method}");
    }
}
