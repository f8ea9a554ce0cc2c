//! verilock: errors by status and a string, `details` whose form depends on the status, sessions with
//! final states.
//!
//! `validation_error` and `rate_limit_exceeded` are published codes; those of the other statuses are
//! the sandbox's own. The key `readonly-api-key` permits only reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::code::Code;
use crate::credential::Credential;
use crate::fields::Fields;
use crate::ids::Ids;
use crate::outcome::{Outcome, Problem, Row, Success};
use crate::shared::Shared;
use crate::vendor::{self, Api, Call, Tally};

const KEY: &str = "sandbox-api-key";
const READ_ONLY_KEY: &str = "readonly-api-key";
const DOCUMENT_TYPES: [&str; 4] = ["passport", "id_card", "driver_license", "residence_permit"];

pub(crate) const CREDENTIALS: &[Credential] =
    &[Credential::header("X-API-Key", KEY), Credential::header("X-API-Key", READ_ONLY_KEY).limited("GET only")];

static ROWS: [Row; 10] = [
    Row::text(StatusCode::BAD_REQUEST, "bad_request", "The request body is malformed."),
    Row::text(StatusCode::UNAUTHORIZED, "unauthorized", "The API key is missing or invalid."),
    Row::text(StatusCode::FORBIDDEN, "forbidden", "The API key does not permit this action."),
    Row::text(StatusCode::NOT_FOUND, "not_found", "The resource was not found."),
    Row::text(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed here."),
    Row::text(StatusCode::CONFLICT, "conflict", "The session is already in another final state."),
    Row::text(StatusCode::UNPROCESSABLE_ENTITY, "validation_error", "The data given is not valid."),
    Row::text(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "Too many requests."),
    Row::text(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "An unexpected error occurred."),
    Row::text(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "The API is temporarily unavailable."),
];

#[derive(Debug, Default)]
pub(crate) struct Verilock {
    ids: Ids,
    sessions: Shared<BTreeMap<String, Session>>,
}

type AppState = State<Arc<Verilock>>;
type Answer = Result<Success, Problem>;

#[derive(Debug, Clone, Serialize)]
struct Session {
    id: String,
    status: Status,
    redirect_url: String,
    document_type: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Pending,
    Approved,
    Declined,
}

#[derive(Serialize)]
struct Failure<'a> {
    error: Option<&'a Code>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl Api for Verilock {
    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/sessions", post(create).get(list))
            .route("/v1/sessions/{id}", get(show).delete(remove))
            .route("/v1/sessions/{id}/approve", post(approve))
            .route("/v1/sessions/{id}/decline", post(decline))
            .route("/v1/api-keys", post(create_key))
            .route("/v1/webhook-endpoints", post(create_webhook))
            .route_layer(middleware::from_fn(authorize))
            .with_state(self)
    }

    fn problem(&self, status: Option<StatusCode>, code: Option<Code>) -> Problem {
        Problem::find(&ROWS, status, code, |status| {
            Code::from(if status.is_client_error() { "bad_request" } else { "internal_error" })
        })
    }

    fn body(&self, outcome: &Outcome, _call: &Call) -> Bytes {
        match outcome {
            Outcome::Success(success) if success.status == StatusCode::NO_CONTENT => Bytes::new(),
            Outcome::Success(success) => vendor::json(&success.data),
            Outcome::Problem(problem) => vendor::json(&Failure {
                error: problem.code.as_ref(),
                message: &problem.message,
                details: details(problem),
            }),
        }
    }

    fn names_requests(&self) -> bool {
        true
    }

    fn tally(&self) -> Tally {
        Tally { sessions: self.sessions.lock().len(), ..Tally::default() }
    }
}

impl Verilock {
    /// Moves a session to a final state. Repeating a decision is permitted; changing it is a conflict.
    fn settle(&self, id: &str, wanted: Status) -> Answer {
        let mut sessions = self.sessions.lock();
        let session = sessions.get_mut(id).ok_or_else(|| refuse("not_found"))?;
        if session.status != Status::Pending && session.status != wanted {
            return Err(refuse("conflict"));
        }
        session.status = wanted;
        Ok(Success::ok(json!(session)))
    }
}

