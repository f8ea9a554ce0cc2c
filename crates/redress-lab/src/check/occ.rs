//! The AWS simulation of optimistic concurrency control on one row.
//!
//! The model's clock is stretched a hundredfold, so that the resolution of tokio's timers (1 ms) does
//! not matter: a millisecond of the model is 100 ms of the clock. All times scale alike, so the shipped
//! layer behaves as in the article.
//!
//! Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 4 March 2015, with the simulator
//! that the article links. All clients read the version of one row and write the next one. The first write of a
//! version commits, and the others fail and try again. The article counts the writes and measures the time until all
//! clients have succeeded, for five formulas of backoff.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Normal};
use redress::{BackoffLayer, BoxError, Jitter};
use tokio::time::{Instant, sleep};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::backoff_only::{BackoffOnly, schedule};
use super::finding::{Measurement, number};
use super::{Check, Parameter, Trial};
use crate::policies::random;
use crate::streams::Random;
use crate::time;

pub(super) const CALLS: Check = Check {
    id: "aws-occ-calls",
    about: "AWS Architecture Blog, \"Exponential Backoff And Jitter\": 100 clients write one row under an optimistic lock; \
            the number of writes. Runs the shipped BackoffLayer and Jitter; a lost write is a 503.",
    parameters: &[],
    cost: 4.0,
    values: calls,
};

pub(super) const TIME: Check = Check {
    id: "aws-occ-time",
    about: "The same: the time in milliseconds. Runs the policies of aws-occ-calls.",
    parameters: &[],
    cost: 8.0,
    values: times,
};

pub(super) const HALVING: Check = Check {
    id: "aws-occ-halving",
    about: "The same: full jitter needs at most half of the writes of backoff without jitter.",
    parameters: &[],
    cost: 2.0,
    values: halving,
};

pub(super) const SQUARE: Check = Check {
    id: "aws-occ-square",
    about: "The same: without waits the number of writes grows with the square of the number of clients.",
    parameters: &[Parameter { name: "n", about: "number of clients", min: 50.0, max: 190.0, is_integer: true }],
    cost: 1.0,
    values: square,
};

/// The factor between the time of the model and the time of the clock.
const STRETCH: u32 = 100;
/// The base of the article: 5 ms.
const BASE: Duration = Duration::from_millis(5 * STRETCH as u64);
/// The cap of the article: 2 s.
const CAP: Duration = Duration::from_millis(2_000 * STRETCH as u64);

/// The kinds of backoff, in the order of the article, with its published numbers of writes and
/// milliseconds.
const BACKOFFS: [(&str, Option<Jitter>, f64, f64); 5] = [
    ("none", None, 2_431.0, 2_026.0),
    ("exponential", Some(Jitter::None), 1_850.0, 63_722.0),
    ("decorrelated", Some(Jitter::Decorrelated), 1_001.0, 4_556.0),
    ("equal", Some(Jitter::Equal), 814.0, 6_817.0),
    ("full", Some(Jitter::Full), 795.0, 4_894.0),
];

/// Writes and milliseconds until all clients have succeeded.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    calls: f64,
    millis: f64,
}

/// The row with its version, and the network in front of it.
#[derive(Debug)]
struct Row {
    version: u64,
    calls: u64,
    random: Random,
    hop: Normal<f64>,
}

/// Compares the writes with the published numbers. 5 % covers the spread of the mean of 30 runs.
fn calls(trial: &Trial<'_>) -> Vec<Measurement> {
    let all = BACKOFFS.map(|(name, jitter, calls, _)| (name, calls, mean(jitter, 100, RUNS, trial.seed).calls));
    all.map(|(name, expected, measured)| Measurement::near(name, expected, 0.05, measured)).to_vec()
}

/// Compares the times with the published ones, and their order. The time is that of the slowest client and varies
/// more than the number of writes, so that 15 % are allowed.
fn times(trial: &Trial<'_>) -> Vec<Measurement> {
    let all = BACKOFFS.map(|(_, jitter, ..)| mean(jitter, 100, MANY_RUNS, trial.seed).millis);
    let [none, exponential, decorrelated, equal, full] = all;
    let values = BACKOFFS.iter().zip(all);
    let mut values: Vec<_> = values
        .map(|((name, _, _, millis), measured)| Measurement::near(format!("{name}, ms"), *millis, 0.15, measured))
        .collect();
    let holds = exponential > 5.0 * equal && equal > full && full >= decorrelated && decorrelated > none;
    let order = [exponential, equal, full, decorrelated, none].map(number).join(", ");
    values.push(Measurement::new("order", "exponential >> equal > full >= decorrelated > none", order, holds));
    values
}

