//! The results of comparisons as tables, JSON lines and CSV, and the reasons to fail.
//!
//! A run fails if its result is not a comparison (a policy that is declared to retry never did), if a promise is broken (a
//! call that never ended), or if the policy of `--undominated` or `--goals` falls short ([`goals`](super::goals)).
//!
//! The forms have the same rows and figures:
//!
//! | option | form | for |
//! |---|---|---|
//! | none | a table for each scenario | people |
//! | `--json` | a line of JSON for each row | `jq`, tests |
//! | `--csv` | comma-separated values with a head | spreadsheets |

use redress_lab::Comparison;
use redress_lab::compare::{Summary, SummaryRow};

use crate::output::{LABEL, styled};
use crate::table::Table;

/// Writes the table of a scenario, without the settings of the policies.
pub(crate) fn table(comparison: &Comparison) -> String {
    let scenario = &comparison.scenario;
    let mut table = Table::new(&SummaryRow::COLUMNS);
    for row in comparison.rows() {
        table.push(&row.cells().each_ref().map(String::as_str));
    }
    format!("{}  {}\n{}\n", styled(LABEL, &scenario.label()), scenario.about, table.render("  "))
}

/// Writes a line of JSON for each policy in a scenario.
pub(crate) fn json(comparison: &Comparison) -> String {
    let rows = comparison.rows().into_iter();
    rows.map(|row| serde_json::to_string(&row).expect("names and numbers are JSON") + "\n").collect()
}

/// Writes the same rows as comma-separated values (RFC 4180), without the [head](CSV_HEAD).
pub(crate) fn csv(comparison: &Comparison) -> String {
    comparison.rows().iter().map(values).collect()
}

/// The names of the comma-separated values.
pub(crate) const CSV_HEAD: &str = "scenario,policy,clients,seeds,calls,served,refused,lost,attempts,attempts_per_call,refused_connections,\
    probes,work,peak_second,p50_ms,p99_ms,p99_all_ms,recovery_s,never_recovered,early_retries,unsafe_resends,done_twice,dominated_by\n";

/// Returns what makes a comparison worthless, or breaks a promise.
///
/// Each mistake is one line; the program prints them on standard error and ends with 1.
pub(crate) fn mistakes(comparisons: &[Comparison]) -> Vec<String> {
    let mut mistakes: Vec<String> = idle(comparisons, true);
    for comparison in comparisons {
        let name = comparison.scenario.label();
        for outcome in comparison.outcomes.iter().filter(|outcome| outcome.unfinished > 0) {
            let (policy, seed) = (&outcome.policy, outcome.seed);
            mistakes.push(format!("{name}: {} calls of {policy} never ended, seed {seed}", outcome.unfinished));
        }
    }
    mistakes
}

/// Returns the policies that never retried because they had nothing to retry, each as a line. It is not a mistake of the
/// policy, but its rows tell nothing of its retries.
pub(crate) fn notes(comparisons: &[Comparison]) -> Vec<String> {
    idle(comparisons, false)
}

/// The number of failed attempts that any rule repeats, from which on a policy that never retried did not do its part. Fewer
/// may each have met an empty budget, or have been held back.
const CHANCES: u64 = 10;

/// Finds policies that are declared to retry and never did, either those that had a chance or those that had none.
///
/// A chance is a failed attempt that any rule of retries repeats ([`chances`](redress_lab::Outcome::chances)). A policy
/// without one is named only if others retried: then it may have a stricter rule.
fn idle(comparisons: &[Comparison], had_chances: bool) -> Vec<String> {
    let Some(policies) = comparisons.first().map(|comparison| &comparison.policies) else { return Vec::new() };
    let retried = |nth| comparisons.iter().any(|comparison| comparison.retried(nth));
    let chances = |nth| -> u64 {
        let outcomes = comparisons.iter().flat_map(|comparison| comparison.outcomes(nth));
        outcomes.map(|outcome| outcome.chances).sum()
    };
    let has_others = (0..policies.len()).any(retried);
    let idle = policies.iter().enumerate().filter(|(nth, policy)| policy.retries && !retried(*nth));
    let told = idle.filter_map(|(nth, policy)| match (chances(nth), had_chances) {
        (CHANCES.., true) => Some(format!("{} is declared to retry, and never did", policy.name)),
        (..CHANCES, false) if has_others => Some(format!("{} had nothing to retry by its rule", policy.name)),
        _ => None,
    });
    told.collect()
}

/// Writes the settings of each policy, so that a table can be read without its command line.
pub(crate) fn settings(comparisons: &[Comparison]) -> String {
    let mut table = Table::new(&["policy", "settings"]);
    for policy in comparisons.first().map(|comparison| comparison.policies.as_slice()).unwrap_or_default() {
        table.push(&[&policy.name, &policy.about]);
    }
    table.render("")
}

