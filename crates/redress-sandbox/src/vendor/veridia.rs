//! veridia: string codes, a request id in body and header, credits, limits per tenant and minute.
//!
//! The `userRef` given to `/init` determines the result of `/submit`: the images of `front_missing` and
//! `selfie_missing` are never uploaded, and that of `front_gone` disappears before it is read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::code::Code;
use crate::credential::Credential;
use crate::fields::Fields;
use crate::ids::Ids;
use crate::limits::Limits;
use crate::outcome::{Outcome, Problem, Row, Success};
use crate::shared::Shared;
use crate::tokens::bearer;
use crate::vendor::{self, Api, Call, Tally};

/// The key of a server, accepted from any origin.
const SECRET_KEY: &str = "qv_sec_test_sandbox";
/// The key of a browser, accepted from `ALLOWED_ORIGIN` only.
const PUBLISHABLE_KEY: &str = "qv_pub_test_sandbox";
/// Keys of the other environment: they are known, and refused as `wrong_environment`.
const LIVE_KEYS: [&str; 2] = ["qv_sec_live_sandbox", "qv_pub_live_sandbox"];
const ALLOWED_ORIGIN: &str = "http://localhost:3000";
const DOCUMENT_TYPES: [&str; 4] = ["passport", "dni", "driver_license", "residence_permit"];
/// The published time between `/init` and `/submit`.
const INTENT_LIFE: Duration = Duration::from_secs(3600);
/// The published limits of each tenant, in fixed windows of a minute.
const INIT_PER_MINUTE: u32 = 60;
const SUBMIT_PER_MINUTE: u32 = 30;
const SHOW_PER_MINUTE: u32 = 600;
/// The credits at the start: no test that does not ask for it meets `insufficient_credits`.
const FIRST_CREDITS: u64 = 1_000_000;

pub(crate) const CREDENTIALS: &[Credential] = &[
    Credential::header("Authorization", "Bearer qv_sec_test_sandbox"),
    Credential::header("Authorization", "Bearer qv_pub_test_sandbox")
        .limited("from no Origin but http://localhost:3000"),
];

/// The documented codes, with the status and a message in the vendor's manner.
static ROWS: [Row; 10] = [
    Row::text(StatusCode::BAD_REQUEST, "invalid_body", "The request body does not have the expected form"),
    Row::text(StatusCode::UNAUTHORIZED, "unauthorized", "An Authorization header with a bearer key is needed"),
    Row::text(StatusCode::UNAUTHORIZED, "invalid_key", "No active key has this value"),
    Row::text(StatusCode::FORBIDDEN, "origin_not_allowed", "The key may not be used from this origin"),
    Row::text(StatusCode::FORBIDDEN, "wrong_environment", "The key belongs to the other environment"),
    Row::text(StatusCode::FORBIDDEN, "insufficient_credits", "No credits are left"),
    Row::text(StatusCode::NOT_FOUND, "not_found", "No such route"),
    Row::text(StatusCode::NOT_FOUND, "verification_not_found", "No such verification, or it has expired"),
    Row::text(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "The limit of requests per minute is reached"),
    Row::text(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something broke on our side"),
];

#[derive(Debug)]
pub(crate) struct Veridia {
    ids: Ids,
    limits: Limits,
    records: Shared<Records>,
}

type AppState = State<Arc<Veridia>>;
type Answer = Result<Success, Problem>;

#[derive(Debug)]
struct Records {
    credits: u64,
    intents: HashMap<String, Intent>,
}

/// A verification after `/init`.
#[derive(Debug)]
struct Intent {
    user_ref: String,
    keys: Map<String, Value>,
    started: Instant,
    submitted: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    error: Option<&'a Code>,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a Value>,
}

impl Veridia {
    pub(crate) fn new() -> Self {
        let records = Records { credits: FIRST_CREDITS, intents: HashMap::new() };
        Self { ids: Ids::default(), limits: Limits::default(), records: Shared::new(records) }
    }

    fn pace(&self, name: &'static str, per_minute: u32) -> Result<(), Problem> {
        self.limits.take(name, per_minute).map_err(|seconds| refuse("rate_limited").retry_after(seconds))
    }
}

impl Api for Veridia {
    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/verify/init", post(init))
            .route("/v1/verify/submit", post(submit))
            .route("/v1/verify/{id}", get(show))
            .route_layer(middleware::from_fn(authorize))
            .with_state(self)
    }

    fn problem(&self, status: Option<StatusCode>, code: Option<Code>) -> Problem {
        Problem::find(&ROWS, status, code, |status| {
            Code::from(match status.as_u16() {
                404..=405 => "not_found",
                400..=499 => "invalid_body",
                _ => "internal",
            })
        })
    }

    fn body(&self, outcome: &Outcome, call: &Call) -> Bytes {
        match outcome {
            Outcome::Success(success) => vendor::json(&success.data),
            Outcome::Problem(problem) => vendor::json(&Failure {
                error: problem.code.as_ref(),
                message: &problem.message,
                request_id: &call.id,
                detail: problem.details.as_deref(),
            }),
        }
    }

    fn names_requests(&self) -> bool {
        true
    }

    fn limits(&self) -> Option<&Limits> {
        Some(&self.limits)
    }

    fn tally(&self) -> Tally {
        let records = self.records.lock();
        Tally { verifications: records.intents.len(), credits: records.credits, ..Tally::default() }
    }

    fn set_credits(&self, credits: u64) {
        self.records.lock().credits = credits;
    }
}

