//! The hold of a success that its body may turn into an error: where there is one, how long it lasts, and how it ends.

mod common;

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use common::{Script, Step, answer, classify, data, frames, request};
use http::{HeaderValue, Request, Response};
use redress_classify::{Body, ClassifyLayer, Dialect, Error, Phase, ResponseExt, dialects};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

/// The default hold timeout.
const HOLD: Duration = Duration::from_secs(5);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Returns a success of this media type whose body begins and then hangs.
fn hanging(media_type: Option<&str>) -> Response<Script> {
    let mut response = answer(200, [data("{\"data\":"), Step::Hang]);
    if let Some(media_type) = media_type {
        response.headers_mut().insert("content-type", HeaderValue::from_str(media_type).expect("a legal value"));
    }
    response
}

/// Returns the verdict about a response whose body fails in the middle.
async fn outcome(dialect: Dialect, response: Response<Script>) -> Result<Response<Body<Script>>, Error> {
    let response = Mutex::new(Some(response));
    let service = service_fn(move |_: Request<&'static str>| {
        let response = response.lock().expect("no test panics with the lock").take().expect("one request");
        async { Ok::<_, Infallible>(response) }
    });
    ClassifyLayer::new(dialect).layer(service).oneshot(request()).await
}

#[tokio::test(start_paused = true)]
async fn a_success_is_held_only_if_its_media_type_can_be_json_or_xml() {
    for (media_type, is_held) in [
        (None, true),
        (Some(""), true),
        (Some("*/*"), true),
        (Some("json"), true),
        (Some("application/json"), true),
        (Some("Application/JSON; charset=utf-8"), true),
        (Some("application/problem+json"), true),
        (Some("application/vnd.api+json;profile=x"), true),
        (Some("application/x-amz-json-1.1"), true),
        (Some("application/x-json"), true),
        (Some("text/json"), true),
        (Some("text/plain"), true),
        (Some("text/html; charset=iso-8859-1"), true),
        (Some("text/javascript"), true),
        (Some("application/javascript"), true),
        (Some("application/xml"), true),
        (Some("text/xml"), true),
        (Some("application/soap+xml"), true),
        (Some("multipart/mixed; boundary=x"), false),
        (Some("multipart/form-data"), false),
        (Some("image/png"), false),
        (Some("image/svg+xml"), false),
        (Some("audio/mpeg"), false),
        (Some("video/mp4"), false),
        (Some("font/woff2"), false),
        (Some("model/gltf+json"), false),
        (Some("application/pdf"), false),
        (Some("application/zip"), false),
        (Some("application/gzip"), false),
        (Some("application/x-gzip"), false),
        (Some("application/x-tar"), false),
        (Some("application/zstd"), false),
        (Some("application/x-7z-compressed"), false),
        (Some("application/java-archive"), false),
        (Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), false),
        (Some("application/octet-stream"), false),
        (Some("APPLICATION/Octet-Stream"), false),
        (Some("binary/octet-stream"), false),
        (Some("application/x-ndjson"), false),
        (Some("application/ndjson"), false),
        (Some("application/jsonl"), false),
        (Some("application/x-jsonlines"), false),
        (Some("application/json-seq"), false),
        (Some("application/geo+json-seq"), false),
        (Some("application/stream+json"), false),
        (Some("application/vnd.kafka.stream+json"), false),
        (Some("text/event-stream"), false),
        (Some("application/vnd.amazon.eventstream"), false),
        (Some("text/csv"), false),
        (Some("text/tab-separated-values"), false),
        (Some("text/css"), false),
        (Some("text/calendar"), false),
        (Some("application/x-protobuf"), false),
        (Some("application/protobuf"), false),
        (Some("application/grpc"), false),
        (Some("application/grpc-web+json"), false),
        (Some("application/msgpack"), false),
        (Some("application/cbor"), false),
        (Some("application/wasm"), false),
        (Some("application/font-woff"), false),
        (Some("application/vnd.apache.parquet"), false),
    ] {
        let start = Instant::now();
        let response = tokio::time::timeout(ms(3_600_000), classify(dialects::vlens(), hanging(media_type))).await;
        let response = response.unwrap_or_else(|_| panic!("{media_type:?} is held for ever"));
        assert!(response.verdict().is_none(), "{media_type:?}");
        assert_eq!(start.elapsed(), if is_held { HOLD } else { Duration::ZERO }, "{media_type:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_is_not_held_when_no_rule_can_apply_to_its_head() {
    let toml = |when: &str| format!("name = \"acme\"\n[error]\nnot_null = \"error\"\nwhen = {{ {when} }}\n");
    for (when, is_held) in [
        ("status = \"200\"", true),
        ("status = \"201-299\"", false),
        ("header = \"x-failed\"", false),
        ("no_header = \"x-failed\"", true),
        ("route = \"POST /v1/things\"", true),
        ("route = \"GET /v1/things\"", false),
        ("route = \"POST /v2/things\"", false),
        ("content_type = \"application/acme+json\"", false),
    ] {
        let dialect = Dialect::from_toml("acme.toml", &toml(when)).unwrap_or_else(|error| panic!("{error}"));
        // No byte of the body arrives, so the head alone decides.
        let silent = answer(200, [Step::Hang]);
        let start = Instant::now();
        let response = tokio::time::timeout(ms(3_600_000), classify(dialect, silent)).await;
        assert!(response.expect("it is not held for ever").verdict().is_none(), "{when}");
        assert_eq!(start.elapsed(), if is_held { HOLD } else { Duration::ZERO }, "{when}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_media_type_that_a_rule_names_is_held_whatever_it_is() {
    let toml = "name = \"acme\"\n[error]\nnot_null = \"error\"\nwhen = { content_type = \"application/vnd.acme*\" }\n";
    let dialect = Dialect::from_toml("acme.toml", toml).expect("no mistakes");
    for (media_type, is_held) in [("application/vnd.acme.v1", true), ("application/vnd.other", false)] {
        let start = Instant::now();
        let response = classify(dialect.clone(), hanging(Some(media_type)));
        assert!(tokio::time::timeout(ms(3_600_000), response).await.is_ok(), "{media_type}");
        assert_eq!(start.elapsed(), if is_held { HOLD } else { Duration::ZERO }, "{media_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_hold_ends_the_response_is_returned_byte_for_byte() {
    for (pause, in_time) in [(ms(100), 50), (ms(4_999), 1), (ms(10_000), 0)] {
        let steps = (0..60).flat_map(|_| [Step::Wait(pause), data(" ")]);
        let start = Instant::now();
        let response = classify(dialects::vlens(), answer(200, steps)).await;
        assert_eq!(start.elapsed(), HOLD, "{pause:?}");
        let taken = response.body();
        assert!(format!("{taken:?}").contains(&format!("held_bytes: {in_time}")), "{pause:?}: {taken:?}");
        let (chunks, _, error) = frames(response.into_body()).await;
        assert_eq!((chunks.concat(), error), (vec![b' '; 60], None), "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_s3_behind_minutes_of_white_space_decides() {
    let s3 = dialects::by_name("aws-xml").expect("it is shipped");
    let pauses = || (0..20).flat_map(|_| [Step::Wait(ms(10_000)), data(" ")]);
    let body = |last| [data("<?xml version='1.0'?>\n")].into_iter().chain(pauses()).chain([data(last)]);
    let failed = answer(200, body("<Error><Code>InternalError</Code><Message>m</Message></Error>"));
    let response = classify(s3.clone(), failed).await;
    assert_eq!(response.ok_or_api_error().expect_err("an error").code(), Some("InternalError"));
    let start = Instant::now();
    let response = classify(s3, answer(200, body("<CompleteMultipartUploadResult/>"))).await;
    assert!(response.verdict().is_none());
    assert_eq!(start.elapsed(), ms(200_000));
}

#[tokio::test(start_paused = true)]
async fn a_signal_within_the_time_still_decides() {
    let steps = [data("{"), Step::Wait(ms(4_900)), data("\"error_code\":1050,"), data("\"data\":null}")];
    let response = classify(dialects::vlens(), answer(200, steps)).await;
    assert_eq!(response.ok_or_api_error().expect_err("an error").code(), Some("1050"));
}

#[tokio::test(start_paused = true)]
async fn a_held_success_that_breaks_off_is_a_failure() {
    for steps in [
        vec![Step::Break],
        vec![data("{\"data\":"), Step::Break],
        vec![data("{\"data\":"), Step::Wait(ms(1_000)), data("1"), Step::Break],
    ] {
        let named = format!("{steps:?}");
        let error = outcome(dialects::vlens(), answer(200, steps)).await.expect_err("it broke off");
        assert!(error.is_transport() && error.phase() == Phase::MaybeProcessed, "{named}: {error:?}");
        let chain = std::iter::successors(std::error::Error::source(&error), |error| error.source());
        let chain = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        assert!(chain.contains("connection reset"), "{named}: the cause is kept: {chain}");
    }
    // A body that breaks off after a certain signal is an error by that signal; one that was never held is the caller's to read.
    let signalled = answer(200, [data("{\"error_code\":1050,"), Step::Break]);
    assert!(outcome(dialects::vlens(), signalled).await.is_ok_and(|response| response.verdict().is_some()));
    let certain = answer(200, [data("{\"error_code\":null,"), data("\"data\":"), Step::Break]);
    assert!(outcome(dialects::veridia(), certain).await.is_ok_and(|response| response.verdict().is_none()));
    let known = answer(503, [data("{\"error"), Step::Break]);
    assert!(outcome(dialects::vlens(), known).await.is_ok_and(|response| response.verdict().is_some()));
}
