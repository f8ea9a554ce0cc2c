//! The texts of errors: what failed, at which host and why, on one line and without the words of a server.

use std::io;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Response, Uri};
use redress_classify::{
    ApiError, Attempt, Class, Clock, Dialect, EndReason, Error, Phase, Record, Recovery, ResponseExt, TransportError,
    Upstream, UpstreamHealth, Verdict, dialects,
};

fn transport(error: TransportError) -> Error {
    let uri = Uri::from_static("https://me:s3cret@api.example:8443/orders?key=s3cret");
    Error::from_inner(error.into()).with_upstream(&Upstream::new(&uri, &HeaderMap::new()))
}

fn failed(status: Option<u16>, phase: Phase) -> Attempt {
    Attempt::new(status, Some(Verdict::unanswered(Class::Unavailable, Recovery::Retry, phase)), false)
}

#[test]
fn the_text_has_host_failure_and_cause() {
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let maybe = "api.example:8443: no response, and the request may have been processed";
    for (error, expected) in [
        (
            TransportError::connect(io::Error::other(refused())),
            "api.example:8443: could not send the request: could not connect: connection refused".to_owned(),
        ),
        (TransportError::timeout_after(Duration::from_secs(2)), format!("{maybe}: timed out after 2 s")),
        (TransportError::timeout_after(Duration::from_millis(250)), format!("{maybe}: timed out after 0.25 s")),
        (TransportError::timeout(refused()), format!("{maybe}: no response in time")),
        (
            TransportError::closed("connection closed before message completed"),
            format!("{maybe}: the connection closed before the response began"),
        ),
        (
            TransportError::other(io::Error::from(io::ErrorKind::ConnectionReset)),
            format!("{maybe}: connection failed: connection reset"),
        ),
    ] {
        assert_eq!(transport(error).to_string(), expected);
    }
    let failed_lookup = TransportError::connect(io::Error::other("dns error"));
    assert!(transport(failed_lookup).to_string().ends_with("could not connect: DNS lookup failed"));
    let unknown = Error::from_inner("tower's".into());
    assert_eq!(unknown.to_string(), "no response, and the request may have been processed");
    assert_eq!(unknown.host(), None);
}

#[test]
fn the_text_quotes_no_source_and_no_query() {
    let error = transport(TransportError::connect("https://api.example/?key=s3cret refused: s3cret"));
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert_eq!(error.host(), Some("api.example:8443"));
    let other = Upstream::new(&Uri::from_static("https://other.example"), &HeaderMap::new());
    assert_eq!(error.with_upstream(&other).host(), Some("api.example:8443"), "the first one stays");
}

#[test]
fn debug_is_the_text_and_the_sources() {
    let error = transport(TransportError::connect(io::Error::other("dns error: no such\nhost")));
    let record = Record::new(vec![failed(None, Phase::NotSent); 3], EndReason::MaxAttempts);
    let error = error.with_record(record);
    let expected = "api.example:8443: could not send the request: could not connect (3 attempts, unavailable, unavailable, \
        unavailable; no attempts left); caused by: could not connect: dns error: no such\\nhost";
    assert_eq!(format!("{error:?}"), expected);
    assert_eq!(format!("{:?}", Error::deadline(Phase::NotSent)), "deadline exceeded before the request was sent");
}

#[test]
fn a_call_that_was_held_back_has_no_attempt() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    let paced = |before: Vec<Attempt>| {
        let error = Error::paced(at).with_detail("own limit");
        let attempts = before.into_iter().chain([Attempt::new(None, Some(error.verdict().clone()), false)]).collect();
        error.with_record(Record::new(attempts, EndReason::Paced))
    };
    let text = "rate-limit wait is too long: the request was not sent: own limit, retry at 1970-01-01T00:01:00.000Z";
    assert_eq!(paced(vec![]).to_string(), text);
    assert_eq!(
        paced(vec![failed(Some(503), Phase::Answered)]).to_string(),
        format!("{text} (1 attempt, 503 unavailable)")
    );
    let record = paced(vec![]).record().map(ToString::to_string);
    assert_eq!(record.as_deref(), Some("no attempt; the rate-limit wait is too long"));
}

#[test]
fn a_call_that_gave_up_waiting_for_the_end_of_an_outage_says_so_once() {
    let error = Error::paced(SystemTime::UNIX_EPOCH).with_upstream_health(UpstreamHealth::Outage);
    let error = error.with_record(Record::new(vec![failed(Some(503), Phase::Answered)], EndReason::Outage));
    assert_eq!(
        error.to_string(),
        "upstream is in an outage: the request was not sent, retry at 1970-01-01T00:00:00.000Z (1 attempt, 503 unavailable)"
    );
}

#[test]
fn an_error_of_the_api_says_whether_the_request_may_have_been_processed() {
    let error = |status, body: &'static str, before: Option<Attempt>| -> ApiError {
        let (head, ()) = Response::builder().status(status).body(()).expect("a status").into_parts();
        let uri = Uri::from_static("https://api.example/orders");
        let body = [body.as_bytes()];
        let verdict = Verdict::from_response(&dialects::generic(), &Method::POST, &uri, &head, &Clock::system(), &body);
        let verdict = verdict.expect("an error");
        let mut response = Response::builder().status(status).extension(verdict.clone()).body(()).expect("a response");
        if let Some(before) = before {
            let last = Attempt::new(Some(status), Some(verdict), false);
            response.extensions_mut().insert(Record::new(vec![before, last], EndReason::NotRetryable));
        }
        response.ok_or_api_error().expect_err("an error")
    };
    let unsafe_retry = error(502, "", None);
    assert_eq!(unsafe_retry.recovery(), Recovery::Retry);
    assert!(unsafe_retry.is_maybe_processed());
    assert!(!error(404, "", None).is_maybe_processed() && !error(429, "", None).is_maybe_processed());
    assert!(error(404, "", Some(failed(None, Phase::MaybeProcessed))).is_maybe_processed(), "by its first attempt");
    assert!(!error(404, "", Some(failed(None, Phase::NotSent))).is_maybe_processed());
}

