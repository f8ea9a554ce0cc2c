//! The store of the processes of a run, as near as a server in the same data centre.

use std::time::Duration;

use redress::{BoxError, MemoryStore, Store};
use redress_store::{NewRecord, Record, Version, Written};
use tokio::time::sleep;

/// The time in each direction of a call.
const HOP: Duration = Duration::from_millis(1);

/// Records in memory. A call to them takes 2 ms and happens half way, so that processes meet as at a server.
#[derive(Clone, Default)]
pub(crate) struct LabStore {
    records: MemoryStore,
}

impl Store for LabStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        sleep(HOP).await;
        let loaded = self.records.load(key).await;
        sleep(HOP).await;
        loaded
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        sleep(HOP).await;
        let written = self.records.replace(key, seen, record).await;
        sleep(HOP).await;
        written
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        self.records.changed(key, seen).await;
        sleep(HOP).await;
    }
}
