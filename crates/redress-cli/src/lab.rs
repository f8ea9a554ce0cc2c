//! `redress lab`: compares retry policies in virtual time.
//!
//! The scenarios, the policies and the checks are those of the crate `redress-lab`; this module chooses among them by the
//! command line and prints the results. `docs/scenarios.md` documents the files.
//!
//! | command | does | fails, exit code 1, if |
//! |---|---|---|
//! | `run` | runs policies in scenarios | a call never ends, or `--undominated` or `--goals` does not hold |
//! | `list` | lists both, or prints the file of a scenario | |
//! | `check` | repeats published results | one of them does not hold |
//! | `map` | computes at which loads an outage does not end by itself | |

mod check;
mod goals;
mod list;
mod map;
mod policies;
mod results;
mod run;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::help;

/// Compares retry policies in virtual time, against modelled outages.
#[derive(Debug, Args)]
#[command(after_help = help::LAB)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    command: Command,
}

/// The commands below `lab`.
#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    List(list::ListArgs),
    Check(check::CheckArgs),
    Map(map::MapArgs),
}

/// Runs the command.
pub(crate) fn run(lab: &LabArgs) -> Result<ExitCode, Failure> {
    match &lab.command {
        Command::Run(arguments) => run::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Map(arguments) => map::run(arguments),
    }
}
