//! The server of the store: how it is started, and made to fail.

use std::time::Duration;

use redress::BoxError;
use redress_test_servers::{Folder, Postgres, Proxy, Redis};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::{Client, Config};

use crate::backend::{self, Backend};
use crate::faults::Fault;

/// How long a server stays down.
const DOWN: Duration = Duration::from_secs(1);
/// How much the replica lags that is promoted.
const LAG: Duration = Duration::from_millis(500);
/// How long a server may take to do as it is told.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redis writes each change to a file, so that it has its records when it is started again.
const PERSISTENT: [&str; 2] = ["--appendonly", "yes"];
/// Ends the connections that listen.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";

/// A running store. It stops when it is dropped.
pub(crate) struct Server {
    address: String,
    /// All processes reach the store by it.
    proxy: Option<Proxy>,
    store: Mutex<Store>,
}

enum Store {
    File { _folder: Folder },
    Redis(Redis),
    Postgres(Postgres),
}

/// The end of the time for a server to do as it is told.
struct Patience(Instant);

impl Server {
    pub(crate) async fn start(backend: Backend) -> Result<Self, BoxError> {
        let (store, port) = match backend {
            Backend::File => {
                let folder = Folder::new();
                let address = folder.path().join("records").display().to_string();
                return Ok(Self { address, proxy: None, store: Mutex::new(Store::File { _folder: folder }) });
            }
            Backend::Redis => {
                let server = Redis::start(&PERSISTENT).await.ok_or("redis-server is not installed")?;
                let port = server.port();
                (Store::Redis(server), port)
            }
            Backend::Postgres => {
                let server = Postgres::start().await.ok_or("postgres is not installed")?;
                let client = connected(server.port()).await?;
                client.batch_execute(&backend::postgres(postgres(server.port())?).schema()).await?;
                let port = server.port();
                (Store::Postgres(server), port)
            }
        };
        let proxy = Proxy::start(port).await;
        let address = match &store {
            Store::Redis(_) => format!("redis://127.0.0.1:{}/", proxy.port()),
            _ => format!("host=127.0.0.1 port={} user=postgres dbname=postgres", proxy.port()),
        };
        Ok(Self { address, proxy: Some(proxy), store: Mutex::new(store) })
    }

    /// Returns where processes find it.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// Makes the store fail. Faults that overlap follow each other.
    pub(crate) async fn fail(&self, fault: Fault) -> Result<(), BoxError> {
        let Some(proxy) = &self.proxy else { return Ok(()) };
        match fault {
            Fault::StoreAnswers => proxy.drop_answer(),
            Fault::Notices => self.cut_notices().await?,
            Fault::Restarts => self.restart().await,
            Fault::Promotions => self.promote(proxy).await?,
            Fault::Stops | Fault::Answers | Fault::Clocks => {}
        }
        Ok(())
    }

    /// Ends the connections that receive messages about changes. They are made again after a second.
    async fn cut_notices(&self) -> Result<(), BoxError> {
        match &*self.store.lock().await {
            Store::File { .. } => {}
            Store::Redis(server) => drop(server.command("CLIENT KILL TYPE pubsub").await?),
            Store::Postgres(server) => drop(connected(server.port()).await?.query(CUT, &[]).await?),
        }
        Ok(())
    }

    async fn restart(&self) {
        match &mut *self.store.lock().await {
            Store::File { .. } => {}
            Store::Redis(server) => {
                server.stop();
                tokio::time::sleep(DOWN).await;
                server.start_again().await;
            }
            Store::Postgres(server) => {
                server.stop();
                tokio::time::sleep(DOWN).await;
                server.start_again().await;
            }
        }
    }

    /// Replaces the server by a replica, whose link was slow at last.
    async fn promote(&self, proxy: &Proxy) -> Result<(), BoxError> {
        match &mut *self.store.lock().await {
            Store::File { .. } => {}
            Store::Redis(server) => {
                let link = Proxy::start(server.port()).await;
                let replica = Redis::start(&PERSISTENT).await.ok_or("redis-server is not installed")?;
                replica.command(&format!("REPLICAOF 127.0.0.1 {}", link.port())).await?;
                let patience = Patience::new();
                while !replica.command("INFO replication").await?.contains("status:up") {
                    patience.pause().await?;
                }
                lag(&link, proxy).await;
                replica.command("REPLICAOF NO ONE").await?;
                let port = replica.port();
                *server = replica;
                proxy.point_to(port);
            }
            Store::Postgres(server) => {
                let link = Proxy::start(server.port()).await;
                let standby = Postgres::standby_of(link.port()).await.ok_or("pg_basebackup is not installed")?;
                let client = connected(standby.port()).await?;
                let patience = Patience::new();
                while client.query("SELECT 1 FROM pg_stat_wal_receiver", &[]).await?.is_empty() {
                    patience.pause().await?;
                }
                lag(&link, proxy).await;
                client.query("SELECT pg_promote()", &[]).await?;
                let port = standby.port();
                *server = standby;
                proxy.point_to(port);
            }
        }
        proxy.pass();
        Ok(())
    }
}

/// Lets a replica lag behind writes that are answered, and ends all connections.
async fn lag(link: &Proxy, proxy: &Proxy) {
    link.hold_answers();
    tokio::time::sleep(LAG).await;
    proxy.refuse();
    link.refuse();
}

impl Patience {
    fn new() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Waits a moment before the next look at a server.
    async fn pause(&self) -> Result<(), BoxError> {
        if self.0 <= Instant::now() {
            return Err("a server of the store does not do as it is told".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

fn postgres(port: u16) -> Result<Config, tokio_postgres::Error> {
    format!("host=127.0.0.1 port={port} user=postgres dbname=postgres").parse()
}

/// Connects to a server that may not accept users yet.
async fn connected(port: u16) -> Result<Client, BoxError> {
    let (config, patience) = (postgres(port)?, Patience::new());
    loop {
        match backend::connect(&config).await {
            Ok(client) => return Ok(client),
            Err(_) => patience.pause().await?,
        }
    }
}
