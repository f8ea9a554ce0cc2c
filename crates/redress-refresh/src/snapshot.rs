//! The installed credentials, as requests read them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Request};
use redress_classify::Clock;
use redress_classify::straight::CallTime;
use tokio::time::Instant;

use crate::expiry::Expiry;

/// One installed set of credentials with its generation, so that both are read together.
///
/// Only its flags and its wall-clock expiry change.
pub(crate) struct Snapshot {
    /// Increases by one with each installed set.
    generation: u64,
    /// Empty before the first set and after a logout.
    headers: Vec<(HeaderName, HeaderValue)>,
    expiry: Option<Expiry>,
    /// A server has rejected it.
    is_rejected: AtomicBool,
    /// A server has accepted it.
    is_accepted: AtomicBool,
    /// It has expired by the wall clock, if not by the monotonic one.
    is_expired_by_wall_clock: AtomicBool,
    wall: WallExpiry,
}

/// When a set expires by the wall clock, and when that was last checked.
///
/// The monotonic clock may stand still while the machine sleeps. The wall clock is read at most once a second, so that few
/// of the successes read it.
struct WallExpiry {
    /// In milliseconds from 1970, which may be negative; `UNKNOWN` until it is set.
    at: AtomicI64,
    /// The seconds that the set had left at the last check.
    checked: AtomicU64,
}

const UNKNOWN: i64 = i64::MIN;

/// Whether a set of credentials can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It can be sent.
    Fresh,
    /// It can be sent, and a renewal is due.
    Stale,
    /// It cannot be sent: it is empty, has expired or was rejected.
    Unusable,
}

impl Snapshot {
    pub(crate) const fn new(generation: u64, headers: Vec<(HeaderName, HeaderValue)>, expiry: Option<Expiry>) -> Self {
        Self {
            generation,
            headers,
            expiry,
            is_rejected: AtomicBool::new(false),
            is_accepted: AtomicBool::new(false),
            is_expired_by_wall_clock: AtomicBool::new(false),
            wall: WallExpiry { at: AtomicI64::new(UNKNOWN), checked: AtomicU64::new(u64::MAX) },
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

    /// Returns its end by the monotonic clock, `None` if that is unknown.
    pub(crate) fn expires_at(&self) -> Option<Instant> {
        self.expiry.map(|expiry| expiry.expires_at)
    }

    /// Returns the freshness. The clock is read only if the set expires.
    #[inline]
    pub(crate) fn freshness(&self, time: &mut CallTime) -> Freshness {
        self.freshness_by(|| time.now())
    }

    pub(crate) fn freshness_at(&self, now: Instant) -> Freshness {
        self.freshness_by(|| now)
    }

    /// Computes when the set expires by the wall clock, if that is unknown.
    pub(crate) fn set_wall_expiry(&self, clock: &Clock) {
        let Some(expiry) = self.expiry else { return };
        if self.wall.at.load(Ordering::Relaxed) == UNKNOWN {
            let left = expiry.expires_at.saturating_duration_since(Instant::now());
            // Rounded up, so that the set never expires earlier by this clock than by the monotonic one.
            let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX).saturating_add(2);
            self.wall.at.store(millis(clock.now()).saturating_add(left), Ordering::Relaxed);
        }
    }

    /// Checks the wall clock, at most once a second. Returns `true` if the set has expired by it.
    pub(crate) fn is_expired_by_wall_clock(&self, now: Instant, clock: impl FnOnce() -> Clock) -> bool {
        let Some(expiry) = self.expiry else { return false };
        let left = expiry.expires_at.saturating_duration_since(now).as_secs();
        if self.wall.checked.load(Ordering::Relaxed) != left {
            self.wall.checked.store(left, Ordering::Relaxed);
            self.check_wall_clock(&clock());
        }
        self.is_expired_by_wall_clock.load(Ordering::Relaxed)
    }

    fn check_wall_clock(&self, clock: &Clock) {
        match self.wall.at.load(Ordering::Relaxed) {
            UNKNOWN => self.set_wall_expiry(clock),
            at if millis(clock.now()) >= at => self.is_expired_by_wall_clock.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Sets the credential headers of a request, in place of any with the same names.
    pub(crate) fn apply_to<B>(&self, request: &mut Request<B>) {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    }

    pub(crate) fn mark_rejected(&self) {
        self.is_rejected.store(true, Ordering::Relaxed);
    }

    /// Removes the mark: a server has accepted it again.
    pub(crate) fn clear_rejection(&self) {
        self.is_rejected.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.is_rejected.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_accepted(&self) {
        // Reading first leaves the cache line shared among the cores.
        if !self.is_accepted() {
            self.is_accepted.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.is_accepted.load(Ordering::Relaxed)
    }

    /// Returns `true` if it may be sent although it was rejected elsewhere: it is not empty and has not expired.
    pub(crate) fn is_sendable_at(&self, now: Instant) -> bool {
        let is_over =
            |expiry: Expiry| now >= expiry.expires_at || self.is_expired_by_wall_clock.load(Ordering::Relaxed);
        !self.is_empty() && !self.expiry.is_some_and(is_over)
    }

    fn freshness_by(&self, now: impl FnOnce() -> Instant) -> Freshness {
        if self.is_empty() || self.is_rejected() {
            return Freshness::Unusable;
        }
        let Some(expiry) = self.expiry else { return Freshness::Fresh };
        let now = now();
        if now >= expiry.expires_at || self.is_expired_by_wall_clock.load(Ordering::Relaxed) {
            Freshness::Unusable
        } else if now >= expiry.refresh_at {
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
            .field("expiry", &self.expiry)
            .field("is_rejected", &self.is_rejected)
            .field("is_accepted", &self.is_accepted)
            .field("is_expired_by_wall_clock", &self.is_expired_by_wall_clock)
            .finish_non_exhaustive()
    }
}

/// Returns a time in milliseconds from 1970.
fn millis(time: SystemTime) -> i64 {
    let count = |since: std::time::Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    time.duration_since(SystemTime::UNIX_EPOCH).map_or_else(|error| -count(error.duration()), count)
}
