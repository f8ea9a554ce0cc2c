//! `redress explain` on raw responses.

use serde_json::{Value, json};

use crate::{TestFile, finish, program, run};

const LIMITED: &str = "HTTP/1.1 429 Too Many Requests\r\nDate: Thu, 15 Jan 2026 12:30:00 GMT\r\nRetry-After: 90\r\n\
    X-Request-Id: req_1\r\nContent-Type: application/json\r\n\r\n\
    {\"error\":\"rate_limited\",\"message\":\"Slow down\",\"requestId\":\"9f51\"}";
const INVALID: &str = "HTTP/2 400 \nContent-Type: application/json\n\n\
    {\"error\":\"invalid_body\",\"message\":\"No\",\
    \"detail\":{\"fieldErrors\":{\"email\":[\"is missing\"],\"age\":[\"is 7\"]}}}";

const VERIDIA: [&str; 3] = ["explain", "--dialect", "veridia"];
const VERIDIA_JSON: [&str; 4] = ["explain", "--json", "--dialect", "veridia"];

fn answer(input: impl Into<Vec<u8>>) -> Value {
    let out = run(&VERIDIA_JSON, input).quiet();
    assert_eq!(out.matches('\n').count(), 1, "{out}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn the_summary_begins_with_class_recovery_and_wait() {
    let out = run(&VERIDIA, LIMITED).quiet();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "class       rate_limited: too many requests in too short a time  the code");
    assert_eq!(lines[1], "recovery    retry: send the same request again after a wait");
    assert_eq!(lines[2], "wait        1 min 30 s after the response                        retry-after header");
    for (line, origin) in [
        ("status      429", ""),
        ("code        rate_limited", "error in the body"),
        ("message     Slow down", "message in the body"),
        ("request id  9f51", "requestId in the body"),
        ("dialect     veridia", ""),
    ] {
        assert!(lines.iter().any(|shown| shown.starts_with(line) && shown.ends_with(origin)), "{line}\n{out}");
    }
    let out = run(&VERIDIA, "HTTP/1.1 404 x\nX-Request-Id: req_1\n\n").quiet();
    assert!(out.contains("\nrequest id  req_1 ") && out.contains("  x-request-id header\n"), "{out}");
}

#[test]
fn the_summary_lists_fields_and_names_a_success() {
    let out = run(&VERIDIA, INVALID).quiet();
    assert!(out.contains("\nfields    email: is missing\n          age: is 7\n"), "{out}");
    let out = run(&VERIDIA, "HTTP/1.1 204 No Content\r\n\r\n").quiet();
    assert_eq!(out, "class    none: the response is a success  status 204\ndialect  veridia\n");
}

#[test]
fn the_summary_states_the_wait_of_the_server_or_of_the_dialect() {
    let out = run(&VERIDIA, "HTTP/1.1 429 x\n\n").quiet();
    assert!(out.contains("\nwait      1 s after the response"), "{out}");
    let out = run(&VERIDIA, "HTTP/1.1 503 x\n\n").quiet();
    assert!(out.contains("\nwait      not stated: use an exponential backoff with jitter\n"), "{out}");
    let out = run(
        &VERIDIA,
        "HTTP/1.1 503 x\ndate: Thu, 15 Jan 2026 12:30:00 GMT\nretry-after: Thu, 15 Jan 2026 12:31:00 GMT\n\n",
    )
    .quiet();
    assert!(out.contains("\nwait      until 2026-01-15T12:31:00Z"), "{out}");
    for passed in ["Thu, 15 Jan 2026 12:29:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "1763650000", "soon"] {
        let head = format!("HTTP/1.1 503 x\ndate: Thu, 15 Jan 2026 12:30:00 GMT\nretry-after: {passed}\n\n");
        let out = run(&VERIDIA, head).quiet();
        assert!(out.contains("\nwait      not stated: "), "{out}");
        assert!(out.contains("ignored: it has passed, is more than 366 days ahead, or cannot be read"), "{out}");
    }
    let out = run(&VERIDIA, "HTTP/1.1 404 x\n\n").quiet();
    assert!(!out.contains("\nwait") && !out.contains("ignored"), "{out}");
}

#[test]
fn the_json_is_one_object() {
    let expected = json!({"id": null, "is_error": true, "class": "rate_limited", "recovery": "retry", "retry": true,
        "code": "rate_limited", "message": "Slow down", "request_id": "9f51", "reason": null, "retry_after_ms": 90_000,
        "retry_at": null, "fields": [], "dialect": "veridia"});
    assert_eq!(answer(LIMITED), expected);
    let expected = json!({"id": null, "is_error": false, "class": null, "recovery": null, "retry": false, "code": null,
        "message": null, "request_id": null, "reason": null, "retry_after_ms": null, "retry_at": null, "fields": [],
        "dialect": "veridia"});
    assert_eq!(answer("HTTP/1.1 204 No Content\r\n\r\n"), expected);
    let fields = json!([{"path": "email", "message": "is missing"}, {"path": "age", "message": "is 7"}]);
    assert_eq!(answer(INVALID)["fields"], fields);
}

