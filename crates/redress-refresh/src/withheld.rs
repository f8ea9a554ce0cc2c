//! Reports requests that are sent without credentials: one event for each authority.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderValue, Uri};
use redress_classify::escaped;

use crate::origin::port;

/// The maximum number of reports. It is above the number of authorities that a program calls through one layer.
const MAX_REPORTED: usize = 64;
/// The maximum length of a host in an event, in characters. A DNS name has at most 253.
const MAX_SHOWN: usize = 255;

/// Why a request gets no credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason<'a> {
    /// Its URI has no scheme and host.
    Relative,
    /// Its origin is not listed.
    Origin,
    /// Its path does not begin with a slash.
    Path,
    /// This `Host` header names another authority.
    Host(&'a HeaderValue),
}

/// Remembers the reports that were made. It takes no lock and does not grow.
pub(crate) struct Withheld {
    hasher: RandomState,
    /// Hashes of reports in their order; 0 is a free slot.
    reported: [AtomicU64; MAX_REPORTED],
}

impl Withheld {
    /// Warns that a request is sent without credentials, once for each reason and authority of the URI.
    #[cold]
    pub(crate) fn report(&self, uri: &Uri, reason: Reason<'_>) {
        let Some(slot) = self.claim(self.hash(uri, reason)) else { return };
        let origin = Shown(uri);
        match reason {
            Reason::Relative => tracing::warn!(
                target: "redress::refresh",
                "sent without credentials: the URI has no scheme and host, write it in absolute form"
            ),
            Reason::Origin => tracing::warn!(
                target: "redress::refresh",
                %origin,
                "sent without credentials: the origin is not listed, add it with RefreshLayer::origin if it may \
                 receive them"
            ),
            Reason::Path => tracing::warn!(
                target: "redress::refresh",
                %origin,
                "sent without credentials: the path does not begin with a slash"
            ),
            Reason::Host(host) => tracing::warn!(
                target: "redress::refresh",
                %origin,
                host = %shown(&String::from_utf8_lossy(host.as_bytes())),
                "sent without credentials: the Host header names another authority, remove the header, or allow it with \
                 RefreshLayer::allow_host if the origin answers to it"
            ),
        }
        if slot + 1 == MAX_REPORTED {
            tracing::warn!(
                target: "redress::refresh",
                authorities = MAX_REPORTED,
                "requests to further authorities that are sent without credentials are not reported"
            );
        }
    }

    fn hash(&self, uri: &Uri, reason: Reason<'_>) -> u64 {
        let is_https = uri.scheme_str() != Some("http");
        let server =
            uri.authority().map(|authority| (authority.host().to_ascii_lowercase(), port(authority, is_https)));
        self.hasher.hash_one((server, std::mem::discriminant(&reason))).max(1)
    }

    /// Returns a slot for a hash that is new, if a slot is free.
    fn claim(&self, hash: u64) -> Option<usize> {
        // All slots are taken: nothing further is reported.
        if self.reported[MAX_REPORTED - 1].load(Ordering::Relaxed) != 0 {
            return None;
        }
        for (slot, reported) in self.reported.iter().enumerate() {
            match reported.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(slot),
                Err(seen) if seen == hash => return None,
                Err(_) => {}
            }
        }
        None
    }
}

impl Default for Withheld {
    fn default() -> Self {
        Self { hasher: RandomState::new(), reported: [const { AtomicU64::new(0) }; MAX_REPORTED] }
    }
}

impl fmt::Debug for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Withheld")
    }
}

/// Shows the origin of a URI, without user, path and query.
struct Shown<'a>(&'a Uri);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{}", escaped(self.0.scheme_str().unwrap_or_default(), MAX_SHOWN), shown(authority))
    }
}

/// Returns an authority without its user, escaped and cut.
fn shown(authority: &str) -> String {
    escaped(authority.rsplit_once('@').map_or(authority, |(_, server)| server), MAX_SHOWN)
}
