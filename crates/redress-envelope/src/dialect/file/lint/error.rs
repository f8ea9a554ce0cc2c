//! Error rules that make no response an error.

use super::super::{File, Item};
use super::facts::{Facts, SUCCESS};
use super::shadow::implies;
use super::when::{Of, covers};
use super::{conditions, member, tables};
use crate::dialect::condition::Condition;
use crate::dialect::error_rule::{Clause, ErrorRule, Test};
use crate::dialect::spec::{PathSpec, Spec};
use crate::path::Path;

/// How many pairs of tests of one rule are compared; the rest is believed to
/// hold.
const MAX_PAIRS: usize = 4_096;

pub(super) fn errors<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &Spec, facts: &Facts<'_>) {
    let items = tables(file, item);
    let rules: Vec<_> = items.iter().zip(&spec.errors).collect();
    for (nth, (item, rule)) in rules.iter().enumerate() {
        let of = if rule.may_hold_by_head() || rule.is_of_events() { Of::Head } else { Of::Error };
        conditions(file, item, &rule.when, of, facts);
        beyond_success(file, item, rule);
        if let Some(problem) = contradiction(&rule.clauses) {
            file.never(item, &problem);
        } else if let Some((earlier, _)) = rules[..nth].iter().find(|(_, earlier)| says_as_much(rule, earlier)) {
            file.warn(item, &format!("`{}` holds whenever it does: leave one of them out", earlier.key));
        }
    }
}

/// Warns of statuses beside successes, which need no rule.
fn beyond_success(file: &mut File<'_>, item: &Item<'_>, rule: &ErrorRule<PathSpec>) {
    let Some(at) = member(item, "when").and_then(|when| member(&when, "status")) else { return };
    for condition in &rule.when {
        let Condition::Status(statuses) = condition else { continue };
        let bounds = statuses.bounds();
        let touches = bounds.iter().any(|range| range.start() <= SUCCESS.end() && SUCCESS.start() <= range.end());
        if touches && bounds.iter().any(|range| *range.end() >= 400) {
            file.warn(&at, "a status of 400 or more is an error without a rule: write the successes alone");
        }
    }
}

/// Returns why no member can be all that the clauses want of it.
fn contradiction(clauses: &[Clause<PathSpec>]) -> Option<String> {
    let predicates: usize = clauses.iter().map(|clause| clause.predicates.len()).sum();
    if predicates.saturating_mul(predicates) > MAX_PAIRS {
        return None;
    }
    let by_body =
        |clause: &&Clause<PathSpec>| !clause.negated && !clause.predicates.is_empty() && clause.headers.is_empty();
    clauses.iter().filter(by_body).find_map(|clause| {
        // Each path must fail, since one that holds is enough.
        let mut whys = clause.predicates.iter().map(|predicate| excluded(predicate, clause, clauses));
        whys.try_fold(None, |first: Option<String>, why| why.map(|why| Some(first.unwrap_or(why))))?
    })
}

/// Returns why a member can never be what it must be, beside the other clauses.
fn excluded((wanted, test): &(PathSpec, Test), own: &Clause<PathSpec>, clauses: &[Clause<PathSpec>]) -> Option<String> {
    clauses.iter().filter(|clause| !std::ptr::eq(*clause, own)).find_map(|clause| match &*clause.predicates {
        absent if clause.negated => {
            let absent = absent.iter().find(|(absent, _)| covers(&absent.path, &wanted.path));
            absent.map(|(absent, _)| absence(&absent.path, &wanted.path))
        }
        [(other, against)]
            if clause.headers.is_empty()
                && other == wanted
                && !wanted.path.has_wildcard()
                && exclude(test, against) =>
        {
            Some(format!("`{}` cannot be both: write a rule for each", wanted.path))
        }
        _ => None,
    })
}

fn absence(absent: &Path, wanted: &Path) -> String {
    format!(
        "`unless_not_null` wants nothing at `{absent}`, and `{wanted}` is wanted to be there: leave one of them out"
    )
}

/// Returns `true` if no value passes both tests.
fn exclude(a: &Test, b: &Test) -> bool {
    match (a, b) {
        (Test::IsFalse, Test::IsTrue) | (Test::IsTrue, Test::IsFalse) => true,
        (Test::IsFalse | Test::IsTrue, Test::NotZero | Test::NonEmpty | Test::Outside(_))
        | (Test::NotZero | Test::NonEmpty | Test::Outside(_), Test::IsFalse | Test::IsTrue) => true,
        (Test::IsTrue, Test::Is(values)) | (Test::Is(values), Test::IsTrue) => {
            values.iter().all(|value| value != "true")
        }
        (Test::IsFalse, Test::Is(values)) | (Test::Is(values), Test::IsFalse) => {
            values.iter().all(|value| value != "false")
        }
        (Test::Is(values), Test::NotZero) | (Test::NotZero, Test::Is(values)) => {
            values.iter().all(|value| matches!(value.as_str(), "" | "0"))
        }
        (Test::Is(values), Test::NonEmpty) | (Test::NonEmpty, Test::Is(values)) => values.iter().all(String::is_empty),
        (Test::Is(values), Test::Outside(range)) | (Test::Outside(range), Test::Is(values)) => {
            values.iter().all(|value| value.parse::<f64>().is_err() || range.contains_text(value))
        }
        (Test::Is(values), Test::Is(others)) => !values.iter().any(|value| others.contains(value)),
        _ => false,
    }
}

/// Returns `true` if an earlier rule holds whenever a later one does: each of
/// its clauses is one of the later one's.
fn says_as_much(later: &ErrorRule<PathSpec>, earlier: &ErrorRule<PathSpec>) -> bool {
    let same = |a: &Clause<PathSpec>, b: &Clause<PathSpec>| {
        a.negated == b.negated && a.predicates == b.predicates && a.headers == b.headers
    };
    let clauses = earlier.clauses.iter().all(|clause| later.clauses.iter().any(|other| same(clause, other)));
    clauses && implies(&later.when, &earlier.when)
}
