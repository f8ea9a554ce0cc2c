use redress_sandbox::{Sandbox, Vendor};
use serde_json::{Value, json};

use crate::client::Caller;

const CREATE: &str = "POST /v1/applicants";
const TOKEN: &str = "POST /v1/auth/token";

fn keyed(sandbox: &Sandbox) -> Caller<'_> {
    Caller::new(sandbox).header("X-Api-Key", "sandbox-key").header("X-Api-Secret", "sandbox-secret")
}

async fn create(caller: &Caller<'_>, body: Value) -> String {
    caller.send(CREATE, body).await.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn creating_an_applicant_twice_returns_the_first() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let caller = keyed(&sandbox);
    let body = json!({ "externalUserId": "user-1" });
    let (first, second) = (caller.send(CREATE, body.clone()).await, caller.send(CREATE, body).await);
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.json(), second.json());
    assert_eq!(sandbox.applicants(), 1);
}

#[tokio::test]
async fn an_error_is_a_message_and_nothing_else() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let answer = keyed(&sandbox).send(CREATE, json!({})).await;
    assert_eq!((answer.status, answer.body.as_ref()), (400, br#"{"message":"externalUserId is required"}"#.as_slice()));
    assert!(answer.header("x-request-id").is_none());
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let caller = keyed(&sandbox);
    let bare = create(&caller, json!({ "externalUserId": "bare", "level": "none" })).await;
    let cases = [
        ("GET /v1/applicants/foreign".to_owned(), 403),
        ("GET /v1/applicants/unknown".to_owned(), 404),
        (format!("POST /v1/applicants/{bare}/verify"), 422),
        ("GET /v1/nowhere".to_owned(), 404),
        ("DELETE /v1/applicants".to_owned(), 405),
    ];
    for (route, status) in cases {
        let answer = caller.send(&route, Value::Null).await;
        assert_eq!(answer.status, status, "{route}");
        assert!(answer.json()["message"].is_string(), "{route}");
    }
    let stranger = Caller::new(&sandbox).header("X-Api-Key", "sandbox-key");
    assert_eq!(stranger.send(CREATE, json!({})).await.status, 401);
    assert_eq!(sandbox.verifications(), 0);
}

#[tokio::test]
async fn a_repeated_verification_or_document_counts_twice() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let caller = keyed(&sandbox);
    let id = create(&caller, json!({ "externalUserId": "user-1" })).await;
    let document = json!({ "type": "passport" });
    for _ in 0..2 {
        let verification = caller.send(&format!("POST /v1/applicants/{id}/verify"), Value::Null).await;
        let added = caller.send(&format!("POST /v1/applicants/{id}/documents"), document.clone()).await;
        assert_eq!((verification.status, added.status), (202, 201));
    }
    assert_eq!((sandbox.verifications(), sandbox.documents()), (2, 2));
}

#[tokio::test]
async fn an_applicant_can_be_read_replaced_and_deleted() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let caller = keyed(&sandbox);
    let id = create(&caller, json!({ "externalUserId": "user-1" })).await;
    let path = format!("/v1/applicants/{id}");
    let replaced = caller.send(&format!("PUT {path}"), json!({ "level": "full" })).await;
    assert_eq!(replaced.json()["level"], "full");
    let shown = caller.send(&format!("GET {path}"), Value::Null).await;
    assert_eq!(shown.json(), replaced.json());
    assert_eq!(caller.send(&format!("DELETE {path}"), Value::Null).await.status, 200);
    assert_eq!(caller.send(&format!("GET {path}"), Value::Null).await.status, 404);
    assert_eq!(sandbox.applicants(), 0);
}

#[tokio::test]
async fn authentication_is_capped_per_minute() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let caller = keyed(&sandbox);
    for _ in 0..20 {
        assert_eq!(caller.send(TOKEN, Value::Null).await.status, 200);
    }
    let answer = caller.send(TOKEN, Value::Null).await;
    assert_eq!(answer.status, 429);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
}
