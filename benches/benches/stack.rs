//! What each layer costs a success: time from criterion, then allocations per call.
//!
//! ```text
//! cargo bench -p benches --bench stack
//! ```

use benches::stacks::{self, Bare, request};
use benches::{allocations, bodies, call};
use bytes::Bytes;
use criterion::{BatchSize, Criterion};
use http::{Request, Response};
use http_body_util::Full;
use redress::classify::try_clone_request;
use redress::dialects;
use tower_service::Service;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let bare = || Bare::new(Bytes::from_static(b"{}"));
    let vlens = || Bare::new(Bytes::from(bodies::vlens_success(1024)));

    println!("{:<24}{:>12}", "stack", "allocations");
    criterion.bench_function("stack/clone", |bencher| {
        bencher.iter_batched_ref(
            request,
            |request| try_clone_request(request).expect("it is copyable"),
            BatchSize::SmallInput,
        );
    });
    run(&mut criterion, "bare", bare());
    run(&mut criterion, "classify", stacks::classify(dialects::veridia(), bare()));
    run(&mut criterion, "refresh", stacks::refresh(bare()));
    run(&mut criterion, "pace", stacks::pace(bare()));
    run(&mut criterion, "pace_limited", stacks::paced(bare()));
    run(&mut criterion, "backoff", stacks::backoff(bare()));
    run(&mut criterion, "full", stacks::full(dialects::veridia(), bare()));
    run(&mut criterion, "full_vlens_1k", stacks::full(dialects::vlens(), vlens()));
    criterion.final_summary();
}

fn run<S, B>(criterion: &mut Criterion, name: &str, mut service: S)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
{
    let mut send = |request| {
        let response = call(&mut service, request);
        assert_eq!(response.status(), 200);
        response
    };
    let count = allocations(request, |request| drop(send(request)));
    println!("{:<24}{count:>12.2}", format!("stack/{name}"));
    criterion.bench_function(&format!("stack/{name}"), |bencher| {
        bencher.iter_batched(request, &mut send, BatchSize::SmallInput);
    });
}
