//! The span around a call: when there is one, and that no span outlives its call.

mod common;

use std::future::Future;
use std::num::NonZeroU32;
use std::task::{Poll, Waker};
use std::time::Duration;

use common::*;
use http::{Request, Response};
use opentelemetry::trace::Status;
use redress::{BackoffLayer, Deadline, Limit, PaceLayer, ResponseExt, TransportError, dialects};
use redress_sandbox::strict_mock::Answer;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_success_at_the_first_attempt_has_one_span_and_no_extension() {
    let recorder = Recorder::new();
    let (mock, handle) = mock([answer(200)]);
    let service = recorder.telemetry.around(stack()).layer(mock);
    let response = service.oneshot(get("https://api.example/")).await.expect("a response");
    assert_eq!((recorder.spans().len(), recorder.attempts().len()), (1, 1));
    assert!(response.extensions().is_empty());
    assert_eq!(handle.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_without_a_retry_has_one_span() {
    let recorder = Recorder::new();
    let (mock, _handle) = mock([answer(404)]);
    recorder.telemetry.around(stack()).layer(mock).oneshot(get("https://api.example/")).await.expect("a response");
    assert_eq!((recorder.spans().len(), recorder.call().is_none()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_call_that_was_sent_again_covers_it() {
    let recorder = Recorder::new();
    let (mock, _handle) = mock([answer(503), answer(503), answer(200)]);
    let service = recorder.telemetry.around(stack()).layer(mock);
    let response = service.oneshot(get("https://api.example/v1?key=s3cret")).await.expect("a response");
    let call = recorder.call().expect("it was sent three times");
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("redress.attempts", "3"),
        ("redress.end_reason", "success"),
        ("redress.retry_wait", "0.15"),
        ("server.address", "api.example"),
        ("server.port", "443"),
    ];
    let found: Vec<_> = attributes(&call).into_iter().collect();
    let waits: f64 = attribute(&call, "redress.retry_wait").expect("a sum").parse().expect("a number");
    assert!((waits - 0.15).abs() < 1e-9, "{waits}");
    for ((key, value), (name, text)) in found.iter().zip(expected) {
        assert!(key == name && (value == text || key == "redress.retry_wait"), "{key} {value}");
    }
    assert_eq!((found.len(), call.status.clone()), (expected.len(), Status::Unset));
    let first = &recorder.attempts()[0];
    assert!(call.start_time <= first.start_time, "it starts with the call");
    assert!(recorder.spans().iter().all(|span| span.end_time <= call.end_time), "it ends with the call");
    assert_eq!(response.record().expect("a record").attempts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_before_its_first_attempt_has_a_span_with_the_attempt_in_it() {
    let recorder = Recorder::new();
    let (mock, handle) = mock([answer(200), answer(200)]);
    let one = Limit::all_routes(NonZeroU32::MIN, Duration::from_secs(10));
    let layer = stack().pace(|pace: PaceLayer| pace.limit(one));
    let service = recorder.telemetry.around(layer).layer(mock);
    let start = Instant::now();
    for _ in 0..2 {
        service.clone().oneshot(get("https://api.example/")).await.expect("a response");
    }
    assert!(handle.instants()[1] - start >= Duration::from_secs(10));
    let (attempts, call) = (recorder.attempts(), recorder.call().expect("the second call waited"));
    assert_eq!(attempts[1].parent_span_id, call.span_context.span_id());
    assert_ne!(attempts[0].parent_span_id, call.span_context.span_id());
    assert!(call.links.is_empty(), "the attempt is a child");
    assert_eq!(attribute(&call, "redress.attempts").as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_says_why() {
    let connect = || Answer::error(TransportError::connect("s3cret"));
    let recorder = Recorder::new();
    let (mock, _handle) = mock([connect(), connect(), connect()]);
    let result = recorder.telemetry.around(stack()).layer(mock).oneshot(get("https://api.example/")).await;
    assert!(result.is_err());
    let call = recorder.call().expect("it was sent three times");
    assert_eq!(attribute(&call, "error.type").as_deref(), Some("connect"));
    assert_eq!(attribute(&call, "redress.end_reason").as_deref(), Some("max_attempts"));
    assert_eq!(call.status, Status::error(""));
}

#[tokio::test(start_paused = true)]
async fn a_success_status_with_an_error_has_the_class_of_the_error() {
    let recorder = Recorder::new();
    let body = |code| format!(r#"{{"data":null,"error_code":{code},"error_message":"x","error_descriptions":null}}"#);
    let transport = [answer(503), Answer::ok(Response::new(body(1050)))];
    let (mock, _handle) = mock(transport);
    let layer = redress::RedressLayer::new(dialects::vlens());
    let response = recorder.telemetry.around(layer).layer(mock).oneshot(get("https://api.example/")).await;
    let class = response.expect("a response").verdict().expect("an error").class();
    let call = recorder.call().expect("it was sent twice");
    assert_eq!(attribute(&call, "error.type").as_deref(), Some(class.as_str()));
    assert_eq!(attribute(&recorder.attempts()[1], "error.type"), None, "the attempt has the status alone");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_middle_of_an_attempt_is_a_timeout() {
    let recorder = Recorder::new();
    let (mock, _handle) = mock([answer(503), answer(200).after(Duration::from_secs(60))]);
    let service = recorder.telemetry.around(stack()).layer(mock);
    let mut request = get("https://api.example/");
    request.extensions_mut().insert(Deadline::from_now(Duration::from_secs(5)));
    let error = service.oneshot(request).await.expect_err("the deadline");
    assert!(error.is_deadline());
    let (attempts, call) = (recorder.attempts(), recorder.call().expect("it was sent twice"));
    assert_eq!(attribute(&attempts[1], "error.type").as_deref(), Some("timeout"));
    assert_eq!(attribute(&call, "error.type").as_deref(), Some("timeout"));
    assert_eq!(attribute(&call, "redress.end_reason").as_deref(), Some("deadline"));
    assert_eq!(recorder.open_spans(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_at_once_has_no_span() {
    let recorder = Recorder::new();
    let (mock, handle) = mock([answer(200)]);
    let one = Limit::all_routes(NonZeroU32::MIN, Duration::from_secs(10));
    let layer = stack().pace(|pace: PaceLayer| pace.limit(one).max_wait(Duration::from_secs(1)));
    let service = recorder.telemetry.around(layer).layer(mock);
    service.clone().oneshot(get("https://api.example/")).await.expect("a response");
    assert!(service.oneshot(get("https://api.example/")).await.expect_err("a limit").is_paced());
    assert_eq!((recorder.spans().len(), handle.calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_ends_its_spans() {
    // In the first attempt, in the wait after it, in the second attempt: (dropped at, attempts, the call has a span).
    for (millis, errors, has_call) in [
        (5, vec![Some("cancelled")], false),
        (30, vec![Some("503")], true),
        (65, vec![Some("503"), Some("cancelled")], true),
    ] {
        let recorder = Recorder::new();
        let slow = |status| answer(status).after(Duration::from_millis(10));
        let (mock, _handle) = mock([slow(503), slow(200)]);
        let call = recorder.telemetry.around(stack()).layer(mock).oneshot(get("https://api.example/"));
        tokio::select! {
            _ = call => panic!("it takes 70 ms"),
            () = sleep(Duration::from_millis(millis)) => {}
        }
        let types: Vec<_> = recorder.attempts().iter().map(|span| attribute(span, "error.type")).collect();
        assert_eq!(types, errors.iter().map(|class| class.map(str::to_owned)).collect::<Vec<_>>(), "at {millis} ms");
        let of_call = recorder.call().map(|span| attribute(&span, "error.type"));
        assert_eq!(of_call, has_call.then(|| Some("cancelled".to_owned())), "at {millis} ms");
        assert_eq!(recorder.open_spans(), 0, "at {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_no_span_open() {
    for polls in 0..40 {
        let recorder = Recorder::new();
        let slow = |status| answer(status).after(Duration::from_millis(10));
        let (mock, _handle) = mock([slow(503), Answer::error(TransportError::connect("x")), slow(200)]);
        let one = Limit::all_routes(NonZeroU32::new(1).expect("not zero"), Duration::from_millis(40));
        let layer = stack().pace(|pace: PaceLayer| pace.limit(one));
        let mut call = Box::pin(recorder.telemetry.around(layer).layer(mock).oneshot(get("https://api.example/")));
        let mut is_done = false;
        for _ in 0..polls {
            let mut cx = std::task::Context::from_waker(Waker::noop());
            if let Poll::Ready(result) = call.as_mut().poll(&mut cx) {
                assert_eq!(result.expect("a response").status(), 200);
                is_done = true;
                break;
            }
            tokio::time::advance(Duration::from_millis(7)).await;
        }
        drop(call);
        assert_eq!(recorder.open_spans(), 0, "after {polls} polls");
        assert_eq!(
            is_done,
            recorder.attempts().len() == 3 && recorder.call().is_some_and(|call| call.status == Status::Unset)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn parallel_calls_have_spans_of_their_own() {
    let recorder = Recorder::new();
    let answers = [503, 503, 200, 200].map(|status| answer(status).after(Duration::from_millis(1)));
    let (mock, _handle) = mock(answers);
    let service = recorder.telemetry.around(stack()).layer(mock);
    let call = || service.clone().oneshot(get("https://api.example/"));
    let (one, other) = tokio::join!(call(), call());
    assert!(one.is_ok() && other.is_ok());
    let spans = recorder.spans();
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "redress.call").collect();
    assert_eq!((calls.len(), recorder.attempts().len()), (2, 4));
    for call in calls {
        let children = spans.iter().filter(|span| span.parent_span_id == call.span_context.span_id());
        assert_eq!((children.count(), call.links.iter().count()), (1, 1));
        assert_eq!(attribute(call, "redress.attempts").as_deref(), Some("2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_backoff_layer_alone_has_its_spans_too() {
    let recorder = Recorder::new();
    let (mock, _handle) = mock([answer(503), answer(200)]);
    let layer = BackoffLayer::new(dialects::generic());
    let request: Request<String> = get("https://api.example/");
    recorder.telemetry.around(layer).layer(mock).oneshot(request).await.expect("a response");
    let (attempts, call) = (recorder.attempts(), recorder.call().expect("it was sent twice"));
    assert_eq!((attempts.len(), attempts[1].parent_span_id), (2, call.span_context.span_id()));
}

#[tokio::test(start_paused = true)]
async fn a_client_has_the_span_of_a_call_and_those_of_its_attempts() {
    let recorder = Recorder::new();
    let (mock, _handle) = mock([answer(503), answer(200)]);
    let transport = mock.map_request(|request: Request<reqwest::Body>| request.map(|_| String::new()));
    let transport = recorder.telemetry.attempts().layer(transport);
    let client = redress::Client::with_transport(stack(), transport).call_layer(recorder.telemetry.calls());
    let response = client.get("https://api.example/").send().await.expect("a response");
    assert_eq!(response.status(), 200);
    let call = recorder.call().expect("it was sent twice");
    assert_eq!(attribute(&call, "redress.attempts").as_deref(), Some("2"));
    let attempts = recorder.attempts();
    assert_eq!((recorder.spans().len(), attempts.len()), (3, 2));
    assert_eq!(attempts[1].parent_span_id, call.span_context.span_id());
}
