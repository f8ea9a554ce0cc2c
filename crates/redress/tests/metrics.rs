//! The metrics of a stack, compared with the documented list.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use redress::{BoxError, Credentials, Failure, Limit, MemoryStore, Redress, RedressLayer, Route, Store, StoreHandle};
use redress::{TokenSet, dialects};
use redress_sandbox::strict_mock::{Answer, StrictMock};
use redress_store::{NewRecord, Record, Version, Written};
use tower::{Layer, ServiceExt};

const DOCUMENTED: &str = include_str!("../../../docs/observability.md");

struct Issuer;

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer("first")?.refresh_token("once"))
    }

    async fn refresh(&self, _: &redress::SecretString) -> Result<TokenSet, Failure> {
        Err(Failure::permanent("refused"))
    }
}

/// Records what a stack does with this script of status, `Retry-After` and body, a call for each number of seconds between
/// them.
fn recorded(script: &[(u16, Option<&str>, &'static str)], calls: &[u64]) -> BTreeMap<String, DebugValue> {
    let answers: Vec<_> = script
        .iter()
        .map(|(status, wait, body)| {
            let response = Response::builder().status(*status);
            let response = wait.iter().fold(response, |response, wait| response.header("retry-after", *wait));
            Answer::ok(response.body(Full::new(bytes::Bytes::from_static(body.as_bytes()))).unwrap())
        })
        .collect();
    recorded_in(async {
        let route: Route = "GET /v1/x".parse().unwrap();
        let limit = Limit::new(route, NonZeroU32::MIN, Duration::from_secs(10));
        let layer = RedressLayer::new(dialects::maleslab())
            .credentials(Issuer, "https://api.example".parse().unwrap())
            .deadline(Duration::from_secs(60))
            .pace(|pace| pace.limit(limit));
        let api = layer.layer(StrictMock::scripted(answers).allow_abandoned());
        for gap in calls {
            tokio::time::sleep(Duration::from_secs(*gap)).await;
            let request = Request::get("https://api.example/v1/x").body(String::new()).unwrap();
            let _ = api.clone().oneshot(request).await;
        }
    })
}

/// Records what a stack does that hedges: of its slow calls, one is answered by its hedge, one by its first attempt, the hedge of
/// one fails, and one is dropped with its hedge in flight.
fn recorded_hedges() -> BTreeMap<String, DebugValue> {
    recorded_in(async {
        let answer = |status: u16, millis: u64| {
            let response = Response::builder().status(status).body(Full::new(bytes::Bytes::new())).unwrap();
            Answer::ok(response).after(Duration::from_millis(millis))
        };
        let usual = || (0..80).map(|_| answer(200, 100));
        let mut answers: Vec<_> = usual().chain([answer(200, 9_000), answer(200, 50)]).collect();
        answers.extend([answer(200, 200), answer(200, 9_000)]);
        answers.extend(usual().chain([answer(200, 200), answer(500, 50)]));
        answers.extend(usual().chain([answer(200, 9_000), answer(200, 9_000)]));
        let layer = RedressLayer::new(dialects::generic()).backoff(redress::BackoffLayer::hedge);
        let api = layer.layer(StrictMock::scripted(answers));
        let call = || api.clone().oneshot(Request::get("https://api.example/v1/x").body(String::new()).unwrap());
        for _ in 0..243 {
            assert_eq!(call().await.unwrap().status(), 200);
        }
        assert!(tokio::time::timeout(Duration::from_secs(1), call()).await.is_err());
    })
}

/// A store that fails while the flag is set.
struct Failing(MemoryStore, Arc<AtomicBool>);

impl Store for Failing {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        if self.1.load(Ordering::Relaxed) { Err("down".into()) } else { self.0.load(key).await }
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        if self.1.load(Ordering::Relaxed) { Err("down".into()) } else { self.0.replace(key, seen, record).await }
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        self.0.changed(key, seen).await;
    }
}

/// Returns what two stacks record that share credentials, a cool-down and a limit by a store, which fails at last.
fn recorded_shared() -> BTreeMap<String, DebugValue> {
    recorded_in(async {
        let is_down = Arc::new(AtomicBool::new(false));
        let store = StoreHandle::new(Failing(MemoryStore::new(), Arc::clone(&is_down)));
        let stack = || {
            let transport = tower::service_fn(|request: Request<String>| async move {
                let status = if request.uri().path() == "/limited" { 429 } else { 200 };
                Response::builder().status(status).header("retry-after", "5").body(String::new())
            });
            let limit = Limit::all_routes(NonZeroU32::new(600).unwrap(), Duration::from_secs(60));
            RedressLayer::new(dialects::generic())
                .credentials(Issuer, "https://api.example".parse().unwrap())
                .deadline(Duration::from_secs(4))
                .pace(|pace| pace.limit(limit))
                .share(store.clone(), "portal/main")
                .layer(transport)
        };
        let (one, other) = (stack(), stack());
        let call = |stack: &Redress<_>, path: &str| {
            let request = Request::get(format!("https://api.example{path}")).body(String::new()).unwrap();
            stack.clone().oneshot(request)
        };
        for stack in [&one, &other] {
            assert_eq!(call(stack, "/").await.unwrap().status(), 200);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(call(&one, "/limited").await.unwrap().status(), 429);
        tokio::time::sleep(Duration::from_secs(6)).await;
        is_down.store(true, Ordering::Relaxed);
        for _ in 0..20 {
            let _ = call(&one, "/").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
}

/// Runs this and returns what was recorded.
fn recorded_in(work: impl Future<Output = ()>) -> BTreeMap<String, DebugValue> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        redress::describe_metrics();
        runtime.block_on(work);
    });
    let entries = snapshotter.snapshot().into_vec().into_iter().map(|(key, unit, _, value)| {
        assert!(unit.is_some(), "{key:?} is not described");
        let labels: Vec<_> = key.key().labels().map(|label| format!(" {}={}", label.key(), label.value())).collect();
        (key.key().name().to_owned() + &labels.concat(), value)
    });
    entries.collect()
}

fn name(entry: &str) -> &str {
    entry.split(' ').next().unwrap()
}

#[test]
fn a_stack_records_the_documented_metrics_and_no_others() {
    let throttled = r#"{"success":false,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow down"}}"#;
    let expired = r#"{"success":false,"error":{"code":"TOKEN_EXPIRED","message":"expired"}}"#;
    let spent = r#"{"success":false,"error":{"code":"INSUFFICIENT_CREDITS","message":"top up"}}"#;
    let script = [
        (200, None, r#"{"success":true}"#),
        // Two failures in a row shut the gate of a client with few calls, a probe fails, and the next one is answered.
        (503, None, ""),
        (503, None, ""),
        (503, None, ""),
        (200, None, r#"{"success":true}"#),
        (402, None, spent),
        (429, Some("300"), throttled),
        (401, None, expired),
    ];
    let mut found = recorded(&script, &[0, 0, 20, 20, 20, 400]);
    found.extend(recorded_hedges());
    let shared = recorded_shared();
    let is_of_sharing = |entry: &str| {
        ["store", "adoptions", "shared", "unshared"]
            .iter()
            .any(|word| name(entry).starts_with(&format!("redress_{word}_")))
    };
    found.extend(shared.into_iter().filter(|(entry, _)| is_of_sharing(entry)));
    let mut documented: Vec<_> =
        DOCUMENTED.lines().filter_map(|line| line.strip_prefix("- `redress_")?.split('`').next()).collect();
    documented.sort_unstable();
    let mut names: Vec<_> = found.keys().map(|entry| name(entry).trim_start_matches("redress_")).collect();
    names.dedup();
    assert_eq!(names, documented, "{found:#?}");
    let count = |entry: &str| match found.get(entry) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{entry}: {other:?} in {found:#?}"),
    };
    for (entry, expected) in [
        ("redress_attempts_total dialect=maleslab class=success", 2),
        ("redress_attempts_total dialect=maleslab class=unavailable", 3),
        ("redress_gate_shuts_total dialect=maleslab reason=failures", 1),
        ("redress_probes_total dialect=maleslab outcome=failed", 1),
        ("redress_probes_total dialect=maleslab outcome=answered", 1),
        ("redress_attempts_total dialect=maleslab class=quota_exhausted", 1),
        ("redress_calls_total dialect=maleslab end_reason=success", 2),
        ("redress_calls_total dialect=maleslab end_reason=hint_too_long", 1),
        // The two that were cancelled are not among the attempts.
        ("redress_attempts_total dialect=generic class=success", 243),
        ("redress_attempts_total dialect=generic class=internal", 1),
        ("redress_hedges_total dialect=generic outcome=won", 1),
        ("redress_hedges_total dialect=generic outcome=cancelled", 2),
        ("redress_hedges_total dialect=generic outcome=failed", 1),
        ("redress_alerts_total dialect=maleslab", 1),
        ("redress_pace_rejections_total dialect=maleslab reason=cooldown", 1),
        ("redress_refreshes_total kind=login outcome=success", 1),
        ("redress_adoptions_total record=token", 1),
        ("redress_adoptions_total record=cooldown", 1),
        ("redress_unshared_total record=limit", 1),
        ("redress_refreshes_total kind=refresh outcome=permanent", 1),
    ] {
        assert_eq!(count(entry), expected, "{entry}");
    }
}

#[test]
fn a_dropped_call_is_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let slow = Answer::ok(Response::new(Full::new(bytes::Bytes::new()))).after(Duration::from_secs(60));
            let api = RedressLayer::new(dialects::generic()).layer(StrictMock::scripted([slow]).allow_abandoned());
            let request = Request::post("https://api.example/v1/x").body(String::new()).unwrap();
            assert!(tokio::time::timeout(Duration::from_secs(1), api.oneshot(request)).await.is_err());
        });
    });
    let calls =
        snapshotter.snapshot().into_vec().into_iter().filter(|(key, ..)| key.key().name() == "redress_calls_total");
    let calls: Vec<_> = calls
        .map(|(key, _, _, value)| (key.key().labels().map(|label| label.value().to_owned()).collect::<Vec<_>>(), value))
        .collect();
    let expected = vec!["generic".to_owned(), "dropped".to_owned()];
    assert_eq!(calls, [(expected, DebugValue::Counter(1))]);
}
