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

/// Returns the dialects that have a file of cases, each with its lines.
fn cases() -> Vec<(Dialect, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects");
    // The five vendors' documents are tables of their own, in the tests of redress-envelope.
    let five = ["maleslab", "ranex", "veridia", "verilock", "vlens"];
    let names = dialects::NAMES.iter().filter(|name| !five.contains(*name));
    let read = |name: &&str| {
        let file = folder.join(format!("{name}.jsonl"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        (dialects::by_name(name).expect("it is shipped"), lines)
    };
    names.map(read).collect()
}

#[test]
fn each_dialect_reads_its_vendors_responses() {
    let mut wrong = Vec::new();
    let mut ids = BTreeSet::new();
    for (dialect, lines) in cases() {
        for line in lines {
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

/// Bodies of ordinary successes, with the words of errors at their usual places.
const SUCCESSES: [&str; 18] = [
    "",
    "{}",
    "[]",
    "null",
    "7",
    "\"error\"",
    r#"{"id":1,"name":"a"}"#,
    r#"{"ok":true,"error":null}"#,
    r#"{"success":true,"error":null,"errors":[],"data":{"id":1}}"#,
    r#"{"error":null,"error_code":null,"error_message":"","message":"done"}"#,
    r#"{"status":"error","reason":"x","code":500,"message":"of the job, not of the call"}"#,
    r#"{"status":"failed","failure_code":"card_declined","last_error":null}"#,
    r#"{"data":{"errors":[{"code":"x"}],"error":"y"},"errors":null}"#,
    r#"{"items":[{"status":500,"error":{"code":"x","message":"y"}}],"total":1}"#,
    r#"[{"code":"x","message":"y","error":"z"}]"#,
    r#"{"json":{"errors":[]},"Fault":null,"fault":null}"#,
    "<?xml version=\"1.0\"?><Result><Error>x</Error><Fault>y</Fault></Result>",
    "Error: none",
];

#[test]
fn no_dialect_takes_an_ordinary_success_for_an_error() {
    for dialect in dialects::NAMES.iter().filter_map(|name| dialects::by_name(name)) {
        for body in SUCCESSES {
            let media_type = match body.as_bytes().first() {
                Some(b'<') => "application/xml",
                Some(b'E') => "text/plain",
                _ => "application/json",
            };
            for method in ["GET", "POST"] {
                let headers = json!({ "content-type": media_type, "x-ratelimit-remaining": "0", "retry-after": "30" });
                let line = json!({ "status": 200, "method": method, "headers": headers, "body": body });
                assert!(verdict(&dialect, &line, 7).is_none(), "{}: {method} {body}", dialect.name());
            }
        }
    }
}

#[test]
fn a_dialect_that_reads_the_status_alone_takes_no_vendors_success_for_an_error() {
    let cases = cases();
    let successes =
        || cases.iter().flat_map(|(_, lines)| lines).filter(|line| line["expect"] == json!({ "is_error": false }));
    let mut read = 0;
    for (dialect, _) in cases.iter().filter(|(dialect, _)| !dialect.signals_in_body()) {
        for line in successes().filter(|line| line["headers"].get("x-seraph-loginreason").is_none()) {
            read += 1;
            let found = verdict(dialect, line, usize::MAX);
            let is_for_events = line.get("event").is_some();
            assert!(found.is_none() || is_for_events, "{} takes {} for an error", dialect.name(), line["id"]);
        }
    }
    assert!(read > 5_000, "{read} readings");
}

/// The codes whose requests were rejected before they were processed, as each vendor documents; those of a base are named once.
const NOT_PROCESSED: &[&str] = &[
    "aws-json LimitExceededException",
    "aws-json PriorRequestNotComplete",
    "aws-json ProvisionedThroughputExceededException",
    "aws-json RequestLimitExceeded",
    "aws-json RequestThrottled",
    "aws-json RequestThrottledException",
    "aws-json ThrottledException",
    "aws-json Throttling",
    "aws-json ThrottlingException",
    "aws-json TooManyRequestsException",
    "aws-json TransactionInProgressException",
    "docusign API_REQUEST_IS_THROTTLED",
    "docusign BURST_APIINVOCATION_LIMIT_EXCEEDED",
    "docusign HOURLY_APIINVOCATION_LIMIT_EXCEEDED",
    "facebook 17",
    "facebook 32",
    "facebook 4",
    "facebook 613",
    "graphql RATELIMITED",
    "graphql RATE_LIMITED",
    "graphql RATE_LIMIT_EXCEEDED",
    "graphql THROTTLED",
    "graphql TOO_MANY_REQUESTS",
    "monday COMPLEXITY_BUDGET_EXHAUSTED",
    "monday ComplexityException",
    "postgrest PGRST003",
    "shopify THROTTLED",
    "slack rate_limited",
    "slack ratelimited",
    "veridia rate_limited",
];

/// The cases in which a rule or a status of the dialect says the same.
const NOT_PROCESSED_BY_RULE: &[&str] = &[
    "facebook-throttled-account",
    "github-primary-limit",
    "github-primary-limit-as-429",
    "github-secondary-limit",
    "github-secondary-limit-by-message",
    "google-array-of-errors",
    "google-older-form-rate",
    "google-retry-info",
    "openrouter-in-flight-budget",
    "salesforce-concurrent-limit",
];

#[test]
fn nothing_but_these_codes_and_rules_lets_a_post_be_sent_again() {
    let (mut all, mut codes) = (BTreeSet::new(), BTreeSet::new());
    let mut ruled = BTreeSet::new();
    for dialect in dialects::NAMES.iter().filter_map(|name| dialects::by_name(name)) {
        let flagged: Vec<_> = dialect.codes().filter(|code| code.not_processed).collect();
        all.extend(flagged.iter().map(|code| format!("{} {}", dialect.name(), code.code)));
        let file = dialects::toml(dialect.name()).expect("it is shipped");
        let base =
            file.lines().find_map(|line| line.strip_prefix("extends = \"")).map(|name| name.trim_end_matches('"'));
        let base = base.and_then(dialects::by_name);
        let of_base =
            |code: &str| base.as_ref().and_then(|base| base.code(code)).is_some_and(|code| code.not_processed);
        let own = flagged.iter().filter(|code| !of_base(&code.code));
        codes.extend(own.map(|code| format!("{} {}", dialect.name(), code.code)));
    }
    for (dialect, lines) in cases() {
        for mut line in lines {
            line["method"] = json!("POST");
            let Some(verdict) = verdict(&dialect, &line, usize::MAX).filter(Verdict::is_not_processed) else {
                continue;
            };
            let code = verdict.api_error().and_then(|error| error.code().map(str::to_owned)).unwrap_or_default();
            if !all.contains(&format!("{} {code}", dialect.name())) {
                ruled.insert(line["id"].as_str().expect("an id").to_owned());
            }
        }
    }
    let codes: Vec<_> = codes.iter().map(String::as_str).collect();
    let ruled: Vec<_> = ruled.iter().map(String::as_str).collect();
    assert_eq!(codes, NOT_PROCESSED);
    assert_eq!(ruled, NOT_PROCESSED_BY_RULE);
}
