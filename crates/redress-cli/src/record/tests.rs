use http::header::HeaderValue;
use proptest::prelude::*;

use super::*;

fn read(line: &str) -> Record<'_> {
    parse(line.as_bytes()).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"))
}

/// Returns the id and the problem of a line that is refused.
fn refused(line: &[u8]) -> (String, String) {
    let Err(refusal) = parse(line) else { panic!("{}", String::from_utf8_lossy(line)) };
    (refusal.id.map(|id| id.get().to_owned()).unwrap_or_default(), refusal.problem)
}

#[test]
fn only_the_status_is_required() {
    let record = read(r#"{"status":404}"#);
    assert!(record.id.is_none() && record.dialect.is_none());
    let Exchange { method, uri, head, body } = record.exchange;
    assert_eq!(
        (method, uri.path(), head.status.as_u16(), head.headers.len(), &*body),
        (Method::GET, "/", 404, 0, &b""[..])
    );
    let nulls = r#"{"id":null,"dialect":null,"method":null,"path":null,"status":404,
        "headers":null,"body":null,"body_base64":null}"#;
    assert!(read(nulls).exchange.body.is_empty());
}

#[test]
fn every_member_is_read() {
    let line = r#" {"id":{"a":[1.0]},"dialect":"vlens","method":"post","path":"/v1/a?b=1","status":503,
        "headers":{"Retry-After":"30","X-A":["1"," 2 "],"x-a":"3","x-none":null,"x-latin":"é"},
        "body":"a\nb","more":[]} "#;
    let record = read(line);
    assert_eq!(record.id.map(RawValue::get), Some(r#"{"a":[1.0]}"#));
    assert_eq!(record.dialect.as_deref(), Some("vlens"));
    let Exchange { method, uri, head, body } = record.exchange;
    assert_eq!((method, uri.path(), head.status.as_u16(), &*body), (Method::POST, "/v1/a", 503, &b"a\nb"[..]));
    let header = |name: &str| head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    assert_eq!(header("retry-after"), [b"30"]);
    assert_eq!(header("x-a"), [b"1", b"2", b"3"]);
    assert_eq!(header("x-latin"), ["é".as_bytes()]);
    assert_eq!(head.headers.len(), 5);
}

#[test]
fn a_status_is_a_whole_number() {
    for status in ["100", "999", "404.0", "4.04e2"] {
        assert!(parse(format!("{{\"status\":{status}}}").as_bytes()).is_ok(), "{status}");
    }
    for status in ["99", "1000", "-404", "404.5", "1e999", "\"404\"", "true", "[404]", "{}"] {
        let (id, problem) = refused(format!("{{\"id\":1,\"status\":{status}}}").as_bytes());
        assert_eq!(problem, format!("status: expected a whole number from 100 to 999, found `{status}`"));
        assert_eq!(id, "1");
    }
    assert_eq!(refused(b"{}").1, "status: expected a whole number from 100 to 999, found nothing");
    assert_eq!(refused(b"{\"status\":null}").1, "status: expected a whole number from 100 to 999, found nothing");
}

#[test]
fn a_path_that_is_no_uri_is_the_root() {
    for (path, expected) in
        [("/a b", "/"), ("", "/"), ("/v1/{id}", "/v1/{id}"), ("https://a.example/b", "/b"), ("/ü\u{1}", "/")]
    {
        let line = serde_json::json!({"status": 404, "path": path}).to_string();
        assert_eq!(read(&line).exchange.uri.path(), expected, "{path}");
    }
}

#[test]
fn bytes_come_in_base64() {
    for (text, bytes) in [("", &b""[..]), ("AP8=", b"\x00\xff"), ("AP8", b"\x00\xff"), ("+/==", b"\xfb")] {
        let line = format!("{{\"status\":404,\"body_base64\":\"{text}\"}}");
        let body = parse(line.as_bytes()).map(|record| record.exchange.body.into_owned());
        match body {
            Ok(body) => assert_eq!(body, bytes, "{text}"),
            // Bits that no byte holds are no base64.
            Err(refusal) => assert!(text == "+/==" && refusal.problem.starts_with("body_base64: expected base64")),
        }
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_its_id() {
    for (line, problem) in [
        (r#"{"id":7,"status":404,"body":{"a":1}}"#, r#"body: expected a text, found `{"a":1}`"#),
        (r#"{"id":7,"status":404,"body":"a","body_base64":"YQ=="}"#, "expected body or body_base64, found both"),
        (r#"{"id":7,"status":404,"body_base64":"*"}"#, "body_base64: expected base64: "),
        (r#"{"id":7,"status":404,"body_base64":5}"#, "body_base64: expected a text, found `5`"),
        (r#"{"id":7,"status":404,"body":"\ud800"}"#, "body: expected a text: "),
        (r#"{"id":7,"status":404,"method":"GE T"}"#, "method: expected one such as `GET`, found `GE T`"),
        (r#"{"id":7,"status":404,"method":""}"#, "method: expected one such as `GET`, found nothing"),
        (r#"{"id":7,"status":404,"path":1}"#, "path: expected a text, found `1`"),
        (r#"{"id":7,"status":404,"dialect":["vlens"]}"#, "dialect: expected a text, found `[\"vlens\"]`"),
        (r#"{"id":7,"status":404,"headers":[]}"#, "headers: expected an object, found `[]`"),
        (r#"{"id":7,"status":404,"headers":{"a b":"c"}}"#, "headers: expected the name of a header, found `a b`"),
        (r#"{"id":7,"status":404,"headers":{"":"c"}}"#, "headers: expected the name of a header, found nothing"),
        (
            r#"{"id":7,"status":404,"headers":{"A":"b\u0000"}}"#,
            "headers.a: expected a value without control characters",
        ),
        (
            r#"{"id":7,"status":404,"headers":{"A":"b\r\nc: d"}}"#,
            "headers.a: expected a value without control characters",
        ),
        (r#"{"id":7,"status":404,"headers":{"A":5}}"#, "headers.a: expected a text or a list of texts, found `5`"),
        (r#"{"id":7,"status":404,"headers":{"A":["b",5]}}"#, "headers.a: expected a text, found `5`"),
        (r#"{"id":7,"status":404,"status":500}"#, "expected a JSON object: duplicate field `status` at column "),
    ] {
        let (id, text) = refused(line.as_bytes());
        assert!(text.starts_with(problem), "{line}: {text}");
        assert_eq!(id, "7", "{line}");
    }
}

#[test]
fn what_is_no_record_at_all_has_no_id() {
    for (line, problem) in [
        (&b"[1,2]"[..], "expected a JSON object, found `[1,2]`"),
        (b"null", "expected a JSON object, found `null`"),
        (b"HTTP/1.1 404", "expected a JSON object, found `HTTP/1.1 404`"),
        (b"{\"id\":7,\"status\":404", "expected a JSON object: EOF while parsing an object at column "),
        (b"{\"id\":7,\"status\":404} x", "expected a JSON object: trailing characters at column "),
        (b"{\"id\":7,\"body\":\"\xff\"}", "expected UTF-8, found something else at byte 17; bytes go into body_base64"),
    ] {
        let (id, text) = refused(line);
        assert!(text.starts_with(problem), "{text}");
        assert_eq!(id, "");
    }
}

#[test]
fn too_many_headers_are_an_error_and_no_panic() {
    let headers: serde_json::Map<_, _> = (0..40_000).map(|nth| (format!("a{nth}"), "b".into())).collect();
    let line = serde_json::json!({"id": 7, "status": 404, "headers": headers}).to_string();
    assert_eq!(refused(line.as_bytes()), ("7".to_owned(), "headers: expected fewer, found too many".to_owned()));
}

proptest! {
    #[test]
    fn any_line_gives_a_record_or_a_refusal(
        scraps in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"id\":1", "\"status\":404", "\"headers\":{\"a\":\"b\"}",
            "\"body\":\"\\u00",
            "null", "1e9", "\\", "é", " ",
        ]), 0..12)
    ) {
        let line = scraps.concat();
        match parse(line.as_bytes()) {
            Ok(record) => prop_assert_eq!(record.exchange.head.status.as_u16(), 404),
            Err(refusal) => prop_assert!(!refusal.problem.is_empty()),
        }
    }
}
