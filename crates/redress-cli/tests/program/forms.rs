//! `redress explain` on every form in which responses lie around, and what it never prints of them.

use serde_json::{Value, json};

use crate::run;

const BODY: &str = "{\"error\":\"rate_limited\",\"message\":\"Slow down\"}";
/// Stands in each form wherever a credential may stand.
const SECRET: &str = "s3cr3t-t0k3n-0f-s0m3-l3ngth";

fn answers(arguments: &[&str], input: &str) -> Vec<Value> {
    let out = run(&[&["explain", "--json", "--dialect", "veridia"], arguments].concat(), input).quiet();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same response in every form: 429 with `Retry-After: 30` to a POST.
fn forms() -> Vec<(&'static str, String)> {
    let quoted = BODY.replace('"', "\\\"");
    let url = format!("https://api.example.com/v1/verify/init?api_key={SECRET}");
    let sent = format!("Authorization: Bearer {SECRET}\r\nCookie: sid={SECRET}");
    let headers = format!("Retry-After: 30\r\nContent-Type: application/json\r\nSet-Cookie: sid={SECRET}; Path=/");
    let marked = |mark: &str, lines: &str| lines.lines().map(|line| format!("{mark} {line}\r\n")).collect::<String>();
    vec![
        ("curl -i", format!("HTTP/1.1 429 Too Many Requests\r\n{headers}\r\n\r\n{BODY}")),
        ("curl -v", format!(
            "* Connected to api.example.com\n> POST /v1/verify/init?api_key={SECRET} HTTP/2\r\n{}> \r\n< HTTP/2 429 \r\n{}< \r\n\
             {BODY}* Connection #0 to host api.example.com left intact\n",
            marked(">", &sent), marked("<", &headers)
        )),
        ("HTTPie", format!(
            "POST /v1/verify/init?api_key={SECRET} HTTP/1.1\n{sent}\n\n{{\"a\":1}}\n\n\nHTTP/1.1 429 x\n{headers}\n\n{BODY}\n"
        )),
        ("copied", format!(
            "Request URL: {url}\nRequest Method: POST\nStatus Code: 429\nretry-after: 30\nset-cookie: sid={SECRET}\n\n{BODY}"
        )),
        ("copied from Chrome", format!(":status\n429\nretry-after\n30\nset-cookie\nsid={SECRET}\n\n{BODY}")),
        ("HTTP/2", format!(":status: 429\nretry-after: 30\nset-cookie: sid={SECRET}\n\n{BODY}")),
        ("HAR", json!({"log": {"entries": [{"request": {"method": "POST", "url": url, "headers": [
            {"name": "Authorization", "value": format!("Bearer {SECRET}")}], "cookies": [{"name": "sid", "value": SECRET}],
            "queryString": [{"name": "api_key", "value": SECRET}]}, "response": {"status": 429, "headers": [
            {"name": "Retry-After", "value": "30"}, {"name": "Set-Cookie", "value": format!("sid={SECRET}")}],
            "content": {"mimeType": "application/json", "text": BODY}}}]}}).to_string()),
        ("VCR", json!({"http_interactions": [{"request": {"method": "post", "uri": url, "headers": {
            "Authorization": [format!("Bearer {SECRET}")]}}, "response": {"status": {"code": 429, "message": "x"},
            "headers": {"Retry-After": ["30"]}, "body": {"encoding": "UTF-8", "string": BODY}}}]}).to_string()),
        ("record", json!({"status": "429", "headers": [["retry-after", 30]], "body": {"error": "rate_limited",
            "message": "Slow down"}, "request": {"headers": {"x-api-key": SECRET}}}).to_string()),
        ("axios", format!(
            "AxiosError: Request failed with status code 429\n    at settle (/a/b.js:404:12) {{\n  config: {{\n    url: '{url}',\n    \
             method: 'post',\n    headers: {{ Authorization: 'Bearer {SECRET}' }}\n  }},\n  response: {{\n    status: 429,\n    \
             headers: {{ 'retry-after': '30' }},\n    data: {{ error: 'rate_limited', message: 'Slow down' }}\n  }}\n}}"
        )),
        ("axios as JSON", json!({"message": "Request failed", "config": {"method": "post", "url": url, "headers": {
            "Authorization": format!("Bearer {SECRET}")}}, "response": {"status": 429, "headers": {"retry-after": "30"},
            "data": {"error": "rate_limited", "message": "Slow down"}}}).to_string()),
        ("Guzzle", format!(
            "Client error: `POST {url}` resulted in a `429 Too Many Requests` response:\n{BODY}\n"
        )),
        ("OkHttp", format!(
            "D/OkHttp: --> POST {url}\n{}D/OkHttp: --> END POST\nD/OkHttp: <-- 429 {url} (12ms)\n{}D/OkHttp: \nD/OkHttp: {BODY}\n\
             D/OkHttp: <-- END HTTP (24-byte body)\n",
            marked("D/OkHttp:", &sent), marked("D/OkHttp:", &headers)
        )),
        ("nghttp", format!(
            "[  0.01] send HEADERS frame <length=9, flags=0x25, stream_id=13>\n          :method: POST\n\
             \x20         :path: /v1/verify/init?api_key={SECRET}\n          authorization: Bearer {SECRET}\n\
             \x20         cookie: sid={SECRET}\n[  0.02] recv (stream_id=13) :status: 429\n\
             [  0.02] recv (stream_id=13) retry-after: 30\n[  0.02] recv (stream_id=13) set-cookie: sid={SECRET}\n\
             {BODY}[  0.03] recv DATA frame <length=24, flags=0x01, stream_id=13>\n"
        )),
        ("slog", format!("level=ERROR url=\"{url}\" status=429 body=\"{quoted}\"")),
    ]
}

#[test]
fn each_form_of_a_response_has_the_same_answer() {
    for (name, input) in forms() {
        let found = answers(&[], &input);
        assert_eq!(found.len(), 1, "{name}");
        let answer = &found[0];
        assert_eq!(
            (&answer["class"], &answer["code"], &answer["message"]),
            (&json!("rate_limited"), &json!("rate_limited"), &json!("Slow down")),
            "{name}: {answer}"
        );
        let has_headers = !matches!(name, "Guzzle" | "slog");
        assert_eq!(answer["retry_after_ms"], if has_headers { json!(30_000) } else { Value::Null }, "{name}");
    }
    assert_eq!(answers(&["--status", "429"], BODY)[0]["code"], "rate_limited");
    assert_eq!(answers(&["--status", "429"], &format!("retry-after: 30\n\n{BODY}"))[0]["retry_after_ms"], 30_000);
}

#[test]
fn no_credential_of_a_call_is_printed_from_any_form() {
    let leaks = format!("bad key {SECRET} or sid={SECRET} in /v1/verify/init?api_key={SECRET}");
    for (name, input) in forms() {
        let inputs = [
            input.clone(),
            input.replace("Slow down", &leaks),
            // Broken in several places, so that an error is printed in place of an answer.
            input.replace("429", "4x9"),
            input.replacen('{', "(", 1),
            input.chars().take(input.len() / 2).collect(),
            input.replace(": ", " "),
        ];
        // The server of these forms quotes a secret that the form does not hold, so that it cannot be known.
        let is_blind = matches!(name, "curl -i");
        for (nth, input) in inputs.iter().enumerate() {
            for arguments in
                [&["explain"][..], &["explain", "--json"], &["explain", "--jsonl"], &["explain", "--errors"]]
            {
                // Any dialect will do for what is broken, and this one is read in little time.
                let dialect: &[&str] = if nth < 2 { &[] } else { &["--dialect", "vlens"] };
                let ran = run(&[arguments, dialect].concat(), input.as_bytes());
                let shown = format!("{}{}", ran.out, ran.err);
                assert!(is_blind && nth == 1 || !shown.contains(SECRET), "{name} {nth} {arguments:?}: {shown}");
            }
        }
    }
}

#[test]
fn errors_alone_are_printed_on_request() {
    let entry = |status: u16, body: &str| {
        json!({"request": {"method": "GET", "url": "https://api.example.com/v1/x?a=b"},
        "response": {"status": status, "headers": [], "content": {"mimeType": "application/json", "text": body}}})
    };
    let har = json!({"log": {"entries": [entry(200, "{}"), entry(429, BODY), entry(0, ""),
        entry(200, "{\"error_code\":1050,\"error_message\":\"dark\"}"), entry(304, "")]}})
    .to_string();
    let ran = run(&["explain", "--json", "--errors", "--dialect", "vlens"], &*har);
    let ids: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(ids, [1, 3], "a success that signals an error is one");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), "redress: 1 of 5 responses was not usable\n"));
    let out = run(&["explain", "--errors", "--dialect", "vlens"], &*har).out;
    assert!(
        out.starts_with("response 2 of 5  GET api.example.com/v1/x\nclass ") && out.contains("\n\nresponse 4 of 5 "),
        "{out}"
    );
    let all = run(&["explain", "--json", "--dialect", "vlens"], &*har).out;
    assert_eq!(all.lines().count(), 5);
    assert!(all.lines().nth(2).unwrap().starts_with("{\"id\":2,\"error\":\"status: "), "{all}");
    assert_eq!(run(&["explain", "--errors"], "HTTP/1.1 200 OK\n\n").quiet(), "no error among 1 response\n");
    assert_eq!(run(&["explain", "--errors", "--json"], "HTTP/1.1 200 OK\n\n").quiet(), "");
    assert_eq!(
        run(&["explain", "--errors", "--jsonl"], "{\"status\":200}\n{\"status\":404}\n").quiet().lines().count(),
        1
    );
}

