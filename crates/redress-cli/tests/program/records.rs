//! `redress explain --jsonl`.

use serde_json::{Value, json};

use crate::{TestFile, run};

const JSONL: [&str; 4] = ["explain", "--jsonl", "--dialect", "veridia"];

/// Returns the answers, and what was said beside them.
fn answers(input: impl Into<Vec<u8>>) -> (Vec<Value>, String) {
    let ran = run(&JSONL, input);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    (ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), ran.err)
}

fn one(record: &Value) -> Value {
    let (answers, note) = answers(format!("{record}\n"));
    assert_eq!((answers.len(), note.as_str()), (1, ""), "{record}");
    answers[0].clone()
}

#[test]
fn each_record_has_its_answer_in_the_same_order() {
    let records = [
        json!({"id": "a", "status": 429, "headers": {"RETRY-AFTER": "2"},
            "body": "{\"error\":\"rate_limited\",\"message\":\"é\\n\"}"}),
        json!({"id": "b", "dialect": "vlens", "status": 200,
            "body": "{\"error_code\":1050,\"error_message\":\"dark\"}"}),
        json!({"id": "c", "status": 200, "body": "{}"}),
    ];
    let input = records.map(|record| record.to_string()).join("\n");
    let (answers, note) = answers(input);
    assert_eq!(note, "");
    let expected = [
        json!({"id": "a", "is_error": true, "class": "rate_limited", "recovery": "retry", "retry": true,
            "code": "rate_limited", "message": "é\n", "request_id": null, "reason": null, "retry_after_ms": 2000,
            "retry_at": null, "fields": [], "dialect": "veridia"}),
        json!({"id": "b", "is_error": true, "class": "rejected", "recovery": "new_input", "retry": false,
            "code": "1050", "message": "dark", "request_id": null, "reason": null, "retry_after_ms": null,
            "retry_at": null, "fields": [], "dialect": "vlens"}),
        json!({"id": "c", "is_error": false, "class": null, "recovery": null, "retry": false, "code": null,
            "message": null, "request_id": null, "reason": null, "retry_after_ms": null, "retry_at": null, "fields": [],
            "dialect": "veridia"}),
    ];
    assert_eq!(answers, expected);
}

#[test]
fn an_answer_has_its_members_in_the_documented_order() {
    let out = run(&JSONL, "{\"status\":404}").quiet();
    assert_eq!(
        out,
        "{\"id\":null,\"is_error\":true,\"class\":\"not_found\",\"recovery\":\"fix_request\",\"retry\":false,\
         \"code\":null,\"message\":null,\
         \"request_id\":null,\"reason\":null,\"retry_after_ms\":null,\"retry_at\":null,\"fields\":[],\
         \"dialect\":\"veridia\"}\n"
    );
}

#[test]
fn an_id_comes_back_as_it_is() {
    for id in ["1.0", "123456789012345678901234567890", "\"\\u0041\"", "[1, {\"a\": null}]", "null", "true"] {
        let out = run(&JSONL, format!("{{\"id\": {id} ,\"status\":404}}")).quiet();
        assert!(out.starts_with(&format!("{{\"id\":{id},\"is_error\"")), "{out}");
        let out = run(&JSONL, format!("{{\"status\":\"x\",\"id\": {id} }}")).out;
        assert!(out.starts_with(&format!("{{\"id\":{id},\"error\"")), "{out}");
    }
}

#[test]
fn a_body_is_text_or_base64() {
    // {"error":"rate_limited"}
    let bytes = one(&json!({"status": 400, "body_base64": "eyJlcnJvciI6InJhdGVfbGltaXRlZCJ9"}));
    assert_eq!(bytes["code"], "rate_limited");
    let packed =
        one(&json!({"status": 404, "headers": {"content-encoding": "gzip"}, "body_base64": "H4sIAAAAAAAA/w=="}));
    assert_eq!((&packed["class"], &packed["code"]), (&json!("not_found"), &Value::Null));
    for nothing in [json!({"status": 404}), json!({"status": 404, "body": null}), json!({"status": 404, "body": ""})] {
        assert_eq!(one(&nothing)["class"], "not_found");
    }
}

#[test]
fn headers_are_texts_or_lists_in_any_case() {
    for (headers, after) in [
        (json!({"Retry-After": "2"}), 2_000),
        (json!({"rEtRy-aFtEr": ["2", "7", "3"]}), 7_000),
        (json!({"retry-after": "2", "Retry-After": " 5 "}), 5_000),
    ] {
        assert_eq!(one(&json!({"status": 503, "headers": headers}))["retry_after_ms"], after, "{headers}");
    }
}

