//! Hints that are part of a text, a member of JSON in a header, or the difference of two members.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use redress_envelope::{Dialect, Envelope, Head};

fn file(text: &str) -> Dialect {
    Dialect::from_toml("a.toml", &format!("name = \"a\"\n{text}")).expect("the file has no mistake")
}

/// Returns the wait in milliseconds that a 429 asks for.
fn wait(dialect: &Dialect, headers: &[(&'static str, &'static str)], body: &str) -> Option<u128> {
    let pair =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let map: HeaderMap = headers.iter().map(pair).collect();
    // 2026-01-15T12:00:00Z.
    let head = Head::new(429, &map, SystemTime::UNIX_EPOCH + Duration::from_secs(1_768_478_400));
    let meaning = dialect.meaning(&head, &Envelope::read(dialect, &head, [body.as_bytes()]));
    meaning.hint.map(|hint| hint.delay(head.server_now()).as_millis())
}

#[test]
fn a_hint_may_be_a_part_of_a_text_a_member_in_a_header_or_a_difference() {
    let busy = r#"{"extensions":{"cost":{"requestedQueryCost":752,"throttleStatus":{"currentlyAvailable":52,"restoreRate":50.0}}}}"#;
    let shop = |values: [&str; 3]| {
        let [requested, available, rate] = values;
        busy.replace("752", requested).replace(":52", &format!(":{available}")).replace("50.0", rate)
    };
    let cost = "{ body = \"extensions.cost.requestedQueryCost\", minus = \"extensions.cost.throttleStatus.currentlyAvailable\", over = \"extensions.cost.throttleStatus.restoreRate\", unit = \"s\" }";
    let sentence = "{ body = \"error.message\", after = \"try again in \", before = \". \", unit = \"duration\" }";
    let usage = "{ header = \"x-usage\", path = \"*[*].regain\", unit = \"minutes\" }";
    for (hint, header, body, expected) in [
        (cost, "", busy.to_owned(), Some(14_000)),
        (cost, "", shop(["752", "751.9999", "3"]), Some(1)),
        (cost, "", shop(["52", "52", "50"]), Some(0)),
        (cost, "", shop(["51", "52", "50"]), None),
        (cost, "", shop(["752", "52", "0"]), None),
        (cost, "", shop(["752", "52", "-1"]), None),
        (cost, "", shop(["752", "52", "1e-300"]), None),
        (cost, "", shop(["752", "null", "50"]), None),
        (cost, "", shop(["\"752\"", "52", "50"]), Some(14_000)),
        (cost, "", shop(["1e300", "52", "50"]), None),
        (
            "{ body = \"limit\", minus = \"used\", unit = \"ms\" }",
            "",
            r#"{"limit":700,"used":200}"#.to_owned(),
            Some(500),
        ),
        (
            sentence,
            "",
            r#"{"error":{"message":"Limit reached. Please try again in 6m1.5s. Visit us."}}"#.to_owned(),
            Some(361_500),
        ),
        (sentence, "", r#"{"error":{"message":"Please try again in 20s"}}"#.to_owned(), None),
        (sentence, "", r#"{"error":{"message":"Later. Try again tomorrow. Bye"}}"#.to_owned(), None),
        (usage, r#"{"1":[{"type":"a","regain":3},{"regain":19}],"2":[{"regain":0}]}"#, String::new(), Some(1_140_000)),
        (usage, r#"{"1":[{"regain":0}]}"#, String::new(), Some(0)),
        (usage, r#"{"1":[{"regain":"soon"}]}"#, String::new(), None),
        (usage, r#"{"1":[{"regain":19}]"#, String::new(), None),
        (usage, "19", String::new(), None),
    ] {
        let dialect = file(&format!("[read]\nhints = [{hint}]\n"));
        let headers = [("x-usage", header)];
        let headers = if header.is_empty() { &[][..] } else { &headers };
        assert_eq!(wait(&dialect, headers, &body), expected, "{hint} {header} {body}");
    }
    for (hint, problem) in [
        ("{ body = \"a\", path = \"b\", unit = \"s\" }", "expected `header` beside `path`"),
        ("{ body = \"a\", over = \"b\", unit = \"s\" }", "expected `minus` beside `over`"),
        ("{ body = \"a\", less = \"b\", unit = \"s\" }", "unknown key, expected one of body, header,"),
    ] {
        let error = Dialect::from_toml("a.toml", &format!("name = \"a\"\n[read]\nhints = [{hint}]\n"));
        let error = error.expect_err("the file has a mistake").to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn facebook_says_in_a_header_in_how_many_minutes_access_returns() {
    let facebook = redress_envelope::dialects::by_name("facebook").expect("it is shipped");
    let usage = r#"{"17":[{"type":"ads_insights","call_count":100,"estimated_time_to_regain_access":19}]}"#;
    assert_eq!(wait(&facebook, &[("x-business-use-case-usage", usage)], "{}"), Some(1_140_000));
}
