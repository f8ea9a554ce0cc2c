use redress_sandbox::{Fault, Sandbox, Vendor};
use serde_json::{Value, json};

use crate::client::{Answer, Caller};

const CREATE: &str = "POST /v1/sessions";

fn keyed(sandbox: &Sandbox) -> Caller<'_> {
    Caller::new(sandbox).header("X-API-Key", "sandbox-api-key")
}

fn session() -> Value {
    json!({ "redirect_url": "https://example.com/done", "document_type": "passport" })
}

fn status_and_code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_is_created_listed_and_deleted() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    let caller = keyed(&sandbox);
    let created = caller.send(CREATE, session()).await;
    assert_eq!((created.status, sandbox.sessions()), (201, 1));
    let listed = caller.send("GET /v1/sessions", Value::Null).await.json();
    assert_eq!(listed["data"], json!([created.json()]));

    let path = format!("/v1/sessions/{}", created.json()["id"].as_str().unwrap());
    assert_eq!(caller.send(&format!("GET {path}"), Value::Null).await.json(), created.json());
    let deleted = caller.send(&format!("DELETE {path}"), Value::Null).await;
    assert_eq!((deleted.status, deleted.body.len(), deleted.header("content-type")), (204, 0, None));
    assert!(deleted.header("x-request-id").is_some());
    let gone = caller.send(&format!("GET {path}"), Value::Null).await;
    assert_eq!(status_and_code(&gone), (404, "not_found".to_owned()));
    assert_eq!(sandbox.sessions(), 0);
}

#[tokio::test]
async fn a_decision_can_be_repeated_and_not_changed() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    let caller = keyed(&sandbox);
    let id = caller.send(CREATE, session()).await.json()["id"].as_str().unwrap().to_owned();
    let (decline, approve) = (format!("POST /v1/sessions/{id}/decline"), format!("POST /v1/sessions/{id}/approve"));
    assert_eq!(caller.send(&decline, Value::Null).await.json()["status"], "declined");
    assert_eq!(caller.send(&decline, Value::Null).await.status, 200);
    let changed = caller.send(&approve, Value::Null).await;
    assert_eq!(status_and_code(&changed), (409, "conflict".to_owned()));
}

#[tokio::test]
async fn a_missing_field_is_malformed_and_a_wrong_one_is_described() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    let caller = keyed(&sandbox);
    let missing = caller.send(CREATE, json!({ "document_type": "passport" })).await;
    assert_eq!(status_and_code(&missing), (400, "bad_request".to_owned()));
    assert!(missing.json().get("details").is_none());

    let wrong = caller.send(CREATE, json!({ "redirect_url": "nowhere", "document_type": "library" })).await;
    assert_eq!(status_and_code(&wrong), (422, "validation_error".to_owned()));
    let details = json!({
        "document_type": ["The document type is not a known one."],
        "redirect_url": ["The redirect url is not a valid URL."],
    });
    assert_eq!(wrong.json()["details"], details);
}

#[tokio::test]
async fn keys_are_checked_for_their_value_and_their_rights() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    let stranger = Caller::new(&sandbox).send(CREATE, session()).await;
    assert_eq!(status_and_code(&stranger), (401, "unauthorized".to_owned()));
    let reader = Caller::new(&sandbox).header("X-API-Key", "readonly-api-key");
    assert_eq!(reader.send("GET /v1/sessions", Value::Null).await.status, 200);
    assert_eq!(status_and_code(&reader.send(CREATE, session()).await), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn a_rate_limit_repeats_its_seconds_in_the_body() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    sandbox.script("*", [Fault::error(429).retry_after("30"), Fault::error(429).retry_after("date:+2")]);
    let caller = keyed(&sandbox);
    let seconds = caller.send(CREATE, session()).await;
    assert_eq!(status_and_code(&seconds), (429, "rate_limit_exceeded".to_owned()));
    assert_eq!(seconds.header("retry-after"), Some("30"));
    assert_eq!(seconds.json()["details"], json!({ "retry_after": 30 }));
    let date = caller.send(CREATE, session()).await;
    assert!(date.header("retry-after").unwrap().ends_with("GMT"));
    assert!(date.json().get("details").is_none());
}

#[tokio::test]
async fn keys_and_webhook_endpoints_are_created() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    let caller = keyed(&sandbox);
    assert_eq!(caller.send("POST /v1/api-keys", json!({ "name": "ci" })).await.status, 201);
    let url = json!({ "url": "https://example.com/hook" });
    assert_eq!(caller.send("POST /v1/webhook-endpoints", url).await.status, 201);
}
