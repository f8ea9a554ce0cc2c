//! One tenant or host does not affect the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use redress::{Budget, EndReason, Record, RedressLayer, ResponseExt, dialects};
use redress_sandbox::strict_mock::BoxError;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

type Server = BoxCloneSyncService<Request<String>, Response<Full<Bytes>>, BoxError>;

/// Answers by the path: `/busy` with a 503 and a hint of 3,000 s, `/down` with a 500, `/shaky` with a 500 the first time.
fn server() -> Server {
    let is_shaken = Arc::new(AtomicBool::new(false));
    BoxCloneSyncService::new(service_fn(move |request: Request<String>| {
        let response = match request.uri().path() {
            "/busy" => Response::builder().status(503).header("retry-after", "3000"),
            "/down" => Response::builder().status(500),
            "/shaky" if !is_shaken.swap(true, Ordering::SeqCst) => Response::builder().status(500),
            _ => Response::builder(),
        };
        async move { Ok::<_, BoxError>(response.body(Full::default())?) }
    }))
}

fn request(url: &str, tenant: Option<&'static str>) -> Request<String> {
    let mut request = Request::get(url).body(String::new()).expect("legal parts");
    let tenant = tenant.map(|tenant| (HeaderName::from_static("x-tenant"), HeaderValue::from_static(tenant)));
    request.headers_mut().extend(tenant);
    request
}

fn generic() -> RedressLayer {
    RedressLayer::new(dialects::generic()).deadline(Duration::from_secs(30))
}

fn by_tenant(layer: RedressLayer) -> RedressLayer {
    layer.partition(|_, _, headers| headers.get("x-tenant")?.to_str().ok().map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn a_hint_for_one_tenant_does_not_delay_other_tenants() {
    let (url, layer) = ("https://api.example/", by_tenant(generic()));
    let stack = layer.layer(server());
    let start = Instant::now();
    let refused = stack.clone().oneshot(request("https://api.example/busy", Some("a"))).await.expect("a response");
    assert_eq!(refused.status(), 503);
    for (tenant, is_held) in [(Some("a"), true), (Some("b"), false), (None, false)] {
        let outcome = stack.clone().oneshot(request(url, tenant)).await;
        assert_eq!(outcome.is_err_and(|error| error.is_paced()), is_held, "{tenant:?}");
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    let cooldown_until = |tenant| layer.gate().cooldown_until(&request(url, tenant));
    assert_eq!(cooldown_until(Some("a")), Some(start + Duration::from_secs(3_000)));
    assert_eq!((cooldown_until(Some("b")), cooldown_until(None)), (None, None));
}

/// Lets calls of one fail until its retries are used up; returns how a call of the other one ends that succeeds at the
/// second attempt.
async fn after_an_outage(
    layer: RedressLayer,
    down: Request<String>,
    shaky: Request<String>,
) -> (u16, Option<EndReason>) {
    let stack = layer.layer(server());
    let mut last = None;
    for _ in 0..200 {
        let copy = redress::layers::try_clone_request(&down).expect("a text can be copied");
        last = stack.clone().oneshot(copy).await.expect("a response").record().map(Record::end_reason);
    }
    assert_eq!(last, Some(EndReason::Budget));
    let response = stack.oneshot(shaky).await.expect("a response");
    (response.status().as_u16(), response.record().map(Record::end_reason))
}

#[tokio::test(start_paused = true)]
async fn an_outage_uses_up_no_retries_of_another_upstream_or_tenant() {
    let (down, shaky) = ("https://down.example/down", "https://shaky.example/shaky");
    let served = (200, Some(EndReason::Success));
    assert_eq!(after_an_outage(generic(), request(down, None), request(shaky, None)).await, served);
    let (a, b) = (request("https://api.example/down", Some("a")), request("https://api.example/shaky", Some("b")));
    assert_eq!(after_an_outage(by_tenant(generic()), a, b).await, served);
    let shared = generic().backoff(|backoff| backoff.budget(Budget::new()));
    let given_up = (500, Some(EndReason::Budget));
    assert_eq!(after_an_outage(shared, request(down, None), request(shaky, None)).await, given_up, "one for all");
}
