//! Credentials expire by the monotonic clock, which may stand still while the machine sleeps, or by the wall clock, which may
//! be set.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::{Request, Response};
use redress_classify::Clock;
use redress_refresh::{Credentials, Failure, RefreshLayer, TokenSet};
use tower::{Layer, ServiceExt, service_fn};

const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: Duration = Duration::from_secs(31_556_952);

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + s(1_700_000_000)
}

/// A wall clock that a test sets, and how often it was read.
#[derive(Clone)]
struct Wall {
    time: Arc<Mutex<SystemTime>>,
    readings: Arc<AtomicU64>,
}

impl Wall {
    fn new() -> Self {
        Self { time: Arc::new(Mutex::new(start())), readings: Arc::default() }
    }

    fn jump(&self, to: impl FnOnce(SystemTime) -> SystemTime) {
        let mut time = self.time.lock().unwrap();
        *time = to(*time);
    }

    fn clock(&self) -> Clock {
        let Self { time, readings } = self.clone();
        Clock::from_fn(move || {
            readings.fetch_add(1, Ordering::Relaxed);
            *time.lock().unwrap()
        })
    }
}

/// Tokens `t1`, `t2`, ... with that lifetime.
struct Issuer {
    lifetime: Option<Duration>,
    held: bool,
    issued: AtomicU32,
}

impl Issuer {
    fn new(lifetime: Option<Duration>, held: bool) -> Self {
        Self { lifetime, held, issued: AtomicU32::new(0) }
    }

    fn grant(&self) -> TokenSet {
        let grant = TokenSet::bearer(format!("t{}", self.issued.fetch_add(1, Ordering::Relaxed) + 1)).unwrap();
        self.lifetime.map_or(grant.clone(), |lifetime| grant.expires_in(lifetime))
    }
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(self.grant())
    }

    fn initial(&self) -> Option<TokenSet> {
        self.held.then(|| self.grant())
    }
}

/// Sends a request, and returns the token that came with it.
async fn token(layer: &RefreshLayer) -> String {
    let api = service_fn(|request: Request<String>| async move {
        let token = request.headers()["authorization"].to_str().unwrap().to_owned();
        Ok::<_, Infallible>(Response::new(token))
    });
    let request = Request::get("https://api.example/v1/things").body(String::new()).unwrap();
    layer.layer(api).oneshot(request).await.unwrap().into_body()
}

fn layer(issuer: Issuer, wall: &Wall) -> RefreshLayer {
    RefreshLayer::new(issuer, "https://api.example".parse().unwrap()).clock(wall.clock())
}

#[tokio::test(start_paused = true)]
async fn a_set_expires_when_either_clock_says_so() {
    type Jump = fn(SystemTime) -> SystemTime;
    let cases: [(&str, Jump, Option<Duration>, &str); 10] = [
        ("nothing happened", |now| now, Some(HOUR), "Bearer t1"),
        ("it slept for two hours", |now| now + 2 * HOUR, Some(HOUR), "Bearer t2"),
        ("it slept for less than the lifetime", |now| now + HOUR / 2, Some(HOUR), "Bearer t1"),
        ("it slept for exactly the lifetime", |now| now + HOUR + s(1), Some(HOUR), "Bearer t2"),
        ("a step back", |now| now - HOUR, Some(HOUR), "Bearer t1"),
        ("a step back by years", |now| now - 20 * YEAR, Some(HOUR), "Bearer t1"),
        ("to before 1970", |_| SystemTime::UNIX_EPOCH - YEAR, Some(HOUR), "Bearer t1"),
        ("to the year 9999", |_| SystemTime::UNIX_EPOCH + s(253_402_300_700), Some(HOUR), "Bearer t2"),
        ("of a set without a lifetime no clock knows", |now| now + 2 * HOUR, None, "Bearer t1"),
        ("a lifetime without end", |now| now + 2 * HOUR, Some(Duration::MAX), "Bearer t1"),
    ];
    for (name, jump, lifetime, expected) in cases {
        for held in [false, true] {
            let wall = Wall::new();
            let layer = layer(Issuer::new(lifetime, held), &wall);
            assert_eq!(token(&layer).await, "Bearer t1", "{name}");
            wall.jump(jump);
            // It may take a second of the monotonic clock to be noticed.
            tokio::time::advance(s(1)).await;
            wall.jump(|now| now + s(1));
            assert_eq!(token(&layer).await, expected, "{name}, held from the start: {held}");
            assert_eq!(token(&layer).await, expected, "{name}: it is renewed once");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_was_got_at_the_end_of_time_lasts_its_lifetime() {
    for wall in [SystemTime::UNIX_EPOCH + s(253_402_300_700), SystemTime::UNIX_EPOCH - YEAR] {
        let clock = Wall::new();
        clock.jump(|_| wall);
        let layer = layer(Issuer::new(Some(HOUR), false), &clock);
        for _ in 0..40 {
            assert_eq!(token(&layer).await, "Bearer t1");
            tokio::time::advance(s(60)).await;
            clock.jump(|now| now + s(60));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_was_got_before_1970_expires_when_the_machine_has_slept_for_its_lifetime() {
    let wall = Wall::new();
    wall.jump(|_| SystemTime::UNIX_EPOCH - YEAR);
    let layer = layer(Issuer::new(Some(HOUR), false), &wall);
    assert_eq!(token(&layer).await, "Bearer t1");
    wall.jump(|now| now + 2 * HOUR);
    tokio::time::advance(s(1)).await;
    assert_eq!(token(&layer).await, "Bearer t2");
}

#[tokio::test(start_paused = true)]
async fn a_set_expires_by_the_monotonic_clock_at_any_wall_time() {
    let wall = Wall::new();
    let layer = layer(Issuer::new(Some(HOUR), false), &wall);
    assert_eq!(token(&layer).await, "Bearer t1");
    wall.jump(|now| now - 20 * YEAR);
    tokio::time::advance(HOUR).await;
    assert_eq!(token(&layer).await, "Bearer t2");
}

#[tokio::test(start_paused = true)]
async fn successes_read_the_wall_clock_once_a_second_at_most() {
    let wall = Wall::new();
    let layer = layer(Issuer::new(Some(HOUR), false), &wall);
    token(&layer).await;
    let before = wall.readings.load(Ordering::Relaxed);
    for _ in 0..100 {
        for _ in 0..10 {
            token(&layer).await;
            tokio::time::advance(Duration::from_millis(10)).await;
        }
    }
    let readings = wall.readings.load(Ordering::Relaxed) - before;
    assert!((1..=11).contains(&readings), "{readings} readings in ten seconds");
    let eternal = Wall::new();
    let layer = self::layer(Issuer::new(None, true), &eternal);
    token(&layer).await;
    assert_eq!(eternal.readings.load(Ordering::Relaxed), 0, "of what does not expire none is needed");
}
