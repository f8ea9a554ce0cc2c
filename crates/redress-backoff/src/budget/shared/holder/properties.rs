//! Processes, a store and their faults in any order, against sums of tokens.

use proptest::prelude::*;

use super::*;
use crate::budget::shared::Lease;

const CAPACITY: u32 = 120;

/// An event in a fleet.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// A retry of a process, with its cost.
    Retry(usize, u32),
    /// A success of a process, with its tokens.
    Success(usize, u32),
    /// A process settles.
    Settle(usize, Purpose, Write),
    /// A write that was on its way is applied, if the record is still the one that it replaces.
    LateWrite,
    /// A process is killed, and another one started.
    Kill(usize),
    /// The record forgets a process, which was silent.
    Silence(usize),
    /// The store loses its last writes.
    FailOver(usize),
}

/// The fate of a write.
#[derive(Clone, Copy, Debug)]
enum Write {
    Answered,
    AnswerLost,
    Lost,
    Late,
}

struct Process {
    bucket: Bucket,
    holder: Holder,
    was_silent: bool,
}

/// A version of the record: its number, an id that no other write has, and the record.
type Stored = (u64, u64, BudgetRecord);

struct Fleet {
    processes: Vec<Process>,
    /// All versions of the record, `None` before the first, each with the owed tokens that it pays.
    store: Vec<(Option<Stored>, u32)>,
    /// Writes on their way: the id that they replace, what they write, and the owed tokens that they pay.
    late: Vec<(Option<u64>, Stored, u32)>,
    writes: u64,
    spent: u32,
    /// The tokens that there may be in all: the capacity, those of successes, those that are owed, and those that a store has
    /// granted twice where no process was left that knew it.
    allowed: u32,
}

impl Process {
    fn start(id: u64) -> Self {
        let pocket = CAPACITY.min(POCKET);
        let bucket = Bucket::leased(pocket, Lease::new(CAPACITY, pocket));
        Self { bucket, holder: Holder::new(id, CAPACITY, pocket), was_silent: false }
    }

    fn held(&self) -> u32 {
        // Reading the tokens that are kept for all takes them, so they are put back.
        let lease = self.bucket.lease().expect("it is leased");
        let earned = lease.take_earned();
        lease.earn(earned);
        self.bucket.tokens().sum() + earned
    }
}

impl Fleet {
    fn new(processes: usize) -> Self {
        let mut fleet = Self {
            processes: Vec::new(),
            store: vec![(None, 0)],
            late: Vec::new(),
            writes: 0,
            spent: 0,
            allowed: CAPACITY,
        };
        for _ in 0..processes {
            let process = fleet.start();
            fleet.processes.push(process);
        }
        fleet
    }

    fn start(&mut self) -> Process {
        self.writes += 1;
        self.allowed += CAPACITY.min(POCKET);
        Process::start(self.writes)
    }