/// Compares full jitter with backoff without jitter. "At most half" is the claim in the text of the article, beside
/// its table.
fn halving(trial: &Trial<'_>) -> Vec<Measurement> {
    let [exponential, full] =
        [Jitter::None, Jitter::Full].map(|jitter| mean(Some(jitter), 100, RUNS, trial.seed).calls);
    let expected = format!("at most half of exponential's {}", number(exponential));
    vec![Measurement::new("full", expected, number(full), full <= 0.5 * exponential)]
}

/// Divides the writes by the square of the number of clients. Without waits each commit fails the writes that are under way, and
/// there are as many commits as clients.
fn square(trial: &Trial<'_>) -> Vec<Measurement> {
    let clients = trial.values_or("n", &[50.0, 85.0, 120.0, 155.0, 190.0]);
    let at = |clients: f64| {
        // With fewer clients the variance is larger, so more runs are averaged.
        let runs = (2_400.0 / clients) as u32;
        let share = mean(None, clients as u32, runs, trial.seed).calls / (clients * clients);
        Measurement::new(
            format!("N {clients}"),
            "calls / N^2 in 0.22..0.28",
            format!("{share:.4}"),
            (0.22..=0.28).contains(&share),
        )
    };
    clients.into_iter().map(at).collect()
}

/// The number of runs for the mean number of writes.
const RUNS: u32 = 30;
/// The number of runs for the mean time, which varies more.
const MANY_RUNS: u32 = 60;

/// Returns the mean cost over several runs.
fn mean(jitter: Option<Jitter>, clients: u32, runs: u32, seed: u64) -> Cost {
    let mut seeds = Random::seed_from_u64(seed);
    let sum = (0..runs)
        .map(|_| once(jitter, clients, seeds.random()))
        .fold(Cost::default(), |sum, cost| Cost { calls: sum.calls + cost.calls, millis: sum.millis + cost.millis });
    Cost { calls: sum.calls / f64::from(runs), millis: sum.millis / f64::from(runs) }
}

/// Runs the simulation once, on a paused clock of its own. The clients start at the same instant.
fn once(jitter: Option<Jitter>, clients: u32, seed: u64) -> Cost {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing from the system");
    runtime.block_on(async {
        let layer = layer(jitter).random(random(seed));
        let hop = Normal::new(0.010, 0.002).expect("a legal deviation");
        let row = Row { version: 0, calls: 0, random: Random::seed_from_u64(!seed), hop };
        let (row, start) = (Arc::new(Mutex::new(row)), Instant::now());
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let row = Arc::clone(&row);
            let write = service_fn(move |_: Request<Full<Bytes>>| attempt(Arc::clone(&row)));
            all.spawn(layer.layer(write).oneshot(Request::default()));
        }
        while let Some(ended) = all.join_next().await {
            let response = ended.expect("no client panics").expect("the row answers");
            assert_eq!(response.status(), StatusCode::OK, "every client writes in the end");
        }
        let calls = with(&row, |row| row.calls) as f64;
        Cost { calls, millis: start.elapsed().as_secs_f64() * 1_000.0 / f64::from(STRETCH) }
    })
}

/// Returns the shipped layer with one of the article's formulas.
///
/// The article's exponential waits start at twice the base, and the decorrelated ones at the base.
fn layer(jitter: Option<Jitter>) -> BackoffLayer {
    let (schedule, jitter) = match jitter {
        None => (schedule(Duration::ZERO, Duration::ZERO), Jitter::None),
        Some(Jitter::Decorrelated) => (schedule(BASE, CAP), Jitter::Decorrelated),
        Some(jitter) => (schedule(BASE * 2, CAP), jitter),
    };
    BackoffOnly::new("occ", u32::MAX - 1, schedule, jitter).layer
}

/// Reads the version and tries to write the next one, with a network delay before each step.
async fn attempt(row: Arc<Mutex<Row>>) -> Result<Response<Full<Bytes>>, BoxError> {
    sleep(with(&row, Row::hop)).await;
    let version = with(&row, |row| row.version);
    sleep(with(&row, |row| row.hop() + row.hop())).await;
    let is_written = with(&row, |row| row.write(version));
    sleep(with(&row, Row::hop)).await;
    let mut response = Response::new(Full::default());
    if !is_written {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

impl Row {
    /// Draws the delay of one network hop: normal with a mean of 10 ms and a deviation of 2 ms, as in the simulator.
    fn hop(&mut self) -> Duration {
        time::seconds(self.hop.sample(&mut self.random).abs() * f64::from(STRETCH))
    }

    /// Writes the next version; `false` if another client has written since the version was read.
    fn write(&mut self, version: u64) -> bool {
        self.calls += 1;
        let is_written = version == self.version;
        self.version += u64::from(is_written);
        is_written
    }
}

/// Locks the row for the duration of a closure, so that no lock is held across an `await`.
fn with<T>(row: &Mutex<Row>, act: impl FnOnce(&mut Row) -> T) -> T {
    act(&mut row.lock().unwrap_or_else(PoisonError::into_inner))
}
