//! The trait of a store that several processes share.
//!
//! A [`Store`] keeps one [`Record`] for each key: bytes with a [`Version`], and how long ago they were written by the clock of
//! the store. Its one operation that changes anything is a compare-and-set. The layers of `redress` contain the protocols on top
//! of it, for tokens, cool-downs, limits and budgets, so that a store knows nothing of them.
//!
//! # Rules
//! - Each write has a version that no other write has. A process whose write failed for an unknown reason reads the record, and
//!   recognizes its own version: [`Entry::replace`] does that.
//! - No time is stored, only durations: [`Record::age`] counts by the clock of the store, and processes count from there by
//!   their monotonic clocks. The clocks of the processes may differ by any amount.
//! - A store may lose its last writes, by a fail-over to a replica that lags or a restored backup. Its versions then have lower
//!   numbers than before, which the layers notice.
//! - A key is a name that the user chose. It is not a token and contains none.
//!
//! For authors of stores there is [`Changes`], and for authors of layers [`Entry`], [`read_lines`] of text records,
//! [`stable_hash`] for keys, and [`Pauses`] after failures.
//!
//! [`MemoryStore`] is for one process and for tests. [`conformance::check`] tests any other store against the rules.
//!
//! # Features
//! `encryption` adds `Encrypted`, which encrypts the values of any store with a key of the user. It is off by default.
//!
//! # Examples
//! ```
//! use redress_store::{Entry, MemoryStore, StoreHandle, Written};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), redress_store::BoxError> {
//! let store = StoreHandle::new(MemoryStore::new());
//! let (one, other) = (Entry::new(store.clone(), "portal/budget"), Entry::new(store, "portal/budget"));
//!
//! assert!(one.replace(None, b"1", None).await?.is_written());
//! let Written::Refused(Some(record)) = other.replace(None, b"2", None).await? else { panic!("it was written") };
//! assert_eq!(record.value(), b"1");
//! # Ok(())
//! # }
//! ```

mod changes;
pub mod conformance;
#[cfg(feature = "encryption")]
mod encrypted;
mod entry;
mod handle;
mod memory;
mod pause;
mod record;
#[cfg(feature = "encryption")]
mod record_key;
#[cfg(feature = "encryption")]
mod sealed;
mod store;
mod telemetry;
mod text;
mod version;

pub use changes::Changes;
#[cfg(feature = "encryption")]
pub use encrypted::Encrypted;
pub use entry::Entry;
pub use handle::StoreHandle;
pub use memory::MemoryStore;
pub use pause::{Pauses, jittered};
pub use record::{NewRecord, Record};
#[cfg(feature = "encryption")]
pub use record_key::{InvalidRecordKey, RecordKey};
pub use store::{Store, Written};
pub use text::{Unreadable, read_lines, stable_hash};
pub use version::{InvalidVersion, Version};

/// An error of a store. It is a source of errors and is never shown by the layers, since it may contain secrets.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
