//! The cost of reading: each vendor's error in full, and the signal of Vlens successes; then allocations per reading.
//!
//! ```text
//! cargo bench -p benches --bench envelope
//! ```

use benches::allocations;
use benches::bodies::{ERRORS, vlens_success};
use benches::reading;
use criterion::{Criterion, Throughput};
use redress::dialects;
use redress::layers::Decision;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    println!("{:<32}{:>12}", "reading", "allocations");
    for (vendor, body) in ERRORS {
        let dialect = dialects::by_name(vendor).expect("it is shipped");
        let read = || {
            let envelope = reading::read(&dialect, [body.as_bytes()]);
            assert!(envelope.message.is_some());
            envelope
        };
        let name = format!("envelope/{vendor}_error");
        println!("{name:<32}{:>12.2}", allocations(|| (), |()| drop(read())));
        criterion.bench_function(&name, |bencher| bencher.iter(read));
    }
    let mut group = criterion.benchmark_group("envelope");
    for (name, size) in [("vlens_ok_1k", 1 << 10), ("vlens_ok_16k", 1 << 14), ("vlens_ok_256k", 1 << 18)] {
        let (dialect, body) = (dialects::vlens(), vlens_success(size));
        let signal = || assert_eq!(reading::signal(&dialect, [body.as_bytes()]), Decision::Success);
        println!("{:<32}{:>12.2}", format!("envelope/{name}"), allocations(|| (), |()| signal()));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(signal));
    }
    group.finish();
    criterion.final_summary();
}
