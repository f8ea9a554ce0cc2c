//! Secrets are put wherever a secret can be, and then looked for in whatever can be printed.
//!
//! Looked at are the `Debug` and `Display` of every public type, the sources of every error, and the events of every
//! level. [`types`](types) finds the public types in the sources, so that a new one fails here until it is looked at.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod events;
mod quoted;
mod shown;
mod types;

use std::error::Error as StdError;
use std::fmt::{Debug, Display, Write};

use http::{Request, Response};
use http_body_util::Full;

/// A part of every secret of these tests.
const MARK: &str = "c4n4ry";

/// A server's answer with a secret wherever a server may repeat one: in its messages, in its fields, in unknown members.
const BODY: &str = r#"{"error":"refused","code":"refused","message":"token c4n4ry-message is not known","request_id":"r1",
    "errors":[{"field":"email","message":"c4n4ry-field is taken"}],"echo":{"authorization":"Bearer c4n4ry-echo"}}"#;

/// A request with a secret in its user, path, query, headers and body.
fn request(method: &str) -> Request<String> {
    let uri = "https://user:c4n4ry-userinfo@api.example/hooks/42/c4n4ry-path?token=c4n4ry-query";
    let request = Request::builder().method(method).uri(uri).header("x-api-key", "c4n4ry-own-key");
    request.body("c4n4ry-request-body".to_owned()).unwrap()
}

fn response(status: u16, body: &'static str) -> Response<Full<&'static [u8]>> {
    let challenge = "Bearer realm=\"c4n4ry-realm\"";
    let response = Response::builder().status(status).header("www-authenticate", challenge);
    response.header("set-cookie", "session=c4n4ry-cookie").body(Full::new(body.as_bytes())).unwrap()
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?}\n{value:#?}")
}

fn both(value: &(impl Debug + Display)) -> String {
    format!("{value}\n{value:#}\n{}", debug(value))
}

/// An error and all its sources.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let _ = writeln!(text, "{error}\n{error:#}\n{error:?}\n{error:#?}");
        next = error.source();
    }
    text
}

#[track_caller]
fn assert_silent(name: &str, text: &str) {
    assert!(!text.contains(MARK), "{name} shows a secret: {text}");
    // Bytes print as numbers.
    let bytes = MARK.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    assert!(!text.contains(&bytes), "{name} shows a secret in bytes: {text}");
}

#[test]
fn a_secret_that_is_shown_would_be_found() {
    for text in [debug(&request("GET")), debug(&request("GET").uri()), debug(&MARK.as_bytes()), BODY.to_owned()] {
        assert!(std::panic::catch_unwind(|| assert_silent("this", &text)).is_err(), "{text}");
    }
}
