//! What every request reads.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Request};
use redress_classify::Clock;
use tokio::time::Instant;

use crate::life::Life;

/// One installed set of credentials with its generation, so that both are read together.
///
/// Only its flags ever change, and what is noted about the wall clock.
pub(crate) struct Snapshot {
    /// Grows by one with each set that is installed.
    generation: u64,
    /// Empty before the first set and after a logout.
    headers: Vec<(HeaderName, HeaderValue)>,
    life: Option<Life>,
    /// A server has rejected it.
    is_suspect: AtomicBool,
    /// A server has accepted it.
    is_proven: AtomicBool,
    /// The wall clock says that it has expired, whatever the monotonic one says.
    is_overdue: AtomicBool,
    wall: WallExpiry,
}

/// When a set expires by the wall clock, and when that was last compared.
///
/// The monotonic clock may stand still while the machine sleeps. The wall clock is looked at once in each second of the
/// set's life at most, so that few of the successes read it.
struct WallExpiry {
    /// In milliseconds from 1970, which may be negative; `UNKNOWN` until a clock is at hand.
    at: AtomicI64,
    /// How many whole seconds the set had left at the last look.
    looked: AtomicU64,
}

const UNKNOWN: i64 = i64::MIN;

/// Whether a set of credentials can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It can.
    Fresh,
    /// It can, and a renewal is due.
    Stale,
    /// It cannot: there is none, or it has expired or been rejected.
    Unusable,
}

impl Snapshot {
    pub(crate) const fn new(generation: u64, headers: Vec<(HeaderName, HeaderValue)>, life: Option<Life>) -> Self {
        Self {
            generation,
            headers,
            life,
            is_suspect: AtomicBool::new(false),
            is_proven: AtomicBool::new(false),
            is_overdue: AtomicBool::new(false),
            wall: WallExpiry { at: AtomicI64::new(UNKNOWN), looked: AtomicU64::new(u64::MAX) },
        }
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Reads the clock only when a lifetime is known, and returns what it read.
    pub(crate) fn freshness(&self) -> (Freshness, Option<Instant>) {
        let mut read = None;
        let freshness = self.judge(|| *read.insert(Instant::now()));
        (freshness, read)
    }

    pub(crate) fn freshness_at(&self, now: Instant) -> Freshness {
        self.judge(|| now)
    }

    /// Notes when the set expires by the wall clock, if that is not known yet.
    pub(crate) fn anchor(&self, clock: &Clock) {
        let Some(life) = self.life else { return };
        if self.wall.at.load(Ordering::Relaxed) == UNKNOWN {
            let left = life.expires_at.saturating_duration_since(Instant::now());
            // Rounded up, so that this clock never comes before the other one.
            let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX).saturating_add(2);
            self.wall.at.store(millis(clock.now()).saturating_add(left), Ordering::Relaxed);
        }
    }

    /// Looks at the wall clock, at most once in a second; returns whether the set has expired by it.
    pub(crate) fn is_overdue(&self, now: Instant, clock: impl FnOnce() -> Clock) -> bool {
        let Some(life) = self.life else { return false };
        let left = life.expires_at.saturating_duration_since(now).as_secs();
        if self.wall.looked.load(Ordering::Relaxed) != left {
            self.wall.looked.store(left, Ordering::Relaxed);
            self.look(&clock());
        }
        self.is_overdue.load(Ordering::Relaxed)
    }

    fn look(&self, clock: &Clock) {
        match self.wall.at.load(Ordering::Relaxed) {
            UNKNOWN => self.anchor(clock),
            at if millis(clock.now()) >= at => self.is_overdue.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Puts the credentials on a request, in place of any headers of their names.
    pub(crate) fn stamp<B>(&self, request: &mut Request<B>) {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    }

    pub(crate) fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
    }

    /// Ends the suspicion: a server has accepted it again.
    pub(crate) fn clear_suspicion(&self) {
        self.is_suspect.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed)
    }

    pub(crate) fn prove(&self) {
        // Reading first leaves the cache line shared among the cores.
        if !self.is_proven() {
            self.is_proven.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.is_proven.load(Ordering::Relaxed)
    }

    /// Whether it can be sent for want of a better one: it is there and has not expired.
    pub(crate) fn is_sendable_at(&self, now: Instant) -> bool {
        let is_over = |life: Life| now >= life.expires_at || self.is_overdue.load(Ordering::Relaxed);
        !self.is_empty() && !self.life.is_some_and(is_over)
    }

    /// Whether a server has accepted it and none has rejected it since.
    #[inline]
    pub(crate) fn is_trusted(&self) -> bool {
        self.is_proven() && !self.is_suspect()
    }

    fn judge(&self, now: impl FnOnce() -> Instant) -> Freshness {
        if self.is_empty() || self.is_suspect() {
            return Freshness::Unusable;
        }
        let Some(life) = self.life else { return Freshness::Fresh };
        let now = now();
        if now >= life.expires_at || self.is_overdue.load(Ordering::Relaxed) {
            Freshness::Unusable
        } else if now >= life.refresh_at {
            Freshness::Stale
        } else {
            Freshness::Fresh
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("headers", &names)
            .field("life", &self.life)
            .field("is_suspect", &self.is_suspect)
            .field("is_proven", &self.is_proven)
            .field("is_overdue", &self.is_overdue)
            .finish_non_exhaustive()
    }
}

/// Returns a time in milliseconds from 1970.
fn millis(time: SystemTime) -> i64 {
    let count = |since: std::time::Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    time.duration_since(SystemTime::UNIX_EPOCH).map_or_else(|error| -count(error.duration()), count)
}
