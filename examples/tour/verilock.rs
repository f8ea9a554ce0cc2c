//! Verilock: the status decides, and the wait may stand in the body.

use redress::{BoxError, Class, Recovery, RedressLayer, StaticHeaders, dialects};
use redress_sandbox::{Fault, Sandbox, Vendor};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::Layer;

use crate::report::Report;
use crate::stage::{Stage, Transport, stage, transport};

const SESSIONS: &str = "/v1/sessions";

pub(crate) fn start(running: &mut JoinSet<Result<Report, BoxError>>) {
    running.spawn(async { Ok(limited_by_the_body().await?.placed(50)) });
    running.spawn(async { Ok(wrong_fields().await?.placed(51)) });
    running.spawn(async { Ok(maintenance().await?.placed(52)) });
    running.spawn(async { Ok(conflict().await?.placed(53)) });
    running.spawn(async { Ok(deleted().await?.placed(54)) });
}

fn build(sandbox: &Sandbox) -> Result<redress::Redress<Transport>, BoxError> {
    let key = StaticHeaders::new().header("x-api-key", "sandbox-api-key")?;
    Ok(RedressLayer::new(dialects::verilock()).credentials(key, sandbox.url().parse()?).layer(transport()))
}

fn session() -> Value {
    json!({"redirect_url": "https://shop.example/done", "document_type": "passport"})
}

/// Opens a session, so that there is one to ask for.
async fn opened() -> Result<(Stage, String, usize), BoxError> {
    let stage = stage(Vendor::Verilock, build).await?;
    let outcome = stage.call("POST", SESSIONS, &session()).await?;
    let id = outcome.body["id"].as_str().unwrap_or_default().to_owned();
    let from = stage.sandbox.log().len();
    Ok((stage, format!("{SESSIONS}/{id}"), from))
}

async fn limited_by_the_body() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Verilock, build).await?;
    let body = r#"{"error":"rate_limit_exceeded","message":"Too many requests.","details":{"retry_after":1}}"#;
    stage.sandbox.script(&format!("POST {SESSIONS}"), [Fault::answer().status(429).body(body)]);
    let outcome = stage.call("POST", SESSIONS, &session()).await?;
    let report = Report::new("429, the wait in the body", &stage.sandbox, 0, outcome);
    let report = report.hits(2).attempts(2).classes(&[Class::RateLimited]).waits(&[1000..=1500]).hinted().succeeds();
    Ok(report.same("sessions", &stage.sandbox.sessions(), &1))
}

async fn wrong_fields() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Verilock, build).await?;
    let outcome = stage.call("POST", SESSIONS, &json!({"redirect_url": "nowhere", "document_type": "napkin"})).await?;
    let report = Report::new("422 with fields", &stage.sandbox, 0, outcome);
    let fields = report.outcome().api_error.as_ref().map_or(0, |error| error.fields().len());
    let report = report.hits(1).classes(&[Class::Invalid]).fails(Some("validation_error"), Recovery::FixRequest);
    Ok(report.same("fields", &fields, &2))
}

async fn maintenance() -> Result<Report, BoxError> {
    let (stage, path, from) = opened().await?;
    stage.sandbox.script("GET /v1/sessions/{id}", [Fault::error(503)]);
    let outcome = stage.get(&path).await?;
    let report = Report::new("503, then success", &stage.sandbox, from, outcome);
    Ok(report.hits(2).attempts(2).classes(&[Class::Unavailable]).waits(&[0..=50]).succeeds())
}

async fn conflict() -> Result<Report, BoxError> {
    let (stage, path, _) = opened().await?;
    stage.call("POST", &format!("{path}/decline"), &json!({})).await?;
    let from = stage.sandbox.log().len();
    let outcome = stage.call("POST", &format!("{path}/approve"), &json!({})).await?;
    let report = Report::new("409", &stage.sandbox, from, outcome);
    Ok(report.hits(1).classes(&[Class::Conflict]).fails(Some("conflict"), Recovery::Stop).statuses(&[Some(409)]))
}

async fn deleted() -> Result<Report, BoxError> {
    let (stage, path, from) = opened().await?;
    let outcome = stage.call("DELETE", &path, &Value::Null).await?;
    let report = Report::new("204", &stage.sandbox, from, outcome);
    Ok(report.hits(1).classes(&[]).succeeds().statuses(&[Some(204)]))
}
