//! Hints on a success: the response stays a success, with the pause that it asks for.

mod common;

use std::time::Duration;

use common::{Script, Step, answer, classify, data, request};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use redress_classify::{Body, ClassifyLayer, Dialect, ResponseExt, SuccessHint, dialects};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn stackexchange() -> Dialect {
    dialects::by_name("stackexchange").expect("it is shipped")
}

fn declaring(hints: &str) -> Dialect {
    let toml = format!("name = \"acme\"\n[retry]\nsuccess_hints = [{hints}]\n");
    Dialect::from_toml("acme.toml", &toml).expect("no mistake")
}

fn with(mut response: Response<Script>, headers: &[(&'static str, &'static str)]) -> Response<Script> {
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn pause<B>(response: &Response<B>) -> Option<Duration> {
    response.extensions().get::<SuccessHint>().map(|hint| hint.delay(Instant::now()))
}

async fn text(response: Response<Body<Script>>) -> String {
    let bytes = response.into_body().collect().await.expect("it does not break").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test(start_paused = true)]
async fn a_success_with_a_declared_hint_stays_a_success_and_carries_the_pause() {
    let body = r#"{"items":[{"id":1}],"has_more":true,"backoff":10,"quota_remaining":7}"#;
    for pieces in [vec![body], vec![&body[..40], &body[40..]], body.split_inclusive(',').collect()] {
        let response = classify(stackexchange(), answer(200, pieces.into_iter().map(data))).await;
        assert!(response.verdict().is_none());
        assert_eq!(pause(&response), Some(ms(10_000)));
        assert_eq!(text(response).await, body, "byte for byte");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_without_the_hint_carries_nothing() {
    for body in ["{\"items\":[]}", "{\"backoff\":0}", "[]", "", "not JSON", "{\"backoff\":10,"] {
        let response = classify(stackexchange(), answer(200, [data(body)])).await;
        assert!(response.verdict().is_none() && response.extensions().is_empty(), "{body}");
        assert_eq!(text(response).await, body);
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_dialect_reads_a_pause_from_a_success() {
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30"), ("retry-after", "30")];
    for dialect in dialects::all() {
        let name = dialect.name().to_owned();
        let has_hints = dialect.has_success_hints();
        let response = classify(dialect, with(answer(200, [data("{\"backoff\":10}")]), &headers)).await;
        assert_eq!(pause(&response).is_some(), has_hints, "{name}");
        // A dialect may still find an error in it, such as a member that is missing.
        assert!(has_hints || response.verdict().is_some() || response.extensions().is_empty(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_is_read_at_once_and_the_body_stays_unread() {
    let dialect = declaring("{ header = \"x-slow-down\", unit = \"ms\" }");
    let slow = with(answer(200, [data("{"), Step::Hang]), &[("x-slow-down", "1500")]);
    let taken = slow.body().taken.clone();
    let response = classify(dialect.clone(), slow).await;
    assert_eq!((pause(&response), taken.load(std::sync::atomic::Ordering::Relaxed)), (Some(ms(1_500)), 0));
    let empty = classify(dialect.clone(), with(answer(204, []), &[("x-slow-down", "1500")])).await;
    assert_eq!(pause(&empty), Some(ms(1_500)));
    let error = classify(dialect, with(answer(500, [data("{}")]), &[("x-slow-down", "1500")])).await;
    assert!(error.verdict().is_some() && pause(&error).is_none(), "an error has the hints of errors");
}

#[tokio::test(start_paused = true)]
async fn a_hold_for_a_hint_ends_at_5_s_or_1_mib_as_a_success_without_one() {
    for dialect in [stackexchange(), declaring("{ body = \"backoff\", unit = \"s\" }")] {
        let start = Instant::now();
        let slow = answer(200, [data("{\"backoff\":10"), Step::Wait(ms(60_000)), data("}")]);
        let response = classify(dialect.clone(), slow).await;
        assert_eq!(start.elapsed(), ms(5_000));
        assert!(response.verdict().is_none() && pause(&response).is_none(), "a part of a document says nothing");
        assert_eq!(text(response).await, "{\"backoff\":10}");

        let item = format!("\"{}\",", "x".repeat(64 * 1024));
        let long = std::iter::once(data("{\"backoff\":10,\"items\":["));
        let long = long.chain(std::iter::repeat_with(|| data(&item)).take(40)).chain([data("1]}")]);
        let response = answer(200, long);
        let taken = response.body().taken.clone();
        let response = classify(dialect, response).await;
        assert!(pause(&response).is_none());
        assert!(taken.load(std::sync::atomic::Ordering::Relaxed) < 20, "the rest streams to the caller");
        assert_eq!(text(response).await.len(), 23 + 40 * item.len() + 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_complete_document_in_a_body_that_does_not_end_has_its_hint() {
    let response = classify(stackexchange(), answer(200, [data("{\"backoff\":10}"), Step::Hang])).await;
    assert_eq!(pause(&response), Some(ms(10_000)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_in_the_hold_fails_as_in_any_hold() {
    let broken = || answer(200, [data("{\"items\":[1,"), Step::Break]);
    let dialect = declaring("{ body = \"backoff\", unit = \"s\" }");
    let service = service_fn(move |_: Request<&'static str>| {
        let response = broken();
        async { Ok::<_, std::convert::Infallible>(response) }
    });
    let error = ClassifyLayer::new(dialect).layer(service).oneshot(request()).await.expect_err("it breaks off");
    assert_eq!(error.phase(), redress_classify::Phase::MaybeProcessed);
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_is_not_held_for_a_hint() {
    let stream = with(answer(200, [data("data: {}\n\n"), Step::Hang]), &[("content-type", "text/event-stream")]);
    let start = Instant::now();
    let response = classify(stackexchange(), stream).await;
    assert!(start.elapsed().is_zero() && pause(&response).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_error_in_the_body_of_a_success_has_a_verdict_and_no_pause() {
    let body = r#"{"error_id":502,"error_name":"throttle_violation","error_message":"slow down","backoff":10}"#;
    let response = classify(stackexchange(), answer(200, [data(body)])).await;
    assert!(response.verdict().is_some() && pause(&response).is_none());
}
