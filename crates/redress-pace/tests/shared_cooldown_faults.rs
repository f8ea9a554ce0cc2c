//! Cool-downs of processes over a store that fails, loses answers and writes, at any time, against the maximum of all that were
//! learned.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Paced, URL, layer, ms, refused_after, request, s, serve, server, spawn};
use proptest::prelude::*;
use redress_pace::PaceLayer;
use redress_store::{BoxError, MemoryStore, NewRecord, Record, Store, Version, Written};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, sleep_until};

const KEY: &str = "portal/user-7";
const PROCESSES: usize = 3;
/// The cool-downs are learned within this time.
const LEARNING: u64 = 20;
/// Each cool-down lasts longer than the faults, and than the pauses of the processes after them.
const SHORTEST: u64 = 90;
/// A store that fails is asked again after 15 s at the latest, and changes are looked for each 5 s.
const SETTLED: Duration = Duration::from_secs(40);
/// The difference of what a process adopts, for the delay of the store and the rounding to milliseconds.
const TOLERANCE: Duration = Duration::from_millis(100);

/// An event at the store.
#[derive(Clone, Copy, Debug)]
enum Event {
    Works,
    Fails,
    LosesAnswers,
    /// It loses its last writes.
    GoesBack(usize),
    /// A process ends, and another one starts.
    Restart(usize),
}

/// A store whose records can be set back.
#[derive(Clone)]
struct Faulty {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    mode: Event,
    store: MemoryStore,
    /// The writes to the one record, oldest first.
    history: Vec<Write>,
}

#[derive(Clone)]
struct Write {
    key: String,
    version: Version,
    value: Vec<u8>,
    lifetime: Option<Duration>,
    at: Instant,
}

impl Faulty {
    fn new() -> Self {
        let inner = Inner { mode: Event::Works, store: MemoryStore::new(), history: Vec::new() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    fn store(&self) -> (Event, MemoryStore) {
        let inner = self.inner.lock().unwrap();
        (inner.mode, inner.store.clone())
    }

    /// Returns a record with its age: a store that went back keeps the times of its writes.
    fn with_age(&self, record: &Record) -> Record {
        let inner = self.inner.lock().unwrap();
        let write = inner.history.iter().find(|write| write.version == record.version());
        let age = write.map_or(record.age(), |write| write.at.elapsed());
        Record::new(record.version(), record.value().to_vec(), age)
    }

    async fn go_back(&self, writes: usize) {
        let kept = {
            let mut inner = self.inner.lock().unwrap();
            let kept = inner.history.len().saturating_sub(writes);
            inner.history.truncate(kept);
            inner.store = MemoryStore::new();
            inner.history.last().cloned()
        };
        if let Some(Write { key, version, value, lifetime, .. }) = kept {
            let record = NewRecord::new(version, &value);
            let record = lifetime.map_or(record, |lifetime| record.lifetime(lifetime));
            assert!(self.store().1.replace(&key, None, &record).await.unwrap().is_written());
        }
    }
}

impl Store for Faulty {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        match self.store() {
            (Event::Fails, _) => Err("down".into()),
            (_, store) => Ok(store.load(key).await?.map(|record| self.with_age(&record))),
        }
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        let (mode, store) = self.store();
        if matches!(mode, Event::Fails) {
            return Err("down".into());
        }
        let written = store.replace(key, seen, record).await?;
        if written.is_written() {
            let (version, value) = (record.version(), record.value().to_vec());
            let write =
                Write { key: key.to_owned(), version, value, lifetime: record.end_of_life(), at: Instant::now() };
            self.inner.lock().unwrap().history.push(write);
        }
        match written {
            _ if matches!(mode, Event::LosesAnswers) => Err("no answer".into()),
            Written::Refused(record) => Ok(Written::Refused(record.map(|record| self.with_age(&record)))),
            Written::Done => Ok(Written::Done),
        }
    }
}

struct Process {
    layer: PaceLayer,
    service: Paced,
    /// The latest end that it has learned of by itself.
    learned: Option<Instant>,
}

impl Process {
    fn start(store: &Faulty) -> Self {
        let layer = layer().share(store.clone(), KEY);
        let service = serve(&layer, &server().0);
        // The first call begins to watch the record; it may wait for a cool-down.
        spawn(&service, request(URL), Instant::now());
        Self { layer, service, learned: None }
    }

    fn until(&self) -> Option<Instant> {
        self.layer.gate().cooldown_until(&request(URL))
    }
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Works),
        2 => Just(Event::Fails),
        2 => Just(Event::LosesAnswers),
        1 => (1_usize..4).prop_map(Event::GoesBack),
        1 => (0..PROCESSES).prop_map(Event::Restart),
    ]
}

/// Runs the events, lets the processes settle, and compares the ends of their cool-downs.
async fn run(learns: Vec<(usize, u64, u64)>, events: Vec<(u64, Event)>) {
    let (store, start) = (Faulty::new(), Instant::now());
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| Process::start(&store)).collect();
    sleep(ms(1)).await;
    // Sent before any answer, so that none of them waits for a cool-down.
    for (nth, after, hint) in learns.iter().copied() {
        let process = &mut processes[nth];
        spawn(&process.service, refused_after(after, hint), start);
        let end = Instant::now() + s(after + hint);
        process.learned = process.learned.max(Some(end));
    }
    let latest = processes.iter().filter_map(|process| process.learned).max().unwrap();
    let mut ends = [None; PROCESSES];
    for (pause, event) in events {
        sleep(ms(pause)).await;
        match event {
            Event::Works | Event::Fails | Event::LosesAnswers => store.inner.lock().unwrap().mode = event,
            Event::GoesBack(writes) => store.go_back(writes).await,
            Event::Restart(nth) => {
                processes[nth] = Process::start(&store);
                ends[nth] = None;
            }
        }
        for (process, end) in processes.iter().zip(&mut ends) {
            assert!(process.until() >= *end, "a cool-down was cut");
            *end = process.until();
        }
    }
    store.inner.lock().unwrap().mode = Event::Works;
    sleep_until(start + s(LEARNING) + SETTLED).await;

    let known = processes.iter().filter_map(|process| process.learned).max();
    for process in &processes {
        assert!(process.until() >= known, "{:?} before {known:?}", process.until());
        assert!(process.until() <= Some(latest + TOLERANCE), "{:?} after {latest:?}", process.until());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_process_learns_the_longest_cool_down_and_none_is_cut(
        learns in prop::collection::vec((0..PROCESSES, 1..LEARNING, SHORTEST..600), 1..6),
        events in prop::collection::vec((1_u64..3_000, events()), 0..10),
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(learns, events));
    }
}
