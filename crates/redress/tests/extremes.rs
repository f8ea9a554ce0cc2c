//! Settings and servers at their extremes: outages of every kind, and the longest times there are.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use redress::classify::Schedule;
use redress::{BoxError, Budget, Credentials, Failure, Grant, Jitter, RedressLayer, ResponseExt, dialects};
use tower::{Layer, ServiceExt, service_fn};

const URL: &str = "https://api.example/v1/things";

/// What an upstream got, and what it answered.
#[derive(Debug, Default)]
struct Upstream {
    sends: AtomicUsize,
    successes: AtomicUsize,
}

/// Sends so many requests, one after the other, to an upstream whose nth answer is this.
async fn outage(layer: &RedressLayer, requests: usize, fails: fn(usize) -> bool) -> Arc<Upstream> {
    let upstream = Arc::new(Upstream::default());
    for _ in 0..requests {
        let counted = Arc::clone(&upstream);
        let transport = service_fn(move |_: Request<String>| {
            let fails = fails(counted.sends.fetch_add(1, Ordering::Relaxed));
            counted.successes.fetch_add(usize::from(!fails), Ordering::Relaxed);
            let response = Response::builder().status(if fails { 503 } else { 200 }).body(String::new());
            std::future::ready(response.map_err(BoxError::from))
        });
        let request = Request::get(URL).body(String::new()).expect("legal parts");
        layer.layer(transport).oneshot(request).await.expect("a response");
    }
    upstream
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_not_multiplied_by_retries() {
    const REQUESTS: usize = 5_000;
    for (name, fails) in [
        ("everything", (|_| true) as fn(usize) -> bool),
        ("nothing", |_| false),
        ("every other one", |nth| nth % 2 == 0),
        ("one of ten", |nth| nth % 10 == 0),
        ("nine of ten", |nth| nth % 10 > 0),
        ("long outages", |nth| nth / 700 % 2 == 0),
        ("short outages", |nth| nth / 3 % 2 == 0),
    ] {
        let budget = Budget::new();
        let layer = RedressLayer::new(dialects::generic()).backoff(|backoff| backoff.budget(budget.clone()));
        let upstream = outage(&layer, REQUESTS, fails).await;
        let (sends, successes) = (upstream.sends.load(Ordering::Relaxed), upstream.successes.load(Ordering::Relaxed));
        // A retry that fails takes 14; a success at the first try gives 1, and one after a retry what that retry took.
        let reserve = (500 + REQUESTS) / 14;
        let failures = sends - successes;
        println!("{name}: {REQUESTS} requests, {sends} sends, {failures} failures, {reserve} in reserve");
        assert!(sends >= REQUESTS && failures <= REQUESTS + reserve, "{name}: {sends} sends, {failures} failures");
        if successes == 0 {
            assert!(sends <= REQUESTS + 500 / 14, "{name}: {sends} sends");
        }
        if failures == 0 {
            assert_eq!((sends, budget.level()), (REQUESTS, 500), "{name}");
        }
    }
}

/// Tokens that last so long.
struct Lasting(Duration);

impl Credentials for Lasting {
    async fn login(&self) -> Result<Grant, Failure> {
        Ok(Grant::bearer("token")?.refresh_token("r").expires_in(self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn no_time_is_too_long_or_too_short() {
    let times =
        [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1), Duration::from_secs(u64::MAX), Duration::MAX];
    let hints = ["0", "1", "18446744073709551615", "99999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"];
    let jitters = [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None];
    let mut calls = 0;
    for time in times {
        for (hint, jitter) in hints.into_iter().zip(jitters.into_iter().cycle()) {
            for factor in [NonZeroU32::MIN, NonZeroU32::MAX] {
                let schedule = Schedule { base: time, factor, cap: time.min(Duration::from_secs(3600)) };
                let layer = RedressLayer::new(dialects::generic())
                    .credentials(Lasting(time), "https://api.example".parse().expect("a legal origin"))
                    .deadline(time)
                    .attempt_timeout(time)
                    .backoff(|backoff| {
                        let backoff =
                            backoff.transient(schedule).throttled(schedule).throttle_wait(time).jitter(jitter);
                        backoff.max_retry_after(time).attempts(NonZeroU32::MIN.saturating_add(3)).random(|| u32::MAX)
                    });
                for status in [200, 429, 503] {
                    let transport = service_fn(move |_: Request<String>| async move {
                        tokio::task::yield_now().await;
                        let response = Response::builder().status(status).header("retry-after", hint);
                        response.body(String::new()).map_err(BoxError::from)
                    });
                    let request = Request::get(URL).body(String::new()).expect("legal parts");
                    let call = layer.layer(transport).oneshot(request);
                    // A wait of a century is honoured where it is asked for; nobody waits for it here.
                    let result = tokio::time::timeout(Duration::from_secs(400 * 86_400), call).await;
                    if let Ok(Ok(response)) = result {
                        assert_eq!((response.status().as_u16(), response.verdict().is_some()), (status, status != 200));
                    }
                    calls += 1;
                }
            }
        }
    }
    assert_eq!(calls, 150);
}
