//! Records in Postgres.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use redress_store::BoxError;
use redress_store_postgres::{PostgresStore, PostgresStoreError};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket};

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
    let needs_tls = place.ca.is_some() || config.get_ssl_mode() == SslMode::Require;
    let client =
        Arc::new(if needs_tls { over_tls(config, place).await? } else { connect(&config, NoTls, |_| None).await? });
    let store = PostgresStore::new(move |query| {
        let client = Arc::clone(&client);
        async move { query.run(&client).await }
    });
    act(&store.table(&place.table), command).await
}

/// Connects to the server. TLS knows the reason of some errors.
async fn connect<T>(
    config: &Config,
    tls: T,
    reason: fn(&(dyn Error + 'static)) -> Option<Failure>,
) -> Result<Client, Failure>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let connected = timeout(CONNECT, config.connect(tls)).await.map_err(|_| failed(PostgresStoreError::Timeout))?;
    let (client, connection) = connected
        .map_err(|error| reason(&error).unwrap_or_else(|| failed(PostgresStoreError::from(BoxError::from(error)))))?;
    tokio::spawn(connection);
    Ok(client)
}

/// Connects to a server whose certificate is valid for the host of the URL.
#[cfg(feature = "tls")]
async fn over_tls(mut config: Config, place: &PlaceArgs) -> Result<Client, Failure> {
    let tls = super::tls::config(place.ca.as_deref())?;
    connect(config.ssl_mode(SslMode::Require), tokio_postgres_rustls::MakeRustlsConnect::new(tls), super::tls::reason)
        .await
}

#[cfg(not(feature = "tls"))]
async fn over_tls(_: Config, _: &PlaceArgs) -> Result<Client, Failure> {
    Err(super::without("tls"))
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
