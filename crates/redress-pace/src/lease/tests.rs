//! Eight processes on a store that fails, loses answers and goes back in time, in steps of a millisecond.

mod permits;
mod random;
mod slow;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use super::holder::{Holder, Renewal};
use super::record::{Grant, LimitRecord, Request};
use super::rule::Rule;

/// The limit of the runs: 60 s of a real one are 6 s here.
const PER: u64 = 6_000;
const RUN: u64 = PER + 6 * (PER + PER / 50);

/// The faults of a run.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    /// A process ends, and another one starts, every so often.
    kill_every: Option<u64>,
    /// One in so many answers is lost.
    lose_one_in: Option<u32>,
    /// Every so often the store goes back by so much, which it marks or not.
    fail_over: Option<(u64, u64)>,
    is_marked: bool,
    /// The store does not answer from one time to another.
    down: Option<(u64, u64)>,
    /// A call to the store takes so long at most, there and back.
    slow: Option<u64>,
}

#[derive(Clone, Default)]
struct Stored {
    record: Option<LimitRecord>,
    written: u64,
    number: u64,
    is_of_former_server: bool,
}

/// A write on its way.
struct Flight {
    renewal: Renewal,
    request: Request,
    grant: Grant,
    record: LimitRecord,
    requested: u64,
    base: u64,
    has_seen_mark: bool,
    at: u64,
}

struct Process {
    holder: Holder,
    flight: Option<Flight>,
    slow: slow::Calls,
    seen: u64,
    /// Requests a second; none for as many as possible.
    rate: Option<u64>,
}

struct Run {
    rule: Rule,
    limit: u32,
    random: fastrand::Rng,
    stored: Stored,
    history: VecDeque<(u64, Stored)>,
    processes: Vec<Process>,
    sent: Vec<u64>,
    calls: u64,
    /// A record was written that is closed.
    was_closed: bool,
    /// A process counted for itself, since its calls to the store took too long.
    went_without: bool,
}

impl Run {
    fn new(limit: u32, seed: u64) -> Self {
        let rule = Rule::new(NonZeroU32::new(limit).unwrap(), Duration::from_millis(PER));
        let mut random = fastrand::Rng::with_seed(seed);
        let process = |random: &mut fastrand::Rng| Process {
            holder: Holder::new(random.u64(..), &rule),
            flight: None,
            slow: slow::Calls::default(),
            seen: 0,
            rate: None,
        };
        let processes = (0..8).map(|_| process(&mut random)).collect();
        Self {
            rule,
            limit,
            random,
            stored: Stored::default(),
            history: VecDeque::new(),
            processes,
            sent: Vec::new(),
            calls: 0,
            was_closed: false,
            went_without: false,
        }
    }

    fn run(&mut self, faults: Faults) {
        self.run_from(1, faults);
    }

    fn run_from(&mut self, start: u64, faults: Faults) {
        for now in start..start + RUN {
            if faults.kill_every.is_some_and(|every| now.is_multiple_of(every)) {
                let nth = self.random.usize(..8);
                self.processes[nth] = Process {
                    holder: Holder::new(self.random.u64(..), &self.rule),
                    flight: None,
                    slow: slow::Calls::default(),
                    seen: 0,
                    rate: self.processes[nth].rate,
                };
            }
            if let Some((every, lag)) = faults.fail_over
                && now.is_multiple_of(every)
                && let Some((_, old)) = self.history.iter().find(|(at, _)| at + lag >= now)
            {
                self.stored = Stored { is_of_former_server: faults.is_marked, ..old.clone() };
            }
            let is_down = faults.down.is_some_and(|(from, to)| (from..to).contains(&now));
            for nth in 0..8 {
                self.step(nth, faults, is_down, now);
            }
            self.history.push_back((now, self.stored.clone()));
            if self.history.len() > 1_000 {
                self.history.pop_front();
            }
        }
    }

    fn step(&mut self, nth: usize, faults: Faults, is_down: bool, now: u64) {
        let process = &mut self.processes[nth];
        let due = process.rate.map_or(u64::MAX, |rate| now * rate / 1_000 - (now - 1) * rate / 1_000);
        let mut waiting = 0;
        for _ in 0..due.min(1_000) {
            if process.holder.try_send(&self.rule, now) {
                self.sent.push(now);
            } else {
                waiting = 20;
                break;
            }
        }
        if let Some(slow) = faults.slow {
            return self.step_slowly(nth, slow, faults, waiting, now);
        }
        match &process.flight {
            None if process.holder.is_due(waiting > 0, now) => {
                let renewal = process.holder.begin(&self.rule, now);
                self.calls += 1;
                if is_down {
                    process.holder.failed(&self.rule, now);
                } else {
                    self.ask(nth, renewal, waiting, now);
                }
            }
            Some(flight) if flight.at == now => self.arrive(nth, faults, is_down, waiting, now),
            _ => {}
        }
    }

