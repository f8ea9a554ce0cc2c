//! The group `failure`: what it costs to get over a failure. Nothing is waited for: the schedule begins with no wait, and
//! the hint of the 429 is zero seconds, so that the time is that of judging, deciding and sending again.
//!
//! The peers that put a timer between two attempts, however short the wait is, are not here: tokio's timers tick once in a
//! millisecond, and that would be measured.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, poll_fn, ready};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use redress::{BackoffLayer, Credentials, Dialect, Failure, Schedule, SecretString, TokenSet, dialects};
use tokio::runtime::{Builder, Runtime};
use tower_layer::Layer;
use tower_service::Service;

use super::{Bound, Measure, Subject};
use crate::measure::Case;
use crate::peers::tower::{Attempts, retry, retry_auth_timeout};
use crate::requests::{Kind, Sent};
use crate::stacks::{TOKEN, layer, token};

const OURS: &str = "full";
const TOWER: &str = "tower_retry_auth_timeout";
/// tower's `Retry` with a policy that puts other credentials on the copy; who gets them for whom is left open.
const BY_HAND: &str = "tower_retry_by_hand";

/// How the first attempt of each call fails.
#[derive(Clone, Copy)]
struct Fault {
    name: &'static str,
    dialect: fn() -> Dialect,
    status: StatusCode,
    header: (&'static str, &'static str),
    body: &'static str,
}

const UNAVAILABLE: Fault = Fault {
    name: "503",
    dialect: dialects::veridia,
    status: StatusCode::SERVICE_UNAVAILABLE,
    header: ("content-type", "application/json"),
    body: r#"{"error":"internal","message":"A dependency is down","requestId":"9f511d92ac11236d-SJC"}"#,
};
const THROTTLED: Fault = Fault {
    name: "429_hint",
    dialect: dialects::veridia,
    status: StatusCode::TOO_MANY_REQUESTS,
    header: ("retry-after", "0"),
    body: r#"{"error":"rate_limited","message":"Too many requests","requestId":"9f511d92ac11236d-SJC"}"#,
};
const EXPIRED: Fault = Fault {
    name: "401_refresh",
    dialect: dialects::generic,
    status: StatusCode::UNAUTHORIZED,
    header: ("www-authenticate", r#"Bearer error="invalid_token""#),
    body: r#"{"message":"The token has expired","requestId":"9f511d92ac11236d-SJC"}"#,
};

const FAULTS: [Fault; 3] = [UNAVAILABLE, THROTTLED, EXPIRED];

/// A transport on which the first attempt of each call fails, and the second one succeeds.
#[derive(Clone)]
struct Flaky {
    fault: Fault,
    attempts: Arc<AtomicU64>,
}

/// Gives at once a token that is not the one that was put in by hand.
struct Issuer;

/// The most that a call with a 503 may take, of what tower's takes, which reads no body.
const AT_MOST: [(Kind, f64); 3] = [(Kind::Static, 2.7), (Kind::Reqwest, 2.3), (Kind::Hyper, 2.0)];

pub(super) fn subjects() -> Vec<Subject> {
    let cases = |fault: Fault, kind| [OURS, fault.peer()].map(|name| make(name, fault, kind)).into();
    let subject = |fault: Fault, kind| Subject { name: name(fault, kind), cases: cases(fault, kind) };
    FAULTS.into_iter().flat_map(|fault| Kind::ALL.map(|kind| subject(fault, kind))).collect()
}

/// Returns one case, and makes no other.
pub(super) fn case(subject: &str, case: &str) -> Option<Case> {
    let (fault, kind) = subject.rsplit_once('_')?;
    let fault = FAULTS.into_iter().find(|known| known.name == fault)?;
    let case = [OURS, fault.peer()].into_iter().find(|name| *name == case)?;
    Some(make(case, fault, Kind::named(kind)?))
}

pub(super) fn bounds() -> Vec<Bound> {
    let name = |kind| name(UNAVAILABLE, kind);
    let bound = |(kind, times)| Bound { subject: name(kind), measure: Measure::Time, case: OURS, times, of: TOWER };
    AT_MOST.into_iter().map(bound).collect()
}

/// The names of the run, a few bytes each.
fn name(fault: Fault, kind: Kind) -> &'static str {
    format!("{}_{}", fault.name, kind.name()).leak()
}

