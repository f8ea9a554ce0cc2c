//! The serialized form of errors, records and phases.

use std::time::{Duration, SystemTime};

use http::{Method, Response, Uri};
use redress_classify::{
    Attempt, Class, Clock, EndReason, Error, HintSource, Phase, Record, Recovery, ResponseExt, SuccessHint,
    TransportError, Verdict, WaitSource, dialects,
};
use serde_json::{from_value, json, to_value};

#[test]
fn a_phase_is_written_and_read_in_snake_case() {
    for phase in [Phase::NotSent, Phase::MaybeProcessed, Phase::Answered] {
        assert_eq!(to_value(phase).unwrap(), json!(phase.as_str()));
        assert_eq!(from_value::<Phase>(json!(phase.as_str())).unwrap(), phase);
    }
    for wrong in [json!("NotSent"), json!(""), json!(1), json!(null)] {
        assert!(from_value::<Phase>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn an_error_is_written_as_an_object_of_its_parts() {
    let response = Response::builder().status(400).header("retry-after", "7").body(()).unwrap();
    let (head, ()) = response.into_parts();
    let body: &[u8] =
        br#"{"error":"invalid_body","message":"no","requestId":"9f51","detail":{"fieldErrors":{"country":["two"]}}}"#;
    let (method, uri) = (Method::POST, Uri::from_static("https://api.example/v1/verify?secret=1"));
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
    let verdict = Verdict::from_response(&dialects::veridia(), &method, &uri, &head, &clock, &[body]).unwrap();
    let mut error = to_value(verdict.api_error().unwrap()).unwrap();
    let members = error.as_object_mut().unwrap();
    let time = members.remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let retry_at = members.remove("retry_at").unwrap();
    assert!(retry_at.as_str().unwrap().starts_with("1970-01-01T00:16:47"), "{retry_at}");
    assert!(!members.remove("guidance").unwrap().as_str().unwrap().is_empty());
    let expected = json!({
        "vendor": "Veridia", "dialect": "veridia", "method": "POST", "path": "/v1/verify", "status": 400,
        "class": "invalid", "recovery": "fix_request", "code": "invalid_body", "reason": null, "message": "no",
        "request_id": "9f51", "fields": [{"path": "country", "message": "two"}], "retry_after": "7",
        "retry_source": "retry-after header", "not_refreshed": null, "record": null,
        "body": std::str::from_utf8(body).unwrap(), "body_cut": false,
    });
    assert_eq!(error, expected);
}

#[test]
fn a_record_is_written_as_its_attempts_and_the_reason_of_its_end() {
    let (head, ()) = Response::builder().status(503).body(()).unwrap().into_parts();
    let (method, uri) = (Method::GET, Uri::from_static("https://api.example/"));
    let verdict = Verdict::from_response(&dialects::veridia(), &method, &uri, &head, &Clock::system(), &[]).unwrap();
    let mut first = Attempt::new(Some(503), Some(verdict.clone()), false);
    (first.wait, first.wait_source) = (Some(Duration::from_millis(1_250)), Some(WaitSource::Backoff));
    let record = Record::new(vec![first, Attempt::new(Some(200), None, true)], EndReason::Success);
    let expected = json!({
        "attempts": [
            {"status": 503, "class": "unavailable", "recovery": "retry", "phase": "answered", "is_resend": false,
             "is_probe": false, "is_hedge": false, "is_cancelled": false, "wait_ms": 1250, "wait_source": "backoff"},
            {"status": 200, "class": null, "recovery": null, "phase": null, "is_resend": true, "is_probe": false,
             "is_hedge": false, "is_cancelled": false,
             "wait_ms": null, "wait_source": null},
        ],
        "end_reason": "success",
    });
    assert_eq!(to_value(&record).unwrap(), expected);
    let response = Response::builder().status(503).extension(verdict).extension(record).body(()).unwrap();
    let error = response.ok_or_api_error().expect_err("a 503");
    assert_eq!(to_value(&error).unwrap()["record"], expected);
}

#[test]
fn a_verdict_is_written_with_its_hint_and_its_error() {
    let (head, ()) = Response::builder().status(503).header("retry-after", "7").body(()).unwrap().into_parts();
    let (method, uri) = (Method::GET, Uri::from_static("https://api.example/v1/cats?key=1"));
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
    let body: &[u8] = br#"{"error":{"code":"busy"}}"#;
    let verdict = Verdict::from_response(&dialects::generic(), &method, &uri, &head, &clock, &[body]).unwrap();
    let mut written = to_value(&verdict).unwrap();
    let error = written.as_object_mut().unwrap().remove("error").unwrap();
    assert_eq!((&error["code"], &error["path"], &error["status"]), (&json!("busy"), &json!("/v1/cats"), &json!(503)));
    let retry_at = written.as_object_mut().unwrap().remove("retry_at").unwrap();
    assert!(retry_at.as_str().unwrap().starts_with("1970-01-01T00:16:47"), "{retry_at}");
    let expected = json!({
        "class": "unavailable", "recovery": "retry", "decided_by": "status", "phase": "answered", "should_retry": null,
        "not_processed": false, "maybe_processed": true,
        "hint": {"after_ms": 7000, "at": null, "source": "retry_after"},
    });
    assert_eq!(written, expected);
    let unanswered = to_value(Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::NotSent)).unwrap();
    assert_eq!(unanswered["phase"], json!("not_sent"));
    assert_eq!((&unanswered["hint"], &unanswered["error"]), (&json!(null), &json!(null)));
}

#[test]
fn a_pause_after_a_success_is_written_with_its_end() {
    let stackexchange = dialects::by_name("stackexchange").unwrap();
    let (head, ()) = Response::new(()).into_parts();
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
    let (uri, body): (_, &[u8]) = (Uri::from_static("/2.3/questions"), br#"{"items":[],"backoff":10}"#);
    let hint = SuccessHint::from_response(&stackexchange, &Method::GET, &uri, &head, &clock, &[body]).unwrap();
    let written = to_value(&hint).unwrap();
    assert_eq!(written["hint"], json!({"after_ms": 10_000, "at": null, "source": {"body": "backoff"}}));
    assert!(written["retry_at"].as_str().unwrap().starts_with("1970-01-01T00:16:50"), "{written}");
    assert_eq!(hint, hint.clone());
}

#[test]
fn an_error_without_a_response_is_written_without_its_sources() {
    let error = Error::from_inner(TransportError::connect("https://api.example/?key=s3cret refused").into());
    let attempts = vec![Attempt::new(None, Some(error.verdict().clone()), false)];
    let error = error.with_record(Record::new(attempts, EndReason::Budget));
    let written = to_value(&error).unwrap();
    assert!(!written.to_string().contains("s3cret"), "{written}");
    let mut expected = json!({
        "error": error.to_string(), "class": "unavailable", "recovery": "retry", "phase": "not_sent", "retry_at": null,
    });
    expected["record"] = to_value(error.record()).unwrap();
    assert_eq!(written, expected);
    let paced = to_value(Error::paced(SystemTime::UNIX_EPOCH)).unwrap();
    assert_eq!((&paced["retry_at"], &paced["record"]), (&json!("1970-01-01T00:00:00.000Z"), &json!(null)));
}

#[test]
fn the_source_of_a_wait_is_written_as_its_kind() {
    let hint = WaitSource::Hint(HintSource::Header("x-reset".to_owned()));
    for (source, expected) in [(hint, "hint"), (WaitSource::Vendor, "vendor"), (WaitSource::Backoff, "backoff")] {
        assert_eq!(to_value(source).unwrap(), json!(expected));
    }
}
