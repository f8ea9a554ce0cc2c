//! The straight way of a first attempt and the one through the futures of the layers: all that is seen from outside is the same.
//!
//! It is alone in its program, since it compares events, and threads share the register of these.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

#[path = "interrupted/body.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod body;

use std::fmt::Write;
use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::{Request, Response};
use http_body_util::BodyExt;
use proptest::prelude::*;
use redress::layers::ResendCount;
use redress::{
    AttemptTimeout, Body, Budget, Class, Clock, CloneBody, Code, Credentials, Deadline, Error, Failure, Limit, Record,
    RedressLayer, ResponseExt, Schedule, SecretString, TokenSet, TransportError, Verdict, dialects,
};
use redress_sandbox::Recorder;
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tokio::time::{Instant, timeout};
use tower::{Layer, Service, ServiceExt};

use self::body::Slow;

const URL: &str = "https://api.example";
const SUCCESS: &str = r#"{"data":1,"error_code":null}"#;
const EXPIRED: &str = r#"{"data":null,"error_code":4011,"error_message":"expired"}"#;

/// A request body that may be one that cannot be copied.
struct Upload {
    can_be_copied: bool,
}

impl CloneBody for Upload {
    fn try_clone(&self) -> Option<Self> {
        self.can_be_copied.then_some(Self { can_be_copied: true })
    }
}

/// The settings of a stack.
#[derive(Clone, Debug)]
struct Setup {
    deadline: Option<u64>,
    attempt_timeout: Option<u64>,
    limit: Option<u32>,
    has_credentials: bool,
    expires: bool,
    signals_in_body: bool,
    observes: bool,
}

/// A call, and when it is dropped. Times are in milliseconds.
#[derive(Clone, Debug)]
struct Call {
    method: &'static str,
    deadline: Option<u64>,
    timeout: Option<u64>,
    can_be_copied: bool,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Never,
    BeforeItsFirstPoll,
    AfterItsFirstPoll,
    After(u64),
}

/// What the transport does with a request.
#[derive(Clone, Debug)]
enum Reply {
    Status { status: u16, hint: Option<u64>, delay: u64, body: &'static str, pause: u64 },
    Refused { delay: u64 },
    Broken { delay: u64 },
}

/// Gives tokens with a number.
struct Issuer {
    given: AtomicU32,
    lifetime: Option<Duration>,
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        tokio::time::sleep(Duration::from_millis(3)).await;
        let nth = self.given.fetch_add(1, Ordering::Relaxed);
        let tokens = TokenSet::bearer(format!("token{nth}"))?.refresh_token("again");
        Ok(match self.lifetime {
            Some(lifetime) => tokens.expires_in(lifetime),
            None => tokens,
        })
    }

    fn refresh(&self, _: &SecretString) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        self.login()
    }
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn layer(setup: &Setup, budget: &Budget, observed: &Arc<AtomicU32>) -> RedressLayer {
    let steady = Schedule { base: millis(20), factor: NonZeroU32::MIN, cap: millis(20) };
    let signals = || dialects::vlens().with_code(Code::new("4011", Class::TokenExpired));
    let dialect = if setup.signals_in_body { signals() } else { dialects::generic() };
    let mut layer = RedressLayer::new(dialect)
        .clock(Clock::anchored(SystemTime::UNIX_EPOCH))
        .pace(|pace| pace.random(|| 0))
        .backoff(|backoff| backoff.budget(budget.clone()).transient_backoff(steady).random(|| u32::MAX));
    if setup.has_credentials {
        let lifetime = setup.expires.then(|| millis(400));
        layer = layer.credentials(Issuer { given: AtomicU32::new(0), lifetime }, URL.parse().unwrap());
    }
    if let Some(deadline) = setup.deadline {
        layer = layer.deadline(millis(deadline));
    }
    layer = match setup.attempt_timeout {
        Some(timeout) => layer.attempt_timeout(millis(timeout)),
        None => layer.without_attempt_timeout(),
    };
    if let Some(limit) = setup.limit.and_then(NonZeroU32::new) {
        layer = layer.pace(|pace| pace.limit(Limit::all_routes(limit, millis(200))));
    }
    if setup.observes {
        let observed = Arc::clone(observed);
        layer = layer.backoff(|backoff| {
            backoff.on_attempt(move |_, _| {
                observed.fetch_add(1, Ordering::Relaxed);
            })
        });
    }
    layer
}

fn answer(reply: &Reply) -> Answer<Response<Slow>> {
    match reply {
        Reply::Status { status, hint, delay, body, pause } => {
            let mut response = Response::builder().status(*status).header("x-served-by", "a");
            if let Some(hint) = hint {
                response = response.header("retry-after", hint.to_string());
            }
            Answer::ok(response.body(Slow::pieces([*body], millis(*pause))).unwrap()).after(millis(*delay))
        }
        Reply::Refused { delay } => Answer::error(TransportError::connect("refused")).after(millis(*delay)),
        Reply::Broken { delay } => Answer::error(TransportError::body("broken")).after(millis(*delay)),
    }
}

fn asked(call: &Call) -> Request<Upload> {
    let body = Upload { can_be_copied: call.can_be_copied };
    let mut asked = Request::builder().method(call.method).uri(format!("{URL}/v1/things")).body(body).unwrap();
    if let Some(deadline) = call.deadline {
        asked.extensions_mut().insert(Deadline::from_now(millis(deadline)));
    }
    if let Some(timeout) = call.timeout {
        asked.extensions_mut().insert(AttemptTimeout::new(millis(timeout)));
    }
    asked
}

