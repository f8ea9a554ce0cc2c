//! The task that renews the permits of one partition before they are spent.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redress_classify::saturating;
use redress_store::{BoxError, Entry, Record, Written};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::record::LimitRecord;
use super::{Permits, Renewal, text};
use crate::limiter::Limiter;
use crate::partition::Partition;
use crate::telemetry;

/// A store that takes longer counts as down: a renewal takes two calls, and those of Redis end after 500 ms.
const PATIENCE: Duration = Duration::from_secs(1);
/// The number of refusals after which a renewal is left to the next time: other processes write all the time.
const MAX_REFUSALS: u32 = 16;
/// The number of refusals after which a renewal pauses. Until then it goes on at once from the record that it was refused for, which
/// is the newest one only now.
const REFUSALS_AT_ONCE: u32 = 4;
/// The longest pause after a refusal.
const CROWD_PAUSE: Duration = Duration::from_millis(20);
/// The longest sleep, after which the task looks whether its layer still exists.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Renews the permits of a partition of a limit.
pub(crate) struct Renewer {
    limiter: Weak<Limiter>,
    partition: Partition,
    entry: Entry,
    wake: Arc<Notify>,
    /// The number of the last version that was seen.
    seen: u64,
    is_down: bool,
}

impl Renewer {
    pub(crate) const fn new(limiter: Weak<Limiter>, partition: Partition, entry: Entry, wake: Arc<Notify>) -> Self {
        Self { limiter, partition, entry, wake, seen: 0, is_down: false }
    }

    /// Runs until the limiter, or its queue of the partition, is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let begin = |permits: &mut Permits, waiting: u32, now: u64| permits.begin(waiting > 0, now);
            let Some((renewal, pause)) = self.with(begin) else { return };
            let Some(renewal) = renewal else {
                let pause = Duration::from_millis(pause.max(1)).min(LONGEST_SLEEP);
                let _ = timeout(pause, self.wake.notified()).await;
                continue;
            };
            let is_down = !matches!(timeout(PATIENCE, self.renew(renewal)).await, Ok(Ok(())));
            if is_down {
                let _ = self.with(|permits, _, now| permits.failed(now));
            }
            if is_down != self.is_down {
                self.is_down = is_down;
                telemetry::limit_store_changed(&self.partition, self.entry.key(), !is_down);
            }
            // A call that waits may have permits now, or go without the store.
            if let Some(limiter) = self.limiter.upgrade() {
                limiter.wake_first(&self.partition);
            }
        }
    }

    /// Reports to the record and takes permits from it.
    async fn renew(&mut self, renewal: Renewal) -> Result<(), BoxError> {
        let mut stored = self.entry.load().await?;
        for refusals in 1..=MAX_REFUSALS {
            let number = stored.as_ref().map_or(0, |stored| stored.version().number());
            let mut record = read(stored.as_ref())?;
            let is_lost = number < self.seen || stored.as_ref().is_some_and(Record::is_of_former_server);
            let ask = |permits: &mut Permits, waiting: u32, now: u64| {
                let (request, grant) = permits.ask(renewal, &mut record, (waiting, is_lost), now);
                (request, grant, now, permits.lifetime())
            };
            let Some((request, grant, now, lifetime)) = self.with(ask) else { return Ok(()) };
            if !grant.must_write {
                self.seen = number;
                let _ = self.with(|permits, _, _| permits.granted(&request, (grant, record), now));
                return Ok(());
            }
            match self.entry.replace_record(stored.as_ref(), &text::write(&record), Some(lifetime)).await? {
                Written::Done => {
                    if is_lost {
                        telemetry::limit_closed(&self.partition, self.entry.key());
                    }
                    self.seen = number + 1;
                    telemetry::permits_granted(grant.permits);
                    let _ = self.with(|permits, _, _| permits.granted(&request, (grant, record), now));
                    return Ok(());
                }
                Written::Refused(record) => stored = record,
            }
            if refusals > REFUSALS_AT_ONCE {
                sleep(saturating::fraction(CROWD_PAUSE, fastrand::u32(..))).await;
                stored = self.entry.load().await?;
            }
        }
        // The store works: it must not count as down, which would have each process count for itself.
        let _ = self.with(|permits, _, now| permits.crowded(now));
        Ok(())
    }

    /// Calls a function with the permits, the number of calls that wait for one, and the time; `None` if they are gone.
    fn with<T>(&self, act: impl FnOnce(&mut Permits, u32, u64) -> T) -> Option<T> {
        self.limiter.upgrade()?.with_permits(&self.partition, act)
    }
}

/// Reads a record as it is now.
fn read(stored: Option<&Record>) -> Result<LimitRecord, BoxError> {
    let Some(stored) = stored else { return Ok(LimitRecord::default()) };
    let mut record = text::read(stored.value()).map_err(|_| "the record has a later format")?.unwrap_or_default();
    record.advance(u64::try_from(stored.age().as_millis()).unwrap_or(u64::MAX));
    if stored.is_of_former_server() {
        // It was closed for an earlier loss.
        record.open();
    }
    Ok(record)
}
