//! Secrets at the end of cut text: the excerpt of the body, a plain text, the name of a field.

use std::time::SystemTime;

use http::{Method, Response, Uri};
use redress_classify::{ApiError, Clock, Error, Secrets, Verdict, dialects};

const TOKEN: &str = "s3cret-token-0123456789";

fn masked(dialect: &str, body: &str) -> ApiError {
    let (head, ()) = Response::builder().status(400).body(()).expect("a status").into_parts();
    let (method, uri) = (Method::GET, Uri::from_static("https://api.example/"));
    let dialect = dialects::by_name(dialect).expect("it is shipped");
    let verdict = Verdict::from_response(&dialect, &method, &uri, &head, &Clock::system(), &[body.as_bytes()]);
    let verdict = verdict.expect("a 400").masked(&Secrets::new([format!("Bearer {TOKEN}")]));
    verdict.expect("something is quoted").api_error().expect("a response came").clone()
}

#[test]
fn the_end_of_an_excerpt_shows_no_beginning_of_a_secret() {
    for kept in 1..TOKEN.len() {
        let body = format!("{}{TOKEN} and more", "x ".repeat(5_000).split_at(8_192 - kept).0);
        let error = masked("generic", &body);
        assert!(error.body().ends_with("***") && !error.body().contains("s3"), "{kept}: {}", &error.body()[8_100..]);
    }
}

#[test]
fn the_end_of_a_plain_text_shows_no_beginning_of_a_secret() {
    for kept in 1..TOKEN.len() {
        let body = format!("{}{TOKEN} and more", "x ".repeat(5_000).split_at(4_096 - kept).0);
        let message = masked("generic", &body).message().expect("a plain text").to_owned();
        assert!(message.ends_with("***") && !message.contains("s3"), "{kept}: {}", &message[4_000..]);
    }
}

#[test]
fn the_end_of_a_field_s_name_shows_no_beginning_of_a_secret() {
    for kept in 1..TOKEN.len() {
        let name = format!("{}{TOKEN}", "x".repeat(256 - kept));
        let error = masked("problem", &format!(r#"{{"title":"bad","errors":{{"{name}":["no"]}}}}"#));
        let path = &error.fields()[0].path;
        assert!(path.ends_with("***") && !path.contains("s3"), "{kept}: {path}");
    }
}

#[test]
fn text_without_a_secret_is_not_changed() {
    let secrets = Secrets::new([TOKEN]);
    let (head, ()) = Response::builder().status(400).body(()).expect("a status").into_parts();
    let (method, uri) = (Method::GET, Uri::from_static("https://api.example/"));
    let body: &[u8] = br#"{"error":"s3cret","message":"no s3cret"}"#;
    let verdict = Verdict::from_response(&dialects::generic(), &method, &uri, &head, &Clock::system(), &[body]);
    assert!(verdict.expect("a 400").masked(&secrets).is_none());
}

#[test]
fn an_error_masks_the_verdict_of_the_response_that_was_not_kept() {
    let (head, ()) = Response::builder().status(503).body(()).expect("a status").into_parts();
    let (method, uri, dialect) = (Method::GET, Uri::from_static("https://api.example/"), dialects::generic());
    let body = format!(r#"{{"error":{{"code":"{TOKEN}"}}}}"#);
    let verdict = Verdict::from_response(&dialect, &method, &uri, &head, &Clock::system(), &[body.as_bytes()]);
    let error = Error::paced(SystemTime::UNIX_EPOCH).with_verdict(verdict.expect("a 503"));
    let error = error.masked(&Secrets::new([TOKEN]));
    assert_eq!(error.verdict().api_error().and_then(ApiError::code), Some("***"));
    assert!(error.is_paced() && !format!("{:?}", error.verdict()).contains("s3cret"));
}
