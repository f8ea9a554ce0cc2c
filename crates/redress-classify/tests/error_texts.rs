//! The texts of errors: what failed, at which host and why, on one line and without the words of a server.

use std::io;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Response, Uri};
use redress_classify::{
    ApiError, Attempt, Class, Clock, EndReason, Error, Phase, Record, Recovery, ResponseExt, TransportError, Upstream,
    UpstreamHealth, Verdict, dialects,
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
