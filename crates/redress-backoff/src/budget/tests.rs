//! Tests of the bucket and the table against simple models.

use std::collections::BTreeMap;

use http::Request;
use proptest::prelude::*;

use super::budgets::KeyParts;
use super::table::BudgetTable;
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
fn a_panic_before_sending_spends_nothing() {
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
fn threads_never_overdraw_the_budget() {
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
fn dropping_a_reservation_undoes_it() {
    let budget = Budget::with_capacity(100);
    let idle = budget.reserve(14);
    budget.refill(14);
    assert_eq!(budget.level(), 86, "reserved tokens are not spent: there is nothing to refill");
    assert_eq!(budget.reserve(14).map(Reservation::spend), Some(14));
    drop(idle);
    assert_eq!(budget.level(), 86, "one retry was sent: no token is created or lost");
    budget.refill(14);
    assert_eq!(budget.level(), 100);
}

#[test]
fn spent_tokens_leave_room_for_a_refill_and_reserved_ones_do_not() {
    let budget = Budget::with_capacity(100);
    assert_eq!(budget.reserve(14).map(Reservation::spend), Some(14));
    let reserved = budget.reserve(14);
    budget.refill(20);
    assert_eq!(budget.level(), 86);
    assert_eq!(reserved.map(Reservation::spend), Some(14));
    assert_eq!(budget.level(), 86);
}

#[test]
fn extreme_costs_and_refills_are_refused_or_saturate() {
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

#[test]
fn debug_shows_the_tokens() {
    let budget = Budget::with_capacity(20);
    let _reserved = budget.reserve(5);
    assert_eq!(format!("{budget:?}"), "Budget { level: 15, reserved: 5, capacity: 20 }");
    assert_eq!(format!("{:?}", Budgets::from(budget.clone())), format!("{budget:?}"));
    let keyed = Budgets::keyed(7, |_, _, _| "secret".into());
    let _ = keyed.for_request(&Request::new(()));
    assert_eq!(format!("{keyed:?}"), "Budgets { capacity: 7, keys: 1, .. }");
}

fn spend(budgets: &Budgets, url: &str, tokens: u32) -> u32 {
    let budget = budgets.for_request(&Request::get(url).body(()).expect("a URL"));
    let _ = budget.reserve(tokens).map(Reservation::spend);
    budget.level()
}

#[test]
fn each_authority_has_one_bucket_in_any_spelling() {
    let budgets = Budgets::per_authority();
    assert_eq!(spend(&budgets, "https://api.example/a", 100), 400);
    assert_eq!(spend(&budgets, "https://API.example:443/b?c=d", 100), 300);
    assert_eq!(spend(&budgets, "https://user:password@api.example/", 100), 200);
    assert_eq!(spend(&budgets, "https://api.example:8443/", 100), 400);
    assert_eq!(spend(&budgets, "http://api.example/", 100), 400);
    assert_eq!(spend(&budgets, "http://api.example:80/", 100), 300);
    assert_eq!(spend(&budgets, "https://example/", 100), 400);
    let relative = |host: &str| Request::get("/a").header("host", host).body(()).expect("a path");
    let _ = budgets.for_request(&relative("one.example")).reserve(100).map(Reservation::spend);
    assert_eq!(budgets.for_request(&relative("ONE.example")).level(), 400);
    assert_eq!(budgets.for_request(&relative("two.example")).level(), 500);
    let shared = budgets.clone();
    assert_eq!(spend(&shared, "https://api.example", 100), 100, "clones share the buckets");
    assert_eq!(spend(&budgets, "https://api.example", 0), 100);
}

#[test]
fn one_budget_serves_all_calls() {
    let budget = Budget::with_capacity(100);
    let budgets = Budgets::from(budget.clone());
    assert_eq!((spend(&budgets, "https://a", 10), spend(&budgets, "https://b", 10), budget.level()), (90, 80, 80));
    budgets.refill(|| 0, || 5);
    assert_eq!(budget.level(), 85);
}

#[test]
fn a_success_makes_no_bucket_and_fills_only_its_own() {
    let table = BudgetTable::new(20, 8);
    table.refill(1, 5);
    assert_eq!(table.len(), 0);
    let _ = table.budget(1).reserve(14).map(Reservation::spend);
    table.refill(2, 5);
    assert_eq!((table.len(), table.budget(1).level()), (1, 6));
    table.refill(1, 5);
    assert_eq!(table.budget(1).level(), 11);
}

#[test]
fn reading_a_level_makes_no_bucket() {
    let table = BudgetTable::new(20, 8);
    assert_eq!((table.level(1), table.len()), (20, 0), "a key without a bucket counts as full");
    let _ = table.budget(1).reserve(14).map(Reservation::spend);
    assert_eq!((table.level(1), table.level(2), table.len()), (6, 20, 1));
    let budgets = Budgets::per_authority();
    let request = Request::get("https://api.example/").body(()).expect("a URL");
    let _ = budgets.for_request(&request).reserve(100).map(Reservation::spend);
    assert_eq!(budgets.level(budgets.key(&KeyParts::from_request(&request), None)), 400);
    assert_eq!(Budgets::from(Budget::with_capacity(7)).level(0), 7);
}

#[test]
fn full_unused_buckets_are_dropped_and_others_kept() {
    let table = BudgetTable::new(20, 100);
    let held = table.budget(1);
    let reserved = table.budget(2).reserve(5);
    let _ = table.budget(3).reserve(14).map(Reservation::spend);
    for key in 10..1_000 {
        let _ = table.budget(key);
        assert!(table.len() <= 100);
    }
    let _ = held.reserve(9).map(Reservation::spend);
    assert_eq!((table.budget(1).level(), table.budget(2).level(), table.budget(3).level()), (11, 15, 6));
    drop(reserved);
    assert_eq!(table.budget(2).level(), 20);
}

#[test]
fn full_buckets_are_swept_after_enough_further_keys() {
    let table = BudgetTable::new(20, 1_000);
    let made = (0..140).map(|key| {
        drop(table.budget(key));
        table.len()
    });
    assert!(made.eq((1..=64).chain(1..=65).chain(1..=11)), "after sixty-four further keys, or as many as there are");
}

#[test]
fn keys_above_the_maximum_share_a_bucket() {
    let table = BudgetTable::new(20, 3);
    for key in 0..3 {
        let _ = table.budget(key).reserve(5).map(Reservation::spend);
    }
    let _ = table.budget(7).reserve(5).map(Reservation::spend);
    assert_eq!((table.len(), table.budget(8).level(), table.budget(0).level()), (3, 15, 15));
    table.refill(9, 5);
    assert_eq!(table.budget(8).level(), 20, "a success of any of them refills the shared bucket");
    (0..3).for_each(|key| table.refill(key, 5));
    (10..20).for_each(|key| drop(table.budget(key)));
    assert!(table.budget(8).reserve(20).is_some() && table.budget(21).level() == 20, "there is room again");
}

/// An operation on the bucket of one key.
#[derive(Clone, Copy, Debug)]
enum Op {
    Reserve(u64, u32),
    Spend(usize),
    Drop(usize),
    Refill(u64, u32),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let tokens = prop_oneof![4 => 0_u32..30, 1 => any::<u32>()];
    let op = (0_usize..5, 0_u64..90, 0_usize..8, tokens).prop_map(|(kind, key, nth, tokens)| match kind {
        0 | 1 => Op::Reserve(key, tokens),
        2 => Op::Spend(nth),
        3 => Op::Drop(nth),
        _ => Op::Refill(key, tokens),
    });
    proptest::collection::vec(op, 0..200)
}

/// The invariant in its simplest form: the spent, refilled and reserved tokens of each key.
#[derive(Default)]
struct Model {
    spent: i128,
    refilled: i128,
    reserved: i128,
}

impl Model {
    fn level(&self, capacity: u32) -> i128 {
        i128::from(capacity) + self.refilled - self.spent - self.reserved
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn each_bucket_keeps_the_invariant(capacity in 0_u32..60, keys in 1_u64..90, ops in ops()) {
        let table = BudgetTable::new(capacity, 1_000);
        let mut models: BTreeMap<u64, Model> = BTreeMap::new();
        let mut open: Vec<(u64, u32, Reservation)> = Vec::new();
        for op in ops {
            match op {
                Op::Reserve(key, cost) => {
                    let key = key % keys;
                    let model = models.entry(key).or_default();
                    let reservation = table.budget(key).reserve(cost);
                    prop_assert_eq!(reservation.is_some(), model.level(capacity) >= i128::from(cost));
                    if let Some(reservation) = reservation {
                        model.reserved += i128::from(cost);
                        open.push((key, cost, reservation));
                    }
                }
                Op::Spend(nth) if nth < open.len() => {
                    let (key, cost, reservation) = open.swap_remove(nth);
                    prop_assert_eq!(reservation.spend(), cost);
                    let model = models.entry(key).or_default();
                    model.reserved -= i128::from(cost);
                    model.spent += i128::from(cost);
                }
                Op::Drop(nth) if nth < open.len() => {
                    let (key, cost, reservation) = open.swap_remove(nth);
                    drop(reservation);
                    models.entry(key).or_default().reserved -= i128::from(cost);
                }
                Op::Spend(_) | Op::Drop(_) => {}
                Op::Refill(key, tokens) => {
                    let key = key % keys;
                    table.refill(key, tokens);
                    let model = models.entry(key).or_default();
                    model.refilled += i128::from(tokens).min(model.spent - model.refilled);
                }
            }
        }
        for (key, model) in models {
            let level = i128::from(table.budget(key).level());
            prop_assert_eq!(level, model.level(capacity));
            prop_assert!((0..=i128::from(capacity)).contains(&level));
        }
    }
}

#[test]
fn the_overflow_bucket_is_refilled_without_any_other_bucket() {
    let table = BudgetTable::new(20, 1);
    let _ = table.budget(1).reserve(5).map(Reservation::spend);
    let _ = table.budget(2).reserve(14).map(Reservation::spend);
    table.refill(1, 5);
    assert_eq!(
        (table.len(), table.is_in_use()),
        (0, true),
        "a full bucket is dropped, and the overflow bucket is not full"
    );
    table.refill(2, 14);
    assert!(!table.is_in_use());
    let _ = table.budget(3).reserve(14).map(Reservation::spend);
    assert!(table.is_in_use());
}
