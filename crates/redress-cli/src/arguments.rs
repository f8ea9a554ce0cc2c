//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use redress_sandbox::Vendor;

use crate::dialects::NameOrFile;
use crate::{help, time};

/// Says what an API's responses mean when they are errors, and what to do about them.
#[derive(Debug, Parser)]
#[command(name = "redress", version, after_help = help::PROGRAM)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(Explain),
    Lint(Lint),
    Dialects(Dialects),
    Sandbox(Sandbox),
    Completions(Completions),
}

/// Says what a response means: what it is, what to do, when, and where it says so.
#[derive(Debug, Args)]
#[command(after_help = help::EXPLAIN)]
pub(crate) struct Explain {
    /// The dialect to read with: the name of a shipped one, or a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "generic", value_parser = NameOrFile)]
    #[arg(hide_possible_values = true)]
    pub(crate) dialect: String,

    /// Write JSON instead of text for people
    #[arg(long)]
    pub(crate) json: bool,

    /// Read one JSON record per line and write one JSON object per record
    #[arg(long)]
    pub(crate) jsonl: bool,

    /// Read bodies N bytes at a time; the output is the same
    #[arg(long, value_name = "N")]
    pub(crate) chunk: Option<NonZeroUsize>,

    /// The time to count from where a response has no `Date`, instead of now: 2026-01-15T12:30:00Z
    #[arg(long, value_name = "RFC3339", value_parser = time::parse)]
    pub(crate) now: Option<SystemTime>,

    /// A response as `curl -i` prints it, or records with --jsonl; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// Finds every mistake in dialect files, each with its file, line and key.
#[derive(Debug, Args)]
#[command(after_help = help::LINT)]
pub(crate) struct Lint {
    /// The TOML files to check; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

/// Lists the shipped dialects, or shows all that one of them knows.
#[derive(Debug, Args)]
#[command(after_help = help::DIALECTS)]
pub(crate) struct Dialects {
    /// The dialect to show: the name of a shipped one, or a TOML file
    #[arg(value_name = "NAME|FILE", value_parser = NameOrFile, hide_possible_values = true)]
    pub(crate) name: Option<String>,
}

/// Serves a loopback sandbox of an identity-verification vendor that fails on demand.
#[derive(Debug, Args)]
#[command(after_help = help::SANDBOX)]
pub(crate) struct Sandbox {
    /// The vendor to play
    #[arg(value_parser = vendor())]
    pub(crate) vendor: Vendor,

    /// The loopback address to listen on; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// A TOML file of faults
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) script: Option<PathBuf>,

    /// A file to append every request to, as a line of JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) log: Option<PathBuf>,
}

/// Writes a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = help::COMPLETIONS)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Names the vendors, so that the help and the completions list them.
fn vendor() -> impl clap::builder::TypedValueParser<Value = Vendor> {
    let names = PossibleValuesParser::new(Vendor::ALL.map(Vendor::name));
    names.map(|name| name.parse::<Vendor>().expect("one of the names of all vendors"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_default_dialect_is_generic() {
        let arguments = Arguments::parse_from(["redress", "explain"]);
        let Command::Explain(explain) = arguments.command else { panic!("{arguments:?}") };
        assert_eq!((explain.dialect.as_str(), explain.file), ("generic", PathBuf::from("-")));
    }
}
