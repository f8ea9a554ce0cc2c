use redress_sandbox::{Sandbox, Vendor, vlens as code};
use serde_json::{Value, json};

use crate::client::{Answer, Caller};

const LOGIN: &str = "POST /api/credentials/Login";
const REFRESH: &str = "POST /api/credentials/RefreshToken";
const FRONT: &str = "POST /api/DigitalIdentity/verify/id/front";

fn keyed(sandbox: &Sandbox) -> Caller<'_> {
    Caller::new(sandbox).header("ApiKey", "sandbox-api-key")
}

async fn login(sandbox: &Sandbox) -> Value {
    let body = json!({ "username": "sandbox", "password": "sandbox" });
    keyed(sandbox).send(LOGIN, body).await.json()["data"].clone()
}

async fn bearing(sandbox: &Sandbox) -> Caller<'_> {
    let token = login(sandbox).await["accessToken"].as_str().unwrap().to_owned();
    keyed(sandbox).header("Authorization", &format!("Bearer {token}"))
}

fn status_and_code(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["error_code"].clone())
}

#[tokio::test]
async fn a_success_has_the_envelope_too_with_its_data_first() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let caller = bearing(&sandbox).await;
    let answer = caller.send("GET /api/BusinessRequest/GetBusinessRequestById?id=7", Value::Null).await;
    assert_eq!(
        answer.body,
        r#"{"data":{"id":"7","requestStatus":"Open"},"error_code":null,"error_message":null,"error_descriptions":null}"#
    );
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
}

#[tokio::test]
async fn a_business_error_comes_at_ok_and_a_validation_error_at_bad_request() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let caller = bearing(&sandbox).await;
    let blurry = caller.send(FRONT, json!({ "image": "blurry" })).await;
    assert_eq!(status_and_code(&blurry), (200, json!(1050)));
    assert_eq!(blurry.json()["data"], Value::Null);

    let missing = caller.send(FRONT, json!({})).await;
    assert_eq!(status_and_code(&missing), (400, json!(400)));
    let descriptions = json!([{ "field": "image", "message": "image is required" }]);
    assert_eq!(missing.json()["error_descriptions"], descriptions);
}

#[tokio::test]
async fn every_missing_or_expired_credential_has_its_code() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let (image, old) = (json!({ "image": "good" }), bearing(&sandbox).await);
    let foreign = keyed(&sandbox).header("Authorization", "Bearer someone-elses");
    sandbox.expire_tokens();
    let cases = [
        (Caller::new(&sandbox), FRONT, code::API_KEY_INVALID, "no api key"),
        (Caller::new(&sandbox), LOGIN, code::API_KEY_INVALID, "no api key at login"),
        (keyed(&sandbox), FRONT, code::AUTHORIZATION_MISSING, "no token"),
        (foreign, FRONT, code::TOKEN_FOREIGN, "a token of nobody"),
        (old, FRONT, code::ACCESS_TOKEN_EXPIRED, "an expired token"),
    ];
    for (caller, route, expected, name) in cases {
        let answer = caller.send(route, image.clone()).await;
        assert_eq!(status_and_code(&answer), (200, json!(expected)), "{name}");
    }
}

#[tokio::test]
async fn an_expired_token_comes_at_unauthorized_on_demand() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let caller = bearing(&sandbox).await;
    sandbox.expire_tokens();
    sandbox.errors_at_status(true);
    let answer = caller.send(FRONT, json!({ "image": "good" })).await;
    assert_eq!(status_and_code(&answer), (401, json!(code::ACCESS_TOKEN_EXPIRED)));
}

#[tokio::test]
async fn a_refresh_token_presented_twice_fails() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let pair = login(&sandbox).await;
    assert_eq!((&pair["expiresIn"], sandbox.generation()), (&json!(3600), 1));
    let body = json!({ "refreshToken": pair["refreshToken"] });
    let caller = keyed(&sandbox);
    let fresh = caller.send(REFRESH, body.clone()).await.json()["data"].clone();
    assert_ne!(fresh["accessToken"], pair["accessToken"]);
    assert_eq!(sandbox.generation(), 2);

    let again = caller.send(REFRESH, body).await;
    assert_eq!(status_and_code(&again), (200, json!(code::REFRESH_TOKEN_EXPIRED)));

    sandbox.revoke_refresh_tokens();
    let revoked = caller.send(REFRESH, json!({ "refreshToken": fresh["refreshToken"] })).await;
    assert_eq!(status_and_code(&revoked), (200, json!(code::REFRESH_TOKEN_EXPIRED)));
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let body = json!({ "username": "sandbox", "password": "guess" });
    let answer = keyed(&sandbox).send(LOGIN, body).await;
    assert_eq!(status_and_code(&answer), (200, json!(code::CREDENTIALS_INVALID)));
    assert_eq!(sandbox.generation(), 0);
}

#[tokio::test]
async fn every_special_input_has_its_code() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let caller = bearing(&sandbox).await;
    let phone = "POST /api/DigitalIdentity/StepVerifyPhone";
    let otp = "POST /api/BusinessRequest/StepRequestOtp";
    let liveness = "POST /api/BusinessRequest/StepReValidateLiveness";
    let eligibility = "POST /api/BusinessRequest/CheckEligibility";
    let cases = [
        (FRONT, json!({ "image": "fake" }), json!(code::DOCUMENT_FAKE)),
        (FRONT, json!({ "image": "unlisted" }), json!(code::AUTHORITY_CHECK_FAILED)),
        (phone, json!({ "phone": "+201000000000" }), json!(code::ALREADY_REGISTERED)),
        (phone, json!({ "phone": "+1", "otp": "123456" }), Value::Null),
        (phone, json!({ "phone": "+1", "otp": "expired" }), json!(code::OTP_EXPIRED)),
        (phone, json!({ "phone": "+1", "otp": "1" }), json!(code::OTP_INVALID)),
        (eligibility, json!({ "userId": "ineligible" }), json!(code::NOT_ELIGIBLE)),
        (otp, json!({ "id": "7" }), Value::Null),
        (otp, json!({ "id": "closed" }), json!(code::WRONG_REQUEST_STATUS)),
        (otp, json!({ "id": "moved" }), json!(code::LOCATION_CHANGED)),
        (otp, json!({ "id": "unknown" }), json!(code::REQUEST_NOT_FOUND)),
        (otp, json!({ "id": "7", "otp": "1" }), json!(code::SIGNING_OTP_INVALID)),
        (liveness, json!({ "face1": "a", "face2": "b", "face3": "c" }), Value::Null),
        (liveness, json!({ "face1": "a", "face2": "a", "face3": "c" }), json!(code::FACES_IDENTICAL)),
        (liveness, json!({ "face1": "a", "face2": "b", "face3": "printed" }), json!(code::LIVENESS_FAILED)),
        (
            liveness,
            json!({ "face1": "a", "face2": "b", "face3": "c", "transactionId": "none" }),
            json!(code::TRANSACTION_NOT_FOUND),
        ),
    ];
    for (route, body, expected) in cases {
        let answer = caller.send(route, body.clone()).await;
        assert_eq!(status_and_code(&answer), (200, expected), "{route} {body}");
    }
}

#[tokio::test]
async fn an_unknown_route_has_the_envelope() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let answer = keyed(&sandbox).send("GET /nowhere", Value::Null).await;
    assert_eq!(status_and_code(&answer), (404, json!(404)));
}
