//! Two processes on one record: all orders of their steps, with faults at any of them.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use redress_explore::{Choices, explore};

use super::holder::{Holder, Renewal};
use super::record::{Grant, LimitRecord, Request};
use super::rule::Rule;

/// The time of the limit, and the requests that it allows.
const PER: u64 = 6_000;
const LIMIT: u32 = 2;
/// The number of steps of a run.
const STEPS: usize = 7;

/// A step of a process, of the store, or of time.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It sends as many requests as it has permits.
    Send(usize),
    /// It reads the record, and its write follows at once.
    Renew(usize),
    /// It reads the record.
    Read(usize),
    /// Its write reaches the store.
    Write(usize),
    /// The same, and the answer is lost.
    WriteUnanswered(usize),
    /// It ends, and another one starts.
    Restart(usize),
    /// The store loses its last write.
    GoBack,
    Wait(u64),
}

/// The faults that a run may have.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Faults {
    restarts: u32,
    lost_answers: u32,
    fail_overs: u32,
    /// The store marks what another server wrote.
    is_marked: bool,
}

#[derive(Clone, Debug, Default)]
struct Stored {
    record: Option<LimitRecord>,
    is_of_former_server: bool,
    written: u64,
    number: u64,
    /// Distinguishes writes of the same number.
    id: u64,
}

#[derive(Debug)]
struct Flight {
    renewal: Renewal,
    request: Request,
    grant: Grant,
    record: LimitRecord,
    requested: u64,
    base: (u64, u64),
    has_seen_mark: bool,
}

#[derive(Debug)]
struct Process {
    holder: Holder,
    flight: Option<Flight>,
    seen: u64,
}

struct World {
    rule: Rule,
    now: u64,
    store: Vec<Stored>,
    processes: [Process; 2],
    started: u64,
    writes: u64,
    sent: Vec<u64>,
    faults: Faults,
}

impl World {
    fn new(faults: Faults) -> Self {
        let rule = Rule::new(NonZeroU32::new(LIMIT).unwrap(), Duration::from_millis(PER));
        let process = |id| Process { holder: Holder::new(id, &rule), flight: None, seen: 0 };
        let (processes, store) = ([process(1), process(2)], vec![Stored::default()]);
        let mut world = Self { rule, now: 1, store, processes, started: 2, writes: 0, sent: Vec::new(), faults };
        if faults.fail_overs > 0 {
            // Both have permits, and the first one loses nothing of its own.
            world.take(Step::Renew(0));
            world.take(Step::Renew(1));
        }
        world
    }

    fn stored(&self) -> Stored {
        self.store.last().cloned().unwrap_or_default()
    }

