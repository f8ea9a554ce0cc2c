//! A [`Store`](redress_store::Store) in a table of Postgres, for services that have a database and no Redis.
//!
//! A record is one row. Reading it is one statement, and replacing it another, which compares the version; only a write that is
//! refused takes a second round trip, for the record as it is. The age of a record counts by the clock of the server.
//!
//! # Connections
//! The store has none of its own. It hands each [`Query`] to a closure, which runs it on a client of any pool, or on one client.
//! Statements are not prepared, and no session is relied upon: PgBouncer in transaction mode can lie between. TLS and passwords
//! are those of the pool.
//!
//! # When the server is slow, down, or has lost writes
//! - A call that takes longer than 2 s, with the wait for a connection of the pool, is an error, and a write may have been applied:
//!   [`Entry::replace`](redress_store::Entry::replace) reads the record and recognizes its own write.
//! - A change is noticed by polling, each 250 ms by default. [`listen`](PostgresStore::listen) takes a connection without a
//!   pooler, over which changes are noticed at once.
//! - After a fail-over to a standby that lagged, or a restored backup, the versions of the records have lower numbers than before,
//!   which the layers notice. `synchronous_standby_names` of Postgres avoids the former.
//!
//! # Secrets
//! A value is written as it is given: who may read the table, its backups or a log of statements with their parameters
//! (`log_parameter_max_length`) reads the value. The errors and the events contain nothing of it.
//!
//! # Examples
//! ```no_run
//! use redress_store::{BoxError, Entry, StoreHandle};
//! use redress_store_postgres::PostgresStore;
//! use std::sync::Arc;
//! use tokio_postgres::NoTls;
//!
//! # async fn example() -> Result<(), BoxError> {
//! let (client, connection) = tokio_postgres::connect("host=127.0.0.1 user=app dbname=app", NoTls).await?;
//! tokio::spawn(connection);
//! let client = Arc::new(client);
//! let store = PostgresStore::new(move |query| {
//!     let client = Arc::clone(&client);
//!     async move { query.run(&client).await }
//! });
//! let entry = Entry::new(StoreHandle::new(store), "portal/user-7");
//! let written = entry.replace(None, b"value", None).await?;
//! # Ok(())
//! # }
//! ```

mod error;
mod hints;
mod query;
mod store;

pub use error::PostgresStoreError;
pub use query::Query;
pub use store::PostgresStore;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
