//! A limit that processes share: each of them takes permits from a record in a store, a few at a time and ahead of need.
//!
//! # The law
//! No span of the limit's time holds more requests than the limit, over all processes with the store and key. Whatever may still be
//! sent, or was sent within that time, counts:
//! 1. A permit may be spent for the length of its lease after its holder asked for it, by the holder's monotonic clock. The record
//!    counts it until that time and a window have passed since the grant, by the clock of the record, which is later: that clock loses
//!    the time between a read and a write, and a holder advances it to what has surely passed since a read before.
//! 2. At the next renewal the holder reports when it spent how many. These count for a window after their slot, of 1/320 window.
//!    What it has not spent is free at once.
//! 3. A process that ends reports nothing: its permits come back by 1. No other process has to notice.
//! 4. A renewal whose answer is lost is reported again by its number, which the record has if it was written.
//!
//! # Lengths
//! A lease lasts for eight requests of the process, within 1/40 and 1/20 of the window. A renewal costs two calls to the store, or
//! one if it is granted nothing and has nothing to report. It follows once three quarters of the permits are spent or three quarters
//! of the lease have passed. A grant is the least of what is asked for, a fair share of what is free, and twice what the limit allows
//! in a lease. The window is 2 % longer than the time of the limit, for the delays of the network.
//!
//! For a tenth of the window after a cool-down, in which all permits have become free, each process asks for its share of a lease once
//! in a lease: all together send no more than the limit allows on average, where they could send all of it at once.
//!
//! # The store
//! - It went back in time (another server wrote the record, its version is lower, or it lacks the last report of a holder): the holder
//!   that notices puts back what it knew of the record, counts for each other holder twice its share of the time since its report and
//!   of a lease, unless it had ended before, and closes the record for a lease and a half, in which the others report.
//! - It does not answer for two leases: each process sends its share, the limit divided by the processes that it saw last, counted
//!   from the last record that it read. One that never reached the store supposes eight processes.
//!
//! # Figures
//! Of the simulation in `tests.rs`: 8 processes, 600 requests in each 6 s, as many requests as possible, delays of 1 to 3 ms.
//!
//! | fault | worst span | used | calls to the store a request |
//! |---|---|---|---|
//! | none | 600 | 98.0 % | 0.25 |
//! | a process killed every 2 s | 600 | 98.0 % | 0.25 |
//! | one in 5 answers lost | 600 | 98.0 % | 0.34 |
//! | every 10 s back by 0.5 s | 600 | 98.0 % | 0.26 |
//! | down for 12 s | 600 | 96.8 % | 0.31 |
//!
//! With 6,000 requests in each 6 s, 125 a second for each process, it is 0.04 calls a request; ten times the time of the limit at
//! the same rate makes it a tenth.
//!
//! # What may exceed it
//! - A fail-over: what processes had taken in the lost writes is unknown until they report, and for ever if they end before. In the
//!   runs with random faults it was at most one request of each process and 5 % of the limit, and mostly nothing. With a store that
//!   marks the records of a former server it was nothing, unless processes ended: `docs/sharing.md` says why that stays. With another
//!   one a process whose calls to the store all succeeded before and after the fail-over does not notice it, and takes too much until
//!   another does.
//! - A process that alone is cut off from the store, while the others use all of the limit: its share. So do processes that notice
//!   the end of a short outage late: at most one request each, and 2 % of the limit.
//! - A process that is stopped between its last check and the send.

mod holder;
#[cfg(test)]
mod orders;
mod record;
mod rule;
mod task;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use self::holder::{Holder, Renewal};
use self::record::{Grant, LimitRecord, Request};
pub(crate) use self::rule::Rule;
pub(crate) use self::task::Renewer;

/// The permits of one partition of a shared limit, in the hand of this process. Times are milliseconds since an epoch.
#[derive(Debug)]
pub(crate) struct Permits {
    rule: Rule,
    holder: Holder,
    wake: Arc<Notify>,
}

impl Permits {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, holder: Holder::new(fastrand::u64(..), &rule), wake: Arc::default() }
    }

    /// Returns the signal that more permits are needed.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Spends a permit for a request that is sent now; returns `false` without one. Asks for more at the low-water mark.
    pub(crate) fn try_send(&mut self, now: u64) -> bool {
        let is_sent = self.holder.try_send(&self.rule, now);
        if self.holder.is_due(!is_sent, now) {
            self.wake.notify_one();
        }
        is_sent
    }

    /// Returns when to look for a permit with so many calls ahead: now if there is one, else when the next renewal may have ended.
    pub(crate) fn earliest(&mut self, ahead: u64, now: u64) -> u64 {
        if ahead < u64::from(self.holder.permits(now)) || (ahead == 0 && self.holder.can_send(&self.rule, now)) {
            return now;
        }
        if self.holder.is_due(true, now) {
            self.wake.notify_one();
        }
        self.holder.expected(&self.rule, now)
    }

    /// Asks for few permits at a time for a tenth of the window from then on: the end of a cool-down.
    pub(crate) fn start_slowly(&mut self, from: u64) {
        self.holder.start_slowly(from);
    }

    /// Begins a renewal if one is due; else returns the milliseconds until it may be.
    fn begin(&mut self, is_waiting: bool, now: u64) -> (Option<Renewal>, u64) {
        if self.holder.is_due(is_waiting, now) {
            return (Some(self.holder.begin(&self.rule, now)), 0);
        }
        (None, self.holder.due_at(now).saturating_sub(now))
    }

    fn ask(&mut self, renewal: Renewal, record: &mut LimitRecord, of_calls: (u32, bool), now: u64) -> (Request, Grant) {
        let request = self.holder.request(&self.rule, renewal, record, of_calls, now);
        let grant = record.renew(&self.rule, &request);
        (request, grant)
    }

    fn granted(&mut self, request: &Request, granted: (Grant, LimitRecord), asked: u64) {
        self.holder.granted(request, granted, asked, fastrand::u32(..));
    }

    fn crowded(&mut self, now: u64) {
        self.holder.crowded(now);
    }

    fn failed(&mut self, now: u64) {
        self.holder.failed(&self.rule, now);
    }

    /// Returns how long a record is needed after the last report.
    fn lifetime(&self) -> Duration {
        Duration::from_millis(self.rule.lifetime())
    }
}

impl Drop for Permits {
    /// Ends the task.
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}
