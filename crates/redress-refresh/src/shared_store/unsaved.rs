//! The result of a flight on its way to the store: it is offered until it is written, and written again if the store loses it.

use std::time::Duration;

use redress_classify::BoxError;
use redress_store::{Version, Written};

use super::{MAX_FLUSH_ATTEMPTS, SharedStore};
use crate::record::TokenRecord;

/// The first pause after a write that failed: a connection that broke is made again by then.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause: the other processes should not wait much longer than their store.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How often a result is offered in the background: for about an hour. After that the next flight offers it.
const MAX_OFFERS: u32 = 128;
/// The pause between two reads of a record that was written.
const CHECK_PAUSE: Duration = Duration::from_secs(1);
/// How often it is read: the writes that a fail-over loses are younger than 30 s.
const CHECKS: u32 = 30;

/// The result of a flight that is not written yet.
#[derive(Clone)]
pub(super) struct Unsaved {
    /// The lease of the flight.
    held: Version,
    /// The version that it replaces: that of the lease, unless the store has lost it.
    seen: Option<Version>,
    /// The version of the write, which stays the same, so that it is recognized if an earlier attempt arrived.
    version: Version,
    record: TokenRecord,
}

/// A result that was written: the lease of its flight, and the version of the write.
#[derive(Clone, Copy)]
pub(super) struct Saved {
    held: Version,
    version: Version,
}

impl SharedStore {
    /// Replaces a lease by the result of its flight, and offers it again while the store fails. Returns the version of the
    /// write, `None` if a newer record was written or the store failed for an hour.
    ///
    /// # Cancel safety
    /// When it is dropped, the next flush offers the result.
    pub(crate) async fn commit(&self, held: Version, record: TokenRecord) -> Option<Version> {
        {
            let mut queued = self.queued();
            if queued.set.is_some() {
                // An install or a clear came after the end of the flight.
                return None;
            }
            queued.unsaved = Some(Unsaved { held, seen: Some(held), version: Version::next(Some(held)), record });
        }
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=MAX_OFFERS {
            match self.offer().await {
                Ok(()) => break,
                Err(_) if attempt == 1 => {
                    tracing::warn!(target: "redress::refresh", "store unavailable: the result is kept and offered again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
        self.queued().saved.filter(|saved| saved.held == held).map(|saved| saved.version)
    }

    /// Offers the result of the last flight to the store, if it is not written yet. It is dropped if another process has
    /// written a set that is as new.
    pub(super) async fn offer(&self) -> Result<(), BoxError> {
        let _flushing = self.flushing.lock().await;
        for _ in 0..MAX_FLUSH_ATTEMPTS {
            let Some(unsaved) = self.queued().unsaved.clone() else { return Ok(()) };
            let Unsaved { held, seen, version, record } = unsaved;
            let next = match self.write(seen, version, &record).await? {
                Written::Done => {
                    self.mark_seen(record.generation);
                    self.queued().saved = Some(Saved { held, version });
                    None
                }
                Written::Refused(read) => {
                    let stored = self.loaded(read)?.stored;
                    // The store has lost the lease, or another process has begun to replace what this one replaced.
                    let is_newer = stored.as_ref().is_none_or(|stored| stored.record.generation < record.generation);
                    let seen = stored.map(|stored| stored.version);
                    is_newer.then(|| Unsaved { held, seen, version: self.next_version(), record })
                }
            };
            let mut queued = self.queued();
            if queued.unsaved.as_ref().is_some_and(|unsaved| unsaved.version == version) {
                queued.unsaved = next;
            }
        }
        Err("the store refuses every write".into())
    }

    /// Reads a record that was written again for 30 s, and writes it again if the store has lost it: by a fail-over to a
    /// replica that lags, for instance. A process that has seen nothing of it would present a spent refresh token.
    pub(crate) async fn check(&self, mut version: Version, record: &TokenRecord) {
        let number = self.queued().number;
        for _ in 0..CHECKS {
            tokio::time::sleep(CHECK_PAUSE).await;
            if self.queued().number != number {
                return;
            }
            let Ok(loaded) = self.load().await else { continue };
            let stored = loaded.stored.map(|stored| (stored.version, stored.record.generation));
            match stored {
                Some((other, _)) if other == version => {}
                Some((_, generation)) if generation >= record.generation => return,
                _ => {
                    let next = self.next_version();
                    let written = self.write(stored.map(|(version, _)| version), next, record).await;
                    if written.is_ok_and(|written| written.is_written()) {
                        tracing::warn!(target: "redress::refresh", stored = record.generation, "the store lost a write: written again");
                        version = next;
                    }
                }
            }
        }
    }
}
