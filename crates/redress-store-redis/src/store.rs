//! The store.

use std::fmt;
use std::time::Duration;

use redis::Client;
use redress_store::{BoxError, NewRecord, Record, Store, Version, Written};

use crate::builder::RedisStoreBuilder;
use crate::connections::Connections;
use crate::error::RedisStoreError;
use crate::hints::Hints;
use crate::script;

/// The number of names that one call of a scan looks at.
const NAMES_AT_ONCE: u32 = 1000;

/// A [`Store`] in Redis or Valkey.
///
/// It belongs to the tokio runtime on which it was first used: the tasks of its connections run there.
///
/// # Examples
/// ```no_run
/// use redress_store::StoreHandle;
/// use redress_store_redis::RedisStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = StoreHandle::new(RedisStore::connect("redis://user:password@10.0.0.7:6379/0").await?);
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    pub(crate) connections: Connections,
    pub(crate) hints: Option<Hints>,
    pub(crate) prefix: String,
    pub(crate) poll_interval: Duration,
}

impl RedisStore {
    /// Connects to the server of a URL, `redis://[user][:password@]host[:port][/database]`, with the default settings.
    /// [`RedisStoreBuilder`] has the settings, and a [`build`](RedisStoreBuilder::build) that needs no server.
    ///
    /// # Errors
    /// Returns an error if the URL is not valid, if the server does not answer within 1 s, or if it evicts keys.
    ///
    /// # Cancel safety
    /// A call that is dropped leaves nothing but a connection that closes.
    pub async fn connect(url: &str) -> Result<Self, RedisStoreError> {
        RedisStoreBuilder::from_client(Client::open(url)?).connect().await
    }

    /// Returns the keys of all records with the prefix of this store, sorted. For programs that show a store: it scans all names of
    /// the database, for which the user of the server needs `+scan`. In a cluster it scans one node alone.
    ///
    /// # Errors
    /// Returns an error if the server does not answer one of the calls within 500 ms.
    pub async fn keys(&self) -> Result<Vec<String>, RedisStoreError> {
        let (mut keys, mut cursor) = (Vec::new(), 0_u64);
        let pattern = format!("{}{{*}}", escaped(&self.prefix));
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(NAMES_AT_ONCE);
            let (next, names): (u64, Vec<Vec<u8>>) = self.connections.run_command(&scan).await?;
            keys.extend(names.iter().filter_map(|name| self.key(std::str::from_utf8(name).ok()?)));
            if next == 0 {
                break;
            }
            cursor = next;
        }
        // The server may return a name twice.
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Removes a record, for which the user of the server needs `+del`. Returns `false` if there was none.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the record was removed.
    ///
    /// # Cancel safety
    /// A call that is dropped may have removed the record, or may still remove it.
    pub async fn remove(&self, key: &str) -> Result<bool, RedisStoreError> {
        let mut del = redis::cmd("DEL");
        let removed: u64 = self.connections.run_command(del.arg(self.name(key))).await?;
        Ok(removed > 0)
    }

    /// The key of a record, of its name in Redis.
    fn key(&self, name: &str) -> Option<String> {
        Some(name.strip_prefix(&self.prefix)?.strip_prefix('{')?.strip_suffix('}')?.to_owned())
    }

    /// The name of a record in Redis. The braces make the key the hash tag, by which Cluster chooses the node.
    fn name(&self, key: &str) -> String {
        format!("{}{{{key}}}", self.prefix)
    }
}

impl Store for RedisStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        let stored = self.connections.run(&script::load(&self.name(key))).await?;
        Ok(script::record(stored)?)
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        let call = script::replace(&self.name(key), seen, record);
        let (is_written, version, value, age, former): (bool, _, _, _, _) = self.connections.run(&call).await?;
        if is_written {
            return Ok(Written::Done);
        }
        Ok(Written::Refused(script::record((version, value, age, former))?))
    }

    /// Waits for a message about the key: for the poll interval, or 5 s at most while there is a subscription.
    async fn changed(&self, key: &str, seen: Option<Version>) {
        match &self.hints {
            Some(hints) => hints.wait(&self.name(key), seen, self.poll_interval).await,
            None => tokio::time::sleep(self.poll_interval).await,
        }
    }
}

/// A text that stands for itself in a pattern of the server.
fn escaped(text: &str) -> String {
    let escape = |symbol: char| {
        let is_special = matches!(symbol, '*' | '?' | '[' | ']' | '\\');
        is_special.then_some('\\').into_iter().chain([symbol])
    };
    text.chars().flat_map(escape).collect()
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}