    /// Reads the record and makes a request of it, which arrives 1 to 3 ms later.
    fn ask(&mut self, nth: usize, renewal: Renewal, waiting: u32, now: u64) {
        let process = &mut self.processes[nth];
        let mut record = self.stored.record.clone().unwrap_or_default();
        record.advance(now - self.stored.written);
        if self.stored.is_of_former_server {
            record.open();
        }
        let lost = self.stored.number < process.seen || self.stored.is_of_former_server;
        process.seen = self.stored.number;
        let request = process.holder.request(&self.rule, renewal, &mut record, (waiting, lost), now);
        let grant = record.renew(&self.rule, &request);
        if !grant.must_write {
            let jitter = self.random.u32(..);
            return process.holder.granted(&request, (grant, record), now, jitter);
        }
        let at = now + self.random.u64(1..=3);
        let (base, has_seen_mark) = (self.stored.number, self.stored.is_of_former_server);
        process.flight = Some(Flight { renewal, request, grant, record, requested: now, base, has_seen_mark, at });
    }

    fn arrive(&mut self, nth: usize, faults: Faults, is_down: bool, waiting: u32, now: u64) {
        let process = &mut self.processes[nth];
        let flight = process.flight.take().unwrap();
        self.calls += 1;
        if is_down {
            return process.holder.failed(&self.rule, now);
        }
        if flight.base != self.stored.number || self.stored.is_of_former_server != flight.has_seen_mark {
            return self.ask(nth, flight.renewal, waiting, now);
        }
        self.was_closed |= flight.record.closed_until > 0;
        let record = Some(flight.record.clone());
        self.stored = Stored { record, written: now, number: flight.base + 1, is_of_former_server: false };
        if faults.lose_one_in.is_some_and(|one_in| self.random.u32(..one_in) == 0) {
            return process.holder.failed(&self.rule, now);
        }
        process.seen = flight.base + 1;
        let jitter = self.random.u32(..);
        process.holder.granted(&flight.request, (flight.grant, flight.record), flight.requested, jitter);
    }

    /// Returns the largest number of requests in a span of the limit.
    fn busiest(&self) -> usize {
        let ends = self.sent.iter().map(|at| self.sent.partition_point(|other| *other < at + PER));
        ends.enumerate().map(|(nth, end)| end - nth).max().unwrap_or(0)
    }

    /// Returns the share of the limit that was used after the first window.
    fn used(&self) -> f64 {
        self.used_from(PER)
    }

    /// Returns the share that was used from then to the end, in whole windows.
    fn used_from(&self, start: u64) -> f64 {
        let window = self.rule.window;
        let end = self.sent.last().copied().unwrap_or(0);
        let windows = (end - start).div_ceil(window);
        let sent = self.sent.iter().filter(|at| (start..start + windows * window).contains(at)).count();
        sent as f64 / (f64::from(self.limit) * (windows * window) as f64 / PER as f64)
    }

    /// Returns the least share that was used in a span of the limit that ends in this time.
    fn least_used(&self, ends: Range<u64>) -> f64 {
        let before = |at: u64| self.sent.partition_point(|sent| *sent < at);
        let least = ends.step_by(50).map(|end| before(end) - before(end - PER)).min().unwrap_or(0);
        least as f64 / f64::from(self.limit)
    }

    fn print(&self, name: &str) {
        let (busiest, limit) = (self.busiest(), self.limit);
        let calls = self.calls as f64 / self.sent.len() as f64;
        println!(
            "{name}: worst span {busiest} of {limit}, {:.1} % used, {calls:.3} writes a request",
            100.0 * self.used()
        );
    }
}

#[test]
fn the_limit_is_kept_and_nine_tenths_of_it_are_used() {
    let half = RUN / 2;
    for (name, used, faults) in [
        ("no faults", 0.95, Faults::default()),
        ("kills", 0.95, Faults { kill_every: Some(2_000), ..Faults::default() }),
        ("lost answers", 0.95, Faults { lose_one_in: Some(5), ..Faults::default() }),
        ("a replica that lags", 0.95, Faults { fail_over: Some((10_000, 500)), ..Faults::default() }),
        ("no store for a while", 0.85, Faults { down: Some((half, half + 2 * PER)), ..Faults::default() }),
    ] {
        let mut run = Run::new(600, 7);
        run.run(faults);
        run.print(name);
        assert!(run.busiest() <= 600 && run.used() >= used, "{name}: {} {}", run.busiest(), run.used());
    }
}

