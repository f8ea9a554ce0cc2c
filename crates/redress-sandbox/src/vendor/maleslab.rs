//! maleslab: a `success` flag, string codes, and either an API key or bearer tokens.
//!
//! `RATE_LIMIT_EXCEEDED` and `API_KEY_LIMIT_REACHED` occur by script only. `INTERNAL_ERROR`, the code
//! of a 500, is the sandbox's own. The collections are in [`collections`].

mod collections;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use self::collections::Collections;
use crate::code::Code;
use crate::credential::Credential;
use crate::fields::Fields;
use crate::ids::Ids;
use crate::outcome::{Outcome, Problem, Row, Success};
use crate::tokens::{ACCESS_TOKEN_LIFE, Pair, TokenStatus, Tokens, bearer};
use crate::vendor::{self, Api, Call, Tally};

const KEY: &str = "sandbox-api-key";
/// A valid key that is used from an address that is not on its list.
const BLOCKED_KEY: &str = "blocked-api-key";
const EMAIL: &str = "sandbox@example.com";
const PASSWORD: &str = "sandbox";
const LOGIN: &str = "POST /api/v1/auth/login";

pub(crate) const CREDENTIALS: &[Credential] = &[
    Credential::header("X-API-Key", KEY),
    Credential::member(LOGIN, "email", EMAIL),
    Credential::member(LOGIN, "password", PASSWORD),
];

