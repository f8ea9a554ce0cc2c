//! The record of a set of credentials in a store.
//!
//! It is JSON, in the value of a record of `redress-store`:
//!
//! - `v`: the number of the format, 1
//! - `generation`: the number of the set
//! - `access`: names and values of the headers
//! - `refresh`: the refresh token, or null
//! - `expires_in_ms`: the rest of the lifetime at the write, or null
//! - `lease_ms`: the length of the lease, or null
//! - `shown_ms`: how long before the write the refresh token may have been presented for the first time, or null
//!
//! It holds durations and no times: they count from the write, by the clock of the store.
//!
//! Processes of two adjacent formats share a store while a new version is rolled out. A record of the next format, 2, is read
//! too, and its further members are ignored and not written again. So a later format may add members that it can do without. A
//! change that this one must not ignore takes the number after the next, which is refused here.

mod json;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use redress_classify::saturating;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use zeroize::Zeroizing;

use self::json::{Read, Written};
use crate::expiry::MIN_LIFETIME;
use crate::token_set::{InvalidHeader, TokenSet};

/// The number of the format that is written.
const FORMAT: u8 = 1;
/// The number of the last format that is read.
const LAST_FORMAT: u8 = FORMAT + 1;
/// Space for the members that are not secret, for up to eight headers.
const SLACK: usize = 1024;

/// One shared set of credentials, with the generation that tells which set is newer.
///
/// `Debug` shows no secret, and the secrets are wiped when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct TokenRecord {
    pub(crate) generation: u64,
    /// The access headers. A logout and the lease of a first login have none.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) refresh_token: Option<SecretString>,
    /// The end of the credentials, `None` if it is unknown.
    pub(crate) expires_at: Option<Instant>,
    /// The length of the lease: the right of one process to call the issuer, counted from the write.
    pub(crate) lease: Option<Duration>,
    /// When the refresh token may have been presented for the first time.
    pub(crate) shown: Option<Shown>,
}

/// A time in the past, which may lie before the first time of this machine's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    before: Duration,
    at: Instant,
}

/// Bytes that are not a [`TokenRecord`]. It does not contain the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidRecord {
    why: &'static str,
    /// A header that frames or routes a message.
    header: Option<&'static str>,
}

impl TokenRecord {
    /// Makes a record without credentials.
    pub(crate) const fn empty(generation: u64) -> Self {
        Self { generation, headers: Vec::new(), refresh_token: None, expires_at: None, lease: None, shown: None }
    }

    /// Makes a record of a set that expires at the given time.
    pub(crate) fn new(generation: u64, grant: &TokenSet, expires_at: Option<Instant>) -> Self {
        let (headers, refresh_token) = grant.clone().into_parts();
        Self { headers, refresh_token, expires_at, ..Self::empty(generation) }
    }

    /// Parses the value of a record that is `age` old at `now`. Unknown members are ignored.
    ///
    /// # Errors
    /// Returns an error for other bytes, for a format that is not adjacent, and for a header that [`TokenSet::header`] refuses.
    pub(crate) fn from_bytes(bytes: &[u8], age: Duration, now: Instant) -> Result<Self, InvalidRecord> {
        let refuse = |why| InvalidRecord { why, header: None };
        let read: Read = serde_json::from_slice(bytes).map_err(|_| refuse("they do not hold its parts"))?;
        if !(FORMAT..=LAST_FORMAT).contains(&read.v) {
            return Err(refuse("they are of another version"));
        }
        let mut grant = TokenSet::new();
        for (name, value) in read.access {
            grant =
                grant.header(name.as_str(), value.0.as_str()).map_err(|error| InvalidRecord::from_header(&error))?;
        }
        if let Some(token) = read.refresh {
            grant = grant.refresh_token(token.0.as_str());
        }
        let expires_at = read.expires_in.map(|left| saturating::add(now, left.saturating_sub(age)));
        let shown = read.shown.map(|before| Shown { before: before.saturating_add(age), at: now });
        Ok(Self { lease: read.lease, shown, ..Self::new(read.generation, &grant, expires_at) })
    }

    /// Returns the record as JSON for a write at `now`, **including the secrets**. The bytes are wiped when they are dropped.
    pub(crate) fn expose_bytes(&self, now: Instant) -> Zeroizing<Vec<u8>> {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let refresh = self.refresh_token.as_ref().map_or(0, |token| token.expose_secret().len());
        // Space for all that escaping can add: a buffer that is reallocated leaves secrets in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(SLACK + 6 * (headers + refresh)));
        let access = self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let written = Written {
            v: FORMAT,
            generation: self.generation,
            access: access.collect(),
            refresh: self.refresh_token.as_ref().map(ExposeSecret::expose_secret),
            expires_in: self.left(now),
            lease: self.lease,
            shown: self.shown.map(|shown| shown.ago(now)),
        };
        serde_json::to_writer(&mut *bytes, &written).expect("strings and numbers are JSON, and memory takes them");
        bytes
    }

    /// Returns `true` if its credentials can be sent for at least a second.
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        !self.headers.is_empty() && self.left(now).is_none_or(|left| left > Duration::from_secs(1))
    }

    /// Returns its set with the rest of the lifetime, which is at least a second: a shorter one would count as unknown.
    pub(crate) fn token_set(&self, now: Instant) -> TokenSet {
        let left = self.left(now).map(|left| left.max(MIN_LIFETIME));
        TokenSet::from_parts(self.headers.clone(), self.refresh_token.clone(), left)
    }

    /// Returns how long its credentials last from `now` on, `None` if that is unknown.
    fn left(&self, now: Instant) -> Option<Duration> {
        self.expires_at.map(|end| end.saturating_duration_since(now))
    }
}

impl Shown {
    /// Returns the time that is now.
    pub(crate) const fn from_now(now: Instant) -> Self {
        Self { before: Duration::ZERO, at: now }
    }

    /// Returns the time that long before now.
    pub(crate) const fn before(before: Duration, now: Instant) -> Self {
        Self { before, at: now }
    }

    /// Returns how long ago that was.
    pub(crate) fn ago(self, now: Instant) -> Duration {
        self.before.saturating_add(now.saturating_duration_since(self.at))
    }
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("TokenRecord")
            .field("generation", &self.generation)
            .field("access", &names)
            .field("refresh_token", &self.refresh_token.as_ref().map(|_| "Redacted"))
            .field("expires_at", &self.expires_at)
            .field("lease", &self.lease)
            .field("shown", &self.shown)
            .finish()
    }
}

impl InvalidRecord {
    fn from_header(error: &InvalidHeader) -> Self {
        Self { why: "a header is illegal", header: error.framing() }
    }
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes that are not a record: {}", self.why)?;
        self.header.map_or(Ok(()), |name| write!(f, ": the header {name} frames or routes the message"))
    }
}

impl StdError for InvalidRecord {}

#[cfg(test)]
mod tests;
