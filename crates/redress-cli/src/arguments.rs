//! The command line, as `clap` derives it from these types.
//!
//! The comment of a field is the help of its option, so it is written for users. Examples and formats follow the options; they
//! are the text files of [`help`](crate::help).

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use http::{Method, StatusCode, Uri};
use redress_sandbox::program::Serve;

use crate::dialects::NameOrFile;
#[cfg(feature = "lab")]
use crate::lab::LabArgs;
#[cfg(feature = "store")]
use crate::store::StoreArgs;
use crate::{help, time};

/// Explains the error responses of HTTP APIs: their class, the way to recover, and the wait.
#[derive(Debug, Parser)]
#[command(name = "redress", version, after_help = help::PROGRAM)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands. The first line of the comment on the arguments of each is its summary in the help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(ExplainArgs),
    Lint(LintArgs),
    Dialects(DialectsArgs),
    Sandbox(SandboxArgs),
    #[cfg(feature = "lab")]
    Lab(LabArgs),
    #[cfg(feature = "store")]
    Store(StoreArgs),
    Completions(CompletionsArgs),
}

/// Explains responses: class, recovery, wait and cool-down, and where in the response each of them stands.
#[derive(Debug, Args)]
#[command(after_help = help::EXPLAIN)]
pub(crate) struct ExplainArgs {
    /// The dialect of the responses: the name of a shipped one, or a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "generic", value_parser = NameOrFile)]
    #[arg(hide_possible_values = true)]
    pub(crate) dialect: String,

    /// The method of the call, if the input does not state it; some dialects depend on it
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: Method,

    /// The path of the call, if the input does not state it
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) path: Uri,

    /// The status of an input without one: a body alone, or headers alone
    #[arg(long, value_name = "CODE", conflicts_with = "jsonl")]
    pub(crate) status: Option<StatusCode>,

    /// Read the input as an event of a stream, of this name; `message` for a line of JSON lines
    #[arg(long, value_name = "NAME", conflicts_with_all = ["jsonl", "status"])]
    pub(crate) event: Option<String>,

    /// Leave out the responses that are not errors
    #[arg(long)]
    pub(crate) errors: bool,

    /// Write one JSON object per response and line, instead of the summary
    #[arg(long)]
    pub(crate) json: bool,

    /// Read one JSON record per line and write one JSON object per record
    #[arg(long)]
    pub(crate) jsonl: bool,

    /// Read bodies N bytes at a time; the output is the same
    #[arg(long, value_name = "N")]
    pub(crate) chunk: Option<NonZeroUsize>,

    /// The time of receipt of a response without `Date`, instead of now: 2026-01-15T12:30:00Z
    #[arg(long, value_name = "RFC3339", value_parser = time::parse)]
    pub(crate) now: Option<SystemTime>,

    /// The file with the responses, in any of the forms below; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// Lists the mistakes in dialect files, each with file, line and key.
#[derive(Debug, Args)]
#[command(after_help = help::LINT)]
pub(crate) struct LintArgs {
    /// The TOML files to check; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

/// Lists the shipped dialects, or shows the codes, statuses, limits and scopes of one.
#[derive(Debug, Args)]
#[command(after_help = help::DIALECTS)]
pub(crate) struct DialectsArgs {
    /// The dialect to show: the name of a shipped one, or a TOML file
    #[arg(value_name = "NAME|FILE", value_parser = NameOrFile, hide_possible_values = true)]
    pub(crate) name: Option<String>,

    /// Write the list of `docs/dialects.md`, in Markdown: signals, codes, hints, credentials, sources
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
