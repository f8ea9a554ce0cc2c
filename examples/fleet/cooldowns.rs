//! Cool-downs: one process gets a 429, and no other one may call before the server said.

use std::sync::Arc;
use std::time::Duration;

use redress::{BoxError, Dialect};
use redress_sandbox::{LogEntry, Sandbox};

use crate::Arguments;
use crate::faults::Fault;
use crate::figures::Figures;
use crate::process::{Process, Totals};
use crate::server::Server;
use crate::worker::Job;

/// The format of the API.
const DIALECT: &str = "name = \"fleet\"\n";
/// The wait that the server asks for, in seconds.
const WAIT_S: u64 = 2;

/// The time between the end of a cool-down and the next 429.
const BETWEEN: Duration = Duration::from_millis(1500);
/// How much later the others learn of a cool-down by polling.
const POLL_MS: u64 = 250;
/// The time between two cuts: the connections are made again all the time.
const CUT_EVERY: Duration = Duration::from_millis(50);

/// Answers a request with a 429 from time to time, and counts those that arrive before its time. The messages about changes are cut
/// in every other cool-down.
pub(crate) async fn run(arguments: &Arguments, server: &Server, figures: &mut Figures) -> Result<(), BoxError> {
    let api = Sandbox::start_dialect(Dialect::from_toml("fleet.toml", DIALECT)?).await?;
    let job = Job { dialect: Some(DIALECT.to_owned()), ..Job::new(server.address(), api.url(), 1, 20) };
    let totals = Arc::new(Totals::default());
    let processes = (0..arguments.processes).map(|_| Process::start(&job, &totals)).collect::<Result<Vec<_>, _>>()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut is_cut = Vec::new();
    for round in 0..arguments.cooldowns {
        is_cut.push(!round.is_multiple_of(2) && figures.faults.add(Fault::Notices));
        let cuts = async {
            while is_cut.last() == Some(&true) {
                server.fail(Fault::Notices).await?;
                tokio::time::sleep(CUT_EVERY).await;
            }
            std::future::pending::<Result<(), BoxError>>().await
        };
        let cooldown = async {
            tokio::time::sleep(BETWEEN).await;
            api.script("GET /items", [redress_sandbox::Fault::error(429).retry_after(&WAIT_S.to_string())]);
            tokio::time::sleep(Duration::from_secs(WAIT_S)).await;
        };
        tokio::select! {
            failure = cuts => failure?,
            () = cooldown => {}
        }
    }
    for process in processes {
        process.end().await?;
    }
    let log = api.log();
    let starts = log.iter().filter(|entry| entry.status == Some(429)).map(|entry| entry.t_ms);
    let notices = is_cut.iter().map(|is_cut| arguments.notice_ms + if *is_cut { POLL_MS } else { 0 });
    figures.arrivals_in_cooldown = starts.zip(notices).map(|(start, notice)| arrivals(&log, start, notice)).sum();
    Ok(())
}

/// Returns the number of requests that arrived before the end of a cool-down, later than the notice after its 429.
fn arrivals(log: &[LogEntry], start: u64, notice_ms: u64) -> u32 {
    let early = start + notice_ms + 1..start + WAIT_S * 1000;
    let count = log.iter().filter(|entry| early.contains(&entry.t_ms)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
