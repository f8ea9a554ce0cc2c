//! ranex: errors by status, a body with only a message, applicants that are idempotent on
//! `externalUserId`.
//!
//! An applicant with the `level` `none` has no eligible verification level. The id `foreign` belongs to
//! another product.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::code::Code;
use crate::credential::Credential;
use crate::fields::Fields;
use crate::ids::Ids;
use crate::limits::Limits;
use crate::outcome::{Outcome, Problem, Success};
use crate::shared::Shared;
use crate::vendor::{self, Api, Call, Tally};

const KEY: &str = "sandbox-key";
const SECRET: &str = "sandbox-secret";
/// The published limit of the authentication endpoints.
const AUTH_PER_MINUTE: u32 = 20;
const FOREIGN_ID: &str = "foreign";
const NO_LEVEL: &str = "none";

pub(crate) const CREDENTIALS: &[Credential] =
    &[Credential::header("X-Api-Key", KEY), Credential::header("X-Api-Secret", SECRET)];

#[derive(Debug, Default)]
pub(crate) struct Ranex {
    ids: Ids,
    limits: Limits,
    records: Shared<Records>,
}

type AppState = State<Arc<Ranex>>;
type Answer = Result<Success, Problem>;

#[derive(Debug, Default)]
struct Records {
    applicants: HashMap<String, Applicant>,
    verifications: usize,
    documents: usize,
}

#[derive(Debug)]
struct Applicant {
    id: String,
    external: String,
    level: String,
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
}

impl Api for Ranex {
    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/applicants", post(create))
            .route("/v1/applicants/{id}", get(show).put(replace).delete(remove))
            .route("/v1/applicants/{id}/verify", post(verify))
            .route("/v1/applicants/{id}/documents", post(add_document))
            .route_layer(middleware::from_fn(authorize))
            .route("/v1/auth/token", post(token))
            .with_state(self)
    }

    fn problem(&self, status: Option<StatusCode>, _code: Option<Code>) -> Problem {
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Problem::new(status, status.canonical_reason().unwrap_or("Error"))
    }

    fn body(&self, outcome: &Outcome, _call: &Call) -> Bytes {
        match outcome {
            Outcome::Success(success) => vendor::json(&success.data),
            Outcome::Problem(problem) => vendor::json(&Failure { message: &problem.message }),
        }
    }

    fn limits(&self) -> Option<&Limits> {
        Some(&self.limits)
    }

    fn tally(&self) -> Tally {
        let records = self.records.lock();
        Tally {
            applicants: records.applicants.len(),
            verifications: records.verifications,
            documents: records.documents,
            ..Tally::default()
        }
    }
}

impl Records {
    fn applicant(&self, id: &str) -> Result<&Applicant, Problem> {
        self.applicants.get(id).ok_or_else(|| absent(id))
    }
}

impl Applicant {
    fn view(&self) -> Value {
        json!({ "id": self.id, "externalUserId": self.external, "level": self.level, "status": "init" })
    }
}

async fn authorize(request: Request, next: Next) -> Result<Response, Problem> {
    check_keys(request.headers())?;
    Ok(next.run(request).await)
}

async fn token(State(ranex): AppState, headers: HeaderMap) -> Answer {
    ranex.limits.take("auth", AUTH_PER_MINUTE).map_err(|seconds| {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests from this address").retry_after(seconds)
    })?;
    check_keys(&headers)?;
    Ok(Success::ok(json!({ "token": ranex.ids.alphanumeric(32), "expiresIn": 600 })))
}

/// Creates an applicant, or returns the existing one with this `externalUserId`.
async fn create(State(ranex): AppState, body: Bytes) -> Answer {
    let fields = parse(&body)?;
    let external = fields.text("externalUserId").ok_or_else(|| invalid("externalUserId is required"))?;
    let mut records = ranex.records.lock();
    if let Some(existing) = records.applicants.values().find(|applicant| applicant.external == external) {
        return Ok(Success::ok(existing.view()));
    }
    let applicant = Applicant {
        id: format!("app_{}", ranex.ids.alphanumeric(16)),
        external: external.to_owned(),
        level: fields.text("level").unwrap_or("basic").to_owned(),
    };
    let view = applicant.view();
    records.applicants.insert(applicant.id.clone(), applicant);
    Ok(Success::created(view))
}

async fn show(State(ranex): AppState, Path(id): Path<String>) -> Answer {
    ranex.records.lock().applicant(&id).map(|applicant| Success::ok(applicant.view()))
}

async fn replace(State(ranex): AppState, Path(id): Path<String>, body: Bytes) -> Answer {
    let fields = parse(&body)?;
    let mut records = ranex.records.lock();
    let applicant = records.applicants.get_mut(&id).ok_or_else(|| absent(&id))?;
    applicant.level = fields.text("level").unwrap_or("basic").to_owned();
    Ok(Success::ok(applicant.view()))
}

async fn remove(State(ranex): AppState, Path(id): Path<String>) -> Answer {
    let removed = ranex.records.lock().applicants.remove(&id);
    removed.map(|_| Success::ok(json!({ "id": id, "deleted": true }))).ok_or_else(|| absent(&id))
}

/// Starts a verification. Not idempotent: each request starts one.
async fn verify(State(ranex): AppState, Path(id): Path<String>) -> Answer {
    let mut records = ranex.records.lock();
    if records.applicant(&id)?.level == NO_LEVEL {
        let message = "The applicant has no eligible verification level";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    records.verifications += 1;
    let data = json!({ "id": format!("ver_{}", ranex.ids.alphanumeric(16)), "applicantId": id, "status": "pending" });
    Ok(Success::new(StatusCode::ACCEPTED, data))
}

/// Adds a document. Not idempotent: each request adds one.
async fn add_document(State(ranex): AppState, Path(id): Path<String>, body: Bytes) -> Answer {
    let fields = parse(&body)?;
    let kind = fields.text("type").ok_or_else(|| invalid("type is required"))?;
    let mut records = ranex.records.lock();
    records.applicant(&id)?;
    records.documents += 1;
    let data = json!({ "id": format!("doc_{}", ranex.ids.alphanumeric(16)), "applicantId": id, "type": kind });
    Ok(Success::created(data))
}

fn check_keys(headers: &HeaderMap) -> Result<(), Problem> {
    let has = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    if has("x-api-key", KEY) && has("x-api-secret", SECRET) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNAUTHORIZED, "No active key pair matches X-Api-Key and X-Api-Secret"))
}

fn parse(body: &[u8]) -> Result<Fields, Problem> {
    Fields::parse(body).ok_or_else(|| invalid("The request body is not a JSON object"))
}

fn invalid(message: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, message)
}

fn absent(id: &str) -> Problem {
    if id == FOREIGN_ID {
        return Problem::new(StatusCode::FORBIDDEN, "This applicant belongs to another product");
    }
    Problem::new(StatusCode::NOT_FOUND, "Applicant not found")
}
