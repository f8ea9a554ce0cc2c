//! Cool-downs: one process gets a 429, and no other one may call before the server said.

use std::sync::Arc;
use std::time::Duration;

use redress::{BoxError, Dialect};
use redress_sandbox::{Fault, LogEntry, Sandbox};

use crate::Arguments;
use crate::backend::Server;
use crate::figures::Figures;
use crate::process::{Process, Totals};
use crate::worker::Job;

/// The format of the API.
const DIALECT: &str = "name = \"fleet\"\n";
/// The number of cool-downs in a run.
const ROUNDS: usize = 5;
/// The wait that the server asks for, in seconds.
const WAIT_S: u64 = 2;

/// Answers a request with a 429 from time to time, and counts those that arrive before its time.
pub(crate) async fn run(arguments: &Arguments, server: &Server, figures: &mut Figures) -> Result<(), BoxError> {
    let api = Sandbox::start_dialect(Dialect::from_toml("fleet.toml", DIALECT)?).await?;
    let job = Job { dialect: Some(DIALECT.to_owned()), ..Job::new(server.address(), api.url(), 1, 20) };
    let totals = Arc::new(Totals::default());
    let processes = (0..arguments.processes).map(|_| Process::start(&job, &totals)).collect::<Result<Vec<_>, _>>()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..ROUNDS {
        api.script("GET /items", [Fault::error(429).retry_after(&WAIT_S.to_string())]);
        tokio::time::sleep(Duration::from_secs(WAIT_S + 2)).await;
    }
    for process in processes {
        process.end().await?;
    }
    figures.arrivals_in_cooldown = arrivals(&api.log(), arguments.notice_ms);
    Ok(())
}

/// Returns the number of requests that arrived before the end of a cool-down, later than the notice after its 429.
fn arrivals(log: &[LogEntry], notice_ms: u64) -> u32 {
    let cooldowns = log.iter().filter(|entry| entry.status == Some(429));
    let early = |start: u64| {
        log.iter().filter(move |entry| (start + notice_ms + 1..start + WAIT_S * 1000).contains(&entry.t_ms))
    };
    cooldowns.map(|entry| u32::try_from(early(entry.t_ms).count()).unwrap_or(u32::MAX)).sum()
}
