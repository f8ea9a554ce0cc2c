//! The state of one process that leases tokens: it decides what to write, and books what has arrived.

#[cfg(all(test, not(loom)))]
mod properties;

use std::time::Duration;

use super::POCKET;
use super::record::{BudgetRecord, MIN_LEASE, Purpose, Settlement};
use crate::budget::bucket::Bucket;

/// The shortest time between two settlements of a process. Each takes two calls to the store.
const INTERVAL: Duration = Duration::from_secs(2);
/// The time between two settlements if the tokens suffice.
const PERIOD: Duration = Duration::from_secs(5);
/// Each process makes the times longer by this: a thousand of them write 50 to 100 times a second.
const FOR_EACH_PROCESS: Duration = Duration::from_millis(10);

/// The record as a process knows it.
#[derive(Debug)]
pub(super) struct Holder {
    id: u64,
    capacity: u32,
    /// The settlement that has not arrived, as far as is known. It stays the same until it has: it must not count twice.
    pending: Option<Settlement>,
    /// Whether the store may have got it.
    is_sent: bool,
    /// The number of the last settlement that has arrived.
    arrived: u64,
    /// The epoch of the record, and its highest version in that.
    epoch: u64,
    version: u64,
    /// The number of processes when the last settlement arrived.
    processes: Option<usize>,
    /// The tokens that were taken before the first lease.
    owed: u32,
}

/// The answer to a record that was loaded.
#[derive(Debug)]
pub(super) enum Step {
    /// The settlement has arrived before: the record has it.
    Arrived(Arrival),
    /// This record is to be written.
    Write(BudgetRecord, Arrival),
    /// There are too many processes.
    Crowded,
}

/// The effect of a settlement on its process, once it has arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// The tokens that the process holds.
    tokens: u32,
    processes: usize,
    epoch: u64,
    version: u64,
}

impl Holder {
    /// Makes the state of a process. `owed` are the tokens that it took without a lease.
    pub(super) const fn new(id: u64, capacity: u32, owed: u32) -> Self {
        let (pending, is_sent, processes) = (None, false, None);
        Self { id, capacity, pending, is_sent, arrived: 0, epoch: 0, version: 0, processes, owed }
    }

    /// Begins a settlement, or continues the one that has not arrived. Tokens above the share of a process are withdrawn from its
    /// bucket first.
    pub(super) fn begin(&mut self, bucket: &Bucket, purpose: Purpose) {
        if let Some(pending) = &mut self.pending {
            if pending.purpose != Purpose::Leave && purpose != Purpose::Leave {
                pending.purpose = purpose;
            }
            return;
        }
        let share = purpose.share(self.capacity, self.processes.unwrap_or(1));
        let returned = bucket.withdraw_above(share.max(self.pocket()));
        let earned = returned.saturating_add(bucket.lease().map_or(0, |lease| lease.take_earned()));
        // The tokens that a process keeps when it leaves are for its next calls, as before its first lease.
        let holding = if purpose == Purpose::Leave { 0 } else { bucket.tokens().sum() };
        let number = self.arrived + 1;
        self.is_sent = false;
        self.pending = Some(Settlement { id: self.id, number, holding, earned, owed: self.owed, purpose });
    }

    /// Decides what to write over a record and its version; `None` if there is no record. `was_silent` says that the record may
    /// have lost this process because it did not settle for long, `is_marked` that another server wrote it, which may have lost
    /// later writes.
    pub(super) fn step(&mut self, stored: Option<(u64, BudgetRecord)>, was_silent: bool, is_marked: bool) -> Step {
        let (version, mut record) = stored.unwrap_or_else(|| (0, BudgetRecord::full(self.capacity)));
        let Some(mut settlement) = self.pending else { return Step::Crowded };
        let known = record.holding(self.id).map_or(0, |held| held.settlement);
        let has_arrived = known == settlement.number;
        let has_lost = version < self.version || (known < self.arrived && !was_silent);
        let went_back = is_marked || record.epoch < self.epoch || (record.epoch == self.epoch && has_lost);
        let next_epoch = self.epoch.max(record.epoch) + 1;
        if has_arrived {
            let tokens = record.holding(self.id).map_or(0, |held| held.tokens);
            let arrival = Arrival { tokens, processes: record.processes(), epoch: record.epoch, version };
            if !went_back {
                return Step::Arrived(arrival);
            }
            // The store went back to a version that has it. Others may have spent the free tokens of that version since.
            record.shut(next_epoch, self.period() * 2);
            return Step::Write(record, Arrival { epoch: next_epoch, version: version + 1, ..arrival });
        }
        let is_forgotten = was_silent && known == 0;
        if self.is_sent && (went_back || record.epoch > self.epoch || is_forgotten) {
            // The settlement may have arrived, and others may have spent these tokens before the store lost it.
            settlement.earned = 0;
            self.pending = Some(settlement);
        }
        if went_back {
            record.shut(next_epoch, self.period() * 2);
        } else {
            (self.epoch, self.version) = (record.epoch, version);
        }
        self.is_sent = true;
        let Some(tokens) = record.settle(self.capacity, &settlement) else { return Step::Crowded };
        let arrival = Arrival { tokens, processes: record.processes(), epoch: record.epoch, version: version + 1 };
        Step::Write(record, arrival)
    }

