//! The record of a set of credentials in a store.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::json::{Read, Written};
use crate::expiry::MIN_LIFETIME;
use crate::token_set::{InvalidHeader, TokenSet};

/// The version of the byte format.
const FORMAT: u8 = 1;
/// Space for the members that are not secret, for up to eight headers.
const SLACK: usize = 1024;

/// One shared set of credentials, with the generation that tells which set is newer.
///
/// `Debug` shows no secret, and the secrets are wiped when the last clone is dropped. A store reads and writes it as bytes.
///
/// # Examples
/// ```
/// use redress_refresh::TokenRecord;
///
/// let bytes = br#"{"v":1,"generation":7,"access":[["authorization","Bearer s3cret"]],"refresh":"r7","expires_at":null,"lease":null}"#;
/// let record = TokenRecord::from_bytes(bytes)?;
/// assert_eq!((record.generation(), record.expose_bytes().as_slice()), (7, bytes.as_slice()));
/// assert!(!format!("{record:?}").contains("s3cret"));
/// # Ok::<(), redress_refresh::InvalidRecord>(())
/// ```
#[derive(Clone)]
pub struct TokenRecord {
    pub(crate) generation: u64,
    /// The access headers. A logout and the lease of a first login have none.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) lease: Option<Lease>,
}

/// The right of one process to call the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// A random name of the flight.
    pub(crate) id: String,
    /// The end of the lease.
    pub(crate) until: SystemTime,
}

/// The version of a record. A store compares it before it writes.
///
/// # Examples
/// ```
/// use redress_refresh::TokenRecord;
///
/// let bytes = br#"{"v":1,"generation":7,"access":[],"refresh":null,"expires_at":null,"lease":{"id":"f00","until":5}}"#;
/// let version = TokenRecord::from_bytes(bytes)?.version();
/// assert_eq!((version.generation(), version.lease()), (7, Some("f00")));
/// # Ok::<(), redress_refresh::InvalidRecord>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordVersion {
    generation: u64,
    lease: Option<String>,
}

/// Bytes that are not a [`TokenRecord`]. It does not contain the bytes.
///
/// # Examples
/// ```
/// use redress_refresh::TokenRecord;
///
/// let error = TokenRecord::from_bytes(b"s3cret").unwrap_err();
/// assert_eq!(error.to_string(), "bytes that are not a record: they do not hold its parts");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRecord {
    why: &'static str,
    /// A header that frames or routes a message.
    header: Option<&'static str>,
}

impl TokenRecord {
    /// Makes a record without credentials.
    pub(crate) const fn empty(generation: u64) -> Self {
        Self { generation, headers: Vec::new(), refresh_token: None, expires_at: None, lease: None }
    }

    /// Makes a record of a set that expires at the given time.
    pub(crate) fn new(generation: u64, grant: &TokenSet, expires_at: Option<SystemTime>) -> Self {
        let (headers, refresh_token) = grant.clone().into_parts();
        Self { generation, headers, refresh_token, expires_at, lease: None }
    }

    /// Parses the bytes of [`expose_bytes`](Self::expose_bytes). Unknown members are ignored.
    ///
    /// # Errors
    /// Returns an error for other bytes, for another version of the format, and for a header that [`TokenSet::header`]
    /// refuses.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let refuse = |why| InvalidRecord { why, header: None };
        let read: Read = serde_json::from_slice(bytes).map_err(|_| refuse("they do not hold its parts"))?;
        if read.v != FORMAT {
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
        Ok(Self { lease: read.lease, ..Self::new(read.generation, &grant, read.expires_at) })
    }

    /// Returns the record as JSON, **including the secrets**. The bytes are wiped when they are dropped.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::TokenRecord;
    ///
    /// let bytes = br#"{"v":1,"generation":7,"access":[],"refresh":"s3cret","expires_at":null,"lease":null}"#;
    /// let record = TokenRecord::from_bytes(bytes)?;
    /// assert_eq!(record.expose_bytes().as_slice(), bytes);
    /// # Ok::<(), redress_refresh::InvalidRecord>(())
    /// ```
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "writing strings and numbers to memory cannot fail")]
    pub fn expose_bytes(&self) -> Zeroizing<Vec<u8>> {
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
            expires_at: self.expires_at,
            lease: self.lease.as_ref(),
        };
        serde_json::to_writer(&mut *bytes, &written).expect("strings and numbers are JSON, and memory takes them");
        bytes
    }

    /// Returns the generation of the set: a larger number is a newer set.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the version, which a store compares.
    #[must_use]
    pub fn version(&self) -> RecordVersion {
        RecordVersion { generation: self.generation, lease: self.lease.as_ref().map(|lease| lease.id.clone()) }
    }

    /// Returns `true` if its credentials can be sent for at least a second.
    pub(crate) fn is_usable(&self, now: SystemTime) -> bool {
        !self.headers.is_empty() && self.left(now).is_none_or(|left| left > Duration::from_secs(1))
    }

    /// Returns how long its credentials last from `now` on, `None` if that is unknown.
    pub(crate) fn left(&self, now: SystemTime) -> Option<Duration> {
        self.expires_at.map(|end| end.duration_since(now).unwrap_or_default())
    }

    /// Returns its set with the rest of the lifetime, which is at least a second: a shorter one would count as unknown.
    pub(crate) fn token_set(&self, now: SystemTime) -> TokenSet {
        let left = self.left(now).map(|left| left.max(MIN_LIFETIME));
        TokenSet::from_parts(self.headers.clone(), self.refresh_token.clone(), left)
    }
}

