//! The budgets of several upstreams below one layer.

use std::num::NonZeroU32;

use http::{Request, Response};
use redress_backoff::{BackoffLayer, Budget, Budgets, Jitter};
use redress_classify::{Dialect, EndReason, ResponseExt};
use redress_sandbox::strict_mock::{BoxError, StrictMock};
use tower::{Layer, ServiceExt};

/// Calls an upstream whose host name is its first status. If it `heals`, it answers 200 from then on.
async fn call(layer: &BackoffLayer, host: &str, heals: bool) -> (u16, Option<EndReason>, usize) {
    let status: u16 = host.split_once('.').expect("a status and a name").0.parse().expect("a status");
    let mut answers = [status].into_iter().chain(std::iter::repeat(if heals { 200 } else { status }));
    let mock = StrictMock::new(move |_: &Request<String>| {
        let status = answers.next().expect("it never ends");
        async move { Ok::<_, BoxError>(Response::builder().status(status).body(String::new()).expect("a status")) }
    });
    let handle = mock.handle();
    let request = Request::get(format!("https://{host}/v1/things")).body(String::new()).expect("legal parts");
    let response = layer.layer(mock).oneshot(request).await.expect("a response");
    let stop = response.record().map(redress_classify::Record::end_reason);
    (response.status().as_u16(), stop, handle.calls())
}

fn layer(budgets: &Budgets) -> BackoffLayer {
    let dialect = Dialect::from_toml("silent.toml", "name = \"silent\"\n").expect("the file is right");
    let layer = BackoffLayer::new(dialect).jitter(Jitter::None).budget(budgets.clone());
    layer.max_attempts(NonZeroU32::new(5).expect("not zero"))
}