    /// Books a settlement that has arrived. Returns `true` if the process has left.
    pub(super) fn book(&mut self, bucket: &Bucket, arrival: Arrival) -> bool {
        let Some(settlement) = self.pending.take() else { return false };
        (self.arrived, self.owed) = (settlement.number, 0);
        (self.epoch, self.version, self.processes) = (arrival.epoch, arrival.version, Some(arrival.processes));
        let capacity = arrival.tokens.max(self.pocket());
        bucket.set_capacity(capacity);
        bucket.refill(arrival.tokens.saturating_sub(settlement.holding));
        let excess = bucket.withdraw_above(capacity);
        if let Some(lease) = bucket.lease() {
            lease.earn(excess);
            lease.set_low_water((arrival.tokens / 2).max(self.pocket()));
        }
        settlement.purpose == Purpose::Leave
    }

    /// Limits the bucket while the store is unavailable: to the part of one of the processes that were seen last. Only successes
    /// fill it.
    pub(super) fn go_alone(&self, bucket: &Bucket) {
        let part = match self.processes {
            Some(processes) => self.capacity / u32::try_from(processes).unwrap_or(u32::MAX).max(1),
            None => MIN_LEASE.min(self.capacity),
        };
        bucket.set_capacity(part.max(self.pocket()));
    }

    /// Returns the shortest time to the next settlement.
    pub(super) fn interval(&self) -> Duration {
        INTERVAL.max(FOR_EACH_PROCESS.saturating_mul(u32::try_from(self.processes.unwrap_or(1)).unwrap_or(u32::MAX)))
    }

    /// Returns the time to the next settlement if the tokens suffice until then.
    pub(super) fn period(&self) -> Duration {
        PERIOD.max(self.interval() * 2)
    }

