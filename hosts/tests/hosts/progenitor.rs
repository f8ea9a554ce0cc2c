//! progenitor: the stack in the hook of a client in the form that progenitor generates.

use std::sync::atomic::{AtomicU32, Ordering};

use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo, ResponseValue};
use redress::transport::Reqwest;
use redress::{Credentials, Failure, Redress, TokenSet, dialects};
use serde::{Deserialize, Serialize};
use tower::Layer;

use crate::redress;
use crate::server::{Answer, Server};

type Stack = Redress<Reqwest>;

/// A client as progenitor generates it, with an inner value.
struct Client {
    baseurl: String,
    client: reqwest::Client,
    inner: Stack,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Disk {
    name: String,
}

#[derive(Debug, Deserialize)]
struct ApiError {
    error_code: String,
    message: String,
}

impl ClientInfo<Stack> for Client {
    fn api_version() -> &'static str {
        "1.0.0"
    }

    fn baseurl(&self) -> &str {
        &self.baseurl
    }

    fn client(&self) -> &reqwest::Client {
        &self.client
    }

    fn inner(&self) -> &Stack {
        &self.inner
    }
}

// docs: progenitor
impl ClientHooks<Stack> for Client {
    async fn exec(&self, request: reqwest::Request, _: &OperationInfo) -> reqwest::Result<reqwest::Response> {
        redress_hosts::exec(self.inner().clone(), request).await
    }
}
// docs: end

/// The client without a hook of its own.
struct Alone(Client);

impl ClientInfo<Stack> for Alone {
    fn api_version() -> &'static str {
        Client::api_version()
    }

    fn baseurl(&self) -> &str {
        self.0.baseurl()
    }

    fn client(&self) -> &reqwest::Client {
        self.0.client()
    }

    fn inner(&self) -> &Stack {
        self.0.inner()
    }
}

impl ClientHooks<Stack> for Alone {}

/// An operation as progenitor generates it: the hooks around the request, then the documented statuses.
async fn operation<C: ClientHooks<Stack>>(
    client: &C,
    method: http::Method,
) -> Result<ResponseValue<Disk>, Error<ApiError>> {
    let url = format!("{}/v1/disks", client.baseurl());
    let request = client.client().request(method.clone(), url);
    let request = if method == "POST" { request.json(&Disk { name: "big".to_owned() }) } else { request };
    let mut request = request.build()?;
    let info = OperationInfo { operation_id: "disk" };
    client.pre(&mut request, &info).await?;
    let result = client.exec(request, &info).await;
    client.post(&result, &info).await?;
    let response = result?;
    match response.status().as_u16() {
        200 => ResponseValue::from_response(response).await,
        400..=499 => Err(Error::ErrorResponse(ResponseValue::from_response(response).await?)),
        _ => Err(Error::UnexpectedResponse(response)),
    }
}

fn client(server: &Server) -> Client {
    client_over(&server.url(), redress(dialects::generic()).layer(transport()))
}

fn client_over(baseurl: &str, inner: Stack) -> Client {
    Client { baseurl: baseurl.to_owned(), client: Reqwest::client_builder().build().unwrap(), inner }
}

fn transport() -> Reqwest {
    Reqwest::new(Reqwest::client_builder()).unwrap()
}

fn disk() -> Answer {
    Answer::new(200).json(r#"{"name":"big"}"#)
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let server = Server::start([Answer::retry_after(1), disk()]).await;
    let made = operation(&client(&server), http::Method::POST).await.unwrap();
    assert_eq!(made.into_inner(), Disk { name: "big".to_owned() });
    assert_eq!((server.count(), server.pause()), (2, 1));
    assert!(server.arrivals().iter().all(|arrival| arrival.body == r#"{"name":"big"}"#));
}

#[tokio::test]
async fn a_503_is_repeated() {
    let server = Server::start([Answer::new(503), disk()]).await;
    operation(&client(&server), http::Method::GET).await.unwrap();
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_post_that_may_have_been_processed_arrives_once() {
    let server = Server::start([Answer::new(503).body("busy")]).await;
    let error = operation(&client(&server), http::Method::POST).await.unwrap_err();
    let Error::UnexpectedResponse(response) = error else { panic!("the status is not documented") };
    assert_eq!((response.url().path(), server.count()), ("/v1/disks", 1));
    assert_eq!(response.text().await.unwrap(), "busy");
}

#[tokio::test]
async fn an_error_body_is_the_clients_own_error() {
    let body = r#"{"error_code":"NoDisk","message":"there is no such disk"}"#;
    let server = Server::start([Answer::new(404).json(body)]).await;
    let Error::ErrorResponse(error) = operation(&client(&server), http::Method::GET).await.unwrap_err() else {
        panic!("the status is documented")
    };
    assert_eq!((error.error_code.as_str(), error.message.as_str()), ("NoDisk", "there is no such disk"));
}

/// Logs in anew for each set: `Bearer 1`, `Bearer 2` and so on.
#[derive(Default)]
struct Counted(AtomicU32);

impl Credentials for Counted {
    async fn login(&self) -> Result<TokenSet, Failure> {
        let nth = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        TokenSet::bearer(nth.to_string()).map_err(|_| Failure::permanent("it is a token"))
    }
}

/// progenitor #1079: tokens that end while the client lives.
#[tokio::test]
async fn issue_1079_a_token_that_has_ended_is_renewed_and_the_request_sent_again() {
    let ended = || Answer::new(401).json(r#"{"error_code":"Expired","message":"the token has ended"}"#);
    let server = Server::start([ended(), disk()]).await;
    let alone = Alone(client(&server));
    let error = operation(&alone, http::Method::POST).await.unwrap_err();
    assert_eq!((error.status().map(|status| status.as_u16()), server.count()), (Some(401), 1));

    let server = Server::start([ended(), disk()]).await;
    let layer = redress(dialects::generic()).credentials(Counted::default(), server.url().parse().unwrap());
    let client = client_over(&server.url(), layer.layer(transport()));
    operation(&client, http::Method::POST).await.unwrap();
    let tokens: Vec<_> = server.arrivals().iter().map(|arrival| arrival.headers["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer 1", "Bearer 2"]);
}

#[tokio::test]
async fn without_a_response_the_error_of_the_stack_is_a_source_of_reqwests() {
    let client = client_over("http://127.0.0.1:1", redress(dialects::generic()).layer(transport()));
    let Error::CommunicationError(error) = operation(&client, http::Method::GET).await.unwrap_err() else {
        panic!("no response came")
    };
    let mut sources = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let inner = sources.find_map(|error| error.downcast_ref::<redress::Error>()).expect("it is the stack's");
    assert!(inner.is_connect() && inner.record().is_some());
}
