//! Connections that take too long are told from requests that do.

use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::transport::{ConnectTimeout, Hyper};
use redress::{Error, Phase};
use tokio::net::TcpListener;

use super::{chain, hyper, layer, request, reqwest, send};

const QUICK: Duration = Duration::from_millis(100);

/// A server that accepts connections and says nothing, so that a TLS handshake with it hangs.
async fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("https://{}", listener.local_addr().unwrap()), listener)
}

fn tls<C>(connector: C) -> hyper_rustls::HttpsConnector<C> {
    super::tls::connector(&super::tls::config(&[], None), connector)
}

fn assert_not_sent_in_time(error: &Error) {
    assert!(error.is_timeout() && error.is_connect() && error.phase() == Phase::NotSent, "{error:?}");
    assert_eq!(error.record().map(|record| record.attempts().len()), Some(3), "a POST, retried: {}", chain(error));
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_connect_timeout_and_was_not_sent() {
    let (url, _listener) = silent().await;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let connector = ConnectTimeout::new(tls(connector)).timeout(QUICK);
    let hyper = Hyper::new(Client::builder(TokioExecutor::new()).build(connector));
    assert_not_sent_in_time(&send(&layer(), &hyper, request("POST", &url)).await.expect_err("a hung handshake"));
}

#[tokio::test]
async fn a_timeout_of_tower_or_tokio_around_the_connector_was_not_sent_either() {
    let (url, _listener) = silent().await;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let tower = tower::timeout::Timeout::new(tls(connector.clone()), QUICK);
    let hyper = Hyper::new(Client::builder(TokioExecutor::new()).build(Boxed(tower)));
    assert_not_sent_in_time(&send(&layer(), &hyper, request("POST", &url)).await.expect_err("a hung handshake"));
}

/// Makes the future of a connector `Unpin`, as hyper-util wants it.
#[derive(Clone)]
struct Boxed<C>(C);

impl<C, T> tower::Service<T> for Boxed<C>
where
    C: tower::Service<T>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = C::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<C::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: T) -> Self::Future {
        Box::pin(self.0.call(target))
    }
}

#[tokio::test]
async fn a_timeout_of_tower_around_the_transport_may_have_been_processed() {
    let (url, _listener) = silent().await;
    let url = url.replace("https", "http");
    let hyper = tower::timeout::Timeout::new(hyper(), QUICK);
    let reqwest = tower::timeout::Timeout::new(reqwest(), QUICK);
    for error in [
        send(&layer(), &hyper, request("POST", &url)).await.expect_err("no answer"),
        send(&layer(), &reqwest, request("POST", &url)).await.expect_err("no answer"),
    ] {
        assert!(error.is_timeout() && error.phase() == Phase::MaybeProcessed, "{error:?}");
        assert_eq!(error.record().map(|record| record.attempts().len()), Some(1), "{error:?}");
    }
}

#[tokio::test]
async fn load_shed_below_the_stack_was_not_sent() {
    /// Never ready.
    #[derive(Clone)]
    struct Full;
    impl tower::Service<http::Request<String>> for Full {
        type Response = http::Response<String>;
        type Error = std::convert::Infallible;
        type Future = std::future::Pending<Result<Self::Response, Self::Error>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
            std::task::Poll::Pending
        }
        fn call(&mut self, _: http::Request<String>) -> Self::Future {
            std::future::pending()
        }
    }
    let shedding = tower::load_shed::LoadShed::new(Full);
    let error = send(&layer(), &shedding, request("POST", "http://api.test")).await.expect_err("it is full");
    assert_eq!(error.phase(), Phase::NotSent, "{error:?}");
    assert_eq!(error.record().map(|record| record.attempts().len()), Some(3), "a POST, retried: {error:?}");
}
