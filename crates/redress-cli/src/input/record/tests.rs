use http::{Method, Uri};
use proptest::prelude::*;

use super::*;

fn read(line: &str) -> ParsedResponse<'_> {
    parse(line.as_bytes()).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"))
}

/// Returns the id and the problem of a line that is refused.
fn refused(line: &[u8]) -> (String, String) {
    let Err(refusal) = parse(line) else { panic!("{}", String::from_utf8_lossy(line)) };
    (refusal.id.map(|id| id.get().to_owned()).unwrap_or_default(), refusal.problem)
}

#[test]
fn only_the_status_is_required() {
    let found = read(r#"{"status":404}"#);
    assert!(found.id.is_none() && found.dialect.is_none() && found.call.method.is_none() && found.call.uri.is_none());
    assert_eq!((found.status.as_u16(), found.headers.len(), &*found.body), (404, 0, &b""[..]));
    let nulls = r#"{"id":null,"dialect":null,"method":null,"path":null,"status":404,
        "headers":null,"body":null,"body_base64":null}"#;
    assert!(read(nulls).body.is_empty());
}

#[test]
fn every_member_is_read() {
    let line = r#" {"id":{"a":[1.0]},"dialect":"vlens","method":"post","path":"/v1/a?b=1","status":503,
        "headers":{"Retry-After":"30","X-A":["1"," 2 "],"x-a":"3","x-none":null,"x-latin":"é"},
        "body":"a\nb","more":[]} "#;
    let found = read(line);
    assert_eq!(found.id.as_deref().map(RawValue::get), Some(r#"{"a":[1.0]}"#));
    assert_eq!(found.dialect.as_deref(), Some("vlens"));
    assert_eq!((&found.call.method, found.call.uri.as_ref().map(Uri::path)), (&Some(Method::POST), Some("/v1/a")));
    assert_eq!((found.status.as_u16(), &*found.body), (503, &b"a\nb"[..]));
    let head = found;
    let header = |name: &str| head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    assert_eq!(header("retry-after"), [b"30"]);
    assert_eq!(header("x-a"), [b"1", b"2", b"3"]);
    assert_eq!(header("x-latin"), ["é".as_bytes()]);
    assert_eq!(head.headers.len(), 5);
}

#[test]
fn a_status_is_a_whole_number() {
    for status in ["100", "999", "404.0", "4.04e2", "\"404\"", "\"404 Not Found\"", "{\"code\":404}"] {
        assert!(parse(format!("{{\"status\":{status}}}").as_bytes()).is_ok(), "{status}");
    }
    for status in ["99", "1000", "-404", "404.5", "1e999", "\"4XX\"", "true", "[404]", "{}"] {
        let (id, problem) = refused(format!("{{\"id\":1,\"status\":{status}}}").as_bytes());
        assert_eq!(problem, format!("status: expected a whole number from 100 to 999, found `{status}`"));
        assert_eq!(id, "1");
    }
    assert_eq!(refused(b"{}").1, "status: expected a whole number from 100 to 999, found nothing");
    assert_eq!(refused(b"{\"status\":null}").1, "status: expected a whole number from 100 to 999, found nothing");
}

#[test]
fn a_path_that_is_not_a_uri_is_cut_or_left_out() {
    for (path, expected) in [
        ("/a b", Some("/a")),
        ("", None),
        ("no uri at all", None),
        ("/v1/{id}", Some("/v1/{id}")),
        ("https://a.example/b?c=d", Some("/b")),
    ] {
        let line = serde_json::json!({"status": 404, "path": path}).to_string();
        assert_eq!(read(&line).call.uri.as_ref().map(Uri::path), expected, "{path}");
    }
}

#[test]
fn bytes_come_in_base64() {
    for (text, bytes) in [("", &b""[..]), ("AP8=", b"\x00\xff"), ("AP8", b"\x00\xff"), ("+/==", b"\xfb")] {
        let line = format!("{{\"status\":404,\"body_base64\":\"{text}\"}}");
        let body = parse(line.as_bytes()).map(|found| found.body.into_owned());
        match body {
            Ok(body) => assert_eq!(body, bytes, "{text}"),
            // Bits that no byte holds are no base64.
            Err(refusal) => assert!(text == "+/==" && refusal.problem.starts_with("body_base64: expected base64")),
        }
    }
}

#[test]
fn an_unusable_record_is_refused_with_its_id() {
    for (line, problem) in [
        (r#"{"id":7,"status":404,"body":"a","body_base64":"YQ=="}"#, "expected body or body_base64, found both"),
        (r#"{"id":7,"status":404,"body_base64":"*"}"#, "body_base64: expected base64: "),
        (r#"{"id":7,"status":404,"body_base64":5}"#, "body_base64: expected a text, found a number"),
        (r#"{"id":7,"status":404,"body":"\ud800"}"#, "body: expected a text: "),
        (r#"{"id":7,"status":404,"dialect":["vlens"]}"#, "dialect: expected a text, found a list"),
        (r#"{"id":7,"status":404,"headers":7}"#, "headers: expected an object or a list, found a number"),
        (
            r#"{"id":7,"status":404,"headers":{"a b":"c"}}"#,
            "headers: expected the name of a header, found something else",
        ),
        (
            r#"{"id":7,"status":404,"headers":{"A":"b\u0000"}}"#,
            "headers: a: expected a value without control characters",
        ),
        (
            r#"{"id":7,"status":404,"headers":{"A":"b\r\nc: d"}}"#,
            "headers: a: expected a value without control characters",
        ),
        (
            r#"{"id":7,"status":404,"headers":{"A":{}}}"#,
            "headers.A: expected a text, a number or a list of them, found an object",
        ),
        (r#"{"id":7,"status":404,"status":500}"#, "expected a JSON object: duplicate field `status`"),
    ] {
        let (id, text) = refused(line.as_bytes());
        assert!(text.starts_with(problem), "{line}: {text}");
        assert_eq!(id, "7", "{line}");
    }
}

#[test]
fn a_line_that_is_not_an_object_has_no_id() {
    for (line, problem) in [
        (&b"[1,2]"[..], "expected a JSON object, found a list"),
        (b"null", "expected a JSON object, found null"),
        (b"HTTP/1.1 404", "expected a JSON object, expected value at column 1"),
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
    assert_eq!(
        refused(line.as_bytes()),
        ("7".to_owned(), "headers: expected fewer headers, found too many".to_owned())
    );
}

/// Every shape holds the same response: 429 with `retry-after: 30`, and a body.
#[test]
fn a_response_is_read_as_other_tools_write_it() {
    let body = r#"{"error":"rate_limited"}"#;
    for line in [
        r#"{"status":429,"headers":{"retry-after":30},"body":{"error":"rate_limited"}}"#,
        r#"{"status":"429","headers":[["Retry-After","30"]],"body":"{\"error\":\"rate_limited\"}"}"#,
        r#"{"statusCode":429,"headers":{"retry-after":["30"]},"body":"eyJlcnJvciI6InJhdGVfbGltaXRlZCJ9","isBase64Encoded":true}"#,
        r#"{"status_code":429,"headers":{"retry-after":"30"},"text":"{\"error\":\"rate_limited\"}","reason":"Too Many Requests"}"#,
        // axios, `JSON.stringify(error.response)`
        r#"{"data":{"error":"rate_limited"},"status":429,"statusText":"Too Many Requests","headers":{"retry-after":"30"},"config":{"method":"post","url":"https://a.example/v1"}}"#,
        // HAR
        r#"{"request":{"method":"POST","url":"https://a.example/v1","headers":[]},"response":{"status":429,"statusText":"x",
            "headers":[{"name":"retry-after","value":"30"}],"content":{"size":1,"mimeType":"application/json","text":"{\"error\":\"rate_limited\"}"}}}"#,
        // VCR
        r#"{"request":{"method":"post","uri":"https://a.example/v1"},"response":{"status":{"code":429,"message":"x"},
            "headers":{"Retry-After":["30"]},"body":{"encoding":"UTF-8","string":"{\"error\":\"rate_limited\"}"}}}"#,
        // nock, whose `body` is that of the request
        r#"{"scope":"https://a.example:443","method":"POST","path":"/v1","body":{"error":"mine"},"status":429,
            "response":{"error":"rate_limited"},"rawHeaders":["Retry-After","30"]}"#,
        // Postman
        r#"{"name":"x","originalRequest":{"method":"POST","url":{"raw":"https://a.example/v1"}},"status":"Too Many Requests","code":429,
            "header":[{"key":"Retry-After","value":"30"}],"body":"{\"error\":\"rate_limited\"}"}"#,
        // mitmproxy
        r#"{"request":{"method":"POST","path":"/v1","headers":[["a","b"]]},"response":{"status_code":429,"reason":"x",
            "headers":[["Retry-After","30"]],"content":"{\"error\":\"rate_limited\"}"}}"#,
        // pino
        r#"{"level":50,"time":1,"err":{"type":"AxiosError","message":"no","response":{"status":429,"headers":{"retry-after":"30"},
            "data":{"error":"rate_limited"}}},"msg":"no"}"#,
        // WireMock
        r#"{"request":{"method":"POST","url":"/v1"},"response":{"status":429,"headers":{"Retry-After":"30"},"jsonBody":{"error":"rate_limited"}}}"#,
        // ECS
        r#"{"message":"no","http":{"request":{"method":"POST"},"response":{"status_code":429,"headers":{"retry-after":"30"},
            "body":{"content":"{\"error\":\"rate_limited\"}","bytes":24}}}}"#,
        r#"{"status":429,"rawHeaders":["Retry-After","30"],"response":["7b226572726f72223a2272617465","5f6c696d69746564227d"]}"#,
        r#"{"headers":{":status":"429","retry-after":"30"},"body":{"error":"rate_limited"}}"#,
    ] {
        let found = read(line);
        assert_eq!(found.status.as_u16(), 429, "{line}");
        assert_eq!(found.headers.get("retry-after").map(HeaderValue::as_bytes), Some(&b"30"[..]), "{line}");
        assert_eq!(String::from_utf8_lossy(&found.body), body, "{line}");
        if line.contains("https://") {
            assert_eq!(found.call.method, Some(Method::POST), "{line}");
        }
    }
}

