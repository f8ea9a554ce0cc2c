//! The five shipped dialects hold what their vendors publish.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use redress_envelope::{Class, Dialect, Envelope, FieldError, Head, HintSource, Recovery, When, dialects};

fn read<'a>(dialect: &Dialect, body: &'a str) -> Envelope<'a> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    let envelope = Envelope::read(dialect, &Head::new(400, &NONE, SystemTime::UNIX_EPOCH), [body.as_bytes()]);
    assert_eq!(envelope.unreadable, None, "{body}");
    envelope
}

/// Returns the dialects of the five vendors.
fn five() -> Vec<Dialect> {
    vec![dialects::maleslab(), dialects::ranex(), dialects::veridia(), dialects::verilock(), dialects::vlens()]
}

fn fields(envelope: &Envelope<'_>) -> Vec<(String, String)> {
    let pair = |field: &FieldError<'_>| (field.path.to_string(), field.message.to_string());
    envelope.fields.iter().map(pair).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, message)| ((*path).to_owned(), (*message).to_owned())).collect()
}

#[test]
fn every_published_code_reason_and_status_is_in_its_catalogue() {
    for (name, codes, reasons, statuses) in [
        ("maleslab", 19, 0, 10),
        ("ranex", 0, 0, 13),
        ("veridia", 10, 6, 6),
        ("verilock", 2, 0, 12),
        ("vlens", 2, 0, 0),
    ] {
        let dialect = dialects::by_name(name).expect("the dialect is shipped");
        let counts = (dialect.codes().count(), dialect.reasons().count(), dialect.statuses().count());
        assert_eq!(counts, (codes, reasons, statuses), "{name}");
    }
}

#[test]
fn every_entry_has_guidance_and_every_error_status_a_class() {
    for dialect in five() {
        for code in dialect.codes() {
            assert!(code.guidance.len() > 10, "{dialect:?} {}", code.code);
        }
        for reason in dialect.reasons() {
            assert!(reason.guidance.len() > 10, "{dialect:?} {}", reason.reason);
        }
        for status in dialect.statuses() {
            assert!(!status.guidance.is_empty(), "{dialect:?} {}", status.status);
            assert_eq!(status.class.is_some(), status.status >= 400, "{dialect:?} {}", status.status);
        }
    }
}

#[test]
#[rustfmt::skip]
fn codes_have_the_documented_meaning() {
    use Class::*;
    use Recovery::*;
    let table = [
        ("maleslab", "INVALID_CREDENTIALS", Some(401), Unauthenticated, Reauthenticate),
        ("maleslab", "TOKEN_EXPIRED", Some(401), TokenExpired, RefreshToken),
        ("maleslab", "TOKEN_INVALID", Some(401), Unauthenticated, Reauthenticate),
        ("maleslab", "INVALID_API_KEY", Some(401), Unauthenticated, Reauthenticate),
        ("maleslab", "IP_NOT_ALLOWED", Some(403), PermissionDenied, Stop),
        ("maleslab", "REQUIRES_2FA", Some(403), Unauthenticated, NewInput),
        ("maleslab", "EMAIL_NOT_VERIFIED", Some(403), PermissionDenied, NewInput),
        ("maleslab", "FACE_NOT_FOUND", Some(404), NotFound, FixRequest),
        ("maleslab", "FACE_NOT_DETECTED", Some(422), Rejected, NewInput),
        ("maleslab", "MULTIPLE_FACES", Some(422), Rejected, NewInput),
        ("maleslab", "FACE_QUALITY_TOO_LOW", Some(422), Rejected, NewInput),
        ("maleslab", "LIVENESS_CHECK_FAILED", Some(422), Rejected, NewInput),
        ("maleslab", "DUPLICATE_EXTERNAL_ID", Some(409), Conflict, FixRequest),
        ("maleslab", "COLLECTION_NOT_FOUND", Some(404), NotFound, FixRequest),
        ("maleslab", "COLLECTION_LIMIT_REACHED", Some(403), QuotaExhausted, RaiseLimit),
        ("maleslab", "FACE_LIMIT_REACHED", Some(403), QuotaExhausted, RaiseLimit),
        ("maleslab", "API_KEY_LIMIT_REACHED", Some(403), QuotaExhausted, RaiseLimit),
        ("maleslab", "RATE_LIMIT_EXCEEDED", Some(429), RateLimited, Retry),
        ("maleslab", "VALIDATION_ERROR", Some(400), Invalid, FixRequest),
        ("veridia", "invalid_body", Some(400), Invalid, FixRequest),
        ("veridia", "unauthorized", Some(401), Unauthenticated, Reauthenticate),
        ("veridia", "invalid_key", Some(401), Unauthenticated, Reauthenticate),
        ("veridia", "origin_not_allowed", Some(403), PermissionDenied, Stop),
        ("veridia", "wrong_environment", Some(403), PermissionDenied, Reauthenticate),
        ("veridia", "insufficient_credits", Some(403), QuotaExhausted, RaiseLimit),
        ("veridia", "verification_not_found", Some(404), NotFound, RestartFlow),
        ("veridia", "not_found", Some(404), NotFound, FixRequest),
        ("veridia", "rate_limited", Some(429), RateLimited, Retry),
        ("veridia", "internal", Some(500), Internal, Retry),
        ("verilock", "validation_error", Some(422), Invalid, FixRequest),
        ("verilock", "rate_limit_exceeded", Some(429), RateLimited, Retry),
        ("vlens", "400", None, Invalid, FixRequest),
        ("vlens", "1050", None, Rejected, NewInput),
    ];
    for (name, code, status, class, recovery) in table {
        let dialect = dialects::by_name(name).expect("the dialect is shipped");
        let found = dialect.code(code).expect("the code is published");
        assert_eq!((found.status, found.class, found.recovery), (status, class, recovery), "{name} {code}");
    }
    assert_eq!(table.len(), five().iter().map(|dialect| dialect.codes().count()).sum());
}

