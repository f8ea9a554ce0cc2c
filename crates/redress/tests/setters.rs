//! Settings that cannot vanish: whatever the order of the setters, the stack does the same.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::Full;
use proptest::prelude::*;
use redress::{
    BackoffLayer, ClassifyLayer, Jitter, Origin, PaceLayer, RedressLayer, RefreshLayer, ResponseExt, StaticHeaders,
    dialects,
};
use redress_sandbox::strict_mock::BoxError;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

/// One setter, with its value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Setter {
    Credentials,
    Deadline(u64),
    AttemptTimeout,
    Partition,
    /// The layer is replaced by one of another dialect.
    Classify,
    /// Whether the layer is replaced, and its own deadline.
    Backoff(bool, Option<u64>),
    Pace(bool, Option<u64>),
    /// Whether the layer is replaced by one with other credentials, and its own deadline.
    Refresh(bool, Option<u64>),
}

use Setter::{AttemptTimeout, Backoff, Classify, Credentials, Deadline, Pace, Partition, Refresh};

fn keys(value: &str) -> StaticHeaders {
    StaticHeaders::new().header("x-api-key", value).expect("a legal value")
}

fn origin(host: &str) -> Origin {
    format!("https://{host}").parse().expect("an origin")
}

fn tenant(_: &Method, _: &Uri, headers: &HeaderMap) -> Option<String> {
    headers.get("x-tenant")?.to_str().ok().map(str::to_owned)
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn set(layer: RedressLayer, setter: Setter) -> RedressLayer {
    let dialect = dialects::generic();
    match setter {
        Credentials => layer.credentials(keys("outer"), origin("api.example")),
        Deadline(deadline) => layer.deadline(s(deadline)),
        AttemptTimeout => layer.attempt_timeout(s(3)),
        Partition => layer.partition(tenant),
        Classify => layer.classify(|_| ClassifyLayer::new(dialects::vlens())),
        Backoff(is_replaced, own) => layer.backoff(|backoff| {
            let backoff = if is_replaced { BackoffLayer::new(dialect) } else { backoff };
            let backoff = backoff.jitter(Jitter::None).max_attempts(NonZeroU32::MIN.saturating_add(1));
            own.map(|own| backoff.clone().deadline(s(own))).unwrap_or(backoff)
        }),
        Pace(is_replaced, own) => layer.pace(|pace| {
            let pace = if is_replaced { PaceLayer::new(dialect) } else { pace }.random(|| 0);
            own.map(|own| pace.clone().deadline(s(own))).unwrap_or(pace)
        }),
        Refresh(is_replaced, own) => layer.refresh(|refresh| {
            let other = || RefreshLayer::new(keys("other"), origin("other.example"));
            let refresh = if is_replaced { other() } else { refresh }.origin(origin("eu.example"));
            own.map(|own| refresh.clone().deadline(s(own))).unwrap_or(refresh)
        }),
    }
}

/// Requests at the server and results at the callers, with the ms since the start.
type Log = Arc<Mutex<Vec<String>>>;

/// Calls a stack in every way that a setting changes.
async fn behaviour(layer: &RedressLayer) -> Vec<String> {
    let (log, start) = (Log::default(), Instant::now());
    let note = {
        let log = log.clone();
        move |line: String| log.lock().expect("no panic").push(format!("{:>6} {line}", start.elapsed().as_millis()))
    };
    let server = {
        let note = note.clone();
        service_fn(move |request: Request<String>| {
            let key = request.headers().get("x-api-key").map(|key| key.to_str().expect("ASCII").to_owned());
            note(format!("{} {key:?}", request.uri()));
            let path = request.uri().path().to_owned();
            async move {
                let body = if path == "/coded" { r#"{"data":null,"error_code":1050}"# } else { "" };
                let response = match path.as_str() {
                    "/busy" => Response::builder().status(503),
                    "/limited" => Response::builder().status(429).header("retry-after", "9"),
                    "/slow" => {
                        tokio::time::sleep(s(40)).await;
                        Response::builder()
                    }
                    _ => Response::builder(),
                };
                Ok::<_, BoxError>(response.body(Full::<Bytes>::from(body)).expect("legal parts"))
            }
        })
    };
    let stack = layer.layer(server);
    for (tenant, url) in [
        ("a", "https://api.example/ok"),
        ("a", "https://eu.example/ok"),
        ("a", "https://other.example/ok"),
        ("a", "https://api.example/coded"),
        ("a", "https://busy.example/busy"),
        ("a", "https://slow.example/slow"),
        ("a", "https://api.example/limited"),
        ("b", "https://api.example/ok"),
        ("a", "https://api.example/ok"),
    ] {
        let request = Request::get(url).header("x-tenant", tenant).body(String::new()).expect("legal parts");
        let outcome = match stack.clone().oneshot(request).await {
            Ok(response) => {
                let class = response.verdict().map(redress::Verdict::class);
                format!("{} {class:?} {:?}", response.status(), response.record().map(redress::Record::end_reason))
            }
            Err(error) => {
                let kinds = (error.is_deadline(), error.is_paced(), error.phase());
                format!("{kinds:?} {:?}", error.record().map(redress::Record::end_reason))
            }
        };
        note(format!("{tenant} {url}: {outcome}"));
    }
    let mut log = log.lock().expect("no panic").clone();
    log.push(format!("generation {}", layer.tokens().generation()));
    log.push(format!("parked {:?}", layer.gate().cooldown_until(&limited()).map(|until| until - start)));
    log
}

fn limited() -> Request<()> {
    Request::get("https://api.example/limited").header("x-tenant", "a").body(()).expect("legal parts")
}

fn run(setters: &[Setter]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let layer = setters.iter().fold(RedressLayer::new(dialects::generic()), |layer, setter| set(layer, *setter));
        behaviour(&layer).await
    })
}

