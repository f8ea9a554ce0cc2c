//! Code of the user that panics in a call: that caller gets the panic, and other calls are not affected.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http::{Request, Response};
use redress::{
    BoxError, Budget, CloneBody, Credentials, Error, Failure, RedressLayer, SecretString, TokenSet, dialects,
};
use redress_sandbox::strict_mock::{Handle, StrictMock};
use tokio::task::JoinError;
use tower::{Layer, ServiceExt};

use super::URL;
use super::body::Slow;

/// The code that panics, and in which of its runs, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trap {
    /// The copying of a request's body.
    Copy(u32),
    /// The source of random numbers.
    Random(u32),
    /// The transport, when it is called.
    Call(u32),
    /// The transport's future.
    Answer(u32),
    /// The body of a response, when it is read.
    Body(u32),
    /// The login, when it is called, and its future.
    Login(u32),
    LoginFuture(u32),
    /// The refresh, when it is called, and its future.
    Refresh(u32),
    RefreshFuture(u32),
}

/// Counts the runs of one kind of code and panics in one of them.
#[derive(Clone, Debug)]
struct Fuse {
    trap: Trap,
    runs: Arc<AtomicU32>,
    /// Whether it counts.
    is_armed: Arc<AtomicBool>,
}

impl Fuse {
    fn burn(&self, make: fn(u32) -> Trap) {
        let is_armed = self.is_armed.load(Ordering::Relaxed);
        if is_armed && std::mem::discriminant(&make(0)) == std::mem::discriminant(&self.trap) {
            let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(make(run) != self.trap, "the trap");
        }
    }

    /// Whether the body of this response panics when it is read.
    fn is_in_body(&self) -> bool {
        let is_armed = self.is_armed.load(Ordering::Relaxed);
        matches!(self.trap, Trap::Body(at) if is_armed && self.runs.fetch_add(1, Ordering::Relaxed) + 1 == at)
    }
}

struct Upload(Fuse);

impl CloneBody for Upload {
    fn try_clone(&self) -> Option<Self> {
        self.0.burn(Trap::Copy);
        Some(Self(self.0.clone()))
    }
}

struct Issuer {
    fuse: Fuse,
    given: AtomicU32,
}

impl Issuer {
    fn grant(&self) -> Result<TokenSet, Failure> {
        let nth = self.given.fetch_add(1, Ordering::Relaxed);
        Ok(TokenSet::bearer(format!("token{nth}"))?.refresh_token("once"))
    }
}

impl Credentials for Issuer {
    fn login(&self) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        self.fuse.burn(Trap::Login);
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.fuse.burn(Trap::LoginFuture);
            self.grant()
        }
    }

    fn refresh(&self, _: &SecretString) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        self.fuse.burn(Trap::Refresh);
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.fuse.burn(Trap::RefreshFuture);
            self.grant()
        }
    }
}

/// An upstream that answers 503, then 401, then 200, and so on.
fn upstream(fuse: Fuse) -> (Mock, Handle<Request<Upload>>) {
    upstream_with(&[503, 401, 200], fuse)
}

/// An upstream that answers with these statuses, over and over.
fn upstream_with(statuses: &'static [u16], fuse: Fuse) -> (Mock, Handle<Request<Upload>>) {
    let mut sent = 0;
    let mock = StrictMock::new(move |_: &Request<Upload>| {
        fuse.burn(Trap::Call);
        sent += 1;
        let status = statuses[(sent - 1) % statuses.len()];
        let fuse = fuse.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            fuse.burn(Trap::Answer);
            let body = if status != 200 && fuse.is_in_body() { Slow::panicking() } else { Slow::whole("") };
            Ok::<_, BoxError>(Response::builder().status(status).body(body).unwrap())
        }
    });
    let mock = mock.allow_abandoned();
    let handle = mock.handle();
    (mock, handle)
}

type Mock = StrictMock<Request<Upload>, Response<Slow>>;

/// One stack with a trap in it.
struct Rig {
    fuse: Fuse,
    budget: Budget,
    layer: RedressLayer,
    mock: Mock,
    handle: Handle<Request<Upload>>,
}

impl Rig {
    fn new(trap: Trap) -> Self {
        let fuse = Fuse { trap, runs: Arc::default(), is_armed: Arc::new(AtomicBool::new(true)) };
        let budget = Budget::new();
        let issuer = Issuer { fuse: fuse.clone(), given: AtomicU32::new(0) };
        let random = fuse.clone();
        let layer = RedressLayer::new(dialects::generic()).credentials(issuer, URL.parse().unwrap());
        let layer = layer.backoff(|backoff| {
            backoff.budget(budget.clone()).random(move || {
                random.burn(Trap::Random);
                0
            })
        });
        let (mock, handle) = upstream(fuse.clone());
        Self { fuse, budget, layer, mock, handle }
    }

    /// Calls in a task of its own; the error is the panic's.
    async fn call(&self) -> Result<Result<u16, Error>, JoinError> {
        self.call_on(self.mock.clone()).await
    }

