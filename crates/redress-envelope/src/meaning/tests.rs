//! Tests of what decides about an error.

use std::time::SystemTime;

use http::HeaderMap;

use super::*;

const MEANING: &str = r#"
name = "d"
[[error]]
not_null = "error"
[read]
code = "error"
reason = "reason"
message = "message"
[retry]
flags = [{ header = "x-should-retry" }]
[codes]
busy = { class = "unavailable", not_processed = true, guidance = "Of the code." }
busy_or_done = { class = "unavailable" }
expired = { class = "token_expired" }
[reasons]
later = { recovery = "stop", guidance = "Of the reason." }
plain = { recovery = "stop" }
[[rules]]
when = { message = "by a rule*" }
class = "conflict"
recovery = "contact_support"
not_processed = true
guidance = "Of the rule."
[[rules]]
when = { message = "in part*" }
recovery = "stop"
not_processed = true
guidance = "Of the part."
[[rules]]
when = { message = "by little*" }
not_processed = true
"#;

/// Returns what a body with this status means in that dialect: the class, what to do, what decided, whether it was certainly not
/// processed, whether it may have been, and the guidance.
fn meant(
    status: u16,
    body: &str,
    headers: &[(&'static str, &str)],
) -> (Class, Recovery, DecidedBy, bool, bool, String) {
    let dialect = Dialect::from_toml("d.toml", MEANING).expect("it is valid");
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().expect("it is valid"));
    }
    let head = Head::new(status, &map, SystemTime::UNIX_EPOCH);
    let meaning = dialect.meaning(&head, &Envelope::read(&dialect, &head, [body.as_bytes()]));
    let guidance = meaning.guidance.to_string();
    (meaning.class, meaning.recovery, meaning.decided_by, meaning.not_processed, meaning.maybe_processed, guidance)
}

#[test]
fn a_rule_comes_before_a_code_and_a_code_before_the_status() {
    use {Class as C, DecidedBy as D, Recovery as R};
    let of = |text: &str| text.to_owned();
    for (status, body, headers, expected) in [
        (503, r#"{"error":"busy"}"#, &[][..], (C::Unavailable, R::Retry, D::Code, true, false, of("Of the code."))),
        (503, r#"{"error":"busy_or_done"}"#, &[], (C::Unavailable, R::Retry, D::Code, false, true, of(""))),
        (
            503,
            r#"{"error":"busy","reason":"later"}"#,
            &[],
            (C::Unavailable, R::Stop, D::Code, true, false, of("Of the reason.")),
        ),
        (
            503,
            r#"{"error":"busy","reason":"plain"}"#,
            &[],
            (C::Unavailable, R::Stop, D::Code, true, false, of("Of the code.")),
        ),
        (
            503,
            r#"{"error":"busy","message":"by a rule"}"#,
            &[],
            (C::Conflict, R::ContactSupport, D::Rule, true, false, of("Of the rule.")),
        ),
        (
            500,
            r#"{"error":"busy_or_done","message":"in part"}"#,
            &[],
            (C::Unavailable, R::Stop, D::Code, true, false, of("Of the part.")),
        ),
        (
            503,
            r#"{"error":"busy","message":"by little"}"#,
            &[],
            (C::Unavailable, R::Retry, D::Code, true, false, of("Of the code.")),
        ),
        (503, r#"{"error":"busy""#, &[], (C::Unavailable, R::Retry, D::Status, false, true, of(""))),
        (
            404,
            r#"{"error":"other"}"#,
            &[],
            (C::NotFound, C::NotFound.default_recovery(), D::Status, false, false, of("")),
        ),
        (
            200,
            r#"{"error":"other"}"#,
            &[],
            (C::Unknown, C::Unknown.default_recovery(), D::Signal, false, false, of("")),
        ),
        (200, r#"{"error":"busy""#, &[], (C::Unknown, C::Unknown.default_recovery(), D::Signal, false, true, of(""))),
        (
            503,
            r#"{"error":"busy"}"#,
            &[("x-should-retry", "false")],
            (C::Unavailable, R::Stop, D::Code, true, false, of("Of the code.")),
        ),
        (
            404,
            r#"{"error":"other"}"#,
            &[("x-should-retry", "true")],
            (C::NotFound, R::Retry, D::Status, false, false, of("")),
        ),
        (
            404,
            r#"{"error":"other"}"#,
            &[("x-should-retry", "false")],
            (C::NotFound, C::NotFound.default_recovery(), D::Status, false, false, of("")),
        ),
        (
            401,
            "{}",
            &[("www-authenticate", "Bearer error=\"invalid_token\"")],
            (C::TokenExpired, C::TokenExpired.default_recovery(), D::Header, false, false, of("")),
        ),
        (
            401,
            "{}",
            &[("www-authenticate", "Bearer error=\"invalid_request\"")],
            (C::Unauthenticated, C::Unauthenticated.default_recovery(), D::Status, false, false, of("")),
        ),
        (423, "{}", &[], (C::Conflict, C::Conflict.default_recovery(), D::Status, false, false, of(""))),
        (423, "{}", &[("retry-after", "5")], (C::Conflict, R::Retry, D::Status, false, false, of(""))),
        (
            404,
            "{}",
            &[("retry-after", "5")],
            (C::NotFound, C::NotFound.default_recovery(), D::Status, false, false, of("")),
        ),
        (500, "{}", &[], (C::Internal, C::Internal.default_recovery(), D::Status, false, true, of(""))),
    ] {
        assert_eq!(meant(status, body, headers), expected, "{status} {body} {headers:?}");
    }
}

#[test]
fn evidence_and_reasons_print_as_words() {
    assert_eq!(DecidedBy::Signal.to_string(), "signal");
    assert_eq!(Unreadable::Truncated.to_string(), "the body ends early");
    assert_eq!(Unreadable::Empty.to_string(), "the body is empty");
}

#[test]
fn half_of_a_success_may_hold_data_and_an_event_follows_some() {
    let dialect = Dialect::from_toml("d.toml", MEANING).expect("it is valid");
    let headers = HeaderMap::new();
    for (status, event, body, expected) in [
        (200, None, r#"{"error":"busy""#, true),
        (200, None, "", false),
        (399, None, r#"{"error":"busy""#, true),
        (400, None, r#"{"error":"busy""#, false),
        (401, None, r#"{"error":"busy""#, false),
        (401, Some("error"), r#"{"error":"busy"}"#, true),
        (200, Some("error"), r#"{"error":"busy"}"#, true),
        (404, Some("error"), r#"{"error":"other"}"#, true),
        (404, None, r#"{"error":"other"}"#, false),
    ] {
        let mut head = Head::new(status, &headers, SystemTime::UNIX_EPOCH);
        head.event = event;
        let meaning = dialect.meaning(&head, &Envelope::read(&dialect, &head, [body.as_bytes()]));
        assert_eq!(meaning.maybe_processed, expected, "{status} {event:?} {body}");
    }
}
