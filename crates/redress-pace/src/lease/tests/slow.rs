//! The same with a store whose calls take long: time passes between the begin of a renewal, the read, the write and the answer.

use proptest::prelude::*;

use super::*;

/// When a renewal is given up. A write that is on its way arrives all the same.
const PATIENCE: u64 = 1_000;

/// The calls of a process that are on their way.
#[derive(Default)]
pub(super) struct Calls {
    renewal: Option<Renewing>,
    /// Writes of renewals that were given up, with the times of their arrivals.
    given_up: Vec<(u64, Write)>,
}

/// A renewal, and the time at which it is given up.
struct Renewing {
    renewal: Renewal,
    step: Step,
    until: u64,
}

/// The next event of a renewal, and its time.
enum Step {
    /// The store reads the record.
    Read(u64),
    /// The process has the record, and the store had it then.
    Request(u64, Stored, u64),
    /// The write reaches the store.
    Write(u64, Write, Request, Grant, u64),
    /// The process has the answer to its write.
    Answer(u64, Write, Request, Grant, u64),
}

/// A record to write, and the number and mark of the one that it follows.
#[derive(Clone)]
struct Write {
    record: LimitRecord,
    base: (u64, bool),
}

impl Run {
    /// Takes the steps of a process that are due now.
    pub(super) fn step_slowly(&mut self, nth: usize, slow: u64, faults: Faults, waiting: u32, now: u64) {
        self.went_without |= self.processes[nth].holder.goes_without(now);
        let mut given_up = std::mem::take(&mut self.processes[nth].slow.given_up);
        given_up.retain(|(at, write)| *at > now || (self.apply(write, now), false).1);
        self.processes[nth].slow.given_up = given_up;
        let Some(renewing) = self.processes[nth].slow.renewal.take() else {
            let read = Step::Read(now + self.delay(slow));
            let process = &mut self.processes[nth];
            if process.holder.is_due(waiting > 0, now) {
                let renewal = process.holder.begin(&self.rule, now);
                process.slow.renewal = Some(Renewing { renewal, step: read, until: now + PATIENCE });
                self.calls += 1;
            }
            return;
        };
        let Renewing { renewal, step, until } = renewing;
        if until <= now {
            let process = &mut self.processes[nth];
            if let Step::Write(at, write, ..) = step {
                process.slow.given_up.push((at, write));
            }
            return process.holder.failed(&self.rule, now);
        }
        let next = match step {
            Step::Read(at) if at <= now => {
                let stored = self.stored.clone();
                Some(Step::Request(now + self.delay(slow), stored, now))
            }
            Step::Request(at, stored, read) if at <= now => {
                self.request(nth, slow, (renewal, waiting), (stored, read), now)
            }
            Step::Write(at, write, request, grant, requested) if at <= now => {
                let stored = self.stored.clone();
                let is_written = self.apply(&write, now);
                if faults.lose_one_in.is_some_and(|one_in| self.random.u32(..one_in) == 0) {
                    return self.processes[nth].holder.failed(&self.rule, now);
                }
                let back = now + self.delay(slow);
                // A refusal has the newest record.
                Some(if is_written {
                    Step::Answer(back, write, request, grant, requested)
                } else {
                    Step::Request(back, stored, now)
                })
            }
            Step::Answer(at, write, request, grant, requested) if at <= now => {
                self.granted(nth, write, &request, grant, requested);
                None
            }
            step => Some(step),
        };
        self.processes[nth].slow.renewal = next.map(|step| Renewing { renewal, step, until });
    }

