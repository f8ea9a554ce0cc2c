//! The group `stack`: what each layer, the whole and the peers cost a request that succeeds at once.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

use bytes::Bytes;
use http::Response;
use redress::dialects;
use redress::layers::try_clone_request;
use redress_sandbox::FixedResponse;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;

use super::{Bound, Measure, Subject};
use crate::measure::Case;
use crate::peers::tower::{Attempts, Sent, retry, retry_auth_timeout};
use crate::peers::{canned, resilience};
use crate::stacks::{self, request};
use crate::{bodies, call};

pub(super) const NAME: &str = "stack";
/// What is taken off to see what is over it.
pub(super) const BASE: &str = "bare";
const OURS: &str = "full";
/// What does nearly the same, of tower's own.
const THEIRS: &str = "tower_retry_auth_timeout";

pub(super) fn subjects() -> Vec<Subject> {
    let runtime = runtime();
    let case = |name| Maker { name, runtime: Rc::clone(&runtime) };
    let cases = vec![
        case(BASE).of(bare()),
        case("clone").copying(),
        case("tower_retry").of(retry(Attempts::unbounded(), bare())),
        case("tower_retry_budget").of(retry(Attempts::budgeted(), bare())),
        case(THEIRS).of(retry_auth_timeout(Attempts::unbounded(), bare())),
        case("resilience_retry").of(resilience::retry(bare())),
        case("resilience_stack").of(resilience::stack(bare())),
        case("reqwest_middleware").of_reqwest(),
        case("classify").of(stacks::classify(dialects::veridia(), bare())),
        case("refresh").of(stacks::refresh(bare())),
        case("pace").of(stacks::pace(bare())),
        case("backoff").of(stacks::backoff(bare())),
        case(OURS).of(stacks::full(dialects::veridia(), bare())),
    ];
    vec![Subject { name: NAME, cases }]
}

/// No more allocations than tower's own, and no more time over the transport.
pub(super) fn bounds() -> Vec<Bound> {
    let bound = |measure| Bound { subject: NAME, measure, case: OURS, at_most: THEIRS };
    vec![bound(Measure::Allocations), bound(Measure::Over(BASE))]
}

/// Returns what is too fine for the table: a limit that is never reached, and a success whose body is looked at.
#[must_use]
pub fn details() -> Vec<Case> {
    let runtime = runtime();
    let case = |name| Maker { name, runtime: Rc::clone(&runtime) };
    let vlens = FixedResponse::new(Bytes::from(bodies::vlens_success(1024)));
    vec![
        case("pace_limited").of(stacks::paced(bare())),
        case("full_vlens_1k").of(stacks::full(dialects::vlens(), vlens)),
    ]
}

fn bare() -> FixedResponse {
    FixedResponse::new(Bytes::from_static(b"{}"))
}

/// The timers of some need one; nothing runs on it.
fn runtime() -> Rc<Runtime> {
    Rc::new(Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing here"))
}

/// Makes cases that all send the same request, poll once, and stand in the same runtime.
struct Maker {
    name: &'static str,
    runtime: Rc<Runtime>,
}

impl Maker {
    fn of<S, B>(self, service: S) -> Case
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
        let client = canned::client();
        self.entered(canned::reqwest, move |request| assert_eq!(canned::send(&client, request).status(), 200))
    }

    /// Copies the whole request as tower's Retry has to, and keeps the copy until the response is there.
    fn copying(self) -> Case {
        let service = RefCell::new(bare());
        self.entered(request, move |request| {
            let copy = try_clone_request(&request);
            assert_eq!(call(&mut *service.borrow_mut(), request).status(), 200);
            assert!(copy.is_some());
        })
    }

    fn entered<T: 'static>(self, input: impl Fn() -> T + 'static, once: impl Fn(T) + 'static) -> Case {
        let Self { name, runtime } = self;
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