static ROWS: [Row; 20] = [
    Row::text(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", "The request is not valid."),
    Row::text(StatusCode::UNAUTHORIZED, "TOKEN_INVALID", "The token is malformed."),
    Row::text(StatusCode::UNAUTHORIZED, "TOKEN_EXPIRED", "The access token has expired."),
    Row::text(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS", "Wrong email or password."),
    Row::text(StatusCode::UNAUTHORIZED, "INVALID_API_KEY", "No active API key has this value."),
    Row::text(StatusCode::FORBIDDEN, "IP_NOT_ALLOWED", "The key may not be used from this address."),
    Row::text(StatusCode::FORBIDDEN, "REQUIRES_2FA", "A one-time password is needed as well."),
    Row::text(StatusCode::FORBIDDEN, "EMAIL_NOT_VERIFIED", "The email address is not verified yet."),
    Row::text(StatusCode::FORBIDDEN, "COLLECTION_LIMIT_REACHED", "The plan allows no more collections."),
    Row::text(StatusCode::FORBIDDEN, "FACE_LIMIT_REACHED", "The plan allows no more faces in this collection."),
    Row::text(StatusCode::FORBIDDEN, "API_KEY_LIMIT_REACHED", "The plan allows no more API keys."),
    Row::text(StatusCode::NOT_FOUND, "COLLECTION_NOT_FOUND", "No such collection."),
    Row::text(StatusCode::NOT_FOUND, "FACE_NOT_FOUND", "No such face in this collection."),
    Row::text(StatusCode::CONFLICT, "DUPLICATE_EXTERNAL_ID", "A face with this external_id exists already."),
    Row::text(StatusCode::UNPROCESSABLE_ENTITY, "FACE_NOT_DETECTED", "The image shows no face."),
    Row::text(StatusCode::UNPROCESSABLE_ENTITY, "MULTIPLE_FACES", "The image shows more than one face."),
    Row::text(StatusCode::UNPROCESSABLE_ENTITY, "FACE_QUALITY_TOO_LOW", "The face is not clear enough."),
    Row::text(StatusCode::UNPROCESSABLE_ENTITY, "LIVENESS_CHECK_FAILED", "The image is not of a live person."),
    Row::text(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED", "The key's requests per minute are used up."),
    Row::text(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "An unexpected error occurred."),
];

#[derive(Debug)]
pub(crate) struct Maleslab {
    tokens: Tokens,
    collections: Collections,
}

type AppState = State<Arc<Maleslab>>;
type Answer = Result<Success, Problem>;

#[derive(Serialize)]
struct Done<'a> {
    success: bool,
    data: &'a Value,
    request_id: &'a str,
    timestamp: &'a str,
}

#[derive(Serialize)]
struct Failure<'a> {
    success: bool,
    error: Wrong<'a>,
    request_id: &'a str,
    timestamp: &'a str,
}

#[derive(Serialize)]
struct Wrong<'a> {
    code: Option<&'a Code>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}

impl Maleslab {
    pub(crate) fn new() -> Self {
        Self { tokens: Tokens::new(jwt), collections: Collections::default() }
    }

    fn authorized(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if let Some(key) = headers.get("x-api-key") {
            return match key.as_bytes() {
                key if key == KEY.as_bytes() => Ok(()),
                key if key == BLOCKED_KEY.as_bytes() => Err(refuse("IP_NOT_ALLOWED")),
                _ => Err(refuse("INVALID_API_KEY")),
            };
        }
        let token = bearer(headers).ok_or_else(|| refuse("TOKEN_INVALID"))?;
        match self.tokens.status(token) {
            TokenStatus::Live(_) => Ok(()),
            TokenStatus::Expired(_) => Err(refuse("TOKEN_EXPIRED")),
            TokenStatus::Unknown => Err(refuse("TOKEN_INVALID")),
        }
    }
}

impl Api for Maleslab {
    fn router(self: Arc<Self>) -> Router {
        collections::router()
            .route_layer(middleware::from_fn_with_state(Arc::clone(&self), authorize))
            .route("/api/v1/auth/login", post(login))
            .route("/api/v1/auth/refresh", post(refresh))
            .with_state(self)
    }

    fn problem(&self, status: Option<StatusCode>, code: Option<Code>) -> Problem {
        Problem::find(&ROWS, status, code, |status| {
            Code::from(if status.is_client_error() { "VALIDATION_ERROR" } else { "INTERNAL_ERROR" })
        })
    }

    fn body(&self, outcome: &Outcome, call: &Call) -> Bytes {
        let (request_id, timestamp) = (format!("req_{}", call.id), call.timestamp.as_str());
        match outcome {
            Outcome::Success(Success { data, .. }) => {
                vendor::json(&Done { success: true, data, request_id: &request_id, timestamp })
            }
            Outcome::Problem(problem) => {
                let error = Wrong {
                    code: problem.code.as_ref(),
                    message: &problem.message,
                    details: problem.details.as_deref(),
                };
                vendor::json(&Failure { success: false, error, request_id: &request_id, timestamp })
            }
        }
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    fn tally(&self) -> Tally {
        Tally { collections: self.collections.len(), faces: self.collections.faces(), ..Tally::default() }
    }
}

async fn authorize(State(maleslab): AppState, request: Request, next: Next) -> Result<Response, Problem> {
    maleslab.authorized(request.headers())?;
    Ok(next.run(request).await)
}

async fn login(State(maleslab): AppState, body: Bytes) -> Answer {
    let fields = required(&body, &["email", "password"])?;
    match (fields.text("email"), fields.text("password")) {
        (Some("2fa@example.com"), Some(PASSWORD)) => Err(refuse("REQUIRES_2FA")),
        (Some("unverified@example.com"), Some(PASSWORD)) => Err(refuse("EMAIL_NOT_VERIFIED")),
        (Some(EMAIL), Some(PASSWORD)) => Ok(pair(&maleslab.tokens.issue())),
        _ => Err(refuse("INVALID_CREDENTIALS")),
    }
}

async fn refresh(State(maleslab): AppState, body: Bytes) -> Answer {
    let fields = required(&body, &["refresh_token"])?;
    let token = fields.text("refresh_token").unwrap_or_default();
    let new = maleslab.tokens.exchange(token).ok_or_else(|| refuse("TOKEN_INVALID"))?;
    Ok(pair(&new))
}

fn pair(pair: &Pair) -> Success {
    Success::ok(json!({
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "expires_in": ACCESS_TOKEN_LIFE.as_secs(),
        "token_type": "Bearer",
    }))
}

/// Parses a body whose named members must be non-empty strings.
fn required(body: &[u8], names: &[&str]) -> Result<Fields, Problem> {
    let fields = Fields::lenient(body);
    let errors: Vec<Value> = names
        .iter()
        .filter(|name| fields.text(name).is_none())
        .map(|name| json!({ "field": name, "message": format!("{name} is required") }))
        .collect();
    if errors.is_empty() {
        return Ok(fields);
    }
    Err(refuse("VALIDATION_ERROR").details(Value::Array(errors)))
}

/// Returns a token in the form of a JWT. Its payload is empty: only the server knows its meaning.
fn jwt(ids: &Ids) -> String {
    format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", ids.alphanumeric(24), ids.alphanumeric(43))
}

fn refuse(code: &'static str) -> Problem {
    Problem::find(&ROWS, None, Some(Code::from(code)), |_| Code::from("INTERNAL_ERROR"))
}
