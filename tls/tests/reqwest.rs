//! What the tests of `redress` show for hyper-util over TLS, for reqwest.
#![allow(dead_code, reason = "the helpers serve other tests too")]

#[path = "../../crates/redress/tests/transport_faults/stack.rs"]
mod stack;
#[path = "../../crates/redress/tests/transport_faults/tls.rs"]
mod tls;

use std::time::Duration;

use redress::transport::Reqwest;
use redress::{EndReason, Error, Phase, Recovery};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use self::stack::{chain, layer, request, send};

fn reqwest(builder: reqwest::ClientBuilder, client: &rustls::ClientConfig) -> Reqwest {
    Reqwest::new(builder.tls_backend_preconfigured(client.clone())).unwrap()
}

async fn over_tls(url: &str, client: &rustls::ClientConfig) -> Vec<Result<u16, Error>> {
    vec![send(&layer(), &reqwest(Reqwest::client_builder(), client), request("GET", url)).await]
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_connect_timeout_and_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let builder = Reqwest::client_builder().connect_timeout(Duration::from_millis(100));
    let transport = reqwest(builder, &tls::config(&[], None));
    let error = send(&layer(), &transport, request("POST", &url)).await.expect_err("a hung handshake");
    assert!(error.is_timeout() && error.is_connect() && error.phase() == Phase::NotSent, "{error:?}");
    assert_eq!(error.record().map(|record| record.attempts().len()), Some(3), "a POST, retried: {}", chain(&error));
}

#[tokio::test]
async fn a_proxy_that_refuses_is_asked_once_and_named() {
    for answer in ["HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            listener
        });
        let builder = Reqwest::client_builder().no_proxy().proxy(reqwest::Proxy::all(&proxy).unwrap());
        let transport = reqwest(builder, &tls::config(&[], None));
        let error = send(&layer(), &transport, request("POST", "https://api.test")).await.expect_err("it refuses");
        assert_eq!((error.phase(), error.recovery()), (Phase::NotSent, Recovery::Stop), "{}", chain(&error));
        assert_eq!(error.record().map(redress::Record::end_reason), Some(EndReason::NotRetryable), "{}", chain(&error));
        assert!(chain(&error).contains("the proxy refused to connect"), "{}", chain(&error));
        drop(asked.await.unwrap());
    }
}
