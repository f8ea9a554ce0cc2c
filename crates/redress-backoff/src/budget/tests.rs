//! What the bucket holds to.

use super::*;

#[test]
fn a_bucket_is_never_overdrawn_nor_overfilled() {
    let budget = Budget::with_capacity(20);
    assert_eq!(budget.reserve(14).map(Reservation::spend), Some(14));
    assert!(budget.reserve(14).is_none(), "all or none");
    assert_eq!(budget.reserve(6).map(Reservation::spend), Some(6));
    budget.refill(1_000);
    assert_eq!(budget.level(), 20);
}

#[test]
fn what_is_not_sent_is_not_spent_even_by_a_panic() {
    let budget = Budget::new();
    let shared = budget.clone();
    let panicked = std::thread::spawn(move || {
        let _reservation = shared.reserve(14);
        panic!("before the send");
    });
    assert!(panicked.join().is_err());
    assert_eq!(budget.level(), 500);
}

#[test]
fn threads_never_take_more_than_there_is() {
    let budget = Budget::with_capacity(10_000);
    let take = |budget: Budget| {
        (0..1_000).filter_map(|_| budget.reserve(7)).map(|taken| taken.spend() as usize).sum::<usize>()
    };
    let threads: Vec<_> =
        (0..4).map(|_| budget.clone()).map(|budget| std::thread::spawn(move || take(budget))).collect();
    let taken: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(taken + budget.level() as usize, 10_000);
    assert_eq!(budget.level(), 10_000 % 7);
}

#[test]
fn a_reservation_that_is_dropped_is_as_if_it_had_never_been() {
    let budget = Budget::with_capacity(100);
    let idle = budget.reserve(14);
    budget.refill(14);
    assert_eq!(budget.level(), 86, "what is reserved is not spent: there is nothing to refill");
    assert_eq!(budget.reserve(14).map(Reservation::spend), Some(14));
    drop(idle);
    assert_eq!(budget.level(), 86, "one retry was sent: no token is made, none is lost");
    budget.refill(14);
    assert_eq!(budget.level(), 100);
}

#[test]
fn what_was_spent_leaves_room_for_a_refill_beside_what_is_reserved() {
    let budget = Budget::with_capacity(100);
    assert_eq!(budget.reserve(14).map(Reservation::spend), Some(14));
    let reserved = budget.reserve(14);
    budget.refill(20);
    assert_eq!(budget.level(), 86);
    assert_eq!(reserved.map(Reservation::spend), Some(14));
    assert_eq!(budget.level(), 86);
}

#[test]
fn absurd_costs_and_refills_are_refused_or_saturate() {
    for capacity in [0, 1, u32::MAX - 1, u32::MAX] {
        let budget = Budget::with_capacity(capacity);
        assert!(budget.reserve(u32::MAX).is_none() || capacity == u32::MAX);
        let all = budget.reserve(capacity);
        assert_eq!(budget.level(), 0);
        budget.refill(u32::MAX);
        assert_eq!(all.map(Reservation::spend), Some(capacity));
        assert_eq!(budget.level(), 0);
        budget.refill(u32::MAX);
        assert_eq!((budget.level(), budget.capacity()), (capacity, capacity));
    }
}
