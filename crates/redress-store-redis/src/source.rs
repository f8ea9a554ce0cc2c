//! Origins of connections: one server, Sentinel, or a closure of the user.

use std::future::Future;
use std::pin::Pin;

use redis::aio::{ConnectionLike, PubSub};
use redis::{Client, Cmd, Pipeline, RedisFuture, RedisResult, Value};

pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Opens connections to the server that can be written to.
pub(crate) trait Source: Send + Sync + 'static {
    fn open(&self) -> Pending<'_, RedisResult<Connection>>;
}

/// Opens connections that receive messages.
pub(crate) trait Subscribe: Send + Sync + 'static {
    fn subscribe(&self) -> Pending<'_, RedisResult<PubSub>>;
}

/// A connection of any type. Clones share it.
pub(crate) struct Connection(Box<dyn Erased>);

trait Erased: ConnectionLike + Send + Sync {
    fn share(&self) -> Box<dyn Erased>;
}

impl Connection {
    pub(crate) fn new(connection: impl ConnectionLike + Clone + Send + Sync + 'static) -> Self {
        Self(Box::new(connection))
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Erased for C {
    fn share(&self) -> Box<dyn Erased> {
        Box::new(self.clone())
    }
}

impl Clone for Connection {
    fn clone(&self) -> Self {
        // Of the connection in the box: the box itself is a connection that could be cloned too.
        Self((*self.0).share())
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.0.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

impl Source for Client {
    fn open(&self) -> Pending<'_, RedisResult<Connection>> {
        Box::pin(async { self.get_multiplexed_async_connection().await.map(Connection::new) })
    }
}

impl Subscribe for Client {
    fn subscribe(&self) -> Pending<'_, RedisResult<PubSub>> {
        Box::pin(self.get_async_pubsub())
    }
}

/// A closure that opens connections.
pub(crate) struct Connections<F>(pub(crate) F);

impl<F, Fut, C> Source for Connections<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = RedisResult<C>> + Send,
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    fn open(&self) -> Pending<'_, RedisResult<Connection>> {
        Box::pin(async { (self.0)().await.map(Connection::new) })
    }
}

#[cfg(feature = "sentinel")]
pub(crate) use sentinel::Sentinel;

#[cfg(feature = "sentinel")]
mod sentinel {
    use std::sync::Arc;

    use redis::sentinel::SentinelClient;
    use tokio::sync::Mutex;

    use super::*;

    /// Asks Sentinel for the master each time.
    #[derive(Clone)]
    pub(crate) struct Sentinel(Arc<Mutex<SentinelClient>>);

    impl Sentinel {
        pub(crate) fn new(client: SentinelClient) -> Self {
            Self(Arc::new(Mutex::new(client)))
        }

        async fn master(&self) -> RedisResult<Client> {
            self.0.lock().await.async_get_client().await
        }
    }

    impl Source for Sentinel {
        fn open(&self) -> Pending<'_, RedisResult<Connection>> {
            Box::pin(async {
                let connection = self.master().await?.get_multiplexed_async_connection().await?;
                Ok(Connection::new(connection))
            })
        }
    }

    impl Subscribe for Sentinel {
        fn subscribe(&self) -> Pending<'_, RedisResult<PubSub>> {
            Box::pin(async { self.master().await?.get_async_pubsub().await })
        }
    }
}

#[cfg(feature = "cluster")]
impl Source for redis::cluster::ClusterClient {
    fn open(&self) -> Pending<'_, RedisResult<Connection>> {
        Box::pin(async { self.get_async_connection().await.map(Connection::new) })
    }
}
