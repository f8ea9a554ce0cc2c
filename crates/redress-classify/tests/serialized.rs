//! The serialized form of errors, records and phases.

use std::time::{Duration, SystemTime};

use http::{Method, Response, Uri};
use redress_classify::{Attempt, Clock, EndReason, Phase, Record, ResponseExt, Verdict, WaitSource, dialects};
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
             "wait_ms": 1250, "wait_source": "backoff"},
            {"status": 200, "class": null, "recovery": null, "phase": null, "is_resend": true, "wait_ms": null,
             "wait_source": null},
        ],
        "end_reason": "success",
    });
    assert_eq!(to_value(&record).unwrap(), expected);
    let response = Response::builder().status(503).extension(verdict).extension(record).body(()).unwrap();
    let error = response.ok_or_api_error().expect_err("a 503");
    assert_eq!(to_value(&error).unwrap()["record"], expected);
}
