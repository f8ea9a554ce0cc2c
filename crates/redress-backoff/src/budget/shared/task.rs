//! The task that leases tokens for the bucket of one process.

use std::sync::Arc;
use std::time::Duration;

use redress_classify::{Dialect, saturating};
use redress_store::{BoxError, Entry, Pauses, Record, Unreadable, Written};
use tokio::time::{Instant, sleep, timeout_at};

use super::holder::{Arrival, Holder, Step};
use super::record::{BudgetRecord, Purpose, SILENCE};
use super::{Lease, POCKET, Random, Records};
use crate::budget::Budget;
use crate::telemetry;

/// How long the store keeps a record that no process settles with. After that the bucket is full again.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// A process whose calls ask for no tokens for this long gives its lease back.
const IDLE: Duration = Duration::from_secs(60);
/// The number of refusals after which a settlement is left to the next time: other processes write all the time.
const MAX_REFUSALS: u32 = 16;
/// The longest pause after a refusal.
const CROWD_PAUSE: Duration = Duration::from_millis(50);

/// Leases tokens for a bucket.
pub(super) struct Leasing {
    entry: Entry,
    /// The name of the record.
    name: String,
    budget: Budget,
    dialect: Dialect,
    random: Random,
    holder: Holder,
    asked: Instant,
    settled: Instant,
    is_down: bool,
    unreadable: Option<Unreadable>,
}

/// The end of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It has arrived, or is left to the next time.
    Done,
    /// The process has left.
    Left,
    /// The store is unavailable, or its record cannot be read.
    Failed,
}

impl Leasing {
    /// Makes the task of a bucket. The tokens of a new bucket are owed.
    pub(super) fn new(records: &Records, name: String, budget: Budget, is_new: bool) -> Self {
        let entry = records.entry.child(&name);
        let (dialect, random) = (records.dialect.clone(), Arc::clone(&records.random));
        let capacity = budget.bucket.lease().map_or(0, Lease::limit);
        let owed = if is_new { capacity.min(POCKET) } else { 0 };
        let (holder, now) = (Holder::new(fastrand::u64(..), capacity, owed), Instant::now());
        let (asked, settled, is_down) = (now, now, false);
        Self { entry, name, budget, dialect, random, holder, asked, settled, is_down, unreadable: None }
    }

    /// Runs until no call has asked for tokens for a minute, or the layer is dropped.
    pub(super) async fn run(mut self) {
        let mut pauses = Pauses::new();
        loop {
            let was_closed = self.lease().is_some_and(Lease::is_closed);
            match self.settle(was_closed).await {
                End::Left => return,
                End::Failed if was_closed => return,
                End::Failed => {
                    self.holder.go_alone(&self.budget.bucket);
                    let pause = pauses.next_pause();
                    self.wait(pause, pause).await;
                }
                End::Done => {
                    pauses = Pauses::new();
                    self.wait(self.jittered(self.holder.interval()), self.jittered(self.holder.period())).await;
                }
            }
        }
    }

    /// Settles once.
    async fn settle(&mut self, is_closed: bool) -> End {
        let purpose = self.purpose(is_closed);
        self.holder.begin(&self.budget.bucket, purpose);
        let settled = self.write().await;
        let is_down = settled.is_err();
        if is_down != self.is_down {
            self.is_down = is_down;
            telemetry::store_changed(&self.dialect, &self.name, !is_down);
        }
        settled.unwrap_or(End::Failed)
    }

    /// Returns what this settlement asks for.
    fn purpose(&mut self, is_closed: bool) -> Purpose {
        let now = Instant::now();
        let bucket = &self.budget.bucket;
        if is_closed {
            if let Some(lease) = bucket.lease() {
                lease.earn(bucket.withdraw_above(0));
            }
            return Purpose::Leave;
        }
        if bucket.lease().is_some_and(Lease::take_asked) {
            self.asked = now;
            Purpose::Use
        } else if now.saturating_duration_since(self.asked) < IDLE {
            Purpose::Rest
        } else {
            Purpose::Leave
        }
    }

    /// Writes the settlement into the record.
    async fn write(&mut self) -> Result<End, BoxError> {
        let mut stored = self.entry.load().await?;
        for _ in 0..MAX_REFUSALS {
            let Some(known) = self.read(stored.as_ref()) else { return Ok(End::Failed) };
            let epoch = known.as_ref().map_or(0, |(_, record)| record.epoch);
            let was_silent = self.settled.elapsed() >= SILENCE / 2;
            let is_marked = stored.as_ref().is_some_and(Record::is_of_former_server);
            let (record, arrival) = match self.holder.step(known, was_silent, is_marked) {
                Step::Arrived(arrival) => return Ok(self.book(arrival)),
                Step::Write(record, arrival) => (record, arrival),
                Step::Crowded => return Ok(End::Failed),
            };
            match self.entry.replace_record(stored.as_ref(), &record.write(), Some(LIFETIME)).await? {
                Written::Done => {
                    if record.epoch > epoch {
                        telemetry::budget_closed(&self.dialect, &self.name);
                    }
                    return Ok(self.book(arrival));
                }
                Written::Refused(record) => stored = record,
            }
            sleep(saturating::fraction(CROWD_PAUSE, (self.random)())).await;
        }
        Ok(End::Done)
    }

    /// Reads a record and its version. `None` if it is one of a newer version of this program.
    fn read(&mut self, stored: Option<&Record>) -> Option<Option<(u64, BudgetRecord)>> {
        let read = stored.map(|stored| {
            BudgetRecord::read(stored.value(), stored.age()).map(|record| (stored.version().number(), record))
        });
        let unreadable = read.as_ref().and_then(|read| read.as_ref().err().copied());
        if let Some(why) = unreadable.filter(|_| unreadable != self.unreadable) {
            telemetry::record_unreadable(&self.dialect, &self.name, why.as_str());
        }
        self.unreadable = unreadable;
        match read {
            None | Some(Err(Unreadable::Foreign)) => Some(None),
            Some(Err(Unreadable::Newer)) => None,
            Some(Ok(known)) => Some(Some(known)),
        }
    }

    fn book(&mut self, arrival: Arrival) -> End {
        self.settled = Instant::now();
        if self.holder.book(&self.budget.bucket, arrival) { End::Left } else { End::Done }
    }

    /// Waits for the next settlement: until `latest`, or from `earliest` on until few tokens are left. A layer that is dropped ends
    /// the wait.
    async fn wait(&self, earliest: Duration, latest: Duration) {
        let Some(lease) = self.lease() else { return sleep(latest).await };
        let now = Instant::now();
        let (earliest, mut end) = (saturating::add(now, earliest), saturating::add(now, latest));
        while timeout_at(end, lease.woken()).await.is_ok() {
            if lease.is_closed() || Instant::now() >= earliest {
                return;
            }
            end = earliest;
        }
    }

    /// Returns a time that is up to half of it longer.
    fn jittered(&self, time: Duration) -> Duration {
        time + saturating::fraction(time / 2, (self.random)())
    }

    fn lease(&self) -> Option<&Lease> {
        self.budget.bucket.lease()
    }
}

impl Drop for Leasing {
    /// A later call starts another task, also where this one ends with its runtime.
    fn drop(&mut self) {
        if let Some(lease) = self.lease() {
            lease.task_ended();
        }
    }
}