    /// Returns the steps that are possible now.
    fn steps(&self) -> Vec<Step> {
        let lease = self.rule.lease(0.0);
        let mut steps = vec![Step::Wait(lease), Step::Wait(self.rule.window)];
        for (nth, process) in self.processes.iter().enumerate() {
            if process.holder.permits(self.now) > 0 {
                steps.push(Step::Send(nth));
            }
            match &process.flight {
                Some(_) => {
                    steps.push(Step::Write(nth));
                    steps.extend((self.faults.lost_answers > 0).then_some(Step::WriteUnanswered(nth)));
                }
                None if process.holder.is_due(true, self.now) => steps.extend([Step::Renew(nth), Step::Read(nth)]),
                None => {}
            }
            steps.extend((self.faults.restarts > 0).then_some(Step::Restart(nth)));
        }
        steps.extend((self.faults.fail_overs > 0 && self.store.len() > 1).then_some(Step::GoBack));
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send(nth) => {
                while self.processes[nth].holder.try_send(&self.rule, self.now) {
                    self.sent.push(self.now);
                }
            }
            Step::Read(nth) => self.begin(nth),
            Step::Renew(nth) => {
                self.begin(nth);
                self.write(nth, true);
            }
            Step::Write(nth) => self.write(nth, true),
            Step::WriteUnanswered(nth) => {
                self.faults.lost_answers -= 1;
                self.write(nth, false);
            }
            Step::Restart(nth) => {
                self.faults.restarts -= 1;
                self.started += 1;
                let holder = Holder::new(self.started, &self.rule);
                self.processes[nth] = Process { holder, flight: None, seen: 0 };
            }
            Step::GoBack => {
                self.faults.fail_overs -= 1;
                self.store.pop();
                self.store.last_mut().expect("one stays").is_of_former_server = self.faults.is_marked;
            }
            Step::Wait(millis) => self.now += millis,
        }
    }

    fn begin(&mut self, nth: usize) {
        let renewal = self.processes[nth].holder.begin(&self.rule, self.now);
        self.read(nth, renewal);
    }

    fn read(&mut self, nth: usize, renewal: Renewal) {
        let (stored, process) = (self.stored(), &mut self.processes[nth]);
        let mut record = stored.record.unwrap_or_default();
        record.advance(self.now - stored.written);
        if stored.is_of_former_server {
            record.open();
        }
        let is_lost = stored.number < process.seen || stored.is_of_former_server;
        process.seen = stored.number;
        let request = process.holder.request(&self.rule, renewal, &mut record, (20, is_lost), self.now);
        let grant = record.renew(&self.rule, &request);
        if !grant.must_write {
            return process.holder.granted(&request, (grant, record), self.now, 0);
        }
        let base = (stored.number, stored.id);
        let has_seen_mark = stored.is_of_former_server;
        process.flight = Some(Flight { renewal, request, grant, record, requested: self.now, base, has_seen_mark });
    }

    fn write(&mut self, nth: usize, is_answered: bool) {
        let stored = self.stored();
        let Some(flight) = self.processes[nth].flight.take() else { return };
        if flight.base != (stored.number, stored.id) || stored.is_of_former_server != flight.has_seen_mark {
            return self.read(nth, flight.renewal);
        }
        self.writes += 1;
        let number = stored.number + 1;
        let record = Some(flight.record.clone());
        self.store.push(Stored { record, written: self.now, number, id: self.writes, ..Stored::default() });
        let Process { holder, seen, .. } = &mut self.processes[nth];
        if !is_answered {
            return holder.failed(&self.rule, self.now);
        }
        *seen = number;
        holder.granted(&flight.request, (flight.grant, flight.record), flight.requested, 0);
    }

    /// Returns all that decides about the rest of a run.
    fn state(&self, left: usize) -> impl Hash {
        let mut store = self.store.clone();
        // Only the last write can be lost.
        store.drain(..store.len().saturating_sub(1 + self.faults.fail_overs as usize));
        (left, self.now, format!("{:?} {store:?}", self.processes), self.sent.clone(), self.faults)
    }

    /// Returns the largest number of requests in a span of the limit.
    fn busiest(&self) -> usize {
        let within = |at: &u64| self.sent.iter().filter(|other| (*at..at + PER).contains(other)).count();
        self.sent.iter().map(within).max().unwrap_or(0)
    }
}

/// Takes the steps of a run, and returns the largest number of requests in a span. `None` for a state that was reached before.
fn run(choices: &mut Choices<'_>, faults: Faults) -> Option<usize> {
    let mut world = World::new(faults);
    for left in (0..STEPS).rev() {
        let steps = world.steps();
        let step = steps[choices.choose(steps.len())];
        world.take(step);
        if choices.was_here(&world.state(left)) {
            return None;
        }
    }
    Some(world.busiest())
}

/// Explores all runs with these faults, and returns the worst span.
fn worst(name: &str, faults: Faults) -> usize {
    let mut worst = 0;
    let runs = explore(|choices| worst = worst.max(run(choices, faults).unwrap_or(0)));
    println!("{name}: {runs} runs, at most {worst} requests in a span, of {LIMIT}");
    worst
}

#[test]
fn no_order_of_steps_exceeds_the_limit() {
    assert_eq!(worst("no faults", Faults::default()), LIMIT as usize, "all of it can be used");
}

#[test]
fn no_order_exceeds_the_limit_when_processes_are_killed() {
    assert!(worst("a restart", Faults { restarts: 1, ..Faults::default() }) <= LIMIT as usize);
}

#[test]
fn no_order_exceeds_the_limit_when_an_answer_is_lost() {
    assert!(worst("a lost answer", Faults { lost_answers: 1, ..Faults::default() }) <= LIMIT as usize);
}

#[test]
fn a_store_that_loses_a_write_costs_at_most_a_grant() {
    let worst = worst("a fail-over", Faults { fail_overs: 1, ..Faults::default() });
    assert_eq!(worst, LIMIT as usize + 1, "a process that lost nothing takes what another one has");
}

#[test]
fn no_order_exceeds_the_limit_when_a_marked_store_loses_a_write() {
    let faults = Faults { fail_overs: 1, is_marked: true, ..Faults::default() };
    assert!(worst("a fail-over that the store marks", faults) <= LIMIT as usize);
}
