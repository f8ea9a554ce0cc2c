//! Maleslab: one 401 is worth a refresh, two others are not, and a thousand callers share one refresh.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use redress::login::JsonLogin;
use redress::{Attempt, BoxError, Class, Recovery, RedressLayer, ResponseExt, TransportError, dialects};
use redress_sandbox::{Fault, Sandbox, Vendor};
use serde_json::json;
use tokio::task::JoinSet;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};

use crate::report::Report;
use crate::stage::{Stage, Transport, stage, transport};

const COLLECTIONS: &str = "/api/v1/collections";
/// Callers at once, and the connections that they share.
const CALLERS: usize = 1000;
const CONNECTIONS: usize = 64;

pub(crate) fn start(running: &mut JoinSet<Result<Report, BoxError>>) {
    running.spawn(async { Ok(token_expired().await?.placed(40)) });
    running.spawn(async { Ok(dead("TOKEN_INVALID").await?.placed(41)) });
    running.spawn(async { Ok(dead("INVALID_API_KEY").await?.placed(42)) });
    running.spawn(async { Ok(a_thousand_callers().await?.placed(43)) });
    running.spawn(async { Ok(validation_error().await?.placed(44)) });
    running.spawn(async { Ok(face_not_detected().await?.placed(45)) });
    running.spawn(async { Ok(limited_without_a_wait().await?.placed(46)) });
}

fn build(sandbox: &Sandbox) -> Result<redress::Redress<Transport>, BoxError> {
    let login = JsonLogin::maleslab(transport(), &sandbox.url(), "sandbox@example.com", "sandbox")?;
    let layer = RedressLayer::new(dialects::maleslab()).credentials(login, sandbox.url().parse()?);
    // The vendor's default of 5 s, scaled down for the tour.
    Ok(layer.backoff(|backoff| backoff.default_throttle_wait(Duration::from_millis(500))).layer(transport()))
}

/// Logs in with a first call.
async fn logged_in() -> Result<(Stage, usize), BoxError> {
    let stage = stage(Vendor::Maleslab, build).await?;
    stage.get(COLLECTIONS).await?;
    let from = stage.sandbox.log().len();
    Ok((stage, from))
}

async fn token_expired() -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    stage.sandbox.expire_tokens();
    let outcome = stage.call("POST", COLLECTIONS, &json!({"name": "staff"})).await?;
    let report = Report::new("TOKEN_EXPIRED", &stage.sandbox, from, outcome);
    let report =
        report.hits(2).attempts(1).replays(1).refreshes(1).logins(0).classes(&[Class::TokenExpired]).succeeds();
    Ok(report.generations(&[Some(1), Some(2)]).same("collections", &stage.sandbox.collections(), &1))
}

/// The same status as an expired token, and nothing that a refresh could help.
async fn dead(code: &'static str) -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    stage.sandbox.script(&format!("GET {COLLECTIONS}"), [Fault::error(401).code(code)]);
    let outcome = stage.get(COLLECTIONS).await?;
    let report = Report::new(code, &stage.sandbox, from, outcome);
    let report = report.hits(1).replays(0).refreshes(0).logins(0).classes(&[Class::Unauthenticated]);
    Ok(report.fails(Some(code), Recovery::Reauthenticate).statuses(&[Some(401)]))
}

async fn validation_error() -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    let outcome = stage.call("POST", COLLECTIONS, &json!({})).await?;
    let report = Report::new("VALIDATION_ERROR", &stage.sandbox, from, outcome);
    let named = report
        .outcome()
        .api_error
        .as_ref()
        .is_some_and(|error| error.fields().iter().any(|field| field.path == "name"));
    let report = report.hits(1).classes(&[Class::Invalid]).fails(Some("VALIDATION_ERROR"), Recovery::FixRequest);
    Ok(report.that("the field at fault is named", named))
}

async fn face_not_detected() -> Result<Report, BoxError> {
    let (stage, _) = logged_in().await?;
    let created = stage.call("POST", COLLECTIONS, &json!({"name": "staff"})).await?;
    let id = created.body.pointer("/data/id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    let from = stage.sandbox.log().len();
    let outcome = stage.call("POST", &format!("{COLLECTIONS}/{id}/identify"), &json!({"image": "no_face"})).await?;
    let report = Report::new("FACE_NOT_DETECTED", &stage.sandbox, from, outcome);
    Ok(report.hits(1).classes(&[Class::Rejected]).fails(Some("FACE_NOT_DETECTED"), Recovery::NewInput))
}

async fn limited_without_a_wait() -> Result<Report, BoxError> {
    let (stage, from) = logged_in().await?;
    stage.sandbox.script(&format!("POST {COLLECTIONS}"), [Fault::error(429)]);
    let outcome = stage.call("POST", COLLECTIONS, &json!({"name": "staff"})).await?;
    let report = Report::new("429 without Retry-After", &stage.sandbox, from, outcome);
    Ok(report.hits(2).attempts(2).classes(&[Class::RateLimited]).waits(&[500..=750]).succeeds())
}

async fn a_thousand_callers() -> Result<Report, BoxError> {
    let sandbox = Sandbox::start(Vendor::Maleslab).await?;
    let url = sandbox.url();
    // A connection is busy until its body is read, so that the limit holds a request for as long. The refresh shares it.
    let client = transport();
    let whole = tower::service_fn(move |request: Request<String>| {
        let client = client.clone();
        async move {
            let (head, body) = client.oneshot(request).await?.into_parts();
            let body = body.collect().await.map_err(TransportError::body)?;
            Ok::<_, TransportError>(Response::from_parts(head, Full::new(body.to_bytes())))
        }
    });
    let transport = ConcurrencyLimit::new(whole, CONNECTIONS / 2);
    let login = JsonLogin::maleslab(transport.clone(), &url, "sandbox@example.com", "sandbox")?;
    let service = RedressLayer::new(dialects::maleslab()).credentials(login, url.parse()?).layer(transport);
    let request = move || Request::get(format!("{url}{COLLECTIONS}")).body(String::new());

    service.clone().oneshot(request()?).await?;
    sandbox.expire_tokens();
    let from = sandbox.log().len();
    let mut calls = JoinSet::new();
    for _ in 0..CALLERS {
        let (mut service, request) = (service.clone(), request()?);
        calls.spawn(async move { service.ready().await?.call(request).await });
    }
    let (mut successes, mut seen) = (0, Vec::new());
    while let Some(result) = calls.join_next().await {
        let response = result??;
        successes += usize::from(response.status() == 200 && response.verdict().is_none());
        let single = || vec![Attempt::new(Some(200), None, false)];
        seen.extend(response.record().map_or_else(single, |record| record.attempts().to_vec()));
    }

    let connections = sandbox.connections();
    let report = Report::of_many("1,000 calls, one refresh", &sandbox, from, &seen, COLLECTIONS);
    let report = report.refreshes(1).logins(0).attempts(CALLERS).same("successes", &successes, &CALLERS);
    let (old, new) = (report.with_generation(1), report.with_generation(2));
    let hits = report.server_hits();
    let report = report.same("calls with the new token", &new, &CALLERS).same("calls with either", &(old + new), &hits);
    let report = report.replays(old).same("hits for the requests that the callers sent", &hits, &seen.len());
    let report = report.that(&format!("{connections} connections, at most {CONNECTIONS}"), connections <= CONNECTIONS);
    Ok(report.result(format!("{successes} x 200 success")))
}
