//! What an error and a phase are to serde.

use http::{Method, Response, Uri};
use redress_classify::{Clock, Phase, Verdict, dialects};
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
fn an_error_is_an_object_of_all_that_was_read() {
    let response = Response::builder().status(400).header("retry-after", "7").body(()).unwrap();
    let (head, ()) = response.into_parts();
    let body: &[u8] =
        br#"{"error":"invalid_body","message":"no","requestId":"9f51","detail":{"fieldErrors":{"country":["two"]}}}"#;
    let (method, uri) = (Method::POST, Uri::from_static("https://api.example/v1/verify?secret=1"));
    let verdict = Verdict::of_response(&dialects::veridia(), &method, &uri, &head, &Clock::system(), &[body]).unwrap();
    let mut error = to_value(verdict.api_error().unwrap()).unwrap();
    let members = error.as_object_mut().unwrap();
    let time = members.remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    assert!(!members.remove("guidance").unwrap().as_str().unwrap().is_empty());
    let expected = json!({
        "vendor": "Veridia", "dialect": "veridia", "method": "POST", "path": "/v1/verify", "status": 400,
        "class": "invalid", "recovery": "fix_request", "code": "invalid_body", "reason": null, "message": "no",
        "request_id": "9f51", "fields": [{"path": "country", "message": "two"}], "retry_after": "7",
        "body": std::str::from_utf8(body).unwrap(), "body_cut": false,
    });
    assert_eq!(error, expected);
}
