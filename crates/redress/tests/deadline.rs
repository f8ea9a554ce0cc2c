//! One deadline for the whole stack: whoever waits keeps it, and says truly how far the request got.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::login::JsonLogin;
use redress::{EndReason, PaceLayer, Phase, RedressLayer, dialects};
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

type Mock = StrictMock<Request<String>, Response<Full<Bytes>>>;

const URL: &str = "https://api.example";
const LOGIN: &str = r#"{"data":{"accessToken":"first","refreshToken":"r1","expiresIn":3600},"error_code":null}"#;

fn answer(status: u16, body: &'static str) -> Answer<Response<Full<Bytes>>> {
    Answer::ok(Response::builder().status(status).body(Full::from(body)).expect("a legal status"))
}

fn get() -> Request<String> {
    Request::get(format!("{URL}/v1")).body(String::new()).expect("legal parts")
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_login_until_the_deadline_was_not_sent_in_whatever_order_the_settings_come() {
    for deadline_first in [true, false] {
        let calls: Mock = StrictMock::scripted([]).allow_abandoned();
        let logins: Mock = StrictMock::scripted([answer(200, LOGIN).after(s(8))]);
        let login = JsonLogin::vlens(logins, URL, "key", "user", "password").expect("a legal URL");
        let layer = RedressLayer::new(dialects::vlens());
        let origin = URL.parse().expect("a legal origin");
        let layer = if deadline_first {
            layer.deadline(s(3)).credentials(login, origin)
        } else {
            layer.credentials(login, origin).deadline(s(3))
        };
        let start = Instant::now();
        let error = layer.layer(calls).oneshot(get()).await.expect_err("nothing was sent");
        assert_eq!((error.is_deadline(), error.phase(), start.elapsed()), (true, Phase::NotSent, s(3)));
        assert_eq!(error.record().map(|record| record.end_reason()), Some(EndReason::Deadline));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_at_the_gate_and_then_for_a_login_ends_at_the_one_deadline_unsent() {
    let calls: Mock = StrictMock::scripted([]).allow_abandoned();
    let logins: Mock = StrictMock::scripted([answer(200, LOGIN).after(s(8))]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").expect("a legal URL");
    let layer = RedressLayer::new(dialects::vlens()).credentials(login, URL.parse().expect("a legal origin"));
    let pace = PaceLayer::new(dialects::vlens()).random(|| 0);
    park(&pace, 10).await;
    let layer = layer.deadline(s(12)).pace(|_| pace);
    let start = Instant::now();
    let error = layer.layer(calls).oneshot(get()).await.expect_err("nothing was sent");
    assert_eq!((error.is_deadline(), error.phase(), start.elapsed()), (true, Phase::NotSent, s(12)));
    assert_eq!(error.record().map(|record| record.end_reason()), Some(EndReason::Deadline));
}

/// Closes the gate of a layer for this number of seconds.
async fn park(pace: &PaceLayer, seconds: u64) {
    let refused =
        Response::builder().status(429).header("retry-after", seconds).body(Full::from("")).expect("legal parts");
    let mock: Mock = StrictMock::scripted([Answer::ok(refused)]);
    assert_eq!(pace.layer(mock).oneshot(get()).await.expect("a response").status(), 429);
}
