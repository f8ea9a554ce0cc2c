//! Responses that break off or lie about their length, byte for byte over loopback connections and both adapters.

use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::transport::{Hyper, Reqwest};
use redress::{BoxError, Class, ClassifyLayer, Error, Phase, Recovery, ResponseExt, Verdict, When, dialects};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};

/// Answers one connection after the other: reads a request, writes these bytes and closes.
async fn server(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            // The rest of the request is read, so that closing does not reset the written answer.
            while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
        }
    });
    url
}

/// Sends a request through Classify over a transport; returns the verdict and whether the body then ends in an error.
async fn judged<S, R>(transport: S, url: &str) -> Result<(Option<Verdict>, bool), Error>
where
    S: Service<Request<Full<Bytes>>, Response = http::Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body_util::BodyExt + Unpin,
    R::Error: Into<BoxError>,
{
    let request = Request::post(format!("{url}/v1/things")).body(Full::default()).expect("legal parts");
    let response = ClassifyLayer::new(dialects::veridia()).layer(transport).oneshot(request).await?;
    let verdict = response.verdict().cloned();
    Ok((verdict, response.into_body().collect().await.is_err()))
}

async fn both(answer: &str) -> [Result<(Option<Verdict>, bool), Error>; 2] {
    let url = server(answer.to_owned()).await;
    let hyper = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let reqwest = Reqwest::new(reqwest::Client::builder()).expect("a client");
    [judged(hyper, &url).await, judged(reqwest, &url).await]
}

#[tokio::test]
async fn of_an_error_whose_body_breaks_off_status_and_hint_decide() {
    let text = r#"{"error":"rate_limited","message":"slow down"#;
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    for (name, headers, body, message) in [
        ("no byte of the body", "content-length: 500", "", None),
        ("one byte of the body", "content-length: 500", "{", None),
        ("a part of the body", "content-length: 500", text, None),
        ("all of the text but one byte", "content-length: 47", &format!("{text}\"}}"), Some("slow down")),
        ("no chunk", "transfer-encoding: chunked", "", None),
        ("cut in the size of a chunk", "transfer-encoding: chunked", &format!("{chunk}1"), None),
        ("cut in a chunk", "transfer-encoding: chunked", &format!("ff\r\n{text}"), None),
        ("cut behind a chunk", "transfer-encoding: chunked", &chunk, None),
        ("cut before the end of the last chunk", "transfer-encoding: chunked", &format!("{chunk}0\r\n"), None),
        ("a chunk of a wrong size", "transfer-encoding: chunked", &format!("zz\r\n{text}\r\n0\r\n\r\n"), None),
    ] {
        let answer =
            format!("HTTP/1.1 503 Unavailable\r\nretry-after: 7\r\nx-request-id: r1\r\n{headers}\r\n\r\n{body}");
        for result in both(&answer).await {
            let (verdict, breaks_off) = result.expect("a response came");
            let verdict = verdict.expect("a 503");
            assert!(breaks_off, "{name}: the error of the body comes up, too");
            assert_eq!((verdict.class(), verdict.recovery()), (Class::Unavailable, Recovery::Retry), "{name}");
            let when = verdict.hint().map(|hint| hint.when());
            assert_eq!(when, Some(When::After(Duration::from_secs(7))), "{name}: the hint of the head");
            let error = verdict.api_error().expect("a server answered");
            assert_eq!((error.message(), error.request_id()), (message, Some("r1")), "{name}");
            assert!(error.report().ends_with("(cut)"), "{name}: {}", error.report());
        }
    }
}

#[test]
fn a_length_that_is_a_lie_is_never_believed() {
    let body = r#"{"error":"internal","message":"m"}"#;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (name, headers) in [
        ("the largest number", "content-length: 18446744073709551615"),
        ("almost the largest number", "content-length: 18446744073709551613"),
        ("more than any number", "content-length: 18446744073709551616"),
        ("a tebibyte", "content-length: 1099511627776"),
        ("negative", "content-length: -1"),
        ("signed", "content-length: +34"),
        ("no number", "content-length: many"),
        ("nothing", "content-length:"),
        ("two that differ", "content-length: 34\r\ncontent-length: 5"),
        ("two that agree", "content-length: 34\r\ncontent-length: 34"),
        ("a list", "content-length: 34, 34"),
        ("beside chunks", "content-length: 5\r\ntransfer-encoding: chunked"),
        ("less than there is", "content-length: 3"),
    ] {
        let answer = format!("HTTP/1.1 500 Oops\r\nretry-after: 7\r\n{headers}\r\n\r\n{body}");
        let mut results = None;
        let cost = measure(|| results = Some(runtime.block_on(both(&answer))));
        // Two clients, a server and their buffers: a length that was believed would take far more.
        assert!(cost.bytes_max < 2 * 1024 * 1024, "{name}: {} bytes", cost.bytes_max);
        for result in results.expect("it was run a line above") {
            match result {
                Ok((verdict, _)) => {
                    let verdict = verdict.expect("a 500");
                    assert_eq!((verdict.class(), verdict.hint().is_some()), (Class::Internal, true), "{name}");
                }
                // Bytes that are not HTTP are not a response: the request may have been processed.
                Err(error) => {
                    assert_eq!((error.phase(), error.is_transport()), (Phase::MaybeProcessed, true), "{name}");
                }
            }
        }
    }
}
