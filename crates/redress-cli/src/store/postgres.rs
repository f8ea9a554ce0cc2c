//! Records in Postgres.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use redress_store::BoxError;
use redress_store_postgres::{PostgresStore, PostgresStoreError};
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

use super::{PlaceArgs, Records, StoreCommand, act, failed};
use crate::failure::Failure;

/// How long the connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Connects to the server, and runs the command.
pub(super) async fn run(url: &str, place: &PlaceArgs, command: &StoreCommand) -> Result<ExitCode, Failure> {
    // The error of the client may quote a part of the URL.
    let wrong =
        |_| Failure::Message("the URL is not valid: expected postgres://USER[:PASSWORD]@HOST/DATABASE".to_owned());
    let config: Config = url.parse().map_err(wrong)?;
    let connected = timeout(CONNECT, config.connect(NoTls)).await.map_err(|_| failed(PostgresStoreError::Timeout))?;
    let (client, connection) = connected.map_err(|error| failed(PostgresStoreError::from(BoxError::from(error))))?;
    tokio::spawn(connection);
    let client = Arc::new(client);
    let store = PostgresStore::new(move |query| {
        let client = Arc::clone(&client);
        async move { query.run(&client).await }
    });
    act(&store.table(&place.table), command).await
}

impl Records for PostgresStore {
    async fn keys(&self) -> Result<Vec<String>, BoxError> {
        Ok(self.keys().await?)
    }

    async fn remove(&self, key: &str) -> Result<bool, BoxError> {
        Ok(self.remove(key).await?)
    }

    async fn remove_ended(&self) -> Result<(), BoxError> {
        self.remove_ended().await?;
        Ok(())
    }
}
