//! The public check for stores accepts correct ones and names the rule that an incorrect one breaks.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redress_store::{BoxError, MemoryStore, NewRecord, Record, Store, StoreHandle, Version, Written, conformance};
use tokio::time::Instant;

/// An error of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Invents,
    CutsValues,
    KeepsText,
    RoundsNumbers,
    RefusesAll,
    CreatesTwice,
    LeavesRefused,
    ReplacesWhatIsNotThere,
    IgnoresIds,
    IgnoresNumbers,
    CutsIds,
    CutsNumbers,
    OrdersNumbers,
    ReturnsNothingWhenRefused,
    ReturnsTheOtherWhenRefused,
    InventsWhenRefused,
    FoldsKeys,
    TrimsKeys,
    Races,
    WritesInTwoSteps,
    HasNoAge,
    CountsFromTheFirstWrite,
    CountsInMinutes,
    ExpiresAll,
    ExpiresEarly,
    KeepsLifetimes,
    NeverTells,
    TellsNoCreation,
    ReturnsAtOnce,
    ReturnsAfterAYield,
    Spins,
}

/// A record as it is kept.
#[derive(Clone)]
struct Row {
    version: Version,
    value: Vec<u8>,
    written: Instant,
    lifetime: Option<Duration>,
}

/// A store as a backend would be: the version, the value and the time of the write in columns.
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
        match self.fault {
            Fault::FoldsKeys => key.to_lowercase(),
            Fault::TrimsKeys => key.trim().to_owned(),
            _ => key.to_owned(),
        }
    }

    fn row(&self, key: &str) -> Option<Row> {
        let row = self.rows.lock().unwrap().get(&self.key(key)).cloned()?;
        let limit = match self.fault {
            Fault::ExpiresAll => Some(Duration::from_secs(1)),
            Fault::ExpiresEarly => row.lifetime.map(|lifetime| lifetime / 3600),
            _ => row.lifetime,
        };
        limit.is_none_or(|limit| row.written.elapsed() < limit).then_some(row)
    }

    fn read(&self, key: &str) -> Option<Record> {
        let Some(row) = self.row(key) else {
            let is_invented = self.fault == Fault::Invents;
            return is_invented.then(|| Record::new(Version::next(None), Vec::new(), Duration::ZERO));
        };
        let age = match self.fault {
            Fault::HasNoAge => Duration::ZERO,
            Fault::CountsInMinutes => row.written.elapsed() * 60_000,
            _ => row.written.elapsed(),
        };
        Some(Record::new(row.version, row.value, age))
    }

    fn is_same(&self, stored: Option<Version>, seen: Option<Version>) -> bool {
        let (Some(stored), Some(seen)) = (stored, seen) else {
            return match self.fault {
                Fault::RefusesAll => false,
                Fault::CreatesTwice => seen.is_none(),
                Fault::ReplacesWhatIsNotThere => stored.is_none(),
                _ => stored == seen,
            };
        };
        match self.fault {
            Fault::RefusesAll => false,
            Fault::IgnoresIds => stored.number() == seen.number(),
            Fault::IgnoresNumbers => stored.id() == seen.id(),
            Fault::CutsIds => stored.number() == seen.number() && stored.id() as u64 == seen.id() as u64,
            Fault::CutsNumbers => stored.number() as u32 == seen.number() as u32 && stored.id() == seen.id(),
            _ => stored == seen,
        }
    }

    fn kept(&self, key: &str, record: &NewRecord<'_>) -> Row {
        let (mut version, mut value) = (record.version(), record.value().to_vec());
        match self.fault {
            Fault::CutsValues => value.truncate(4096),
            Fault::KeepsText => value = String::from_utf8_lossy(&value).into_owned().into_bytes(),
            Fault::RoundsNumbers => version = Version::from_parts(version.number() as f64 as u64, version.id()),
            _ => {}
        }
        let before = self.row(key);
        let written = match &before {
            Some(before) if self.fault == Fault::CountsFromTheFirstWrite => before.written,
            _ => Instant::now(),
        };
        let earlier = before.and_then(|before| before.lifetime).filter(|_| self.fault == Fault::KeepsLifetimes);
        Row { version, value, written, lifetime: record.end_of_life().or(earlier) }
    }

    fn refused(&self, key: &str, record: &NewRecord<'_>) -> Written {
        let other = || Record::new(record.version(), record.value().to_vec(), Duration::ZERO);
        if self.fault == Fault::LeavesRefused && self.row(key).is_none() {
            let row = self.kept(key, record);
            self.rows.lock().unwrap().insert(self.key(key), row);
        }
        Written::Refused(match self.fault {
            Fault::ReturnsNothingWhenRefused => None,
            Fault::ReturnsTheOtherWhenRefused => self.read(key).map(|_| other()),
            Fault::InventsWhenRefused => Some(self.read(key).unwrap_or_else(other)),
            _ => self.read(key),
        })
    }
}

