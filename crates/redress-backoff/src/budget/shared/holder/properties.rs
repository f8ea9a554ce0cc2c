//! Processes, a store and their faults in any order, against sums of tokens.

mod cases;

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
    /// The store loses its last writes, and marks what is left or not.
    FailOver(usize, bool),
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

/// A write on its way: the id that it replaces, what it writes, the owed tokens that it pays, and whether it has seen a mark.
type Late = (Option<u64>, Stored, u32, bool);

struct Fleet {
    processes: Vec<Process>,
    /// All versions of the record, `None` before the first, each with the owed tokens that it pays.
    store: Vec<(Option<Stored>, u32)>,
    /// Writes on their way.
    late: Vec<Late>,
    /// The record is marked as one of a former server.
    is_marked: bool,
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
            is_marked: false,
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
                if let Some(late) = self.late.pop() {
                    self.apply(late);
                }
            }
            Op::Kill(nth) => self.processes[nth] = self.start(),
            Op::Silence(nth) => self.forget(nth),
            Op::FailOver(lost, is_marked) => self.fail_over(lost, is_marked),
        }
    }

    fn settle(&mut self, nth: usize, purpose: Purpose, write: Write) {
        let stored = self.stored();
        let replaced = stored.as_ref().map(|(_, id, _)| *id);
        let process = &mut self.processes[nth];
        process.holder.begin(&process.bucket, purpose);
        let known = stored.map(|(number, _, record)| (number, record));
        let before = known.clone().map_or(BudgetRecord::full(CAPACITY), |(_, record)| record);
        match process.holder.step(known, process.was_silent, self.is_marked) {
            Step::Crowded => panic!("there are few processes"),
            Step::Arrived(arrival) => self.book(nth, arrival),
            Step::Write(record, arrival) => {
                let settlement = process.holder.pending.expect("it has begun");
                let free = if record.epoch == before.epoch { before.free } else { 0 };
                let is_paid = before.holding(settlement.id).is_some_and(|held| held.settlement == settlement.number);
                let paid = if is_paid { 0 } else { settlement.owed.min(free + settlement.earned) };
                self.writes += 1;
                let write_of = (replaced, (arrival.version, self.writes, record), paid, self.is_marked);
                match write {
                    Write::Answered => {
                        self.apply(write_of);
                        self.book(nth, arrival);
                    }
                    Write::AnswerLost => self.apply(write_of),
                    Write::Lost => {}
                    Write::Late => self.late.push(write_of),
                }
            }
        }
    }

    fn apply(&mut self, (replaced, stored, paid, has_seen_mark): Late) {
        if self.stored().map(|(_, id, _)| id) == replaced && self.is_marked == has_seen_mark {
            self.store.push((Some(stored), paid));
            self.allowed -= paid;
            self.is_marked = false;
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

    /// The store loses writes, and what they paid. Without a mark a process that knows it settles first; if there is none, what is
    /// free there may be granted twice.
    fn fail_over(&mut self, lost: usize, is_marked: bool) {
        let lost = self.store.split_off(self.store.len().saturating_sub(lost).max(1));
        if lost.is_empty() {
            return;
        }
        self.allowed += lost.iter().map(|(_, paid)| paid).sum::<u32>();
        if is_marked && self.stored().is_some() {
            self.is_marked = true;
            return;
        }
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
        // The free tokens of a marked record are never leased.
        let free = if self.is_marked { 0 } else { self.stored().map_or(CAPACITY, |(_, _, record)| record.free) };
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
        faults => (1..20_usize, any::<bool>()).prop_map(|(lost, is_marked)| Op::FailOver(lost, is_marked)),
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
