use redress_sandbox::{Fault, Sandbox, Vendor};
use serde_json::{Value, json};

use crate::client::{Answer, Caller};

const LOGIN: &str = "POST /api/v1/auth/login";
const REFRESH: &str = "POST /api/v1/auth/refresh";
const COLLECTIONS: &str = "POST /api/v1/collections";

fn keyed(sandbox: &Sandbox) -> Caller<'_> {
    Caller::new(sandbox).header("X-API-Key", "sandbox-api-key")
}

fn account(email: &str) -> Value {
    json!({ "email": email, "password": "sandbox" })
}

async fn login(sandbox: &Sandbox) -> Value {
    let answer = Caller::new(sandbox).send(LOGIN, account("sandbox@example.com")).await;
    answer.json()["data"].clone()
}

async fn create(caller: &Caller<'_>) -> String {
    let answer = caller.send(COLLECTIONS, json!({ "name": "staff" })).await;
    assert_eq!(answer.status, 201);
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

fn status_and_code(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(body["success"], false);
    (answer.status, body["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn both_envelopes_name_the_request_and_the_time() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let caller = keyed(&sandbox);
    let success = caller.send("GET /api/v1/collections", Value::Null).await.json();
    let failure = caller.send("GET /api/v1/collections/none", Value::Null).await.json();
    assert_eq!((&success["success"], &success["data"]), (&json!(true), &json!([])));
    assert_eq!(failure["error"]["code"], "COLLECTION_NOT_FOUND");
    for envelope in [success, failure] {
        assert!(envelope["request_id"].as_str().unwrap().starts_with("req_"));
        let timestamp = envelope["timestamp"].as_str().unwrap();
        assert!(timestamp.len() == 20 && timestamp.ends_with('Z'), "{timestamp}");
    }
}

#[tokio::test]
async fn every_credential_problem_has_its_code() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let token = login(&sandbox).await["access_token"].as_str().unwrap().to_owned();
    let bearing = |token: &str| Caller::new(&sandbox).header("Authorization", &format!("Bearer {token}"));
    assert_eq!(bearing(&token).send(COLLECTIONS, json!({ "name": "a" })).await.status, 201);
    sandbox.expire_tokens();
    let cases = [
        (bearing(&token), 401, "TOKEN_EXPIRED", "an expired token"),
        (bearing("tampered"), 401, "TOKEN_INVALID", "a tampered token"),
        (Caller::new(&sandbox), 401, "TOKEN_INVALID", "nothing"),
        (Caller::new(&sandbox).header("X-API-Key", "revoked"), 401, "INVALID_API_KEY", "an unknown key"),
        (Caller::new(&sandbox).header("X-API-Key", "blocked-api-key"), 403, "IP_NOT_ALLOWED", "a key for elsewhere"),
    ];
    for (caller, status, code, name) in cases {
        let answer = caller.send(COLLECTIONS, json!({ "name": "a" })).await;
        assert_eq!(status_and_code(&answer), (status, code.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn every_login_problem_has_its_code() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let cases = [
        ("nobody@example.com", 401, "INVALID_CREDENTIALS"),
        ("2fa@example.com", 403, "REQUIRES_2FA"),
        ("unverified@example.com", 403, "EMAIL_NOT_VERIFIED"),
    ];
    for (email, status, code) in cases {
        let answer = Caller::new(&sandbox).send(LOGIN, account(email)).await;
        assert_eq!(status_and_code(&answer), (status, code.to_owned()), "{email}");
    }
}

#[tokio::test]
async fn a_refresh_token_presented_twice_fails() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let pair = login(&sandbox).await;
    let body = json!({ "refresh_token": pair["refresh_token"] });
    let caller = Caller::new(&sandbox);
    let fresh = caller.send(REFRESH, body.clone()).await.json()["data"].clone();
    assert_eq!((&fresh["expires_in"], sandbox.generation()), (&json!(3600), 2));
    assert_eq!(status_and_code(&caller.send(REFRESH, body).await), (401, "TOKEN_INVALID".to_owned()));

    sandbox.revoke_refresh_tokens();
    let body = json!({ "refresh_token": fresh["refresh_token"] });
    assert_eq!(status_and_code(&caller.send(REFRESH, body).await), (401, "TOKEN_INVALID".to_owned()));
}

#[tokio::test]
async fn a_validation_error_lists_every_field() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let answer = Caller::new(&sandbox).send(LOGIN, json!({})).await;
    assert_eq!(status_and_code(&answer), (400, "VALIDATION_ERROR".to_owned()));
    let details = json!([
        { "field": "email", "message": "email is required" },
        { "field": "password", "message": "password is required" },
    ]);
    assert_eq!(answer.json()["error"]["details"], details);
}

#[tokio::test]
async fn faces_are_added_found_and_removed() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let caller = keyed(&sandbox);
    let path = format!("/api/v1/collections/{}", create(&caller).await);
    let face = json!({ "image": "good", "external_id": "user-1" });
    let added = caller.send(&format!("POST {path}/faces"), face.clone()).await;
    assert_eq!((added.status, sandbox.collections(), sandbox.faces()), (201, 1, 1));
    let twice = caller.send(&format!("POST {path}/faces"), face).await;
    assert_eq!(status_and_code(&twice), (409, "DUPLICATE_EXTERNAL_ID".to_owned()));

    let matches = caller.send(&format!("POST {path}/identify"), json!({ "image": "good" })).await.json();
    assert_eq!(matches["data"]["matches"][0]["external_id"], "user-1");
    let id = added.json()["data"]["face_id"].as_str().unwrap().to_owned();
    assert_eq!(caller.send(&format!("GET {path}/faces/{id}"), Value::Null).await.status, 200);
    assert_eq!(caller.send(&format!("DELETE {path}/faces/{id}"), Value::Null).await.status, 200);
    let gone = caller.send(&format!("GET {path}/faces/{id}"), Value::Null).await;
    assert_eq!(status_and_code(&gone), (404, "FACE_NOT_FOUND".to_owned()));
    assert_eq!(caller.send(&format!("DELETE {path}"), Value::Null).await.status, 200);
    assert_eq!((sandbox.collections(), sandbox.faces()), (0, 0));
}

#[tokio::test]
async fn every_bad_image_has_its_code() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let caller = keyed(&sandbox);
    let path = format!("/api/v1/collections/{}", create(&caller).await);
    let cases = [
        ("no_face", "FACE_NOT_DETECTED"),
        ("two_faces", "MULTIPLE_FACES"),
        ("blurry", "FACE_QUALITY_TOO_LOW"),
        ("spoof", "LIVENESS_CHECK_FAILED"),
    ];
    for (image, code) in cases {
        for action in ["faces", "identify"] {
            let answer = caller.send(&format!("POST {path}/{action}"), json!({ "image": image })).await;
            assert_eq!(status_and_code(&answer), (422, code.to_owned()), "{action} {image}");
        }
    }
}

#[tokio::test]
async fn every_other_listed_code_can_be_scripted_with_its_status() {
    let sandbox = Sandbox::start(Vendor::Maleslab).await.unwrap();
    let cases = [
        ("COLLECTION_LIMIT_REACHED", 403),
        ("FACE_LIMIT_REACHED", 403),
        ("API_KEY_LIMIT_REACHED", 403),
        ("RATE_LIMIT_EXCEEDED", 429),
    ];
    for (code, status) in cases {
        sandbox.script("*", [Fault::answer().code(code)]);
        let answer = keyed(&sandbox).send(COLLECTIONS, json!({ "name": "a" })).await;
        assert_eq!(status_and_code(&answer), (status, code.to_owned()));
    }
}
