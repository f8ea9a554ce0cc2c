//! The results, as tables in Markdown that fit a phone: at most four columns, and names with blanks, at which they break.

use super::{Bound, Claim, Measure, Outcome};

/// Returns a table with a line per case, grouped by subject: its time and its allocations.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    let header = ["subject", "case", "ns", "allocs"].map(str::to_owned).to_vec();
    let mut last = "";
    let line = |outcome: &Outcome| {
        let subject = if outcome.subject == last { String::new() } else { words(outcome.subject) };
        last = outcome.subject;
        vec![subject, words(outcome.case), nanoseconds(outcome.cost.ns), outcome.cost.allocs.to_string()]
    };
    aligned(&[header].into_iter().chain(outcomes.iter().map(line)).collect::<Vec<_>>())
}

/// Returns a list of each subject.
#[must_use]
pub fn lists(base: &str, outcomes: &[Outcome]) -> String {
    let of = |subject: &'static str| -> Vec<Outcome> {
        outcomes.iter().filter(|outcome| outcome.subject == subject).copied().collect()
    };
    distinct(outcomes, |one| one.subject).into_iter().map(|subject| list(subject, base, &of(subject)) + "\n").collect()
}

/// Returns a table with a line per case: its time, its time over that of `base`, and its allocations.
fn list(title: &str, base: &str, outcomes: &[Outcome]) -> String {
    let header = [title, "ns", &format!("over {base}"), "allocs"].map(str::to_owned).to_vec();
    let line = |outcome: &Outcome| {
        let over = find(outcomes, outcome.subject, base).map(|base| outcome.cost.ns - base.cost.ns);
        vec![
            words(outcome.case),
            nanoseconds(outcome.cost.ns),
            over.map_or_else(String::new, nanoseconds),
            outcome.cost.allocs.to_string(),
        ]
    };
    aligned(&[header].into_iter().chain(outcomes.iter().map(line)).collect::<Vec<_>>())
}

/// Returns a time with four digits or more, in thousands from a million on.
fn nanoseconds(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.1}"),
        ..1e6 => format!("{ns:.0}"),
        _ => format!("{:.0}k", ns / 1e3),
    }
}

/// Returns a name with blanks in the place of its underscores.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Returns a table of what is required and whether it holds; nothing where nothing is required.
#[must_use]
pub fn claims(claims: &[Claim], bounds: &[Bound], outcomes: &[Outcome]) -> String {
    if claims.is_empty() && bounds.is_empty() {
        return String::new();
    }
    let header = ["required", "is", "holds"].map(str::to_owned).to_vec();
    let claims = claims.iter().filter_map(|claim| {
        let relative = |case| find(outcomes, claim.subject, case).map(|outcome| outcome.cost.relative);
        let ratio = format!("{} / {}", claim.slow, claim.fast);
        let is = relative(claim.slow)? / relative(claim.fast)?;
        Some(required(claim.subject, &format!("{ratio} >= {:.2}", claim.times), is, is >= claim.times))
    });
    let bounds = bounds.iter().filter_map(|bound| {
        let cost = |case| find(outcomes, bound.subject, case).map(|outcome| outcome.cost);
        let (what, ours, theirs) = match bound.measure {
            Measure::Allocations => {
                ("allocations".to_owned(), cost(bound.case)?.allocs as f64, cost(bound.of)?.allocs as f64)
            }
            Measure::Time => ("time".to_owned(), cost(bound.case)?.relative, cost(bound.of)?.relative),
            Measure::Over(base) => {
                let base_ns = cost(base)?.ns;
                (format!("over {base}"), cost(bound.case)?.ns - base_ns, cost(bound.of)?.ns - base_ns)
            }
        };
        let (ratio, is) = (format!("{} / {}", bound.case, bound.of), ours / theirs);
        let what = format!("{}: {what}", bound.subject);
        Some(required(&what, &format!("{ratio} <= {:.2}", bound.times), is, is <= bound.times))
    });
    aligned(&[header].into_iter().chain(claims).chain(bounds).collect::<Vec<_>>())
}

fn required(what: &str, limit: &str, is: f64, holds: bool) -> Vec<String> {
    let holds = String::from(if holds { "yes" } else { "NO" });
    vec![words(&format!("{what}: {limit}")), format!("{is:.2}"), holds]
}