async fn authorize(request: Request, next: Next) -> Result<Response, Problem> {
    let key = request.headers().get("x-api-key").and_then(|key| key.to_str().ok());
    match key {
        Some(KEY) => Ok(next.run(request).await),
        Some(READ_ONLY_KEY) if request.method() == Method::GET => Ok(next.run(request).await),
        Some(READ_ONLY_KEY) => Err(refuse("forbidden")),
        _ => Err(refuse("unauthorized")),
    }
}

async fn create(State(verilock): AppState, body: Bytes) -> Answer {
    let fields = required(&body, &["redirect_url", "document_type"])?;
    let url = fields.text("redirect_url").unwrap_or_default();
    let kind = fields.text("document_type").unwrap_or_default();
    check_fields([
        ("redirect_url", is_url(url), "The redirect url is not a valid URL."),
        ("document_type", DOCUMENT_TYPES.contains(&kind), "The document type is not a known one."),
    ])?;
    let session = Session {
        id: format!("ses_{}", verilock.ids.alphanumeric(16)),
        status: Status::Pending,
        redirect_url: url.to_owned(),
        document_type: kind.to_owned(),
    };
    verilock.sessions.lock().insert(session.id.clone(), session.clone());
    Ok(Success::created(json!(session)))
}

async fn list(State(verilock): AppState) -> Answer {
    let sessions: Vec<Session> = verilock.sessions.lock().values().cloned().collect();
    Ok(Success::ok(json!({ "data": sessions })))
}

async fn show(State(verilock): AppState, Path(id): Path<String>) -> Answer {
    let sessions = verilock.sessions.lock();
    sessions.get(&id).map(|session| Success::ok(json!(session))).ok_or_else(|| refuse("not_found"))
}

async fn remove(State(verilock): AppState, Path(id): Path<String>) -> Answer {
    let removed = verilock.sessions.lock().remove(&id);
    removed.map(|_| Success::new(StatusCode::NO_CONTENT, Value::Null)).ok_or_else(|| refuse("not_found"))
}

async fn approve(State(verilock): AppState, Path(id): Path<String>) -> Answer {
    verilock.settle(&id, Status::Approved)
}

async fn decline(State(verilock): AppState, Path(id): Path<String>) -> Answer {
    verilock.settle(&id, Status::Declined)
}

async fn create_key(State(verilock): AppState, body: Bytes) -> Answer {
    let fields = required(&body, &["name"])?;
    let id = format!("key_{}", verilock.ids.alphanumeric(16));
    Ok(Success::created(json!({ "id": id, "name": fields.text("name") })))
}

async fn create_webhook(State(verilock): AppState, body: Bytes) -> Answer {
    let fields = required(&body, &["url"])?;
    let url = fields.text("url").unwrap_or_default();
    check_fields([("url", is_url(url), "The url is not a valid URL.")])?;
    let id = format!("whk_{}", verilock.ids.alphanumeric(16));
    Ok(Success::created(json!({ "id": id, "url": url })))
}

/// Parses a body. A missing field makes it malformed (400); a wrong value is a validation error (422).
fn required(body: &[u8], names: &[&str]) -> Result<Fields, Problem> {
    let fields = Fields::parse(body).ok_or_else(|| refuse("bad_request"))?;
    match names.iter().find(|name| !fields.has(name)) {
        Some(name) => Err(refuse("bad_request").message(format!("The field {name} is missing."))),
        None => Ok(fields),
    }
}

fn check_fields<const N: usize>(checks: [(&str, bool, &str); N]) -> Result<(), Problem> {
    let errors: Map<String, Value> = checks
        .into_iter()
        .filter(|(_, valid, _)| !valid)
        .map(|(name, _, message)| (name.to_owned(), json!([message])))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(refuse("validation_error").details(Value::Object(errors)))
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(' '))
}

/// Adds the wait in seconds to the body, as a 429 of this vendor does.
fn details(problem: &Problem) -> Option<Value> {
    let seconds = problem.retry_after.as_ref().and_then(|value| value.seconds());
    match (&problem.details, seconds) {
        (Some(details), _) => Some(Value::clone(details)),
        (None, Some(seconds)) if problem.status == StatusCode::TOO_MANY_REQUESTS => {
            Some(json!({ "retry_after": seconds }))
        }
        _ => None,
    }
}

fn refuse(code: &'static str) -> Problem {
    Problem::find(&ROWS, None, Some(Code::from(code)), |_| Code::from("internal_error"))
}
