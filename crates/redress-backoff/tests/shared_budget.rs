//! Budgets that processes share by a store. Each layer stands for a process: it has nothing but the store in common.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::pending;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{layer, ms, request};
use http::{Request, Response};
use redress_backoff::{Backoff, BackoffLayer, Budget, Budgets};
use redress_classify::{BoxError, EndReason, ResponseExt};
use redress_sandbox::Recorder;
use redress_store::{Entry, MemoryStore, NewRecord, Record, Store, StoreHandle, Version, Written};
use tokio::time::{advance, sleep};
use tower::{Layer, ServiceExt};

const KEY: &str = "portal/user-7";
const RECORD: &str = "portal/user-7/budget/api.example:443";

const WORKS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;
const LOSES_ANSWERS: u8 = 3;

/// A store that fails, hangs, loses its answers or goes back in time, as a test says. Clones share it.
#[derive(Clone, Default)]
struct TestStore {
    inner: Arc<Mutex<MemoryStore>>,
    mode: Arc<AtomicU8>,
    calls: Arc<AtomicU32>,
}

impl TestStore {
    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }

    fn records(&self) -> MemoryStore {
        self.inner.lock().unwrap().clone()
    }

    async fn act(&self) -> Result<(), BoxError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match self.mode.load(Ordering::Relaxed) {
            FAILS => Err("canary: the store is down".into()),
            HANGS => pending().await,
            _ => Ok(()),
        }
    }

    /// Goes back to a record.
    async fn go_back_to(&self, record: &Record) {
        let replica = MemoryStore::new();
        let rest = NewRecord::new(record.version(), record.value());
        assert!(replica.replace(RECORD, None, &rest).await.unwrap().is_written());
        *self.inner.lock().unwrap() = replica;
    }

    async fn record(&self) -> Option<Record> {
        self.records().load(RECORD).await.unwrap()
    }

    async fn text(&self) -> String {
        String::from_utf8(self.record().await.unwrap().value().to_vec()).unwrap()
    }

    /// Returns how often the store went back in time, by the record.
    async fn times_back(&self) -> u64 {
        self.text().await.lines().nth(1).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Returns the number of processes in the record.
    async fn processes(&self) -> usize {
        self.text().await.lines().count() - 2
    }
}

impl Store for TestStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.act().await?;
        self.records().load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.act().await?;
        let written = self.records().replace(key, seen, record).await;
        if self.mode.load(Ordering::Relaxed) == LOSES_ANSWERS {
            self.set(FAILS);
            return Err("the answer is lost".into());
        }
        written
    }
}

/// A server that answers with a status, and counts the requests.
#[derive(Clone, Default)]
struct Server {
    status: Arc<AtomicU8>,
    requests: Arc<AtomicU32>,
}

impl Server {
    fn down() -> Self {
        Self::default()
    }

    fn set_up(&self, is_up: bool) {
        self.status.store(u8::from(is_up), Ordering::Relaxed);
    }

    fn take_requests(&self) -> u32 {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

impl tower::Service<Request<String>> for Server {
    type Response = Response<String>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Response<String>, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), std::io::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let status = if self.status.load(Ordering::Relaxed) == 1 { 200 } else { 503 };
        std::future::ready(Ok(Response::builder().status(status).body(String::new()).unwrap()))
    }
}

type Process = Backoff<Server>;

fn process(store: &TestStore, server: &Server) -> Process {
    shared(layer(), store).layer(server.clone())
}

fn shared(layer: BackoffLayer, store: &TestStore) -> BackoffLayer {
    layer.share(store.clone(), KEY)
}

async fn call(process: &Process) -> Option<EndReason> {
    let response = process.clone().oneshot(request("GET")).await.unwrap();
    response.record().map(redress_classify::Record::end_reason)
}

/// Calls `times` times, and returns the number of retries.
async fn retries(process: &Process, server: &Server, times: u32) -> u32 {
    server.take_requests();
    for _ in 0..times {
        call(process).await;
    }
    server.take_requests() - times
}

#[tokio::test(start_paused = true)]
async fn the_first_call_of_a_process_is_retried_as_without_a_store() {
    let (store, server) = (TestStore::default(), Server::down());
    assert_eq!(call(&process(&store, &server)).await, Some(EndReason::MaxAttempts));
    assert_eq!(server.take_requests(), 3);
    assert!(store.text().await.starts_with("redress-budget 1\n"));
}