/// Writes one row of values, in the order of the head.
///
/// Numbers are written with a point and without grouping, whatever the locale.
fn values(row: &SummaryRow) -> String {
    let Summary { calls, served, refused, lost, attempts, peak_second, p50_ms, p99_ms, .. } = row.summary;
    let Summary { recovery_s, never_recovered, early_retries, done_twice, .. } = row.summary;
    let Summary { refused_connections, probes, work, p99_all_ms, unsafe_resends, .. } = row.summary;
    let (scenario, policy) = (quoted(&row.scenario), quoted(&row.summary.policy));
    let better = quoted(&row.dominated_by.join(" "));
    format!(
        "{scenario},{policy},{},{},{calls},{served},{refused},{lost},{attempts},{},{refused_connections},\
         {probes},{work},{peak_second},{p50_ms},{p99_ms},{p99_all_ms},{recovery_s},{never_recovered},{early_retries},{unsafe_resends},{done_twice},{better}\n",
        row.clients, row.seeds, row.attempts_per_call
    )
}

/// Quotes a value that has a comma, a quote or a line end (RFC 4180 section 2).
fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

    use redress_lab::{Scenario, policies};

    use super::*;

    fn comparison(fault: &str) -> Comparison {
        let text = format!(
            "name = 'one, two'\nlength = '20s'\nclients = {{ rate = 20.0, deadline = '20s' }}\n\
             server = {{ kind = 'fifo', rate = 100.0 }}\n{fault}"
        );
        let scenario: Scenario = text.parse().unwrap();
        Comparison::run(&scenario, &policies::standard(), &[1, 2], |_| {})
    }

    #[test]
    fn every_row_has_as_many_values_as_the_head_and_the_same_figures_as_the_json() {
        let comparison = comparison("fault = [{ kind = 'answer', from = '5s', for = '5s', share = 0.5 }]");
        let (csv, json) = (csv(&comparison), json(&comparison));
        assert_eq!(csv.lines().count(), comparison.policies.len());
        for (line, json) in csv.lines().zip(json.lines()) {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            let rest = line.strip_prefix("\"one, two\",").unwrap();
            assert_eq!(rest.split(',').count() + 1, CSV_HEAD.split(',').count(), "{line}");
            assert!(rest.contains(&format!(",{},", value["attempts"].as_f64().unwrap())), "{line} {json}");
            assert_eq!(value["early_retries"], 0);
        }
        assert!(mistakes(&[comparison]).is_empty());
    }

    #[test]
    fn a_policy_that_never_retries_and_had_a_chance_is_a_mistake() {
        let mut quiet = comparison("");
        assert!(mistakes(std::slice::from_ref(&quiet)).is_empty(), "there was nothing to retry");
        quiet.policies[0].retries = true;
        let busy = comparison("fault = [{ kind = 'answer', from = '1s', for = '15s', share = 0.5 }]");
        let mut both = [quiet, busy];
        assert_eq!(mistakes(&both), ["none is declared to retry, and never did"]);
        assert!(notes(&both).is_empty());
        both[1].outcomes[0].unfinished = 3;
        assert_eq!(mistakes(&both)[1], "one, two: 3 calls of none never ended, seed 1");
    }

    #[test]
    fn a_policy_that_had_nothing_to_retry_is_a_note() {
        let post = "clients = { rate = 20.0, deadline = '20s', post = 1.0 }";
        let get = "clients = { rate = 20.0, deadline = '20s' }";
        let scenario = |clients: &str, fault: &str| {
            let text = format!(
                "name = 't'\nlength = '20s'\n{clients}\nserver = {{ kind = 'fifo', rate = 100.0 }}\nfault = [{fault}]"
            );
            let comparison = Comparison::run(&text.parse().unwrap(), &policies::standard(), &[1], |_| {});
            assert!(comparison.policies.iter().any(|it| it.name == "redress"));
            (mistakes(std::slice::from_ref(&comparison)), notes(&[comparison]))
        };
        let redress = "redress had nothing to retry by its rule".to_owned();
        for (clients, fault) in [
            // Whether the POST was processed is not known.
            (post, "{ kind = 'answer', from = '5s', for = '10s', answer = { status = 500 } }"),
            // The hint lies beyond the deadline.
            (get, "{ kind = 'answer', from = '5s', for = '10s', answer = { status = 503, retry_after = '60s' } }"),
        ] {
            let (mistakes, notes) = scenario(clients, fault);
            assert!(mistakes.is_empty(), "{fault}: {mistakes:?}");
            assert!(notes.contains(&redress) || notes.is_empty(), "{fault}: {notes:?}");
        }
    }
}
