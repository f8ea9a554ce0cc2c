//! Serves the metrics of a stack for Prometheus, while it calls an API that has good and bad quarters of an hour, and those of a
//! second stack that hedges, and of two that share a limit as two processes do.
//!
//! ```text
//! cargo run --example prometheus -- 127.0.0.1:9464
//! ```
//!
//! Each line on the standard input is a quarter of an hour, `good` or `bad`; an empty line is a bad one. The calls wait in
//! virtual time only, so that a quarter takes a moment. `scripts/dashboards` runs it under a real Prometheus.

use std::collections::VecDeque;
use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use redress::layers::SendState;
use redress::{BackoffLayer, Budget, Credentials, Deadline, Failure, Limit, RedressLayer, TokenSet, dialects};
use redress::{MemoryStore, Store, StoreHandle};
use redress_opentelemetry::Telemetry;
use redress_store::{NewRecord, Record, Version, Written};
use tokio::time::sleep;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};

/// The buckets of our histograms in seconds: those of the OpenTelemetry convention, and more for waits of minutes. Without
/// buckets the exporter writes quantiles, which cannot be added up over several processes.
const BUCKETS: [f64; 18] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0, 300.0];

type Api = BoxCloneSyncService<Request<String>, Response<redress::Body<String>>, redress::Error>;
type Answer = (u16, Option<&'static str>, &'static str);

