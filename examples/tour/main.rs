//! Every documented failure of the five vendors, over real loopback HTTP, and what the stack makes of it.
//!
//! ```text
//! cargo run --release --example tour             # a table
//! cargo run --release --example tour -- --json   # a line of JSON for each scenario
//! cargo run --release --example tour -- --logs DIR   # the servers' own logs as well, a file for each scenario
//! ```
//!
//! The tour starts a sandbox server for each scenario, runs them side by side, and compares what the caller saw with
//! what the server logged: hits, times, token generations. It ends with a failure if one of them differs.

mod alert;
mod maleslab;
mod ranex;
mod report;
mod stage;
mod table;
mod veridia;
mod verilock;
mod vlens;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use redress::BoxError;
use tokio::task::JoinSet;

use crate::report::Report;

/// Runs the five vendors' documented failures through the stack.
#[derive(Parser)]
struct Arguments {
    /// Print a line of JSON for each scenario
    #[arg(long)]
    json: bool,
    /// Write each server's request log into this folder
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode, BoxError> {
    let arguments = Arguments::parse();
    alert::watch()?;
    if let Some(folder) = &arguments.logs {
        std::fs::create_dir_all(folder)?;
    }
    let reports = run_all().await?;
    if let Some(folder) = &arguments.logs {
        for report in &reports {
            report.write_log(folder)?;
        }
    }
    if arguments.json {
        for report in &reports {
            println!("{}", serde_json::to_string(report)?);
        }
    } else {
        print!("{}", table::render(&reports, io::stdout().is_terminal()));
    }
    let good = reports.iter().filter(|report| report.ok()).count();
    if !arguments.json {
        println!("{good} of {} as documented", reports.len());
    }
    Ok(if good == reports.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the scenarios side by side and returns their reports in the order of the vendors' documents.
async fn run_all() -> Result<Vec<Report>, BoxError> {
    let mut running = JoinSet::new();
    vlens::start(&mut running);
    veridia::start(&mut running);
    ranex::start(&mut running);
    maleslab::start(&mut running);
    verilock::start(&mut running);
    let bar = ProgressBar::new(running.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:34} {pos}/{len} scenarios")?);
    let mut reports = Vec::new();
    while let Some(report) = running.join_next().await {
        reports.push(report??);
        bar.inc(1);
    }
    bar.finish_and_clear();
    reports.sort_by_key(Report::order);
    Ok(reports)
}
