//! One layer, several upstreams: what each of them has left for retries.

use std::num::NonZeroU32;

use http::{Request, Response};
use redress_backoff::{BackoffLayer, Budget, Budgets, Jitter};
use redress_classify::{Dialect, ResponseExt, Stop};
use redress_sandbox::strict_mock::{BoxError, StrictMock};
use tower::{Layer, ServiceExt};

/// Calls an upstream whose name is the status that it answers with at first, and 200 from then on if it `heals`.
async fn call(layer: &BackoffLayer, host: &str, heals: bool) -> (u16, Option<Stop>, usize) {
    let status: u16 = host.split_once('.').expect("a status and a name").0.parse().expect("a status");
    let mut answers = [status].into_iter().chain(std::iter::repeat(if heals { 200 } else { status }));
    let mock = StrictMock::new(move |_: &Request<String>| {
        let status = answers.next().expect("it never ends");
        async move { Ok::<_, BoxError>(Response::builder().status(status).body(String::new()).expect("a status")) }
    });
    let handle = mock.handle();
    let request = Request::get(format!("https://{host}/v1/things")).body(String::new()).expect("legal parts");
    let response = layer.layer(mock).oneshot(request).await.expect("a response");
    let stop = response.record().map(redress_classify::Record::stop);
    (response.status().as_u16(), stop, handle.calls())
}

fn layer(budgets: &Budgets) -> BackoffLayer {
    let dialect = Dialect::from_toml("silent.toml", "name = \"silent\"\n").expect("the file is right");
    let layer = BackoffLayer::new(dialect).jitter(Jitter::None).budget(budgets.clone());
    layer.attempts(NonZeroU32::new(5).expect("not zero"))
}

fn level(budgets: &Budgets, host: &str) -> u32 {
    budgets.of(&Request::get(format!("https://{host}/")).body(()).expect("a URL")).level()
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_one_upstream_leaves_the_retries_of_the_others_alone() {
    let budgets = Budgets::keyed(42, |uri, _, _| uri.host().unwrap_or_default().into());
    let layer = layer(&budgets);
    assert_eq!(call(&layer, "503.down", false).await, (503, Some(Stop::Budget), 4));
    assert_eq!(call(&layer, "503.down", false).await, (503, Some(Stop::Budget), 1));
    assert_eq!(call(&layer, "500.shaky", true).await, (200, Some(Stop::Success), 2));
    assert_eq!((level(&budgets, "503.down"), level(&budgets, "500.shaky")), (0, 42));
    for _ in 0..50 {
        assert_eq!(call(&layer, "200.fine", true).await, (200, None, 1));
    }
    assert_eq!(level(&budgets, "503.down"), 0, "successes elsewhere refill nothing here");
    assert_eq!(call(&layer, "200.fine", true).await.2 + call(&layer, "503.down", true).await.2, 2);
}

#[tokio::test(start_paused = true)]
async fn a_first_try_that_succeeds_refills_its_own_upstream() {
    let budgets = Budgets::keyed(42, |uri, _, _| uri.port_u16().unwrap_or_default().to_string().into());
    let layer = layer(&budgets);
    assert_eq!(call(&layer, "503.api:1", false).await.1, Some(Stop::Budget));
    for _ in 0..14 {
        assert_eq!(call(&layer, "200.api:1", true).await.2, 1);
        assert_eq!(call(&layer, "200.api:2", true).await.2, 1);
    }
    assert_eq!((level(&budgets, "x:1"), level(&budgets, "x:2")), (14, 42));
    assert_eq!(call(&layer, "503.api:1", true).await, (200, Some(Stop::Success), 2));
    assert_eq!(level(&budgets, "x:1"), 14, "the success gives back what its retry took");
}

#[tokio::test(start_paused = true)]
async fn one_budget_is_shared_by_all_upstreams() {
    let budget = Budget::with_capacity(14);
    let layer = layer(&Budgets::from(budget.clone()));
    assert_eq!(call(&layer, "503.one", false).await, (503, Some(Stop::Budget), 2));
    assert_eq!(call(&layer, "503.two", false).await, (503, Some(Stop::Budget), 1));
    assert_eq!(budget.level(), 0);
}