    fn pocket(&self) -> u32 {
        self.capacity.min(POCKET)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::budget::shared::Lease;

    const CAPACITY: u32 = 500;

    fn bucket() -> Bucket {
        Bucket::leased(POCKET, Lease::new(CAPACITY, POCKET))
    }

    fn begun(purpose: Purpose) -> Holder {
        let mut holder = Holder::new(7, CAPACITY, POCKET);
        holder.begin(&bucket(), purpose);
        holder
    }

    fn written(step: Step) -> (BudgetRecord, Arrival) {
        let Step::Write(record, arrival) = step else { panic!("{step:?}") };
        (record, arrival)
    }

    /// A record with a settlement of the process, and one whose settlement of the process was lost.
    fn records() -> (BudgetRecord, BudgetRecord) {
        let (record, _) = written(begun(Purpose::Use).step(None, false, false));
        let without = record.clone().without(7);
        (record, without)
    }

    /// The head of a record: its free tokens, the epoch, and the milliseconds for which it is shut.
    fn head(record: &BudgetRecord) -> String {
        let text = String::from_utf8_lossy(&record.write()).into_owned();
        text.lines().nth(1).unwrap_or_default().to_owned()
    }

    #[test]
    fn a_pending_settlement_changes_its_purpose_but_never_to_or_from_leaving() {
        use Purpose::{Leave, Rest, Use};
        for (pending, purpose, expected) in [
            (Use, Rest, Rest),
            (Rest, Use, Use),
            (Use, Leave, Use),
            (Rest, Leave, Rest),
            (Leave, Use, Leave),
            (Leave, Rest, Leave),
        ] {
            let mut holder = begun(pending);
            holder.begin(&bucket(), purpose);
            assert_eq!(holder.pending.map(|settlement| settlement.purpose), Some(expected), "{pending:?} {purpose:?}");
        }
    }

    #[test]
    fn a_store_that_went_back_is_shut_for_two_periods_of_its_processes() {
        for (processes, shut) in [(1, "0 4 10000"), (1_000, "0 4 40000")] {
            for has_arrived in [true, false] {
                let mut holder = begun(Purpose::Use);
                let (mut record, without) = records();
                record = if has_arrived { record } else { without };
                record.epoch = 2;
                (holder.epoch, holder.version, holder.processes) = (3, 9, Some(processes));
                let (written, arrival) = written(holder.step(Some((5, record)), false, false));
                assert_eq!(head(&written), shut, "{has_arrived}");
                assert_eq!((arrival.epoch, arrival.version), (4, 6), "{has_arrived}");
                holder.book(&bucket(), arrival);
                assert_eq!((holder.epoch, holder.version), (4, 6), "{has_arrived}");
            }
        }
    }

    #[test]
    fn only_a_record_that_lacks_a_process_which_was_not_silent_went_back() {
        for (was_silent, epoch) in [(true, 0), (false, 1)] {
            let mut holder = begun(Purpose::Use);
            (holder.arrived, holder.version) = (1, 3);
            let (record, arrival) = written(holder.step(Some((3, records().1)), was_silent, false));
            assert_eq!((record.epoch, arrival.epoch, arrival.version), (epoch, epoch, 4), "{was_silent}");
        }
    }

    #[test]
    fn tokens_of_a_settlement_that_may_have_arrived_are_not_counted_again() {
        // The settlement before, or none, is in the record.
        for (name, is_sent, was_silent, is_known, epoch, expected) in [
            ("it was not sent", false, true, false, 0, 30),
            ("the record is as before", true, false, false, 0, 30),
            ("it was silent and is known", true, true, true, 0, 30),
            ("it was silent and is forgotten", true, true, false, 0, 0),
            ("the store went back", true, false, true, 2, 0),
        ] {
            let mut holder = begun(Purpose::Use);
            let (known, without) = records();
            let mut record = if is_known { known } else { without };
            record.epoch = epoch;
            let settlement = holder.pending.as_mut().unwrap();
            (settlement.earned, settlement.number) = (30, 2);
            (holder.is_sent, holder.arrived) = (is_sent, u64::from(is_known));
            let _ = holder.step(Some((3, record)), was_silent, false);
            assert_eq!(holder.pending.map(|settlement| settlement.earned), Some(expected), "{name}");
            assert!(holder.is_sent, "{name}");
        }
    }

    #[test]
    fn the_next_lease_is_taken_when_half_of_the_tokens_or_those_of_one_retry_are_left() {
        for (tokens, low_water) in [(101, 50), (300, 150), (20, POCKET), (0, POCKET)] {
            let (mut holder, bucket) = (begun(Purpose::Use), bucket());
            holder.book(&bucket, Arrival { tokens, processes: 1, epoch: 0, version: 1 });
            assert_eq!(bucket.lease().map(Lease::low_water), Some(low_water), "{tokens}");
            assert_eq!(bucket.capacity(), tokens.max(POCKET), "{tokens}");
        }
    }

    #[test]
    fn without_the_store_a_process_is_limited_to_its_part() {
        let processes = [(None, 42), (Some(1), CAPACITY), (Some(10), 50), (Some(1_000), POCKET), (Some(0), CAPACITY)];
        for (processes, part) in processes {
            let (mut holder, bucket) = (Holder::new(7, CAPACITY, 0), bucket());
            holder.processes = processes;
            holder.go_alone(&bucket);
            assert_eq!(bucket.capacity(), part, "{processes:?}");
        }
        let (holder, bucket) = (Holder::new(7, 5, 0), bucket());
        holder.go_alone(&bucket);
        assert_eq!(bucket.capacity(), 5, "a small capacity");
    }

    #[test]
    fn many_processes_settle_less_often() {
        for (processes, interval, period) in
            [(None, 2, 5), (Some(1), 2, 5), (Some(200), 2, 5), (Some(300), 3, 6), (Some(1_000), 10, 20)]
        {
            let mut holder = Holder::new(7, CAPACITY, 0);
            holder.processes = processes;
            let times = (holder.interval(), holder.period());
            assert_eq!(times, (Duration::from_secs(interval), Duration::from_secs(period)), "{processes:?}");
        }
    }
}
