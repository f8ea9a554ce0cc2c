//! A server for a dialect: it answers as scripted, in the form of the dialect.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use redress_envelope::{Class, Dialect, Envelope, Head, Location};
use serde_json::{Value, json};

use crate::code::Code;
use crate::fault::Fault;
use crate::json_path::insert;
use crate::outcome::{Outcome, Problem, Success};
use crate::vendor::{Api, Call};

/// A server without routes. Requests without a scripted answer receive a 200 with an empty object.
pub(crate) struct Scripted {
    dialect: Dialect,
}

impl Scripted {
    /// Answers in the form of this dialect.
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self { dialect }
    }
}

impl Api for Scripted {
    fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(|| async { Success::ok(json!({})) })
    }

    fn problem(&self, status: Option<StatusCode>, code: Option<Code>) -> Problem {
        problem(&self.dialect, status, code)
    }

    fn body(&self, outcome: &Outcome, call: &Call) -> Bytes {
        body(&self.dialect, outcome, Some(&call.id))
    }
}

/// Determines the status of a code and the message that the dialect has for it.
fn problem(dialect: &Dialect, status: Option<StatusCode>, code: Option<Code>) -> Problem {
    let known = code.as_ref().and_then(|code| dialect.code(&code.to_string()));
    let documented = known.and_then(|known| StatusCode::from_u16(known.status?).ok());
    let status =
        status.or(documented).unwrap_or_else(|| known.map_or(StatusCode::BAD_REQUEST, |known| usual(known.class)));
    let message = match known.map(|known| &*known.guidance) {
        Some(guidance) if !guidance.is_empty() => guidance,
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    Problem { code, ..Problem::new(status, message.to_owned()) }
}

/// Returns the usual status of a class.
const fn usual(class: Class) -> StatusCode {
    match class {
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Class::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Class::QuotaExhausted => StatusCode::PAYMENT_REQUIRED,
        Class::TokenExpired | Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::PermissionDenied => StatusCode::FORBIDDEN,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::Conflict => StatusCode::CONFLICT,
        Class::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Writes code, message and request id at the first paths from which the dialect reads them.
fn body(dialect: &Dialect, outcome: &Outcome, request_id: Option<&str>) -> Bytes {
    let problem = match outcome {
        Outcome::Success(success) => return bytes(&success.data),
        Outcome::Problem(problem) => problem,
    };
    let mut body = Value::Null;
    if let Some(code) = &problem.code {
        put_first(&mut body, &dialect.code_locations(), &json!(code));
    }
    put_first(&mut body, &dialect.message_locations(), &json!(problem.message));
    if let Some(id) = request_id {
        put_first(&mut body, &dialect.request_id_locations(), &json!(id));
    }
    if body.is_null() { Bytes::new() } else { bytes(&body) }
}

fn put_first(body: &mut Value, places: &[Location], value: &Value) {
    places.iter().any(|place| matches!(place, Location::Body(path) if insert(body, path, value.clone())));
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

/// Returns how the dialect reads a scripted answer; `None` for a success. Class and recovery do not
/// depend on the time.
#[cfg(feature = "program")]
pub(crate) fn meaning(dialect: &Dialect, fault: &Fault) -> (StatusCode, Option<redress_envelope::Meaning>) {
    let (status, body) = answer(dialect, fault);
    let headers = headers(fault);
    let head = Head::new(status.as_u16(), &headers, SystemTime::UNIX_EPOCH);
    let envelope = Envelope::read(dialect, &head, [&body[..]]);
    let is_error = dialect.class_for_status(status.as_u16()).is_some() || envelope.signalled;
    (status, is_error.then(|| dialect.meaning(&head, &envelope)))
}

/// Returns the reason if the dialect does not read the scripted code or message from the answer.
pub(crate) fn unreadable(dialect: &Dialect, fault: &Fault) -> Option<String> {
    if fault.body.is_some() || (fault.code.is_none() && fault.message.is_none()) {
        return None;
    }
    let (status, body) = answer(dialect, fault);
    let headers = headers(fault);
    let head = Head::new(status.as_u16(), &headers, SystemTime::UNIX_EPOCH);
    let envelope = Envelope::read(dialect, &head, [&body[..]]);
    if dialect.class_for_status(status.as_u16()).is_none() && !envelope.signalled {
        return Some(format!("a {status} with these words is a success in the dialect, expected the whole `body`"));
    }
    let name = dialect.name();
    let code = fault.code.as_ref().map(ToString::to_string);
    if code.is_some() && envelope.code.as_deref() != code.as_deref() {
        return Some(format!(
            "`{name}` cannot read this `code` from a member of a body, expected `body` or `headers` instead"
        ));
    }
    if fault.message.is_some() && envelope.message.as_deref() != fault.message.as_deref() {
        return Some(format!("`{name}` cannot read this `message` from a member of a body, expected `body` instead"));
    }
    None
}

fn answer(dialect: &Dialect, fault: &Fault) -> (StatusCode, Bytes) {
    if let Some(body) = &fault.body {
        return (fault.status.unwrap_or(StatusCode::OK), body.clone());
    }
    if !fault.replaces() {
        return (StatusCode::OK, bytes(&json!({})));
    }
    let mut problem = problem(dialect, fault.status, fault.code.clone());
    if let Some(message) = &fault.message {
        problem = problem.message(message.clone());
    }
    (problem.status, body(dialect, &Outcome::Problem(problem), None))
}

fn headers(fault: &Fault) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let kind = fault.content_type.clone().unwrap_or(HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.extend(fault.headers.clone());
    headers
}
