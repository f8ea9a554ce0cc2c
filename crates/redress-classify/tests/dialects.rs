//! Every shipped dialect reads the responses that its vendor documents: one file of cases each, in `tests/dialects/`.
//!
//! A line is a response and what is expected of it; what a line leaves out is not compared. A line with `event` is one event
//! of a stream, `null` for one without a name and for a line of JSON lines; its body is the event's data. The clock stands
//! at 2026-01-15T12:00:00Z.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::{Method, Response, Uri};
use redress_classify::{Clock, Dialect, Recovery, Verdict, When, dialects};
use redress_envelope::format_date;
use serde_json::{Value, json};

fn clock() -> Clock {
    Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_768_478_400))
}

/// Returns the verdict about the response of a line, its body cut into pieces of `piece` bytes.
fn verdict(dialect: &Dialect, line: &Value, piece: usize) -> Option<Verdict> {
    let status = u16::try_from(line["status"].as_u64().expect("a status")).expect("a status");
    let mut builder = Response::builder().status(status);
    for (name, value) in line["headers"].as_object().into_iter().flatten() {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for value in values {
            builder = builder.header(name, value.as_str().expect("a text"));
        }
    }
    let (head, ()) = builder.body(()).expect("a head").into_parts();
    let method: Method = line["method"].as_str().unwrap_or("GET").parse().expect("a method");
    let uri: Uri = line["path"].as_str().unwrap_or("/").parse().expect("a path");
    let body = line["body"].as_str().unwrap_or_default().as_bytes();
    if let Some(event) = line.get("event") {
        return Verdict::from_event(dialect, &method, &uri, &head, &clock(), event.as_str(), body);
    }
    let pieces: Vec<_> = body.chunks(piece).collect();
    Verdict::from_response(dialect, &method, &uri, &head, &clock(), &pieces)
}

/// Returns a verdict in the form of the files.
fn words(verdict: Option<&Verdict>) -> Value {
    let Some(verdict) = verdict else { return json!({ "is_error": false }) };
    let error = verdict.api_error().expect("a server answered");
    let when = verdict.hint().map(|hint| hint.when());
    json!({
        "is_error": true,
        "class": verdict.class(),
        "recovery": verdict.recovery(),
        "retry": verdict.recovery() == Recovery::Retry,
        "code": error.code(),
        "message": error.message(),
        "request_id": error.request_id(),
        "reason": error.reason(),
        "retry_after_ms": match when { Some(When::After(delay)) => json!(delay.as_millis()), _ => Value::Null },
        "retry_at": match when { Some(When::At(at)) => json!(format_date(at).replace(".000Z", "Z")), _ => Value::Null },
        "fields": error.fields(),
    })
}

/// Compares what a line expects with what was read, and returns the differences.
fn differences(line: &Value, found: &Value) -> Vec<String> {
    let expected = line["expect"].as_object().expect("what is expected");
    let is_error = expected.get("is_error") == Some(&Value::Bool(true));
    let compared = expected.iter().filter(|(name, _)| is_error || *name == "is_error");
    let different = compared.filter(|(name, value)| found.get(name) != Some(value));
    different.map(|(name, value)| format!("{}: {name}: {value}, found {}", line["id"], found[name])).collect()
}

#[test]
fn each_dialect_reads_its_vendors_responses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects");
    let mut wrong = Vec::new();
    let mut ids = BTreeSet::new();
    // The five vendors' documents are tables of their own, in the tests of redress-envelope.
    let five = ["maleslab", "ranex", "veridia", "verilock", "vlens"];
    for name in dialects::NAMES.iter().filter(|name| !five.contains(*name)) {
        let file = folder.join(format!("{name}.jsonl"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let dialect = dialects::by_name(name).expect("it is shipped");
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            assert!(ids.insert(line["id"].to_string()), "{} twice", line["id"]);
            let found = words(verdict(&dialect, &line, usize::MAX).as_ref());
            wrong.extend(differences(&line, &found));
            for piece in [1, 2, 3, 7, 64] {
                assert_eq!(
                    words(verdict(&dialect, &line, piece).as_ref()),
                    found,
                    "{} in pieces of {piece}",
                    line["id"]
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    assert!(ids.len() > 400, "{} cases", ids.len());
}
