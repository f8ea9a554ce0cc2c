use std::io;

use http::Response;
use redress_classify::{ApiError, Clock, Code, Error, TransportError, Verdict, dialects};

use super::*;

#[test]
fn each_kind_has_its_name_and_class() {
    for (failure, kind, class, transient) in [
        (Failure::transient("a"), "transient", Class::Unavailable, true),
        (Failure::ambiguous("a"), "ambiguous", Class::Unavailable, true),
        (Failure::invalid_grant("a"), "invalid_grant", Class::Unauthenticated, false),
        (Failure::permanent("a"), "permanent", Class::Unauthenticated, false),
        (Failure::cleared(), "cleared", Class::Unauthenticated, false),
    ] {
        assert_eq!((failure.kind(), failure.class(), failure.is_transient()), (kind, class, transient));
        assert_eq!(failure.is_ambiguous(), kind == "ambiguous");
        assert_eq!(failure.is_invalid_grant(), kind == "invalid_grant");
        assert_eq!(failure.is_permanent(), kind == "permanent");
        assert_eq!(failure.is_cleared(), kind == "cleared");
    }
}

#[test]
fn only_the_parts_of_a_cause_without_secrets_are_shown() {
    let io = io::Error::new(io::ErrorKind::ConnectionRefused, "s3cret");
    let nested = Error::from_inner(TransportError::connect("s3cret").into());
    let io_of = |text: &'static str| io::Error::other(io::Error::new(io::ErrorKind::ConnectionRefused, text));
    let refused = "no new credentials for now: connection refused";
    let unknown = "no new credentials for now: no response, and the request may have been processed";
    for (cause, shown) in [
        (BoxError::from("s3cret"), "no new credentials for now"),
        (io.into(), "no new credentials for now: connection refused"),
        (nested.into(), "no new credentials for now: could not connect"),
        (io::Error::other("s3cret").into(), "no new credentials for now"),
        (Error::from_inner(TransportError::connect(io_of("s3cret")).into()).into(), refused),
        (Error::from_inner("s3cret".into()).into(), unknown),
        (Explanation::new("nothing came").with_source("s3cret").into(), "no new credentials for now: nothing came"),
    ] {
        let failure = Failure::transient(cause).retry_after(Duration::from_secs(1));
        assert_eq!(failure.to_string(), shown);
        assert!(!format!("{failure:?} {failure:#?}").contains("s3cret"));
        assert!(failure.source().is_none(), "the chain ends here");
    }
    assert_eq!(Failure::permanent("s3cret").cause().to_string(), "s3cret");
}

fn refused(status: u16, body: &'static str) -> ApiError {
    let (head, ()) = http::Response::builder().status(status).body(()).unwrap().into_parts();
    let (method, uri, clock) = (http::Method::POST, Uri::from_static("/login"), Clock::system());
    let dialect = dialects::generic().with_code(Code::new("E-42", Class::Unauthenticated));
    let verdict = Verdict::from_response(&dialect, &method, &uri, &head, &clock, &[body.as_bytes()]);
    verdict.and_then(|verdict| verdict.api_error().cloned()).unwrap()
}

#[test]
fn an_error_response_is_shown_by_status_class_and_known_code() {
    for (status, body, shown) in [
        (401, r#"{"code":"E-42","message":"s3cret"}"#, "the login was refused: 401 unauthenticated (E-42)"),
        (400, r#"{"error":"invalid_grant"}"#, "the login was refused: 400 invalid (invalid_grant)"),
        (401, r#"{"code":"s3cret"}"#, "the login was refused: 401 unauthenticated"),
        (401, "s3cret", "the login was refused: 401 unauthenticated"),
    ] {
        let failure = Failure::permanent(refused(status, body)).during(Purpose::Login);
        assert_eq!(failure.to_string(), shown, "{body}");
        assert!(!format!("{failure:?}").contains("s3cret"));
    }
}

#[test]
fn a_failure_shows_the_call_the_host_and_the_earlier_failure() {
    let uri = Uri::from_static("https://user:s3cret@id.example:8443/s3cret?s3cret");
    let io = || io::Error::from(io::ErrorKind::ConnectionRefused);
    let dead = Failure::invalid_grant(refused(400, r#"{"error":"invalid_grant"}"#)).during(Purpose::Refresh);
    for (failure, shown) in [
        (
            Failure::transient(io()).during(Purpose::Login).with_endpoint(&uri),
            "login at id.example:8443 failed: connection refused",
        ),
        (Failure::ambiguous(io()).during(Purpose::Refresh), "the refresh failed: connection refused"),
        (Failure::transient(refused(503, "")).during(Purpose::Login), "the login failed: 503 unavailable"),
        (dead.clone(), "the refresh was refused: 400 invalid (invalid_grant)"),
        (Failure::permanent("s3cret").during(Purpose::Login), "the login was refused"),
        (
            Failure::permanent(Explanation::new("no user is here")).during(Purpose::Login),
            "the login failed: no user is here",
        ),
        (Failure::permanent(Explanation::new("no user is here")), "no user is here"),
        (
            Failure::permanent(Explanation::new("no user is here")).during(Purpose::Login).after(&dead),
            "the login failed: no user is here, after the refresh was refused: 400 invalid (invalid_grant)",
        ),
        (Failure::cleared(), "the credentials were cleared"),
    ] {
        assert_eq!(failure.to_string(), shown);
        assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
    }
}

#[test]
fn the_path_of_the_endpoint_is_shown_where_the_url_may_be_wrong() {
    let uri = Uri::from_static("https://id.example/v2/token?s3cret");
    for (status, expected) in [
        (404, "login at id.example/v2/token failed: status 404"),
        (405, "login at id.example/v2/token failed: status 405"),
        (410, "login at id.example/v2/token failed: status 410"),
        (403, "login at id.example failed: status 403"),
        (502, "login at id.example failed: status 502"),
    ] {
        let response = Response::builder().status(status).body(()).unwrap();
        let failure = Failure::from_response(&response, Purpose::Login).expect("an error").with_endpoint(&uri);
        assert_eq!(failure.to_string(), expected);
    }
}

#[test]
fn a_code_that_the_dialect_does_not_list_is_shown_on_request_beside_an_answer_without_another() {
    let io = || io::Error::from(io::ErrorKind::ConnectionRefused);
    for (failure, expected) in [
        (
            Failure::permanent(refused(401, r#"{"code":"E-1"}"#)),
            "the credentials are refused: 401 unauthenticated (E-1, a code that the dialect does not list)",
        ),
        (
            Failure::permanent(refused(401, r#"{"code":"E-42"}"#)),
            "the credentials are refused: 401 unauthenticated (E-42)",
        ),
        (Failure::transient(io()), "no new credentials for now: connection refused"),
    ] {
        assert_eq!(failure.with_unlisted_code("E-1").to_string(), expected);
    }
}

#[test]
fn the_source_of_an_explanation_is_reached_through_the_cause() {
    let explanation = Explanation::new("the keyring is locked").with_source("timeout");
    let failure = Failure::transient(explanation);
    assert_eq!(failure.cause().source().map(ToString::to_string).as_deref(), Some("timeout"));
    let failure = Failure::transient(Explanation::new("the keyring is locked"));
    assert!(failure.cause().source().is_none());
}
