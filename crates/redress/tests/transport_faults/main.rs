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

use http::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::Error;
use redress::transport::{Hyper, Reqwest, TransportError};
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