    async fn call_on(&self, upstream: Mock) -> Result<Result<u16, Error>, JoinError> {
        let request = Request::get(format!("{URL}/v1/things")).body(Upload(self.fuse.clone())).unwrap();
        let service = self.layer.layer(upstream);
        let call =
            tokio::spawn(async move { service.oneshot(request).await.map(|response| response.status().as_u16()) });
        // Whoever waits for what never comes fails here, and does not hang.
        tokio::time::timeout(Duration::from_secs(3600), call).await.expect("a call comes to its end")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_call_reaches_its_caller_and_no_other_call() {
    for (trap, sends, spent) in [
        // Before anything is sent.
        (Trap::Copy(1), 0, 0),
        (Trap::Call(1), 0, 0),
        (Trap::Answer(1), 1, 0),
        (Trap::Body(1), 1, 0),
        (Trap::Random(1), 1, 0),
        // Before the retry is sent: what was reserved for it comes back.
        (Trap::Copy(2), 1, 0),
        // In the retry, and behind it.
        (Trap::Call(2), 1, Budget::TRANSIENT_COST),
        (Trap::Answer(2), 2, Budget::TRANSIENT_COST),
        (Trap::Body(2), 2, Budget::TRANSIENT_COST),
        // In the replay.
        (Trap::Copy(3), 2, Budget::TRANSIENT_COST),
        (Trap::Call(3), 2, Budget::TRANSIENT_COST),
        (Trap::Answer(3), 3, Budget::TRANSIENT_COST),
    ] {
        let rig = Rig::new(trap);
        let panic = rig.call().await.expect_err("the panic comes up");
        let message = panic.into_panic().downcast::<&str>().map(|message| *message);
        assert!(message.is_ok_and(|message| ["the trap", "in the body"].contains(&message)), "{trap:?}");
        assert_eq!((rig.handle.calls(), rig.budget.level()), (sends, 500 - spent), "{trap:?}");
        rig.handle.assert_idle();
        assert_others_go_on(&rig, trap).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_credentials_fails_the_calls_that_wait_and_no_later_one() {
    for (trap, status) in [
        (Trap::Login(1), None),
        (Trap::LoginFuture(1), None),
        // A rejected response is in hand when a refresh fails.
        (Trap::Refresh(1), Some(401)),
        (Trap::RefreshFuture(1), Some(401)),
    ] {
        let rig = Rig::new(trap);
        let (first, second) = tokio::join!(rig.call(), rig.call());
        for result in [first, second] {
            match (status, result.expect("the flight has the panic, and not its callers")) {
                (None, Err(error)) => assert!(error.is_credentials(), "{trap:?}: {error:?}"),
                (Some(status), Ok(got)) => assert!(got == status || got == 200, "{trap:?}: {got}"),
                (_, result) => panic!("{trap:?}: {result:?}"),
            }
        }
        rig.handle.assert_idle();
        assert_others_go_on(&rig, trap).await;
    }
}

/// A stack in an outage, which began with an answer and two failures of other calls and that of the first attempt; the third
/// probe is answered.
async fn in_outage(trap: Trap) -> Rig {
    let mut rig = Rig::new(trap);
    rig.fuse.is_armed.store(false, Ordering::Relaxed);
    let random = rig.fuse.clone();
    rig.layer = rig.layer.deadline(Duration::from_secs(60)).pace(|pace| {
        pace.random(move || {
            random.burn(Trap::Random);
            1 << 31
        })
    });
    for status in [&[200], &[503], &[503]] {
        let once = rig.layer.clone().backoff(|backoff| backoff.max_attempts(NonZeroU32::MIN));
        let request = Request::get(format!("{URL}/v1/things")).body(Upload(rig.fuse.clone())).unwrap();
        drop(once.layer(upstream_with(status, rig.fuse.clone()).0).oneshot(request).await);
    }
    (rig.mock, rig.handle) = upstream_with(&[503, 503, 503, 200], rig.fuse.clone());
    rig.fuse.is_armed.store(true, Ordering::Relaxed);
    rig
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_outage_holds_no_other_call() {
    let traps = |make: fn(u32) -> Trap, most: u32| (1..=most).map(make);
    let mut panics = [0; 5];
    for (kind, trap) in std::iter::empty()
        .chain(traps(Trap::Copy, 4).map(|trap| (0, trap)))
        .chain(traps(Trap::Call, 4).map(|trap| (1, trap)))
        .chain(traps(Trap::Answer, 4).map(|trap| (2, trap)))
        .chain(traps(Trap::Body, 3).map(|trap| (3, trap)))
        .chain(traps(Trap::Random, 40).map(|trap| (4, trap)))
    {
        let rig = in_outage(trap).await;
        match rig.call().await {
            Err(panic) => {
                let message = panic.into_panic().downcast::<&str>().map(|message| *message);
                assert!(message.is_ok_and(|message| ["the trap", "in the body"].contains(&message)), "{trap:?}");
                panics[kind] += 1;
            }
            Ok(answered) => assert_eq!(answered.unwrap(), 200, "{trap:?}"),
        }
        rig.fuse.is_armed.store(false, Ordering::Relaxed);
        rig.handle.assert_idle();
        assert!(format!("{:?}", rig.layer.gate()).contains("waiting: 0"), "{trap:?}");
        assert!(rig.budget.level() >= 500 - Budget::TRANSIENT_COST, "{trap:?}");
        // The next calls find a gate that is open, or probe it.
        for _ in 0..2 {
            let answered = rig.call_on(upstream_with(&[200], rig.fuse.clone()).0).await;
            assert_eq!(answered.unwrap().unwrap(), 200, "{trap:?}");
        }
    }
    println!("{panics:?}");
    assert!(panics[..4] == [4, 4, 4, 3] && panics[4] >= 4, "{panics:?}");
}

/// Calls again, with the same credentials and the same budget.
async fn assert_others_go_on(rig: &Rig, trap: Trap) {
    // A flight that failed is not repeated at once.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let status = rig.call_on(upstream(rig.fuse.clone()).0).await.unwrap_or_else(|panic| panic!("{trap:?}: {panic}"));
    assert_eq!(status.unwrap_or_else(|error| panic!("{trap:?}: {error:?}")), 200, "{trap:?}");
    assert!(rig.budget.level() >= 500 - Budget::TRANSIENT_COST, "{trap:?}: a success gives back what its retry took");
}