    /// Makes a request of a record that was read at a time.
    fn request(
        &mut self,
        nth: usize,
        slow: u64,
        (renewal, waiting): (Renewal, u32),
        (stored, read): (Stored, u64),
        now: u64,
    ) -> Option<Step> {
        let process = &mut self.processes[nth];
        let mut record = stored.record.unwrap_or_default();
        record.advance(read - stored.written);
        if stored.is_of_former_server {
            record.open();
        }
        let lost = stored.number < process.seen || stored.is_of_former_server;
        process.seen = stored.number;
        let request = process.holder.request(&self.rule, renewal, &mut record, (waiting, lost), now);
        let grant = record.renew(&self.rule, &request);
        if !grant.must_write {
            process.holder.granted(&request, (grant, record), now, self.random.u32(..));
            return None;
        }
        let write = Write { record, base: (stored.number, stored.is_of_former_server) };
        self.calls += 1;
        Some(Step::Write(now + self.delay(slow).max(1), write, request, grant, now))
    }

    /// Returns how long a call is on its way in one direction: one in ten takes long.
    fn delay(&mut self, slow: u64) -> u64 {
        if self.random.u32(..10) == 0 { self.random.u64(..=slow) } else { self.random.u64(..=2) }
    }

    /// Compares and sets. Returns `false` if another process has written.
    fn apply(&mut self, write: &Write, now: u64) -> bool {
        let is_newest = write.base == (self.stored.number, self.stored.is_of_former_server);
        if is_newest {
            let record = Some(write.record.clone());
            self.stored = Stored { record, written: now, number: write.base.0 + 1, is_of_former_server: false };
        }
        is_newest
    }

    fn granted(&mut self, nth: usize, write: Write, request: &Request, grant: Grant, requested: u64) {
        let process = &mut self.processes[nth];
        process.seen = write.base.0 + 1;
        process.holder.granted(request, (grant, write.record), requested, self.random.u32(..));
    }
}

#[test]
fn what_is_sent_between_the_begin_of_a_renewal_and_its_read_counts() {
    let rule = Rule::new(NonZeroU32::new(600).unwrap(), Duration::from_millis(PER));
    let (mut slow, mut other) = (Holder::new(1, &rule), Holder::new(2, &rule));
    let mut record = LimitRecord::default();
    let renew = |holder: &mut Holder, renewal, record: &mut LimitRecord, now| {
        let request = holder.request(&rule, renewal, record, (1_000, false), now);
        let grant = record.renew(&rule, &request);
        holder.granted(&request, (grant, record.clone()), now, 0);
    };
    let spend = |holder: &mut Holder, now| (0..1_000).take_while(|_| holder.try_send(&rule, now)).count();
    let mut now = 1;
    for holder in [&mut other, &mut slow] {
        let renewal = holder.begin(&rule, now);
        renew(holder, renewal, &mut record, now);
    }
    // The rest of the limit was sent by processes that have ended.
    let rest = 600 - record.counted();
    record.sent.insert(1, rest as u32);
    let mut sent = spend(&mut other, now);
    now += rule.lease(0.0) - 10;
    record.advance(rule.lease(0.0) - 10);
    let renewal = slow.begin(&rule, now);
    sent += spend(&mut slow, now);
    renew(&mut slow, renewal, &mut record, now);
    for _ in 0..3 {
        now += rule.lease(0.0);
        record.advance(rule.lease(0.0));
        let renewal = other.begin(&rule, now);
        renew(&mut other, renewal, &mut record, now);
        sent += spend(&mut other, now) + spend(&mut slow, now);
    }
    assert_eq!(rest as usize + sent, 600);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_store_that_is_slow_costs_nothing_of_the_limit(
        limit in prop_oneof![1_u32..20, 20_u32..1_000],
        seed in any::<u64>(),
        slow in 1_u64..80,
        kill_every in prop::option::of(500_u64..5_000),
        lose_one_in in prop::option::of(2_u32..20),
        rate in prop::option::of(1_u64..200),
    ) {
        let mut run = Run::new(limit, seed);
        run.processes.iter_mut().step_by(2).for_each(|process| process.rate = rate);
        run.run(Faults { kill_every, lose_one_in, slow: Some(slow), ..Faults::default() });
        // Then it has its share, whatever the others take.
        prop_assume!(!run.went_without);
        prop_assert!(run.busiest() <= limit as usize, "{} of {limit}", run.busiest());
    }
}