fn level(budgets: &Budgets, host: &str) -> u32 {
    budgets.for_request(&Request::get(format!("https://{host}/")).body(()).expect("a URL")).level()
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_one_upstream_uses_up_no_retries_of_others() {
    let budgets = Budgets::keyed(42, |uri, _, _| uri.host().unwrap_or_default().into());
    let layer = layer(&budgets);
    assert_eq!(call(&layer, "503.down", false).await, (503, Some(EndReason::Budget), 4));
    assert_eq!(call(&layer, "503.down", false).await, (503, Some(EndReason::Budget), 1));
    assert_eq!(call(&layer, "500.shaky", true).await, (200, Some(EndReason::Success), 2));
    assert_eq!((level(&budgets, "503.down"), level(&budgets, "500.shaky")), (0, 42));
    for _ in 0..50 {
        assert_eq!(call(&layer, "200.fine", true).await, (200, None, 1));
    }
    assert_eq!(level(&budgets, "503.down"), 0, "successes elsewhere refill nothing here");
    assert_eq!(call(&layer, "200.fine", true).await.2 + call(&layer, "503.down", true).await.2, 2);
}

#[tokio::test(start_paused = true)]
async fn a_first_success_refills_the_budget_of_its_upstream() {
    let budgets = Budgets::keyed(42, |uri, _, _| uri.port_u16().unwrap_or_default().to_string().into());
    let layer = layer(&budgets);
    assert_eq!(call(&layer, "503.api:1", false).await.1, Some(EndReason::Budget));
    for _ in 0..14 {
        assert_eq!(call(&layer, "200.api:1", true).await.2, 1);
        assert_eq!(call(&layer, "200.api:2", true).await.2, 1);
    }
    assert_eq!((level(&budgets, "x:1"), level(&budgets, "x:2")), (14, 42));
    assert_eq!(call(&layer, "503.api:1", true).await, (200, Some(EndReason::Success), 2));
    assert_eq!(level(&budgets, "x:1"), 14, "the success gives back what its retry took");
}

#[tokio::test(start_paused = true)]
async fn one_budget_is_shared_by_all_upstreams() {
    let budget = Budget::with_capacity(14);
    let layer = layer(&Budgets::from(budget.clone()));
    assert_eq!(call(&layer, "503.one", false).await, (503, Some(EndReason::Budget), 2));
    assert_eq!(call(&layer, "503.two", false).await, (503, Some(EndReason::Budget), 1));
    assert_eq!(budget.level(), 0);
}

fn silent() -> Dialect {
    Dialect::from_toml("silent.toml", "name = \"silent\"\n").expect("the file is right")
}

#[tokio::test(start_paused = true)]
async fn by_default_each_upstream_has_a_budget_of_its_own() {
    let layer = BackoffLayer::new(silent()).jitter(Jitter::None);
    let mut last = (0, None, 0);
    for _ in 0..200 {
        last = call(&layer, "503.down", false).await;
    }
    assert_eq!(last, (503, Some(EndReason::Budget), 1));
    assert_eq!(call(&layer, "503.transient", true).await, (200, Some(EndReason::Success), 2));
    assert_eq!(
        call(&layer, "503.down", false).await,
        (503, Some(EndReason::Budget), 1),
        "successes elsewhere give it nothing"
    );
}

/// Calls the same host for this tenant. Returns the number of requests that were sent.
async fn call_of(layer: &BackoffLayer, tenant: Option<&str>, status: u16) -> usize {
    let mock = StrictMock::new(move |_: &Request<String>| async move {
        Ok::<_, BoxError>(Response::builder().status(status).body(String::new()).expect("a status"))
    });
    let handle = mock.handle();
    let request = Request::get("https://api.example/").body(String::new()).expect("legal parts");
    let (mut head, body) = request.into_parts();
    head.headers
        .extend(tenant.map(|tenant| (http::HeaderName::from_static("x-tenant"), tenant.parse().expect("a value"))));
    layer.layer(mock).oneshot(Request::from_parts(head, body)).await.expect("a response");
    handle.calls()
}

#[tokio::test(start_paused = true)]
async fn a_partition_gives_each_tenant_a_budget_and_others_that_of_their_upstream() {
    let tenant = |_: &http::Method, _: &http::Uri, headers: &http::HeaderMap| {
        headers.get("x-tenant")?.to_str().ok().map(str::to_owned)
    };
    let layer = BackoffLayer::new(silent()).jitter(Jitter::None).partition(tenant);
    while call_of(&layer, Some("a"), 503).await > 1 {}
    assert_eq!(call_of(&layer, Some("b"), 503).await, 3);
    assert_eq!(call_of(&layer, None, 503).await, 3);
    assert_eq!(call_of(&layer, Some("api.example"), 503).await, 3, "a key is not the host of the same name");
    while call_of(&layer, None, 503).await > 1 {}
    assert_eq!((call_of(&layer, Some("b"), 503).await, call_of(&layer, Some("a"), 503).await), (3, 1));
    let one = BackoffLayer::new(silent()).jitter(Jitter::None).partition(tenant).budget(Budget::with_capacity(14));
    assert_eq!((call_of(&one, Some("a"), 503).await, call_of(&one, Some("b"), 503).await), (2, 1), "one for all");
}

#[tokio::test(start_paused = true)]
async fn a_success_makes_no_key_while_all_budgets_are_full() {
    let keys = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = keys.clone();
    let layer = BackoffLayer::new(silent()).jitter(Jitter::None).partition(move |_, _, _| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Some("tenant".to_owned())
    });
    let made = || keys.swap(0, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(call_of(&layer, Some("a"), 200).await, 1);
    }
    assert_eq!(made(), 0);
    assert_eq!((call_of(&layer, Some("a"), 503).await, made()), (3, 1), "once for all attempts of a call");
    for success in 1..=28 {
        assert_eq!(call_of(&layer, Some("a"), 200).await, 1);
        assert_eq!(made(), 1, "success {success}: there is something to give back");
    }
    assert_eq!((call_of(&layer, Some("a"), 200).await, made()), (1, 0), "all is given back");
}
