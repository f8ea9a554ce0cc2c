//! A store that loses answers and writes, as a store in another process does.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redress_classify::BoxError;
use redress_refresh::{MemoryStore, Store};
use redress_store::{NewRecord, Record, Version, Written};

use crate::family::KEY;

/// The fault of the next calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// The calls fail and have no effect.
    Down,
    /// The calls do not end.
    Hangs,
    /// The next write is applied, and its answer is an error.
    LosesAnswer,
    /// The next write is applied, and from its answer on the store is down.
    DownAfterWrite,
}

#[derive(Clone, Default)]
pub(crate) struct Faulty {
    store: MemoryStore,
    fault: Arc<Mutex<Fault>>,
    /// The versions of the writes, those that failed too.
    writes: Arc<Mutex<Vec<Version>>>,
}

impl Faulty {
    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(crate) fn writes(&self) -> Vec<Version> {
        self.writes.lock().unwrap().clone()
    }

    /// The record, whatever the fault.
    pub(crate) async fn stored(&self) -> Option<Record> {
        self.store.load(KEY).await.unwrap()
    }

    /// Goes back to an earlier record, as a fail-over to a replica that lags does.
    pub(crate) async fn restore(&self, earlier: Option<&Record>) {
        let now = self.stored().await.map(|record| record.version());
        let written = match earlier {
            Some(earlier) => self.store.replace(KEY, now, &NewRecord::new(earlier.version(), earlier.value())).await,
            None => {
                self.store.replace(KEY, now, &NewRecord::new(Version::next(None), b"").lifetime(Duration::ZERO)).await
            }
        };
        assert!(written.unwrap().is_written());
    }

    async fn gate(&self) -> Result<(), BoxError> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::Down => Err("down".into()),
            Fault::Hangs => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

impl Store for Faulty {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.gate().await?;
        self.store.load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.writes.lock().unwrap().push(record.version());
        self.gate().await?;
        let written = self.store.replace(key, seen, record).await?;
        let mut fault = self.fault.lock().unwrap();
        match *fault {
            Fault::LosesAnswer => *fault = Fault::None,
            Fault::DownAfterWrite => *fault = Fault::Down,
            _ => return Ok(written),
        }
        Err("the answer is lost".into())
    }
}
