//! `redress lint`: lists the mistakes in dialect files.
//!
//! ```text
//! acme.toml:3: codes.E1.class: expected one of unavailable, internal, rate_limited, ...
//! acme.toml: 1 mistake
//! ```
//!
//! The form `FILE:LINE: KEY: PROBLEM` is that of compilers, which editors and CI systems turn into links.

use std::path::Path;
use std::process::ExitCode;

use redress_envelope::Dialect;

use crate::arguments::LintArgs;
use crate::dialects::{Checks, Loaded, load};
use crate::failure::Failure;
use crate::output::{BAD, GOOD, print, styled};
use crate::text::escaped;

/// The exit code when there are mistakes.
const MISTAKES: u8 = 1;

/// Checks each file; one that cannot be read ends the command.
pub(crate) fn run(arguments: &LintArgs) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.files {
        match load(path, Checks::All)? {
            Loaded::Valid(dialect, warnings) => print(&clean(path, &dialect, &warnings))?,
            Loaded::Invalid(mistakes) => {
                print(&listed(path, &mistakes))?;
                code = ExitCode::from(MISTAKES);
            }
        }
    }
    Ok(code)
}

/// Writes the warnings of a file without mistakes, and how many codes and statuses it has.
fn clean(path: &Path, dialect: &Dialect, warnings: &[String]) -> String {
    let codes = count(dialect.codes().count(), "code");
    let statuses = dialect.statuses().count();
    let plural = if statuses == 1 { "" } else { "es" };
    let verdict = styled(GOOD, "no mistakes");
    let warned = if warnings.is_empty() { String::new() } else { format!("{}, ", count(warnings.len(), "warning")) };
    let mut out: String = warnings.iter().map(|warning| escaped(warning) + "\n").collect();
    let path = escaped(&path.display().to_string());
    out.push_str(&format!("{path}: {verdict}, {warned}{codes}, {statuses} status{plural}\n"));
    out
}

/// Writes the mistakes of a file, and their number.
fn listed(path: &Path, mistakes: &[String]) -> String {
    let mut out: String = mistakes.iter().map(|mistake| escaped(mistake) + "\n").collect();
    let summary = styled(BAD, &count(mistakes.len(), "mistake"));
    out.push_str(&format!("{}: {summary}\n", escaped(&path.display().to_string())));
    out
}

/// Writes a number with its word in the singular or the plural.
fn count(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}
