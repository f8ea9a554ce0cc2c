//! The span of each attempt: its attributes, its trace context, its end.

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::*;
use http::{Method, Request, Response, Version};
use opentelemetry::trace::{SpanId, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, trace::FutureExt};
use redress::{Client, Credentials, Failure, RedressLayer, SecretString, TokenSet, TransportError, dialects};
use redress_sandbox::strict_mock::Answer;
use tower::{Layer, ServiceExt, service_fn};

/// An issuer that returns one token after the other.
struct Issuer(AtomicU32);

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(TokenSet::bearer(format!("c4n4ry-token-{nth}"))?.refresh_token(format!("c4n4ry-refresh-{nth}")))
    }

    async fn refresh(&self, _: &SecretString) -> Result<TokenSet, Failure> {
        self.login().await
    }
}

fn resend_counts(recorder: &Recorder) -> Vec<Option<String>> {
    recorder.attempts().iter().map(|span| attribute(span, "http.request.resend_count")).collect()
}

fn counts(counts: &[Option<&str>]) -> Vec<Option<String>> {
    counts.iter().map(|count| count.map(str::to_owned)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_retry_has_its_resend_count() {
    let recorder = Recorder::new();
    let (mock, _handle) = mock([answer(503), answer(503), answer(200)]);
    let service = recorder.telemetry.around(stack()).layer(mock);
    let response = service.oneshot(get("https://api.example/v1/things")).await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(resend_counts(&recorder), counts(&[None, Some("1"), Some("2")]));
}

#[tokio::test(start_paused = true)]
async fn the_resend_after_a_refresh_has_a_resend_count() {
    let recorder = Recorder::new();
    let expired = r#"{"success":false,"error":{"code":"TOKEN_EXPIRED","message":"expired"}}"#;
    let expired = Response::builder().status(401).body(expired.to_owned()).expect("a status");
    let (mock, _handle) = mock([Answer::ok(expired), answer(503), answer(200)]);
    let layer = RedressLayer::new(dialects::maleslab())
        .credentials(Issuer(AtomicU32::new(1)), "https://api.maleslab.example".parse().expect("an origin"));
    let service = recorder.telemetry.around(layer).layer(mock);
    let response = service.oneshot(get("https://api.maleslab.example/v1/a")).await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(resend_counts(&recorder), counts(&[None, Some("1"), Some("2")]));
    let statuses: Vec<_> =
        recorder.attempts().iter().map(|span| attribute(span, "http.response.status_code")).collect();
    assert_eq!(statuses, counts(&[Some("401"), Some("503"), Some("200")]));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_trace_context_of_its_own_whose_parent_is_the_call() {
    let recorder = Recorder::new();
    let (mock, handle) = mock([answer(503), answer(503), answer(200)]);
    let service = recorder.telemetry.around(stack()).layer(mock);
    let tracer = recorder.tracers.tracer("caller");
    let caller = Context::current_with_span(tracer.start("caller"));
    let mut request = get("https://api.example/v1/things");
    request
        .headers_mut()
        .insert("traceparent", "00-0000000000000000000000000000000a-000000000000000b-01".parse().expect("a value"));
    service.oneshot(request).with_context(caller.clone()).await.expect("a response");

    let (attempts, call) = (recorder.attempts(), recorder.call().expect("it was sent three times"));
    let sent: Vec<_> =
        handle.take().iter().map(|got| got.request.headers()["traceparent"].to_str().unwrap().to_owned()).collect();
    let spans: Vec<_> = attempts
        .iter()
        .map(|span| format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id()))
        .collect();
    assert_eq!(sent, spans, "the header of each request names the span of its attempt");

    let caller = caller.span().span_context().clone();
    let parents: Vec<SpanId> = attempts.iter().map(|span| span.parent_span_id).collect();
    let of_call = call.span_context.span_id();
    assert_eq!(parents, [caller.span_id(), of_call, of_call]);
    assert_eq!(call.parent_span_id, caller.span_id());
    let links: Vec<_> = call.links.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(links, [attempts[0].span_context.span_id()], "the first attempt is linked");
    assert!(attempts.iter().all(|span| span.span_context.trace_id() == caller.trace_id()));
}

#[tokio::test(start_paused = true)]
async fn a_context_among_the_extensions_is_the_parent() {
    for around in [true, false] {
        let recorder = Recorder::new();
        let (mock, _handle) = mock([answer(200)]);
        let parent = Context::new().with_span(recorder.tracers.tracer("caller").start("caller"));
        let mut request = get("https://api.example/");
        request.extensions_mut().insert(parent.clone());
        if around {
            recorder.telemetry.around(stack()).layer(mock).oneshot(request).await.expect("a response");
        } else {
            recorder.telemetry.attempts().layer(mock).oneshot(request).await.expect("a response");
        }
        assert_eq!(recorder.attempts()[0].parent_span_id, parent.span().span_context().span_id());
    }
}

#[tokio::test(start_paused = true)]
async fn the_context_of_an_attempt_is_current_below() {
    let recorder = Recorder::new();
    let transport = service_fn(|_: Request<String>| {
        let called = Context::current().span().span_context().span_id();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let polled = Context::current().span().span_context().span_id();
            Ok::<_, std::io::Error>(Response::new(format!("{called} {polled}")))
        }
    });
    let response = recorder.telemetry.attempts().layer(transport).oneshot(get("https://api.example/")).await;
    let id = recorder.attempts()[0].span_context.span_id();
    assert_eq!(response.expect("a response").into_body(), format!("{id} {id}"));
    assert!(!Context::current().has_active_span(), "nothing stays attached");
}

#[tokio::test(start_paused = true)]
async fn the_type_of_an_error_is_the_status_or_the_class_of_the_failure() {
    type Answers = Vec<Answer<Response<String>>>;
    let once = |answer| -> Answers { vec![answer] };
    let cases: [(&str, Answers, &str, Option<&str>); 5] = [
        ("POST", once(answer(503)), "503", Some("503")),
        ("GET", once(answer(404)), "404", Some("404")),
        ("POST", once(Answer::error(TransportError::body("s3cret"))), "body", None),
        ("POST", once(Answer::error(TransportError::certificate("s3cret"))), "certificate", None),
        ("POST", once(Answer::error("s3cret")), "_OTHER", None),
    ];
    for (method, answers, error_type, status) in cases {
        let recorder = Recorder::new();
        let (mock, _handle) = mock(answers);
        let mut request = get("https://api.example/v1/things");
        *request.method_mut() = method.parse().expect("a method");
        let _ = recorder.telemetry.around(stack()).layer(mock).oneshot(request).await;
        let attempts = recorder.attempts();
        let [span] = attempts.as_slice() else { panic!("{error_type}: one attempt") };
        assert_eq!(attribute(span, "error.type").as_deref(), Some(error_type));
        assert_eq!(attribute(span, "http.response.status_code").as_deref(), status, "{error_type}");
        assert_eq!(span.status, Status::error(""), "{error_type}: the description could quote a secret");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cut_is_a_timeout() {
    let recorder = Recorder::new();
    let (mock, _handle) = mock([answer(200).after(Duration::from_secs(30)), answer(200)]);
    let layer = stack().attempt_timeout(Duration::from_secs(2));
    let service = recorder.telemetry.around(layer).layer(mock);
    assert_eq!(service.oneshot(get("https://api.example/")).await.expect("a response").status(), 200);
    let types: Vec<_> = recorder.attempts().iter().map(|span| attribute(span, "error.type")).collect();
    assert_eq!(types, counts(&[Some("timeout"), None]));
    let (_, _, series) = recorder.durations();
    let cut = series.iter().find(|series| series.attributes.get("error.type").is_some_and(|class| class == "timeout"));
    assert!((cut.expect("the attempt that was cut").sum - 2.0).abs() < 0.01, "{series:?}");
}

#[tokio::test(start_paused = true)]
async fn below_a_client_each_attempt_has_its_span() {
    let recorder = Recorder::new();
    let tries = AtomicU32::new(0);
    let status = std::sync::Arc::new(tries);
    let transport = service_fn(move |request: Request<reqwest::Body>| {
        let first = status.fetch_add(1, Ordering::Relaxed) == 0;
        let header = request.headers().get("traceparent").cloned();
        async move {
            let response = Response::builder().status(if first { 503 } else { 200 });
            Ok::<_, std::io::Error>(response.body(format!("{header:?}")).expect("a status"))
        }
    });
    let client = Client::with_transport(stack(), recorder.telemetry.attempts().layer(transport));
    let body = client.get("https://api.example/v1").send().await.expect("a response").text().await.expect("a body");
    assert_eq!(resend_counts(&recorder), counts(&[None, Some("1")]));
    assert!(body.contains(&recorder.attempts()[1].span_context.span_id().to_string()), "{body}");
    assert!(recorder.call().is_none(), "there is no layer above");
}

#[tokio::test(start_paused = true)]
async fn above_the_service_of_a_client_each_call_has_its_span() {
    let recorder = Recorder::new();
    let sent = std::sync::Arc::new(AtomicU32::new(0));
    let transport = service_fn(move |_: Request<reqwest::Body>| {
        let first = sent.fetch_add(1, Ordering::Relaxed) == 0;
        async move { Response::builder().status(if first { 503 } else { 200 }).body(String::new()) }
    });
    let client = Client::with_transport(stack(), recorder.telemetry.attempts().layer(transport));
    let service = recorder.telemetry.calls().layer(client.service().clone());
    let request = client.get("https://api.example/v1").build().expect("a request");
    assert_eq!(service.oneshot(request).await.expect("a response").status(), 200);
    let call = recorder.call().expect("it was sent twice").span_context.span_id();
    assert_eq!(recorder.attempts()[1].parent_span_id, call);
}

#[tokio::test(start_paused = true)]
async fn the_attributes_are_those_of_the_request_and_the_response() {
    let recorder = Recorder::new();
    let telemetry = recorder.telemetry.clone().query_keys(["page"]);
    let response = Response::builder().version(Version::HTTP_2).body(String::new()).expect("a response");
    let (mock, _handle) = mock([Answer::ok(response)]);
    let mut request = get("https://joe:s3cret@api.example:8443/v1/things?page=2&api_key=s3cret");
    *request.method_mut() = Method::from_bytes(b"PURGE").expect("a method");
    telemetry.attempts().layer(mock).oneshot(request).await.expect("a response");
    let span = recorder.attempts().remove(0);
    let expected = [
        ("http.request.method", "_OTHER"),
        ("http.request.method_original", "PURGE"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "2"),
        ("server.address", "api.example"),
        ("server.port", "8443"),
        ("url.full", "https://REDACTED:REDACTED@api.example:8443/v1/things?page=2&api_key=REDACTED"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(attributes(&span), expected.into());
    assert_eq!((span.name.as_ref(), &span.status), ("HTTP", &Status::Unset));
}
