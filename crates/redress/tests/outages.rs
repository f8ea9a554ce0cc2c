//! A call in an outage, through the whole stack: it waits in Pace, and Backoff keeps its last response.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use redress::{Budget, EndReason, RedressLayer, ResponseExt, dialects};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

const BUSY: &str = r#"{"error":"busy"}"#;

/// A stack above a server that is in an outage of this length after the first second.
fn stack(
    outage: Duration,
    budget: &Budget,
) -> impl Service<
    Request<String>,
    Response = Response<impl http_body::Body<Data = Bytes, Error = io::Error> + use<>>,
    Error = redress::Error,
> + Clone {
    let begin = Instant::now() + Duration::from_secs(1);
    let server = service_fn(move |_: Request<String>| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let is_down = (begin..begin + outage).contains(&Instant::now());
        let (status, body) = if is_down { (503, BUSY) } else { (200, "[]") };
        let body = Full::from(body).map_err(|never| match never {});
        Ok::<_, io::Error>(Response::builder().status(status).body(body).expect("a legal status"))
    });
    let layer = RedressLayer::new(dialects::generic()).deadline(Duration::from_secs(30));
    layer.backoff(|backoff| backoff.budget(budget.clone())).layer(server)
}

fn request() -> Request<String> {
    Request::get("https://api.example/v1/things").body(String::new()).expect("legal parts")
}

#[tokio::test(start_paused = true)]
async fn a_call_outlasts_an_outage_that_ends_before_its_deadline() {
    let budget = Budget::new();
    let service = stack(Duration::from_secs(10), &budget);
    let start = Instant::now();
    assert_eq!(service.clone().oneshot(request()).await.expect("a response").status(), 200);
    tokio::time::sleep_until(start + Duration::from_secs(2)).await;
    let response = service.oneshot(request()).await.expect("a response");
    assert_eq!(response.status(), 200, "{:?}", response.record());
    let record = response.record().expect("there were several attempts");
    assert_eq!(record.end_reason(), EndReason::Success);
    assert!(record.attempts().iter().filter(|attempt| attempt.is_probe).count() > 1, "{record}");
    assert!(start.elapsed() < Duration::from_secs(14), "it ends soon after the outage: {:?}", start.elapsed());
    assert!(budget.level() >= 500 - 2 * Budget::TRANSIENT_COST, "probes are free: {}", budget.level());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_outlast_an_outage_returns_its_last_response() {
    let budget = Budget::new();
    let service = stack(Duration::from_secs(3_600), &budget);
    let start = Instant::now();
    assert_eq!(service.clone().oneshot(request()).await.expect("a response").status(), 200);
    tokio::time::sleep_until(start + Duration::from_secs(2)).await;
    let response = service.oneshot(request()).await.expect("the response in hand");
    assert_eq!(response.status(), 503);
    let record = response.record().expect("there were several attempts").clone();
    assert!(matches!(record.end_reason(), EndReason::Outage | EndReason::Deadline), "{record}");
    assert!(start.elapsed() <= Duration::from_secs(32), "{:?}", start.elapsed());
    let body = response.into_body().collect().await.expect("it is in memory").to_bytes();
    assert_eq!(body, BUSY);
}
