use std::time::{Duration, Instant};

use redress_sandbox::{Fault, Sandbox, Script, Vendor};
use serde_json::{Value, json};

use crate::client::{Caller, exchange_raw};

const CREATE: &str = "POST /v1/applicants";

fn keyed(sandbox: &Sandbox) -> Caller<'_> {
    Caller::new(sandbox).header("X-Api-Key", "sandbox-key").header("X-Api-Secret", "sandbox-secret")
}

fn applicant() -> Value {
    json!({ "externalUserId": "user-1" })
}

/// A creation as it looks on the wire.
fn raw_create() -> String {
    let body = applicant().to_string();
    let length = body.len();
    format!(
        "POST /v1/applicants HTTP/1.1\r\nhost: sandbox\r\nx-api-key: sandbox-key\r\n\
         x-api-secret: sandbox-secret\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_connection_dropped_after_processing_leaves_one_applicant() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    sandbox.script(CREATE, [Fault::drop()]);
    assert_eq!(exchange_raw(&sandbox, &raw_create()).await, "");
    assert_eq!(sandbox.applicants(), 1);
    let again = keyed(&sandbox).send(CREATE, applicant()).await;
    assert_eq!((again.status, sandbox.applicants()), (200, 1));
}

#[tokio::test]
async fn a_connection_dropped_before_processing_leaves_no_applicant() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    sandbox.script(CREATE, [Fault::drop_before()]);
    assert_eq!(exchange_raw(&sandbox, &raw_create()).await, "");
    assert_eq!(sandbox.applicants(), 0);
    assert_eq!(keyed(&sandbox).send(CREATE, applicant()).await.status, 201);
}

#[tokio::test]
async fn a_truncated_answer_promises_its_whole_length_and_sends_half() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    sandbox.script(CREATE, [Fault::truncate(), Fault::truncate()]);
    let text = exchange_raw(&sandbox, &raw_create()).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2);

    assert!(keyed(&sandbox).try_send(CREATE, applicant()).await.is_err());
    assert_eq!(sandbox.applicants(), 1);
}

#[tokio::test]
async fn a_truncated_answer_without_a_body_is_dropped() {
    let sandbox = Sandbox::start(Vendor::Verilock).await.unwrap();
    let caller = Caller::new(&sandbox).header("X-API-Key", "sandbox-api-key");
    let body = json!({ "redirect_url": "https://example.com/", "document_type": "passport" });
    let session = caller.send("POST /v1/sessions", body).await.json();
    sandbox.script("DELETE /v1/sessions/{id}", [Fault::truncate()]);
    let delete = format!("DELETE /v1/sessions/{}", session["id"].as_str().unwrap());
    assert!(caller.try_send(&delete, Value::Null).await.is_err());
    assert_eq!((sandbox.sessions(), sandbox.log()[1].status), (0, None));
}

#[tokio::test]
async fn a_gateway_answers_in_html_and_the_vendor_keeps_its_request_id() {
    let verilock = Sandbox::start(Vendor::Verilock).await.unwrap();
    verilock.script("*", [Fault::proxy_html(), Fault::proxy_html().status(504)]);
    let caller = Caller::new(&verilock).header("X-API-Key", "sandbox-api-key");
    for status in [502, 504] {
        let page = caller.send("GET /v1/sessions", Value::Null).await;
        assert_eq!((page.status, page.header("content-type")), (status, Some("text/html")));
        assert!(page.body.starts_with(b"<html>"));
        assert!(page.header("x-request-id").is_some());
    }
    let ranex = Sandbox::start(Vendor::Ranex).await.unwrap();
    ranex.script("*", [Fault::proxy_html()]);
    let page = keyed(&ranex).send(CREATE, applicant()).await;
    assert!(page.header("x-request-id").is_none());
    assert_eq!((ranex.applicants(), ranex.log()[0].code.clone()), (0, None));
}

#[tokio::test]
async fn a_slow_body_is_complete() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    sandbox.script("*", [Fault::slow_body(Duration::from_millis(1)).body("in time")]);
    let answer = keyed(&sandbox).send(CREATE, applicant()).await;
    assert_eq!((answer.body.as_ref(), answer.header("content-length")), (b"in time".as_slice(), Some("7")));
}

#[tokio::test]
async fn a_delay_holds_a_normal_answer_back() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    sandbox.script(CREATE, [Fault::answer().delay(Duration::from_millis(20))]);
    let start = Instant::now();
    assert_eq!(keyed(&sandbox).send(CREATE, applicant()).await.status, 201);
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[tokio::test]
async fn a_raw_body_and_headers_are_sent_verbatim() {
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let fault = Fault::error(503).body("upstream\n").content_type("text/plain").header("X-Request-Id", "mine");
    sandbox.script("*", [fault.header("X-Other", "a").header("x-other", "b")]);
    let answer = Caller::new(&sandbox).send("GET /", Value::Null).await;
    assert_eq!((answer.status, answer.body.as_ref()), (503, b"upstream\n".as_slice()));
    assert_eq!((answer.header("content-type"), answer.header("x-request-id")), (Some("text/plain"), Some("mine")));
    assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
    assert_eq!(answer.headers.get_all("x-other").iter().count(), 2);
}

#[tokio::test]
async fn a_message_and_a_code_replace_those_of_the_vendor() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    sandbox.script("*", [Fault::error(401).code(4011).message("late")]);
    let answer = Caller::new(&sandbox).send("GET /", Value::Null).await;
    assert_eq!(answer.status, 401);
    let envelope = json!({ "data": null, "error_code": 4011, "error_message": "late", "error_descriptions": null });
    assert_eq!(answer.json(), envelope);
}

#[tokio::test]
async fn a_fault_applies_only_to_its_route() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    sandbox.script("GET /v1/applicants/{id}", [Fault::error(500)]);
    let caller = keyed(&sandbox);
    assert_eq!(caller.send(CREATE, applicant()).await.status, 201);
    assert_eq!(sandbox.unused_faults(), 1);
    assert_eq!(caller.send("GET /v1/applicants/a?b=c", Value::Null).await.status, 500);
    assert_eq!(sandbox.unused_faults(), 0);
}

#[tokio::test]
async fn a_script_file_is_played_in_order() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    let text = r#"
        [[fault]]
        route = "POST /v1/applicants"
        times = 2
        status = 503
        retry_after = "3"

        [[fault]]
        route = "*"
        kind = "proxy_html"
    "#;
    sandbox.add_script(Script::parse("faults.toml", text).unwrap());
    let caller = keyed(&sandbox);
    for (status, retry_after) in [(503, Some("3")), (503, Some("3")), (502, None), (201, None)] {
        let answer = caller.send(CREATE, applicant()).await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after));
    }
}

#[tokio::test]
#[should_panic(expected = "expected `*` or a method and a path")]
async fn an_invalid_route_panics() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.unwrap();
    sandbox.script("/v1/applicants", [Fault::drop()]);
}
