//! The same with random faults.

use proptest::prelude::*;

use super::*;

/// Every second process has this rate, and the others as many calls as they may send.
fn with_rates(limit: u32, seed: u64, rate: Option<u64>) -> Run {
    let mut run = Run::new(limit, seed);
    run.processes.iter_mut().step_by(2).for_each(|process| process.rate = rate);
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_span_holds_more_requests_than_the_limit(
        limit in prop_oneof![1_u32..20, 20_u32..1_000],
        seed in any::<u64>(),
        kill_every in prop::option::of(500_u64..5_000),
        lose_one_in in prop::option::of(2_u32..20),
        rate in prop::option::of(1_u64..200),
    ) {
        let mut run = with_rates(limit, seed, rate);
        run.run(Faults { kill_every, lose_one_in, ..Faults::default() });
        prop_assert!(run.busiest() <= limit as usize, "{}", run.busiest());
    }

    #[test]
    fn a_store_that_goes_back_in_time_costs_little_of_the_limit(
        limit in prop_oneof![1_u32..20, 20_u32..1_000],
        seed in any::<u64>(),
        kill_every in prop::option::of(500_u64..5_000),
        lose_one_in in prop::option::of(2_u32..20),
        fail_over in (8_000_u64..20_000, 1_u64..700),
        rate in prop::option::of(1_u64..200),
    ) {
        let mut run = with_rates(limit, seed, rate);
        run.run(Faults { kill_every, lose_one_in, fail_over: Some(fail_over), ..Faults::default() });
        // The permits that a process took in the lost writes are unknown until its next report.
        prop_assert!(run.busiest() <= (limit + 8 + limit / 20) as usize, "{}", run.busiest());
    }

    #[test]
    fn without_a_store_the_processes_keep_the_limit_together(
        limit in prop_oneof![1_u32..20, 20_u32..1_000],
        seed in any::<u64>(),
        from in 500..PER * 4,
        length in 1..PER * 4,
    ) {
        let mut run = Run::new(limit, seed);
        run.run(Faults { down: Some((from, from + length)), ..Faults::default() });
        // A process that did not notice takes permits before the others have reported what they sent without the store.
        let unreported = 8 + limit / 50;
        prop_assert!(run.busiest() <= (limit + unreported) as usize, "{}", run.busiest());
    }
}
