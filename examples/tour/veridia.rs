//! Veridia: the string `error` decides, whatever the status.

use redress::{BoxError, Class, Recovery, RedressLayer, StaticHeaders, dialects};
use redress_sandbox::{Fault, Sandbox, Vendor};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::Layer;

use crate::alert;
use crate::report::Report;
use crate::stage::{Stage, Transport, stage, transport};

const INIT: &str = "/v1/verify/init";
const VERIFICATION: &str = "/v1/verify/{id}";

pub(crate) fn start(running: &mut JoinSet<Result<Report, BoxError>>) {
    running.spawn(async { Ok(rate_limited().await?.placed(20)) });
    running.spawn(async { Ok(internal().await?.placed(21)) });
    running.spawn(async { Ok(invalid_body().await?.placed(22)) });
    running.spawn(async { Ok(insufficient_credits().await?.placed(23)) });
    running.spawn(async { Ok(verification_not_found().await?.placed(24)) });
    running.spawn(async { Ok(proxy_page().await?.placed(25)) });
    running.spawn(async { Ok(rate_limited_on_an_odd_status().await?.placed(26)) });
}

fn build(sandbox: &Sandbox) -> Result<redress::Redress<Transport>, BoxError> {
    let key = StaticHeaders::new().header("authorization", "Bearer qv_sec_test_sandbox")?;
    Ok(RedressLayer::new(dialects::veridia()).credentials(key, sandbox.url().parse()?).layer(transport()))
}

fn applicant() -> Value {
    json!({"userRef": "u1", "country": "AR", "documentType": "dni"})
}

/// Begins a verification, so that there is one to ask for.
async fn begun() -> Result<(Stage, String, usize), BoxError> {
    let stage = stage(Vendor::Veridia, build).await?;
    let outcome = stage.call("POST", INIT, &applicant()).await?;
    let id = outcome.body["verificationId"].as_str().unwrap_or_default().to_owned();
    let from = stage.sandbox.log().len();
    Ok((stage, format!("/v1/verify/{id}"), from))
}

async fn rate_limited() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Veridia, build).await?;
    stage.sandbox.script(&format!("POST {INIT}"), [Fault::error(429).code("rate_limited").retry_after("1")]);
    let outcome = stage.call("POST", INIT, &applicant()).await?;
    let report = Report::new("rate_limited, then success", &stage.sandbox, 0, outcome);
    Ok(report.hits(2).attempts(2).classes(&[Class::RateLimited]).waits(&[1000..=1500]).hinted().succeeds())
}

async fn internal() -> Result<Report, BoxError> {
    let (stage, path, from) = begun().await?;
    stage.sandbox.script(&format!("GET {VERIFICATION}"), [Fault::error(500).code("internal")]);
    let outcome = stage.get(&path).await?;
    let report = Report::new("internal, then success", &stage.sandbox, from, outcome);
    Ok(report.hits(2).attempts(2).classes(&[Class::Internal]).waits(&[0..=50]).succeeds())
}

async fn invalid_body() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Veridia, build).await?;
    let outcome = stage.call("POST", INIT, &json!({"userRef": "u1", "country": "ARG", "documentType": "dni"})).await?;
    let report = Report::new("invalid_body", &stage.sandbox, 0, outcome);
    let error = report.outcome().api_error.clone();
    let field = error.as_ref().is_some_and(|error| error.fields().iter().any(|field| field.path == "country"));
    let id = error.as_ref().and_then(|error| error.request_id()).is_some();
    let report = report.hits(1).classes(&[Class::Invalid]).fails(Some("invalid_body"), Recovery::FixRequest);
    Ok(report.that("the field at fault is named", field).that("the request id is there", id))
}

async fn insufficient_credits() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Veridia, build).await?;
    stage.sandbox.set_credits(0);
    let before = alert::count();
    let outcome = stage.call("POST", INIT, &applicant()).await?;
    let report = Report::new("insufficient_credits", &stage.sandbox, 0, outcome);
    let report =
        report.hits(1).classes(&[Class::QuotaExhausted]).fails(Some("insufficient_credits"), Recovery::RaiseLimit);
    Ok(report.same("alerts", &(alert::count() - before), &1))
}

async fn verification_not_found() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Veridia, build).await?;
    let outcome = stage.get("/v1/verify/vf_0000000000000000").await?;
    let report = Report::new("verification_not_found", &stage.sandbox, 0, outcome);
    Ok(report.hits(1).classes(&[Class::NotFound]).fails(Some("verification_not_found"), Recovery::RestartFlow))
}

async fn proxy_page() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Veridia, build).await?;
    stage.sandbox.script(&format!("POST {INIT}"), [Fault::proxy_html().status(502)]);
    let outcome = stage.call("POST", INIT, &applicant()).await?;
    let report = Report::new("a proxy's page at 502", &stage.sandbox, 0, outcome);
    let error = report.outcome().api_error.clone();
    let id = error.as_ref().and_then(|error| error.request_id()).is_some();
    let page = error.as_ref().is_some_and(|error| error.body().contains("<html"));
    let report = report.hits(1).classes(&[Class::Unavailable]).fails(None, Recovery::Retry);
    Ok(report.that("the request id comes from the header", id).that("a part of the page is kept", page))
}

async fn rate_limited_on_an_odd_status() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Veridia, build).await?;
    stage.sandbox.script(&format!("POST {INIT}"), [Fault::error(418).code("rate_limited").retry_after("1")]);
    let outcome = stage.call("POST", INIT, &applicant()).await?;
    let report = Report::new("rate_limited at 418", &stage.sandbox, 0, outcome);
    let report = report.hits(2).attempts(2).classes(&[Class::RateLimited]).waits(&[1000..=1500]).hinted().succeeds();
    Ok(report.statuses(&[Some(418), Some(200)]))
}
