//! A [`Store`](redress_store::Store) in Redis or Valkey, for processes on any number of machines.
//!
//! A record is one hash. Reading it is one script, and replacing it another: the script compares the version, writes the
//! record, sets its lifetime and publishes the new version, as one atomic step. The age of a record counts by the clock of the
//! server. The server is Redis 5.0 or newer, or Valkey; the tests run on Redis 7.0.
//!
//! # Connections
//! - [`RedisStore::connect`] takes the URL of one server.
//! - [`RedisStoreBuilder::from_sentinel`] (feature `sentinel`) asks Sentinel for the master, and again whenever the connection
//!   breaks or the server has become a replica.
//! - [`RedisStoreBuilder::from_cluster`] (feature `cluster`) sends each key to its node: the key of the user is the hash tag.
//! - [`RedisStoreBuilder::from_connections`] takes a pool, or any other origin of connections.
//! - URLs that begin with `rediss://` connect over TLS (feature `tls-rustls`): by rustls, with the certificates of the system or those
//!   of a [client](RedisStoreBuilder::from_client), and with the cryptography that the program has compiled or installed.
//!
//! The store opens one connection, shares it, and replaces it after a loss or an answer that is late. One task opens it while
//! the calls wait for it, 1 s at most; when that has failed, all calls but one in 100 ms fail at once until the server is back.
//! A second connection subscribes to the changes of the keys that are waited for.
//!
//! # When the server is slow, down, or has lost writes
//! - An answer that takes longer than 500 ms is an error, and the write may have been applied:
//!   [`Entry::replace`](redress_store::Entry::replace) reads the record and recognizes its own write.
//! - The subscription only saves time: without it a change is noticed within the poll interval, 250 ms.
//! - After a fail-over to a replica that lagged, the versions of the records have lower numbers than before, which the layers
//!   notice. Besides, each record has the id of the server that wrote it (`run_id` of `INFO server`), which another server or the same
//!   one after a restart does not have: such a record is [marked](redress_store::Record::is_of_former_server). The age of a record
//!   counts by the clock of the new server.
//! - A server that evicts keys when its memory is full would do the same at any time. It is refused, see
//!   [`RedisStoreError::Evicting`].
//!
//! # Secrets
//! A value is written as it is given: who may read the server, its files or `MONITOR` reads the value. The keys, the versions, the
//! channels, the errors and the events contain nothing of it. Errors contain the code of a server's error and never its text, since
//! servers quote the arguments of commands that they do not know.
//!
//! # Examples
//! ```no_run
//! use redress_store::{Entry, StoreHandle};
//! use redress_store_redis::RedisStore;
//!
//! # async fn example() -> Result<(), redress_store::BoxError> {
//! let store = RedisStore::connect("redis://127.0.0.1:6379/").await?;
//! let entry = Entry::new(StoreHandle::new(store), "portal/user-7");
//! let written = entry.replace(None, b"value", None).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod connections;
mod error;
mod eviction;
mod hints;
mod script;
mod source;
mod store;

pub use builder::RedisStoreBuilder;
pub use error::RedisStoreError;
pub use store::RedisStore;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
