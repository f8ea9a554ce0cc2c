//! The store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redress_store::{BoxError, NewRecord, Record, Store, Version, Written};
use tokio::time::{Instant, timeout};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Row, Socket};

use crate::error::PostgresStoreError;
use crate::hints::{Direct, Hints};
use crate::query::{Query, REMOVED_AT_ONCE, Statements};

/// The default name of the table.
const TABLE: &str = "redress_records";
/// How long a call may take. A pool may open a connection for it, and a commit waits for the disk.
const ANSWER: Duration = Duration::from_secs(2);
/// The default poll interval, that of [`Store::changed`]. A process that waits makes four small reads a second.
const POLL: Duration = Duration::from_millis(250);
/// The shortest wait for a change: a shorter one would be a busy loop over the network.
const SHORTEST_POLL: Duration = Duration::from_millis(10);
/// The time between two removals of ended records by one process.
const REMOVAL: Duration = Duration::from_secs(60);

/// A [`Store`] in a table of Postgres.
///
/// It works on Postgres 10 or newer; the tests run on Postgres 15. Records whose lifetime has passed are removed by its writes, at
/// most once a minute.
///
/// # Examples
/// With deadpool-postgres, and in the same form with bb8-postgres, where the pool's client is dereferenced to a [`Client`]:
/// ```ignore
/// use redress_store::BoxError;
/// use redress_store_postgres::PostgresStore;
///
/// let store = PostgresStore::new(move |query| {
///     let pool = pool.clone();
///     async move {
///         let client = pool.get().await?;
///         Ok::<_, BoxError>(query.run(&client).await?)
///     }
/// });
/// ```
///
/// [`Client`]: tokio_postgres::Client
pub struct PostgresStore {
    run: Arc<dyn Run>,
    table: String,
    has_timeline: bool,
    statements: Statements,
    hints: Option<Hints>,
    poll_interval: Duration,
    removed: Mutex<Option<Instant>>,
}

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs queries on clients of any pool.
trait Run: Send + Sync + 'static {
    fn run(&self, query: Query) -> Pending<Result<Vec<Row>, BoxError>>;
}

impl<F, Fut, E> Run for F
where
    F: Fn(Query) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<Row>, E>> + Send + 'static,
    E: Into<BoxError>,
{
    fn run(&self, query: Query) -> Pending<Result<Vec<Row>, BoxError>> {
        let answer = self(query);
        Box::pin(async { answer.await.map_err(Into::into) })
    }
}

