//! Limits: processes that want more than a published limit, some of which are killed or stopped, and whose store fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redress::{BoxError, Dialect};
use redress_sandbox::{LogEntry, Sandbox};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Arguments;
use crate::faults::{self, Fault, Faults};
use crate::figures::{Arrival, Figures};
use crate::process::{Process, Totals};
use crate::server::Server;
use crate::worker::{Job, wall_ms};

/// The requests in each second that the API allows for each process.
const RATE: u64 = 100;
/// The time between two calls of a process, in milliseconds: it wants more than its share.
const INTERVAL_MS: u64 = 8;

/// The events of the second interval, an equal time apart.
const EVENTS: [Event; 6] = [
    Event::Kill,
    Event::Fault(Fault::StoreAnswers),
    Event::Fault(Fault::Stops),
    Event::Fault(Fault::Restarts),
    Event::Kill,
    Event::Fault(Fault::Promotions),
];

/// An outage of a second is a large part of a shorter interval.
const SHORTEST_WITH_OUTAGES: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
enum Event {
    /// A process is killed, and another one started.
    Kill,
    Fault(Fault),
}

/// The processes that share a limit.
struct Fleet {
    job: Job,
    totals: Arc<Totals>,
    processes: Vec<Process>,
    failing: JoinSet<Result<(), BoxError>>,
}

/// Lets the processes call as fast as they may, for two intervals of the limit and a half. The faults happen in the second one.
pub(crate) async fn run(arguments: &Arguments, server: &Arc<Server>, figures: &mut Figures) -> Result<(), BoxError> {
    let requests = RATE * u64::from(arguments.processes) * arguments.window_s;
    let dialect = format!(
        "name = \"fleet\"\n[[limits]]\nroute = \"* /**\"\nrequests = {requests}\nper_s = {}\n",
        arguments.window_s
    );
    let api = Sandbox::start_dialect(Dialect::from_toml("fleet.toml", &dialect)?).await?;
    let begun = wall_ms();
    let job = Job { dialect: Some(dialect), has_stamps: true, ..Job::new(server.address(), api.url(), 1, INTERVAL_MS) };
    let mut fleet = Fleet { job, totals: Arc::default(), processes: Vec::new(), failing: JoinSet::new() };
    for _ in 0..arguments.processes {
        fleet.start(&mut figures.faults)?;
    }
    let window = Duration::from_secs(arguments.window_s);
    tokio::time::sleep(window).await;
    let start = Instant::now();
    for (number, event) in (1..).zip(EVENTS) {
        fleet.disturb(event, server, window, figures).await?;
        tokio::time::sleep_until(start + window * number / EVENTS.len() as u32).await;
    }
    tokio::time::sleep(window / 2).await;
    while let Some(failed) = fleet.failing.join_next().await {
        failed??;
    }
    for process in fleet.processes {
        process.end().await?;
    }
    let arrivals = api.log().iter().map(|entry| arrival(entry, begun)).collect();
    figures.add_limit(arrivals, requests, window, fleet.totals.store_calls.load(Ordering::Relaxed));
    Ok(())
}

/// Returns when a request arrived and was sent, by the clock of a server that began then.
fn arrival(entry: &LogEntry, begun: u64) -> Arrival {
    let sent = entry.path.rsplit('/').next().and_then(|stamp| stamp.parse::<u64>().ok());
    Arrival { at: entry.t_ms, sent: sent.map_or(entry.t_ms, |sent| sent.saturating_sub(begun)) }
}

impl Fleet {
    fn start(&mut self, faults: &mut Faults) -> Result<(), BoxError> {
        let job = Job { ahead_s: faults::ahead(faults), ..self.job.clone() };
        self.processes.push(Process::start(&job, &self.totals)?);
        Ok(())
    }

    async fn disturb(
        &mut self,
        event: Event,
        server: &Arc<Server>,
        window: Duration,
        figures: &mut Figures,
    ) -> Result<(), BoxError> {
        let is_too_short = window < SHORTEST_WITH_OUTAGES;
        let chosen = fastrand::usize(..self.processes.len());
        match event {
            Event::Kill => {
                self.processes.swap_remove(chosen).kill().await?;
                figures.kills += 1;
                self.start(&mut figures.faults)?;
            }
            Event::Fault(Fault::Restarts | Fault::Promotions) if is_too_short => {}
            Event::Fault(fault) if !figures.faults.add(fault) => {}
            // The longest lease is a twentieth of the interval.
            Event::Fault(Fault::Stops) => drop(self.failing.spawn(self.processes[chosen].pause(window / 10))),
            Event::Fault(fault) => {
                let server = Arc::clone(server);
                self.failing.spawn(async move { server.fail(fault).await });
            }
        }
        Ok(())
    }
}
