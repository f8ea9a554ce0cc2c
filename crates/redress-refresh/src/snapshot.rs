//! What every request reads.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderName, HeaderValue, Request};
use tokio::time::Instant;

use crate::life::Life;

/// One installed set of credentials with its generation, so that both are read together.
///
/// Only two flags of it ever change, each of them once.
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
}

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
        Self { generation, headers, life, is_suspect: AtomicBool::new(false), is_proven: AtomicBool::new(false) }
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

    /// Puts the credentials on a request, in place of any headers of their names.
    pub(crate) fn stamp<B>(&self, request: &mut Request<B>) {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
    }

    pub(crate) fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
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

    fn judge(&self, now: impl FnOnce() -> Instant) -> Freshness {
        if self.is_empty() || self.is_suspect() {
            return Freshness::Unusable;
        }
        let Some(life) = self.life else { return Freshness::Fresh };
        let now = now();
        if now >= life.expires_at {
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
            .finish()
    }
}
