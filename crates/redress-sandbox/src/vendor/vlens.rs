//! vlens: one envelope for every response, numeric error codes, an API key and bearer tokens.
//!
//! Business and token errors have status 200, unless the sandbox is switched to fitting statuses.
//! Validation errors always have status 400, and unknown routes 404. The protected routes are in
//! [`routes`].

pub mod code;
mod routes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::code::Code;
use crate::credential::Credential;
use crate::fields::Fields;
use crate::ids::Ids;
use crate::outcome::{Outcome, Problem, Row, Success};
use crate::shared::Shared;
use crate::tokens::{ACCESS_TOKEN_LIFE, Pair, TokenStatus, Tokens, bearer};
use crate::vendor::{self, Api, Call};

const KEY: &str = "sandbox-api-key";
const USERNAME: &str = "sandbox";
const PASSWORD: &str = "sandbox";
const LOGIN: &str = "POST /api/credentials/Login";

pub(crate) const CREDENTIALS: &[Credential] = &[
    Credential::header("ApiKey", KEY),
    Credential::member(LOGIN, "username", USERNAME),
    Credential::member(LOGIN, "password", PASSWORD),
];

static ROWS: [Row; 23] = [
    Row::number(StatusCode::BAD_REQUEST, code::VALIDATION, "The request is not valid"),
    Row::number(StatusCode::UNAUTHORIZED, code::ACCESS_TOKEN_EXPIRED, "The access token has expired"),
    Row::number(StatusCode::UNAUTHORIZED, code::API_KEY_INVALID, "The ApiKey header is missing or wrong"),
    Row::number(StatusCode::UNAUTHORIZED, code::REFRESH_TOKEN_EXPIRED, "The refresh token has expired or was revoked"),
    Row::number(StatusCode::UNAUTHORIZED, code::AUTHORIZATION_MISSING, "The Authorization header is missing"),
    Row::number(StatusCode::UNAUTHORIZED, code::CREDENTIALS_INVALID, "Wrong user name or password"),
    Row::number(StatusCode::FORBIDDEN, code::TOKEN_FOREIGN, "The token belongs to another tenant"),
    Row::number(StatusCode::FORBIDDEN, code::TOKEN_FORBIDDEN, "The token does not permit this route"),
    Row::number(StatusCode::CONFLICT, code::ALREADY_REGISTERED, "The phone number or email is registered already"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::OTP_INVALID, "Wrong one-time password"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::OTP_EXPIRED, "The one-time password has expired"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::IMAGE_QUALITY, "The image is not clear enough to be read"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::DOCUMENT_FAKE, "The document is not an original"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::LIVENESS_FAILED, "Liveness was not shown"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::FACES_IDENTICAL, "The face frames are identical"),
    Row::number(StatusCode::NOT_FOUND, code::TRANSACTION_NOT_FOUND, "No such transaction"),
    Row::number(
        StatusCode::UNPROCESSABLE_ENTITY,
        code::AUTHORITY_CHECK_FAILED,
        "The authority does not confirm the ID",
    ),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::NOT_ELIGIBLE, "The user is not eligible"),
    Row::number(StatusCode::CONFLICT, code::WRONG_REQUEST_STATUS, "The request's status does not allow this"),
    Row::number(StatusCode::CONFLICT, code::LOCATION_CHANGED, "The location changed, liveness is required"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::SIGNING_OTP_INVALID, "Wrong one-time password for signing"),
    Row::number(StatusCode::UNPROCESSABLE_ENTITY, code::FORM_FIELD_MISSING, "A required form field is missing"),
    Row::number(StatusCode::NOT_FOUND, code::REQUEST_NOT_FOUND, "No such business request"),
];

#[derive(Debug)]
pub(crate) struct Vlens {
    ids: Ids,
    tokens: Tokens,
    errors_at_status: AtomicBool,
    transactions: Shared<Vec<String>>,
}

type AppState = State<Arc<Vlens>>;
type Answer = Result<Success, Problem>;

#[derive(Serialize)]
struct Envelope<'a> {
    data: &'a Value,
    error_code: Option<&'a Code>,
    error_message: Option<&'a str>,
    error_descriptions: Option<&'a Value>,
}

impl Vlens {
    pub(crate) fn new() -> Self {
        Self {
            ids: Ids::default(),
            tokens: Tokens::new(|ids| ids.alphanumeric(40)),
            errors_at_status: AtomicBool::new(false),
            transactions: Shared::default(),
        }
    }