#[test]
fn several_responses_have_an_answer_each() {
    let raw = format!("HTTP/1.1 429 x\nA: b\n\n{BODY}\nHTTP/1.1 404 y\nA: b\n\n{{}}\n");
    let lines = format!("{}\n{}\n", json!({"status": 429, "body": BODY}), json!({"status": 404}));
    let array = json!([{"status": 429, "body": BODY}, {"status": 404}]).to_string();
    for input in [raw, lines, array] {
        let classes: Vec<Value> = answers(&[], &input).iter().map(|answer| answer["class"].clone()).collect();
        assert_eq!(classes, ["rate_limited", "not_found"], "{input}");
    }
}

#[test]
fn an_unusable_response_does_not_affect_the_others() {
    let ran = run(&["explain", "--json"], "{\"id\":1,\"status\":404}\n{\"id\":2}\nno\n{\"id\":3,\"status\":404}\n");
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.err, "redress: 2 of 4 responses were not usable\n");
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["id"], &lines[1]["id"], &lines[3]["id"]), (&json!(1), &json!(2), &json!(3)));
    assert!(lines[1]["error"].as_str().unwrap().starts_with("line 2: status: expected a whole number"), "{}", ran.out);
    let none = run(&["explain", "--json"], "{\"id\":1}\n{\"id\":2}\n");
    assert_eq!((none.code, none.out.lines().count()), (Some(2), 2), "none is usable");
    let told = run(&["explain"], "{\"status\":404}\n{\"id\":2}\n").out;
    assert!(told.contains("\n\nresponse 2 of 2\nerror  line 2: status: expected"), "{told}");
}

