//! octocrab: `ReplayBodyLayer` and the stack as its service.

use std::sync::Arc;

use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::service::middleware::retry::RetryConfig;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use redress::{ReplayBodyLayer, dialects};
use serde_json::{Value, json};
use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder};

use crate::server::{Answer, Server};
use crate::{hyper, redress};

/// octocrab over the stack.
fn client(server: &Server) -> Octocrab {
    let redress = redress(dialects::github());
    // docs: octocrab
    let service = ServiceBuilder::new().layer(ReplayBodyLayer::new()).layer(redress).service(hyper());
    let octocrab = OctocrabBuilder::new_empty()
        .with_service(service)
        .with_layer(&BaseUriLayer::new(server.url().parse().unwrap()))
        .with_layer(&ExtraHeadersLayer::new(Arc::new(vec![(http::header::USER_AGENT, "my-service".parse().unwrap())])))
        .with_auth(AuthState::None)
        .build()
        .unwrap();
    // docs: end
    octocrab
}

/// octocrab with its own retries and their default, as its `build` puts them over the same client.
fn client_alone(server: &Server) -> Octocrab {
    let client = Client::builder(TokioExecutor::new()).build_http::<OctoBody>();
    OctocrabBuilder::new_empty()
        .with_service(RetryLayer::new(RetryConfig::Simple(3)).layer(client))
        .with_layer(&BaseUriLayer::new(server.url().parse().unwrap()))
        .with_auth(AuthState::None)
        .build()
        .unwrap()
}

async fn get(client: &Octocrab) -> octocrab::Result<Value> {
    client.get("/search/code", Some(&[("q", "tower")])).await
}

fn secondary_limit() -> Answer {
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    Answer::new(403).header("retry-after", "1").json(&json!({ "message": message }).to_string())
}

fn found() -> Answer {
    Answer::new(200).json(r#"{"total_count":1}"#)
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let server = Server::start([Answer::retry_after(1), found()]).await;
    let created: Value = client(&server).post("/repos/a/b/issues", Some(&json!({"title": "bug"}))).await.unwrap();
    assert_eq!(created["total_count"], 1);
    assert_eq!((server.count(), server.pause()), (2, 1));
    assert!(server.arrivals().iter().all(|arrival| arrival.body == r#"{"title":"bug"}"#));
}

#[tokio::test]
async fn a_503_is_repeated() {
    let server = Server::start([Answer::new(503), found()]).await;
    assert_eq!(get(&client(&server)).await.unwrap()["total_count"], 1);
    assert_eq!((server.count(), server.arrivals()[1].path.as_str()), (2, "/search/code?q=tower"));
}

#[tokio::test]
async fn a_post_that_may_have_been_processed_arrives_once() {
    let issue = json!({"title": "bug"});
    let server = Server::start([Answer::new(502)]).await;
    client(&server).post::<_, Value>("/repos/a/b/issues", Some(&issue)).await.unwrap_err();
    assert_eq!(server.count(), 1);
    // octocrab's own retries send it three times more.
    let server = Server::start([Answer::new(502)]).await;
    client_alone(&server).post::<_, Value>("/repos/a/b/issues", Some(&issue)).await.unwrap_err();
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn an_error_body_is_octocrabs_own_error() {
    let errors = json!([{"resource": "Issue", "field": "title", "code": "missing_field"}]);
    let body = json!({"message": "Validation Failed", "errors": errors, "documentation_url": "https://docs.test"});
    let server = Server::start([Answer::new(422).json(&body.to_string())]).await;
    let error = client(&server).post::<_, Value>("/repos/a/b/issues", Some(&json!({}))).await.unwrap_err();
    let octocrab::Error::GitHub { source, .. } = error else { panic!("{error}") };
    assert_eq!((source.status_code.as_u16(), source.message.as_str()), (422, "Validation Failed"));
    assert_eq!(source.errors.as_deref(), errors.as_array().map(Vec::as_slice));
    assert_eq!(source.documentation_url.as_deref(), Some("https://docs.test"));
}

/// octocrab #349: how long to wait after a secondary limit, which is a 403.
#[tokio::test]
async fn issue_349_a_secondary_limit_is_waited_for() {
    let server = Server::start([secondary_limit(), found()]).await;
    get(&client_alone(&server)).await.unwrap_err();
    assert_eq!(server.count(), 1, "octocrab's own retries take the 403 for a lack of permission");

    let server = Server::start([secondary_limit(), found()]).await;
    assert_eq!(get(&client(&server)).await.unwrap()["total_count"], 1);
    assert_eq!((server.count(), server.pause()), (2, 1));
}
