//! One process of the fleet: it calls the API at a steady rate until its input is closed.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use http::Request;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use redress::login::JsonLogin;
use redress::transport::Hyper;
use redress::{BoxError, Class, Clock, Code, Dialect, Redress, RedressLayer, StoreHandle, dialects};
use redress_sandbox::vlens;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tower::util::MapRequest;
use tower::{Layer, ServiceExt};

use crate::backend;
use crate::points::{Point, Watch, WatchedLogin, WatchedStore};

/// The variable that makes this program a process of the fleet.
pub(crate) const VARIABLE: &str = "REDRESS_FLEET_JOB";
/// How long a call to the issuer may take.
pub(crate) const FLIGHT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a process reports.
const REPORT: Duration = Duration::from_millis(50);

type Transport = Hyper<HttpConnector, String>;
/// The transport below the stack, which may write the time of the send into the path.
type Stamping = MapRequest<Transport, fn(Request<String>) -> Request<String>>;

/// The work of one process.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Where the store is.
    pub(crate) store: String,
    /// The URL of the API.
    pub(crate) api: String,
    /// The format of the API in TOML; vlens, with its login, unless there is one.
    pub(crate) dialect: Option<String>,
    /// The number of accounts, each with a key of its own.
    pub(crate) accounts: u32,
    /// The time between two calls of an account, in milliseconds.
    pub(crate) interval_ms: u64,
    pub(crate) grace_ms: u64,
    /// How much the clock of the process is ahead, in seconds.
    pub(crate) ahead_s: i64,
    /// The point of the protocol at which the process ends itself.
    pub(crate) end_at: Option<String>,
    /// Each request says in its path when it was sent.
    pub(crate) has_stamps: bool,
}

impl Job {
    pub(crate) const fn new(store: String, api: String, accounts: u32, interval_ms: u64) -> Self {
        let (dialect, end_at) = (None, None);
        Self { store, api, dialect, accounts, interval_ms, grace_ms: 0, ahead_s: 0, end_at, has_stamps: false }
    }

    pub(crate) fn from_environment() -> Result<Option<Self>, BoxError> {
        std::env::var(VARIABLE).ok().map(|text| Ok(serde_json::from_str(&text)?)).transpose()
    }
}

/// Works until the input is closed.
pub(crate) async fn run(job: Job) -> Result<ExitCode, BoxError> {
    let end_at = job.end_at.as_deref().map(str::parse::<Point>).transpose()?;
    let watch = Arc::new(Watch::new(end_at));
    let store = WatchedStore { store: backend::open(&job.store).await?, watch: Arc::clone(&watch) };
    let store = StoreHandle::new(store);
    let requests = Arc::new(AtomicU64::new(0));
    let mut accounts = JoinSet::new();
    for account in 0..job.accounts {
        let service = stack(&job, &store, &watch, account)?;
        let (job, requests) = (job.clone(), Arc::clone(&requests));
        accounts.spawn(async move { call(&job, service, &requests).await });
    }
    accounts.spawn(report(watch, requests));
    // The parent closes the input, or has ended.
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    Ok(ExitCode::SUCCESS)
}

fn stack(job: &Job, store: &StoreHandle, watch: &Arc<Watch>, account: u32) -> Result<Redress<Stamping>, BoxError> {
    let transport: Transport = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let stamping = |transport| MapRequest::new(transport, if job.has_stamps { stamp } else { |request| request });
    let key = format!("fleet/account-{account}");
    if let Some(toml) = &job.dialect {
        let layer = RedressLayer::new(Dialect::from_toml("fleet.toml", toml)?);
        return Ok(layer.clock(clock(job.ahead_s)).share(store.clone(), &key).layer(stamping(transport)));
    }
    let dialect = dialects::vlens()
        .with_code(Code::new(vlens::ACCESS_TOKEN_EXPIRED.to_string(), Class::TokenExpired))
        .with_code(Code::new(vlens::REFRESH_TOKEN_EXPIRED.to_string(), Class::Unauthenticated));
    let login = JsonLogin::vlens(transport.clone(), &job.api, "sandbox-api-key", "sandbox", "sandbox")?
        .dialect(dialect.clone());
    let login = WatchedLogin { login, lease: FLIGHT_TIMEOUT, watch: Arc::clone(watch) };
    let grace = Duration::from_millis(job.grace_ms);
    Ok(RedressLayer::new(dialect)
        .credentials(login, job.api.parse()?)
        .refresh(|refresh| refresh.flight_timeout(FLIGHT_TIMEOUT).refresh_grace(grace))
        .clock(clock(job.ahead_s))
        .share(store.clone(), &key)
        .deadline(Duration::from_secs(10))
        .layer(stamping(transport)))
}

/// Writes the time at which a request is sent, right after the last check, as the last segment of its path.
fn stamp(mut request: Request<String>) -> Request<String> {
    let stamped = format!("{}/{}", request.uri(), wall_ms());
    if let Ok(uri) = stamped.parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns the time of the machine's clock in milliseconds, which all processes have.
pub(crate) fn wall_ms() -> u64 {
    let since = Clock::system().now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A clock that is ahead of the machine's by this number of seconds, or behind.
fn clock(ahead_s: i64) -> Clock {
    let difference = Duration::from_secs(ahead_s.unsigned_abs());
    Clock::from_fn(move || {
        let now = Clock::system().now();
        if ahead_s < 0 { now - difference } else { now + difference }
    })
}

/// Calls the API for ever.
async fn call(job: &Job, service: Redress<Stamping>, requests: &AtomicU64) -> Result<(), BoxError> {
    let path = if job.dialect.is_some() { "/items" } else { "/api/BusinessRequest/GetBusinessRequestById?id=r1" };
    let mut ticks = tokio::time::interval(Duration::from_millis(job.interval_ms));
    loop {
        ticks.tick().await;
        let request = Request::get(format!("{}{path}", job.api)).body(String::new())?;
        let service = service.clone();
        // A call that waits does not delay the next one.
        let answer = async move { Ok::<_, BoxError>(service.oneshot(request).await?.into_body().collect().await) };
        if job.dialect.is_some() {
            tokio::spawn(answer);
        } else {
            let _ = answer.await;
        }
        requests.fetch_add(1, Ordering::Relaxed);
    }
}

/// Prints requests, calls to the store, stops and timeouts since the last line, for ever.
async fn report(watch: Arc<Watch>, requests: Arc<AtomicU64>) -> Result<(), BoxError> {
    loop {
        tokio::time::sleep(REPORT).await;
        let counts = [&*requests, &watch.store_calls, &watch.stops_in_the_gap, &watch.timeouts];
        let [requests, calls, stops, timeouts] = counts.map(|count| count.swap(0, Ordering::Relaxed));
        println!("{requests} {calls} {stops} {timeouts}");
    }
}
