//! `redress lab check`: runs published results on retries again.
//!
//! ```text
//! id      what                      expected  measured  pass
//! herd    calls in the first second ...       ...       ok
//! ```
//!
//! Each check has a source, a set-up and a tolerance in `redress-lab`. Here they are chosen, run on two threads, and printed.
//!
//! Checks are independent, so that a failing one does not stop the others. The order of the output is that of the
//! list, whichever thread is done first.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Args;
use redress_lab::check::{self, Finding, Overrides, Parameter, Trial};

use crate::output::{self, BAD, GOOD};
use crate::{failure::Failure, help, json, progress::Progress, suggest, table::Table};

/// Repeats published results on retries, and reports which of them hold.
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct CheckArgs {
    /// The checks to run; all of them by default
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    /// The seed of all random numbers: another one gives other measured values, which must hold, too
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Move the checks to another point, such as f=.2; only the checks that take every key run
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,

    /// Write a line of JSON for each check: id, expected, measured, pass
    #[arg(long)]
    json: bool,

    /// List the checks with source and set-up, and run none
    #[arg(long, conflicts_with_all = ["json", "set"])]
    list: bool,
}

/// Machines that check this have two cores, and each check runs on one.
const THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Runs the chosen checks; the exit code is 1 if one does not hold.
pub(crate) fn run(arguments: &CheckArgs) -> Result<ExitCode, Failure> {
    let overrides = Overrides::parse(&arguments.set).map_err(|error| Failure::Message(error.to_string()))?;
    let checks = arguments.chosen(&overrides)?;
    if arguments.list {
        output::print(&listed(&checks))?;
        return Ok(ExitCode::SUCCESS);
    }
    let progress = Progress::new("checks");
    let trial = Trial { seed: arguments.seed, overrides: &overrides };
    let findings = check::run(&checks, trial, THREADS, |share| progress.tell(share));
    drop(progress);
    if arguments.json {
        let mut out = std::io::stdout().lock();
        findings.iter().try_for_each(|finding| json::write_line(&mut out, finding))?;
    } else {
        output::print(&shown(&findings, arguments.seed))?;
    }
    Ok(if findings.iter().all(Finding::pass) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl CheckArgs {
    /// Returns the checks that are named, or all, if they know every key that is set.
    fn chosen(&self, overrides: &Overrides) -> Result<Vec<&'static check::Check>, Failure> {
        if let Some(unknown) = self.ids.iter().find(|id| check::all().iter().all(|check| check.id != **id)) {
            let ids: Vec<_> = check::all().iter().map(|check| check.id).collect();
            let nearest = suggest::nearest(unknown, ids.iter().copied()).map(|id| format!("did you mean `{id}`? "));
            let (nearest, ids) = (nearest.unwrap_or_default(), ids.join(", "));
            return Err(Failure::Message(format!("unknown check `{unknown}`, {nearest}expected one of {ids}")));
        }
        let is_named = |check: &&check::Check| self.ids.is_empty() || self.ids.iter().any(|id| id == check.id);
        let named: Vec<_> = check::all().iter().filter(is_named).collect();
        let knowing: Vec<_> = named.iter().copied().filter(|check| check.accepts(overrides)).collect();
        if knowing.is_empty() {
            let parameters: Vec<_> =
                named.iter().map(|check| format!("{}: {}", check.id, names(check.parameters))).collect();
            return Err(Failure::Message(format!(
                "no check takes the keys of --set, expected {}",
                parameters.join(", ")
            )));
        }
        Ok(knowing)
    }
}

/// Writes a row for each value of a check, and the result below them.
///
/// A check may have several values; it holds if all of them do.
fn shown(findings: &[Finding], seed: u64) -> String {
    let mut table = Table::new(&["check", "value", "expected", "measured", "result"]);
    for finding in findings {
        for value in &finding.values {
            let (word, style) = if value.pass { ("ok", GOOD) } else { ("FAIL", BAD) };
            table.push_marked(&[finding.id, &value.name, &value.expected, &value.measured, word], style);
        }
    }
    let failed: Vec<_> = findings.iter().filter(|finding| !finding.pass()).map(|finding| finding.id).collect();
    let (all, held) = (findings.len(), findings.len() - failed.len());
    let failed = if failed.is_empty() { String::new() } else { format!("; failed: {}", failed.join(", ")) };
    format!("{}\n{held} of {all} checks hold with seed {seed}{failed}\n", table.render(""))
}

/// Writes the description of each check: source, set-up and tolerance.
fn listed(checks: &[&check::Check]) -> String {
    let entry = |check: &&check::Check| format!("{}  {}\n", output::styled(output::LABEL, check.id), check.about);
    checks.iter().map(entry).collect::<Vec<_>>().join("\n")
}

/// Lists the keys that a check takes.
fn names(parameters: &[Parameter]) -> String {
    match parameters {
        [] => "nothing".to_owned(),
        some => some.iter().map(|key| key.name).collect::<Vec<_>>().join(", "),
    }
}

/// Adds what each check takes to the examples.
fn help() -> String {
    let mut text = format!("{}\n\nThe keys of --set:\n", help::LAB_CHECK);
    for check in check::all().iter().filter(|check| !check.parameters.is_empty()) {
        for key in check.parameters {
            text.push_str(&format!("  {:<20} {:<8} {}: {}\n", check.id, key.name, key.about, key.range()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use redress_lab::check::Measurement;

    use super::*;

    fn chosen(ids: &[&str], set: &[&str]) -> Result<Vec<&'static str>, Failure> {
        let arguments = CheckArgs {
            ids: ids.iter().map(ToString::to_string).collect(),
            seed: 1,
            set: Vec::new(),
            json: false,
            list: false,
        };
        let checks = arguments.chosen(&Overrides::parse(set).unwrap())?;
        Ok(checks.iter().map(|check| check.id).collect())
    }

    #[test]
    fn only_checks_that_take_the_set_keys_run() {
        assert_eq!(chosen(&[], &[]).unwrap().len(), check::all().len());
        assert_eq!(chosen(&[], &["f=.2", "retries=5"]).unwrap(), ["brooker-closed-form"]);
        assert_eq!(chosen(&["herd"], &[]).unwrap(), ["herd"]);
        for (ids, set) in [(["herd"], &["f=.3"][..]), (["heard"], &[])] {
            let Err(Failure::Message(text)) = chosen(&ids, set) else { panic!("{ids:?} ran") };
            assert!(text.contains("herd"), "{text}");
        }
    }

    #[test]
    fn failed_checks_are_named_below_the_table() {
        let value = |pass| Measurement { name: "x".into(), expected: "1".into(), measured: "2".into(), pass };
        let findings =
            [true, false].map(|pass| Finding { id: if pass { "a" } else { "b" }, values: vec![value(pass)] });
        let text = anstream::adapter::strip_str(&shown(&findings, 7)).to_string();
        let expected = "check  value  expected  measured  result\n\
                        a      x      1         2         ok\n\
                        b      x      1         2         FAIL\n\n\
                        1 of 2 checks hold with seed 7; failed: b\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_help_lists_the_keys_of_each_check() {
        let text = help();
        for check in check::all().iter().filter(|check| !check.parameters.is_empty()) {
            assert!(text.contains(check.id), "{}", check.id);
        }
    }
}