const EXPIRED: Answer = (401, None, r#"{"success":false,"error":{"code":"TOKEN_EXPIRED","message":"expired"}}"#);
const NO_CREDITS: Answer =
    (402, None, r#"{"success":false,"error":{"code":"INSUFFICIENT_CREDITS","message":"top up"}}"#);
const LIMITED: Answer =
    (429, Some("30"), r#"{"success":false,"error":{"code":"RATE_LIMIT_EXCEEDED","message":"slow"}}"#);
const NOT_FOUND: Answer = (404, None, r#"{"success":false,"error":{"code":"NOT_FOUND","message":"none"}}"#);
const DOWN: Answer = (503, None, "");
const OK: Answer = (200, None, r#"{"success":true}"#);

/// The API: its next answers, and the one that follows when there are none left.
#[derive(Clone)]
struct Server {
    answers: Arc<Mutex<(VecDeque<Answer>, Answer)>>,
    issuer_is_down: Arc<AtomicBool>,
}

impl Server {
    fn will_answer<const N: usize>(&self, next: [Answer; N], then: Answer) {
        *self.answers.lock().expect("no call panics") = (next.into(), then);
    }

    fn answer(&self) -> Answer {
        let mut answers = self.answers.lock().expect("no call panics");
        answers.0.pop_front().unwrap_or(answers.1)
    }
}

/// An issuer that returns one token after the other, and fails while the flag is set.
struct Issuer(AtomicU32, Arc<AtomicBool>);

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(120)).await;
        if self.1.load(Ordering::Relaxed) {
            return Err(Failure::transient("the issuer is down"));
        }
        Ok(TokenSet::bearer(format!("token-{nth}"))?.refresh_token(format!("refresh-{nth}")))
    }

    async fn refresh(&self, _: &redress::SecretString) -> Result<TokenSet, Failure> {
        self.login().await
    }
}

/// A store that two processes share. It fails while the flag is set.
struct Shared(MemoryStore, Arc<AtomicBool>);

impl Shared {
    fn answers(&self) -> Result<(), BoxError> {
        if self.1.load(Ordering::Relaxed) { Err("the store is down".into()) } else { Ok(()) }
    }
}

impl Store for Shared {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.answers()?;
        self.0.load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.answers()?;
        self.0.replace(key, seen, record).await
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        self.0.changed(key, seen).await;
    }
}

fn main() -> Result<(), BoxError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9464".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    redress::describe_metrics();
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
    let meters = SdkMeterProvider::builder().with_reader(exporter).build();

    let listener = TcpListener::bind(address)?;
    println!("metrics: http://{}/metrics", listener.local_addr()?);
    std::thread::spawn(move || serve(&listener, &recorder, &registry));

    let answers = Arc::new(Mutex::new((VecDeque::new(), OK)));
    let server = Server { answers, issuer_is_down: Arc::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let api = stack(&Telemetry::new().meter_provider(&meters), server.clone())?;
    let hedges_help = Arc::new(AtomicBool::new(true));
    let search = hedged(Arc::clone(&hedges_help));
    let store_is_down = Arc::new(AtomicBool::new(false));
    let store = StoreHandle::new(Shared(MemoryStore::new(), Arc::clone(&store_is_down)));
    let processes = [sharing(&store)?, sharing(&store)?];
    for line in std::io::stdin().lock().lines() {
        let is_good = line?.trim() == "good";
        hedges_help.store(is_good, Ordering::Relaxed);
        let calls = runtime.block_on(async {
            let shared = exchange(&processes, &store_is_down, is_good).await;
            shared
                + searches(&search, 300).await
                + if is_good { good(&api, &server).await } else { bad(&api, &server).await }
        });
        println!("{calls} calls");
    }
    Ok(())
}

fn stack(telemetry: &Telemetry, server: Server) -> Result<Api, BoxError> {
    let answered = Arc::new(AtomicU32::new(0));
    let issuer = Issuer(AtomicU32::new(1), Arc::clone(&server.issuer_is_down));
    let transport = service_fn(move |_: Request<String>| {
        let (status, wait, body) = server.answer();
        let nth = answered.fetch_add(1, Ordering::Relaxed);
        async move {
            let is_slow = status == DOWN.0;
            sleep(Duration::from_millis(40 + u64::from(nth % 10) * 60 + 2000 * u64::from(is_slow))).await;
            let mut response = Response::builder().status(status);
            if let Some(wait) = wait {
                response = response.header("retry-after", wait);
            }
            response.body(body.to_owned())
        }
    });
    let layer = RedressLayer::new(dialects::maleslab())
        .credentials(issuer, "https://api.maleslab.example".parse()?)
        .backoff(|backoff| backoff.budget(Budget::with_capacity(50)));
    Ok(BoxCloneSyncService::new(telemetry.around(layer).layer(transport)))
}

/// A stack that hedges, over a server one in 25 of whose answers is slow. While `hedges_help` is `false`, those to hedges are
/// slower still.
fn hedged(hedges_help: Arc<AtomicBool>) -> Api {
    let answered = Arc::new(AtomicU32::new(0));
    let transport = service_fn(move |request: Request<String>| {
        let is_hedge = SendState::is_hedge(&request);
        let is_slow = !is_hedge && answered.fetch_add(1, Ordering::Relaxed) % 25 == 24;
        let takes = match (is_slow, is_hedge && !hedges_help.load(Ordering::Relaxed)) {
            (_, true) => 5_000,
            (true, _) => 800,
            _ => 40,
        };
        async move {
            sleep(Duration::from_millis(takes)).await;
            Response::builder().body(String::new())
        }
    });
    BoxCloneSyncService::new(RedressLayer::new(dialects::generic()).backoff(BackoffLayer::hedge).layer(transport))
}

/// Calls the server of [`hedged`], 3 s apart.
async fn searches(search: &Api, count: u32) -> u32 {
    for _ in 0..count {
        let request = Request::get("https://search.example/v1/names").body(String::new());
        let answer = search.clone().oneshot(request.expect("the parts are valid")).await;
        assert!(answer.is_ok(), "the server always answers");
        sleep(Duration::from_secs(3)).await;
    }
    count
}

/// A process that shares a limit and its cool-downs.
fn sharing(store: &StoreHandle) -> Result<Api, BoxError> {
    let transport = service_fn(|request: Request<String>| async move {
        let status = if request.uri().path() == "/limited" { 429 } else { 200 };
        Response::builder().status(status).header("retry-after", "5").body(String::new())
    });
    let limit = Limit::all_routes(NonZeroU32::new(600).ok_or("it is not 0")?, Duration::from_secs(60));
    let layer = RedressLayer::new(dialects::generic()).pace(|pace| pace.limit(limit)).share(store.clone(), "example");
    Ok(BoxCloneSyncService::new(layer.layer(transport)))
}

/// Calls through two processes, 3 s apart, over a store that is down for the first half of a bad quarter. Then one of them learns of
/// a cool-down.
async fn exchange(processes: &[Api; 2], store_is_down: &AtomicBool, is_good: bool) -> u32 {
    let call = |nth: usize, path: &str| {
        let request =
            Request::get(format!("https://shared.example{path}")).extension(Deadline::from_now(Duration::from_secs(4)));
        processes[nth % 2].clone().oneshot(request.body(String::new()).expect("the parts are valid"))
    };
    for nth in 0..40 {
        store_is_down.store(!is_good && nth < 20, Ordering::Relaxed);
        let _ = call(nth, "/").await;
        sleep(Duration::from_secs(3)).await;
    }
    let _ = call(0, "/limited").await;
    sleep(Duration::from_secs(20)).await;
    41
}

/// Calls the API, with a deadline in seconds. With 0 there is none.
async fn call(api: &Api, deadline: u64) {
    let mut request = Request::get("https://api.maleslab.example/v1/records?page=1");
    if deadline > 0 {
        request = request.extension(Deadline::from_now(Duration::from_secs(deadline)));
    }
    let result = api.clone().oneshot(request.body(String::new()).expect("the parts are valid")).await;
    if let Err(error) = result {
        eprintln!("{error}");
    }
}

/// Makes calls 20 s apart.
async fn calls(api: &Api, count: u32) -> u32 {
    for _ in 0..count {
        call(api, 60).await;
        sleep(Duration::from_secs(20)).await;
    }
    count
}

async fn good(api: &Api, server: &Server) -> u32 {
    server.will_answer([], OK);
    calls(api, 45).await
}

/// Some failures that another attempt or a refresh repairs, used-up credits, an issuer that is down, a rate limit that other
/// calls wait for, and an outage in which calls wait for its end, and those without a deadline use up the retry budget.
async fn bad(api: &Api, server: &Server) -> u32 {
    let repaired = [DOWN, OK, DOWN, OK, DOWN, OK, DOWN, OK, DOWN, OK, DOWN, OK, EXPIRED, OK];
    server.will_answer(repaired, OK);
    let mut made = calls(api, 15).await;
    server.will_answer([NO_CREDITS, NOT_FOUND], OK);
    made += calls(api, 2).await;
    server.issuer_is_down.store(true, Ordering::Relaxed);
    server.will_answer([EXPIRED], OK);
    made += calls(api, 1).await;
    server.issuer_is_down.store(false, Ordering::Relaxed);
    server.will_answer([LIMITED], OK);
    let late = async |deadline| {
        sleep(Duration::from_secs(2)).await;
        call(api, deadline).await;
    };
    tokio::join!(call(api, 60), late(5), late(60), late(60));
    sleep(Duration::from_secs(20)).await;
    server.will_answer([], DOWN);
    made += 4 + calls(api, 8).await;
    // Calls without a deadline do not wait for the end of an outage.
    for _ in 0..4 {
        call(api, 0).await;
        sleep(Duration::from_secs(20)).await;
    }
    made += 4;
    server.will_answer([], OK);
    made
}

/// Answers each request with all metrics, one after the other.
fn serve(listener: &TcpListener, recorder: &PrometheusHandle, registry: &Registry) {
    for stream in listener.incoming() {
        let sent = stream.and_then(|stream| answer(stream, recorder, registry));
        if let Err(error) = sent {
            eprintln!("not sent: {error}");
        }
    }
}

fn answer(mut stream: TcpStream, recorder: &PrometheusHandle, registry: &Registry) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let convention = TextEncoder::new().encode_to_string(&registry.gather()).map_err(std::io::Error::other)?;
    let body = recorder.render() + &convention;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
