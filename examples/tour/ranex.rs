//! Ranex: the status is all there is, and one POST may be sent twice.

use redress::{BoxError, Class, EndReason, Phase, Recovery, RedressLayer, StaticHeaders, dialects};
use redress_sandbox::{Fault, Sandbox, Vendor};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::Layer;

use crate::report::Report;
use crate::stage::{Stage, Transport, stage, transport};

const APPLICANTS: &str = "/v1/applicants";

pub(crate) fn start(running: &mut JoinSet<Result<Report, BoxError>>) {
    running.spawn(async { Ok(applicant_cut_off().await?.placed(30)) });
    running.spawn(async { Ok(verification_cut_off().await?.placed(31)) });
    running.spawn(async { Ok(deploy().await?.placed(32)) });
    running.spawn(async { Ok(limited("429 with seconds", "1", 1000..=1500).await?.placed(33)) });
    running.spawn(async { Ok(limited("429 with a date", "date:+2", 1000..=3000).await?.placed(34)) });
    running.spawn(async { Ok(not_found().await?.placed(35)) });
}

fn build(sandbox: &Sandbox) -> Result<redress::Redress<Transport>, BoxError> {
    let keys = StaticHeaders::new().header("x-api-key", "sandbox-key")?.header("x-api-secret", "sandbox-secret")?;
    Ok(RedressLayer::new(dialects::ranex()).credentials(keys, sandbox.url().parse()?).layer(transport()))
}

fn applicant() -> Value {
    json!({"externalUserId": "u1", "level": "basic"})
}

/// Creates an applicant, so that there is one to ask for.
async fn created() -> Result<(Stage, String, usize), BoxError> {
    let stage = stage(Vendor::Ranex, build).await?;
    let outcome = stage.call("POST", APPLICANTS, &applicant()).await?;
    let id = outcome.body["id"].as_str().unwrap_or_default().to_owned();
    let from = stage.sandbox.log().len();
    Ok((stage, format!("{APPLICANTS}/{id}"), from))
}

async fn applicant_cut_off() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Ranex, build).await?;
    stage.sandbox.script(&format!("POST {APPLICANTS}"), [Fault::drop()]);
    let outcome = stage.call("POST", APPLICANTS, &applicant()).await?;
    let report = Report::new("an idempotent POST cut off", &stage.sandbox, 0, outcome);
    let report = report.hits(2).attempts(2).classes(&[Class::Unavailable]).waits(&[1000..=1500]).succeeds();
    Ok(report.statuses(&[None, Some(200)]).same("applicants", &stage.sandbox.applicants(), &1))
}

async fn verification_cut_off() -> Result<Report, BoxError> {
    let (stage, path, from) = created().await?;
    let path = format!("{path}/verify");
    stage.sandbox.script("POST /v1/applicants/{id}/verify", [Fault::drop()]);
    let outcome = stage.call("POST", &path, &json!({})).await?;
    let report = Report::new("another POST cut off", &stage.sandbox, from, outcome);
    let (stop, phase) = (report.outcome().stop, report.outcome().error.as_ref().map(redress::Error::phase));
    let report = report.hits(1).attempts(1).classes(&[Class::Unavailable]);
    let report = report.same("why it stopped", &stop, &Some(EndReason::NotIdempotent));
    let report = report.same("phase", &phase, &Some(Phase::MaybeProcessed));
    Ok(report.same("verifications", &stage.sandbox.verifications(), &1))
}

async fn deploy() -> Result<Report, BoxError> {
    let (stage, path, from) = created().await?;
    stage.sandbox.script("GET /v1/applicants/{id}", [Fault::error(503).times(2)]);
    let outcome = stage.get(&path).await?;
    let report = Report::new("503 during a deploy", &stage.sandbox, from, outcome);
    Ok(report.hits(3).attempts(3).classes(&[Class::Unavailable; 2]).waits(&[1000..=1500, 2000..=3000]).succeeds())
}

async fn limited(
    name: &'static str,
    retry_after: &str,
    wait: std::ops::RangeInclusive<u128>,
) -> Result<Report, BoxError> {
    let (stage, path, from) = created().await?;
    let path = format!("{path}/verify");
    stage.sandbox.script("POST /v1/applicants/{id}/verify", [Fault::error(429).retry_after(retry_after)]);
    let outcome = stage.call("POST", &path, &json!({})).await?;
    let report = Report::new(name, &stage.sandbox, from, outcome);
    let report = report.hits(2).attempts(2).classes(&[Class::RateLimited]).waits(&[wait]).hinted().succeeds();
    Ok(report.same("verifications", &stage.sandbox.verifications(), &1))
}

async fn not_found() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Ranex, build).await?;
    let outcome = stage.get("/v1/applicants/nobody").await?;
    let report = Report::new("404", &stage.sandbox, 0, outcome);
    Ok(report.hits(1).classes(&[Class::NotFound]).fails(None, Recovery::FixRequest))
}
