//! Single orders of events.

use super::*;

#[test]
fn all_processes_together_spend_the_capacity() {
    let mut fleet = Fleet::new(5);
    for _ in 0..20 {
        for nth in 0..5 {
            fleet.run(Op::Retry(nth, 14));
            fleet.run(Op::Settle(nth, Purpose::Use, Write::Answered));
        }
    }
    // The first retry of each process is sent even where the others have leased all tokens before; and each process may be left
    // with too few tokens for a retry.
    assert!(
        fleet.spent <= fleet.allowed && fleet.allowed <= CAPACITY + 5 * POCKET,
        "{} of {}",
        fleet.spent,
        fleet.allowed
    );
    assert!(fleet.spent > CAPACITY - 5 * 14, "{}", fleet.spent);
}

#[test]
fn a_single_process_gets_nearly_all_tokens() {
    let mut fleet = Fleet::new(1);
    for _ in 0..10 {
        fleet.run(Op::Settle(0, Purpose::Use, Write::Answered));
    }
    assert_eq!(fleet.processes[0].held(), CAPACITY);
}

#[test]
fn the_successes_of_one_process_pay_for_the_retries_of_another() {
    let mut fleet = Fleet::new(2);
    (0..10).for_each(|_| {
        fleet.run(Op::Retry(0, 14));
        fleet.run(Op::Settle(0, Purpose::Use, Write::Answered));
    });
    let spent = fleet.spent;
    fleet.run(Op::Retry(0, 14));
    assert_eq!(fleet.spent, spent, "the budget is used up");
    fleet.run(Op::Success(1, 60));
    fleet.run(Op::Settle(1, Purpose::Rest, Write::Answered));
    fleet.run(Op::Settle(0, Purpose::Use, Write::Answered));
    fleet.run(Op::Retry(0, 14));
    assert_eq!(fleet.spent, spent + 14);
}

#[test]
fn a_settlement_whose_answer_was_lost_counts_once() {
    let mut fleet = Fleet::new(2);
    fleet.run(Op::Success(0, 30));
    fleet.run(Op::Settle(0, Purpose::Use, Write::AnswerLost));
    let (version, ..) = fleet.stored().unwrap();
    fleet.run(Op::Settle(1, Purpose::Use, Write::Answered));
    fleet.run(Op::Settle(0, Purpose::Use, Write::Answered));
    assert_eq!(fleet.stored().unwrap().0, version + 1, "it was recognized, below the write of the other");
    assert!(fleet.processes[0].held() > POCKET);
    fleet.check();
}

#[test]
fn a_store_that_went_back_to_a_settlement_whose_answer_was_lost_leases_nothing() {
    let mut fleet = Fleet::new(2);
    fleet.run(Op::Settle(0, Purpose::Use, Write::AnswerLost));
    let arrived = fleet.store.len();
    (0..10).for_each(|_| {
        fleet.run(Op::Settle(1, Purpose::Use, Write::Answered));
        fleet.run(Op::Retry(1, 14));
    });
    fleet.run(Op::Silence(0));
    fleet.run(Op::Settle(0, Purpose::Use, Write::Lost));
    fleet.run(Op::FailOver(fleet.store.len() - arrived, false));
    let record = fleet.stored().unwrap().2;
    assert_eq!((record.free, record.epoch), (0, 1), "it is empty");
    fleet.check();
}

#[test]
fn a_store_that_went_back_leases_nothing_until_the_others_are_back() {
    let mut fleet = Fleet::new(3);
    (0..3).for_each(|nth| fleet.run(Op::Settle(nth, Purpose::Use, Write::Answered)));
    let held = fleet.processes[0].held();
    fleet.run(Op::FailOver(3, false));
    let record = fleet.stored().unwrap().2;
    assert_eq!((record.free, record.epoch, record.processes()), (0, 1, 1), "it is empty");
    fleet.run(Op::Success(0, 200));
    fleet.run(Op::Settle(0, Purpose::Use, Write::Answered));
    assert_eq!(fleet.processes[0].held(), held, "it is shut");
    assert!(fleet.stored().unwrap().2.free > 0);
    (1..3).for_each(|nth| fleet.run(Op::Settle(nth, Purpose::Use, Write::Answered)));
    let record = fleet.stored().unwrap().2;
    assert_eq!((record.free, record.epoch, record.processes()), (0, 1, 3), "all are back, and leave no room");
}

#[test]
fn a_marked_store_leases_nothing_that_others_may_have_leased_before() {
    let mut fleet = Fleet::new(2);
    fleet.run(Op::Settle(0, Purpose::Use, Write::Answered));
    (0..5).for_each(|_| {
        fleet.run(Op::Retry(1, 14));
        fleet.run(Op::Settle(1, Purpose::Use, Write::Answered));
    });
    fleet.run(Op::FailOver(5, true));
    let held = fleet.processes[0].held();
    fleet.run(Op::Retry(0, 14));
    fleet.run(Op::Settle(0, Purpose::Use, Write::Answered));
    assert_eq!(fleet.processes[0].held(), held - 14, "it lost nothing of its own, and learns of it by the mark");
    let record = fleet.stored().unwrap().2;
    assert_eq!((record.free, record.epoch, fleet.is_marked), (0, 1, false));
    fleet.check();
}