/// The setters of Backoff and Pace are always there, since they take the chance out of the waits.
fn setters() -> impl Strategy<Value = Vec<Setter>> {
    let own = || prop::option::of(prop::sample::select(vec![2_u64, 6, 12, 100]));
    let layers = (any::<bool>(), own(), any::<bool>(), own()).prop_map(|(replaced, own, pace_replaced, pace_own)| {
        vec![Backoff(replaced, own), Pace(pace_replaced, pace_own)]
    });
    let refresh = prop::option::of((any::<bool>(), own()).prop_map(|(replaced, own)| Refresh(replaced, own)));
    let rest = prop::sample::subsequence(vec![Credentials, Partition, AttemptTimeout, Classify], 0..=4);
    (layers, refresh, own().prop_map(|deadline| deadline.map(Deadline)), rest).prop_map(
        |(mut all, refresh, deadline, rest)| {
            all.extend(refresh.into_iter().chain(deadline).chain(rest));
            all
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_of_setters_gives_the_same_stack(
        (one, other) in setters().prop_flat_map(|all| (Just(all.clone()).prop_shuffle(), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(run(&one), run(&other), "{:?} and {:?}", one, other);
    }
}

/// The lines of a stack's log that contain this.
fn lines(setters: &[Setter], what: &str) -> Vec<String> {
    run(setters).into_iter().filter(|line| line.contains(what)).map(|line| line.trim().to_owned()).collect()
}

const PLAIN: [Setter; 2] = [Backoff(false, None), Pace(false, None)];

#[test]
fn credentials_go_to_the_origins_that_were_set_before_them_and_not_to_those_of_others() {
    let setters = [&PLAIN[..], &[Refresh(false, None), Credentials]].concat();
    assert!(lines(&setters, "eu.example/ok Some")[0].ends_with("Some(\"outer\")"));
    let setters = [&PLAIN[..], &[Credentials, Refresh(true, None)]].concat();
    assert!(lines(&setters, "api.example/ok Some")[0].ends_with("Some(\"outer\")"), "a replaced layer keeps them");
    assert_eq!(lines(&setters, "other.example/ok Some"), [""; 0], "no credential goes to an origin of another one");
    let setters = [&PLAIN[..], &[Refresh(true, None)]].concat();
    assert!(lines(&setters, "other.example/ok Some")[0].ends_with("Some(\"other\")"), "without any it has its own");
}

#[test]
fn the_earlier_of_two_deadlines_counts_also_for_a_layer_that_was_replaced() {
    for (outer, own, expected) in
        [(Some(2), None, 2_000), (Some(12), Some(6), 6_000), (Some(6), Some(12), 6_000), (None, Some(6), 6_000)]
    {
        let setters: Vec<_> = outer.map(Deadline).into_iter().chain([Backoff(true, own), Pace(true, None)]).collect();
        let sent = lines(&setters, "slow.example/slow None");
        let over = lines(&setters, "slow.example/slow:");
        let at = |line: &str| line.split(' ').next().and_then(|at| at.parse::<u64>().ok()).expect("a time");
        assert_eq!(at(&over[0]) - at(&sent[0]), expected, "{outer:?} {own:?}");
    }
}

#[test]
fn a_partition_of_the_whole_stack_keeps_the_cool_down_of_one_tenant_from_the_others() {
    let at = |setters: &[Setter]| {
        let over = lines(setters, "b https://api.example/ok:");
        over[0].split(' ').next().and_then(|at| at.parse::<u64>().ok()).expect("a time")
    };
    let limited = |setters: &[Setter]| {
        let over = lines(setters, "a https://api.example/limited:");
        over[0].split(' ').next().and_then(|at| at.parse::<u64>().ok()).expect("a time")
    };
    let setters = [&PLAIN[..], &[Partition]].concat();
    assert_eq!(at(&setters) - limited(&setters), 0);
    assert!(at(&PLAIN) - limited(&PLAIN) >= 9_000, "without one they wait together");
}

#[test]
fn a_classify_layer_that_was_replaced_reads_in_its_own_dialect() {
    let coded = |setters: &[Setter]| lines(setters, "api.example/coded:")[0].clone();
    assert!(coded(&PLAIN).contains("200 OK None"), "{}", coded(&PLAIN));
    let setters = [&PLAIN[..], &[Classify]].concat();
    assert!(coded(&setters).contains("200 OK Some(Rejected)"), "{}", coded(&setters));
}
