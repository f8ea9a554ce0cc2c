//! The store: asynchronous calls over a directory.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redress_store::{BoxError, NewRecord, Record, Store, Version, Written};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::access::Access;
use crate::directory::{Directory, Write};
use crate::error::{OpenError, Problem};
use crate::name;
use crate::watch::Watch;

/// The time between two looks at a file.
const POLL: Duration = Duration::from_millis(20);
/// The shortest one: a `Store` does not wait for less.
const SHORTEST_POLL: Duration = Duration::from_millis(10);
/// How long a write waits for a lock, less than the 5 s after which an `Entry` gives up, so that the error names the lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(4);
/// The longest pause between two attempts to get a lock. A write takes some milliseconds.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);
/// For how long a lock file that another user is just making may have the wrong mode.
const BEING_MADE: Duration = Duration::from_millis(100);
/// The time between two removals of dead records.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// A [`Store`] in the files of one directory, for the processes of one machine. Clones share the directory.
///
/// Each write is a compare-and-set under a lock of the kernel, and replaces the file at once: a process that is killed at any
/// point leaves the old record or the new one, and no lock. The [crate](crate) describes files, modes, and what a power failure
/// does.
///
/// Files are read and written on the threads of tokio's blocking pool: the methods need a tokio runtime with its timer.
///
/// # Cancel safety
/// A write that is dropped while it waits for the lock writes nothing; later it is written whole, or not at all.
///
/// # Examples
/// ```
/// use redress_store::{NewRecord, Store, Version};
/// use redress_store_file::FileStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), redress_store::BoxError> {
/// # let home = tempfile::tempdir()?;
/// # let directory = home.path().join("portal");
/// let store = FileStore::open(&directory)?;
/// let record = NewRecord::new(Version::next(None), b"value");
/// assert!(store.replace("portal/user-7", None, &record).await?.is_written());
///
/// let other = FileStore::open(&directory)?; // as another process would
/// assert_eq!(other.load("portal/user-7").await?.ok_or("it was written")?.value(), b"value");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileStore {
    inner: Arc<Inner>,
    poll_interval: Duration,
}

struct Inner {
    directory: Directory,
    /// One for each lock file: of each process, one thread at a time tries to get its lock.
    turns: Vec<Arc<AsyncMutex<()>>>,
    swept: Mutex<Instant>,
}

