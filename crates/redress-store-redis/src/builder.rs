//! The settings of a store.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{Client, RedisResult};

use crate::connections::Connections;
use crate::error::RedisStoreError;
use crate::hints::Hints;
use crate::source::{self, Source, Subscribe};
use crate::store::RedisStore;

/// The default prefix of names.
const PREFIX: &str = "redress:";
/// The default poll interval, that of [`Store::changed`](redress_store::Store::changed). A process that waits sends four small
/// calls a second, and a change whose message is lost is late by that.
const POLL: Duration = Duration::from_millis(250);
/// The shortest poll interval: a shorter one would be a busy loop over the network.
const SHORTEST_POLL: Duration = Duration::from_millis(10);

/// Makes a [`RedisStore`]: where its connections come from, and its settings.
///
/// # Examples
/// ```
/// use redress_store_redis::RedisStoreBuilder;
///
/// # fn main() -> Result<(), redis::RedisError> {
/// let client = redis::Client::open("redis://127.0.0.1:6379/")?;
/// let store = RedisStoreBuilder::from_client(client).prefix("billing:").build();
/// # Ok(())
/// # }
/// ```
pub struct RedisStoreBuilder {
    source: Box<dyn Source>,
    subscribe: Option<Arc<dyn Subscribe>>,
    prefix: String,
    poll_interval: Duration,
    allows_eviction: bool,
}

impl RedisStoreBuilder {
    /// Uses one server. The client has its address, user, password and TLS.
    ///
    /// # Examples
    /// Over TLS with an authority of your own, by the feature `tls-rustls`. A URL that begins with `rediss://` is enough where the
    /// authorities of the system do; the password goes over TLS too. `client_tls` has a certificate for a server that asks for one.
    #[cfg_attr(feature = "tls-rustls", doc = "```no_run")]
    #[cfg_attr(not(feature = "tls-rustls"), doc = "```ignore")]
    /// use redis::{Client, TlsCertificates};
    /// use redress_store_redis::{RedisStore, RedisStoreBuilder};
    ///
    /// async fn over_tls(url: &str) -> Result<RedisStore, Box<dyn std::error::Error>> {
    ///     let authority = std::fs::read("/etc/redis/authority.pem")?;
    ///     let trusted = TlsCertificates { client_tls: None, root_cert: Some(authority) };
    ///     let client = Client::build_with_tls(url, trusted)?;
    ///     Ok(RedisStoreBuilder::from_client(client).connect().await?)
    /// }
    /// ```
    #[must_use]
    pub fn from_client(client: Client) -> Self {
        let subscribe = Arc::new(client.clone());
        Self::new(Box::new(client), Some(subscribe))
    }

    /// Uses the master of a group that Sentinel watches. Sentinel is asked for each connection: at first, after a loss, and when
    /// the server turns out to be a replica.
    ///
    /// A master that is cut off goes on taking writes for a while, and they are lost. Set `min-replicas-to-write 1` and
    /// `min-replicas-max-lag 10` on the servers to bound that time.
    ///
    /// # Examples
    /// ```
    /// use redis::sentinel::{SentinelClient, SentinelServerType};
    /// use redress_store_redis::RedisStoreBuilder;
    ///
    /// # fn main() -> Result<(), redis::RedisError> {
    /// let sentinels = vec!["redis://10.0.0.1:26379", "redis://10.0.0.2:26379"];
    /// let client = SentinelClient::build(sentinels, "mymaster".to_owned(), None, SentinelServerType::Master)?;
    /// let store = RedisStoreBuilder::from_sentinel(client).build();
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sentinel")]
    #[must_use]
    pub fn from_sentinel(client: redis::sentinel::SentinelClient) -> Self {
        let sentinel = source::Sentinel::new(client);
        Self::new(Box::new(sentinel.clone()), Some(Arc::new(sentinel)))
    }

    /// Uses a cluster. Changes are noticed by polling alone, unless [`subscriptions`](Self::subscriptions) names a node: each
    /// node of a cluster passes on the messages of all.
    ///
    /// # Examples
    /// ```
    /// use redis::cluster::ClusterClient;
    /// use redress_store_redis::RedisStoreBuilder;
    ///
    /// # fn main() -> Result<(), redis::RedisError> {
    /// let client = ClusterClient::new(["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"])?;
    /// let node = redis::Client::open("redis://10.0.0.1:6379")?;
    /// let store = RedisStoreBuilder::from_cluster(client).subscriptions(node).build();
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "cluster")]
    #[must_use]
    pub fn from_cluster(client: redis::cluster::ClusterClient) -> Self {
        Self::new(Box::new(client), None)
    }

    /// Uses the connections that a closure returns: a clone of one that the program has, or one of a pool. The closure is called
    /// for the first call to the store, and after each loss. Changes are noticed by polling alone, unless
    /// [`subscriptions`](Self::subscriptions) has a client.
    ///
    /// # Examples
    /// ```
    /// use redress_store_redis::RedisStoreBuilder;
    ///
    /// # fn main() -> Result<(), redis::RedisError> {
    /// let client = redis::Client::open("redis://127.0.0.1:6379/")?;
    /// let store = RedisStoreBuilder::from_connections(move || {
    ///     let client = client.clone();
    ///     async move { client.get_multiplexed_async_connection().await }
    /// })
    /// .build();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_connections<F, Fut, C>(open: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = RedisResult<C>> + Send + 'static,
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self::new(Box::new(source::Connections(open)), None)
    }

    fn new(source: Box<dyn Source>, subscribe: Option<Arc<dyn Subscribe>>) -> Self {
        Self { source, subscribe, prefix: PREFIX.to_owned(), poll_interval: POLL, allows_eviction: false }
    }

    /// Sets the text before each key in the names of records and channels. The default is `redress:`. All processes of one
    /// account need the same. A prefix with braces puts all records on one node of a cluster.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Sets how long a change takes to be noticed without a message about it. The default is 250 ms, the least 10 ms.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(SHORTEST_POLL);
        self
    }

    /// Receives messages about changes over connections of this client.
    #[must_use]
    pub fn subscriptions(mut self, client: Client) -> Self {
        self.subscribe = Some(Arc::new(client));
        self
    }

    /// Uses a server that evicts keys, with a warning at each connection. The default is to refuse it.
    ///
    /// A record that is evicted looks like one that never was: tokens are fetched anew, limits and budgets count from the start.
    #[must_use]
    pub fn allow_eviction(mut self) -> Self {
        self.allows_eviction = true;
        self
    }

    /// Makes the store, which connects at its first call. A server that is down or evicts keys is an error of that call, and of
    /// those after it until it is up or its setting is changed.
    #[must_use]
    pub fn build(self) -> RedisStore {
        RedisStore {
            connections: Connections::new(self.source, self.allows_eviction),
            hints: self.subscribe.map(Hints::new),
            prefix: self.prefix,
            poll_interval: self.poll_interval,
        }
    }

    /// Makes the store, and connects.
    ///
    /// # Errors
    /// Returns an error if the server does not answer within 1 s, or if it evicts keys.
    pub async fn connect(self) -> Result<RedisStore, RedisStoreError> {
        let store = self.build();
        store.connections.open().await?;
        Ok(store)
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("poll_interval", &self.poll_interval)
            .field("allows_eviction", &self.allows_eviction)
            .finish_non_exhaustive()
    }
}