fn find<'o>(outcomes: &'o [Outcome], subject: &str, case: &str) -> Option<&'o Outcome> {
    outcomes.iter().find(|outcome| outcome.subject == subject && outcome.case == case)
}

/// Returns the names in the order in which they first occur.
fn distinct(outcomes: &[Outcome], name: impl Fn(&Outcome) -> &'static str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for name in outcomes.iter().map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Aligns lines of equal length, the first of which is the header; all columns but the first are flush right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(2);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut table = String::new();
    for (nth, line) in lines.iter().enumerate() {
        table += &row(line, &widths);
        if nth == 0 {
            table += &rule(&widths);
        }
    }
    table
}

fn row(line: &[String], widths: &[usize]) -> String {
    let cell = |(column, (text, width)): (usize, (&String, &usize))| match column {
        0 => format!("| {text:<width$} "),
        _ => format!("| {text:>width$} "),
    };
    line.iter().zip(widths).enumerate().map(cell).collect::<String>() + "|\n"
}

fn rule(widths: &[usize]) -> String {
    let cell = |(column, width): (usize, &usize)| match column {
        0 => format!("|{:-<1$}", "", width + 2),
        _ => format!("|{:-<1$}:", "", width + 1),
    };
    widths.iter().enumerate().map(cell).collect::<String>() + "|\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Cost;

    fn outcomes() -> [Outcome; 3] {
        let outcome = |subject, case, ns| Outcome { subject, case, cost: Cost { ns, relative: ns / 10.0, allocs: 0 } };
        [outcome("short", "ours", 10.0), outcome("short", "theirs", 25.0), outcome("a long one", "ours", 1000.0)]
    }

    #[test]
    fn a_table_names_each_subject_once() {
        let expected = "\
| subject    |   case |   ns | allocs |
|------------|-------:|-----:|-------:|
| short      |   ours | 10.0 |      0 |
|            | theirs | 25.0 |      0 |
| a long one |   ours | 1000 |      0 |
";
        assert_eq!(table(&outcomes()), expected);
    }

    #[test]
    fn long_times_are_shortened() {
        let expected = [(999.94, "999.9"), (1000.4, "1000"), (915_251.7, "915252"), (21_289_052.0, "21289k")];
        for (ns, text) in expected {
            assert_eq!(nanoseconds(ns), text);
        }
    }

    #[test]
    fn a_claim_says_whether_it_holds() {
        let claim = |times| Claim { subject: "short", fast: "ours", slow: "theirs", times };
        let expected = "\
| required                     |   is | holds |
|------------------------------|-----:|------:|
| short: theirs / ours >= 2.50 | 2.50 |   yes |
| short: theirs / ours >= 3.00 | 2.50 |    NO |
";
        assert_eq!(claims(&[claim(2.5), claim(3.0)], &[], &outcomes()), expected);
    }

    /// 20 ns over the base against 25, and 3 allocations against 2.
    fn stack() -> [Outcome; 3] {
        let outcome =
            |case, ns, allocs| Outcome { subject: "stack", case, cost: Cost { ns, relative: ns / 10.0, allocs } };
        [outcome("bare", 10.0, 0), outcome("ours", 30.0, 3), outcome("theirs", 35.0, 2)]
    }

    #[test]
    fn a_list_tells_time_over_the_base_and_allocations() {
        let expected = "\
| stack  |   ns | over bare | allocs |
|--------|-----:|----------:|-------:|
| bare   | 10.0 |       0.0 |      0 |
| ours   | 30.0 |      20.0 |      3 |
| theirs | 35.0 |      25.0 |      2 |
";
        assert_eq!(lists("bare", &stack()), format!("{expected}\n"));
    }

    #[test]
    fn a_bound_says_whether_it_holds() {
        let bound = |measure, times| Bound { subject: "stack", measure, case: "ours", times, of: "theirs" };
        let expected = "\
| required                                  |   is | holds |
|-------------------------------------------|-----:|------:|
| stack: allocations: ours / theirs <= 1.00 | 1.50 |    NO |
| stack: time: ours / theirs <= 1.00        | 0.86 |   yes |
| stack: over bare: ours / theirs <= 0.75   | 0.80 |    NO |
";
        let bounds = [bound(Measure::Allocations, 1.0), bound(Measure::Time, 1.0), bound(Measure::Over("bare"), 0.75)];
        assert_eq!(claims(&[], &bounds, &stack()), expected);
    }
}