/// Reads a response to a request, at a fixed time.
fn read(dialect: &Dialect, method: &Method, response: http::response::Builder, body: &str) -> Verdict {
    let (head, ()) = response.body(()).expect("the parts are valid").into_parts();
    let (clock, uri) = (Clock::anchored(SystemTime::UNIX_EPOCH), Uri::from_static("https://api.example/a"));
    Verdict::from_response(dialect, method, &uri, &head, &clock, &[body.as_bytes()]).expect("an error")
}

#[tokio::test(start_paused = true)]
async fn errors_are_equal_if_they_say_the_same() {
    let body = r#"{"code":"a_code","message":"text","request_id":"r-1","errors":{"email":["invalid"]}}"#;
    let (generic, get) = (dialects::generic(), Method::GET);
    let answer = |status: u16| Response::builder().status(status);
    let (first, again) = (read(&generic, &get, answer(400), body), read(&generic, &get, answer(400), body));
    assert_eq!((&first, first.api_error()), (&again, again.api_error()));
    let others = [
        read(&generic, &get, answer(404), body),
        read(&generic, &get, answer(400).header("retry-after", "3"), body),
        read(&generic, &get, answer(400), &body.replace("a_code", "b_code")),
        read(&generic, &get, answer(400), &body.replace("text", "texts")),
        read(&generic, &get, answer(400), &body.replace("r-1", "r-2")),
        read(&generic, &get, answer(400), &body.replace("invalid", "missing")),
        read(&generic, &get, answer(400), &body.replace("email", "phone")),
        read(&generic, &get, answer(400), &body.replace('{', "{ ")),
        read(&generic, &Method::POST, answer(400), body),
        read(&dialects::stripe(), &get, answer(400), body),
        first.not_refreshed(Recovery::Stop, "the store is down"),
        first.not_refreshed(first.recovery(), "the store is down"),
    ];
    for (nth, other) in others.iter().enumerate() {
        assert_ne!(first.api_error(), other.api_error(), "{nth}");
        assert_ne!(&first, other, "{nth}");
    }
    let (one, other) = (answer(503).header("retry-after", "3"), answer(503).header("retry-after", "9"));
    let [one, other] =
        [one, other].map(|answer| Verdict::from_head(&answer.body(()).unwrap(), &generic, &Clock::system()));
    assert!(one.is_some() && one != other, "verdicts of a head have hints too");
}

#[tokio::test(start_paused = true)]
async fn what_an_error_says_is_where_it_was_read() {
    let body = r#"{"error":{"code":"a_code","message":"text","request_id":"r-1"}}"#;
    let verdict = read(&dialects::generic(), &Method::GET, Response::builder().status(400), body);
    let error = verdict.api_error().expect("it has a body");
    let places = [error.code_location(), error.message_location(), error.request_id_location()];
    let names = ["error.code", "error.message", "error.request_id"];
    for (place, name) in places.into_iter().zip(names) {
        assert!(place.is_some_and(|place| place.to_string().starts_with(name)), "{place:?}");
    }
    assert_eq!(error.not_refreshed(), None);
    let verdict = verdict.not_refreshed(Recovery::Stop, "the store is down");
    assert_eq!(verdict.api_error().and_then(ApiError::not_refreshed), Some("the store is down"));
    assert_eq!(verdict.recovery(), Recovery::Stop);
}

#[test]
fn the_text_tells_which_attempt_was_none_of_the_usual_ones() {
    let attempt = |change: fn(&mut Attempt)| {
        let mut attempt = failed(Some(503), Phase::Answered);
        change(&mut attempt);
        attempt
    };
    let attempts = vec![
        attempt(|_| {}),
        attempt(|attempt| attempt.is_hedge = true),
        attempt(|attempt| attempt.is_probe = true),
        attempt(|attempt| attempt.is_resend = true),
        attempt(|attempt| (attempt.is_cancelled, attempt.status) = (true, None)),
    ];
    let record = Record::new(attempts.clone(), EndReason::MaxAttempts);
    assert_eq!(record.attempts(), attempts);
    let text = record.to_string();
    let expected =
        "503 unavailable, 503 unavailable on hedge, 503 unavailable on probe, 503 unavailable on resend, cancelled";
    assert!(text.starts_with("3 attempts") && text.contains(expected), "{text}");
}

#[test]
fn a_response_is_a_success_by_its_status_its_headers_and_its_verdict() {
    let plain = dialects::generic();
    let by_header = "name = \"d\"\n[[error]]\nwhen = { header = \"x-failed\", header_is = \"1\" }\n";
    let by_header = Dialect::from_toml("d.toml", by_header).expect("it is valid");
    for (status, header, of_plain, of_header) in [
        (200, None, true, true),
        (304, None, true, true),
        (404, None, false, false),
        (503, Some("0"), false, false),
        (200, Some("0"), true, true),
        (200, Some("1"), true, false),
    ] {
        let mut response = Response::builder().status(status);
        if let Some(value) = header {
            response = response.header("x-failed", value);
        }
        let mut response = response.body(()).unwrap();
        let results = [&plain, &by_header].map(|dialect| redress_classify::is_success(&response, dialect));
        assert_eq!(results, [of_plain, of_header], "{status} {header:?}");
        let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::Answered);
        response.extensions_mut().insert(verdict);
        assert!(!redress_classify::is_success(&response, &plain), "a verdict on it makes it an error");
    }
}
