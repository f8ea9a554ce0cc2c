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
