//! Names, types and units against the facts of the semantic conventions, written down here.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::*;
use http::Method;
use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample,
};
use redress::{Idempotent, TransportError};
use redress_opentelemetry::Telemetry;
use redress_sandbox::strict_mock::Answer;
use tower::{Layer, ServiceExt};

/// When an attribute must be present.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Level {
    Required,
    /// With a response.
    WithResponse,
    /// If and only if the request ended with an error.
    OnError,
    /// If and only if the request was sent before.
    OnResend,
    /// If the method is not known.
    OnOtherMethod,
}

/// The attributes of a client span that we set: the name, its type, when it is set, and whether the metric has it too.
/// Semantic conventions 1.36, HTTP spans ("HTTP client span") and HTTP metrics (`http.client.request.duration`); all stable.
const CLIENT: [(&str, &str, Level, bool); 9] = [
    ("http.request.method", "string", Level::Required, true),
    ("server.address", "string", Level::Required, true),
    ("server.port", "int", Level::Required, true),
    ("url.full", "string", Level::Required, false),
    ("error.type", "string", Level::OnError, true),
    ("http.request.method_original", "string", Level::OnOtherMethod, false),
    ("http.response.status_code", "int", Level::WithResponse, true),
    ("http.request.resend_count", "int", Level::OnResend, false),
    ("network.protocol.version", "string", Level::WithResponse, true),
];

/// The advised buckets of the duration, in seconds.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::I64(_) => "int",
        Value::F64(_) => "double",
        Value::String(_) => "string",
        _ => "another",
    }
}

/// Runs one call of three attempts: a 503, a failed connection, and a success.
async fn run(recorder: &Recorder, method: &Method) {
    let late = |status| answer(status).after(Duration::from_millis(300));
    let (mock, _handle) = mock([late(503), Answer::error(TransportError::connect("x")), late(200)]);
    let mut request = get("https://api.example/v1/things?key=x");
    *request.method_mut() = method.clone();
    request.extensions_mut().insert(Idempotent(true));
    recorder.telemetry.around(stack()).layer(mock).oneshot(request).await.expect("a response");
}

#[tokio::test(start_paused = true)]
async fn spans_have_the_attributes_of_the_convention_and_no_others() {
    for method in [Method::GET, Method::from_bytes(b"PURGE").expect("a method")] {
        let recorder = Recorder::new();
        run(&recorder, &method).await;
        let spans = recorder.attempts();
        assert_eq!(spans.len(), 3);
        for (nth, span) in spans.iter().enumerate() {
            assert_eq!(span.span_kind, SpanKind::Client);
            assert_eq!(span.name, if method == Method::GET { "GET" } else { "HTTP" });
            let names: BTreeSet<_> = span.attributes.iter().map(|pair| pair.key.as_str()).collect();
            assert_eq!(names.len(), span.attributes.len(), "a name is set twice: {span:?}");
            let expected = CLIENT.iter().filter(|(_, _, level, _)| match level {
                Level::Required => true,
                Level::WithResponse => nth != 1,
                Level::OnError => nth != 2,
                Level::OnResend => nth > 0,
                Level::OnOtherMethod => method != Method::GET,
            });
            assert_eq!(names, expected.map(|(name, ..)| *name).collect(), "attempt {nth} of {method}");
            for pair in &span.attributes {
                let fact = CLIENT.iter().find(|(name, ..)| *name == pair.key.as_str()).expect("it is listed");
                assert_eq!(kind(&pair.value), fact.1, "{}", pair.key);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_duration_has_the_name_the_unit_the_buckets_and_the_attributes_of_the_convention() {
    let recorder = Recorder::new();
    run(&recorder, &Method::GET).await;
    let (name, unit, series) = recorder.durations();
    assert_eq!((name.as_str(), unit.as_str()), ("http.client.request.duration", "s"));
    assert_eq!(series.len(), 3, "a 503, a failed connection, a success");
    let allowed: BTreeSet<_> = CLIENT.iter().filter(|fact| fact.3).map(|fact| fact.0.to_owned()).collect();
    for series in &series {
        assert_eq!(series.bounds, BUCKETS);
        assert_eq!(series.count, 1);
        assert!(series.attributes.keys().all(|key| allowed.contains(key)), "{series:?}");
        let error = series.attributes.get("error.type").map(String::as_str);
        let status = series.attributes.get("http.response.status_code").map(String::as_str);
        let seconds = match (error, status) {
            (Some("503"), Some("503")) | (None, Some("200")) => 0.3,
            (Some("connect"), None) => 0.0,
            other => panic!("{other:?}"),
        };
        assert!((series.sum - seconds).abs() < 0.002, "{series:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_span_has_its_attributes_for_sampling_when_it_starts() {
    /// Samples spans that have the four attributes which the convention wants at the start.
    #[derive(Clone, Debug)]
    struct Complete;

    impl ShouldSample for Complete {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            attributes: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            let early = ["http.request.method", "server.address", "server.port", "url.full"];
            let has = |name: &&str| attributes.iter().any(|pair| pair.key.as_str() == *name);
            let decision =
                if early.iter().all(has) { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
            SamplingResult { decision, attributes: Vec::new(), trace_state: Default::default() }
        }
    }

    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_sampler(Complete).with_simple_exporter(spans.clone()).build();
    let (mock, _handle) = mock([answer(200)]);
    let service = Telemetry::new().tracer_provider(&provider).attempts().layer(mock);
    service.oneshot(get("https://api.example/")).await.expect("a response");
    assert_eq!(spans.get_finished_spans().expect("the exporter works").len(), 1);
}
