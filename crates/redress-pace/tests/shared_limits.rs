//! Limits that processes share by a store. Each layer stands for a process.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::pending;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{URL, count, layer, ms, request, s, serve, server, spawn};
use redress_classify::Deadline;
use redress_pace::{Limit, PaceLayer};
use redress_sandbox::Recorder;
use redress_store::{BoxError, MemoryStore, NewRecord, Record, Store, Version, Written};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

const PER: Duration = Duration::from_secs(10);

/// A store that takes 1 ms for each call, and fails or hangs as a test says. Clones share it.
#[derive(Clone, Default)]
struct TestStore {
    inner: MemoryStore,
    /// 0: it works; 1: it fails; 2: it hangs.
    mode: Arc<AtomicU8>,
    calls: Arc<AtomicUsize>,
    /// The records, in the place of those of `inner`, once the store has lost all.
    replaced: Arc<Mutex<Option<MemoryStore>>>,
}

impl TestStore {
    fn records(&self) -> MemoryStore {
        self.replaced.lock().unwrap().clone().unwrap_or_else(|| self.inner.clone())
    }

    fn process(&self, requests: u32) -> PaceLayer {
        layer().limit(limit(requests)).share(self.clone(), "portal")
    }

    async fn act(&self, key: &str) -> Result<(), BoxError> {
        self.calls.fetch_add(usize::from(key.starts_with("portal/limit/")), Ordering::Relaxed);
        sleep(ms(1)).await;
        match self.mode.load(Ordering::Relaxed) {
            0 => Ok(()),
            1 => Err("it is down".into()),
            _ => pending().await,
        }
    }
}

impl Store for TestStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.act(key).await?;
        self.records().load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.act(key).await?;
        self.records().replace(key, seen, record).await
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        self.records().changed(key, seen).await;
    }
}

/// Returns a limit with a burst of a tenth.
fn limit(requests: u32) -> Limit {
    Limit::new("GET /v1/things".parse().unwrap(), count(requests), PER)
}

/// Returns the largest number of arrivals in a span of the limit, which are in order.
fn busiest(times: &[u128]) -> usize {
    let ends = times.iter().map(|at| times.partition_point(|other| *other < at + PER.as_millis()));
    ends.enumerate().map(|(nth, end)| end - nth).max().unwrap_or(0)
}

/// Lets processes call as fast as they can for a time, 50 calls of each at a time, and returns the arrivals.
async fn saturate(processes: &[PaceLayer], time: Duration, mut at: impl FnMut(Duration)) -> Vec<u128> {
    let (mock, handle) = server();
    let start = Instant::now();
    let mut callers = Vec::new();
    for layer in processes {
        let service = serve(layer, &mock);
        callers.extend((0..50).map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                loop {
                    let _ = service.clone().oneshot(request(URL)).await;
                    tokio::task::yield_now().await;
                }
            })
        }));
    }
    while start.elapsed() < time {
        at(start.elapsed());
        sleep(ms(100)).await;
    }
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    common::times(&handle, start)
}