#[test]
fn a_replica_that_lagged_and_takes_over_keeps_the_limit_and_most_of_its_use() {
    for (down, seed) in [(160, 1), (160, 3), (500, 2), (900, 0)] {
        let mut run = Run::new(6_000, seed);
        run.processes.iter_mut().for_each(|process| process.rate = Some(156));
        let kill_every = seed.is_multiple_of(2).then_some(2_900);
        let (start, end) = (24_000, 24_000 + down);
        let (down_for, fail_over) = (Some((start, end)), Some((end, down + 95)));
        run.run(Faults { kill_every, down: down_for, fail_over, ..Faults::default() });
        let (busiest, used) = (run.busiest(), run.least_used(start..start + PER + PER / 2));
        println!("down for {down} ms: at most {busiest} of 6000, at least {:.1} % used", used * 100.0);
        assert!(busiest <= 6_000 && used >= 0.85, "{down} {busiest} {used}");
    }
}

#[test]
fn a_fail_over_that_is_shorter_than_a_renewal_keeps_the_limit_if_the_store_marks_it() {
    for (seed, lag) in [(1, 20), (2, 50), (3, 100), (4, 200)] {
        let mut run = Run::new(6_000, seed);
        run.processes.iter_mut().for_each(|process| process.rate = Some(156));
        run.run(Faults { fail_over: Some((24_000, lag)), is_marked: true, ..Faults::default() });
        let (busiest, used) = (run.busiest(), run.least_used(2 * PER..RUN));
        println!("back by {lag} ms: at most {busiest} of 6000, at least {:.1} % used", used * 100.0);
        assert!(busiest <= 6_000 && used >= 0.85, "{lag} {busiest} {used}");
    }
}

#[test]
fn processes_with_little_traffic_seldom_wait_for_a_permit() {
    let mut run = Run::new(6_000, 7);
    run.processes.iter_mut().for_each(|process| process.rate = Some(50));
    run.run(Faults::default());
    // A request without a permit counts as lost here.
    let expected = 8 * 50 * RUN / 1_000;
    assert!(run.sent.len() as u64 >= expected * 95 / 100, "{} of {expected}", run.sent.len());
}

#[test]
fn after_a_cool_down_the_processes_start_slowly_together() {
    for (is_slow, expected) in [(true, 30..=100), (false, 400..=600)] {
        let mut run = Run::new(600, 7);
        run.run(Faults::default());
        run.processes.iter_mut().for_each(|process| process.rate = Some(0));
        run.run_from(RUN + 1, Faults::default());
        let end = 2 * RUN;
        for process in &mut run.processes {
            process.rate = None;
            if is_slow {
                process.holder.start_slowly(end);
            }
        }
        run.run_from(end + 1, Faults::default());
        let soon = run.sent.iter().filter(|at| (end..end + PER / 10).contains(at)).count();
        assert!(expected.contains(&soon) && run.busiest() <= 600, "{is_slow}: {soon}");
        assert!(run.used_from(end + PER) >= 0.95, "{is_slow}: {}", run.used_from(end + PER));
    }
}

#[test]
fn a_process_that_comes_back_after_a_silence_closes_nothing() {
    let mut run = Run::new(600, 7);
    let (others, silent) = (0..7, 7);
    run.processes[silent].rate = Some(100);
    run.run(Faults::default());
    run.processes[silent].rate = Some(0);
    run.run_from(RUN + 1, Faults::default());
    let record = |run: &Run| run.stored.record.clone().unwrap();
    assert_eq!(record(&run).holders.len(), others.len(), "the record has forgotten it");
    run.processes[silent].rate = Some(100);
    run.run_from(2 * RUN + 1, Faults::default());
    assert!(record(&run).holders.len() == 8 && !run.was_closed);
    assert!(run.busiest() <= 600 && run.used_from(2 * RUN) >= 0.9, "{}", run.used_from(2 * RUN));
}

#[test]
fn permits_that_are_not_used_go_back() {
    let mut run = Run::new(600, 7);
    run.run(Faults::default());
    // All processes but one fall silent. After a window the other one has the limit for itself.
    run.processes[1..].iter_mut().for_each(|process| process.rate = Some(0));
    run.sent.clear();
    run.run_from(RUN + 1, Faults::default());
    assert!(run.busiest() <= 600 && run.used_from(RUN + 2 * PER) >= 0.9, "{}", run.used_from(RUN + 2 * PER));
}
