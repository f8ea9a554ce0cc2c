//! The cases of `stack`, `failure`, `grpc` and `contention` in detail: time from criterion, after a table of allocations per call.
//!
//! ```text
//! cargo bench -p benches --bench stack
//! ```

use benches::compare::Group;
use benches::measure::Case;
use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    println!("{:<32}{:>12}", "case", "allocations");
    for group in [Group::Stack, Group::Failure, Group::Grpc, Group::Contention] {
        for subject in group.subjects() {
            // Where there is one subject only, it is the group.
            let prefix = if subject.name == group.name() { String::new() } else { format!("{}/", subject.name) };
            subject.cases.iter().for_each(|case| run(&mut criterion, &format!("{}/{prefix}", group.name()), case));
        }
    }
    criterion.final_summary();
}

fn run(criterion: &mut Criterion, prefix: &str, case: &Case) {
    let name = format!("{prefix}{}", case.name());
    println!("{name:<32}{:>12}", case.allocations());
    criterion.bench_function(&name, |bencher| bencher.iter_custom(|times| case.time(times)));
}
