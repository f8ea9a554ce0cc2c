//! Many callers, one upstream that says `Retry-After: 30`, and how they come back: in virtual time, through the shipped
//! layers.
//!
//! ```text
//! cargo run --release --example herd                                         # a table
//! cargo run --release --example herd -- --callers 10000 --seed 7 --json      # one line of JSON
//! ```
//!
//! All callers share one stack and begin within a second. Calls that are sent before the first refusal comes back are
//! refused themselves, and wait in Backoff; the others are parked by Pace. The model server notes when each of them
//! arrives. The example ends with a failure if one of them comes early, does not come, or if they come all at once.

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use http::{Request, Response};
use redress::{Budget, RedressLayer, dialects};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

/// The wait that the server asks for.
const HINT: Duration = Duration::from_secs(30);
/// How long the server takes for an answer.
const LATENCY: Duration = Duration::from_millis(100);
/// Fewer callers fall unevenly by chance: a peak says something from here on.
const CROWD: usize = 3_000;

/// Shows how a crowd of callers comes back after `Retry-After: 30`.
///
/// `min_ms`: from the server's last refusal to the first call that comes back, in milliseconds.
/// `peak_per_s`: the most calls that come back within any one second.
/// `mean_per_s`: the calls that come back, divided by the seconds from the first to the last of them, one at least.
///
/// Checked for any number of callers: each call comes back and is served, and none sooner than 30 s. From 3000 callers on
/// also: the peak is at most 2.5 times the mean, since the calls of the first moments wait for places and catch up, and the release
/// takes at least 10 s. Fewer fall unevenly by chance.
#[derive(Parser)]
#[command(verbatim_doc_comment)]
struct Arguments {
    /// How many callers there are
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    callers: u32,
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The server's log.
#[derive(Default)]
struct Log {
    first: Option<Instant>,
    last_refusal: Option<Instant>,
    refused: usize,
    returns: Vec<Instant>,
}

#[derive(Serialize)]
struct Figures {
    min_ms: u128,
    peak_per_s: usize,
    mean_per_s: f64,
}

type Shared<T> = Arc<Mutex<T>>;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let log = Shared::<Log>::default();
    let served = runtime.block_on(run(&arguments, &log))?;
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.returns.sort_unstable();
    let (figures, window) = figures(&log).ok_or("nobody came back")?;
    let broken = broken(&arguments, &log, &figures, window, served);
    if arguments.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        print(&arguments, &log, &figures, window);
    }
    broken.iter().for_each(|rule| eprintln!("broken: {rule}"));
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes all calls, and returns how many were served.
async fn run(arguments: &Arguments, log: &Shared<Log>) -> Result<usize, Box<dyn Error>> {
    // Each refused call may come back: one that gives up is not part of the herd.
    let budget = Budget::with_capacity(arguments.callers.saturating_mul(Budget::THROTTLING_COST));
    let seeds = |nth| random(arguments.seed.wrapping_mul(4).wrapping_add(nth));
    let stack = RedressLayer::new(dialects::ranex())
        .backoff(|backoff| backoff.budget(budget).random(seeds(1)))
        .pace(|pace| pace.random(seeds(2)));
    let log = Arc::clone(log);
    let server = service_fn(move |_: Request<String>| answer(Arc::clone(&log)));
    let service = stack.layer(server);
    let start = seeds(3);
    let mut callers = JoinSet::new();
    for _ in 0..arguments.callers {
        let (service, begin) = (service.clone(), Duration::from_secs(1) * (start() >> 16) / (1 << 16));
        let request = Request::get("https://api.ranex.example/v1/applicants/a1").body(String::new())?;
        callers.spawn(async move {
            tokio::time::sleep(begin).await;
            service.oneshot(request).await.is_ok_and(|response| response.status() == 200)
        });
    }
    let mut served = 0;
    while let Some(is_served) = callers.join_next().await {
        served += usize::from(is_served?);
    }
    Ok(served)
}

/// Refuses the calls that arrive before the first refusal is known; serves, and notes, all later ones.
async fn answer(log: Shared<Log>) -> Result<Response<String>, Infallible> {
    let now = Instant::now();
    let is_refused = {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refused = now <= *log.first.get_or_insert(now) + LATENCY;
        if is_refused {
            log.refused += 1;
            log.last_refusal = Some(now + LATENCY);
        } else {
            log.returns.push(now);
        }
        is_refused
    };
    tokio::time::sleep(LATENCY).await;
    let response = Response::builder().status(if is_refused { 429 } else { 200 });
    let response = if is_refused { response.header("retry-after", HINT.as_secs()) } else { response };
    Ok(response.body(String::new()).expect("a status and a header of digits"))
}

fn figures(log: &Log) -> Option<(Figures, Duration)> {
    let returns = &log.returns;
    let (first, last) = (returns.first()?, returns.last()?);
    let window = *last - *first;
    let second = |from: &Instant| returns.partition_point(|at| *at < *from + Duration::from_secs(1));
    let peak_per_s = returns.iter().enumerate().map(|(nth, from)| second(from) - nth).max()?;
    let mean_per_s = returns.len() as f64 / window.as_secs_f64().max(1.0);
    let min_ms = first.saturating_duration_since(log.last_refusal?).as_millis();
    Some((Figures { min_ms, peak_per_s, mean_per_s: (mean_per_s * 10.0).round() / 10.0 }, window))
}

/// Returns the rules that do not hold.
fn broken(arguments: &Arguments, log: &Log, figures: &Figures, window: Duration, served: usize) -> Vec<&'static str> {
    let (callers, is_crowd) = (arguments.callers as usize, arguments.callers as usize >= CROWD);
    [
        (served == callers && log.returns.len() == callers, "each caller comes back once, and is served"),
        (figures.min_ms >= HINT.as_millis(), "nobody comes back before the hint"),
        (!is_crowd || figures.peak_per_s as f64 <= 2.5 * figures.mean_per_s, "the peak is at most 2.5 times the mean"),
        (!is_crowd || window >= Duration::from_secs(10), "the release takes at least 10 s"),
    ]
    .into_iter()
    .filter_map(|(holds, rule)| (!holds).then_some(rule))
    .collect()
}

fn print(arguments: &Arguments, log: &Log, figures: &Figures, window: Duration) {
    println!("callers                    {:>10}", arguments.callers);
    println!("refused at first           {:>10}", log.refused);
    println!("parked unsent              {:>10}", arguments.callers as usize - log.refused);
    println!("first comes back after     {:>10} ms", figures.min_ms);
    println!("the release takes          {:>10} ms", window.as_millis());
    println!("peak                       {:>10} a second", figures.peak_per_s);
    println!("mean                       {:>10.1} a second", figures.mean_per_s);
    println!("peak to mean               {:>10.2}", figures.peak_per_s as f64 / figures.mean_per_s);
}

/// Returns a seeded source of random numbers.
fn random(seed: u64) -> impl Fn() -> u32 + Send + Sync + 'static {
    let source = Mutex::new(fastrand::Rng::with_seed(seed));
    move || source.lock().unwrap_or_else(PoisonError::into_inner).u32(..)
}