#[test]
fn a_wait_that_the_library_would_not_make_is_marked() {
    let response = |status: u16, wait: &str| format!("HTTP/1.1 {status} x\nRetry-After: {wait}\n\n");
    for (arguments, input, stop) in [
        (&[][..], response(429, "120"), Value::Null),
        (&[], response(429, "121"), json!("hint_too_long")),
        (&[], response(429, "86400"), json!("hint_too_long")),
        (&["--method", "POST"], response(503, "30"), Value::Null),
        (&["--method", "POST"], "HTTP/1.1 503 x\n\n".to_owned(), json!("not_idempotent")),
        (&["--method", "PUT"], "HTTP/1.1 503 x\n\n".to_owned(), Value::Null),
        (&["--method", "POST"], "HTTP/1.1 400 x\n\n".to_owned(), Value::Null),
        (&[], "POST /x HTTP/1.1\nIdempotency-Key: a\n\nHTTP/1.1 503 x\n\n".to_owned(), Value::Null),
        (&[], "POST /x HTTP/1.1\nA: b\n\nHTTP/1.1 503 x\n\n".to_owned(), json!("not_idempotent")),
    ] {
        let answer = &answers(arguments, &input)[0];
        assert_eq!(answer.get("stop").unwrap_or(&Value::Null), &stop, "{arguments:?} {input}");
    }
    let out = run(&["explain"], response(429, "3600")).quiet();
    assert!(out.contains("\nno retry  the wait is longer than 2 min"), "{out}");
    assert!(!run(&["explain"], response(429, "30")).quiet().contains("\nno retry "));
}

