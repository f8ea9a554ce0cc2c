//! Cool-downs that processes share by a store. Each layer stands for a process: it has nothing but the store in common.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::pending;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{MockHandle, Paced, URL, close, layer, ms, refused_after, refusing, request, s, serve, server, spawn};
use redress_classify::{Clock, Deadline, Dialect};
use redress_pace::PaceLayer;
use redress_sandbox::Recorder;
use redress_store::{BoxError, Entry, MemoryStore, NewRecord, Record, Store, StoreHandle, Version, Written};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

const KEY: &str = "portal/user-7";
const RECORD: &str = "portal/user-7/cooldown/api.example:443";

const WORKS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;

/// A store that fails, hangs, takes its time, or reports no changes, as a test says. Clones share it.
#[derive(Clone)]
struct TestStore {
    inner: MemoryStore,
    mode: Arc<AtomicU8>,
    pushes: bool,
    latency: Duration,
    calls: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
    /// The records, in the place of those of `inner`, once the store went back in time.
    promoted: Arc<Mutex<Option<MemoryStore>>>,
}

impl TestStore {
    fn new() -> Self {
        Self {
            inner: MemoryStore::new(),
            mode: Arc::default(),
            pushes: true,
            latency: Duration::ZERO,
            calls: Arc::default(),
            writes: Arc::default(),
            promoted: Arc::default(),
        }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }

    async fn act(&self) -> Result<(), BoxError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        sleep(self.latency).await;
        match self.mode.load(Ordering::Relaxed) {
            WORKS => Ok(()),
            FAILS => Err("canary: the store is down".into()),
            _ => pending().await,
        }
    }

    fn process(&self) -> PaceLayer {
        layer().share(self.clone(), KEY)
    }

    fn records(&self) -> MemoryStore {
        self.promoted.lock().unwrap().clone().unwrap_or_else(|| self.inner.clone())
    }

    /// Goes back to a record, as it was written then.
    async fn go_back_to(&self, record: Record) {
        let replica = MemoryStore::new();
        let rest = NewRecord::new(record.version(), record.value()).lifetime(s(10));
        assert!(replica.replace(RECORD, None, &rest).await.unwrap().is_written());
        *self.promoted.lock().unwrap() = Some(replica);
    }

    async fn entry(&self) -> Option<Record> {
        self.inner.load(RECORD).await.unwrap()
    }

    async fn put(&self, value: &[u8]) {
        let seen = self.entry().await.map(|record| record.version());
        let entry = Entry::new(StoreHandle::new(self.inner.clone()), RECORD);
        assert!(entry.replace(seen, value, None).await.unwrap().is_written());
    }

    fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }
}

impl Store for TestStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.act().await?;
        let loaded = self.records().load(key).await?;
        sleep(self.latency).await;
        Ok(loaded)
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.act().await?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.records().replace(key, seen, record).await
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        if !self.pushes {
            sleep(ms(250)).await;
        } else if self.mode.load(Ordering::Relaxed) == WORKS {
            self.records().changed(key, seen).await;
        } else {
            pending::<()>().await;
        }
    }
}

/// A process that has made its first call, and so watches the record.
async fn started(layer: &PaceLayer) -> (Paced, MockHandle) {
    let (mock, handle) = server();
    let service = serve(layer, &mock);
    service.clone().oneshot(request(URL)).await.unwrap();
    sleep(ms(1)).await;
    handle.take();
    (service, handle)
}

async fn two() -> (TestStore, [(Paced, MockHandle); 2]) {
    let store = TestStore::new();
    let processes = [started(&store.process()).await, started(&store.process()).await];
    (store, processes)
}

/// Calls, and returns the time from now to the arrival of the call.
async fn time_of(service: &Paced, handle: &MockHandle) -> Duration {
    let start = Instant::now();
    handle.take();
    service.clone().oneshot(request(URL)).await.unwrap();
    let at = *handle.instants().first().unwrap() - start;
    handle.take();
    at
}

fn left(layer: &PaceLayer) -> Option<Duration> {
    layer.gate().cooldown_until(&request(URL)).map(|until| until - Instant::now())
}

fn has(events: &[String], text: &str) -> usize {
    events.iter().filter(|event| event.contains(text)).count()
}

