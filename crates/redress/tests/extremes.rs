//! Settings and servers at their extremes: outages of every kind, and the longest times there are.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

use http::{Request, Response};
use redress::{
    BoxError, Budget, Credentials, Failure, Jitter, RedressLayer, ResponseExt, Schedule, TokenSet, dialects,
};
use tower::{Layer, ServiceExt, service_fn};

const URL: &str = "https://api.example/v1/things";

/// The requests to an upstream, and its answers.
#[derive(Debug, Default)]
struct Upstream {
    sends: AtomicUsize,
    successes: AtomicUsize,
}

/// Sends this number of requests, one after the other, to an upstream whose nth answer is this.
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
async fn failures_are_not_multiplied_by_retries() {
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

/// Lets callers come within a second of the beginning of an outage of 30 s; returns when each of them was sent.
async fn herd(layer: RedressLayer, callers: u32) -> Vec<Duration> {
    let (start, sends) = (Instant::now(), Arc::<Mutex<Vec<Duration>>>::default());
    let log = Arc::clone(&sends);
    let transport = service_fn(move |_: Request<String>| {
        let at = start.elapsed();
        log.lock().expect("whole").push(at);
        let status = if at < Duration::from_secs(30) { 503 } else { 200 };
        let response = Response::builder().status(status).body(String::new()).expect("legal parts");
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    let service = layer.layer(transport);
    let call = |nth: u32| {
        let service = service.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1) * nth / callers).await;
            let request = Request::get(URL).body(String::new()).expect("legal parts");
            service.oneshot(request).await.expect("a response").status()
        })
    };
    let calls: Vec<_> = (0..callers).map(call).collect();
    for call in calls {
        call.await.expect("no panic");
    }
    std::mem::take(&mut *sends.lock().expect("whole"))
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_callers_come_back_spread_after_an_outage() {
    const CALLERS: u32 = 10_000;
    let layer = RedressLayer::new(dialects::generic());
    // With the budget that all share there are next to no retries.
    let sends = herd(layer.clone(), CALLERS).await.len();
    assert!((10_001..=10_000 + 500 / 14).contains(&sends), "{sends} sends");
    // Without one, and with patience, they wait until it is over, each for a time of its own.
    let cap = Duration::from_secs(10);
    let patient = Schedule { base: Duration::from_secs(1), factor: NonZeroU32::new(2).expect("two"), cap };
    let random = Mutex::new(fastrand::Rng::with_seed(31));
    let layer = layer.backoff(|backoff| {
        let backoff =
            backoff.without_budget().max_attempts(NonZeroU32::new(1_000).expect("many")).transient_backoff(patient);
        backoff.random(move || random.lock().expect("whole").u32(..))
    });
    let sends = herd(layer, CALLERS).await;
    let mut windows = vec![0_u32; 100];
    for at in sends.iter().filter(|at| at.as_secs() >= 30) {
        windows[usize::try_from((at.as_millis() - 30_000) / 100).expect("within the cap")] += 1;
    }
    assert_eq!(windows.iter().sum::<u32>(), CALLERS, "one send each");
    let (peak, mean) = (windows.iter().max().expect("a hundred"), CALLERS / 100);
    println!("{} sends, at most {peak} in 100 ms after the outage, {mean} in the mean", sends.len());
    // Uniform waits that began at any time leave a rest that falls in a line, which begins at twice its mean.
    assert!(*peak <= mean * 5 / 2, "{peak} of {mean}: {windows:?}");
}

/// Tokens with this lifetime.
struct Lasting(Duration);

impl Credentials for Lasting {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer("token")?.refresh_token("r").expires_in(self.0))
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
                        let backoff = backoff
                            .transient_backoff(schedule)
                            .throttling_backoff(schedule)
                            .default_throttle_wait(time)
                            .jitter(jitter);
                        backoff
                            .max_retry_after(time)
                            .max_attempts(NonZeroU32::MIN.saturating_add(3))
                            .random(|| u32::MAX)
                    });
                for status in [200, 429, 503] {
                    let transport = service_fn(move |_: Request<String>| async move {
                        tokio::task::yield_now().await;
                        let response = Response::builder().status(status).header("retry-after", hint);
                        response.body(String::new()).map_err(BoxError::from)
                    });
                    let request = Request::get(URL).body(String::new()).expect("legal parts");
                    let call = layer.layer(transport).oneshot(request);
                    // A wait of a century is honoured if the settings ask for it; this test does not wait for it.
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