#[test]
#[rustfmt::skip]
fn statuses_have_the_documented_meaning() {
    use Class::*;
    use Recovery::*;
    let table = [
        ("maleslab", 400, Invalid, Some(FixRequest)),
        ("maleslab", 401, Unauthenticated, Some(Reauthenticate)),
        ("maleslab", 403, PermissionDenied, Some(Stop)),
        ("maleslab", 404, NotFound, Some(FixRequest)),
        ("maleslab", 409, Conflict, Some(FixRequest)),
        ("maleslab", 422, Rejected, Some(NewInput)),
        ("maleslab", 429, RateLimited, Some(Retry)),
        ("maleslab", 500, Internal, Some(ContactSupport)),
        ("ranex", 400, Invalid, Some(FixRequest)),
        ("ranex", 401, Unauthenticated, Some(Reauthenticate)),
        ("ranex", 403, PermissionDenied, Some(Stop)),
        ("ranex", 404, NotFound, Some(FixRequest)),
        ("ranex", 422, Rejected, Some(FixRequest)),
        ("ranex", 429, RateLimited, Some(Retry)),
        ("ranex", 500, Internal, Some(Retry)),
        ("ranex", 502, Unavailable, Some(Retry)),
        ("ranex", 503, Unavailable, Some(Retry)),
        ("ranex", 504, Unavailable, Some(Retry)),
        ("veridia", 400, Invalid, None),
        ("veridia", 401, Unauthenticated, None),
        ("veridia", 403, PermissionDenied, None),
        ("veridia", 404, NotFound, None),
        ("veridia", 429, RateLimited, None),
        ("veridia", 500, Internal, None),
        ("verilock", 400, Invalid, Some(FixRequest)),
        ("verilock", 401, Unauthenticated, Some(Reauthenticate)),
        ("verilock", 403, PermissionDenied, Some(Stop)),
        ("verilock", 404, NotFound, Some(FixRequest)),
        ("verilock", 409, Conflict, Some(Stop)),
        ("verilock", 422, Invalid, Some(FixRequest)),
        ("verilock", 429, RateLimited, Some(Retry)),
        ("verilock", 500, Internal, None),
        ("verilock", 503, Unavailable, Some(Retry)),
    ];
    for (name, status, class, recovery) in table {
        let dialect = dialects::by_name(name).expect("the dialect is shipped");
        let found = dialect.status(status).expect("the status is published");
        assert_eq!((found.class, found.recovery), (Some(class), recovery), "{name} {status}");
    }
    let errors = |dialect: &Dialect| dialect.statuses().filter(|row| row.status >= 400).count();
    assert_eq!(table.len(), five().iter().map(errors).sum());
}

#[test]
fn vlens_is_read_as_published() {
    let vlens = dialects::vlens();
    let envelope = read(
        &vlens,
        r#"{"data":null,"error_code":400,"error_message":"Validation failed",
        "error_descriptions":[{"field":"image","message":"image is required"},{"field":"side","message":"unknown"}]}"#,
    );
    assert_eq!(envelope.code.as_deref(), Some("400"));
    assert_eq!(envelope.message.as_deref(), Some("Validation failed"));
    assert_eq!(fields(&envelope), pairs(&[("image", "image is required"), ("side", "unknown")]));
    assert!(envelope.signalled);
    let success = read(&vlens, r#"{"data":{"error_code":7},"error_code":null,"error_message":null}"#);
    assert_eq!((success.code, success.signalled), (None, false));
}

