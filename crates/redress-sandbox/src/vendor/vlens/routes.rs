//! The protected routes: identity verification, registration and business requests.
//!
//! Special inputs: the images `blurry`, `fake` and `unlisted`; the face frame `printed`; the phone
//! number `+201000000000` and the email `taken@example.com`, which are registered; the one-time
//! passwords `123456` (valid) and `expired`; the user `ineligible`; the business requests `unknown`,
//! `closed` and `moved`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::json;

use super::{Answer, AppState, Vlens, code};
use crate::fields::Fields;
use crate::outcome::{Problem, Success};

const TAKEN_PHONE: &str = "+201000000000";
const TAKEN_EMAIL: &str = "taken@example.com";
const OTP: &str = "123456";

type Parameters = Query<HashMap<String, String>>;

pub(super) fn router() -> Router<Arc<Vlens>> {
    let template = get(template_fields).post(template_fields);
    Router::new()
        .route("/api/DigitalIdentity/verify/id/front", post(verify_front))
        .route("/api/DigitalIdentity/CheckExistenceOfEmailOrPhone", post(check_existence))
        .route("/api/DigitalIdentity/StepVerifyPhone", post(verify_phone))
        .route("/api/BusinessRequest/GetBusinessRequestById", get(business_request))
        .route("/api/BusinessRequest/CheckEligibility", post(check_eligibility))
        .route("/api/BusinessRequest/StepRequestOtp", post(request_otp))
        .route("/api/BusinessRequest/StepReValidateLiveness", post(validate_liveness))
        .route("/api/BusinessRequest/GetBusinessRequestTypeTemplateFields", template)
}

async fn verify_front(State(vlens): AppState, body: Bytes) -> Answer {
    let fields = vlens.required(&body, &["image"])?;
    match fields.text("image") {
        Some("blurry") => return Err(vlens.refuse(code::IMAGE_QUALITY)),
        Some("fake") => return Err(vlens.refuse(code::DOCUMENT_FAKE)),
        Some("unlisted") => return Err(vlens.refuse(code::AUTHORITY_CHECK_FAILED)),
        _ => {}
    }
    let transaction = vlens.ids.uuid();
    vlens.transactions.lock().push(transaction.clone());
    Ok(Success::ok(json!({ "transactionId": transaction, "name": "Sandbox Person" })))
}

async fn check_existence(State(vlens): AppState, body: Bytes) -> Answer {
    let fields = Fields::lenient(&body);
    let (email, phone) = (fields.text("email"), fields.text("phone"));
    if email.is_none() && phone.is_none() {
        return Err(vlens.missing(&["email", "phone"]));
    }
    let exists = email == Some(TAKEN_EMAIL) || phone == Some(TAKEN_PHONE);
    Ok(Success::ok(json!({ "exists": exists })))
}

/// Sends a one-time password, or checks the given one.
async fn verify_phone(State(vlens): AppState, body: Bytes) -> Answer {
    let fields = vlens.required(&body, &["phone"])?;
    if fields.text("phone") == Some(TAKEN_PHONE) {
        return Err(vlens.refuse(code::ALREADY_REGISTERED));
    }
    match fields.text("otp") {
        None => Ok(Success::ok(json!({ "otpSent": true }))),
        Some(OTP) => Ok(Success::ok(json!({ "verified": true }))),
        Some("expired") => Err(vlens.refuse(code::OTP_EXPIRED)),
        Some(_) => Err(vlens.refuse(code::OTP_INVALID)),
    }
}

async fn business_request(State(vlens): AppState, Query(parameters): Parameters) -> Answer {
    let id = identified(&vlens, parameters.get("id").map(String::as_str))?;
    let status = if id == "closed" { "Closed" } else { "Open" };
    Ok(Success::ok(json!({ "id": id, "requestStatus": status })))
}

async fn check_eligibility(State(vlens): AppState, body: Bytes) -> Answer {
    match Fields::lenient(&body).text("userId") {
        Some("ineligible") => Err(vlens.refuse(code::NOT_ELIGIBLE)),
        _ => Ok(Success::ok(json!({ "eligible": true }))),
    }
}

/// Sends a one-time password for signing, or checks the given one.
async fn request_otp(State(vlens): AppState, body: Bytes) -> Answer {
    let fields = Fields::lenient(&body);
    match (identified(&vlens, fields.text("id"))?, fields.text("otp")) {
        ("closed", _) => Err(vlens.refuse(code::WRONG_REQUEST_STATUS)),
        ("moved", _) => Err(vlens.refuse(code::LOCATION_CHANGED)),
        (_, None) => Ok(Success::ok(json!({ "otpSent": true }))),
        (_, Some(OTP)) => Ok(Success::ok(json!({ "signed": true }))),
        (_, Some(_)) => Err(vlens.refuse(code::SIGNING_OTP_INVALID)),
    }
}

async fn validate_liveness(State(vlens): AppState, body: Bytes) -> Answer {
    let names = ["face1", "face2", "face3"];
    let fields = vlens.required(&body, &names)?;
    let known = |id: &str| vlens.transactions.lock().iter().any(|transaction| transaction == id);
    if fields.text("transactionId").is_some_and(|id| !known(id)) {
        return Err(vlens.refuse(code::TRANSACTION_NOT_FOUND));
    }
    let [first, second, third] = names.map(|name| fields.text(name));
    if first == second || second == third || first == third {
        return Err(vlens.refuse(code::FACES_IDENTICAL));
    }
    if [first, second, third].contains(&Some("printed")) {
        return Err(vlens.refuse(code::LIVENESS_FAILED));
    }
    Ok(Success::ok(json!({ "live": true })))
}

async fn template_fields() -> Answer {
    let fields = ["fullName", "nationalId", "address"].map(|name| json!({ "name": name, "required": true }));
    Ok(Success::ok(json!({ "fields": fields })))
}

/// Checks the id of a business request. Every text except `unknown` is an existing id.
fn identified<'a>(vlens: &Vlens, id: Option<&'a str>) -> Result<&'a str, Problem> {
    match id.filter(|id| !id.is_empty()) {
        None => Err(vlens.missing(&["id"])),
        Some("unknown") => Err(vlens.refuse(code::REQUEST_NOT_FOUND)),
        Some(id) => Ok(id),
    }
}
