//! No span, no metric and no debug text shows a secret of a request, of a response or of an error.

mod common;

use common::*;
use http::{HeaderValue, Response};
use redress::{RedressLayer, StaticHeaders, TransportError, dialects};
use redress_sandbox::strict_mock::Answer;
use tower::{Layer, Service, ServiceExt};

const CANARY: &str = "c4n4ry";

#[tokio::test(start_paused = true)]
async fn no_span_and_no_metric_shows_a_secret() {
    let recorder = Recorder::new();
    let quoting = r#"{"ok":false,"error_code":500,"description":"no such bot c4n4ry-token"}"#;
    let response = Response::builder().status(500).header("x-request-token", "c4n4ry-id").body(quoting.to_owned());
    let failed = || Answer::error(TransportError::connect("could not reach https://c4n4ry@api.example"));
    let answers = [Answer::ok(response.expect("a response")), failed(), failed()];
    let (mock, handle) = mock(answers);
    let keys = StaticHeaders::new().header("x-api-key", "c4n4ry-key").expect("a header");
    let telegram = dialects::by_name("telegram").expect("it is shipped");
    let layer =
        RedressLayer::new(telegram.clone()).credentials(keys, "https://api.example".parse().expect("an origin"));
    let mut service = recorder.telemetry.clone().dialect(telegram).around(layer).layer(mock);
    let mut request = get("https://c4n4ry:c4n4ry@api.example/bot123:c4n4ry/getMe?key=c4n4ry&c4n4ry");
    request.headers_mut().insert("cookie", HeaderValue::from_static("session=c4n4ry"));
    *request.body_mut() = "c4n4ry".to_owned();
    let shown = format!("{service:?} {:?} {:?}", recorder.telemetry, recorder.telemetry.calls());
    let call = service.ready().await.expect("it is ready").call(request);
    let shown = format!("{shown} {call:?}");
    call.await.expect_err("the connection fails");
    assert_eq!(handle.calls(), 3);
    let all = format!("{:?} {:?} {shown}", recorder.spans(), recorder.durations());
    assert!(recorder.call().is_some() && all.contains("/bot***/getMe?key=REDACTED&REDACTED"), "{all}");
    assert!(!all.contains(CANARY), "{all}");
}
