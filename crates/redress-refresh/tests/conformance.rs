//! The public check for stores accepts correct ones and names the rule that an incorrect one breaks.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redress_classify::BoxError;
use redress_refresh::{MemoryStore, RecordVersion, TokenRecord, TokenStore, conformance};

/// An error of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Invents,
    CutsText,
    RoundsNumbers,
    CreatesTwice,
    IgnoresLease,
    IgnoresGeneration,
    FoldsKeys,
    Races,
    WritesInTwoSteps,
    ExpiresLeases,
    NeverTells,
    TellsGenerationsOnly,
    RefusesAll,
    ReturnsAtOnce,
    ReturnsAfterAYield,
    Spins,
    CutsFarTimes,
}

type Row = (RecordVersion, Vec<u8>);

/// A store as a backend would be: bytes and the version in columns.
#[derive(Clone)]
struct Columns {
    fault: Fault,
    rows: Arc<Mutex<HashMap<String, Row>>>,
}

impl Columns {
    fn new(fault: Fault) -> Self {
        Self { fault, rows: Arc::default() }
    }

    fn key(&self, key: &str) -> String {
        if self.fault == Fault::FoldsKeys { key.to_lowercase() } else { key.to_owned() }
    }

    fn is_same(&self, stored: Option<&RecordVersion>, seen: Option<&RecordVersion>) -> bool {
        match (self.fault, stored, seen) {
            (Fault::RefusesAll, ..) => false,
            (Fault::CreatesTwice, _, None) => true,
            (Fault::IgnoresLease, Some(stored), Some(seen)) => stored.generation() == seen.generation(),
            (Fault::IgnoresGeneration, Some(stored), Some(seen)) => stored.lease() == seen.lease(),
            _ => stored == seen,
        }
    }

    fn bytes(&self, record: &TokenRecord) -> Vec<u8> {
        let text = String::from_utf8(record.expose_bytes().to_vec()).unwrap();
        let text = match self.fault {
            Fault::CutsText if text.len() > 4096 => return Vec::new(),
            Fault::RoundsNumbers => text.replace("9007199254740993", "9007199254740992"),
            Fault::CutsFarTimes => text.replace("253402300799000", "253402300798999"),
            _ => text,
        };
        text.into_bytes()
    }
}

impl TokenStore for Columns {
    async fn load(&self, key: &str) -> Result<Option<TokenRecord>, BoxError> {
        tokio::task::yield_now().await;
        let row = self.rows.lock().unwrap().get(&self.key(key)).map(|(_, bytes)| bytes.clone());
        let Some(bytes) = row else {
            let invented = br#"{"v":1,"generation":0,"access":[],"refresh":null,"expires_at":null,"lease":null}"#;
            return Ok((self.fault == Fault::Invents).then(|| TokenRecord::from_bytes(invented)).transpose()?);
        };
        let record = TokenRecord::from_bytes(&bytes)?;
        if self.fault == Fault::ExpiresLeases && record.version().lease() == Some("ended") {
            return Ok(None);
        }
        Ok(Some(record))
    }

    async fn replace(&self, key: &str, seen: Option<&RecordVersion>, record: &TokenRecord) -> Result<bool, BoxError> {
        tokio::task::yield_now().await;
        let key = self.key(key);
        let stored = self.rows.lock().unwrap().get(&key).map(|(version, _)| version.clone());
        let is_same = self.is_same(stored.as_ref(), seen);
        if self.fault == Fault::Races {
            tokio::task::yield_now().await;
        }
        if is_same && self.fault == Fault::WritesInTwoSteps && seen.is_some() {
            self.rows.lock().unwrap().remove(&key);
            tokio::task::yield_now().await;
        }
        if is_same {
            self.rows.lock().unwrap().insert(key, (record.version(), self.bytes(record)));
        }
        Ok(is_same)
    }

    async fn changed(&self, key: &str, seen: Option<&RecordVersion>) {
        let generation = || self.rows.lock().unwrap().get(&self.key(key)).map(|(version, _)| version.generation());
        match self.fault {
            Fault::NeverTells => std::future::pending().await,
            Fault::ReturnsAtOnce => {}
            Fault::ReturnsAfterAYield => tokio::task::yield_now().await,
            Fault::Spins => {
                while self.rows.lock().unwrap().get(&self.key(key)).map(|(version, _)| version) == seen {
                    tokio::task::yield_now().await;
                }
            }
            Fault::TellsGenerationsOnly => {
                while generation() == seen.map(RecordVersion::generation) {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
            }
            _ => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_in_memory_and_one_of_bytes_keep_the_rules() {
    conformance::check(MemoryStore::new()).await;
    conformance::check(Columns::new(Fault::None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_rules_are_kept_under_threads() {
    conformance::check(MemoryStore::new()).await;
}

#[tokio::test(start_paused = true)]
async fn each_rule_is_missed_by_the_store_that_breaks_it() {
    for (fault, rule) in [
        (Fault::Invents, "an unknown key has no record"),
        (Fault::CutsText, "a record is read as it was written"),
        (Fault::RoundsNumbers, "a record is read as it was written"),
        (Fault::RefusesAll, "a record is read as it was written"),
        (Fault::CreatesTwice, "a record is created once"),
        (Fault::IgnoresLease, "only a record of the same generation and lease is replaced"),
        (Fault::IgnoresGeneration, "only a record of the same generation and lease is replaced"),
        (Fault::FoldsKeys, "keys are distinct"),
        (Fault::Races, "one of many concurrent writers succeeds"),
        (Fault::WritesInTwoSteps, "a write that is dropped is complete or has no effect"),
        (Fault::ExpiresLeases, "a lease stays when it has ended"),
        (Fault::NeverTells, "a wait for a change ends when the record changes"),
        (Fault::TellsGenerationsOnly, "a wait for a change ends when the record changes"),
        (Fault::ReturnsAtOnce, "a wait without a change takes time"),
        (Fault::ReturnsAfterAYield, "a wait without a change takes time"),
        (Fault::Spins, "a wait without a change takes time"),
        (Fault::CutsFarTimes, "a lease is kept byte for byte"),
    ] {
        let error = tokio::spawn(conformance::check(Columns::new(fault))).await.expect_err("it breaks a rule");
        let panic = error.into_panic();
        let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(message.starts_with(rule), "{fault:?}: {message}");
    }
}
