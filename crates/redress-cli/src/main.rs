//! `redress`: explains the error responses of HTTP APIs, checks dialect files, serves sandboxes, compares retry policies.
//!
//! | command | module | does |
//! |---|---|---|
//! | `explain` | `explain`, `json_lines` | reads responses in many forms and prints class, recovery, wait and cool-down |
//! | `lint` | `lint` | lists the mistakes of dialect files |
//! | `dialects` | `show_dialects`, `dialect_table` | lists the shipped dialects, or shows one |
//! | `sandbox` | `redress-sandbox` | serves a loopback server that fails on demand |
//! | `lab` | `lab` | runs retry policies against modelled outages, in virtual time; feature `lab` |
//! | `store` | `store` | shows and removes the records that processes share; features `store`, `redis` and `postgres` |
//! | `completions` | `completions` | prints a completion script |
//!
//! A response passes three steps: [`input`] turns the bytes of a file into [`ParsedResponse`](input::ParsedResponse)s,
//! [`exchange`] judges each of them with the library, and [`summary`] or [`answer`] writes the result for a terminal or as JSON.
//! The program decides nothing about responses itself: each statement is that of a verdict, a hint or a `BackoffLayer`.
//!
//! Exit codes are those of `clap` and `grep`: 0 for success, 1 for mistakes that were found, 2 for wrong usage and files that
//! cannot be read.

mod answer;
mod arguments;
mod completions;
mod cooldown;
mod dialect_table;
mod dialects;
mod exchange;
mod explain;
mod failure;
mod folder;
mod help;
mod input;
mod json;
mod json_lines;
#[cfg(feature = "lab")]
mod lab;
mod lint;
mod output;
mod phrases;
#[cfg(feature = "lab")]
mod progress;
mod show_dialects;
#[cfg(feature = "store")]
mod store;
mod suggest;
mod summary;
mod table;
mod text;
mod time;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Cli, Command};
use failure::Failure;

/// Runs the command; a failure is one line on standard error, and the exit code 2.
fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Message(text)) => {
            // A closed standard error cannot be reported.
            let _ = writeln!(std::io::stderr(), "redress: {}", text::escaped_lines(&text));
            ExitCode::from(failure::CODE)
        }
    }
}

/// Dispatches to the module of the command.
fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Dialects(arguments) => show_dialects::run(&arguments),
        Command::Sandbox(arguments) => {
            let served = match arguments.dialect {
                Some(name) => arguments.serve.run_dialect(dialects::find(&name)?),
                None => arguments.serve.run(),
            };
            served.map_err(Failure::Message)?;
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "lab")]
        Command::Lab(arguments) => lab::run(&arguments),
        #[cfg(feature = "store")]
        Command::Store(arguments) => store::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
