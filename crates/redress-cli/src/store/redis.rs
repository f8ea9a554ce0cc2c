//! Records in Redis.

use std::process::ExitCode;

use redis::Client;
use redress_store::BoxError;
use redress_store_redis::{RedisStore, RedisStoreBuilder, RedisStoreError};

use super::{PlaceArgs, Records, StoreCommand, act, failed};
use crate::failure::Failure;

/// Connects to the server, and runs the command.
pub(super) async fn run(url: &str, place: &PlaceArgs, command: &StoreCommand) -> Result<ExitCode, Failure> {
    let client = open(url, place)?;
    // Whether the server evicts records is the concern of the processes that rely on them.
    let builder = RedisStoreBuilder::from_client(client).prefix(&place.prefix).allow_eviction();
    act(&builder.connect().await.map_err(failed)?, command).await
}

#[cfg(not(feature = "tls"))]
fn open(url: &str, _: &PlaceArgs) -> Result<Client, Failure> {
    Client::open(url).map_err(|error| failed(RedisStoreError::from(error)))
}

#[cfg(feature = "tls")]
fn open(url: &str, place: &PlaceArgs) -> Result<Client, Failure> {
    super::tls::install_provider();
    let client = match &place.ca {
        None => Client::open(url),
        Some(_) if !url.starts_with("rediss:") => {
            return Err(Failure::Message("`--ca` needs a URL that begins with rediss://".to_owned()));
        }
        Some(file) => {
            let root_cert = Some(super::tls::read(file)?);
            Client::build_with_tls(url, redis::TlsCertificates { client_tls: None, root_cert })
        }
    };
    client.map_err(|error| failed(RedisStoreError::from(error)))
}

impl Records for RedisStore {
    async fn keys(&self) -> Result<Vec<String>, BoxError> {
        Ok(self.keys().await?)
    }

    async fn remove(&self, key: &str) -> Result<bool, BoxError> {
        Ok(self.remove(key).await?)
    }

    /// The server does that by itself.
    async fn remove_ended(&self) -> Result<(), BoxError> {
        Ok(())
    }
}
