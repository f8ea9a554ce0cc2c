//! Errors without the texts of the server.

use std::error::Error as StdError;
use std::fmt;

use redress_store::BoxError;

/// An error of a [`PostgresStore`](crate::PostgresStore).
///
/// It has the code of a server's error, such as `42P01`, and never its text or its detail, which can quote a row.
///
/// # Examples
/// ```
/// use redress_store_postgres::PostgresStoreError;
///
/// let error = PostgresStoreError::Server("42P01".to_owned());
/// assert_eq!(
///     error.to_string(),
///     "the server answered with the error 42P01: the table does not exist, see PostgresStore::schema"
/// );
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum PostgresStoreError {
    /// The server refused the call: the SQLSTATE, a code of five characters.
    Server(String),
    /// The connection broke off. A write may have been applied.
    Connection(String),
    /// The pool returned no connection: its own error.
    Pool(BoxError),
    /// The call took longer than 2 s. A write may have been applied.
    Timeout,
    /// The row is not a record.
    NotARecord,
}

/// The SQLSTATE of a table that does not exist.
const NO_TABLE: &str = "42P01";

impl From<BoxError> for PostgresStoreError {
    fn from(error: BoxError) -> Self {
        match error.downcast_ref::<tokio_postgres::Error>() {
            Some(error) => error.code().map_or_else(
                // Such an error names the reason, and a text of the system.
                || Self::Connection(error.to_string()),
                |code| Self::Server(code.code().to_owned()),
            ),
            None => Self::Pool(error),
        }
    }
}

impl fmt::Display for PostgresStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(code) if code == NO_TABLE => write!(
                f,
                "the server answered with the error {code}: the table does not exist, see PostgresStore::schema"
            ),
            Self::Server(code) => write!(f, "the server answered with the error {code}"),
            Self::Connection(reason) => write!(f, "the connection to the server failed: {reason}"),
            Self::Pool(_) => f.write_str("the pool returned no connection"),
            Self::Timeout => f.write_str("the server did not answer in time"),
            Self::NotARecord => f.write_str("the row is not a record"),
        }
    }
}

impl StdError for PostgresStoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Pool(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}
