//! Parts that the benchmarks share: a transport that costs nothing, the stacks over it, the vendors' bodies and other
//! ways to read them.

pub mod bodies;
pub mod compare;
pub mod dialect_files;
pub mod families;
pub mod grpc;
pub mod loopback;
pub mod measure;
pub mod peers;
pub mod readers;
pub mod reading;
pub mod requests;
pub mod score;
pub mod stacks;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use tower_service::Service;

/// Sends a request through a service that answers at once, without a runtime: nothing but the service is measured.
///
/// # Panics
/// When the service is not ready, does not answer at once, or fails.
pub fn call<S, Q, B>(service: &mut S, request: Request<Q>) -> Response<B>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
{
    let mut cx = Context::from_waker(Waker::noop());
    let ready = service.poll_ready(&mut cx);
    assert!(matches!(ready, Poll::Ready(Ok(()))), "the service is ready");
    match pin!(service.call(request)).poll(&mut cx) {
        Poll::Ready(response) => response.expect("the service answers"),
        Poll::Pending => panic!("the service answers at once"),
    }
}

/// Runs `call` 100 times to warm up and 10,000 times more, and returns the allocations per call.
///
/// The inputs are made beforehand, so that only the call itself is counted.
pub fn allocations<T>(input: impl Fn() -> T, mut call: impl FnMut(T)) -> f64 {
    const CALLS: u32 = 10_000;
    (0..100).for_each(|_| call(input()));
    let inputs: Vec<T> = (0..CALLS).map(|_| input()).collect();
    let counted = allocation_counter::measure(|| inputs.into_iter().for_each(&mut call));
    // The vector of the inputs is freed inside and allocated outside: it does not count.
    counted.count_total as f64 / f64::from(CALLS)
}