    fn stored(&self) -> Option<Stored> {
        self.store.last().and_then(|(stored, _)| stored.clone())
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Retry(nth, cost) => {
                let bucket = &self.processes[nth].bucket;
                if bucket.reserve(cost) {
                    bucket.spend(cost);
                    self.spent += cost;
                }
            }
            Op::Success(nth, tokens) => {
                let process = &self.processes[nth];
                let before = process.held();
                process.bucket.refill(tokens);
                self.allowed += process.held() - before;
            }
            Op::Settle(nth, purpose, write) => self.settle(nth, purpose, write),
            Op::LateWrite => {
                if let Some((replaced, stored, paid)) = self.late.pop() {
                    self.apply(replaced, stored, paid);
                }
            }
            Op::Kill(nth) => self.processes[nth] = self.start(),
            Op::Silence(nth) => self.forget(nth),
            Op::FailOver(lost) => self.fail_over(lost),
        }
    }

    fn settle(&mut self, nth: usize, purpose: Purpose, write: Write) {
        let stored = self.stored();
        let replaced = stored.as_ref().map(|(_, id, _)| *id);
        let process = &mut self.processes[nth];
        process.holder.begin(&process.bucket, purpose);
        let known = stored.map(|(number, _, record)| (number, record));
        let before = known.clone().map_or(BudgetRecord::full(CAPACITY), |(_, record)| record);
        match process.holder.step(known, process.was_silent) {
            Step::Crowded => panic!("there are few processes"),
            Step::Arrived(arrival) => self.book(nth, arrival),
            Step::Write(record, arrival) => {
                let settlement = process.holder.pending.expect("it has begun");
                let free = if record.epoch == before.epoch { before.free } else { 0 };
                let is_paid = before.holding(settlement.id).is_some_and(|held| held.settlement == settlement.number);
                let paid = if is_paid { 0 } else { settlement.owed.min(free + settlement.earned) };
                self.writes += 1;
                let stored = (arrival.version, self.writes, record);
                match write {
                    Write::Answered => {
                        self.apply(replaced, stored, paid);
                        self.book(nth, arrival);
                    }
                    Write::AnswerLost => self.apply(replaced, stored, paid),
                    Write::Lost => {}
                    Write::Late => self.late.push((replaced, stored, paid)),
                }
            }
        }
    }

    fn apply(&mut self, replaced: Option<u64>, stored: Stored, paid: u32) {
        if self.stored().map(|(_, id, _)| id) == replaced {
            self.store.push((Some(stored), paid));
            self.allowed -= paid;
        }
    }

    fn book(&mut self, nth: usize, arrival: Arrival) {
        self.writes += 1;
        let process = &mut self.processes[nth];
        process.was_silent = false;
        if process.holder.book(&process.bucket, arrival) {
            process.holder = Holder::new(self.writes, CAPACITY, 0);
        }
    }

    fn forget(&mut self, nth: usize) {
        let process = &mut self.processes[nth];
        if let Some((Some((number, _, record)), _)) = self.store.last().cloned() {
            process.was_silent = true;
            self.writes += 1;
            self.store.push((Some((number, self.writes, record.without(process.holder.id))), 0));
        }
    }

    /// The store loses writes, and what they paid. Then a process that knows it settles first; without one, what is free there
    /// may be granted twice.
    fn fail_over(&mut self, lost: usize) {
        let lost = self.store.split_off(self.store.len().saturating_sub(lost).max(1));
        if lost.is_empty() {
            return;
        }
        self.allowed += lost.iter().map(|(_, paid)| paid).sum::<u32>();
        let (version, epoch, free) =
            self.stored().map_or((0, 0, CAPACITY), |(number, _, record)| (number, record.epoch, record.free));
        let knows = |process: &Process| (process.holder.epoch, process.holder.version) > (epoch, version);
        match self.processes.iter().position(knows) {
            Some(nth) => self.settle(nth, Purpose::Use, Write::Answered),
            None => self.allowed += free,
        }
    }

    fn check(&self) {
        let held: u32 = self.processes.iter().map(Process::held).sum();
        let free = self.stored().map_or(CAPACITY, |(_, _, record)| record.free);
        let all = self.spent + held + free;
        assert!(all <= self.allowed, "{all} of {}: {} spent, {held} held, {free} free", self.allowed, self.spent);
    }
}

fn purposes() -> impl Strategy<Value = Purpose> {
    prop_oneof![4 => Just(Purpose::Use), 1 => Just(Purpose::Rest), 1 => Just(Purpose::Leave)]
}

fn writes() -> impl Strategy<Value = Write> {
    prop_oneof![6 => Just(Write::Answered), 1 => Just(Write::AnswerLost), 1 => Just(Write::Lost), 1 => Just(Write::Late)]
}

fn ops(processes: usize, faults: u32) -> impl Strategy<Value = Op> {
    let nth = 0..processes;
    prop_oneof![
        12 => (nth.clone(), prop_oneof![Just(14_u32), Just(5)]).prop_map(|(nth, cost)| Op::Retry(nth, cost)),
        4 => (nth.clone(), 1..20_u32).prop_map(|(nth, tokens)| Op::Success(nth, tokens)),
        12 => (nth.clone(), purposes(), writes()).prop_map(|(nth, purpose, write)| Op::Settle(nth, purpose, write)),
        1 => Just(Op::LateWrite),
        faults => nth.clone().prop_map(Op::Kill),
        faults => nth.prop_map(Op::Silence),
        faults => (1..20_usize).prop_map(Op::FailOver),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn processes_never_spend_more_than_the_capacity_and_the_successes(
        ops in proptest::collection::vec(ops(5, 1), 1..150),
    ) {
        let mut fleet = Fleet::new(5);
        for op in ops {
            fleet.run(op);
            fleet.check();
        }
    }
}

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
    fleet.run(Op::FailOver(fleet.store.len() - arrived));
    let record = fleet.stored().unwrap().2;
    assert_eq!((record.free, record.epoch), (0, 1), "it is empty");
    fleet.check();
}

#[test]
fn a_store_that_went_back_leases_nothing_until_the_others_are_back() {
    let mut fleet = Fleet::new(3);
    (0..3).for_each(|nth| fleet.run(Op::Settle(nth, Purpose::Use, Write::Answered)));
    let held = fleet.processes[0].held();
    fleet.run(Op::FailOver(3));
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
