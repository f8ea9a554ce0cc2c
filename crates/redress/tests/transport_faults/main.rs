//! Transports that die, refuse or misdirect, over both adapters and real loopback sockets: HTTP/2 by raw frames, TLS by
//! rustls, proxies by a server that answers `CONNECT`.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod dead;
mod frames;
mod nacks;
mod proxies;
mod slow;
mod stack;
mod stamping;
mod target;
mod tls;

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use redress::transport::{Hyper, Reqwest};
use redress::{Error, TransportError};
use tokio::net::TcpListener;
use tower::{Service, ServiceExt};

use self::stack::{PATIENCE, chain, layer, request, send};

/// hyper-util's client, with HTTP/2 from the first byte on.
fn hyper_h2() -> Hyper<HttpConnector, String> {
    Hyper::new(Client::builder(TokioExecutor::new()).http2_only(true).build_http())
}

fn hyper() -> Hyper<HttpConnector, String> {
    Hyper::new(Client::builder(TokioExecutor::new()).build_http())
}

/// reqwest's client, with HTTP/2 from the first byte on.
fn reqwest_h2() -> Reqwest {
    Reqwest::new(Reqwest::client_builder().http2_prior_knowledge()).unwrap()
}

fn reqwest() -> Reqwest {
    Reqwest::new(Reqwest::client_builder()).unwrap()
}

/// A server for HTTP/1.1 and HTTP/2 on a free port that answers every request with 200 after `note` has seen it; returns its
/// authority.
async fn start<N, F>(note: N) -> String
where
    N: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let note = note.clone();
            let service = hyper::service::service_fn(move |request| {
                let noted = note(request);
                async {
                    noted.await;
                    Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                }
            });
            tokio::spawn(async move {
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    authority
}

/// Sends a request by the adapter alone; returns the status.
async fn attempt<S, R>(transport: &S, request: Request<String>) -> Result<u16, TransportError>
where
    S: Service<Request<String>, Response = Response<R>, Error = TransportError> + Clone,
{
    let response = tokio::time::timeout(PATIENCE, transport.clone().oneshot(request)).await;
    response.expect("it does not hang").map(|response| response.status().as_u16())
}

/// Sends a request over TLS, by each adapter whose client speaks it here: reqwest's is tested in a package of its own, since
/// its TLS feature would change the client of every test.
async fn over_tls(url: &str, client: &rustls::ClientConfig) -> Vec<Result<u16, Error>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    let connector = tls::connector(client, http);
    let hyper = Hyper::new(Client::builder(TokioExecutor::new()).build(connector));
    vec![send(&layer(), &hyper, request("GET", url)).await]
}
