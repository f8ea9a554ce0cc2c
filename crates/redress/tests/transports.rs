//! How far a request got, over both adapters and real loopback connections.

use std::time::Duration;

use http::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::transport::{Hyper, Reqwest};
use redress::{BoxError, Class, EndReason, Error, Phase, RedressLayer, ResponseExt, dialects};
use redress_sandbox::{Fault, Sandbox, Vendor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};

type HyperTransport = Hyper<hyper_util::client::legacy::connect::HttpConnector, String>;

fn hyper() -> HyperTransport {
    Hyper::new(Client::builder(TokioExecutor::new()).build_http())
}

fn reqwest() -> Reqwest {
    Reqwest::new(reqwest::Client::builder()).expect("a client")
}

/// Sends a POST through a stack over the transport and returns how it ended, without the body.
async fn post<S, R>(transport: S, layer: &RedressLayer, url: &str) -> Result<Response<()>, Error>
where
    S: Service<Request<String>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let request = Request::post(format!("{url}/v1/applicants/a1/verify?token=secret"))
        .body("{}".to_owned())
        .expect("legal parts");
    layer.layer(transport).oneshot(request).await.map(|response| response.map(drop))
}

async fn both(layer: &RedressLayer, url: &str) -> [Result<Response<()>, Error>; 2] {
    [post(hyper(), layer, url).await, post(reqwest(), layer, url).await]
}

fn layer() -> RedressLayer {
    let quick = redress::Schedule {
        base: Duration::from_millis(1),
        factor: std::num::NonZeroU32::MIN,
        cap: Duration::from_millis(1),
    };
    RedressLayer::new(dialects::ranex()).backoff(|backoff| backoff.transient_backoff(quick))
}

/// A server that reads a request, writes these bytes and closes the connection.
async fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    url
}

#[tokio::test]
async fn a_refused_connection_was_not_sent_and_is_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    for result in both(&layer(), &url).await {
        let error = result.expect_err("the port is closed");
        assert!(error.is_connect(), "{error:?}");
        assert_eq!((error.phase(), error.class()), (Phase::NotSent, Class::Unavailable));
        let record = error.record().expect("an error has one");
        assert_eq!((record.attempts().len(), record.end_reason()), (3, EndReason::MaxAttempts));
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_may_have_been_processed() {
    for answer in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\ncontent-le"] {
        for result in both(&layer(), &server(answer).await).await {
            let error = result.expect_err("no response came");
            assert_eq!(error.phase(), Phase::MaybeProcessed, "{error:?}");
            assert_eq!(error.record().map(redress::Record::end_reason), Some(EndReason::NotIdempotent));
        }
    }
}

#[tokio::test]
async fn an_attempt_that_hangs_is_cut_and_may_have_been_processed() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.expect("a free port");
    sandbox.script("*", [Fault::answer().delay(Duration::from_secs(30)).times(2)]);
    let layer = layer().attempt_timeout(Duration::from_millis(30));
    for result in both(&layer, &sandbox.url()).await {
        let error = result.expect_err("no response came in time");
        assert!(error.is_timeout() && !error.is_deadline(), "{error:?}");
        assert_eq!(error.phase(), Phase::MaybeProcessed);
    }
}

#[tokio::test]
async fn reqwests_own_timeout_is_a_timeout() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.expect("a free port");
    sandbox.script("*", [Fault::answer().delay(Duration::from_secs(30))]);
    let slow = Reqwest::new(reqwest::Client::builder().timeout(Duration::from_millis(30))).expect("a client");
    let error = post(slow, &layer(), &sandbox.url()).await.expect_err("no response came in time");
    assert!(error.is_timeout(), "{error:?}");
}

#[tokio::test]
async fn an_error_whose_body_is_cut_is_judged_by_its_head() {
    let cut = b"HTTP/1.1 422 Unprocessable\r\nx-request-id: r1\r\ncontent-length: 500\r\n\r\n{\"message\":\"no\"";
    for result in both(&layer(), &server(cut).await).await {
        let response = result.expect("a response is in hand");
        let error = response.ok_or_api_error().expect_err("a 422");
        assert_eq!((error.status(), error.class()), (422, Class::Rejected));
        assert_eq!((error.message(), error.body()), (Some("no"), "{\"message\":\"no\""));
    }
}

#[tokio::test]
async fn the_body_comes_up_over_both_adapters() {
    let sandbox = Sandbox::start(Vendor::Ranex).await.expect("a free port");
    let request = || {
        let request = Request::post(format!("{}/v1/applicants", sandbox.url()));
        let request = request.header("x-api-key", "sandbox-key").header("x-api-secret", "sandbox-secret");
        request
            .header("content-type", "application/json")
            .body(r#"{"externalUserId":"u1"}"#.to_owned())
            .expect("legal parts")
    };
    let body = layer().layer(hyper()).oneshot(request()).await.expect("a response").into_body();
    let first = http_body_util::BodyExt::collect(body).await.expect("a body").to_bytes();
    let body = layer().layer(reqwest()).oneshot(request()).await.expect("a response").into_body();
    let second = http_body_util::BodyExt::collect(body).await.expect("a body").to_bytes();
    assert!(!first.is_empty() && first == second, "{first:?} {second:?}");
}

#[tokio::test]
async fn a_connection_closed_before_the_request_was_written_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A reset: the client learns of it before it writes, or while it does.
            let _ = stream.set_zero_linger();
        }
    });
    let error = post(hyper(), &layer(), &url).await.expect_err("no response comes");
    let sent = error.record().expect("an error has one").attempts().len();
    assert_eq!(sent == 3, error.phase() == Phase::NotSent, "retried exactly if it was not sent: {error:?}");
}

#[tokio::test]
async fn a_uri_without_a_server_is_not_tried_again() {
    for result in both(&layer(), "").await {
        let error = result.expect_err("there is nowhere to send it");
        assert_eq!((error.phase(), error.recovery()), (Phase::NotSent, redress::Recovery::FixRequest), "{error:?}");
        assert_eq!(error.record().map(|record| record.attempts().len()), Some(1));
    }
}

#[tokio::test]
async fn a_failure_behind_a_redirect_is_no_proof_that_nothing_was_sent() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let location = format!("http://{}/next", gone.local_addr().expect("it is bound"));
    drop(gone);
    let sandbox = Sandbox::start(Vendor::Ranex).await.expect("a free port");
    sandbox.script("*", [Fault::answer().status(302).header("location", &location).body("").times(3)]);
    let following = Reqwest::following_redirects(reqwest::Client::new());
    let error = post(following, &layer(), &sandbox.url()).await.expect_err("the redirect leads nowhere");
    assert_eq!((error.phase(), sandbox.log().len()), (Phase::MaybeProcessed, 1), "{error:?}");
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let elsewhere = Sandbox::start(Vendor::Ranex).await.expect("a free port");
    let sandbox = Sandbox::start(Vendor::Ranex).await.expect("a free port");
    sandbox.script("*", [Fault::answer().status(302).header("location", &elsewhere.url()).body("").times(2)]);
    let keys = redress::StaticHeaders::new().header("x-api-key", "sandbox-key").expect("a legal key");
    let layer = layer().credentials(keys, sandbox.url().parse().expect("a legal origin"));
    for result in both(&layer, &sandbox.url()).await {
        assert_eq!(result.expect("a response").status(), 302);
    }
    assert_eq!((sandbox.log().len(), elsewhere.log().len()), (2, 0), "nobody followed it");
}