#[test]
fn hints_are_delays_or_instants() {
    for (hint, after, at) in [
        ("0.0001", json!(1), Value::Null),
        ("99999999999999999999", Value::Null, Value::Null),
        ("31622400", json!(31_622_400_000_u64), Value::Null),
        ("31622401", Value::Null, Value::Null),
        ("1768480260", json!(60_000), json!("2026-01-15T12:31:00Z")),
        ("1768480260000000", json!(60_000), json!("2026-01-15T12:31:00Z")),
        ("1768480140", Value::Null, Value::Null),
        ("Thu, 15 Jan 2026 12:29:59 GMT", Value::Null, Value::Null),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Value::Null, Value::Null),
        ("Thu, 15 Jan 2026 12:30:00 GMT", json!(0), json!("2026-01-15T12:30:00Z")),
        ("2026-01-15T14:30:00.5+02:00", json!(500), json!("2026-01-15T12:30:00.5Z")),
        ("1m0s", json!(60_000), Value::Null),
        ("soon", Value::Null, Value::Null),
    ] {
        let answer = answer(format!("HTTP/1.1 503 x\nDate: Thu, 15 Jan 2026 12:30:00 GMT\nRetry-After: {hint}\n\n"));
        assert_eq!((&answer["retry_after_ms"], &answer["retry_at"]), (&after, &at), "{hint}");
    }
}

#[test]
fn without_a_date_an_instant_counts_from_the_time_of_receipt() {
    let at = "2026-01-15T12:31:00Z";
    let response = format!("HTTP/1.1 503 x\nRetry-After: {at}\n\n");
    let out = run(&["explain", "--json", "--now", "2026-01-15T12:30:00Z"], response).quiet();
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&answer["retry_after_ms"], &answer["retry_at"]), (&json!(60_000), &json!(at)));
}

#[test]
fn the_last_head_counts_and_the_body_is_taken_as_it_stands() {
    let before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\n\
        HTTP/1.0 200 Connection established\r\n\r\n";
    assert_eq!(answer(format!("{before}{LIMITED}")), answer(LIMITED));
    let decoded = LIMITED.replace("Content-Type", "Transfer-Encoding: chunked\r\nContent-Type");
    assert_eq!(answer(decoded), answer(LIMITED));
    assert_eq!(answer(LIMITED.replace("\r\n", "\n")), answer(LIMITED));
    let packed =
        b"HTTP/1.1 404 x\r\ncontent-encoding: gzip\r\nX-Name: caf\xe9\r\n\r\n\x1f\x8b\x08\x00\x00\xff{\"error\":1}";
    let answer = answer(packed.to_vec());
    assert_eq!(
        (&answer["class"], &answer["code"], &answer["message"]),
        (&json!("not_found"), &Value::Null, &Value::Null)
    );
}

#[test]
fn a_body_in_chunks_reads_the_same() {
    let escaped = "HTTP/1.1 429 x\n\n{\"error\":\"r\\u00e9\",\"message\":\"größer \\ud83d\\ude00\",\
        \"detail\":{\"fieldErrors\":{\"a\":[\"b\"]}}}";
    for response in
        [LIMITED, INVALID, escaped, "HTTP/1.1 502 x\n\n<html>bad</html>", "HTTP/1.1 404 x\n\n", "HTTP/1.1 200 x\n\n[1]"]
    {
        let whole = run(&VERIDIA_JSON, response).quiet();
        let shown = run(&VERIDIA, response).quiet();
        for size in ["1", "2", "3", "4", "5", "6", "7", "1000000"] {
            assert_eq!(run(&[&VERIDIA_JSON[..], &["--chunk", size]].concat(), response).quiet(), whole, "{size}");
            assert_eq!(run(&[&VERIDIA[..], &["--chunk", size]].concat(), response).quiet(), shown, "{size}");
        }
    }
}

#[test]
fn the_input_is_a_file_or_standard_input() {
    let file = TestFile::new("response.txt", LIMITED.as_bytes());
    let from_file = run(&[&VERIDIA[..], &[file.path()]].concat(), "").quiet();
    assert_eq!(from_file, run(&VERIDIA, LIMITED).quiet());
    assert_eq!(from_file, run(&[&VERIDIA[..], &["-"]].concat(), LIMITED).quiet());
}

