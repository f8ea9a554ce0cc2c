//! What may be sent twice.

mod common;

use common::*;
use http::{Request, Response};
use redress_backoff::{BackoffLayer, Idempotent};
use redress_classify::{Stop, TransportError};

#[tokio::test(start_paused = true)]
async fn what_may_have_been_processed_is_sent_again_only_if_that_is_safe() {
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
