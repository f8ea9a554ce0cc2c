//! One clock for all layers: absolute times are right after the machine slept and after the clock was set.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::{Clock, Credentials, Failure, RedressLayer, ResponseExt, TokenSet, dialects};
use tower::{Layer, ServiceExt, service_fn};

const HOUR: Duration = Duration::from_secs(3_600);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + s(1_700_000_000)
}

/// A wall clock that a test sets, beside the paused one.
#[derive(Clone)]
struct Wall(Arc<Mutex<SystemTime>>);

impl Wall {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(start())))
    }

    fn set(&self, time: SystemTime) {
        *self.0.lock().expect("no panic") = time;
    }

    fn clock(&self) -> Clock {
        let wall = Arc::clone(&self.0);
        Clock::from_fn(move || *wall.lock().expect("no panic"))
    }
}

/// An issuer that is down for a minute at a time.
struct Down;

impl Credentials for Down {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Err(Failure::transient("it is down").retry_after(s(60)))
    }
}

fn request() -> Request<String> {
    Request::get("https://api.example/v1/things").body(String::new()).expect("legal parts")
}

/// The times to which the wall clock jumps, while the monotonic one stands still.
fn jumps() -> [(&'static str, SystemTime); 5] {
    [
        ("nothing happened", start()),
        ("the machine slept for two hours", start() + 2 * HOUR),
        ("a step back", start() - HOUR),
        ("before 1970", SystemTime::UNIX_EPOCH - HOUR),
        ("the year 9999", SystemTime::UNIX_EPOCH + s(253_402_300_700)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_held_back_says_when_by_the_clock_of_now() {
    for (name, now) in jumps() {
        let (wall, sends) = (Wall::new(), Arc::new(AtomicU32::new(0)));
        let layer = RedressLayer::new(dialects::generic())
            .pace(redress::PaceLayer::fail_fast)
            .backoff(|backoff| backoff.max_attempts(std::num::NonZeroU32::MIN))
            .clock(wall.clock());
        let counted = Arc::clone(&sends);
        let api = service_fn(move |_: Request<String>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let response = Response::builder().status(503).header("retry-after", "60").body(Full::<Bytes>::default());
            async { Ok::<_, Infallible>(response.expect("legal parts")) }
        });
        let stack = layer.layer(api);
        let response = stack.clone().oneshot(request()).await.expect("a response");
        assert_eq!(response.verdict().and_then(|verdict| verdict.retry_at()), Some(start() + s(60)), "{name}");
        wall.set(now);
        let error = stack.oneshot(request()).await.expect_err("it is held back");
        assert!(error.is_paced(), "{name}: {error:?}");
        assert_eq!((error.retry_at(), sends.load(Ordering::Relaxed)), (Some(now + s(60)), 1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_credentials_says_when_by_the_clock_of_now() {
    for (name, now) in jumps() {
        let wall = Wall::new();
        let layer = RedressLayer::new(dialects::generic())
            .clock(wall.clock())
            .credentials(Down, "https://api.example".parse().expect("an origin"))
            .backoff(|backoff| backoff.max_attempts(std::num::NonZeroU32::MIN));
        let api =
            service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
        let stack = layer.layer(api);
        let first = stack.clone().oneshot(request()).await.expect_err("no credentials");
        assert_eq!(first.retry_at(), Some(start() + s(60)), "{name}: {first:?}");
        wall.set(now);
        let error = stack.oneshot(request()).await.expect_err("no credentials");
        assert_eq!(error.retry_at(), Some(now + s(60)), "{name}: {error:?}");
    }
}
