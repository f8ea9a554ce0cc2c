//! `object_store`: the stack as the connector of an S3 store.

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStoreExt, PutPayload, RetryConfig};
use redress::{Dialect, dialects};
use redress_hosts::RedressConnector;

use crate::redress;
use crate::server::{Answer, Server};

fn store_of(server: &Server, dialect: Dialect) -> AmazonS3 {
    let (redress, builder, connector) = (redress(dialect), builder(server), Connector);
    // docs: object_store
    let store = builder
        .with_http_connector(RedressConnector::new(redress, connector))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .build();
    // docs: end
    store.unwrap()
}

fn store(server: &Server) -> AmazonS3 {
    store_of(server, dialects::by_name("aws-xml").unwrap())
}

fn builder(server: &Server) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(server.url())
        .with_bucket_name("reports")
        .with_skip_signature(true)
        .with_client_options(ClientOptions::new().with_allow_http(true))
}

fn store_alone(server: &Server) -> AmazonS3 {
    builder(server).with_http_connector(Connector).build().unwrap()
}

/// A connector as the `ReqwestConnector` of `object_store`, which does not compile without TLS.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(HyperService(Client::builder(TokioExecutor::new()).build_http())))
    }
}

#[derive(Debug)]
struct HyperService(Client<hyper_util::client::legacy::connect::HttpConnector, HttpRequestBody>);

#[async_trait]
impl HttpService for HyperService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.request(request).await.map_err(|error| {
            let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Unknown };
            HttpError::new(kind, error)
        })?;
        let body = |body: hyper::body::Incoming| body.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error));
        Ok(response.map(|incoming| HttpResponseBody::new(body(incoming))))
    }
}

fn object() -> Answer {
    Answer::new(200).header("etag", "\"7\"").header("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT").body("the report")
}

fn failure(status: u16, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>told</Message></Error>");
    Answer::new(status).header("content-type", "application/xml").body(body)
}

async fn get(store: &AmazonS3) -> object_store::Result<bytes::Bytes> {
    store.get(&Path::from("march")).await?.bytes().await
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let server = Server::start([Answer::retry_after(1), object()]).await;
    let parts = [vec![b'a'; 70_000], vec![b'b'; 70_000]];
    let payload = PutPayload::from_iter(parts.iter().cloned().map(bytes::Bytes::from));
    store(&server).put(&Path::from("march"), payload).await.unwrap();
    assert_eq!((server.count(), server.pause()), (2, 1));
    assert!(server.arrivals().iter().all(|arrival| arrival.method == "PUT" && arrival.body == parts.concat()));
}

#[tokio::test]
async fn a_503_is_repeated() {
    let server = Server::start([failure(503, "SlowDown"), object()]).await;
    assert_eq!(get(&store(&server)).await.unwrap(), "the report");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_post_that_may_have_been_processed_arrives_once() {
    let server = Server::start([failure(500, "InternalError")]).await;
    assert!(store(&server).put_multipart(&Path::from("march")).await.is_err());
    assert_eq!((server.count(), server.arrivals()[0].method.as_str()), (1, "POST"));
}

#[tokio::test]
async fn an_error_is_object_stores_own() {
    let server = Server::start([failure(404, "NoSuchKey")]).await;
    let Error::NotFound { path, source } = get(&store(&server)).await.unwrap_err() else { panic!("it is not there") };
    assert_eq!(path, "march");
    assert!(source.to_string().contains("NoSuchKey"), "{source}");
}

/// arrow-rs-object-store #840: a store whose temporary failures are 403s needs retries of its own.
#[tokio::test]
async fn issue_840_a_dialect_says_which_responses_are_repeated() {
    let script = || [failure(403, "NotAuthenticated"), object()];
    let server = Server::start(script()).await;
    get(&store_alone(&server)).await.unwrap_err();
    assert_eq!(server.count(), 1);

    let text = "name = \"oci\"\nextends = \"aws-xml\"\n[codes]\nNotAuthenticated = { status = 403, class = \"unavailable\" }\n";
    let server = Server::start(script()).await;
    assert_eq!(get(&store_of(&server, Dialect::from_toml("oci.toml", text).unwrap())).await.unwrap(), "the report");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn without_a_response_the_error_of_the_stack_is_inside() {
    let connector = RedressConnector::new(redress(dialects::generic()), Connector);
    let none = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let store = AmazonS3Builder::new().with_endpoint("http://127.0.0.1:1").with_bucket_name("reports");
    let store = store.with_skip_signature(true).with_http_connector(connector).with_retry(none);
    let store = store.with_client_options(ClientOptions::new().with_allow_http(true)).build().unwrap();
    let error = get(&store).await.unwrap_err();
    let mut sources = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let inner = sources.find_map(|error| error.downcast_ref::<redress::Error>()).expect("it is the stack's");
    assert!(inner.is_connect());
}
