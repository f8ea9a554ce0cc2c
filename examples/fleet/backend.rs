//! The stores, as a process opens them.

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use redress::{BoxError, StoreHandle};
use redress_store_file::FileStore;
use redress_store_postgres::PostgresStore;
use redress_store_redis::RedisStore;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

/// How often a store is opened that is down, and the time between two attempts.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// The store that the processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Files in a folder
    File,
    /// A Redis server of its own, which must be installed
    Redis,
    /// A Postgres server of its own, which must be installed
    Postgres,
}

/// Opens the store at an address, which may be down for a while.
pub(crate) async fn open(address: &str) -> Result<StoreHandle, BoxError> {
    for _ in 0..ATTEMPTS {
        if let Ok(store) = open_once(address).await {
            return Ok(store);
        }
        tokio::time::sleep(PAUSE).await;
    }
    open_once(address).await
}

async fn open_once(address: &str) -> Result<StoreHandle, BoxError> {
    if address.starts_with("redis:") {
        return Ok(StoreHandle::new(RedisStore::connect(address).await?));
    }
    if address.starts_with("host=") {
        return Ok(StoreHandle::new(postgres(address.parse()?)));
    }
    Ok(StoreHandle::new(FileStore::open(address)?))
}

/// A store over one connection, which is opened again after a loss, and one that listens.
pub(crate) fn postgres(server: Config) -> PostgresStore {
    let (pool, config) = (Arc::<Mutex<Option<Arc<Client>>>>::default(), server.clone());
    let store = PostgresStore::new(move |query| {
        let (pool, config) = (Arc::clone(&pool), config.clone());
        async move {
            let client = {
                let mut pool = pool.lock().await;
                match pool.take().filter(|client| !client.is_closed()) {
                    Some(client) => Arc::clone(pool.insert(client)),
                    None => Arc::clone(pool.insert(Arc::new(connect(&config).await?))),
                }
            };
            Ok::<_, BoxError>(query.run(&client).await?)
        }
    });
    store.listen(server, NoTls)
}

pub(crate) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
