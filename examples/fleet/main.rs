//! Many processes with one account, killed at every step: one login, and no refresh token that is used twice.
//!
//! ```text
//! cargo run --release --example fleet -- --backend file                              # a table
//! cargo run --release --example fleet -- --backend redis --processes 8 --kills 100 --json   # one line of JSON
//! ```
//!
//! Real processes share their tokens, cool-downs and limits through a store, and call a server that revokes all tokens of a
//! login once a refresh token is used twice. They are killed at named points of the protocol and at random times. `--faults` names
//! what else happens, all of it unless told: processes are stopped, answers of the issuer and of the store are lost, the store
//! is started again, a replica that lagged takes its place, clocks are wrong, messages about changes are cut. The figures are
//! taken from the server's own log. The example starts and stops the program of the store itself, and ends with a failure if
//! a figure is worse than what is promised.

mod backend;
mod cooldowns;
mod faults;
mod figures;
mod limits;
mod points;
mod process;
mod server;
mod tokens;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use redress::BoxError;

use crate::backend::Backend;
use crate::faults::{Fault, Faults};
use crate::figures::Figures;
use crate::server::Server;

/// Shares one account among processes that are killed, and counts by the server's log.
///
/// `tokens_shown_twice`: refresh tokens that were used again, outside the issuer's grace.
/// `unneeded_logins`: logins beyond the first of each account.
/// `spans_over_limit`: intervals of the limit's length with more requests than the limit. A request counts at its arrival, at the
/// latest a fiftieth of that length and 1 s after its send.
/// `spans_of_late_arrivals`: further ones by the arrivals as they were.
/// `late_arrivals`: requests that arrived later than that: a process or the server was stopped, or waited for the processor.
/// `used_share`: the part of the limit that was used while more calls waited.
/// `arrivals_in_cooldown`: requests that arrived in a cool-down, later than the notice after its 429.
/// `store_calls_per_request`: calls to the store by a process at 100 requests a second.
/// `timeouts`: calls to the issuer that were given up after their timeout of at most 1 s, on a machine that is too slow.
/// `stops_in_the_gap`: processes that were stopped between their last check and the end of the issuer's call.
#[derive(Parser)]
#[command(verbatim_doc_comment, args_override_self = true)]
pub(crate) struct Arguments {
    /// The store that the processes share
    #[arg(long, value_enum, default_value_t = Backend::File)]
    backend: Backend,
    /// The number of processes
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    processes: u32,
    /// The number of processes that are killed while they share tokens
    #[arg(long, default_value_t = 50)]
    kills: u32,
    /// The faults beside kills, separated by commas; each has a count in the last line
    #[arg(long, value_enum, value_delimiter = ',', num_args = 0.., default_values_t = Fault::ALL)]
    faults: Vec<Fault>,
    /// The time in which the issuer accepts a used refresh token again, in milliseconds; 0 for none
    #[arg(long, default_value_t = 60_000)]
    grace_ms: u64,
    /// The least time between two kills, in milliseconds: an account whose refreshes are killed for three quarters of the grace logs in
    #[arg(long, default_value_t = 0)]
    kill_every_ms: u64,
    /// The length of the limit's interval, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    window_s: u64,
    /// The number of cool-downs
    #[arg(long, default_value_t = 6)]
    cooldowns: u32,
    /// How long the other processes may take to learn of a cool-down, in milliseconds
    #[arg(long, default_value_t = 50)]
    notice_ms: u64,
    /// The random numbers of the run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) const fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode, BoxError> {
    if let Some(job) = worker::Job::from_environment()? {
        return worker::run(job).await;
    }
    let arguments = Arguments::parse();
    fastrand::seed(arguments.seed);
    let server = Arc::new(Server::start(arguments.backend).await?);
    let mut figures = Figures::new(Faults::new(&arguments.faults, arguments.backend));
    let settling = tokens::run(&arguments, &server, &mut figures).await?;
    // Meanwhile each account finishes its last refresh.
    cooldowns::run(&arguments, &server, &mut figures).await?;
    settling.end(&mut figures).await?;
    limits::run(&arguments, &server, &mut figures).await?;
    if arguments.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        print!("{figures}");
    }
    let broken = figures.broken(&arguments);
    broken.iter().for_each(|promise| eprintln!("broken: {promise}"));
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