impl Records {
    fn intent(&mut self, id: &str) -> Result<&mut Intent, Problem> {
        let intent = self.intents.get_mut(id).filter(|intent| intent.submitted || !intent.is_expired(Instant::now()));
        intent.ok_or_else(|| refuse("verification_not_found"))
    }
}

impl Intent {
    fn is_expired(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.started) > INTENT_LIFE
    }

    /// Returns the first problem with these keys.
    fn reason(&self, given: &Map<String, Value>) -> Option<&'static str> {
        let mismatch = |name: &str| self.keys.get(name) != given.get(name);
        let reasons = [
            (mismatch("docFront"), "doc_front_key_mismatch"),
            (mismatch("selfie"), "selfie_key_mismatch"),
            (mismatch("docBack"), "doc_back_key_mismatch"),
            (self.user_ref == "front_missing", "doc_front_not_uploaded"),
            (self.user_ref == "selfie_missing", "selfie_not_uploaded"),
            (self.user_ref == "front_gone", "doc_front_disappeared"),
        ];
        reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
    }
}

async fn authorize(request: Request, next: Next) -> Result<Response, Problem> {
    check_key(request.headers())?;
    Ok(next.run(request).await)
}

async fn init(State(veridia): AppState, body: Bytes) -> Answer {
    veridia.pace("init", INIT_PER_MINUTE)?;
    let fields = Fields::lenient(&body);
    let kind = fields.text("documentType").unwrap_or_default();
    check_fields([
        (
            "userRef",
            fields.text("userRef").is_some_and(|text| text.chars().count() <= 128),
            "expected 1 to 128 characters",
        ),
        ("country", fields.text("country").is_some_and(|text| text.chars().count() == 2), "expected 2 characters"),
        ("documentType", DOCUMENT_TYPES.contains(&kind), "expected passport, dni, driver_license or residence_permit"),
    ])?;
    let mut records = veridia.records.lock();
    records.credits = records.credits.checked_sub(1).ok_or_else(|| refuse("insufficient_credits"))?;
    let id = format!("vf_{}", veridia.ids.alphanumeric(20));
    let names: &[&str] = if kind == "passport" { &["docFront", "selfie"] } else { &["docFront", "docBack", "selfie"] };
    let keys: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!(format!("uploads/{id}/{name}")))).collect();
    let intent = Intent {
        user_ref: fields.text("userRef").unwrap_or_default().to_owned(),
        keys: keys.clone(),
        started: Instant::now(),
        submitted: false,
    };
    records.intents.insert(id.clone(), intent);
    Ok(Success::ok(json!({ "verificationId": id, "keys": keys, "expiresIn": INTENT_LIFE.as_secs() })))
}

async fn submit(State(veridia): AppState, body: Bytes) -> Answer {
    veridia.pace("submit", SUBMIT_PER_MINUTE)?;
    let fields = Fields::lenient(&body);
    let id = fields.text("verificationId").unwrap_or_default();
    let keys = fields.object("keys");
    check_fields([
        ("verificationId", is_verification_id(id), "expected vf_ and 16 to 24 letters or digits"),
        ("keys", keys.is_some(), "expected an object"),
    ])?;
    let mut records = veridia.records.lock();
    let intent = records.intent(id)?;
    if let Some(reason) = keys.and_then(|keys| intent.reason(keys)) {
        return Err(refuse("invalid_body").details(json!({ "reason": reason })));
    }
    intent.submitted = true;
    Ok(Success::ok(json!({ "verificationId": id, "status": "processing" })))
}

async fn show(State(veridia): AppState, Path(id): Path<String>) -> Answer {
    veridia.pace("show", SHOW_PER_MINUTE)?;
    let mut records = veridia.records.lock();
    let status = if records.intent(&id)?.submitted { "approved" } else { "pending" };
    Ok(Success::ok(json!({ "verificationId": id, "status": status })))
}

fn check_key(headers: &HeaderMap) -> Result<(), Problem> {
    let key = bearer(headers).ok_or_else(|| refuse("unauthorized"))?;
    let is_foreign = headers.get(header::ORIGIN).is_some_and(|origin| origin != ALLOWED_ORIGIN);
    match key {
        SECRET_KEY => Ok(()),
        PUBLISHABLE_KEY if is_foreign => Err(refuse("origin_not_allowed")),
        PUBLISHABLE_KEY => Ok(()),
        live if LIVE_KEYS.contains(&live) => Err(refuse("wrong_environment")),
        _ => Err(refuse("invalid_key")),
    }
}

fn check_fields<const N: usize>(checks: [(&str, bool, &str); N]) -> Result<(), Problem> {
    let errors: Map<String, Value> = checks
        .into_iter()
        .filter(|(_, valid, _)| !valid)
        .map(|(name, _, expected)| (name.to_owned(), json!([expected])))
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(refuse("invalid_body").details(json!({ "fieldErrors": errors })))
}

/// Returns `true` if the text has the published form `^vf_[A-Za-z0-9]{16,24}$`.
fn is_verification_id(text: &str) -> bool {
    text.strip_prefix("vf_")
        .is_some_and(|rest| (16..=24).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn refuse(code: &'static str) -> Problem {
    Problem::find(&ROWS, None, Some(Code::from(code)), |_| Code::from("internal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_expires_after_its_hour() {
        let started = Instant::now();
        let intent = Intent { user_ref: String::new(), keys: Map::new(), started, submitted: false };
        assert!(!intent.is_expired(started + INTENT_LIFE));
        assert!(intent.is_expired(started + INTENT_LIFE + Duration::from_secs(1)));
    }
}
