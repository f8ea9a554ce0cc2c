//! The group `contention`: the state that all calls share, used by 1, 2, 4 and 8 threads at once.
//!
//! The time is that of one operation, all threads together: on enough cores it halves with twice the threads if they never
//! meet.

use std::cell::RefCell;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::{Arc, Barrier, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, Uri, header};
use http_body_util::Full;
use redress::{Budget, dialects};
use redress_sandbox::FixedResponse;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower_service::Service;

use super::{Bound, Measure, Subject};
use crate::call;
use crate::measure::Case;
use crate::requests::{Kind, Sent};
use crate::stacks::{self, TOKEN};

const OURS: &str = "redress";
const TOWER: &str = "tower_tps_budget";
const LOCK: &str = "rwlock";
const TASKS: [usize; 4] = [1, 2, 4, 8];

/// A slice of so many operations is taken as one of this many times as many, so that the threads meet for a while.
const STRETCH: u64 = 4;

/// Makes the cases for so many tasks.
type Cases = fn(usize) -> Vec<Case>;

pub(super) fn subjects() -> Vec<Subject> {
    let kinds: [(&str, Cases); 5] =
        [("budget_success", success), ("budget_retry", retry), ("gate", gate), ("token", token), ("full", full)];
    let subject = |(kind, cases): (&str, fn(usize) -> Vec<Case>), tasks| {
        // The names of the run, a few bytes each.
        Subject { name: format!("{kind}_{tasks}").leak(), cases: cases(tasks) }
    };
    kinds.into_iter().flat_map(|kind| TASKS.map(|tasks| subject(kind, tasks))).collect()
}

/// On two threads the stack takes at most 1.8 times what the transport takes with the making of the request.
pub(super) fn bounds() -> Vec<Bound> {
    vec![Bound { subject: "full_2", measure: Measure::Time, case: OURS, times: 1.8, of: "bare" }]
}

/// The work of each success: the bucket is full.
fn success(tasks: usize) -> Vec<Case> {
    let (ours, theirs) = (Budget::new(), tower_budget());
    vec![
        case(OURS, tasks, move || {
            let budget = ours.clone();
            move || budget.refill(black_box(Budget::FIRST_ATTEMPT_REFILL))
        }),
        case(TOWER, tasks, move || {
            let budget = Arc::clone(&theirs);
            move || budget.deposit()
        }),
    ]
}

/// The work of a call that succeeds at the second attempt.
fn retry(tasks: usize) -> Vec<Case> {
    let (ours, theirs) = (Budget::new(), tower_budget());
    vec![
        case(OURS, tasks, move || {
            let budget = ours.clone();
            move || {
                let reservation = budget.reserve(Budget::TRANSIENT_COST).expect("eight at once are not too many");
                budget.refill(reservation.spend());
            }
        }),
        case(TOWER, tasks, move || {
            let budget = Arc::clone(&theirs);
            move || {
                assert!(budget.withdraw());
                budget.deposit();
            }
        }),
    ]
}

/// A call through an open gate, with and without a limit for its route.
fn gate(tasks: usize) -> Vec<Case> {
    let (open, limited) = (stacks::pace(bare()), stacks::paced(bare()));
    vec![
        case(OURS, tasks, move || sender(open.clone())),
        case("redress_limited", tasks, move || sender(limited.clone())),
        case("bare", tasks, move || sender(bare())),
    ]
}

/// A call that is given the token of all.
fn token(tasks: usize) -> Vec<Case> {
    let refresh = stacks::refresh(bare());
    let bearer = format!("Bearer {TOKEN}").parse().expect("a legal token");
    let locked = Locked { inner: bare(), bearer: Arc::new(RwLock::new(bearer)) };
    vec![
        case(OURS, tasks, move || sender(refresh.clone())),
        case(LOCK, tasks, move || sender(locked.clone())),
        case("bare", tasks, move || sender(bare())),
    ]
}

/// A whole call through one stack, cloned for each thread. All of them make their requests in the loop.
fn full(tasks: usize) -> Vec<Case> {
    let make = || Kind::Static.request();
    let (ours, limited) = (stacks::full(dialects::veridia(), bare()), stacks::full_limited(bare()));
    vec![
        case(OURS, tasks, move || sending(make, ours.clone())),
        case("redress_limited", tasks, move || sending(make, limited.clone())),
        case("bare", tasks, move || sending(make, bare())),
    ]
}

fn bare() -> FixedResponse {
    FixedResponse::new(Bytes::from_static(b"{}"))
}

/// It allows a retry for each success.
fn tower_budget() -> Arc<TpsBudget> {
    Arc::new(TpsBudget::new(Duration::from_secs(10), 1_000, 1.0))
}

fn sender<S, B>(service: S) -> impl FnMut() + Send
where
    S: Service<Sent, Response = Response<B>, Error: std::fmt::Debug> + Send,
{
    let uri = Uri::from_static("https://api.example/v1/reports/rp_0000000000000000");
    let make = move || {
        let mut request = Sent::new(Full::new(Bytes::from_static(b"{}")));
        *request.method_mut() = Method::PUT;
        request.uri_mut().clone_from(&uri);
        request
    };
    sending(make, service)
}

fn sending<S, B>(make: impl Fn() -> Sent + Send, mut service: S) -> impl FnMut() + Send
where
    S: Service<Sent, Response = Response<B>, Error: std::fmt::Debug> + Send,
{
    move || assert_eq!(call(&mut service, make()).status(), 200)
}

/// The way by hand: a token behind a lock that readers share.
#[derive(Clone)]
struct Locked {
    inner: FixedResponse,
    bearer: Arc<RwLock<HeaderValue>>,
}

impl Service<Sent> for Locked {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = <FixedResponse as Service<Sent>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Sent>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, mut request: Sent) -> Self::Future {
        let bearer = self.bearer.read().unwrap_or_else(PoisonError::into_inner).clone();
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        self.inner.call(request)
    }
}

/// Makes a case of so many threads that each have an operation of their own on what they share.
fn case<O>(name: &'static str, tasks: usize, operation: impl Fn() -> O + 'static) -> Case
where
    O: FnMut() + Send + 'static,
{
    let alone = RefCell::new(operation());
    let count = move || allocation_counter::measure(|| alone.borrow_mut()()).count_total;
    Case::timed(name, move |times| together(times, (0..tasks).map(|_| operation()).collect()), count)
}

/// Returns how long so many operations take in all, from when the first thread begins until the last one ends.
fn together<O: FnMut() + Send>(times: u64, operations: Vec<O>) -> Duration {
    let tasks = operations.len() as u64;
    let each = (times * STRETCH).div_ceil(tasks);
    let barrier = Barrier::new(operations.len());
    let run = |mut operation: O| {
        barrier.wait();
        let start = Instant::now();
        allocation_counter::opt_out(|| (0..each).for_each(|_| operation()));
        (start, Instant::now())
    };
    let run = &run;
    let spans = thread::scope(|scope| {
        let threads: Vec<_> = operations.into_iter().map(|operation| scope.spawn(move || run(operation))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect::<Vec<_>>()
    });
    let start = spans.iter().map(|(start, _)| *start).min();
    let end = spans.iter().map(|(_, end)| *end).max();
    let taken = start.zip(end).map_or(Duration::ZERO, |(start, end)| end - start);
    let share = times as f64 / (each * tasks) as f64;
    Duration::from_nanos((taken.as_nanos() as f64 * share) as u64)
}
