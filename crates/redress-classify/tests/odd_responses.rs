//! Errors without an envelope, and envelopes where none is expected.

mod common;

use std::convert::Infallible;
use std::time::Duration;

use common::{Script, Step, answer, classify, data};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use redress_classify::{ApiError, Class, ClassifyLayer, DecidedBy, Recovery, ResponseExt, dialects};
use tower::{Layer, ServiceExt, service_fn};

/// A name, a content type, a body, the part that decides the class, and the message.
type Case<'c> = (&'c str, &'static str, &'c [u8], DecidedBy, Option<&'c str>);

fn typed(status: u16, kind: &'static str, body: &[u8]) -> Response<Script> {
    let mut response = answer(status, [data(body)]);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers.insert("retry-after", HeaderValue::from_static("7"));
    headers.insert("x-request-id", HeaderValue::from_static("r1"));
    response
}

#[tokio::test(start_paused = true)]
async fn an_error_other_than_json_keeps_its_status_headers_and_text() {
    let json = br#"{"error":"internal","message":"m"}"#;
    let html = b"<html><head><title>502</title></head><body>Bad Gateway</body></html>";
    let long = b"no healthy upstream ".repeat(1_000);
    let table: [Case<'_>; 16] = [
        ("HTML", "text/html", html, DecidedBy::Status, None),
        ("HTML that says it is JSON", "application/json", html, DecidedBy::Status, None),
        ("empty", "application/json", b"", DecidedBy::Status, None),
        ("white space", "application/json", b" \r\n", DecidedBy::Status, None),
        ("plain text", "text/plain", b"upstream connect error", DecidedBy::Status, Some("upstream connect error")),
        ("plain text without a type", "", b"upstream connect error", DecidedBy::Status, Some("upstream connect error")),
        ("XML", "application/xml", b"<?xml version=\"1.0\"?><Error><Code>Slow</Code></Error>", DecidedBy::Status, None),
        ("binary", "application/octet-stream", b"\x89PNG\r\n\x1a\n\x00\x00", DecidedBy::Status, None),
        ("compressed", "application/json", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", DecidedBy::Status, None),
        ("UTF-16", "application/json; charset=utf-16", b"\xff\xfe{\x00}\x00", DecidedBy::Status, None),
        ("half of JSON", "application/json", &json[..20], DecidedBy::Status, None),
        ("JSON with a mistake", "application/json", b"{\"error\":\"internal\",}", DecidedBy::Status, None),
        ("an array", "application/json", b"[\"internal\"]", DecidedBy::Status, None),
        ("a text in JSON", "application/json", b"\"gone\"", DecidedBy::Status, Some("gone")),
        ("JSON that says it is HTML", "text/html", json, DecidedBy::Code, Some("m")),
        ("JSON without a type", "", json, DecidedBy::Code, Some("m")),
    ];
    for (name, kind, body, decided_by, message) in table {
        let response = classify(dialects::veridia(), typed(502, kind, body)).await;
        let verdict = response.verdict().expect("an error");
        let class = if decided_by == DecidedBy::Code { Class::Internal } else { Class::Unavailable };
        assert_eq!(
            (verdict.decided_by(), verdict.class(), verdict.recovery()),
            (decided_by, class, Recovery::Retry),
            "{name}"
        );
        assert_eq!(verdict.hint_delay(tokio::time::Instant::now()), Some(Duration::from_secs(7)), "{name}");
        let error = verdict.api_error().expect("a server answered");
        assert_eq!((error.status(), error.message(), error.request_id()), (502, message, Some("r1")), "{name}");
        let whole = if name == "UTF-16" { "{}".into() } else { String::from_utf8_lossy(body) };
        assert_eq!(error.body(), whole, "{name}: a short body is there as it came");
    }
    let response = classify(dialects::veridia(), typed(502, "text/plain", &long)).await;
    let error = response.verdict().and_then(|verdict| verdict.api_error()).expect("an error");
    let message = error.message().expect("a text is a message");
    assert!(message.len() <= 4096 && error.body().len() <= 8192, "what is kept of it is bounded");
}

#[tokio::test(start_paused = true)]
async fn a_success_status_is_an_error_only_in_a_dialect_that_says_so() {
    for (name, dialect, status, body, class) in [
        ("a code that is not null", dialects::vlens(), 200, r#"{"error_code":1050}"#, Some(Class::Rejected)),
        ("a code that is null", dialects::vlens(), 200, r#"{"error_code":null,"data":{}}"#, None),
        ("created, with a code", dialects::vlens(), 201, r#"{"error_code":1050}"#, Some(Class::Rejected)),
        (
            "success is false",
            dialects::maleslab(),
            200,
            r#"{"success":false,"error":{"code":"X"}}"#,
            Some(Class::Unknown),
        ),
        ("success is true", dialects::maleslab(), 200, r#"{"success":true,"error":{"code":"X"}}"#, None),
        ("an envelope that signals nothing", dialects::veridia(), 200, r#"{"error":"internal"}"#, None),
        ("no content, with a body", dialects::vlens(), 204, "", None),
        ("not modified, with a body", dialects::vlens(), 304, r#"{"error_code":1050}"#, None),
        ("moved, with a body", dialects::vlens(), 302, r#"{"error_code":1050}"#, None),
        ("partial content", dialects::vlens(), 206, "\x00\x01\x02", None),
    ] {
        let response = classify(dialect, answer(status, [data(body)])).await;
        assert_eq!(response.verdict().map(redress_classify::Verdict::class), class, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_has_no_content_is_not_waited_for() {
    for status in [204, 205, 304] {
        let response =
            tokio::time::timeout(Duration::from_secs(1), classify(dialects::vlens(), answer(status, [Step::Hang])));
        let response = response.await.unwrap_or_else(|_| panic!("{status} hangs"));
        assert!(response.verdict().is_none(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_response_to_a_head_request_is_judged_by_its_head() {
    for (status, class) in [(200, None), (404, Some(Class::NotFound)), (503, Some(Class::Unavailable))] {
        let service = service_fn(move |_: Request<()>| async move {
            let mut response = answer(status, []);
            // It is the length of the response to a GET.
            response.headers_mut().insert("content-length", HeaderValue::from_static("1048576"));
            Ok::<_, Infallible>(response)
        });
        let request = Request::head("https://api.example/v1/things").body(()).expect("the parts are valid");
        let response = ClassifyLayer::new(dialects::vlens()).layer(service).oneshot(request).await.expect("an answer");
        let error = response.verdict().and_then(|verdict| verdict.api_error());
        assert_eq!(error.map(ApiError::class), class, "{status}");
        assert!(response.body().is_end_stream(), "{status}");
    }
}
