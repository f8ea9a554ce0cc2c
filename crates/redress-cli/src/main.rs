//! `redress`: says what an API's responses mean when they are errors, checks dialect files, serves sandboxes.

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
mod lab;
mod lint;
mod output;
mod phrases;
mod progress;
mod show_dialects;
mod summary;
mod table;
mod text;
mod time;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Message(text)) => {
            // If standard error is closed, there is no place left to report to.
            let _ = writeln!(std::io::stderr(), "redress: {}", text::escaped_lines(&text));
            ExitCode::from(failure::CODE)
        }
    }
}

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
        Command::Lab(arguments) => lab::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
