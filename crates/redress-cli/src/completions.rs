//! `redress completions`: prints a script that completes the command line in a shell.
//!
//! The script is generated from the command line itself, so that it knows every option and the names of the shipped dialects.

use std::io::Write as _;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::arguments::{Cli, CompletionsArgs};
use crate::failure::Failure;

/// Writes the script.
pub(crate) fn run(arguments: &CompletionsArgs) -> Result<ExitCode, Failure> {
    // The generator panics when its output fails; a buffer does not.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "redress", &mut script);
    let mut out = std::io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