#[tokio::test(start_paused = true)]
async fn a_429_of_one_process_holds_the_others_within_50_ms() {
    for (pushes, within) in [(true, ms(50)), (false, ms(300))] {
        let store = TestStore { pushes, ..TestStore::new() };
        let (one, _) = started(&store.process()).await;
        let mut others = Vec::new();
        for _ in 0..7 {
            others.push(started(&store.process()).await);
        }
        let start = Instant::now();
        close(&one, 30).await;
        // Each of the others goes on to call, 100 times a second.
        for nth in 0..200 {
            tokio::time::sleep_until(start + ms(10) * nth).await;
            for (other, _) in &others {
                spawn(other, request(URL), start);
            }
        }
        sleep(s(60)).await;
        for (_, handle) in &others {
            let times = common::times(handle, start);
            assert_eq!(times.len(), 200);
            let early = times.iter().filter(|at| (within.as_millis()..30_000).contains(at)).count();
            assert_eq!(early, 0, "{pushes} {:?}", &times[..20]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_second_cool_down_extends_and_a_shorter_one_changes_nothing() {
    let (store, [(one, _), (other, handle)]) = two().await;
    let start = Instant::now();
    // They are sent before the first answer, and refused after 1 s, 2 s and 3 s: until 11 s, 7 s and 23 s.
    for (after, hint) in [(1, 10), (2, 5), (3, 20)] {
        spawn(&one, refused_after(after, hint), start);
    }
    for (at, writes) in [(1_500, 1), (2_500, 1), (3_500, 2)] {
        tokio::time::sleep_until(start + ms(at)).await;
        assert_eq!(store.writes(), writes, "{at}");
    }
    let waited = time_of(&other, &handle).await;
    assert!((ms(19_500)..ms(19_550)).contains(&waited), "{waited:?}");
}

/// Returns a store in which a cool-down lasts for ten more seconds.
async fn in_cooldown() -> TestStore {
    let store = TestStore { latency: ms(5), ..TestStore::new() };
    let (one, _) = started(&store.process()).await;
    close(&one, 30).await;
    sleep(s(20)).await;
    store
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_in_a_cool_down_waits_for_the_rest_only() {
    let store = in_cooldown().await;
    let (mock, handle) = server();
    let waited = time_of(&serve(&store.process(), &mock), &handle).await;
    assert!((s(10)..s(10) + ms(50)).contains(&waited), "its first call too: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_first_call_to_each_host_waits_for_the_record_of_that_host() {
    let store = in_cooldown().await;
    let (mock, handle) = server();
    let other = serve(&store.process(), &mock);
    other.clone().oneshot(request("https://elsewhere.example/")).await.unwrap();
    let waited = time_of(&other, &handle).await;
    assert!((s(9)..s(10) + ms(50)).contains(&waited), "a record of another host tells nothing: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_clocks_of_the_processes_do_not_matter() {
    let store = TestStore::new();
    let hour = Duration::from_secs(3_600);
    let clock = |ahead: Duration| Clock::anchored(SystemTime::UNIX_EPOCH + 1_000 * hour + ahead);
    let (one, _) = started(&store.process().clock(clock(Duration::ZERO))).await;
    let (other, handle) = started(&store.process().clock(clock(hour))).await;
    close(&one, 30).await;
    sleep(s(10)).await;
    let waited = time_of(&other, &handle).await;
    assert!((s(20)..s(20) + ms(50)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_elsewhere_learn_of_a_longer_cool_down() {
    let (_store, [(one, _), (other, handle)]) = two().await;
    let start = Instant::now();
    for (after, hint) in [(1, 9), (5, 20)] {
        spawn(&one, refused_after(after, hint), start);
    }
    sleep(ms(1_010)).await;
    let waiting = spawn(&other, request(URL), start);
    let mut hurried = request(URL);
    hurried.extensions_mut().insert(Deadline::from_now(s(14)));
    let hurried = spawn(&other, hurried, start);
    let (failed, at) = hurried.await.unwrap();
    assert!(failed.unwrap_err().is_paced() && (10_000..10_050).contains(&at), "at the end that it waited for: {at}");
    waiting.await.unwrap().0.unwrap();
    let times = common::times(&handle, start);
    assert!((25_000..25_050).contains(&times[0]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn scopes_are_kept_apart() {
    let text = "name = \"acme\"\n[[scopes]]\nname = \"room\"\nroutes = \"* /rooms/{room}\"\nkey = \"room\"\n";
    let store = TestStore::new();
    let process = || {
        let dialect = Dialect::from_toml("acme.toml", text).unwrap();
        PaceLayer::new(dialect).random(|| 0).share(store.clone(), KEY)
    };
    let (ours, theirs) = (process(), process());
    let ((one, _), (_other, _)) = (started(&ours).await, started(&theirs).await);
    let start = Instant::now();
    let uri = |path: &str| format!("https://api.example{path}");
    for (path, wait) in [("/rooms/1", "30"), ("/rooms/2", "60")] {
        one.clone().oneshot(refusing(&uri(path), "429", Some(wait))).await.unwrap();
    }
    sleep(ms(10)).await;
    let left =
        |path: &str| theirs.gate().cooldown_until(&request(&uri(path))).map(|at| (at - Instant::now()).as_secs());
    let expected = [("/rooms/1", Some(29)), ("/rooms/2", Some(59)), ("/rooms/3", None), ("/else", None)];
    assert_eq!(expected.map(|(path, _)| (path, left(path))), expected);
    tokio::time::sleep_until(start + s(10)).await;
    one.clone().oneshot(refusing(&uri("/else"), "503", Some("40"))).await.unwrap();
    sleep(ms(10)).await;
    let expected = [("/rooms/1", Some(39)), ("/rooms/2", Some(49)), ("/rooms/3", Some(39)), ("/else", Some(39))];
    assert_eq!(expected.map(|(path, _)| (path, left(path))), expected);
    // The rewritten record has what was left of the others.
    tokio::time::sleep_until(start + s(20)).await;
    let late = process();
    let (mock, _handle) = server();
    spawn(&serve(&late, &mock), request(URL), start);
    sleep(ms(10)).await;
    let left = |path: &str| late.gate().cooldown_until(&request(&uri(path))).map(|at| (at - Instant::now()).as_secs());
    let expected = [("/rooms/1", Some(29)), ("/rooms/2", Some(39)), ("/else", Some(29))];
    assert_eq!(expected.map(|(path, _)| (path, left(path))), expected);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_delays_the_first_call_by_250_ms_and_no_other() {
    for (mode, waits) in [(HANGS, ms(250)), (FAILS, ms(0))] {
        let store = TestStore::new();
        store.set(mode);
        let recorder = Recorder::new();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let (mock, handle) = server();
        let service = serve(&store.process(), &mock);
        assert_eq!(time_of(&service, &handle).await, waits, "{mode}");
        for nth in 0..100 {
            assert_eq!(time_of(&service, &handle).await, ms(0), "{mode} {nth}");
            sleep(ms(100)).await;
        }
        let elsewhere = Instant::now();
        service.clone().oneshot(request("https://other.example/")).await.unwrap();
        assert_eq!(elsewhere.elapsed(), ms(0), "a store that is known to be down delays no partition");
        let events = recorder.take();
        assert_eq!((has(&events, "store unavailable"), has(&events, "canary")), (1, 0), "{events:?}");
        store.set(WORKS);
        sleep(s(16)).await;
        assert_eq!(has(&recorder.take(), "store available again"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_store_leaves_half_of_the_time_to_the_deadline() {
    let store = TestStore::new();
    store.set(HANGS);
    let (mock, handle) = server();
    let service = serve(&store.process(), &mock);
    let start = Instant::now();
    let mut hurried = request(URL);
    hurried.extensions_mut().insert(Deadline::from_now(ms(100)));
    service.oneshot(hurried).await.unwrap();
    assert_eq!(common::times(&handle, start), [50]);
    let impatient = serve(&store.process().fail_fast(), &mock);
    impatient.oneshot(request(URL)).await.unwrap();
    assert_eq!(common::times(&handle, start), [50, 50], "one that must not wait does not");
}

#[tokio::test(start_paused = true)]
async fn a_cool_down_learned_while_the_store_is_down_stays_local_and_is_written_when_it_answers() {
    for mode in [HANGS, FAILS] {
        let (store, [(one, ours), (other, theirs)]) = two().await;
        store.set(mode);
        close(&one, 60).await;
        sleep(s(20)).await;
        assert_eq!(time_of(&other, &theirs).await, ms(0), "{mode}");
        store.set(WORKS);
        // The pauses between its attempts, and a call that hangs.
        sleep(s(21)).await;
        let [here, there] = [time_of(&one, &ours).await, time_of(&other, &theirs).await];
        assert!((s(18)..=s(19)).contains(&here) && there < ms(50), "{mode} {here:?} {there:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_cool_down_is_adopted_when_the_store_answers_again() {
    let (store, [(one, _), (other, theirs)]) = two().await;
    store.set(FAILS);
    close(&one, 60).await;
    sleep(s(10)).await;
    store.set(WORKS);
    sleep(s(20)).await;
    let waited = time_of(&other, &theirs).await;
    assert!((s(30)..s(30) + ms(50)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_went_back_in_time_is_told_again() {
    let (store, [(one, _), (_other, _)]) = two().await;
    let start = Instant::now();
    for (after, hint) in [(1, 10), (2, 60)] {
        spawn(&one, refused_after(after, hint), start);
    }
    sleep(ms(1_500)).await;
    let old = store.entry().await.unwrap();
    sleep(s(1)).await;
    assert_eq!(store.writes(), 2);
    // A replica that lags is promoted: it has the first write, and not the second.
    store.go_back_to(old).await;
    sleep(s(10)).await;
    let late = store.process();
    let (mock, handle) = server();
    let waited = time_of(&serve(&late, &mock), &handle).await;
    assert!((ms(49_500)..ms(49_600)).contains(&waited), "{waited:?}");
    assert!(store.writes() <= 4, "{}", store.writes());
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_later_format_is_not_overwritten_and_other_bytes_are() {
    let newer = b"redress-cooldowns 2\nanything".as_slice();
    for (value, reason, stays) in [(newer, "newer", true), (b"{}".as_slice(), "foreign", false)] {
        let recorder = Recorder::new();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let store = TestStore::new();
        store.put(value).await;
        let (one, _) = started(&store.process()).await;
        close(&one, 30).await;
        sleep(s(1)).await;
        let stored = store.entry().await.unwrap();
        assert_eq!(stored.value() == value, stays, "{reason}");
        let events = recorder.take();
        assert_eq!((has(&events, "not readable"), has(&events, &format!("reason=\"{reason}\""))), (1, 1), "{events:?}");
        assert_eq!(has(&events, "store unavailable"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cool_down_of_another_process_is_an_event_that_says_so() {
    let (_store, [(one, _), _other]) = two().await;
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    close(&one, 30).await;
    sleep(s(40)).await;
    let events = recorder.take();
    assert_eq!(has(&events, "cool-down started"), 2, "one here and one there: {events:?}");
    assert_eq!(has(&events, "class=\"rate_limited\" wait=30s source=\"store\""), 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn many_refusals_at_once_are_few_writes_and_all_of_them_count() {
    let store = TestStore { latency: ms(20), ..TestStore::new() };
    let (one, _) = started(&store.process()).await;
    let theirs = store.process();
    let (_other, _) = started(&theirs).await;
    sleep(s(1)).await;
    let start = Instant::now();
    for hint in 1..=100 {
        spawn(&one, refused_after(1, hint), start);
    }
    sleep(ms(1_500)).await;
    assert!(store.writes() <= 2, "{}", store.writes());
    assert!(left(&theirs) >= Some(s(99)), "{:?}", left(&theirs));
}

#[tokio::test(start_paused = true)]
async fn processes_that_write_at_once_lose_nothing() {
    let text = "name = \"acme\"\n[[scopes]]\nname = \"room\"\nroutes = \"* /rooms/{room}\"\nkey = \"room\"\n";
    let store = TestStore { latency: ms(5), ..TestStore::new() };
    let process = || {
        let dialect = Dialect::from_toml("acme.toml", text).unwrap();
        PaceLayer::new(dialect).random(|| 0).share(store.clone(), KEY)
    };
    let path = |room: u64| format!("https://api.example/rooms/{room}");
    let mut writers = Vec::new();
    for _ in 0..8 {
        writers.push(started(&process()).await);
    }
    for (room, (writer, _)) in (0..).zip(&writers) {
        let refused = refusing(&path(room), "429", Some(&(30 + room).to_string()));
        spawn(writer, refused, Instant::now());
    }
    sleep(s(1)).await;
    let reader = process();
    let _ = started(&reader).await;
    for room in 0..8 {
        let until = reader.gate().cooldown_until(&request(&path(room))).unwrap();
        let left = until - Instant::now();
        assert!((s(28 + room)..s(30 + room)).contains(&left), "{room} {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_out_of_use_and_a_dropped_layer_are_no_longer_watched() {
    let store = TestStore { pushes: false, ..TestStore::new() };
    let layer = store.process();
    let (service, handle) = started(&layer).await;
    let calls = || store.calls.swap(0, Ordering::Relaxed);
    sleep(s(60)).await;
    assert!(calls() > 100, "it is watched");
    sleep(s(600)).await;
    calls();
    sleep(s(60)).await;
    assert_eq!(calls(), 0, "no call used it");
    time_of(&service, &handle).await;
    sleep(s(60)).await;
    assert!(calls() > 100, "it is used again");
    drop((layer, service));
    calls();
    sleep(s(60)).await;
    assert_eq!(calls(), 0, "the layer is dropped");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_stored_shows_the_key_of_a_partition() {
    let store = TestStore::new();
    let layer = store.process().partition(|_, _, _| Some("canary".to_owned()));
    let (one, _) = started(&layer).await;
    close(&one, 30).await;
    sleep(ms(10)).await;
    assert!(store.entry().await.is_none());
    let hashed = store.inner.load("portal/user-7/cooldown/key-35e7dbaa40d511d9").await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(hashed.value()).contains("canary"));
    assert!(!format!("{layer:?} {one:?}").contains("canary"));
}