impl PostgresStore {
    /// Makes a store over a closure that takes a client from a pool and calls [`Query::run`] with it.
    ///
    /// The table must exist: [`schema`](Self::schema) has the SQL for a migration.
    #[must_use]
    pub fn new<F, Fut, E>(run: F) -> Self
    where
        F: Fn(Query) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Row>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        Self {
            run: Arc::new(run),
            table: TABLE.to_owned(),
            has_timeline: true,
            statements: Statements::new(TABLE, false, true),
            hints: None,
            poll_interval: POLL,
            removed: Mutex::default(),
        }
    }

    /// Sets the table, `name` or `schema.name`. The default is `redress_records`.
    #[must_use]
    pub fn table(mut self, table: &str) -> Self {
        table.clone_into(&mut self.table);
        self.with_statements()
    }

    /// Uses a server that is compatible with Postgres and has no write-ahead log of its own, such as `CockroachDB`, or no right to call
    /// `pg_current_wal_lsn`. The default is to keep the timeline beside each record, by which a fail-over is noticed at once.
    ///
    /// Without it a process notices a fail-over only by a write of its own that was lost. Set it in all processes or in none.
    #[must_use]
    pub fn without_timeline(mut self) -> Self {
        self.has_timeline = false;
        self.with_statements()
    }

    /// Sends and receives notifications about changes, by `NOTIFY` in the writes and by `LISTEN` over a connection of its own,
    /// which is opened at the first wait and again after a loss. The default is to poll alone.
    ///
    /// Set it in all processes or in none: the others notice the writes of a process without it by polling. Behind PgBouncer the
    /// configuration names the server itself. A commit with a notification holds a lock of the whole server for a moment, which
    /// matters from thousands of writes a second on.
    ///
    /// # Examples
    /// ```
    /// use redress_store_postgres::PostgresStore;
    /// use tokio_postgres::{Config, NoTls};
    ///
    /// fn listening(store: PostgresStore) -> Result<PostgresStore, tokio_postgres::Error> {
    ///     let server: Config = "host=10.0.0.7 user=app dbname=app".parse()?;
    ///     Ok(store.listen(server, NoTls))
    /// }
    /// ```
    #[must_use]
    pub fn listen<T>(mut self, server: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.hints = Some(Hints::new(Arc::new(Direct { config: server, tls })));
        self.with_statements()
    }

    /// Sets how long a change takes to be noticed. The default is 250 ms, the least 10 ms.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(SHORTEST_POLL);
        self
    }

    /// Returns the SQL that makes the table and its index, which changes nothing where they exist.
    ///
    /// The user of the store needs the rights to select, insert, update and delete.
    #[must_use]
    pub fn schema(&self) -> String {
        self.statements.schema()
    }

    /// Returns the keys of all records, sorted. For programs that show a store, not for the path of calls.
    ///
    /// # Errors
    /// Returns an error if the server does not answer within 2 s.
    pub async fn keys(&self) -> Result<Vec<String>, PostgresStoreError> {
        let rows = self.run(self.statements.keys()).await?;
        let read = |row: &Row| row.try_get(0).map_err(|_| PostgresStoreError::NotARecord);
        let mut keys: Vec<String> = rows.iter().map(read).collect::<Result<_, _>>()?;
        // Not by the server, whose order depends on its locale.
        keys.sort_unstable();
        Ok(keys)
    }

    /// Removes a record. Returns `false` if there was none.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the record was removed.
    ///
    /// # Cancel safety
    /// A call that is dropped may have removed the record, or may still remove it.
    pub async fn remove(&self, key: &str) -> Result<bool, PostgresStoreError> {
        Ok(!self.run(self.statements.remove(key)).await?.is_empty())
    }

    /// Removes the records whose lifetime has passed, and returns their number. Writes do that too, at most once a minute.
    ///
    /// # Errors
    /// Returns an error if the server does not answer one of the calls within 2 s.
    ///
    /// # Cancel safety
    /// A call that is dropped has removed some of them.
    pub async fn remove_ended(&self) -> Result<usize, PostgresStoreError> {
        let mut sum = 0;
        loop {
            let removed = self.run(self.statements.remove_ended()).await?.len();
            sum += removed;
            if removed < REMOVED_AT_ONCE {
                return Ok(sum);
            }
        }
    }

    fn with_statements(mut self) -> Self {
        self.statements = Statements::new(&self.table, self.hints.is_some(), self.has_timeline);
        self
    }

    async fn run(&self, query: Query) -> Result<Vec<Row>, PostgresStoreError> {
        match timeout(ANSWER, self.run.run(query)).await {
            Ok(rows) => Ok(rows?),
            Err(_) => Err(PostgresStoreError::Timeout),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<Record>, PostgresStoreError> {
        self.run(self.statements.load(key)).await?.first().map(record).transpose()
    }

    /// Removes records that have ended, in a task of its own, if a minute has passed since the last time.
    fn sweep(&self) {
        {
            let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
            if removed.is_some_and(|removed| removed.elapsed() < REMOVAL) {
                return;
            }
            *removed = Some(Instant::now());
        }
        let removal = self.run.run(self.statements.remove_ended());
        tokio::spawn(async move {
            if let Err(error) = removal.await.map_err(PostgresStoreError::from) {
                tracing::debug!(%error, "the ended records were not removed from Postgres");
            }
        });
    }
}

impl Store for PostgresStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        Ok(self.read(key).await?)
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        if self.run(self.statements.replace(key, seen, record)).await?.is_empty() {
            // A query of its own: one statement sees the table as it was before it waited for another writer.
            return Ok(Written::Refused(self.read(key).await?));
        }
        self.sweep();
        Ok(Written::Done)
    }

    /// Waits for a notification about the key: for the poll interval, or 5 s at most while there is a connection that listens.
    async fn changed(&self, key: &str, seen: Option<Version>) {
        match &self.hints {
            Some(hints) => hints.wait(key, seen, self.poll_interval).await,
            None => tokio::time::sleep(self.poll_interval).await,
        }
    }
}

fn record(row: &Row) -> Result<Record, PostgresStoreError> {
    let read = || {
        let (version, value, age): (&str, &[u8], i64) =
            (row.try_get(0).ok()?, row.try_get(1).ok()?, row.try_get(2).ok()?);
        let is_of_former_server: Option<bool> = row.try_get(3).ok()?;
        let age = Duration::from_micros(age.try_into().unwrap_or(0));
        let record = Record::new(version.parse().ok()?, value.to_vec(), age);
        Some(if is_of_former_server.unwrap_or(false) { record.of_former_server() } else { record })
    };
    read().ok_or(PostgresStoreError::NotARecord)
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("table", &self.table)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}
