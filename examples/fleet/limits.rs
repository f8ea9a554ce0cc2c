//! Limits: processes that want more than a published limit, some of which are killed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redress::{BoxError, Dialect};
use redress_sandbox::Sandbox;

use crate::Arguments;
use crate::backend::Server;
use crate::figures::Figures;
use crate::process::{Process, Totals};
use crate::worker::Job;

/// The requests in each second that the API allows for each process.
const RATE: u64 = 100;
/// The time between two calls of a process, in milliseconds: it wants more than its share.
const INTERVAL_MS: u64 = 8;

/// Lets the processes call as fast as they may, for two intervals of the limit.
pub(crate) async fn run(arguments: &Arguments, server: &Server, figures: &mut Figures) -> Result<(), BoxError> {
    let requests = RATE * u64::from(arguments.processes) * arguments.window_s;
    let dialect = format!(
        "name = \"fleet\"\n[[limits]]\nroute = \"* /**\"\nrequests = {requests}\nper_s = {}\n",
        arguments.window_s
    );
    let api = Sandbox::start_dialect(Dialect::from_toml("fleet.toml", &dialect)?).await?;
    let job = Job { dialect: Some(dialect), ..Job::new(server.address(), api.url(), 1, INTERVAL_MS) };
    let totals = Arc::new(Totals::default());
    let processes = (0..arguments.processes).map(|_| Process::start(&job, &totals)).collect::<Result<Vec<_>, _>>()?;
    let window = Duration::from_secs(arguments.window_s);
    tokio::time::sleep(window * 2).await;
    for process in processes {
        process.end().await?;
    }
    let arrivals: Vec<u64> = api.log().iter().map(|entry| entry.t_ms).collect();
    figures.add_limit(&arrivals, requests, window, totals.store_calls.load(Ordering::Relaxed));
    Ok(())
}
