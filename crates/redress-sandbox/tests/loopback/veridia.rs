use redress_sandbox::{Fault, Sandbox, Vendor};
use serde_json::{Value, json};

use crate::client::{Answer, Caller};

const INIT: &str = "POST /v1/verify/init";
const SUBMIT: &str = "POST /v1/verify/submit";

fn bearing<'a>(sandbox: &'a Sandbox, key: &str) -> Caller<'a> {
    Caller::new(sandbox).header("Authorization", &format!("Bearer {key}"))
}

fn secret(sandbox: &Sandbox) -> Caller<'_> {
    bearing(sandbox, "qv_sec_test_sandbox")
}

fn dni(user_ref: &str) -> Value {
    json!({ "userRef": user_ref, "country": "AR", "documentType": "dni" })
}

fn status_and_code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_verification_goes_from_init_to_approved() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let caller = secret(&sandbox);
    let credits = sandbox.credits();
    let started = caller.send(INIT, dni("user")).await.json();
    let id = started["verificationId"].as_str().unwrap();
    assert!(id.starts_with("vf_") && (19..=27).contains(&id.len()), "{id}");
    assert_eq!((sandbox.credits(), sandbox.verifications()), (credits - 1, 1));

    let show = format!("GET /v1/verify/{id}");
    assert_eq!(caller.send(&show, Value::Null).await.json()["status"], "pending");
    let submitted = caller.send(SUBMIT, json!({ "verificationId": id, "keys": started["keys"] })).await;
    assert_eq!((submitted.status, &submitted.json()["status"]), (200, &json!("processing")));
    assert_eq!(caller.send(&show, Value::Null).await.json()["status"], "approved");
}

#[tokio::test]
async fn every_response_names_the_request_and_an_error_repeats_it() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let caller = secret(&sandbox);
    let success = caller.send(INIT, dni("user")).await;
    assert!(success.header("x-request-id").is_some());
    let error = caller.send("GET /v1/verifications", Value::Null).await;
    assert_eq!(status_and_code(&error), (404, "not_found".to_owned()));
    assert_eq!(error.json()["requestId"], error.header("x-request-id").unwrap());
    assert_ne!(error.header("x-request-id"), success.header("x-request-id"));
    assert!(error.json().get("detail").is_none());
}

#[tokio::test]
async fn every_key_problem_has_its_code() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let foreign = bearing(&sandbox, "qv_pub_test_sandbox").header("Origin", "https://evil.example");
    let cases = [
        (Caller::new(&sandbox), 401, "unauthorized", "no header"),
        (Caller::new(&sandbox).header("Authorization", "Basic abc"), 401, "unauthorized", "another scheme"),
        (bearing(&sandbox, "qv_sec_test_revoked"), 401, "invalid_key", "an unknown key"),
        (foreign, 403, "origin_not_allowed", "a publishable key from elsewhere"),
        (bearing(&sandbox, "qv_sec_live_sandbox"), 403, "wrong_environment", "a live key"),
    ];
    for (caller, status, code, name) in cases {
        let answer = caller.send(INIT, dni("user")).await;
        assert_eq!(status_and_code(&answer), (status, code.to_owned()), "{name}");
    }
    let home = bearing(&sandbox, "qv_pub_test_sandbox").header("Origin", "http://localhost:3000");
    assert_eq!(home.send(INIT, dni("user")).await.status, 200);
}

#[tokio::test]
async fn a_wrong_body_names_its_fields() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let body = json!({ "userRef": "user", "country": "ARG", "documentType": "id" });
    let answer = secret(&sandbox).send(INIT, body).await;
    assert_eq!(status_and_code(&answer), (400, "invalid_body".to_owned()));
    let errors = answer.json()["detail"]["fieldErrors"].clone();
    assert_eq!(errors["country"], json!(["expected 2 characters"]));
    assert!(errors.get("documentType").is_some() && errors.get("userRef").is_none());
}

#[tokio::test]
async fn a_submission_has_six_reasons_to_fail() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let caller = secret(&sandbox);
    let cases = [
        ("user", Some("docFront"), "doc_front_key_mismatch"),
        ("user", Some("selfie"), "selfie_key_mismatch"),
        ("user", Some("docBack"), "doc_back_key_mismatch"),
        ("front_missing", None, "doc_front_not_uploaded"),
        ("selfie_missing", None, "selfie_not_uploaded"),
        ("front_gone", None, "doc_front_disappeared"),
    ];
    for (user_ref, wrong_key, reason) in cases {
        let mut body = caller.send(INIT, dni(user_ref)).await.json();
        if let Some(key) = wrong_key {
            body["keys"][key] = json!("uploads/other");
        }
        let answer = caller.send(SUBMIT, body).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_body".to_owned()), "{reason}");
        assert_eq!(answer.json()["detail"]["reason"], reason);
    }
}

#[tokio::test]
async fn a_verification_cannot_start_without_credits() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    sandbox.set_credits(1);
    let caller = secret(&sandbox);
    assert_eq!(caller.send(INIT, dni("user")).await.status, 200);
    let answer = caller.send(INIT, dni("user")).await;
    assert_eq!(status_and_code(&answer), (403, "insufficient_credits".to_owned()));
    assert_eq!(sandbox.verifications(), 1);
}

#[tokio::test]
async fn an_unknown_verification_is_not_found() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let answer = secret(&sandbox).send("GET /v1/verify/vf_0123456789abcdef", Value::Null).await;
    assert_eq!(status_and_code(&answer), (404, "verification_not_found".to_owned()));
}

#[tokio::test]
async fn the_submissions_of_a_minute_are_limited_until_the_limits_are_lifted() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let caller = secret(&sandbox);
    for _ in 0..30 {
        assert_eq!(caller.send(SUBMIT, json!({})).await.status, 400);
    }
    let answer = caller.send(SUBMIT, json!({})).await;
    assert_eq!(status_and_code(&answer), (429, "rate_limited".to_owned()));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    sandbox.lift_limits();
    assert_eq!(caller.send(SUBMIT, json!({})).await.status, 400);
}

#[tokio::test]
async fn a_scripted_code_comes_with_its_documented_status() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    sandbox.script("*", [Fault::answer().code("internal"), Fault::error(503)]);
    let caller = secret(&sandbox);
    let internal = caller.send(INIT, dni("user")).await;
    assert_eq!(status_and_code(&internal), (500, "internal".to_owned()));
    let unavailable = caller.send(INIT, dni("user")).await;
    assert_eq!(status_and_code(&unavailable), (503, "internal".to_owned()));
    assert_eq!(sandbox.verifications(), 0);
}
