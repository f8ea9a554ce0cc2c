//! One endpoint that always answers 401, and the endpoints beside it: nothing that happens at the one may take the
//! credentials from the others.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use redress::{
    Class, Code, Credentials, Dialect, Failure, RedressLayer, SecretString, TokenHandle, TokenSet, dialects,
};
use redress_sandbox::Recorder;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};

const URL: &str = "https://api.example";
const HOUR: Duration = Duration::from_secs(3600);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// How an issuer behaves after its first login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    Slow,
    Hangs,
    Busy,
    Refuses,
    DeadGrants,
}

/// The one session of an account: its last token, and whatever else the server looks at.
#[derive(Default)]
struct Session {
    number: u64,
    issued: Option<Instant>,
    calls: u64,
}

#[derive(Clone)]
struct Issuer {
    session: Arc<Mutex<Session>>,
    mood: Mood,
    lifetime: Option<Duration>,
}

impl Issuer {
    fn new(mood: Mood) -> Self {
        Self { session: Arc::default(), mood, lifetime: None }
    }

    async fn answer(&self, is_login: bool) -> Result<TokenSet, Failure> {
        let number = {
            let mut session = self.session.lock().unwrap();
            session.calls += 1;
            session.calls
        };
        tokio::time::sleep(ms(5)).await;
        match self.mood {
            _ if number == 1 => {}
            Mood::Good => {}
            Mood::Slow => tokio::time::sleep(ms(5000)).await,
            Mood::Hangs => std::future::pending().await,
            Mood::Busy => return Err(Failure::transient("503")),
            Mood::Refuses => return Err(Failure::permanent("invalid_client")),
            Mood::DeadGrants if !is_login => return Err(Failure::invalid_grant("invalid_grant")),
            Mood::DeadGrants => {}
        }
        let mut session = self.session.lock().unwrap();
        session.number += 1;
        session.issued = Some(Instant::now());
        let grant = TokenSet::bearer(format!("t{}", session.number))?.refresh_token(format!("r{}", session.number));
        Ok(match self.lifetime {
            Some(lifetime) => grant.expires_in(lifetime),
            None => grant,
        })
    }
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.answer(true).await
    }

    async fn refresh(&self, _: &SecretString) -> Result<TokenSet, Failure> {
        self.answer(false).await
    }
}