#[tokio::test(start_paused = true)]
async fn processes_have_one_bucket_together() {
    let (store, server) = (TestStore::default(), Server::down());
    let processes: Vec<_> = (0..8).map(|_| process(&store, &server)).collect();
    let mut sent = 0;
    for _ in 0..20 {
        for process in &processes {
            sent += retries(process, &server, 5).await;
        }
        sleep(ms(5_000)).await;
    }
    assert_eq!(store.processes().await, 8);
    // 35 by 500 tokens, and the first of each process in any case. Apart they would send 280.
    assert!((27..=43).contains(&sent), "{sent} retries");
}

/// Returns the requests for each call of 200 processes that call once a second for a minute, while half of all requests fail.
async fn load_at_half_failing(process: impl Fn(Server) -> Process) -> f64 {
    let server = Server::down();
    let processes: Vec<_> = (0..200).map(|_| process(server.clone())).collect();
    let (mut random, mut calls) = (fastrand::Rng::with_seed(7), 0_u32);
    for _ in 0..60 {
        for process in &processes {
            // Whether all attempts of a call fail is drawn for each call: the load is then that of the retries alone.
            server.set_up(random.bool());
            call(process).await;
            calls += 1;
        }
        sleep(ms(1_000)).await;
    }
    f64::from(server.take_requests()) / f64::from(calls)
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_shares_adds_little_load_where_half_of_the_calls_fail() {
    let store = TestStore::default();
    let apart = load_at_half_failing(|server| layer().layer(server)).await;
    let together = load_at_half_failing(|server| process(&store, &server)).await;
    println!("{apart:.2} requests a call apart, {together:.2} together");
    assert!(apart > 1.5 && together < 1.1, "{apart:.2} apart, {together:.2} together");
}

#[tokio::test(start_paused = true)]
async fn one_process_spends_the_whole_budget() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    let mut sent = 0;
    for _ in 0..20 {
        sent += retries(&process, &server, 5).await;
        sleep(ms(5_000)).await;
    }
    assert_eq!(sent, 35);
}

