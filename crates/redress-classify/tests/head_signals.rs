//! Errors by a header on a success status: read without a hold, whatever the media type.

mod common;

use std::time::Duration;

use common::{Script, Step, answer, classify, data};
use http::{HeaderName, HeaderValue, Response};
use redress_classify::{Class, Clock, DecidedBy, Dialect, Recovery, ResponseExt, Verdict};
use tokio::time::Instant;

fn with(mut response: Response<Script>, headers: &[(&'static str, &'static str)]) -> Response<Script> {
    for (name, value) in headers {
        response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn dialect(text: &str) -> Dialect {
    Dialect::from_toml("own.toml", &format!("name = \"own\"\n{text}")).expect("it is right")
}

fn rpc() -> Dialect {
    dialect(
        r#"
[error]
not_zero = { header = "grpc-status" }

[read]
code = { header = "grpc-status" }
message = { header = "grpc-message" }

[codes.14]
class = "unavailable"
[codes.16]
class = "unauthenticated"
"#,
    )
}

fn jira() -> Dialect {
    dialect(
        r#"
[[error]]
equals = { header = "x-seraph-loginreason", is = ["AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"] }

[[rules]]
when = { header = "x-seraph-loginreason", header_is = ["AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"] }
class = "unauthenticated"
"#,
    )
}

#[tokio::test(start_paused = true)]
async fn a_header_makes_a_success_an_error_whatever_its_media_type_and_its_body() {
    let seraph = "x-seraph-loginreason";
    for (name, dialect, status, headers, steps, expected) in [
        ("an rpc without a body", rpc(), 200, vec![("grpc-status", "14")], vec![], Some(Class::Unavailable)),
        (
            "an rpc with bytes",
            rpc(),
            200,
            vec![("grpc-status", "14"), ("content-type", "application/grpc")],
            vec![data("\0\0")],
            Some(Class::Unavailable),
        ),
        ("a code that is not known", rpc(), 200, vec![("grpc-status", "99")], vec![], Some(Class::Unknown)),
        ("an rpc that went well", rpc(), 200, vec![("grpc-status", "0")], vec![], None),
        ("a leading zero", rpc(), 200, vec![("grpc-status", "00")], vec![], None),
        ("an empty value", rpc(), 200, vec![("grpc-status", "")], vec![], None),
        ("no header", rpc(), 200, vec![], vec![data("{}")], None),
        (
            "a page",
            jira(),
            200,
            vec![(seraph, "AUTHENTICATED_FAILED"), ("content-type", "text/html")],
            vec![data("<html>")],
            Some(Class::Unauthenticated),
        ),
        (
            "an image",
            jira(),
            200,
            vec![(seraph, "AUTHENTICATION_DENIED"), ("content-type", "image/png")],
            vec![data("\u{1}")],
            Some(Class::Unauthenticated),
        ),
        ("another value", jira(), 200, vec![(seraph, "OK")], vec![data("<html>")], None),
        (
            "one of two lines",
            jira(),
            200,
            vec![(seraph, "OK"), (seraph, "AUTHENTICATED_FAILED")],
            vec![],
            Some(Class::Unauthenticated),
        ),
        ("no content", jira(), 204, vec![(seraph, "AUTHENTICATED_FAILED")], vec![], Some(Class::Unauthenticated)),
        (
            "a redirect to a login",
            jira(),
            302,
            vec![(seraph, "AUTHENTICATED_FAILED")],
            vec![],
            Some(Class::Unauthenticated),
        ),
        ("an upgrade", jira(), 101, vec![(seraph, "AUTHENTICATED_FAILED")], vec![], None),
    ] {
        let response = with(answer(status, steps), &headers);
        let verdict = classify(dialect.clone(), response).await.verdict().cloned();
        assert_eq!(verdict.as_ref().map(Verdict::class), expected, "{name}");
        let plain = with(answer(status, []), &headers);
        let by_head = Verdict::from_head(&plain, &dialect, &Clock::system());
        assert_eq!(by_head.map(|verdict| verdict.class()), expected, "{name}, without a Classify layer");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_where_the_head_decides() {
    for (name, dialect, header, is_error) in [
        ("no error", rpc(), ("grpc-status", "0"), false),
        ("no header", jira(), ("x-other", "1"), false),
        ("an error", rpc(), ("grpc-status", "14"), true),
    ] {
        let start = Instant::now();
        let headers = [header, ("content-type", "application/json")];
        let response = with(answer(200, [data("{\"a\":"), Step::Hang]), &headers);
        let response: Response<_> = classify(dialect, response).await;
        // The body of an error is read for 2 s at most; that of a success is not read.
        let most = if is_error { Duration::from_secs(2) } else { Duration::ZERO };
        assert!(start.elapsed() <= most, "{name}: {:?}", start.elapsed());
        assert_eq!(response.verdict().is_some(), is_error, "{name}");
        assert!(is_error || response.verdict().is_none_or(|verdict| verdict.body_read() == 0), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_rule_may_name_headers_beside_members() {
    let mixed = dialect(
        "[error]\nnot_zero = [\"code\", { header = \"x-code\" }]\nis_false = \"ok\"\nwhen = { status = 200 }\n[read]\ncode = [\"code\", { header = \"x-code\" }]\n",
    );
    for (name, header, body, expected) in [
        ("the member", None, r#"{"ok":false,"code":7}"#, true),
        ("the header", Some("7"), r#"{"ok":false}"#, true),
        ("the header, and a member that is 0", Some("7"), r#"{"code":0,"ok":false}"#, true),
        ("neither", Some("0"), r#"{"ok":false,"code":0}"#, false),
        ("the other line does not hold", Some("7"), r#"{"ok":true}"#, false),
    ] {
        let headers: Vec<_> = header.map(|value| ("x-code", value)).into_iter().collect();
        for cut in 1..body.len() {
            let steps = [data(&body[..cut]), data(&body[cut..])];
            let response = with(answer(200, steps), &headers);
            let response = classify(mixed.clone(), response).await;
            assert_eq!(response.verdict().is_some(), expected, "{name}, cut at {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn truth_values_are_those_of_json_and_the_words_of_a_header() {
    let truth = dialect(
        "[[error]]\nis_true = \"failed\"\n[[error]]\nis_false = \"ok\"\n[[error]]\nis_true = { header = \"x-failed\" }\n",
    );
    for (body, header, expected) in [
        (r#"{"failed":true}"#, None, true),
        (r#"{"failed":"true"}"#, None, false),
        (r#"{"failed":"True"}"#, None, false),
        (r#"{"failed":false}"#, None, false),
        (r#"{"failed":"false"}"#, None, false),
        (r#"{"failed":1}"#, None, false),
        (r#"{"failed":null}"#, None, false),
        (r#"{"failed":[true]}"#, None, false),
        (r#"{"ok":false}"#, None, true),
        (r#"{"ok":"false"}"#, None, false),
        (r#"{"ok":"FALSE"}"#, None, false),
        (r#"{"ok":0}"#, None, false),
        (r#"{"ok":true}"#, None, false),
        ("{}", Some("true"), true),
        ("{}", Some("False"), false),
    ] {
        let headers: Vec<_> = header.map(|value| ("x-failed", value)).into_iter().collect();
        let response = with(answer(200, [data(body)]), &headers);
        assert_eq!(classify(truth.clone(), response).await.verdict().is_some(), expected, "{body} {header:?}");
    }
    // `is` takes booleans and numbers, and their texts.
    let values = dialect("[error]\nequals = { path = \"error\", is = [true, 1] }\n");
    for (body, expected) in [
        (r#"{"error":true}"#, true),
        (r#"{"error":"true"}"#, true),
        (r#"{"error":1}"#, true),
        (r#"{"error":"1"}"#, true),
        (r#"{"error":1.0}"#, false),
        (r#"{"error":false}"#, false),
    ] {
        assert_eq!(classify(values.clone(), answer(200, [data(body)])).await.verdict().is_some(), expected, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_may_consist_of_a_header_in_its_conditions() {
    let expired = dialect(
        "[error]\nwhen = { header = \"x-session\", header_is = \"expired\" }\n[[rules]]\nwhen = { header = \"x-session\" }\nclass = \"token_expired\"\n",
    );
    let response = with(answer(200, [data("<html>")]), &[("x-session", "expired")]);
    let verdict = classify(expired.clone(), response).await.verdict().cloned().expect("an error");
    assert_eq!(
        (verdict.class(), verdict.recovery(), verdict.decided_by()),
        (Class::TokenExpired, Recovery::RefreshToken, DecidedBy::Rule)
    );
    let response: Response<Script> = with(answer(200, [data("<html>")]), &[("x-session", "fresh")]);
    assert!(classify(expired, response).await.verdict().is_none());
}

#[test]
fn a_rule_without_a_line_a_header_or_an_event_is_a_mistake() {
    for (text, expected) in [
        ("[error]\nwhen = { status = 200 }\n", "or a header or an event in `when`"),
        ("[error]\nis_true = []\n", "expected at least one"),
        ("[error]\nis_true = { path = \"a\" }\n", "unknown key, expected one of header"),
        ("[error]\nis_true = {}\n", "expected `header`"),
        ("[error]\nequals = { header = \"x-a\" }\n", "expected `path` and `is`, or `header` and `is`"),
        ("[error]\noutside = { range = \"1\" }\n", "expected `path` and `range`, or `header` and `range`"),
        ("[error]\nnot_zero = { header = \"a b\" }\n", "the name of a header"),
    ] {
        let error = Dialect::from_toml("own.toml", &format!("name = \"own\"\n{text}")).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
