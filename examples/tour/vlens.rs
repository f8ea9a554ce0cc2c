//! Vlens: a 200 can be an error, and the token has a life of its own.

use redress::login::JsonLogin;
use redress::{BoxError, Class, Code, Recovery, RedressLayer, dialects};
use redress_sandbox::{Fault, Sandbox, Vendor, vlens as codes};
use serde_json::json;
use tokio::task::JoinSet;
use tower::Layer;

use crate::report::Report;
use crate::stage::{Stage, stage, transport};

const FRONT: &str = "/api/DigitalIdentity/verify/id/front";
const REQUEST: &str = "/api/BusinessRequest/GetBusinessRequestById";

pub(crate) fn start(running: &mut JoinSet<Result<Report, BoxError>>) {
    running.spawn(async { Ok(success().await?.placed(10)) });
    running.spawn(async { Ok(image_quality().await?.placed(11)) });
    running.spawn(async { Ok(validation("validation at 200", 200).await?.placed(12)) });
    running.spawn(async { Ok(validation("validation at 400", 400).await?.placed(13)) });
    running.spawn(async { Ok(expired_token("expired token at 200", false).await?.placed(14)) });
    running.spawn(async { Ok(expired_token("expired token at 401", true).await?.placed(15)) });
    running.spawn(async { Ok(dead_refresh_token().await?.placed(16)) });
    running.spawn(async { Ok(two_server_errors().await?.placed(17)) });
    running.spawn(async { Ok(server_errors_without_end().await?.placed(18)) });
}

/// Builds the stack with the token codes of this tenant, which the vendor does not publish, and logs in with a first
/// call.
async fn logged_in() -> Result<(Stage, usize), BoxError> {
    let stage = stage(Vendor::Vlens, build).await?;
    stage.get("/api/BusinessRequest/GetBusinessRequestTypeTemplateFields").await?;
    let from = stage.sandbox.log().len();
    Ok((stage, from))
}

fn build(sandbox: &Sandbox) -> Result<redress::Redress<crate::stage::Transport>, BoxError> {
    let dialect = dialects::vlens()
        .with_code(Code::new(codes::ACCESS_TOKEN_EXPIRED.to_string(), Class::TokenExpired))
        .with_code(Code::new(codes::REFRESH_TOKEN_EXPIRED.to_string(), Class::Unauthenticated));
    let login = JsonLogin::vlens(transport(), &sandbox.url(), "sandbox-api-key", "sandbox", "sandbox")?
        .dialect(dialect.clone());
    Ok(RedressLayer::new(dialect).credentials(login, sandbox.url().parse()?).layer(transport()))
}

async fn success() -> Result<Report, BoxError> {
    let stage = stage(Vendor::Vlens, build).await?;
    let outcome = stage.call("POST", FRONT, &json!({"image": "clear"})).await?;
    let report = Report::new("success", &stage.sandbox, 0, outcome);
    let data = !report.outcome().body["data"].is_null();
    Ok(report.hits(1).attempts(1).logins(1).refreshes(0).classes(&[]).succeeds().that("the body came up whole", data))
}

async fn image_quality() -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    let outcome = stage.call("POST", FRONT, &json!({"image": "blurry"})).await?;
    let report = Report::new("poor image at 200", &stage.sandbox, from, outcome);
    Ok(report
        .hits(1)
        .attempts(1)
        .classes(&[Class::Rejected])
        .fails(Some("1050"), Recovery::NewInput)
        .statuses(&[Some(200)]))
}

async fn validation(name: &'static str, status: u16) -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    if status == 200 {
        let body = r#"{"data":null,"error_code":400,"error_message":"Validation failed","error_descriptions":[{"field":"image","message":"image is required"}]}"#;
        stage.sandbox.script(&format!("POST {FRONT}"), [Fault::answer().status(200).body(body)]);
    }
    let outcome = stage.call("POST", FRONT, &json!({})).await?;
    let report = Report::new(name, &stage.sandbox, from, outcome);
    let fields = report
        .outcome()
        .api_error
        .as_ref()
        .is_some_and(|error| error.fields().iter().any(|field| field.path == "image"));
    let report = report.hits(1).classes(&[Class::Invalid]).fails(Some("400"), Recovery::FixRequest);
    Ok(report.statuses(&[Some(status)]).that("the field at fault is named", fields))
}

async fn expired_token(name: &'static str, at_status: bool) -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    stage.sandbox.errors_at_status(at_status);
    stage.sandbox.expire_tokens();
    let outcome = stage.call("POST", FRONT, &json!({"image": "clear"})).await?;
    let report = Report::new(name, &stage.sandbox, from, outcome);
    let report =
        report.hits(2).attempts(1).replays(1).refreshes(1).logins(0).classes(&[Class::TokenExpired]).succeeds();
    let first = if at_status { 401 } else { 200 };
    Ok(report.statuses(&[Some(first), Some(200)]).generations(&[Some(1), Some(2)]))
}

async fn dead_refresh_token() -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    stage.sandbox.expire_tokens();
    stage.sandbox.revoke_refresh_tokens();
    let outcome = stage.get(&format!("{REQUEST}?id=r1")).await?;
    let report = Report::new("dead refresh token", &stage.sandbox, from, outcome);
    let report =
        report.hits(2).attempts(1).replays(1).refreshes(1).logins(1).classes(&[Class::TokenExpired]).succeeds();
    Ok(report.generations(&[Some(1), Some(2)]))
}

async fn two_server_errors() -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    stage.sandbox.script(&format!("GET {REQUEST}"), [Fault::error(500).times(2)]);
    let outcome = stage.get(&format!("{REQUEST}?id=r1")).await?;
    let report = Report::new("500, 500, success", &stage.sandbox, from, outcome);
    let report = report.hits(3).attempts(3).classes(&[Class::Internal; 2]).succeeds();
    Ok(report.waits(&[500..=750, 1000..=1500]).statuses(&[Some(500), Some(500), Some(200)]))
}

async fn server_errors_without_end() -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    stage.sandbox.script(&format!("GET {REQUEST}"), [Fault::error(503).times(4)]);
    let outcome = stage.get(&format!("{REQUEST}?id=r1")).await?;
    let report = Report::new("four failures", &stage.sandbox, from, outcome);
    let report = report.hits(3).attempts(3).classes(&[Class::Unavailable; 3]).waits(&[500..=750, 1000..=1500]);
    let last = report.outcome().status;
    Ok(report.same("the last response is returned", &last, &Some(503)))
}