#[tokio::test(start_paused = true)]
async fn the_successes_of_one_process_pay_for_the_retries_of_another() {
    let (store, server) = (TestStore::default(), Server::down());
    let (one, other) = (process(&store, &server), process(&store, &server));
    for _ in 0..20 {
        retries(&one, &server, 5).await;
        retries(&other, &server, 2).await;
        sleep(ms(5_000)).await;
    }
    assert_eq!(retries(&one, &server, 1).await, 0, "the budget is used up");
    server.set_up(true);
    for _ in 0..200 {
        call(&other).await;
    }
    server.set_up(false);
    sleep(ms(10_000)).await;
    retries(&one, &server, 1).await;
    sleep(ms(10_000)).await;
    assert!(retries(&one, &server, 5).await >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_never_waits_for_the_store() {
    let (store, server) = (TestStore::default(), Server::down());
    store.set(HANGS);
    let process = process(&store, &server);
    let start = tokio::time::Instant::now();
    assert_eq!(call(&process).await, Some(EndReason::Budget), "the tokens of one retry");
    assert!(start.elapsed() < ms(200), "the wait before the retry");
    assert_eq!(server.take_requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_the_store_a_process_has_its_part_and_its_own_successes() {
    let (store, server) = (TestStore::default(), Server::down());
    let processes: Vec<_> = (0..10).map(|_| process(&store, &server)).collect();
    for process in &processes {
        retries(process, &server, 1).await;
    }
    sleep(ms(20_000)).await;
    retries(&processes[0], &server, 1).await;
    store.set(FAILS);
    sleep(ms(60_000)).await;
    retries(&processes[0], &server, 20).await;
    assert_eq!(retries(&processes[0], &server, 5).await, 0, "what it had is spent");
    server.set_up(true);
    for _ in 0..1_000 {
        call(&processes[0]).await;
    }
    server.set_up(false);
    assert_eq!(retries(&processes[0], &server, 20).await, 3, "a tenth of 500 tokens");
}

#[tokio::test(start_paused = true)]
async fn a_settlement_whose_answer_was_lost_counts_once() {
    let (store, server) = (TestStore::default(), Server::down());
    store.set(LOSES_ANSWERS);
    let process = process(&store, &server);
    retries(&process, &server, 1).await;
    let written = store.record().await.unwrap().version();
    store.set(WORKS);
    sleep(ms(30_000)).await;
    assert!(written.number() == 1 && store.processes().await == 1);
    let mut sent = 1;
    for _ in 0..20 {
        sent += retries(&process, &server, 5).await;
        sleep(ms(5_000)).await;
    }
    assert_eq!(sent, 35, "no token was counted twice, and none was lost");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_went_back_gives_no_token_twice() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    let mut sent = retries(&process, &server, 1).await;
    sleep(ms(100)).await;
    let old = store.record().await.unwrap();
    for _ in 0..20 {
        sent += retries(&process, &server, 5).await;
        sleep(ms(5_000)).await;
    }
    assert_eq!(sent, 35);
    store.go_back_to(&old).await;
    for _ in 0..20 {
        sent += retries(&process, &server, 5).await;
        sleep(ms(5_000)).await;
    }
    assert_eq!(sent, 35, "the tokens of the old record were spent before");
    assert_eq!(store.times_back().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_down_for_long_did_not_go_back() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    retries(&process, &server, 1).await;
    sleep(ms(5_000)).await;
    store.set(FAILS);
    // Calls keep the process from leaving.
    for _ in 0..6 {
        retries(&process, &server, 1).await;
        sleep(ms(20_000)).await;
    }
    store.set(WORKS);
    sleep(ms(60_000)).await;
    assert_eq!(store.processes().await, 1, "it has settled again, or has never left");
    assert_eq!(store.times_back().await, 0, "and closed nothing");
}

#[tokio::test(start_paused = true)]
async fn a_lost_record_is_not_a_full_bucket_for_those_who_knew_it() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    for _ in 0..20 {
        retries(&process, &server, 5).await;
        sleep(ms(5_000)).await;
    }
    *store.inner.lock().unwrap() = MemoryStore::new();
    for _ in 0..10 {
        assert_eq!(retries(&process, &server, 5).await, 0);
        sleep(ms(5_000)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_process_gives_its_tokens_back_and_calls_the_store_no_more() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    retries(&process, &server, 1).await;
    sleep(ms(120_000)).await;
    let calls = store.calls.load(Ordering::Relaxed);
    sleep(ms(600_000)).await;
    assert_eq!(store.calls.load(Ordering::Relaxed), calls);
    assert!(
        store.text().await.contains("\n472 0 0\n") || store.text().await.contains("\n458 0 0\n"),
        "{}",
        store.text().await
    );
    assert_eq!(retries(&process, &server, 1).await, 2, "it leases again");
    assert!(store.calls.load(Ordering::Relaxed) > calls);
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_dropped_gives_its_tokens_back() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    retries(&process, &server, 1).await;
    sleep(ms(100)).await;
    drop(process);
    sleep(ms(100)).await;
    assert!(store.text().await.contains("\n472 0 0\n"), "two retries were paid: {}", store.text().await);
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_dropped_while_the_store_is_down_calls_it_no_more() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    retries(&process, &server, 1).await;
    sleep(ms(100)).await;
    store.set(FAILS);
    drop(process);
    sleep(ms(100)).await;
    let calls = store.calls.load(Ordering::Relaxed);
    sleep(ms(600_000)).await;
    assert_eq!(store.calls.load(Ordering::Relaxed), calls);
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_store_are_reported_once_each() {
    let recorder = Recorder::with_target("redress::backoff");
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let reports = || {
        let told = |line: &String| line.contains("store") || line.contains("record of");
        recorder.take().into_iter().filter(told).collect::<Vec<_>>()
    };
    let fields = "dialect=\"silent\" partition=\"api.example:443\"";
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    let mut old = None;
    for (mode, expected) in [
        (WORKS, None),
        (FAILS, Some("WARN redress::backoff message=store unavailable: the retry budget is not shared")),
        (WORKS, Some("INFO redress::backoff message=store available again")),
    ] {
        store.set(mode);
        for _ in 0..4 {
            retries(&process, &server, 1).await;
            sleep(ms(10_000)).await;
        }
        assert_eq!(reports(), Vec::from_iter(expected.map(|message| format!("{message} {fields}"))));
        old = old.or(store.record().await);
    }
    store.go_back_to(&old.unwrap()).await;
    for expected in [1, 0] {
        for _ in 0..4 {
            retries(&process, &server, 1).await;
            sleep(ms(10_000)).await;
        }
        let message =
            format!("WARN redress::backoff message=the store may have lost writes: retry budget emptied {fields}");
        assert_eq!(reports(), vec![message; expected]);
    }
    let seen = store.record().await.unwrap().version();
    let newer = NewRecord::new(Version::next(Some(seen)), b"redress-budget 2\nnew");
    assert!(store.records().replace(RECORD, Some(seen), &newer).await.unwrap().is_written());
    for expected in [1, 0] {
        for _ in 0..4 {
            retries(&process, &server, 1).await;
            sleep(ms(10_000)).await;
        }
        let told = reports();
        assert_eq!(told.len(), expected, "{told:?}");
        assert!(told.iter().all(|line| line.contains("record of the retry budget not readable")), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_is_called_at_most_once_a_second() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = process(&store, &server);
    for _ in 0..100 {
        retries(&process, &server, 1).await;
        sleep(ms(500)).await;
    }
    let calls = store.calls.load(Ordering::Relaxed);
    assert!((10..=60).contains(&calls), "{calls} in about a minute");
}

#[tokio::test(start_paused = true)]
async fn a_success_with_full_buckets_does_not_call_the_store() {
    let (store, server) = (TestStore::default(), Server::down());
    server.set_up(true);
    let process = process(&store, &server);
    for _ in 0..100 {
        call(&process).await;
    }
    advance(ms(60_000)).await;
    assert_eq!(store.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_newer_version_stays_and_other_bytes_do_not() {
    for (bytes, stays) in [(&b"redress-budget 2\nnew"[..], true), (b"canary", false)] {
        let (store, server) = (TestStore::default(), Server::down());
        let entry = Entry::new(StoreHandle::new(store.clone()), RECORD);
        assert!(entry.replace(None, bytes, None).await.unwrap().is_written());
        let process = process(&store, &server);
        retries(&process, &server, 1).await;
        sleep(ms(30_000)).await;
        assert_eq!(store.record().await.unwrap().value() == bytes, stays);
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_of_the_settings_does_not_matter() {
    let store = TestStore::default();
    let layers = [
        shared(layer().budget(Budget::with_capacity(28)), &store),
        shared(layer(), &store).budget(Budget::with_capacity(28)),
    ];
    for layer in layers {
        let server = Server::down();
        let process = layer.layer(server.clone());
        retries(&process, &server, 1).await;
        sleep(ms(10)).await;
        let record = store.records().load("portal/user-7/budget/all").await.unwrap();
        assert!(record.is_some());
    }
    let record = store.records().load("portal/user-7/budget/all").await.unwrap().unwrap();
    let text = String::from_utf8(record.value().to_vec()).unwrap();
    assert!(text.starts_with("redress-budget 1\n0 0 0\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn keys_appear_as_hashes_and_without_a_budget_nothing_is_shared() {
    let (store, server) = (TestStore::default(), Server::down());
    let by_tenant = layer().budget(Budgets::keyed(100, |_, _, _| "canary".into()));
    retries(&shared(by_tenant, &store).layer(server.clone()), &server, 1).await;
    let by_partition = layer().partition(|_, _, _| Some("canary".to_owned()));
    retries(&shared(by_partition, &store).layer(server.clone()), &server, 1).await;
    sleep(Duration::from_millis(10)).await;
    let record = store.records().load("portal/user-7/budget/key-35e7dbaa40d511d9").await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(record.value()).lines().count(), 4, "both");
    let calls = store.calls.load(Ordering::Relaxed);
    retries(&shared(layer(), &store).without_budget().layer(server.clone()), &server, 1).await;
    assert_eq!(store.calls.load(Ordering::Relaxed), calls);
}

#[test]
fn without_a_runtime_a_result_that_is_there_at_once_needs_none() {
    let (store, server) = (TestStore::default(), Server::down());
    let process = shared(layer().max_attempts(std::num::NonZeroU32::MIN), &store).layer(server);
    let mut call = std::pin::pin!(process.oneshot(request("GET")));
    let waker = std::task::Waker::noop();
    let polled = std::future::Future::poll(call.as_mut(), &mut std::task::Context::from_waker(waker));
    assert!(matches!(polled, std::task::Poll::Ready(Ok(_))));
}