#[test]
fn the_call_beside_a_response_is_read_wherever_it_stands() {
    for line in [
        r#"{"status":404,"method":"post","url":"https://a.example/v1/x?api_key=abcdefgh"}"#,
        r#"{"status":404,"operation":"POST /v1/x"}"#,
        r#"{"status":404,"request":"POST /v1/x HTTP/1.1"}"#,
        r#"{"status":404,"request":{"method":"POST","url":{"raw":"https://a.example/v1/x"}}}"#,
        r#"{"httpMethod":"POST","path":"/v1/x","statusCode":"404"}"#,
        r#"{"message":"Request failed","name":"AxiosError","config":{"method":"post","url":"/v1/x"},"code":"ERR_BAD_REQUEST","status":404}"#,
        r#"{"response":{"status":404,"request":{"method":"POST","path":"/v1/x"}}}"#,
    ] {
        let ParsedRequest { method, uri, .. } = read(line).call;
        assert_eq!((method, uri.as_ref().map(Uri::path)), (Some(Method::POST), Some("/v1/x")), "{line}");
    }
}

#[test]
fn members_of_a_clients_error_are_not_a_body() {
    for line in [
        r#"{"message":"Request failed","name":"AxiosError","config":{"data":"{\"error\":1}"},"code":"ERR_BAD_REQUEST","status":404}"#,
        r#"{"level":50,"msg":"no","status":404,"data":{"a":1}}"#,
        r#"{"level":50,"err":{"message":"no","status":404,"config":{"data":"x"}}}"#,
    ] {
        assert_eq!((read(line).status.as_u16(), read(line).body.len()), (404, 0), "{line}");
    }
}

#[test]
fn an_error_of_an_api_is_not_a_record() {
    for (json, expected) in [
        (r#"{"type":"about:blank","title":"No","status":404}"#, false),
        (r#"{"statusCode":404,"message":"No","error":"Not Found"}"#, false),
        (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, false),
        (r#"{"status":"fail","data":{"a":"b"}}"#, false),
        (r#"{"status":404,"code":"not_found"}"#, false),
        (r#"{"status":404}"#, true),
        (r#"{"id":1,"status":404,"dialect":"vlens","body":null}"#, true),
        (r#"{"response":{"status":404}}"#, true),
        (r#"{"status":404,"headers":{},"detail":"x"}"#, true),
    ] {
        assert_eq!(is_record(serde_json::from_str(json).unwrap()), expected, "{json}");
    }
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
            Ok(record) => prop_assert_eq!(record.status.as_u16(), 404),
            Err(refusal) => prop_assert!(!refusal.problem.is_empty()),
        }
    }
}
