//! A plain HTTP client, and one that shows the bytes on the wire.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use redress_sandbox::Sandbox;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sends requests with the same headers each time.
pub(crate) struct Caller<'a> {
    sandbox: &'a Sandbox,
    client: Client<HttpConnector, Full<Bytes>>,
    headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { sandbox, client, headers: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a request such as `"POST /v1/applicants"`. A null body is left out.
    pub(crate) async fn try_send(&self, route: &str, body: Value) -> Result<Answer, BoxError> {
        let (method, path) = route.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.sandbox.url()));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.client.request(request.body(Full::from(body))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    pub(crate) async fn send(&self, route: &str, body: Value) -> Answer {
        self.try_send(route, body).await.unwrap()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends raw bytes and returns everything until the server closes the connection.
pub(crate) async fn exchange_raw(sandbox: &Sandbox, request: &str) -> String {
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}
