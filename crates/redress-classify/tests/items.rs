//! Events of a stream and results of a batch, each of which may be an error inside a success.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header, response};
use redress_classify::{Class, Clock, Dialect, Recovery, Verdict, dialects};
use redress_envelope::{Decision, Head, Signal};

fn head(media_type: &'static str) -> response::Parts {
    Response::builder()
        .header("content-type", media_type)
        .header("x-request-id", "req_1")
        .body(())
        .expect("legal")
        .into_parts()
        .0
}

fn named(name: &str) -> Dialect {
    dialects::by_name(name).expect("it is shipped")
}

fn event(dialect: &Dialect, event: Option<&str>, data: &[u8]) -> Option<Verdict> {
    let uri = Uri::from_static("/v1/stream");
    Verdict::from_event(dialect, &Method::POST, &uri, &head("text/event-stream"), &Clock::system(), event, data)
}

fn item(dialect: &Dialect, status: u16, headers: &HeaderMap, json: &str) -> Option<Verdict> {
    let status = StatusCode::from_u16(status).expect("a status");
    let uri = Uri::from_static("/batch");
    Verdict::from_item(dialect, &Method::POST, &uri, status, headers, &Clock::system(), json.as_bytes())
}

#[test]
fn an_event_named_error_is_an_error_in_every_dialect() {
    for name in dialects::NAMES {
        let dialect = named(name);
        for data in [&br#"{"message":"x"}"#[..], b"{}", b"", b"gone", b"[1", b"null"] {
            let verdict = event(&dialect, Some("error"), data).unwrap_or_else(|| panic!("{name}"));
            assert!(verdict.is_maybe_processed() && !verdict.is_not_processed(), "{name}: the stream had begun");
        }
        for data in [&br#"{"message":"x"}"#[..], b"{}", b"", b"gone", b"[1", b"[DONE]", b"null", b"\xff"] {
            for quiet in [None, Some(""), Some("message"), Some("Error"), Some("errors"), Some("ping")] {
                assert!(event(&dialect, quiet, data).is_none(), "{name} {quiet:?} {data:?}");
            }
        }
    }
}

#[test]
fn a_rule_for_events_is_for_no_response_and_holds_none() {
    let text = "name = \"own\"\n[[error]]\nnot_null = \"error\"\nwhen = { event = [\"delta*\", \"message\"] }\n[read]\nmessage = \"error\"\n";
    let dialect = Dialect::from_toml("own.toml", text).expect("it is right");
    assert!(!dialect.signals_in_body());
    let data = br#"{"error":"broken"}"#;
    for (name, expected) in [(None, true), (Some("delta"), true), (Some("delta.text"), true), (Some("other"), false)] {
        let verdict = event(&dialect, name, data);
        assert_eq!(verdict.is_some(), expected, "{name:?}");
        let message =
            verdict.as_ref().and_then(Verdict::api_error).and_then(|error| error.message().map(str::to_owned));
        assert_eq!(message.as_deref(), expected.then_some("broken"));
    }
    let head = head("application/json");
    let about = Head::new(200, &head.headers, std::time::SystemTime::UNIX_EPOCH);
    assert_eq!(Signal::new(&dialect, &about).decision(), Decision::Success);
    let uri = Uri::from_static("/");
    assert!(Verdict::from_response(&dialect, &Method::GET, &uri, &head, &Clock::system(), &[data]).is_none());
}

#[test]
fn an_event_without_end_is_read_to_its_bound() {
    let dialect = named("anthropic");
    let long = "x".repeat(1_000_000);
    let data = format!(r#"{{"type":"error","error":{{"type":"overloaded_error","message":"{long}"}}}}"#);
    let verdict = event(&dialect, None, data.as_bytes()).expect("the signal stands at the beginning");
    assert_eq!(verdict.body_read(), 64 * 1024);
    assert_eq!(verdict.class(), Class::Unknown, "of what breaks off no code decides");
    let late = format!(r#"{{"text":"{long}","type":"error"}}"#);
    assert!(event(&dialect, None, late.as_bytes()).is_none());
    let last = "y".repeat(64 * 1024 - 2);
    assert_eq!(
        event(&dialect, Some("error"), format!("\"{last}\"").as_bytes()).map(|verdict| verdict.body_read()),
        Some(64 * 1024)
    );
}

#[test]
fn an_event_has_the_request_id_of_its_response() {
    let verdict =
        event(&named("openai"), None, br#"{"error":{"message":"x","type":"server_error"}}"#).expect("an error");
    let error = verdict.api_error().expect("a server said it");
    assert_eq!((error.request_id(), error.status()), (Some("req_1"), 200));
}

#[test]
fn a_result_of_a_batch_is_judged_by_its_own_status_headers_and_body() {
    let none = HeaderMap::new();
    let elastic = named("elasticsearch");
    let full = r#"{"_index":"i","status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}"#;
    let verdict = item(&elastic, 429, &none, full).expect("an error");
    let error = verdict.api_error().expect("a server said it");
    assert_eq!((verdict.class(), verdict.recovery()), (Class::RateLimited, Recovery::Retry));
    assert_eq!((error.code(), error.message()), (Some("es_rejected_execution_exception"), Some("full")));
    assert!(item(&elastic, 201, &none, r#"{"_index":"i","status":201,"result":"created"}"#).is_none());

    let mut limited = HeaderMap::new();
    limited.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    let body = r#"{"error":{"code":"TooManyRequests","message":"Slower"}}"#;
    let verdict = item(&named("odata"), 429, &limited, body).expect("an error");
    assert_eq!(verdict.hint().map(|hint| hint.delay(std::time::SystemTime::UNIX_EPOCH).as_secs()), Some(10));
    assert_eq!(verdict.api_error().and_then(|error| error.code()), Some("TooManyRequests"));

    let aws = named("aws-json");
    let verdict = item(&aws, 400, &none, r#"{"Code":"ThrottlingError","Message":"Slower"}"#).expect("an error");
    assert_eq!(verdict.api_error().and_then(|error| error.message()), Some("Slower"));
}

#[test]
fn a_batch_with_failed_items_is_a_success_as_a_whole() {
    for (name, status, body) in [
        (
            "elasticsearch",
            200,
            r#"{"took":3,"errors":true,"items":[{"index":{"status":429,"error":{"type":"es_rejected_execution_exception"}}}]}"#,
        ),
        (
            "odata",
            200,
            r#"{"responses":[{"id":"1","status":429,"headers":{"Retry-After":"10"},"body":{"error":{"code":"x"}}}]}"#,
        ),
        ("azure", 200, r#"{"responses":[{"httpStatusCode":429,"content":{"error":{"code":"x"}}}]}"#),
        ("azure", 207, r#"{"value":[{"status":false,"statusCode":409,"errorMessage":"x"}]}"#),
        ("aws-json", 200, r#"{"UnprocessedItems":{"t":[{"PutRequest":{}}]}}"#),
        ("aws-json", 200, r#"{"FailedPutCount":1,"RequestResponses":[{"ErrorCode":"ServiceUnavailableException"}]}"#),
        ("generic", 207, r#"[{"status":500,"error":"x"}]"#),
        ("graphql", 200, r#"[{"errors":[{"message":"x"}]},{"data":{"a":1}}]"#),
    ] {
        let (head, ()) = Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(())
            .expect("legal")
            .into_parts();
        let uri = Uri::from_static("/batch");
        let verdict =
            Verdict::from_response(&named(name), &Method::POST, &uri, &head, &Clock::system(), &[body.as_bytes()]);
        assert!(verdict.is_none(), "{name} {body}");
    }
}
