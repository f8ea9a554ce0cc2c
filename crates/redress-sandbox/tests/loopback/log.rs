use std::fs;

use redress_sandbox::{Code, Fault, LogEntry, Sandbox, Vendor, vlens as code};
use serde_json::{Value, json};

use crate::client::Caller;

const REQUEST: &str = "GET /api/BusinessRequest/GetBusinessRequestById?id=7";

/// Path, generation, status and code of an entry.
type Seen<'a> = (&'a str, Option<u64>, Option<u16>, Option<Code>);

async fn token(sandbox: &Sandbox) -> String {
    let body = json!({ "username": "sandbox", "password": "sandbox" });
    let caller = Caller::new(sandbox).header("ApiKey", "sandbox-api-key");
    let answer = caller.send("POST /api/credentials/Login", body).await;
    answer.json()["data"]["accessToken"].as_str().unwrap().to_owned()
}

fn bearing<'a>(sandbox: &'a Sandbox, token: &str) -> Caller<'a> {
    Caller::new(sandbox).header("ApiKey", "sandbox-api-key").header("Authorization", &format!("Bearer {token}"))
}

fn seen(entries: &[LogEntry]) -> Vec<Seen<'_>> {
    entries.iter().map(|entry| (entry.path.as_str(), entry.generation, entry.status, entry.code.clone())).collect()
}

#[tokio::test]
async fn an_entry_shows_the_generation_presented_and_the_code_sent() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    let old = token(&sandbox).await;
    sandbox.expire_tokens();
    let new = token(&sandbox).await;
    bearing(&sandbox, &old).send(REQUEST, Value::Null).await;
    bearing(&sandbox, &new).send(REQUEST, Value::Null).await;
    bearing(&sandbox, "unknown").send(REQUEST, Value::Null).await;

    let (login, path) = ("/api/credentials/Login", "/api/BusinessRequest/GetBusinessRequestById");
    let number = |code: i64| Some(Code::from(code));
    assert_eq!(
        seen(&sandbox.log()),
        [
            (login, None, Some(200), None),
            (login, None, Some(200), None),
            (path, Some(1), Some(200), number(code::ACCESS_TOKEN_EXPIRED)),
            (path, Some(2), Some(200), None),
            (path, None, Some(200), number(code::TOKEN_FOREIGN)),
        ]
    );
    let times: Vec<u64> = sandbox.log().iter().map(|entry| entry.t_ms).collect();
    assert!(times.is_sorted());
}

#[tokio::test]
async fn a_dropped_request_has_no_status_and_a_truncated_one_has() {
    let sandbox = Sandbox::start(Vendor::Vlens).await.unwrap();
    sandbox.script("*", [Fault::drop(), Fault::truncate()]);
    let caller = bearing(&sandbox, "unknown");
    for _ in 0..2 {
        assert!(caller.try_send(REQUEST, Value::Null).await.is_err());
    }
    let statuses: Vec<Option<u16>> = sandbox.log().iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [None, Some(200)]);
}

#[tokio::test]
async fn the_log_file_has_one_line_per_later_request() {
    let path = std::env::temp_dir().join(format!("redress-sandbox-{}.jsonl", std::process::id()));
    let sandbox = Sandbox::start(Vendor::Veridia).await.unwrap();
    let caller = Caller::new(&sandbox);
    caller.send("GET /before", Value::Null).await;
    sandbox.log_to(&path).unwrap();
    caller.send("GET /v1/verify/a?secret=b", Value::Null).await;
    caller.send("GET /after", Value::Null).await;

    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let lines: Vec<LogEntry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, sandbox.log()[1..]);
    assert!(text.starts_with(r#"{"t_ms":"#));
    let rest = r#""vendor":"veridia","method":"GET","path":"/v1/verify/a","generation":null,"status":401,"code":"unauthorized"}"#;
    assert!(text.lines().next().unwrap().ends_with(rest), "{text}");
}
