//! The texts below the options of `--help`: examples, formats, exit codes.
//!
//! Each is a text file beside this one, so that it is written and read as it is printed. The options themselves are documented
//! on the fields of [`arguments`](crate::arguments), from which clap makes the first half of the help.

/// The text of `redress --help`: what the program is for, by examples.
pub(crate) const PROGRAM: &str = include_str!("help/program.txt").trim_ascii_end();
/// The text of `redress explain --help`: the forms of input, the records of `--jsonl`, the members of `--json`.
pub(crate) const EXPLAIN: &str = include_str!("help/explain.txt").trim_ascii_end();
/// The text of `redress lint --help`.
pub(crate) const LINT: &str = include_str!("help/lint.txt").trim_ascii_end();
/// The text of `redress dialects --help`.
pub(crate) const DIALECTS: &str = include_str!("help/dialects.txt").trim_ascii_end();
/// The text of `redress sandbox --help`: the keys of a script.
pub(crate) const SANDBOX: &str = include_str!("help/sandbox.txt").trim_ascii_end();
/// The text of `redress completions --help`: where the shells look for scripts.
pub(crate) const COMPLETIONS: &str = include_str!("help/completions.txt").trim_ascii_end();
/// The text of `redress store --help`: the records, and the members of `--json`.
#[cfg(feature = "store")]
pub(crate) const STORE: &str = include_str!("help/store.txt").trim_ascii_end();
/// The text of `redress lab --help`.
#[cfg(feature = "lab")]
pub(crate) const LAB: &str = include_str!("help/lab.txt").trim_ascii_end();
/// The text of `redress lab run --help`: the keys of a policy file, and the columns of the result.
#[cfg(feature = "lab")]
pub(crate) const LAB_RUN: &str = include_str!("help/lab_run.txt").trim_ascii_end();
/// The text of `redress lab check --help`; the keys that each check takes are appended.
#[cfg(feature = "lab")]
pub(crate) const LAB_CHECK: &str = include_str!("help/lab_check.txt").trim_ascii_end();
/// The text of `redress lab map --help`.
#[cfg(feature = "lab")]
pub(crate) const LAB_MAP: &str = include_str!("help/lab_map.txt").trim_ascii_end();