#[test]
fn a_number_sent_as_a_text_is_the_same_code() {
    let vlens = dialects::vlens();
    for body in [r#"{"error_code":1050}"#, r#"{"error_code":"1050"}"#] {
        assert_eq!(read(&vlens, body).code.as_deref(), Some("1050"), "{body}");
    }
    for verbatim in ["007", "-32000", "0", "340282366920938463463374607431768211456"] {
        let body = format!(r#"{{"error_code":"{verbatim}"}}"#);
        assert_eq!(read(&vlens, &body).code.as_deref(), Some(verbatim));
    }
}

#[test]
fn veridia_is_read_as_published() {
    let veridia = dialects::veridia();
    let envelope = read(
        &veridia,
        r#"{"error":"invalid_body","message":"Request body failed","requestId":"9f51-SJC",
        "detail":{"reason":"selfie_not_uploaded","fieldErrors":{"country":["two letters","known"],"userRef":["short"]}}}"#,
    );
    assert_eq!(envelope.code.as_deref(), Some("invalid_body"));
    assert_eq!(envelope.request_id.as_deref(), Some("9f51-SJC"));
    assert_eq!(envelope.reason.as_deref(), Some("selfie_not_uploaded"));
    assert_eq!(fields(&envelope), pairs(&[("country", "two letters"), ("country", "known"), ("userRef", "short")]));
    let empty = read(&veridia, r#"{"error":"internal","message":"","requestId":""}"#);
    assert_eq!((empty.message, empty.request_id), (None, None));
    assert_eq!(veridia.limits().len(), 3);
    assert!(!veridia.signals_in_body());
}

#[test]
fn ranex_is_read_as_published() {
    let ranex = dialects::ranex();
    assert_eq!(
        read(&ranex, r#"{"message":"externalUserId is required"}"#).message.as_deref(),
        Some("externalUserId is required")
    );
    assert!(ranex.is_idempotent("POST", "/v1/applicants"));
    for (method, path) in [("POST", "/v1/applicants/a1/verify"), ("POST", "/v1/applicants/"), ("GET", "/v1/applicants")]
    {
        assert!(!ranex.is_idempotent(method, path), "{method} {path}");
    }
    let schedule = ranex.retry().schedule.expect("the page has one");
    assert_eq!((schedule.base, schedule.cap), (Duration::from_secs(1), Duration::from_secs(30)));
    assert_eq!(ranex.secret_headers(), ["x-api-key", "x-api-secret"]);
}

#[test]
fn maleslab_is_read_as_published() {
    let maleslab = dialects::maleslab();
    let envelope = read(
        &maleslab,
        r#"{"success":false,"error":{"code":"VALIDATION_ERROR","message":"failed","details":[
        {"field":"name","message":"name is required"},{"field":"collection_id","message":"must be a UUID"}]},
        "request_id":"req_01j8"}"#,
    );
    assert_eq!(envelope.code.as_deref(), Some("VALIDATION_ERROR"));
    assert_eq!(envelope.request_id.as_deref(), Some("req_01j8"));
    assert_eq!(fields(&envelope), pairs(&[("name", "name is required"), ("collection_id", "must be a UUID")]));
    assert!(envelope.signalled && maleslab.signals_in_body());
    assert_eq!(maleslab.retry().throttle_wait, Some(Duration::from_secs(5)));
}

#[test]
fn verilock_is_read_as_published() {
    let verilock = dialects::verilock();
    let envelope = read(
        &verilock,
        r#"{"error":"validation_error","message":"invalid","details":{
        "redirect_url":["must be a URL"],"document_type":["is invalid"],"retry_after":["is no number"]}}"#,
    );
    let expected =
        [("redirect_url", "must be a URL"), ("document_type", "is invalid"), ("retry_after", "is no number")];
    assert_eq!(fields(&envelope), pairs(&expected));
    assert_eq!(envelope.hint, None);
    let limited = read(&verilock, r#"{"error":"rate_limit_exceeded","details":{"retry_after":30}}"#);
    let hint = limited.hint.expect("the body has one");
    assert_eq!(hint.when(), When::After(Duration::from_secs(30)));
    assert_eq!(hint.source(), &HintSource::Body("details.retry_after".to_owned()));
    assert!(limited.fields.is_empty());
    let context =
        read(&verilock, r#"{"error":"conflict","details":{"current_status":"declined","session_id":"ses_1"}}"#);
    assert!(context.fields.is_empty(), "context is no list of messages");
}