impl FileStore {
    /// Opens a directory for the processes of this user, and makes it if there is none. It removes records whose lifetime has
    /// passed.
    ///
    /// The directory has mode 0700, its files have 0600. It blocks: call it at the start of a program.
    ///
    /// # Errors
    /// Returns an error if the directory belongs to another user or is open to others, if it is on a network file system that
    /// Linux knows as such, or if it cannot be made or listed.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::with_access(directory.as_ref(), Access::User)
    }

    /// Opens a directory for the processes of several users in one group: the group that the directory has.
    ///
    /// The directory has mode 0770, its files have 0660, and each of these users can read the secrets of the others. Make it
    /// for its group: `install -d -m 0770 -g GROUP DIRECTORY`. If there is none, it is made with the group of the process.
    /// It blocks: call it at the start of a program.
    ///
    /// # Errors
    /// Returns the errors of [`open`](Self::open), but for a foreign owner.
    pub fn open_for_group(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::with_access(directory.as_ref(), Access::Group)
    }

    fn with_access(path: &Path, access: Access) -> Result<Self, OpenError> {
        let open = || {
            let directory = Directory::open(path, access)?;
            directory.sweep()?;
            Ok(directory)
        };
        let directory = open().map_err(|problem| OpenError { problem })?;
        let turns = (0..name::LOCKS).map(|_| Arc::default()).collect();
        let inner = Inner { directory, turns, swept: Mutex::new(Instant::now()) };
        Ok(Self { inner: Arc::new(inner), poll_interval: POLL })
    }

    /// Sets how often [`changed`](Store::changed) looks at the file. At least 10 ms.
    ///
    /// The default is 20 ms: a change is known well within the 50 ms after which an arrival counts as late, and a look costs a
    /// few microseconds, since the file is read only when its time, size or number is another one.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(SHORTEST_POLL);
        self
    }

    /// Returns the keys of all records, sorted. For programs that show a store, not for the path of calls: it reads each file.
    ///
    /// # Errors
    /// Returns an error that names the file if one cannot be read or is damaged.
    pub async fn keys(&self) -> Result<Vec<String>, BoxError> {
        self.blocking(Directory::keys).await
    }

    /// Removes a record, a damaged one too. Returns `false` if there was none.
    ///
    /// # Errors
    /// Returns an error if the lock is held for 4 s or the file cannot be removed.
    ///
    /// # Cancel safety
    /// A call that is dropped may have removed the record, or may still remove it.
    pub async fn remove(&self, key: &str) -> Result<bool, BoxError> {
        let owned = key.to_owned();
        self.locked(key, move |directory| directory.try_remove(&owned)).await
    }

    /// Runs a function over the directory on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Directory) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, BoxError> {
        let inner = Arc::clone(&self.inner);
        Ok(spawn_blocking(move || call(&inner.directory)).await??)
    }

    /// Runs a function that needs the lock of a key until it returns more than `None`.
    ///
    /// No thread waits for the lock: a runtime that shuts down waits for its blocking threads, which a stopped process would
    /// keep from ending.
    async fn locked<T: Send + 'static>(
        &self,
        key: &str,
        call: impl Fn(&Directory) -> Result<Option<T>, Problem> + Send + Sync + 'static,
    ) -> Result<T, BoxError> {
        let (started, call) = (Instant::now(), Arc::new(call));
        let (mut pause, turn) = (Duration::from_millis(1), usize::from(name::lock_number(&name::stem(key))));
        let Ok(turn) = tokio::time::timeout(LOCK_TIMEOUT, Arc::clone(&self.inner.turns[turn]).lock_owned()).await
        else {
            return Err(self.not_locked(key, started).into());
        };
        let turn = Arc::new(turn);
        loop {
            // It is held until the function ends, also when this future is dropped.
            let (inner, call, turn) = (Arc::clone(&self.inner), Arc::clone(&call), Arc::clone(&turn));
            let result = spawn_blocking(move || {
                let result = call(&inner.directory);
                drop(turn);
                result
            });
            match result.await? {
                Ok(Some(value)) => return Ok(value),
                Ok(None) if started.elapsed() >= LOCK_TIMEOUT => return Err(self.not_locked(key, started).into()),
                Ok(None) => {}
                Err(Problem::Access { .. } | Problem::Io { .. })
                    if self.inner.directory.is_for_group() && started.elapsed() < BEING_MADE => {}
                Err(problem) => return Err(problem.into()),
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
        }
    }

    fn not_locked(&self, key: &str, started: Instant) -> Problem {
        Problem::Locked { path: self.inner.directory.lock_of(key), waited: started.elapsed() }
    }

    /// Removes dead records, at most once an hour, without delay to the caller.
    fn sweep(&self) {
        let now = Instant::now();
        {
            let mut swept = self.inner.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if now.saturating_duration_since(*swept) < SWEEP_EVERY {
                return;
            }
            *swept = now;
        }
        let inner = Arc::clone(&self.inner);
        drop(spawn_blocking(move || inner.directory.sweep()));
    }
}

impl Store for FileStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        let key = key.to_owned();
        self.blocking(move |directory| directory.load(&key)).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        let write = Write {
            key: key.to_owned(),
            seen,
            version: record.version(),
            value: Zeroizing::new(record.value().to_vec()),
            lifetime: record.end_of_life(),
        };
        let written = self.locked(key, move |directory| directory.try_replace(&write)).await?;
        self.sweep();
        Ok(written)
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        let mut watch = Watch::new(self.inner.directory.record(key));
        loop {
            if watch.must_read() {
                match self.load(key).await {
                    Ok(record) if record.as_ref().map(Record::version) == seen => {}
                    Ok(_) => return,
                    // The caller reads the record next, and gets the error.
                    Err(_) => return sleep(self.poll_interval).await,
                }
            }
            sleep(self.poll_interval).await;
        }
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("directory", &self.inner.directory.path())
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}