#[test]
fn a_packed_body_is_read_or_said_to_be_packed() {
    // {"error":"rate_limited"}, by `gzip -n`.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x4a\x2d\x2a\xca\x2f\x52\xb2\x52\x2a\x4a\x2c\x49\x8d\xcf\xc9\xcc\
        \xcd\x2c\x49\x4d\x51\xaa\x05\x00\xca\x30\xea\x7a\x18\x00\x00\x00";
    let head = b"HTTP/1.1 429 x\r\ncontent-encoding: gzip\r\n\r\n";
    let arguments = ["explain", "--json", "--dialect", "veridia"];
    for input in [[&head[..], gzip].concat(), [&b"HTTP/1.1 429 x\r\n\r\n"[..], gzip].concat()] {
        let out = run(&arguments, input).quiet();
        assert!(out.contains("\"code\":\"rate_limited\"") && !out.contains("notes"), "{out}");
    }
    let out = run(&[&arguments[..], &["--status", "429"]].concat(), &gzip[..]).quiet();
    assert!(out.contains("\"code\":\"rate_limited\""), "{out}");
    let out = run(&["explain"], &b"HTTP/1.1 429 x\r\ncontent-encoding: br\r\n\r\n\x0b\x02\x80\xff"[..]).quiet();
    assert!(out.contains("\nnote      body: packed with br, and not read; decode it first"), "{out}");
}

#[test]
fn the_receipt_in_a_har_file_is_the_time_to_count_from() {
    let har =
        json!({"log": {"entries": [{"startedDateTime": "2026-01-15T14:29:59.500+02:00", "time": 500.0, "response":
        {"status": 503, "headers": [{"name": "Retry-After", "value": "Thu, 15 Jan 2026 12:31:00 GMT"}]}}]}})
        .to_string();
    let answer = &answers(&[], &har)[0];
    assert_eq!(answer["retry_at"], "2026-01-15T12:31:00Z", "it is not a time that has passed long ago");
}

/// Returns the rows of a summary, its blanks removed.
fn rows(arguments: &[&str], input: &str) -> Vec<String> {
    let out = run(&[&["explain"], arguments].concat(), input).quiet();
    out.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_pause_that_a_success_asks_for_is_shown_with_the_calls_that_wait() {
    let input = "HTTP/1.1 200 OK\nContent-Type: application/json\n\n{\"items\":[],\"backoff\":10}";
    let arguments = ["--dialect", "stackexchange", "--path", "/2.3/questions"];
    assert_eq!(
        rows(&arguments, input),
        [
            "class none: the response is a success status 200",
            "wait 10 s after the response backoff in the body",
            "cooldown calls in the scope `method` with the same resource wait: * /{version}/{resource}/** by the route of the call",
            "dialect stackexchange",
        ]
    );
    let out = run(&[&["explain", "--json"], &arguments[..]].concat(), input).quiet();
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&answer["is_error"], &answer["retry_after_ms"]), (&json!(false), &json!(10_000)));
    let scope =
        json!({"by": "route", "scope": "method", "routes": ["* /{version}/{resource}/**"], "key": ["resource"]});
    assert_eq!(answer["cooldown"], scope);
    // An undeclared one says nothing.
    assert_eq!(rows(&["--dialect", "github"], input)[1..], ["dialect github"]);
}

