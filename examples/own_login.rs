//! Logs in to an API of one's own with `JsonLogin`: a session by user and password, renewed by its token, with an end date.
//!
//! ```text
//! cargo run --example own_login
//! ```
//!
//! The API is a loopback server in this file. Its `POST /session` takes `{"user": .., "password": ..}` and returns
//! `{"jwt": .., "renewal": .., "exp": <time>}`; `POST /session/renew` takes `{"token": ..}` and returns the same members. A
//! wrong password is a 401 with the code `E-42`, and so is a rejected token.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use redress::login::{JsonCall, JsonLogin, TokenPlace};
use redress::transport::Hyper;
use redress::{Class, Code, Dialect, RedressLayer, dialects};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

/// The dialect of the API: the generic one, and the code of a refused password or token.
fn dialect() -> Dialect {
    dialects::generic().with_code(Code::new("E-42", Class::Unauthenticated))
}

fn layer(url: &str, password: &str) -> Result<RedressLayer, redress::BoxError> {
    let transport = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let session = JsonCall::post(&format!("{url}/session"))?.member("/user", "alice")?.secret("/password", password)?;
    let renew = JsonCall::post(&format!("{url}/session/renew"))?;
    let login = JsonLogin::new(transport, dialect(), session, "/jwt")?.expires_at("/exp")?.refresh(
        renew,
        TokenPlace::Member("/token".to_owned()),
        "/renewal",
    )?;
    // The token goes to this origin, and to no other.
    Ok(RedressLayer::new(dialect()).credentials(login, url.parse()?).deadline(Duration::from_secs(10)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::default();
    let url = format!("http://{}", server.clone().start().await?);
    let transport = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let get = || Request::get(format!("{url}/things")).body(Full::<Bytes>::default());

    // The first request logs in, the others share its token.
    let api = layer(&url, "correct horse")?;
    let tokens = api.tokens();
    let api = api.layer(transport.clone());
    for _ in 0..3 {
        let response = api.clone().oneshot(get()?).await?;
        assert_eq!(response.status(), StatusCode::OK);
    }
    println!("{} login for 3 requests", tokens.logins());
    assert_eq!((tokens.logins(), tokens.refreshes()), (1, 0));

    // The API revokes the token: the rejected request is sent again with a renewed one.
    server.valid.fetch_add(1, Ordering::Relaxed);
    assert_eq!(api.oneshot(get()?).await?.status(), StatusCode::OK);
    println!("{} renewal after the token was revoked", tokens.refreshes());
    assert_eq!((tokens.logins(), tokens.refreshes()), (1, 1));

    // A wrong password is reported with its code, and is not tried again.
    let wrong = layer(&url, "wrong")?.layer(transport);
    let error = wrong.oneshot(get()?).await.err().ok_or("a wrong password was accepted")?;
    println!("{error}");
    assert!(error.is_credentials());
    assert!(error.to_string().ends_with("the login was refused: 401 unauthenticated (E-42)"));

    // Nothing listens here: the error names the address and the cause.
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").await?.local_addr()?);
    let unreachable =
        layer(&closed, "correct horse")?.layer(Hyper::new(Client::builder(TokioExecutor::new()).build_http()));
    let request = Request::get(format!("{closed}/things")).body(Full::<Bytes>::default())?;
    let error = unreachable.oneshot(request).await.err().ok_or("a closed port answered")?;
    println!("{error}");
    assert!(error.to_string().ends_with("failed: connection refused"));
    Ok(())
}

/// The API. Its tokens are `t0`, `t1`, ...; one with a smaller number than `valid` is rejected.
#[derive(Clone, Default)]
struct Server {
    issued: Arc<AtomicU32>,
    valid: Arc<AtomicU32>,
}

impl Server {
    async fn start(self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = self.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Ok(address)
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (status, answer) = match head.uri.path() {
            "/session" if body["password"] == "correct horse" => (200, self.issue()),
            "/session/renew" if body["token"] == "renewal" => (200, self.issue()),
            "/things" if self.accepts(head.headers.get(AUTHORIZATION)) => (200, json!([1, 2, 3])),
            _ => (401, json!({"code": "E-42", "message": "not logged in"})),
        };
        let mut response = Response::new(Full::from(answer.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        Ok(response)
    }

    fn issue(&self) -> Value {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let end = redress::Clock::system().now() + Duration::from_secs(900);
        let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        json!({"jwt": format!("t{number}"), "renewal": "renewal", "exp": end})
    }

    fn accepts(&self, value: Option<&http::HeaderValue>) -> bool {
        let number = value.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer t")?.parse().ok());
        number.is_some_and(|number: u32| number >= self.valid.load(Ordering::Relaxed))
    }
}