/// The response of an API to a token that it does not accept.
#[derive(Clone, Copy, Debug)]
enum Words {
    Bare,
    Challenge,
    Body(u16, &'static str),
}

fn refusal(words: Words) -> Response<Full<Bytes>> {
    let builder = Response::builder();
    let (builder, body) = match words {
        Words::Bare => (builder.status(401), ""),
        Words::Challenge => (builder.status(401).header("www-authenticate", "Bearer error=\"invalid_token\""), ""),
        Words::Body(status, body) => (builder.status(status).header("content-type", "application/json"), body),
    };
    builder.body(Full::from(body)).unwrap()
}

/// An attack of ten minutes, and what came of it.
#[derive(Clone, Copy)]
struct Attack {
    words: Words,
    every: Duration,
    /// Whether each call goes to a path of its own.
    is_fresh: bool,
    /// Whether the calls to the attacked endpoint are not safe to repeat.
    is_post: bool,
    mood: Mood,
    /// The callers of the healthy endpoint, and how often they call.
    healthy: (u64, Duration),
    /// How long a token is good, and whether the issuer says so.
    lives: Option<(Duration, bool)>,
    latency: Duration,
}

const ATTACK: Attack = Attack {
    words: Words::Bare,
    every: ms(50),
    is_fresh: false,
    is_post: false,
    mood: Mood::Good,
    healthy: (3, ms(50)),
    lives: None,
    latency: Duration::ZERO,
};

async fn run(dialect: Dialect, attack: Attack) -> (u64, u64, TokenHandle) {
    let mut issuer = Issuer::new(attack.mood);
    issuer.lifetime = attack.lives.and_then(|(life, is_announced)| is_announced.then_some(life));
    let session = Arc::clone(&issuer.session);
    let api = service_fn(move |request: Request<String>| {
        let session = Arc::clone(&session);
        async move {
            tokio::time::sleep(attack.latency).await;
            let is_alive = {
                let session = session.lock().unwrap();
                let lives = attack.lives.is_none_or(|(life, _)| session.issued.is_some_and(|at| at.elapsed() < life));
                let known = request.headers()["authorization"].to_str().unwrap();
                lives && (attack.lives.is_none() || known == format!("Bearer t{}", session.number))
            };
            let is_refused = request.uri().path().starts_with("/forbidden") || !is_alive;
            Ok::<_, Infallible>(if is_refused { refusal(attack.words) } else { Response::new(Full::from("{}")) })
        }
    });
    let layer = RedressLayer::new(dialect).credentials(issuer, URL.parse().unwrap()).deadline(ms(10_000));
    let tokens = layer.tokens();
    let stack = layer.layer(api);
    let end = Instant::now() + ms(600_000);
    let (failed, count) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let (stack, count) = (stack.clone(), Arc::clone(&count));
        tasks.push(tokio::spawn(async move {
            while Instant::now() < end {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let path = if attack.is_fresh { format!("/forbidden/{number}") } else { "/forbidden".to_owned() };
                let mut request = get(&path);
                if attack.is_post {
                    *request.method_mut() = Method::POST;
                }
                let _ = stack.clone().oneshot(request).await;
                tokio::time::sleep(attack.every).await;
            }
        }));
    }
    for _ in 0..attack.healthy.0 {
        let (mut stack, failed) = (stack.clone(), Arc::clone(&failed));
        tasks.push(tokio::spawn(async move {
            while Instant::now() < end {
                let result = stack.ready().await.unwrap().call(get("/ok")).await;
                let is_good = result.is_ok_and(|response| response.status() == StatusCode::OK && response.is_success());
                failed.fetch_add(u64::from(!is_good), Ordering::Relaxed);
                tokio::time::sleep(attack.healthy.1).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    (failed.load(Ordering::Relaxed), tokens.refreshes() + tokens.logins(), tokens)
}

trait Success {
    fn is_success(&self) -> bool;
}

impl<B> Success for Response<B> {
    fn is_success(&self) -> bool {
        redress::ResponseExt::verdict(self).is_none()
    }
}

fn get(path: &str) -> Request<String> {
    Request::get(format!("{URL}{path}")).body(String::new()).unwrap()
}

async fn assert_harmless(name: &str, dialect: Dialect, attack: Attack) {
    let (failed, calls, _) = run(dialect, attack).await;
    // Where each grant is dead a flight makes two calls.
    let most = if attack.mood == Mood::DeadGrants { 20 } else { 10 };
    assert!(failed == 0 && calls <= most, "{name}: {failed} calls failed, {calls} refreshes and logins");
}

/// Returns how often healthy callers call: as often as the attack, or every 400 ms. More would only take longer.
fn busy(every: Duration) -> Duration {
    every.min(ms(400))
}

fn generic() -> Dialect {
    dialects::by_name("generic").unwrap()
}

fn vendors() -> [(&'static str, Dialect, Words); 5] {
    let vlens = dialects::vlens().with_code(Code::new("4011", Class::TokenExpired));
    let maleslab = dialects::by_name("maleslab").unwrap();
    [
        ("bare", generic(), Words::Bare),
        ("challenge", generic(), Words::Challenge),
        ("vlens", vlens.clone(), Words::Body(200, r#"{"data":null,"error_code":4011,"error_message":"expired"}"#)),
        ("vlens at 401", vlens, Words::Body(401, r#"{"data":null,"error_code":4011,"error_message":"expired"}"#)),
        ("maleslab", maleslab, Words::Body(401, r#"{"success":false,"error":{"code":"TOKEN_EXPIRED","message":"x"}}"#)),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_always_says_401_takes_no_other_down() {
    for every in [60_000, 20_000, 5000, 1000, 500, 200, 50].map(ms) {
        let is_short = !matches!(every.as_millis(), 60_000 | 1000 | 50);
        for (vendor, dialect, words) in vendors().into_iter().take(if is_short { 2 } else { 5 }) {
            let name = format!("{vendor}, every {every:?}");
            assert_harmless(&name, dialect, Attack { words, every, healthy: (3, busy(every)), ..ATTACK }).await;
        }
    }
}

/// Without a second sending nothing shows that a fresh set is rejected, too.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_always_says_unauthenticated_beside_data_takes_no_other_down() {
    let words = Words::Body(200, r#"{"data":null,"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#);
    for (every, healthy, is_fresh) in [
        (60_000, (3, ms(200)), false),
        (20_000, (1, ms(5000)), true),
        (5000, (3, ms(200)), true),
        (5000, (1, ms(5000)), false),
        (1000, (3, ms(200)), false),
        (200, (1, ms(5000)), true),
    ] {
        let name = format!("every {every} ms, {healthy:?}, fresh: {is_fresh}");
        let attack = Attack { words, every: ms(every), healthy, is_fresh, is_post: true, ..ATTACK };
        assert_harmless(&name, dialects::by_name("graphql").unwrap(), attack).await;
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_always_say_401_take_no_other_down_whatever_their_paths() {
    for every in [60_000, 20_000, 5000, 1000, 50].map(ms) {
        for healthy in [(3, busy(every)), (1, ms(5000))] {
            let name = format!("every {every:?}, {healthy:?}");
            assert_harmless(&name, generic(), Attack { every, healthy, is_fresh: true, ..ATTACK }).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_troubled_issuer_takes_none_down_while_the_credentials_work() {
    for mood in [Mood::Slow, Mood::Hangs, Mood::Busy, Mood::Refuses, Mood::DeadGrants] {
        for every in [20_000, 200].map(ms) {
            for healthy in [(3, ms(200)), (1, ms(5000))] {
                for is_fresh in [false, true] {
                    let name = format!("{mood:?}, every {every:?}, {healthy:?}, fresh: {is_fresh}");
                    let attack = Attack { mood, every, healthy, is_fresh, latency: ms(20), ..ATTACK };
                    assert_harmless(&name, generic(), attack).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_live_for_five_seconds_are_renewed_each_time() {
    for is_announced in [true, false] {
        for healthy in [(3, ms(50)), (1, ms(1000))] {
            let lives = Some((ms(5000), is_announced));
            let attack = Attack { every: HOUR, lives, healthy, ..ATTACK };
            let (failed, calls, _) = run(generic(), attack).await;
            assert!(failed == 0 && (100..=400).contains(&calls), "{is_announced}, {healthy:?}: {failed}, {calls}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_live_for_five_seconds_are_renewed_beside_an_endpoint_that_always_says_401() {
    for is_announced in [false, true] {
        for every in [5000, 200].map(ms) {
            for is_fresh in [false, true] {
                let lives = Some((ms(5000), is_announced));
                let attack = Attack { lives, every, is_fresh, latency: ms(20), healthy: (3, ms(500)), ..ATTACK };
                let (failed, ..) = run(generic(), attack).await;
                assert_eq!(failed, 0, "announced: {is_announced}, every {every:?}, fresh: {is_fresh}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_with_one_session_log_in_seldom_and_are_told_why() {
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let issuer = Issuer::new(Mood::Good);
    let session = Arc::clone(&issuer.session);
    let api = service_fn(move |request: Request<String>| {
        let is_current = {
            let session = session.lock().unwrap();
            request.headers()["authorization"].to_str().unwrap() == format!("Bearer t{}", session.number)
        };
        async move {
            tokio::time::sleep(ms(2)).await;
            Ok::<_, Infallible>(if is_current { Response::new(Full::from("{}")) } else { refusal(Words::Bare) })
        }
    });
    let end = Instant::now() + ms(600_000);
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let layer = RedressLayer::new(generic()).credentials(issuer.clone(), URL.parse().unwrap());
        for _ in 0..5 {
            let stack = layer.clone().layer(api.clone());
            tasks.push(tokio::spawn(async move {
                while Instant::now() < end {
                    let _ = stack.clone().oneshot(get("/ok")).await;
                    tokio::time::sleep(ms(50)).await;
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let calls = issuer.session.lock().unwrap().calls;
    assert!(calls <= 2 * 16, "{calls} refreshes and logins of two processes");
    let told = recorder.lines().into_iter().filter(|line| line.contains("another process without a shared store"));
    assert!((1..=2).contains(&told.count()), "once by a process");
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_nothing_is_not_believed() {
    for lifetime in [0, 1, 999].map(ms) {
        let attack = Attack { every: HOUR, lives: None, ..ATTACK };
        let mut issuer = Issuer::new(Mood::Good);
        issuer.lifetime = Some(lifetime);
        let layer = RedressLayer::new(generic()).credentials(issuer, URL.parse().unwrap());
        let api =
            service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
        let end = Instant::now() + ms(600_000);
        while Instant::now() < end {
            assert_eq!(layer.layer(api).oneshot(get("/ok")).await.unwrap().status(), StatusCode::OK);
            tokio::time::sleep(attack.healthy.1).await;
        }
        assert_eq!(layer.tokens().refreshes() + layer.tokens().logins(), 1, "{lifetime:?}");
    }
}