/// Polls a future once, and drops it.
async fn polled_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn of_verdict(verdict: &Verdict) -> String {
    let (class, recovery, phase) = (verdict.class(), verdict.recovery(), verdict.phase());
    format!(
        "{class:?} {recovery:?} {phase:?} {:?} {:?}",
        verdict.retry_at(),
        verdict.api_error().map(ToString::to_string)
    )
}

fn of_record(record: &Record) -> String {
    let mut text = format!("{:?}", record.end_reason());
    for attempt in record.attempts() {
        let (wait, source) = (attempt.wait, &attempt.wait_source);
        let verdict = attempt.verdict.as_ref().map(of_verdict);
        let budget = (attempt.budget_before, attempt.budget_after);
        write!(text, "; {:?} {verdict:?} {wait:?} {source:?} {budget:?} {}", attempt.status, attempt.is_resend)
            .unwrap();
    }
    text
}

/// Returns all that a caller sees of the end of a call.
async fn of_result(result: Option<Result<Response<Body<Slow>>, Error>>) -> String {
    match result {
        None => "dropped".to_owned(),
        Some(Err(error)) => {
            let kinds = (error.is_deadline(), error.is_timeout(), error.is_paced(), error.is_transport());
            let record = error.record().map(of_record);
            format!("{error} {kinds:?} {:?} {:?} {record:?}", error.upstream_health(), of_verdict(error.verdict()))
        }
        Some(Ok(response)) => {
            let head = (response.status(), response.headers().clone(), response.extensions().len());
            let (verdict, record) = (response.verdict().map(of_verdict), response.record().map(of_record));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            format!("{head:?} {verdict:?} {record:?} {body:?}")
        }
    }
}

async fn make(layer: &RedressLayer, transport: &StrictMock<Request<Upload>, Response<Slow>>, call: &Call) -> String {
    let mut service = layer.layer(transport.clone());
    let future = service.ready().await.unwrap().call(asked(call));
    of_result(match call.end {
        End::Never => Some(future.await),
        End::BeforeItsFirstPoll => None,
        End::AfterItsFirstPoll => polled_once(future).await,
        End::After(time) => timeout(millis(time), future).await.ok(),
    })
    .await
}

/// Returns all that is seen of some calls, one after the other.
fn seen(setup: &Setup, calls: &[Call], replies: &[Reply], is_straight: bool) -> Vec<String> {
    fastrand::seed(7);
    let recorder = Recorder::with_target("redress");
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (budget, observed) = (Budget::with_capacity(60), Arc::default());
        let layer = layer(setup, &budget, &observed);
        let layer = if is_straight { layer } else { layer.never_straight() };
        let begun = Instant::now();
        // Far more than are asked for.
        let transport = StrictMock::scripted(replies.iter().cycle().take(500).map(answer)).allow_abandoned();
        let handle = transport.handle();
        let mut seen = Vec::new();
        for call in calls {
            let result = make(&layer, &transport, call).await;
            seen.push(format!("{:?}: {result}", begun.elapsed()));
            seen.extend(recorder.take());
            for sent in handle.take() {
                let headers = sent.request.headers();
                let further =
                    (ResendCount::from_request(&sent.request), Deadline::from_request(&sent.request).is_some());
                seen.push(format!("{:?}: {} {headers:?} {further:?}", sent.at - begun, sent.request.method()));
            }
            seen.push(format!("{} {} {}", budget.level(), observed.load(Ordering::Relaxed), layer.gate().is_open()));
            seen.push(format!("{} {}", handle.in_flight(), handle.reservations()));
            tokio::time::sleep(millis(1)).await;
        }
        seen
    })
}

fn setups() -> impl Strategy<Value = Setup> {
    let times = (prop::option::of(30..300_u64), prop::option::of(10..100_u64), prop::option::weighted(0.3, 1..4_u32));
    (times, any::<[bool; 4]>()).prop_map(|((deadline, attempt_timeout, limit), flags)| {
        let [has_credentials, expires, signals_in_body, observes] = flags;
        Setup { deadline, attempt_timeout, limit, has_credentials, expires, signals_in_body, observes }
    })
}

fn calls() -> impl Strategy<Value = Call> {
    let end = prop_oneof![
        6 => Just(End::Never),
        1 => Just(End::BeforeItsFirstPoll),
        1 => Just(End::AfterItsFirstPoll),
        2 => (0..120_u64).prop_map(End::After),
    ];
    let method = prop::sample::select(vec!["GET", "PUT", "POST"]);
    let times = (prop::option::weighted(0.3, 0..200_u64), prop::option::weighted(0.2, 0..60_u64));
    (method, times, prop::bool::weighted(0.8), end).prop_map(|(method, (deadline, timeout), can_be_copied, end)| Call {
        method,
        deadline,
        timeout,
        can_be_copied,
        end,
    })
}

fn replies() -> impl Strategy<Value = Reply> {
    let status = prop::sample::select(vec![200, 200, 200, 200, 204, 304, 401, 404, 429, 500, 503]);
    let body = prop::sample::select(vec![SUCCESS, "", "[1]", EXPIRED]);
    let delay = || prop_oneof![Just(0_u64), 1..8_u64, 20..150_u64];
    prop_oneof![
        8 => (status, prop::option::weighted(0.3, 0..2_u64), delay(), body, prop::sample::select(vec![0, 5, 40_u64]))
            .prop_map(|(status, hint, delay, body, pause)| Reply::Status { status, hint, delay, body, pause }),
        1 => delay().prop_map(|delay| Reply::Refused { delay }),
        1 => delay().prop_map(|delay| Reply::Broken { delay }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn all_that_is_seen_is_the_same_either_way(
        setup in setups(),
        calls in prop::collection::vec(calls(), 1..6),
        replies in prop::collection::vec(replies(), 1..8),
    ) {
        prop_assert_eq!(seen(&setup, &calls, &replies, true), seen(&setup, &calls, &replies, false));
    }
}
