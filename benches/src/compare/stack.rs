//! The group `stack`: what each layer, the whole and the peers cost a request that succeeds at once.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, Uri};
use redress::dialects;
use redress::layers::try_clone_request;
use redress_sandbox::FixedResponse;
use tokio::runtime::{Builder, Runtime};
use tower::{Service, ServiceExt};

use super::{Bound, Measure, Subject};
use crate::measure::Case;
use crate::peers::tower::{Attempts, retry, retry_auth_timeout};
use crate::peers::{canned, resilience};
use crate::requests::{Kind, Sent};
use crate::stacks;
use crate::{bodies, call};

pub(super) const NAME: &str = "stack";
/// The baseline, which is subtracted from the other cases.
pub(super) const BASE: &str = "bare";
const OURS: &str = "full";
/// The nearest stack of tower's own layers.
const THEIRS: &str = "tower_retry_auth_timeout";

/// The most that `full` may take over the transport, of what tower's takes. A clone of the static request counts references and copies
/// no text, so that less can be saved there.
const AT_MOST: [(Kind, f64); 3] = [(Kind::Static, 1.0), (Kind::Reqwest, 0.65), (Kind::Hyper, 0.75)];

/// A name, and how the case is made.
type Named = (&'static str, fn(Maker) -> Case);

const CASES: [Named; 21] = [
    (BASE, |maker| maker.of(bare())),
    ("clone", Maker::copying),
    ("tower_retry", |maker| maker.of(retry(Attempts::unbounded(), bare()))),
    ("tower_retry_budget", |maker| maker.of(retry(Attempts::budgeted(), bare()))),
    (THEIRS, |maker| maker.of(retry_auth_timeout(Attempts::unbounded(), bare()))),
    ("resilience_retry", |maker| maker.of(resilience::retry(bare()))),
    ("resilience_stack", |maker| maker.of(resilience::stack(bare()))),
    ("reqwest_middleware", Maker::of_reqwest),
    ("classify", |maker| maker.of(stacks::classify(dialects::veridia(), bare()))),
    ("refresh", |maker| maker.of(stacks::refresh(bare()))),
    ("pace", |maker| maker.of(stacks::pace(bare()))),
    ("pace_limited", |maker| maker.of(stacks::paced(bare()))),
    ("backoff", |maker| maker.of(stacks::backoff(bare()))),
    (OURS, |maker| maker.of(stacks::full(dialects::veridia(), bare()))),
    ("full_timeouts", |maker| maker.of(stacks::full_timeouts(bare()))),
    ("full_limited", |maker| maker.of(stacks::full_limited(bare()))),
    ("full_limited_tenants", |maker| maker.of_tenants(stacks::full_limited_tenants(bare()))),
    ("full_outage_elsewhere", |maker| maker.of(stacks::full_outage_elsewhere(bare()))),
    ("full_shared", Maker::of_shared),
    ("full_opentelemetry", |maker| maker.of(stacks::full_opentelemetry(bare()))),
    ("full_vlens_1k", |maker| {
        let vlens = FixedResponse::new(Bytes::from(bodies::vlens_success(1024)));
        maker.of(stacks::full(dialects::vlens(), vlens))
    }),
];

pub(super) fn subjects() -> Vec<Subject> {
    let cases = |kind| CASES.map(|(name, make)| make(Maker::new(name, kind))).into();
    Kind::ALL.map(|kind| Subject { name: kind.name(), cases: cases(kind) }).into()
}

/// Returns one case, and makes no other.
pub(super) fn case(kind: Kind, wanted: &str) -> Option<Case> {
    let (name, make) = CASES.into_iter().find(|(name, _)| *name == wanted)?;
    Some(make(Maker::new(name, kind)))
}

/// No more allocations than tower's own, and no more time over the transport.
pub(super) fn bounds() -> Vec<Bound> {
    let bound = |(kind, times): (Kind, f64)| {
        let bound = |measure, times| Bound { subject: kind.name(), measure, case: OURS, times, of: THEIRS };
        [bound(Measure::Allocations, 1.0), bound(Measure::Over(BASE), times)]
    };
    AT_MOST.into_iter().flat_map(bound).collect()
}

/// Lets this number of calls wait until the store has granted a permit for each, and drops them: the permits stay, for more than
/// half an hour.
async fn take_permits<S>(service: &S, kind: Kind, count: u64)
where
    S: Service<Sent, Error: Debug> + Clone,
{
    // A request to another route, without a limit, waits for the record of the cool-downs, and those after it do not.
    let mut first = kind.request();
    *first.uri_mut() = Uri::from_static("https://api.example/");
    let _response = service.clone().oneshot(first).await.expect("there is a response");
    let mut calls: Vec<_> = (0..count).map(|_| Box::pin(service.clone().oneshot(kind.request()))).collect();
    poll_fn(|cx| {
        assert!(calls.iter_mut().all(|call| call.as_mut().poll(cx).is_pending()), "none has a permit");
        Poll::Ready(())
    })
    .await;
    // The tasks of the service run.
    tokio::time::sleep(Duration::from_millis(10)).await;
}

fn bare() -> FixedResponse {
    FixedResponse::new(Bytes::from_static(b"{}"))
}

/// Makes cases that send a request of a kind and poll once. The timers of some need a runtime; nothing runs on it.
struct Maker {
    name: &'static str,
    kind: Kind,
    runtime: Rc<Runtime>,
}

impl Maker {
    fn new(name: &'static str, kind: Kind) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing here");
        Self { name, kind, runtime: Rc::new(runtime) }
    }

    fn of<S, B>(self, service: S) -> Case
    where
        S: Service<Sent, Response = Response<B>, Error: Debug> + 'static,
    {
        let kind = self.kind;
        self.sending(move || kind.request(), service)
    }

    /// Sends to two hosts by turns, each of which has limits of its own.
    fn of_tenants<S, B>(self, service: S) -> Case
    where
        S: Service<Sent, Response = Response<B>, Error: Debug> + 'static,
    {
        let (kind, is_other) = (self.kind, Cell::new(false));
        let tenant = move || {
            let mut request = kind.request();
            if is_other.replace(!is_other.get()) {
                *request.uri_mut() = Uri::from_static("https://other.api.example/v1/reports/rp_0000000000000000");
            }
            request
        };
        self.sending(tenant, service)
    }

    /// Sends through a new service each time, which holds a permit for each request beforehand.
    fn of_shared(self) -> Case {
        let Self { name, kind, runtime } = self;
        let with_permits = move |times| {
            let service = stacks::full_shared(bare());
            runtime.block_on(take_permits(&service, kind, times));
            Self { name, kind, runtime: Rc::clone(&runtime) }.of(service)
        };
        let counted = with_permits.clone();
        Case::timed(name, move |times| with_permits(times).time(times), move || counted(4).allocations())
    }

    fn sending<S, B>(self, request: impl Fn() -> Sent + 'static, service: S) -> Case
    where
        S: Service<Sent, Response = Response<B>, Error: Debug> + 'static,
    {
        let service = RefCell::new(service);
        self.entered(request, move |request| {
            let response = call(&mut *service.borrow_mut(), request);
            assert_eq!(response.status(), 200);
        })
    }

    fn of_reqwest(self) -> Case {
        let (client, kind) = (canned::client(), self.kind);
        let request = move || canned::reqwest(kind);
        self.entered(request, move |request| assert_eq!(canned::send(&client, request).status(), 200))
    }

    /// Copies the whole request as tower's Retry has to, and keeps the copy until the response is there.
    fn copying(self) -> Case {
        let (service, kind) = (RefCell::new(bare()), self.kind);
        self.entered(
            move || kind.request(),
            move |request| {
                let copy = try_clone_request(&request);
                assert_eq!(call(&mut *service.borrow_mut(), request).status(), 200);
                assert!(copy.is_some());
            },
        )
    }

    fn entered<T: 'static>(self, input: impl Fn() -> T + 'static, once: impl Fn(T) + 'static) -> Case {
        let Self { name, runtime, .. } = self;
        let inner = Rc::new(Case::with_input(name, input, once));
        let (timed, counted) = (Rc::clone(&inner), inner);
        let entered = Rc::clone(&runtime);
        let time = move |times| {
            let _context = entered.enter();
            timed.time(times)
        };
        let count = move || {
            let _context = runtime.enter();
            counted.allocations()
        };
        Case::timed(name, time, count)
    }
}
