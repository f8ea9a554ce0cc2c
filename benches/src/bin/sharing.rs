//! Times what sharing by a store adds to a call that has permits in hand, beside the same call without a store. It fails above
//! 100 ns.
//!
//! ```text
//! cargo run --release -p benches --bin sharing
//! ```

use std::cell::RefCell;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure as allocations;
use benches::measure::{Case, Cost, busy, measure};
use benches::requests::{Kind, Sent};
use benches::stacks;
use bytes::Bytes;
use redress::{Limit, MemoryStore, PaceLayer, StaticHeaders, dialects};
use redress_sandbox::FixedResponse;
use tokio::runtime::{Builder, Runtime};
use tower_layer::Layer;
use tower_service::Service;

/// The time that sharing may add to a call, in nanoseconds.
const AT_MOST: f64 = 100.0;
/// The number of calls between two times that the tasks of the layers run.
const BATCH: u64 = 512;
/// Longer than a renewal over a store in memory takes.
const PAUSE: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let runtime = Rc::new(Builder::new_current_thread().enable_time().build().expect("a runtime needs nothing here"));
    let limited = |layer: PaceLayer| layer.limit(Limit::all_routes(NonZeroU32::MAX, Duration::from_secs(60)));
    let pace = || limited(PaceLayer::new(dialects::generic()));
    let full = || stacks::held(stacks::layer(dialects::generic(), StaticHeaders::new()).pace(limited));
    let store = MemoryStore::new;
    let cases = [
        case("pace", &runtime, |server| pace().layer(server)),
        case("pace, shared", &runtime, |server| pace().share(store(), "bench").layer(server)),
        case("stack", &runtime, |server| full().layer(server)),
        case("stack, shared", &runtime, |server| full().share(store(), "bench").layer(server)),
    ];
    let costs = measure(&cases, || {});
    let mut is_within = true;
    for (pair, cost) in cases.chunks(2).zip(costs.chunks(2)) {
        let [Cost { ns: apart, .. }, Cost { ns: shared, allocs, .. }] = cost else { continue };
        let more = shared - apart;
        is_within &= more <= AT_MOST;
        let more_allocations = allocs - cost[0].allocs;
        println!(
            "{}: {apart:.0} ns, shared {shared:.0} ns: {more:.0} ns and {more_allocations} allocations more",
            pair[0].name()
        );
    }
    if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes a case of one service, whose tasks run between batches of calls.
fn case<S>(name: &'static str, runtime: &Rc<Runtime>, service: impl FnOnce(FixedResponse) -> S) -> Case
where
    S: Service<Sent> + 'static,
{
    let context = runtime.enter();
    let service = Rc::new(RefCell::new(service(FixedResponse::new(Bytes::from_static(b"{}")))));
    drop(context);
    let (timed, runtime) = (Rc::clone(&service), Rc::clone(runtime));
    let other = Rc::clone(&runtime);
    let time = move |times: u64| {
        (0..times).step_by(BATCH as usize).map(|done| batch(&runtime, &timed, (times - done).min(BATCH))).sum()
    };
    let count = move || {
        let _ = batch(&other, &service, BATCH);
        let _context = other.enter();
        let input = Kind::Static.request();
        allocations(|| assert!(answers(&mut *service.borrow_mut(), input))).count_total
    };
    Case::timed(name, time, count)
}

/// Makes calls and returns the time that they take. A batch in which a call awaited something is done again: its permits had
/// ended, or were few yet. Calls that wait for permits make the next grant larger.
fn batch<S: Service<Sent>>(runtime: &Runtime, service: &RefCell<S>, size: u64) -> Duration {
    loop {
        runtime.block_on(async { tokio::time::sleep(PAUSE).await });
        let requests: Vec<_> = (0..size).map(|_| Kind::Static.request()).collect();
        let _context = runtime.enter();
        let (mut all, service) = (true, &mut *service.borrow_mut());
        let taken =
            busy(|| all = requests.into_iter().map(|request| answers(service, request)).fold(true, |all, is| all & is));
        if all {
            return taken;
        }
        let calls = (0..size).map(|_| Box::pin(service.call(Kind::Static.request())));
        runtime.block_on(all_of(calls.collect()));
    }
}

/// Awaits calls at the same time.
async fn all_of<F: Future>(mut calls: Vec<Pin<Box<F>>>) {
    poll_fn(|cx| {
        calls.retain_mut(|call| call.as_mut().poll(cx).is_pending());
        if calls.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Returns `true` if a call ends without awaiting anything.
fn answers<S: Service<Sent>>(service: &mut S, request: Sent) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready(), "the service is ready");
    matches!(pin!(service.call(request)).poll(&mut cx), Poll::Ready(Ok(_)))
}
