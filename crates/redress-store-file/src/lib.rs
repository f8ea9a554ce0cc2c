//! A store in files, for the processes of one machine.
//!
//! [`FileStore`] is a [`Store`](redress_store::Store) in one directory: the processes that open it share tokens, cool-downs,
//! limits and budgets without a server. Programs that are started again and again share one stored login, and services survive
//! a restart.
//!
//! # Files
//! A record is a file named after its key: `portal/user-7` is `portal%2fuser-7.record`. Digits, lower-case letters, `-` and `_`
//! stand for themselves, other bytes are percent-encoded; a name of more than 150 bytes is its first 100, a `+`, and the SHA-256
//! of the key. The file has these lines, an empty line, and the value as it is:
//!
//! ```text
//! redress-store-file 1
//! key portal/user-7
//! version 3-0f1e2d3c4b5a69788796a5b4c3d2e1f0
//! written 1796000000123
//! uptime 8c2d51f0a6e44b0f9d3e7b1a2c4f6e80 5000
//! lifetime none
//! sha256 9d1b8f0c..
//! ```
//!
//! The first line ends in the version of the format. In the key, `%` and control characters are percent-encoded. `written` is in
//! milliseconds since 1970; `uptime`, on Linux only, is the id of the machine's start and the milliseconds of its monotonic clock;
//! `lifetime` is in milliseconds or `none`. The checksum covers the lines before it and the value. Values
//! are secret, as a rule: `head -7` shows a file without them. `Encrypted` of redress-store (feature `encryption`) encrypts them.
//!
//! `lock-00` to `lock-3f` are the files that are locked; they are empty and stay. Do not remove them while a process uses the
//! directory. A key has the lock of the first byte of its name's SHA-256, modulo 64. `.tmp` is a record that is being written,
//! or that a killed process left; the next write of the key removes it, and so does the next [`open`](FileStore::open).
//!
//! # Durability
//! A write makes a new file and renames it over the old one, under a lock of the kernel that ends with the process: after
//! `kill -9` there is the old record or the new one, and the next writer waits for nothing. A record without a lifetime, such as
//! a token, is on the disk before [`replace`](redress_store::Store::replace) returns (fsync of the file and of the directory).
//! A record with a lifetime, such as a cool-down or a lease, is not: after a power failure it can be an older one, none, or
//! damaged.
//!
//! A file that is cut or damaged is an error that names the path, never "no record". Restore it, or remove it with
//! [`FileStore::remove`].
//!
//! # Who may use it
//! - [`FileStore::open`]: the processes of one user; directory 0700, files 0600. A foreign owner or a wider mode is an error that
//!   names the path, the owner and mode that were found, and those that are wanted. So it is an error if root opens the directory
//!   of a user: files of root would shut out the user.
//! - [`FileStore::open_for_group`]: processes of several users in one group; 0770 and 0660.
//!
//! A symbolic link in the place of a file is an error; the directory itself may be one. Owners and modes of the directories
//! above are not checked.
//!
//! # Limits
//! - **Network file systems**: locks of two machines may not exclude each other there. NFS, SMB, AFS, 9P, Ceph, Coda and Lustre
//!   are refused on Linux; over FUSE (sshfs) and elsewhere it is up to you.
//! - **Clock**: on Linux, ages and lifetimes count by the monotonic clock, which all processes of the machine share, so that a wall
//!   clock that is set changes nothing. It stands still while the machine sleeps, as the leases of the processes do. After a
//!   restart of the machine, and on other systems, they count by the wall clock: after it was set back, ages are zero until it has
//!   caught up; after a leap forward, records with a lifetime end early. Processes in several time namespaces count as apart as
//!   their clocks are.
//! - **Sizes**: a value has at most 1 MiB. Records whose lifetime has passed are removed when a directory is opened, and at most
//!   once an hour by a process that writes.
//! - **Systems**: tested on Linux. Elsewhere it uses the portable standard library and is untested; owners and modes are checked
//!   on Unix only.
//!
//! # Examples
//! ```
//! use redress_store::{Entry, StoreHandle};
//! use redress_store_file::FileStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), redress_store::BoxError> {
//! # let home = tempfile::tempdir()?;
//! # let directory = home.path().join("portal");
//! let store = StoreHandle::new(FileStore::open(directory)?);
//! let entry = Entry::new(store, "portal/budget");
//! assert!(entry.replace(None, b"1", None).await?.is_written());
//! # Ok(())
//! # }
//! ```

mod access;
mod clock;
mod directory;
mod error;
mod format;
mod name;
mod store;
mod watch;

pub use error::OpenError;
pub use store::FileStore;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
