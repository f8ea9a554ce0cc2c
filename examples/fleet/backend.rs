//! The stores: how each is started, and opened by a process.

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use redress::{BoxError, StoreHandle};
use redress_store_file::FileStore;
use redress_store_postgres::PostgresStore;
use redress_store_redis::RedisStore;
use redress_test_servers::{Folder, Postgres, Redis};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

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

/// A running store. It stops when it is dropped.
pub(crate) enum Server {
    File(Folder),
    Redis(Redis),
    Postgres(Postgres),
}

impl Server {
    pub(crate) async fn start(backend: Backend) -> Result<Self, BoxError> {
        match backend {
            Backend::File => Ok(Self::File(Folder::new())),
            Backend::Redis => Ok(Self::Redis(Redis::start(&[]).await.ok_or("redis-server is not installed")?)),
            Backend::Postgres => {
                let server = Postgres::start().await.ok_or("postgres is not installed")?;
                make_table(server.port()).await?;
                Ok(Self::Postgres(server))
            }
        }
    }

    /// Returns where processes find it.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::File(folder) => folder.path().join("records").display().to_string(),
            Self::Redis(server) => server.url(),
            Self::Postgres(server) => format!("host=127.0.0.1 port={} user=postgres dbname=postgres", server.port()),
        }
    }
}

/// Opens the store at an address.
pub(crate) async fn open(address: &str) -> Result<StoreHandle, BoxError> {
    if address.starts_with("redis:") {
        return Ok(StoreHandle::new(RedisStore::connect(address).await?));
    }
    if address.starts_with("host=") {
        return Ok(StoreHandle::new(postgres(address.parse()?)));
    }
    Ok(StoreHandle::new(FileStore::open(address)?))
}

/// A store over one connection, which is opened again after a loss, and one that listens.
fn postgres(server: Config) -> PostgresStore {
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

/// Makes the table once the server accepts users.
async fn make_table(port: u16) -> Result<(), BoxError> {
    let config: Config = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres").parse()?;
    let mut attempts = 0;
    let client = loop {
        match connect(&config).await {
            Ok(client) => break client,
            Err(error) if attempts > 500 => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        attempts += 1;
    };
    Ok(client.batch_execute(&postgres(config).schema()).await?)
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
