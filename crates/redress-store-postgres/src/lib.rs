//! A [`Store`](redress_store::Store) in a table of Postgres, for services that have a database and no Redis.
//!
//! A record is one row. Reading it is one statement, and replacing it another, which compares the version; only a write that is
//! refused takes a second round trip, for the record as it is. The age of a record counts by the clock of the server.
//!
//! # Connections
//! The store has none of its own. It hands each [`Query`] to a closure, which runs it on a client of any pool, or on one client.
//! Statements are not prepared, and no session is relied upon: PgBouncer in transaction mode can lie between. TLS and passwords
//! are those of the pool: see [over TLS](#over-tls).
//!
//! # When the server is slow, down, or has lost writes
//! - A call that takes longer than 2 s, with the wait for a connection of the pool, is an error, and a write may have been applied:
//!   [`Entry::replace`](redress_store::Entry::replace) reads the record and recognizes its own write.
//! - A change is noticed by polling, each 250 ms by default. [`listen`](PostgresStore::listen) takes a connection without a
//!   pooler, over which changes are noticed at once.
//! - After a fail-over to a standby that lagged, or a restored backup, the versions of the records have lower numbers than before,
//!   which the layers notice. Besides, each record has the timeline of the server that wrote it, which changes with each of them: a
//!   record of another timeline is [marked](redress_store::Record::is_of_former_server). `synchronous_standby_names` of Postgres
//!   avoids lost writes.
//!
//! # Over TLS
//! Any connector of `tokio-postgres` does, such as `MakeRustlsConnect` of tokio-postgres-rustls or `MakeTlsConnector` of
//! postgres-native-tls. The one of the pool and that of [`listen`](PostgresStore::listen) may be the same:
//! ```
//! use redress_store::BoxError;
//! use redress_store_postgres::PostgresStore;
//! use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
//! use tokio_postgres::{Config, Socket};
//!
//! /// `server` has `sslmode=require`: the default, `prefer`, goes without TLS where the server has none.
//! fn over_tls<T>(server: Config, tls: T) -> PostgresStore
//! where
//!     T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
//!     T::Stream: Send + 'static,
//!     T::TlsConnect: Send,
//!     <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
//! {
//!     let (config, connector) = (server.clone(), tls.clone());
//!     let store = PostgresStore::new(move |query| {
//!         let (config, connector) = (config.clone(), connector.clone());
//!         async move {
//!             // A pool keeps the connection.
//!             let (client, connection) = config.connect(connector).await?;
//!             tokio::spawn(connection);
//!             Ok::<_, BoxError>(query.run(&client).await?)
//!         }
//!     });
//!     store.listen(server, tls)
//! }
//! ```
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
