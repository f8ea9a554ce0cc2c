//! The judgement of one policy: `--undominated` and `--goals`, with the list of exceptions.
//!
//! ```text
//! $ redress lab run --all --clients 1,100 --seeds 5 --undominated redress --goals redress
//! ```
//!
//! A shortfall without an exception fails the run; one that is not needed any more is a note.

use std::fs;
use std::path::Path;

use redress_lab::Comparison;
use redress_lab::compare::{Exceptions, Goal, GoalRow, Judgement, Shortfall, ShortfallKind};

use crate::failure::Failure;
use crate::output::{LABEL, styled};
use crate::table::Table;

/// Reads the list of exceptions: that of the lab, or a file.
pub(super) fn exceptions(file: Option<&Path>) -> Result<Exceptions, Failure> {
    let Some(file) = file else { return Ok(Exceptions::shipped()) };
    let refused = |problem: &dyn std::fmt::Display| Failure::Message(format!("{}: {problem}", file.display()));
    fs::read_to_string(file).map_err(|error| refused(&error))?.parse().map_err(|error: String| refused(&error))
}

/// Judges where a policy is dominated.
pub(super) fn dominated(comparisons: &[Comparison], policy: &str, exceptions: &Exceptions) -> Judgement {
    let found: Vec<_> = comparisons.iter().flat_map(|it| it.dominations(policy)).collect();
    judge(comparisons, policy, exceptions, &found, |kind| matches!(kind, ShortfallKind::DominatedBy(..)))
}

/// Judges which goals a policy misses.
pub(super) fn missed(comparisons: &[Comparison], policy: &str, exceptions: &Exceptions) -> Judgement {
    let found: Vec<_> = comparisons.iter().flat_map(|it| it.missed_goals(policy)).collect();
    judge(comparisons, policy, exceptions, &found, |kind| matches!(kind, ShortfallKind::Goal(_)))
}

/// Compares what was found with the list. An entry could have been needed if its scenario was run with its number of
/// processes, and with the policy that it names.
fn judge(
    comparisons: &[Comparison],
    policy: &str,
    exceptions: &Exceptions,
    found: &[Shortfall],
    is_asked: impl Fn(&ShortfallKind) -> bool,
) -> Judgement {
    let has = |comparison: &Comparison, kind: &ShortfallKind| match kind {
        ShortfallKind::DominatedBy(other, _) => comparison.policies.iter().any(|it| it.name == *other),
        ShortfallKind::Goal(_) => true,
    };
    exceptions.judge(policy, found, |scenario, clients, kind| {
        let is_it = |it: &&Comparison| it.scenario.name == scenario && it.scenario.clients.clients.get() == clients;
        is_asked(kind) && comparisons.iter().find(is_it).is_some_and(|it| has(it, kind))
    })
}

/// Writes a row for each scenario: the figures of a policy, those that its goals compare them with, and the goals that it
/// misses.
pub(super) fn table(comparisons: &[Comparison], policy: &str) -> String {
    let columns = ["scenario", "clients", "goodput", "best", "of", "work", "least", "recovery s", "of none", "early"];
    let mut table = Table::new(&[columns.as_slice(), &["missed"]].concat());
    for row in comparisons.iter().filter_map(|comparison| comparison.goals(policy)) {
        table.push(&cells(&row).each_ref().map(String::as_str));
    }
    format!("{}\n{}", styled(LABEL, &format!("goals of {policy}")), table.render("  "))
}

