//! A connection that is not accepted.

use std::time::Duration;

use redress::{Budget, Class, EndReason, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::{both, hyper, layer, request, reqwest, send};

/// Reserves a port without listening on it.
fn bound() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_retried_whatever_the_method_and_bounded() {
    let (_socket, url) = bound();
    for method in ["POST", "PATCH", "GET"] {
        let budget = Budget::new();
        let layer = layer().backoff(|backoff| backoff.budget(budget.clone()));
        for result in both(&layer, &request(method, &url)).await {
            let error = result.expect_err("the port is closed");
            assert!(error.is_connect() && error.is_transport(), "{error:?}");
            assert_eq!((error.phase(), error.class()), (Phase::NotSent, Class::Unavailable));
            let record = error.record().expect("an error has one");
            assert_eq!((record.attempts().len(), record.end_reason()), (3, EndReason::MaxAttempts), "{method}");
        }
        assert_eq!(budget.level(), 500 - 4 * Budget::TRANSIENT_COST, "two retries of each call");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_costs_no_more_than_the_budget() {
    let (_socket, url) = bound();
    let layer = layer().backoff(|backoff| backoff.budget(Budget::with_capacity(Budget::TRANSIENT_COST)));
    let attempts = |error: redress::Error| error.record().map(|record| (record.attempts().len(), record.end_reason()));
    let first = send(&layer, hyper(), request("POST", &url)).await.expect_err("the port is closed");
    assert_eq!(attempts(first), Some((2, EndReason::Budget)));
    let second = send(&layer, reqwest(), request("POST", &url)).await.expect_err("the port is closed");
    assert_eq!(attempts(second), Some((1, EndReason::Budget)));
}

#[tokio::test(start_paused = true)]
async fn a_post_reaches_a_server_that_comes_up_between_its_attempts() {
    let (socket, url) = bound();
    // The first wait is drawn as long as it can be, so that the server is up before it ends.
    let layer = layer().backoff(|backoff| backoff.random(|| u32::MAX));
    let call = tokio::spawn(async move { send(&layer, hyper(), request("POST", &url)).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let listener = socket.listen(1).unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(b"HTTP/1.1 204 Done\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    };
    let result = tokio::select! {
        result = call => result.unwrap(),
        () = server => unreachable!("it never ends"),
    };
    assert_eq!(result.expect("the second attempt is answered"), 204);
}
