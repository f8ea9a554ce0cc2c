//! Loom models of the budget: all interleavings of two or three threads. `scripts/loom` runs them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;
use loom::thread;

use super::bucket::Tokens;
use super::table::BudgetTable;
use super::{Budget, Reservation};

/// Runs a model in all interleavings of its threads, and prints their number.
///
/// With three threads there may be very many: the environment variable `LOOM_MAX_PREEMPTIONS` bounds the number of preemptions.
fn explore(threads: usize, name: &str, model: impl Fn() + Send + Sync + 'static) {
    let executions = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.filter(|_| threads > 2);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("loom: {name}, {threads} threads: {} executions", executions.load(Ordering::Relaxed));
}

/// Reserves and spends, and returns the spent tokens.
fn retry(budget: &Budget, cost: u32) -> u32 {
    budget.reserve(cost).map_or(0, Reservation::spend)
}

/// Asserts the invariant, which each thread may observe at any time.
fn assert_within(budget: &Budget) {
    let Tokens { level, reserved } = budget.bucket.tokens();
    assert!(level + reserved <= budget.capacity(), "{level} free and {reserved} reserved");
}

#[test]
fn two_threads_never_overdraw_the_budget() {
    explore(2, "retries", || {
        let budget = Budget::with_capacity(20);
        let other = budget.clone();
        let thread = thread::spawn(move || retry(&other, 14));
        let mine = retry(&budget, 14);
        let spent = mine + thread.join().unwrap();
        assert_eq!((spent, budget.level()), (14, 6), "exactly one of them");
    });
}

#[test]
fn three_threads_never_overdraw_the_budget() {
    explore(3, "retries", || {
        let budget = Budget::with_capacity(20);
        let threads = [14, 5].map(|cost| {
            let budget = budget.clone();
            thread::spawn(move || retry(&budget, cost))
        });
        let mine = retry(&budget, 14);
        let spent: u32 = mine + threads.map(|thread| thread.join().unwrap()).iter().sum::<u32>();
        assert!(spent == 14 || spent == 19, "{spent}");
        assert_eq!(budget.level() + spent, 20);
    });
}

#[test]
fn a_refill_races_a_retry_and_a_reservation_that_is_dropped() {
    explore(3, "a retry, a drop and a refill", || {
        let budget = Budget::with_capacity(20);
        let (first, second) = (budget.clone(), budget.clone());
        let retrying = thread::spawn(move || retry(&first, 14));
        let dropping = thread::spawn(move || {
            drop(second.reserve(5));
            assert_within(&second);
        });
        budget.refill(3);
        assert_within(&budget);
        let spent = retrying.join().unwrap();
        dropping.join().unwrap();
        let refilled = budget.level() + spent - 20;
        assert!(spent == 14 && (refilled == 0 || refilled == 3), "{spent} spent, {refilled} refilled");
    });
}

#[test]
fn refills_race_beyond_the_capacity() {
    explore(3, "a retry and refills beyond the capacity", || {
        let budget = Budget::with_capacity(20);
        assert_eq!(retry(&budget, 5), 5);
        let threads = [3, 4].map(|tokens| {
            let budget = budget.clone();
            thread::spawn(move || budget.refill(tokens))
        });
        assert_within(&budget);
        let spent = retry(&budget, 1);
        threads.map(|thread| thread.join().unwrap());
        let level = budget.level();
        // The retry may come before, between or after the refills that fill the bucket.
        assert!(spent == 1 && (level == 19 || level == 20), "{level}");
    });
}

#[test]
fn refills_by_health_race_a_retry_and_keep_the_law() {
    explore(2, "successes of a healthy and a degraded upstream, and a retry", || {
        let budget = Budget::with_capacity(20);
        assert_eq!(retry(&budget, 15), 15);
        let other = budget.clone();
        // A healthy upstream gives 14, a degraded one 1: there is room for both, in any order.
        let thread = thread::spawn(move || other.refill_with(|| 14));
        budget.refill_with(|| 1);
        let spent = 15 + retry(&budget, 5);
        assert_within(&budget);
        thread.join().unwrap();
        let (refilled, Tokens { level, reserved }) = (15, budget.bucket.tokens());
        assert_eq!(level + reserved + spent - refilled, 20);
    });
}

#[test]
fn a_panic_before_the_send_gives_back_while_others_take() {
    explore(2, "a panic before the send", || {
        let budget = Budget::with_capacity(20);
        let other = budget.clone();
        let thread = thread::spawn(move || {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _reservation = other.reserve(14);
                // A panic that prints nothing.
                resume_unwind(Box::new(()));
            }));
            assert!(panicked.is_err());
            assert_within(&other);
        });
        let spent = retry(&budget, 14);
        budget.refill(1);
        thread.join().unwrap();
        assert!(spent == 0 && budget.level() == 20 || spent == 14 && (6..=7).contains(&budget.level()));
    });
}

#[test]
fn concurrent_first_calls_of_a_key_make_one_bucket() {
    explore(2, "the first two calls of a key", || {
        let table = std::sync::Arc::new(BudgetTable::new(20, 2));
        let other = table.clone();
        let thread = thread::spawn(move || retry(&other.budget(1), 14));
        let spent = retry(&table.budget(1), 14) + thread.join().unwrap();
        assert_eq!((spent, table.budget(1).level()), (14, 6));
    });
}

#[test]
fn a_swept_bucket_was_full_and_unused() {
    explore(2, "a retry and a sweep", || {
        // One key at most, and a short interval: the second further key starts a sweep.
        let table = std::sync::Arc::new(BudgetTable::new(20, 1));
        let other = table.clone();
        drop(table.budget(1));
        let thread = thread::spawn(move || {
            let spent = retry(&other.budget(1), 14);
            other.refill(1, 5);
            spent
        });
        (2..4).for_each(|key| drop(table.budget(key)));
        assert_eq!(thread.join().unwrap(), 14);
        // Its own bucket, or the overflow bucket if another key had the place.
        let levels = (table.budget(1).level(), table.len());
        assert!(levels == (11, 1), "{levels:?}");
    });
}

#[test]
fn dropping_a_full_bucket_loses_no_concurrent_retry() {
    explore(2, "a retry and a success that fills the bucket", || {
        let table = std::sync::Arc::new(BudgetTable::new(20, 2));
        let other = table.clone();
        drop(table.budget(1));
        let thread = thread::spawn(move || retry(&other.budget(1), 14));
        table.refill(1, 5);
        assert_eq!(thread.join().unwrap(), 14);
        // The success came before the retry, or refilled as far as there was room.
        let level = table.level(1);
        assert!(level == 6 || level == 11, "{level}");
        assert!(table.is_in_use(), "the bucket is not full");
    });
}
