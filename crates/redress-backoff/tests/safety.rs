//! Requests that may be sent twice.

mod common;

use common::*;
use http::{Request, Response};
use redress_backoff::Idempotent;
use redress_classify::{EndReason, TransportError};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_maybe_processed_request_is_resent_only_if_idempotent() {
    let mut keyed = request("POST");
    keyed.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("k"));
    let mut said = request("PATCH");
    said.extensions_mut().insert(Idempotent(true));
    let broken = || Answer::error(TransportError::body("reset"));
    let refused = || Answer::error(TransportError::connect("refused"));
    let hinted = || with(503, &[("retry-after", "1")]);
    type Make = Box<dyn Fn() -> Answer<Response<String>>>;
    let table: Vec<(&str, Request<String>, Make, usize)> = vec![
        ("GET 500", request("GET"), Box::new(|| answer(500)), 2),
        ("POST 500", request("POST"), Box::new(|| answer(500)), 1),
        ("POST 503", request("POST"), Box::new(|| answer(503)), 1),
        ("POST 503 with a hint", request("POST"), Box::new(hinted), 2),
        ("POST 429", request("POST"), Box::new(|| answer(429)), 2),
        ("POST cut off", request("POST"), Box::new(broken), 1),
        ("POST not sent", request("POST"), Box::new(refused), 2),
        ("PUT cut off", request("PUT"), Box::new(broken), 2),
        ("DELETE 502", request("DELETE"), Box::new(|| answer(502)), 2),
        ("POST with a key", keyed, Box::new(|| answer(500)), 2),
        ("PATCH by the caller's word", said, Box::new(|| answer(500)), 2),
        ("GET 404", request("GET"), Box::new(|| answer(404)), 1),
        ("GET 401", request("GET"), Box::new(|| answer(401)), 1),
        ("GET 402", request("GET"), Box::new(|| answer(402)), 1),
    ];
    for (name, request, failure, sends) in table {
        let (_, times) = run(&layer(), request, vec![failure(), answer(200)].into_iter().take(sends).collect()).await;
        assert_eq!(times.len(), sends, "{name}");
    }
}

/// The table of statuses in the crate's documentation: whether a request is retried that is idempotent, that is not, and that
/// is not but has a `Retry-After`.
fn documented(status: u16) -> (bool, bool, bool) {
    match status {
        421 | 425 | 429 => (true, true, true),
        413 => (false, false, true),
        503 => (true, false, true),
        408 | 420 | 500..=999 => (true, false, false),
        _ => (false, false, false),
    }
}

#[tokio::test(start_paused = true)]
async fn every_status_is_retried_as_documented() {
    let hint = [("retry-after", "1")];
    for status in 100..=999 {
        let (idempotent, not, hinted) = documented(status);
        for (method, headers, again) in [
            ("GET", &[][..], idempotent),
            ("POST", &[][..], not),
            ("POST", &hint[..], hinted),
            ("GET", &hint[..], idempotent || hinted || status == 423),
        ] {
            let (mock, handle) = mock([with(status, headers), answer(200)]);
            let response = layer().layer(mock).oneshot(request(method)).await.expect("a response");
            assert_eq!(handle.calls(), if again { 2 } else { 1 }, "{status} {method} {headers:?}");
            assert_eq!(response.status().as_u16() == 200, again || status == 200, "{status} {method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_413_is_retried_with_a_hint_and_final_without_one() {
    let stopped = "[retry]\nflags = [{ header = \"x-should-retry\" }]\n";
    let vendor = "[status.413]\nrecovery = \"fix_request\"\n";
    let of = |toml: &str| redress_backoff::BackoffLayer::new(dialect(toml));
    for (name, layer, headers, sends) in [
        ("without a hint", layer(), &[][..], 1),
        ("with one", layer(), &[("retry-after", "3")], 2),
        ("with one and a flag that says no", of(stopped), &[("retry-after", "3"), ("x-should-retry", "false")], 1),
        ("where the vendor says more", of(vendor), &[("retry-after", "3")], 1),
    ] {
        for method in ["GET", "POST", "PATCH"] {
            let answers = [with(413, headers), answer(200)].into_iter().take(sends).collect();
            let (_, times) = run(&layer, request(method), answers).await;
            assert_eq!(times.len(), sends, "{name}: {method}");
            assert!(times.last().is_some_and(|last| sends == 1 || *last >= 3_000), "{name}: never before the hint");
        }
    }
}

/// The fate of one request below: whether it takes effect, and whether the failure says that it was not processed.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Refused,
    RefusedStream,
    ResetAfterTheEffect,
    CutInTheResponse,
    TimedOut,
    BadGateway,
}

#[tokio::test(start_paused = true)]
async fn no_effect_is_doubled_by_a_fault_on_the_way() {
    use Fault::{BadGateway, CutInTheResponse, Refused, RefusedStream, ResetAfterTheEffect, TimedOut};
    for fault in [Refused, RefusedStream, ResetAfterTheEffect, CutInTheResponse, TimedOut, BadGateway] {
        for method in ["POST", "PATCH"] {
            let effects = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
            let counted = effects.clone();
            let mock = StrictMock::new(move |_: &Request<String>| {
                let has_effect = !matches!(fault, Refused | RefusedStream);
                counted.fetch_add(u32::from(has_effect), std::sync::atomic::Ordering::SeqCst);
                let answer = match fault {
                    Refused => Err(TransportError::connect("refused")),
                    RefusedStream => Err(TransportError::refused_stream("refused")),
                    ResetAfterTheEffect => Err(TransportError::other("reset")),
                    CutInTheResponse => Err(TransportError::body("cut")),
                    TimedOut => Err(TransportError::timeout("late")),
                    BadGateway => Ok(Response::builder().status(502).body(String::new()).expect("a status")),
                };
                async move { answer.map_err(Into::into) }
            });
            let handle = mock.handle();
            let outcome = layer().layer(mock).oneshot(request(method)).await;
            let effects = effects.load(std::sync::atomic::Ordering::SeqCst);
            assert!(effects <= 1, "{method} {fault:?}: {effects} effects");
            let expected = if effects == 0 { (3, EndReason::MaxAttempts) } else { (1, EndReason::NotIdempotent) };
            assert_eq!((handle.calls(), stop(&outcome).expect("a record")), expected, "{method} {fault:?}");
        }
    }
}