#[test]
fn the_scope_of_a_cool_down_is_shown() {
    let limited = |headers: &str| format!("HTTP/1.1 429 x\nRetry-After: 30\n{headers}\n{{}}");
    let unavailable = "HTTP/1.1 503 x\nRetry-After: 30\n\n{}".to_owned();
    for (dialect, path, input, expected) in [
        ("generic", "/", limited(""), "cooldown all calls to the host wait"),
        (
            "github",
            "/search/issues",
            "HTTP/1.1 429 x\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1893456000\n\n{}".to_owned(),
            "cooldown calls in the scope `search` wait: * /search/**, * /api/v3/search/** by the route of the call",
        ),
        (
            "github",
            "/search/issues",
            limited("X-RateLimit-Resource: core\n"),
            "cooldown calls in the scope `core` wait: * /** named by the response",
        ),
        (
            "discord",
            "/api/v10/channels/1/messages",
            limited("X-RateLimit-Bucket: abcd\nX-RateLimit-Scope: user\n"),
            "cooldown calls in the same rate-limit bucket wait named by the response",
        ),
        (
            "slack",
            "/api/chat.postMessage",
            limited(""),
            "cooldown calls in the scope `method` with the same method wait: * /api/{method} by the route of the call",
        ),
        ("github", "/search/issues", unavailable, "cooldown all calls to the host wait"),
        ("github", "/user", "HTTP/1.1 503 x\n\n{}".to_owned(), ""),
        ("github", "/user", "HTTP/1.1 404 x\nRetry-After: 30\n\n{}".to_owned(), ""),
    ] {
        let rows = rows(&["--dialect", dialect, "--path", path, "--now", "2029-12-31T23:59:00Z"], &input);
        let shown = rows.iter().find(|row| row.starts_with("cooldown")).map_or("", String::as_str);
        assert_eq!(shown, expected, "{dialect} {path} {input}");
    }
}

#[test]
fn an_event_of_a_stream_is_read_by_its_dialect() {
    let overloaded =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy\"}}\n";
    assert_eq!(
        rows(&["--dialect", "anthropic"], overloaded),
        [
            "class unavailable: the service is unreachable or overloaded the code",
            "recovery retry: send the same request again after a wait",
            "wait 500 ms after the first attempt, then 2 times as long after each, at most 8 s the dialect",
            "no retry the response has begun as a success: a retry is up to the caller redress, by default",
            "guidance Too much load on all; not your limit. the dialect",
            "event error",
            "code overloaded_error error.type in the body",
            "message Busy error.message in the body",
            "dialect anthropic",
        ]
    );
    let stream = format!("event: ping\ndata: {{\"type\":\"ping\"}}\n\n{overloaded}\n");
    let shown = run(&["explain", "--json", "--dialect", "anthropic"], &*stream).quiet();
    let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&shown[0]["is_error"], &shown[0]["event"]), (&json!(false), &json!("ping")));
    assert_eq!((&shown[1]["class"], &shown[1]["event"]), (&json!("unavailable"), &json!("error")));
    assert_eq!(shown[1]["stop"], "stream_has_begun");
    assert_eq!(run(&["explain", "--errors", "--json", "--dialect", "anthropic"], &*stream).quiet().lines().count(), 1);
    let line =
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"old\"}}";
    let out = run(&["explain", "--json", "--event", "message", "--dialect", "kubernetes"], line).quiet();
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&answer["is_error"], &answer["message"]), (&json!(true), &json!("old")), "{out}");
    assert!(!run(&["explain", "--event", "message", "--jsonl"], "").failed().is_empty());
}

#[test]
fn utf_32_is_read_as_an_input_and_as_a_body() {
    let encoded = |text: &str| text.chars().flat_map(|symbol| u32::from(symbol).to_le_bytes()).collect::<Vec<u8>>();
    let head = "HTTP/1.1 429 x\nContent-Type: application/json; charset=utf-32\n\n";
    for input in [encoded(&format!("\u{feff}{head}{BODY}")), [head.as_bytes(), &encoded(BODY)].concat()] {
        let out = run(&["explain", "--json", "--dialect", "veridia"], input).quiet();
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&answer["code"], &answer["message"]), (&json!("rate_limited"), &json!("Slow down")));
    }
}