fn cells(row: &GoalRow) -> [String; 11] {
    let GoalRow { summary, best, none, .. } = row;
    let missed = Goal::ALL.into_iter().filter_map(|goal| {
        let by = row.miss(goal)?;
        Some(format!("{} by {by:.1} {}", goal.name(), goal.unit()))
    });
    [
        row.scenario.clone(),
        row.clients.to_string(),
        format!("{:.2} %", summary.goodput()),
        format!("{:.2} %", best.goodput()),
        best.policy.clone(),
        format!("{:.3}", summary.work / summary.calls.max(1.0)),
        format!("{:.3}", row.least_work / summary.calls.max(1.0)),
        format!("{:.1}", summary.recovery_s),
        none.as_ref().map(|none| format!("{:.1}", none.recovery_s)).unwrap_or_default(),
        summary.early_retries.to_string(),
        missed.collect::<Vec<_>>().join(", "),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

    use redress_lab::outcome::RecoveryTime;
    use redress_lab::{Scenario, policies};

    use super::*;

    /// Compares all policies in a scenario in which retries help, and makes the figures of redress those of no retries.
    fn comparisons() -> Vec<Comparison> {
        let text = "name = 't'\nlength = '20s'\nclients = { rate = 20.0, deadline = '5s' }\n\
            server = { kind = 'fifo', rate = 100.0 }\n\
            fault = [{ kind = 'answer', from = '5s', for = '5s', share = 0.1 }]";
        let scenario: Scenario = text.parse().unwrap();
        vec![Comparison::run(&scenario, &policies::standard(), &[1, 2], |_| {})]
    }

    #[test]
    fn a_shortfall_needs_an_entry_that_says_as_much() {
        let mut comparisons = comparisons();
        let list = |entries: &str| format!("exception = [{entries}]").parse::<Exceptions>().unwrap();
        let empty = list("");
        assert_eq!(dominated(&comparisons, "redress", &empty), Judgement::default(), "it serves most");
        assert_eq!(missed(&comparisons, "redress", &empty), Judgement::default());

        let at = comparisons[0].policies.iter().position(|it| it.name == "redress").unwrap();
        for outcome in comparisons[0].outcomes.iter_mut().skip(2 * at).take(2) {
            (outcome.served, outcome.attempts) = (outcome.calls / 2, 3 * outcome.calls);
            (outcome.p99_all_ms, outcome.p99_all_range_ms) = (9_000.0, [9_000.0; 2]);
            outcome.recovery = RecoveryTime::Never;
        }
        let by_none = dominated(&comparisons, "redress", &empty).failures;
        assert!(
            by_none
                .iter()
                .any(|it| it.starts_with("redress is dominated by none in t, clients 1: goodput is worse by "))
        );
        let goals = missed(&comparisons, "redress", &empty).failures;
        assert!(goals[0].starts_with("redress misses the goal goodput in t, clients 1, by "), "{goals:?}");
        let entry = |far: f64| {
            list(&format!("{{ policy = 'redress', scenario = 't', goal = 'goodput', far = {far}, reason = 'r' }}"))
        };
        let failures = |far| missed(&comparisons, "redress", &entry(far)).failures.len();
        assert_eq!([failures(60.0) + 1, failures(10.0)], [goals.len(); 2]);
    }

    #[test]
    fn an_entry_of_a_scenario_that_was_not_run_is_no_note() {
        let list = |scenario: &str, by: &str| {
            let entry = format!(
                "{{ policy = 'redress', scenario = '{scenario}', dominated_by = '{by}', figure = 'p99', far = 9.0, reason = 'r' }}"
            );
            format!("exception = [{entry}]").parse::<Exceptions>().unwrap()
        };
        let comparisons = comparisons();
        let notes = |scenario, by| dominated(&comparisons, "redress", &list(scenario, by)).notes.len();
        assert_eq!([notes("t", "none"), notes("other", "none"), notes("t", "not run")], [1, 0, 0]);
        assert_eq!(missed(&comparisons, "redress", &list("t", "none")).notes.len(), 0, "it is of another kind");
    }

    #[test]
    fn the_table_has_a_row_for_each_scenario() {
        let text = anstream::adapter::strip_str(&table(&comparisons(), "redress")).to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("goals of redress\n  scenario  clients  goodput"), "{text}");
    }
}
