//! Errors without the texts of servers.

use std::error::Error as StdError;
use std::fmt;

use redis::{ErrorKind, RedisError};

/// An error of a [`RedisStore`](crate::RedisStore).
///
/// It has the code of a server's error, such as `OOM`, and never its text: servers quote the arguments of commands that they do not
/// know, which are a password or the value of a record.
///
/// # Examples
/// ```
/// use redress_store_redis::RedisStoreError;
///
/// let error = RedisStoreError::Evicting { policy: "allkeys-lru".to_owned() };
/// assert_eq!(
///     error.to_string(),
///     "the server evicts records when its memory is full: its setting maxmemory-policy is allkeys-lru; \
///      change it by CONFIG SET maxmemory-policy noeviction"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisStoreError {
    /// The URL or another setting of the client is not valid.
    Settings(String),
    /// The server was not reached, or the connection broke off: the reason. A write may have been applied.
    Connection(String),
    /// The server did not answer in time: 500 ms for a call, 1 s for a connection. A write may have been applied.
    Timeout,
    /// The server refused the call: the code of its error, such as `OOM`, `READONLY` or `NOPERM`.
    Server(String),
    /// The `maxmemory-policy` of the server removes keys when its memory is full, and so loses records. The default of Redis is
    /// `noeviction`, but many hosted services have another one. [`allow_eviction`](crate::RedisStoreBuilder::allow_eviction)
    /// lets the store use such a server.
    Evicting {
        /// The value of the setting.
        policy: String,
    },
    /// The key holds something else than a record.
    NotARecord,
}

impl RedisStoreError {
    /// Returns `true` if another connection may do better: after a loss, a late answer, or when the server is not, or no longer,
    /// one that can be written to.
    pub(crate) fn ends_the_connection(&self) -> bool {
        match self {
            Self::Connection(_) | Self::Timeout => true,
            Self::Server(code) => {
                matches!(code.as_str(), "READONLY" | "MASTERDOWN" | "LOADING" | "CLUSTERDOWN" | "UNBLOCKED")
            }
            Self::Settings(_) | Self::Evicting { .. } | Self::NotARecord => false,
        }
    }
}

impl From<RedisError> for RedisStoreError {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        match error.kind() {
            ErrorKind::Io => Self::Connection(error.to_string()),
            ErrorKind::InvalidClientConfig | ErrorKind::EmptySentinelList => {
                Self::Settings(error.category().to_owned())
            }
            ErrorKind::UnexpectedReturnType => Self::NotARecord,
            ErrorKind::Server(_) | ErrorKind::Extension => match error.code() {
                Some("WRONGTYPE") => Self::NotARecord,
                code => Self::Server(code.unwrap_or("ERR").to_owned()),
            },
            _ => Self::Connection(error.category().to_owned()),
        }
    }
}

impl fmt::Display for RedisStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(reason) => write!(f, "the settings of the client are not valid: {reason}"),
            Self::Connection(reason) => write!(f, "the server cannot be reached: {reason}"),
            Self::Timeout => f.write_str("the server did not answer in time"),
            Self::Server(code) => write!(f, "the server answered with the error {code}"),
            Self::Evicting { policy } => write!(
                f,
                "the server evicts records when its memory is full: its setting maxmemory-policy is {policy}; \
                 change it by CONFIG SET maxmemory-policy noeviction"
            ),
            Self::NotARecord => f.write_str("the key holds something else than a record"),
        }
    }
}

impl StdError for RedisStoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_no_text_of_the_server() {
        let text = "unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hunter2'";
        for error in [
            redis::make_extension_error("ERR".to_owned(), Some(text.to_owned())),
            RedisError::from((ErrorKind::AuthenticationFailed, "failed", text.to_owned())),
            RedisError::from((ErrorKind::InvalidClientConfig, "failed", text.to_owned())),
        ] {
            let error = RedisStoreError::from(error);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_server_that_became_a_replica_ends_the_connection() {
        let demoted = redis::make_extension_error("READONLY".to_owned(), None);
        assert!(RedisStoreError::from(demoted).ends_the_connection());
        let full = redis::make_extension_error("OOM".to_owned(), None);
        assert_eq!(RedisStoreError::from(full.clone()), RedisStoreError::Server("OOM".to_owned()));
        assert!(!RedisStoreError::from(full).ends_the_connection());
    }
}