fn make(name: &'static str, fault: Fault, kind: Kind) -> Case {
    let flaky = Flaky { fault, attempts: Arc::default() };
    let transport = flaky.clone();
    match name {
        TOWER => whole(name, kind, retry_auth_timeout(Attempts::ample(), transport), &flaky, || {}),
        BY_HAND => whole(name, kind, retry(Attempts::renewing(), transport), &flaky, || {}),
        _ => ours(name, kind, &flaky),
    }
}

fn ours(name: &'static str, kind: Kind, flaky: &Flaky) -> Case {
    let none = Schedule { base: Duration::ZERO, factor: NonZeroU32::MIN, cap: Duration::ZERO };
    let at_once = |layer: BackoffLayer| layer.transient_backoff(none).throttling_backoff(none);
    let ours = layer((flaky.fault.dialect)(), Issuer).backoff(at_once);
    // Refreshes that rejections cause have a floor between them: each call begins with a token that was put in by hand.
    let tokens = ours.tokens();
    let is_refresh = flaky.fault.name == EXPIRED.name;
    let renew = move || {
        if is_refresh {
            tokens.install(token());
        }
    };
    whole(name, kind, ours.layer(flaky.clone()), flaky, renew)
}

/// Makes a case of whole calls, each of which sends two attempts, on a runtime of this thread.
fn whole<S, B>(name: &'static str, kind: Kind, service: S, flaky: &Flaky, before: impl Fn() + 'static) -> Case
where
    S: Service<Sent, Response = Response<B>, Error: Debug> + 'static,
{
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing here");
    let calls =
        Rc::new(Calls { service: RefCell::new(service), runtime, attempts: Arc::clone(&flaky.attempts), before });
    let counted = Rc::clone(&calls);
    let count = move || {
        let request = vec![kind.request()];
        allocation_counter::measure(|| counted.run(request)).count_total
    };
    let time = move |times: u64| {
        let requests = (0..times).map(|_| kind.request()).collect();
        let start = Instant::now();
        calls.run(requests);
        start.elapsed()
    };
    Case::timed(name, time, count)
}

struct Calls<S, F> {
    service: RefCell<S>,
    runtime: Runtime,
    attempts: Arc<AtomicU64>,
    /// Runs before each call.
    before: F,
}

impl<S, B, F> Calls<S, F>
where
    F: Fn(),
    S: Service<Sent, Response = Response<B>, Error: Debug>,
{
    fn run(&self, requests: Vec<Sent>) {
        let mut service = self.service.borrow_mut();
        let (before, calls) = (self.attempts.load(Ordering::Relaxed), requests.len() as u64);
        self.runtime.block_on(async {
            for request in requests {
                (self.before)();
                poll_fn(|cx| service.poll_ready(cx)).await.expect("it is ready");
                let response = service.call(request).await.expect("there is a response");
                assert_eq!(response.status(), StatusCode::OK);
            }
        });
        assert_eq!(self.attempts.load(Ordering::Relaxed) - before, 2 * calls, "each call was sent twice");
    }
}

impl Fault {
    /// Returns the case that is held against ours.
    fn peer(&self) -> &'static str {
        if self.name == EXPIRED.name { BY_HAND } else { TOWER }
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from_static(self.body.as_bytes())));
        *response.status_mut() = self.status;
        let (name, value) = self.header;
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        response
    }
}

impl Service<Sent> for Flaky {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Sent) -> Self::Future {
        drop(request);
        let is_first = self.attempts.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        ready(Ok(if is_first { self.fault.response() } else { Response::new(Full::new(Bytes::from_static(b"{}"))) }))
    }
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer(&TOKEN[1..])?.refresh_token("refresh"))
    }

    async fn refresh(&self, _: &SecretString) -> Result<TokenSet, Failure> {
        self.login().await
    }

    fn initial(&self) -> Option<TokenSet> {
        Some(token().refresh_token("refresh"))
    }
}