#[test]
fn the_dialect_is_a_name_or_a_file() {
    let toml = "name = \"acme\"\n[read]\ncode = \"error\"\nmessage = \"message\"\n\
        [codes.rate_limited]\nclass = \"conflict\"\n";
    let file = TestFile::new("acme.toml", toml.as_bytes());
    let out = run(&["explain", "--json", "--dialect", file.path()], LIMITED).quiet();
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&answer["class"], &answer["dialect"]), (&json!("conflict"), &json!("acme")));

    let broken = TestFile::new("broken.toml", b"name = \"acme\"\n[codes.E1]\nclass = \"oops\"\nclasss = 1\n");
    let text = run(&["explain", "--dialect", broken.path()], LIMITED).failed();
    assert!(text.starts_with("redress: the dialect has mistakes\n"), "{text}");
    assert!(text.contains(&format!("{}:3: codes.E1.class: expected one of", broken.path())), "{text}");
    assert!(text.contains(&format!("{}:4: codes.E1.classs: ", broken.path())), "{text}");
    let text = run(&["explain", "--dialect", "acme"], LIMITED).failed();
    assert!(text.starts_with("redress: unknown dialect `acme`, expected a TOML file or one of "), "{text}");
    let text = run(&["explain", "--dialect", "./acme"], LIMITED).failed();
    assert!(text.starts_with("redress: cannot read ./acme: "), "{text}");
}

#[test]
fn an_input_without_a_response_is_reported_at_its_line_and_not_quoted() {
    for (input, problem) in [
        ("HTTP/1.1 404 x\nA b\n\n", "2: expected a header such as `Retry-After: 30`, or an empty line before the body"),
        ("HTTP/1.1 404 x\nA: \x1b[2J\n\n", "2: a: expected a value without control characters"),
        ("{\"error\":1}", "1: the input is JSON without a status; if it is a body, state its status: --status 429"),
    ] {
        assert_eq!(run(&VERIDIA, input).failed(), format!("redress: standard input:{problem}\n"));
    }
    for (input, problem) in [("", "the input is empty"), ("hello", "expected a response, and no status was found")] {
        let text = run(&VERIDIA, input).failed();
        assert!(text.starts_with(&format!("redress: standard input:1: {problem}\naccepted are:\n")), "{text}");
    }
    let text = run(&[&VERIDIA[..], &["./nowhere.txt"]].concat(), "").failed();
    assert!(text.starts_with("redress: cannot read ./nowhere.txt: "), "{text}");
}

#[test]
fn wrong_usage_is_refused() {
    for arguments in [
        &["explain", "--chunk", "0"][..],
        &["explain", "--chunk", "many"],
        &["explain", "--now", "today"],
        &["explain", "--no-such-option"],
        &["explain", "a", "b"],
        &["explain", "--status", "99"],
        &["explain", "--status", "429", "--jsonl"],
        &["no-such-command"],
        &[],
    ] {
        assert!(!run(arguments, "").failed().is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_clock_is_the_servers_or_the_given_one() {
    // Of two hints the longer one counts, and that takes a clock.
    let hints = "Retry-After: 60\nRetry-After: Thu, 15 Jan 2026 12:30:00 GMT\n";
    for (date, now, at) in [
        ("", "2026-01-15T12:28:00Z", json!("2026-01-15T12:30:00Z")),
        ("", "2026-01-15T12:29:30Z", Value::Null),
        ("Date: Thu, 15 Jan 2026 12:28:00 GMT\n", "2026-01-15T12:29:30Z", json!("2026-01-15T12:30:00Z")),
    ] {
        let input = format!("HTTP/1.1 503 x\n{date}{hints}\n");
        let out = run(&[&VERIDIA_JSON[..], &["--now", now]].concat(), input).quiet();
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["retry_at"], at, "{date}{now}");
    }
}

#[test]
fn text_of_the_server_cannot_control_a_terminal() {
    let message = "a\\u001b[2J\\r\\nclass       none\\u007f\\u009b\\u202e\\u2066";
    let input = format!("HTTP/1.1 400 x\n\n{{\"error\":\"x\\ny\",\"message\":\"{message}\"}}");
    let out = run(&VERIDIA, &*input).quiet();
    assert!(out.contains("message   a\\u{1b}[2J\\r\\nclass       none\\u{7f}\\u{9b}\\u{202e}\\u{2066} "), "{out}");
    let json = run(&VERIDIA_JSON, &*input).quiet();
    for text in [&out, &json] {
        assert!(text.chars().all(|symbol| symbol == '\n' || !symbol.is_control()), "{text:?}");
        assert!(!text.contains(['\u{202e}', '\u{2066}']), "{text:?}");
    }
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(answer["message"], "a\u{1b}[2J\r\nclass       none\u{7f}\u{9b}\u{202e}\u{2066}");
}

#[test]
fn colours_are_for_terminals() {
    assert!(!run(&VERIDIA, LIMITED).quiet().contains('\x1b'));
    let forced = |no_color: Option<&str>| {
        let mut command = program(&VERIDIA);
        command.env("CLICOLOR_FORCE", "1").envs(no_color.map(|value| ("NO_COLOR", value)));
        finish(&mut command, LIMITED).quiet()
    };
    assert!(forced(None).contains("\x1b[2mretry-after header\x1b[0m"));
    assert!(!forced(Some("1")).contains('\x1b'));
}
