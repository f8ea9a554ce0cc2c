//! `redress`: says what an API's responses mean when they are errors, checks dialect files, serves sandboxes.

mod answer;
mod arguments;
mod catalogue;
mod completions;
mod dialects;
mod exchange;
mod explain;
mod failure;
mod folder;
mod help;
mod input;
mod json;
mod lab;
mod lint;
mod output;
mod overview;
mod person;
mod progress;
mod stream;
mod table;
mod text;
mod time;
mod words;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use failure::Failure;

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(Failure::Told(text)) => {
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
        Command::Dialects(arguments) => catalogue::run(&arguments),
        Command::Sandbox(arguments) => {
            let served = match arguments.dialect {
                Some(name) => arguments.serve.run_dialect(dialects::find(&name)?),
                None => arguments.serve.run(),
            };
            served.map_err(Failure::Told)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Lab(arguments) => lab::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