    /// Returns the error of a code, with the status that is currently configured for it.
    fn refuse(&self, code: i64) -> Problem {
        self.problem(None, Some(Code::Number(code)))
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let matches = headers.get("apikey").is_some_and(|key| key == KEY);
        matches.then_some(()).ok_or_else(|| self.refuse(code::API_KEY_INVALID))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let token = bearer(headers).ok_or_else(|| self.refuse(code::AUTHORIZATION_MISSING))?;
        match self.tokens.status(token) {
            TokenStatus::Live(_) => Ok(()),
            TokenStatus::Expired(_) => Err(self.refuse(code::ACCESS_TOKEN_EXPIRED)),
            TokenStatus::Unknown => Err(self.refuse(code::TOKEN_FOREIGN)),
        }
    }

    /// Parses a body whose named members must be non-empty strings.
    fn required(&self, body: &[u8], names: &[&str]) -> Result<Fields, Problem> {
        let fields = Fields::lenient(body);
        let missing: Vec<&str> = names.iter().copied().filter(|name| fields.text(name).is_none()).collect();
        if missing.is_empty() { Ok(fields) } else { Err(self.missing(&missing)) }
    }

    fn missing(&self, names: &[&str]) -> Problem {
        let describe = |name: &&str| json!({ "field": name, "message": format!("{name} is required") });
        self.refuse(code::VALIDATION).details(names.iter().map(describe).collect())
    }
}

impl Api for Vlens {
    fn router(self: Arc<Self>) -> Router {
        let key = middleware::from_fn_with_state(Arc::clone(&self), authorize_key);
        let token = middleware::from_fn_with_state(Arc::clone(&self), authorize_token);
        routes::router()
            .route_layer(token)
            .route("/api/credentials/Login", post(login))
            .route("/api/credentials/RefreshToken", post(refresh))
            .route_layer(key)
            .with_state(self)
    }

    fn problem(&self, status: Option<StatusCode>, code: Option<Code>) -> Problem {
        let number = |status: StatusCode| Code::Number(i64::from(status.as_u16()));
        // Few statuses have a code of their own; for the others the code is the status itself.
        let code = code.or_else(|| match status {
            None | Some(StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED) => None,
            Some(status) => Some(number(status)),
        });
        let mut problem = Problem::find(&ROWS, status, code, number);
        let at_status = self.errors_at_status.load(Ordering::Relaxed);
        if status.is_none() && !at_status && problem.status != StatusCode::BAD_REQUEST {
            problem.status = StatusCode::OK;
        }
        problem
    }

    fn body(&self, outcome: &Outcome, _call: &Call) -> Bytes {
        vendor::json(&match outcome {
            Outcome::Success(success) => {
                Envelope { data: &success.data, error_code: None, error_message: None, error_descriptions: None }
            }
            Outcome::Problem(problem) => Envelope {
                data: &Value::Null,
                error_code: problem.code.as_ref(),
                error_message: Some(&problem.message),
                error_descriptions: problem.details.as_deref(),
            },
        })
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    fn set_errors_at_status(&self, at_status: bool) {
        self.errors_at_status.store(at_status, Ordering::Relaxed);
    }
}

async fn authorize_key(State(vlens): AppState, request: Request, next: Next) -> Result<Response, Problem> {
    vlens.check_key(request.headers())?;
    Ok(next.run(request).await)
}

async fn authorize_token(State(vlens): AppState, request: Request, next: Next) -> Result<Response, Problem> {
    vlens.check_token(request.headers())?;
    Ok(next.run(request).await)
}

async fn login(State(vlens): AppState, body: Bytes) -> Answer {
    let fields = vlens.required(&body, &["username", "password"])?;
    if (fields.text("username"), fields.text("password")) != (Some(USERNAME), Some(PASSWORD)) {
        return Err(vlens.refuse(code::CREDENTIALS_INVALID));
    }
    Ok(pair(&vlens.tokens.issue()))
}

async fn refresh(State(vlens): AppState, body: Bytes) -> Answer {
    let fields = vlens.required(&body, &["refreshToken"])?;
    let token = fields.text("refreshToken").unwrap_or_default();
    let new = vlens.tokens.exchange(token).ok_or_else(|| vlens.refuse(code::REFRESH_TOKEN_EXPIRED))?;
    Ok(pair(&new))
}

fn pair(pair: &Pair) -> Success {
    Success::ok(json!({
        "accessToken": pair.access,
        "refreshToken": pair.refresh,
        "expiresIn": ACCESS_TOKEN_LIFE.as_secs(),
    }))
}
