//! Proxies that refuse, and requests that must not meet one.

use std::sync::{Arc, Mutex};

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioExecutor;
use redress::transport::Hyper;
use redress::{EndReason, Phase, Recovery};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Reqwest, chain, layer, request, send};

/// A server that answers each connection's first request with these bytes, and keeps the request's first line.
async fn start(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 16 * 1024];
            let length = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            log.lock().unwrap().push(request.lines().next().unwrap_or_default().to_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (url, seen)
}

#[tokio::test]
async fn a_proxy_that_refuses_is_asked_once_and_named() {
    for answer in ["HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"] {
        let (proxy, seen) = start(answer).await;
        let tls = super::tls::config(&[], None);
        let tunnel = Tunnel::new(proxy.parse().unwrap(), HttpConnector::new());
        let connector = super::tls::connector(&tls, tunnel);
        let hyper = Hyper::new(Client::builder(TokioExecutor::new()).build(connector));
        let error = send(&layer(), &hyper, request("POST", "https://api.test")).await.expect_err("the proxy refuses");
        assert_eq!((error.phase(), error.recovery()), (Phase::NotSent, Recovery::Stop), "{}", chain(&error));
        assert_eq!(error.record().map(redress::Record::end_reason), Some(EndReason::NotRetryable), "{}", chain(&error));
        assert!(chain(&error).contains("the proxy refused to connect"), "{}", chain(&error));
        assert_eq!(*seen.lock().unwrap(), ["CONNECT api.test:443 HTTP/1.1"]);
    }
}

/// Runs in a process of its own, whose environment names a proxy: see the test below.
#[tokio::test]
#[ignore = "it is run by another test, with another environment"]
async fn behind_a_proxy() {
    let url = std::env::var("REDRESS_TEST_URL").expect("the other test sets it");
    let mut builder = Reqwest::client_builder();
    if std::env::var("REDRESS_TEST_PLAIN").is_ok() {
        builder = reqwest::Client::builder();
    }
    let recorder = redress_sandbox::Recorder::new();
    let transport = tracing::subscriber::with_default(recorder.clone(), || Reqwest::new(builder).unwrap());
    let status = send(&layer(), &transport, request("GET", &url)).await.expect("an answer");
    println!(
        "status {status}, warnings {}",
        recorder.lines().join("\n").matches("a proxy would receive plain-http").count()
    );
}

#[tokio::test]
async fn loopback_is_asked_past_the_proxies_of_the_environment_and_other_hosts_are_not() {
    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (server, direct) = start(OK).await;
    let port = server.rsplit(':').next().unwrap().to_owned();
    let (proxy, proxied) = start(OK).await;
    for (name, url, plain, expected) in [
        ("an address", server.clone(), false, (1, 0, 0)),
        ("a name", format!("http://localhost:{port}"), false, (1, 0, 0)),
        ("a name in capitals", format!("http://LocalHost:{port}"), false, (1, 0, 0)),
        ("another address", format!("http://127.0.0.2:{port}"), false, (0, 0, 0)),
        ("another host", "http://api.test".to_owned(), false, (0, 1, 0)),
        ("reqwest's own settings", server.clone(), true, (0, 1, 1)),
    ] {
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            direct.lock().unwrap().clear();
            proxied.lock().unwrap().clear();
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            command.args(["--ignored", "--exact", "proxies::behind_a_proxy", "--nocapture"]);
            for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD"]
            {
                command.env_remove(name);
            }
            command.env(variable, &proxy).env("REDRESS_TEST_URL", &url);
            if plain {
                command.env("REDRESS_TEST_PLAIN", "1");
            }
            let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            let output = String::from_utf8_lossy(&output.stdout).into_owned();
            let (direct, proxied) = (direct.lock().unwrap().len(), proxied.lock().unwrap().len());
            assert_eq!((direct, proxied), (expected.0, expected.1), "{name}, {variable}: {output}");
            if expected != (0, 0, 0) {
                assert!(
                    output.contains(&format!("status 200, warnings {}", expected.2)),
                    "{name}, {variable}: {output}"
                );
            }
        }
    }
}