#[test]
fn an_unusable_record_is_answered_and_does_not_stop_the_others() {
    let good = "{\"id\":\"good\",\"status\":404}";
    let bad: [(&[u8], Value, &str); 11] = [
        (b"{\"id\":1}", json!(1), "status: expected a whole number from 100 to 999, found nothing"),
        (
            b"{\"id\":2,\"status\":\"4XX\"}",
            json!(2),
            "status: expected a whole number from 100 to 999, found `\"4XX\"`",
        ),
        (b"{\"id\":3,\"status\":99}", json!(3), "status: expected a whole number from 100 to 999, found `99`"),
        (b"{\"id\":4,\"status\":1000}", json!(4), "status: expected a whole number from 100 to 999, found `1000`"),
        (b"{\"id\":5,\"status\":404.5}", json!(5), "status: expected a whole number from 100 to 999, found `404.5`"),
        (
            b"{\"id\":6,\"status\":404,\"dialect\":\"acme\"}",
            json!(6),
            "dialect: expected one that `redress dialects` lists, found `acme`",
        ),
        (
            b"{\"id\":7,\"status\":404,\"dialect\":\"./acme.toml\"}",
            json!(7),
            "dialect: expected one that `redress dialects` lists, found `./acme.toml`",
        ),
        (
            b"{\"id\":9,\"status\":404,\"body\":\"\",\"body_base64\":\"\"}",
            json!(9),
            "expected body or body_base64, found both",
        ),
        (
            b"{\"id\":10,\"status\":404,\"headers\":{\"a b\":\"c\"}}",
            json!(10),
            "headers: expected the name of a header, found something else",
        ),
        (b"[1]", Value::Null, "expected a JSON object, found a list"),
        (
            b"{\"id\":12,\"body\":\"\xff\"}",
            Value::Null,
            "expected UTF-8, found something else at byte 18; bytes go into body_base64",
        ),
    ];
    let mut input = format!("{good}\n").into_bytes();
    for (line, ..) in &bad {
        input.extend_from_slice(line);
        input.extend_from_slice(format!("\n{good}\n").as_bytes());
    }
    let (answers, note) = answers(input);
    assert_eq!(answers.len(), 23);
    for (nth, (_, id, problem)) in bad.iter().enumerate() {
        let error = format!("line {}: {problem}", nth * 2 + 2);
        assert_eq!(answers[nth * 2 + 1], json!({"id": id, "error": error}));
        assert_eq!(answers[nth * 2 + 2]["id"], "good");
    }
    assert_eq!(note, "redress: 11 of 23 records were not usable, the first in line 2: see `error`\n");
}

#[test]
fn blank_lines_and_ends_of_lines_do_not_matter() {
    let record = "{\"id\":1,\"status\":404}";
    let (answers, note) = answers(format!("\u{feff}{record}\r\n\r\n \t\n{record}\n\n{record}"));
    assert_eq!((answers.len(), note.as_str()), (3, ""));
    assert!(answers.iter().all(|answer| answer["id"] == 1));
    assert_eq!(run(&JSONL, "").quiet(), "");
}

#[test]
fn a_record_may_name_the_dialect_of_the_option() {
    let file = TestFile::new("own.toml", b"name = \"acme\"\n[read]\ncode = \"c\"\nmessage = \"m\"\n");
    let input = "{\"status\":404,\"dialect\":\"acme\"}\n{\"status\":404}\n{\"status\":404,\"dialect\":\"veridia\"}\n";
    let out = run(&["explain", "--jsonl", "--dialect", file.path()], input).quiet();
    let names: Vec<Value> =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["dialect"].clone()).collect();
    assert_eq!(names, ["acme", "acme", "veridia"]);
}

#[test]
fn bodies_in_chunks_read_the_same() {
    let record = json!({"id": 1, "dialect": "vlens", "status": 200,
        "body": "{\"error_code\":\"10\\u0035\\u0030\",\"error_message\":\"größer\"}"});
    let input = format!("{record}\n{}\n", json!({"id": 2, "status": 500, "body": "{\"error\":\"internal\"}"}));
    let whole = run(&JSONL, &*input).quiet();
    assert!(whole.contains("\"code\":\"1050\""), "{whole}");
    for size in 1..=7 {
        assert_eq!(run(&[&JSONL[..], &["--chunk", &size.to_string()]].concat(), &*input).quiet(), whole, "{size}");
    }
}

#[test]
fn method_and_path_may_be_anything() {
    for path in ["/v1/a", "no uri at all", "", "https://api.example.com/v1/a?b"] {
        assert_eq!(one(&json!({"status": 404, "method": "post", "path": path}))["class"], "not_found", "{path}");
    }
}

#[test]
fn json_beside_jsonl_changes_nothing() {
    let input = "{\"status\":404}\n";
    assert_eq!(run(&[&JSONL[..], &["--json"]].concat(), input).quiet(), run(&JSONL, input).quiet());
}