impl Store for Columns {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        tokio::task::yield_now().await;
        Ok(self.read(key))
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        tokio::task::yield_now().await;
        let stored = self.row(key).map(|row| row.version);
        let is_same = self.is_same(stored, seen);
        if self.fault == Fault::Races {
            tokio::task::yield_now().await;
        }
        let falls = seen.is_some_and(|seen| record.version().number() < seen.number());
        if !is_same || (falls && self.fault == Fault::OrdersNumbers) {
            return Ok(self.refused(key, record));
        }
        let row = self.kept(key, record);
        if self.fault == Fault::WritesInTwoSteps && seen.is_some() {
            self.rows.lock().unwrap().remove(&self.key(key));
            tokio::task::yield_now().await;
        }
        self.rows.lock().unwrap().insert(self.key(key), row);
        Ok(Written::Done)
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        match self.fault {
            Fault::NeverTells => std::future::pending().await,
            Fault::TellsNoCreation if seen.is_none() => std::future::pending().await,
            Fault::ReturnsAtOnce => {}
            Fault::ReturnsAfterAYield => tokio::task::yield_now().await,
            Fault::Spins => {
                while self.row(key).map(|row| row.version) == seen {
                    tokio::task::yield_now().await;
                }
            }
            _ => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_in_memory_a_handle_and_one_of_columns_keep_the_rules() {
    conformance::check(MemoryStore::new()).await;
    conformance::check(StoreHandle::new(MemoryStore::new())).await;
    conformance::check(Columns::new(Fault::None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_rules_are_kept_under_threads() {
    conformance::check(MemoryStore::new()).await;
}

const RULES: [(Fault, &str); 31] = [
    (Fault::Invents, "an unknown key has no record"),
    (Fault::CutsValues, "a record is read as it was written"),
    (Fault::KeepsText, "a record is read as it was written"),
    (Fault::RoundsNumbers, "a record is read as it was written"),
    (Fault::RefusesAll, "a record is read as it was written"),
    (Fault::CreatesTwice, "a record is created once"),
    (Fault::LeavesRefused, "a record is created once"),
    (Fault::ReplacesWhatIsNotThere, "a record is created once"),
    (Fault::IgnoresIds, "only a record of the same number and id is replaced"),
    (Fault::IgnoresNumbers, "only a record of the same number and id is replaced"),
    (Fault::CutsIds, "only a record of the same number and id is replaced"),
    (Fault::CutsNumbers, "only a record of the same number and id is replaced"),
    (Fault::OrdersNumbers, "a record is read as it was written"),
    (Fault::ReturnsNothingWhenRefused, "a refused write returns the record as it is"),
    (Fault::ReturnsTheOtherWhenRefused, "a refused write returns the record as it is"),
    (Fault::InventsWhenRefused, "a refused write returns the record as it is"),
    (Fault::FoldsKeys, "keys are distinct"),
    (Fault::TrimsKeys, "keys are distinct"),
    (Fault::Races, "one of many concurrent writers succeeds"),
    (Fault::WritesInTwoSteps, "a write that is dropped is complete or has no effect"),
    (Fault::HasNoAge, "the age of a record counts from its write"),
    (Fault::CountsFromTheFirstWrite, "the age of a record counts from its write"),
    (Fault::CountsInMinutes, "the age of a record counts from its write"),
    (Fault::ExpiresAll, "a record without a lifetime stays"),
    (Fault::ExpiresEarly, "a record without a lifetime stays"),
    (Fault::KeepsLifetimes, "a record without a lifetime stays"),
    (Fault::NeverTells, "a wait for a change ends when the record changes"),
    (Fault::TellsNoCreation, "a wait for a change ends when the record changes"),
    (Fault::ReturnsAtOnce, "a wait without a change takes time"),
    (Fault::ReturnsAfterAYield, "a wait without a change takes time"),
    (Fault::Spins, "a wait without a change takes time"),
];

#[tokio::test(start_paused = true)]
async fn each_rule_is_missed_by_the_store_that_breaks_it() {
    for (fault, rule) in RULES {
        let error = tokio::spawn(conformance::check(Columns::new(fault))).await;
        let panic = error.expect_err(&format!("{fault:?} breaks a rule")).into_panic();
        let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(message.starts_with(rule), "{fault:?}: {message}");
    }
}

#[test]
fn each_rule_of_the_suite_has_a_store_that_breaks_it() {
    let source = include_str!("../src/conformance.rs");
    let rules: Vec<_> = source.lines().filter_map(|line| line.trim().strip_prefix("let rule = \"")).collect();
    assert_eq!(rules.len(), 12, "{rules:?}");
    for rule in rules {
        assert!(RULES.iter().any(|(_, begin)| rule.starts_with(begin)), "no store breaks this rule: {rule}");
    }
}