impl RecordVersion {
    /// Returns the generation.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the name of the lease, `None` if there is none. The name is not secret.
    #[must_use]
    pub fn lease(&self) -> Option<&str> {
        self.lease.as_deref()
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
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let grant = TokenSet::bearer("t1").and_then(|grant| grant.header("apikey", "k \"\\ 1")).expect("legal");
        let full = TokenRecord::new(u64::MAX, &grant.refresh_token("r\n\u{1F511}\"\\"), Some(at(1_700_000_000_123)));
        let lease = Some(Lease { id: "f00".to_owned(), until: at(5) });
        for record in [TokenRecord::empty(0), full.clone(), TokenRecord { lease, ..full }] {
            let bytes = record.expose_bytes();
            let read = TokenRecord::from_bytes(&bytes).expect("just written");
            assert_eq!(read.expose_bytes(), bytes);
            assert_eq!((read.version(), read.expires_at), (record.version(), record.expires_at));
            assert!(read.headers.iter().all(|(_, value)| value.is_sensitive()));
        }
    }

    #[test]
    fn the_buffer_never_grows() {
        let grant = TokenSet::bearer("\"".repeat(5000)).expect("legal").refresh_token("\u{1}".repeat(5000));
        let bytes = TokenRecord::new(1, &grant, None).expose_bytes();
        assert!(bytes.len() > 35_000 && bytes.capacity() == SLACK + 6 * ("authorization".len() + 5007 + 5000));
    }

    #[test]
    fn other_bytes_are_refused_and_not_repeated() {
        for (bytes, why) in [
            ("", "its parts"),
            ("s3cret", "its parts"),
            ("{\"v\":1}", "its parts"),
            (r#"{"v":2,"generation":1,"access":[],"refresh":null,"expires_at":null,"lease":null}"#, "another version"),
            (r#"{"v":1,"generation":-1,"access":[],"refresh":null,"expires_at":null,"lease":null}"#, "its parts"),
            (
                r#"{"v":1,"generation":1,"access":[["a","s3cret\n"]],"refresh":null,"expires_at":null,"lease":null}"#,
                "illegal",
            ),
            (
                r#"{"v":1,"generation":1,"access":[["a b","s3cret"]],"refresh":null,"expires_at":null,"lease":null}"#,
                "illegal",
            ),
        ] {
            let error = TokenRecord::from_bytes(bytes.as_bytes()).expect_err(bytes);
            assert!(error.to_string().contains(why) && !format!("{error:?}").contains("s3cret"), "{bytes}: {error}");
        }
    }

    #[test]
    fn a_header_that_frames_the_message_is_refused_and_named() {
        for name in ["Content-Length", "host", "TRANSFER-encoding", "connection"] {
            for others in ["", r#"["authorization","Bearer s3cret"],"#] {
                let text = format!(
                    r#"{{"v":1,"generation":1,"access":[{others}["{name}","s3cret"]],"refresh":"s3cret","expires_at":null}}"#
                );
                let error = TokenRecord::from_bytes(text.as_bytes()).expect_err(name);
                let named = format!("the header {} frames or routes the message", name.to_ascii_lowercase());
                assert!(error.to_string().contains(&named), "{error}");
                assert!(!format!("{error:?} {error}").contains("s3cret"));
            }
        }
    }

    #[test]
    fn unknown_members_are_ignored_and_a_repeated_one_is_an_error() {
        let text = |more: &str| format!(r#"{{"v":1,"generation":7,{more}"access":[],"expires_at":null}}"#);
        for (more, understood) in [
            ("", true),
            (r#""later":{"generation":[8]},"#, true),
            (r#""lease":{"until":5,"by":"me","id":"f00"},"#, true),
            (r#""lease":{"id":"f00"},"#, false),
            (r#""lease":{"id":"f00","id":"f01","until":5},"#, false),
            (r#""generation":8,"#, false),
        ] {
            let read = TokenRecord::from_bytes(text(more).as_bytes());
            assert_eq!(read.map(|record| record.generation()).ok(), understood.then_some(7), "{more}");
        }
    }

    #[test]
    fn absurd_times_are_the_end_of_the_year_9999_or_the_beginning_of_1970() {
        let text = |millis: &str| {
            format!(r#"{{"v":1,"generation":1,"access":[],"refresh":null,"expires_at":{millis},"lease":null}}"#)
        };
        let last = TokenRecord::from_bytes(text("18446744073709551615").as_bytes()).expect("a number");
        assert_eq!(last.expires_at, Some(at(253_402_300_799_000)));
        let early =
            TokenRecord { expires_at: Some(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), ..TokenRecord::empty(1) };
        assert_eq!(early.expose_bytes().as_slice(), text("0").as_bytes());
    }

    #[test]
    fn a_set_from_a_record_keeps_a_known_lifetime() {
        let grant = TokenSet::bearer("t").expect("legal");
        for (now, left) in [(1000, 2000), (2500, 1000), (2999, 1000), (9000, 1000)] {
            let lifetime = TokenRecord::new(1, &grant, Some(at(3000))).token_set(at(now)).lifetime();
            assert_eq!(lifetime, Some(Duration::from_millis(left)), "{now}");
        }
    }

    #[test]
    fn a_usable_set_lasts_at_least_a_second() {
        let grant = TokenSet::bearer("t").expect("legal");
        for (expires_at, usable) in [(None, true), (Some(999), false), (Some(2000), false), (Some(2001), true)] {
            assert_eq!(TokenRecord::new(1, &grant, expires_at.map(at)).is_usable(at(1000)), usable, "{expires_at:?}");
        }
        assert!(!TokenRecord::empty(1).is_usable(at(0)));
    }
}
