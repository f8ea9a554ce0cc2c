//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use http::{Method, StatusCode, Uri};
use redress_sandbox::program::Serve;

use crate::dialects::NameOrFile;
use crate::lab::LabArgs;
use crate::{help, time};

/// Says what an API's responses mean when they are errors, and what to do about them.
#[derive(Debug, Parser)]
#[command(name = "redress", version, after_help = help::PROGRAM)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(ExplainArgs),
    Lint(LintArgs),
    Dialects(DialectsArgs),
    Sandbox(SandboxArgs),
    Lab(LabArgs),
    Completions(CompletionsArgs),
}

/// Says what a response means: what it is, what to do, when, and where it says so.
#[derive(Debug, Args)]
#[command(after_help = help::EXPLAIN)]
pub(crate) struct ExplainArgs {
    /// The dialect to read with: the name of a shipped one, or a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "generic", value_parser = NameOrFile)]
    #[arg(hide_possible_values = true)]
    pub(crate) dialect: String,

    /// The method of the call, where the input does not tell; some dialects tell calls apart
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: Method,

    /// The path of the call, where the input does not tell
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) path: Uri,

    /// The status of an input that has none: a body alone, or headers alone
    #[arg(long, value_name = "CODE", conflicts_with = "jsonl")]
    pub(crate) status: Option<StatusCode>,

    /// The name of the event that the input is: an event of a stream; `message` for a line of JSON lines
    #[arg(long, value_name = "NAME", conflicts_with_all = ["jsonl", "status"])]
    pub(crate) event: Option<String>,

    /// Leave out the responses that are not errors
    #[arg(long)]
    pub(crate) errors: bool,

    /// Write JSON instead of text for people: one object per response, each in its line
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

    /// What holds the responses, in any form of those below; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// Finds every mistake in dialect files, each with its file, line and key.
#[derive(Debug, Args)]
#[command(after_help = help::LINT)]
pub(crate) struct LintArgs {
    /// The TOML files to check; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

/// Lists the shipped dialects, or shows all that one of them knows.
#[derive(Debug, Args)]
#[command(after_help = help::DIALECTS)]
pub(crate) struct DialectsArgs {
    /// The dialect to show: the name of a shipped one, or a TOML file
    #[arg(value_name = "NAME|FILE", value_parser = NameOrFile, hide_possible_values = true)]
    pub(crate) name: Option<String>,

    /// Write the table of `docs/dialects.md`, in Markdown: what signals, where the code is, hints, credentials, sources
    #[arg(long, conflicts_with = "name")]
    pub(crate) table: bool,
}

/// Serves a loopback sandbox that fails on demand: of an identity-verification vendor, or of any dialect.
#[derive(Debug, Args)]
#[command(after_help = help::SANDBOX)]
pub(crate) struct SandboxArgs {
    /// Answer in the form of this dialect instead of a vendor's: the name of a shipped one, or a TOML file
    #[arg(long, value_name = "NAME|FILE", value_parser = NameOrFile, conflicts_with = "vendor")]
    #[arg(hide_possible_values = true)]
    pub(crate) dialect: Option<String>,

    #[command(flatten)]
    pub(crate) serve: Serve,
}

/// Writes a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = help::COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_default_dialect_is_generic() {
        let arguments = Cli::parse_from(["redress", "explain"]);
        let Command::Explain(explain) = arguments.command else { panic!("{arguments:?}") };
        assert_eq!((explain.dialect.as_str(), explain.file), ("generic", PathBuf::from("-")));
    }
}