#[tokio::test(start_paused = true)]
async fn processes_together_keep_the_limit_and_use_nine_tenths_of_it() {
    for (requests, processes) in [(10, 3), (200, 8), (2_000, 4)] {
        let store = TestStore::default();
        let layers: Vec<_> = (0..processes).map(|_| store.process(requests)).collect();
        let times = saturate(&layers, s(60), |_| ()).await;
        let (worst, used) = (busiest(&times), times.len() as f64 / (f64::from(requests) * 6.0));
        let calls = store.calls.load(Ordering::Relaxed) as f64 / times.len() as f64;
        println!("{requests}, {processes} processes: worst span {worst}, {used:.3} used, {calls:.3} calls a request");
        assert!(worst <= requests as usize && used >= 0.9, "{requests}: {worst} {used}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_store_each_process_sends_its_share() {
    for mode in [1, 2] {
        let store = TestStore::default();
        let layers: Vec<_> = (0..4).map(|_| store.process(200)).collect();
        let times = saturate(&layers, s(90), |at| {
            let is_down = (s(30)..s(60)).contains(&at);
            store.mode.store(if is_down { mode } else { 0 }, Ordering::Relaxed);
        })
        .await;
        let during = times.iter().filter(|at| (35_000..60_000).contains(*at)).count();
        assert!(busiest(&times) <= 200, "{mode}: {}", busiest(&times));
        assert!(during >= 350, "{mode}: {during} of 500");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_from_the_start_leaves_an_eighth() {
    let store = TestStore::default();
    store.mode.store(1, Ordering::Relaxed);
    let times = saturate(&[store.process(200)], s(60), |_| ()).await;
    let share = times.len() as f64 / 6.0;
    assert!((18.0..=25.0).contains(&share), "{share}");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_gone_leaves_its_permits_to_the_others() {
    let store = TestStore::default();
    let gone = store.process(200);
    saturate(std::slice::from_ref(&gone), s(5), |_| ()).await;
    drop(gone);
    sleep(PER).await;
    let times = saturate(&[store.process(200), store.process(200)], s(60), |_| ()).await;
    assert!(times.len() as f64 >= 200.0 * 6.0 * 0.9, "{}", times.len());
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_no_longer_than_its_deadline_for_a_permit() {
    let store = TestStore::default();
    store.mode.store(2, Ordering::Relaxed);
    let (mock, handle) = server();
    let service = serve(&store.process(10), &mock);
    let start = Instant::now();
    let hurried: Vec<_> = (1..=5_u64)
        .map(|seconds| {
            let mut request = request(URL);
            request.extensions_mut().insert(Deadline::from_now(s(seconds)));
            spawn(&service, request, start)
        })
        .collect();
    for (seconds, call) in (1..).zip(hurried) {
        let (outcome, at) = call.await.unwrap();
        assert!(at <= 1_000 * seconds, "{at}");
        assert!(outcome.is_ok() || outcome.is_err_and(|error| error.is_paced()));
    }
    // A process that never reached the store sends an eighth of the limit.
    assert_eq!(handle.instants().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_permits_in_hand_no_call_waits() {
    let store = TestStore::default();
    let (mock, handle) = server();
    let service = serve(&store.process(6_000), &mock);
    for nth in 0..2_100 {
        let start = Instant::now();
        handle.take();
        service.clone().oneshot(request(URL)).await.unwrap();
        // The first ones find out how many are needed.
        assert!(nth < 100 || common::times(&handle, start) == [0], "{nth}");
        sleep(ms(10)).await;
    }
    let calls = store.calls.load(Ordering::Relaxed);
    assert!(calls < 250, "{calls} for 2,100 requests");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_or_went_back_in_time_is_reported_once() {
    let (store, recorder) = (TestStore::default(), Recorder::new());
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let layer = store.process(200);
    // The same store reports cool-downs, too.
    let is_of = |event: &&String, text: &str| event.contains(text) && event.contains("record=");
    let count = |text: &str| recorder.take().iter().filter(|event| is_of(event, text)).count();
    saturate(std::slice::from_ref(&layer), s(5), |_| ()).await;
    assert_eq!(count(""), 0);

    store.mode.store(1, Ordering::Relaxed);
    saturate(std::slice::from_ref(&layer), s(10), |_| ()).await;
    assert_eq!(count("store unavailable: each process keeps a part of the limit"), 1);
    store.mode.store(0, Ordering::Relaxed);
    saturate(std::slice::from_ref(&layer), s(10), |_| ()).await;
    assert_eq!(count("store available again"), 1);

    *store.replaced.lock().unwrap() = Some(MemoryStore::new());
    saturate(std::slice::from_ref(&layer), s(10), |_| ()).await;
    assert_eq!(count("the store may have lost writes: limit closed for a lease"), 1);
}

#[tokio::test(start_paused = true)]
async fn limits_with_other_figures_and_partitions_are_counted_apart() {
    let store = TestStore::default();
    let tenant = |name: &'static str| store.process(10).partition(move |_, _, _| Some(name.to_owned()));
    for layer in [tenant("a"), tenant("b"), store.process(10), store.process(20)] {
        let times = saturate(&[layer], s(11), |_| ()).await;
        assert!(times.len() >= 9, "{}", times.len());
    }
}
