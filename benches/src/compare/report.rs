//! What was found, as tables in Markdown.

use super::{Claim, Outcome};

/// Returns a table with a line per subject and a column per case.
#[must_use]
pub fn table(title: &str, outcomes: &[Outcome], show: impl Fn(&Outcome) -> String) -> String {
    let (subjects, cases) = (distinct(outcomes, |one| one.subject), distinct(outcomes, |one| one.case));
    let header = [title].into_iter().chain(cases.iter().copied()).map(str::to_owned).collect();
    let line = |subject: &str| {
        let cell = |case: &str| find(outcomes, subject, case).map_or_else(String::new, &show);
        [subject.to_owned()].into_iter().chain(cases.iter().map(|case| cell(case))).collect()
    };
    aligned(&[header].into_iter().chain(subjects.iter().map(|subject| line(subject))).collect::<Vec<_>>())
}

/// Returns a table of what is required and whether it holds.
#[must_use]
pub fn claims(claims: &[Claim], outcomes: &[Outcome]) -> String {
    let header = ["required", "ratio", "at least", "is", "holds"].map(str::to_owned).to_vec();
    let lines = claims.iter().filter_map(|claim| {
        let ns = |case| find(outcomes, claim.subject, case).map(|outcome| outcome.cost.ns);
        let ratio = ns(claim.slow)? / ns(claim.fast)?;
        Some(vec![
            claim.subject.to_owned(),
            format!("{} / {}", claim.slow, claim.fast),
            format!("{:.2}", claim.times),
            format!("{ratio:.2}"),
            String::from(if ratio >= claim.times { "yes" } else { "NO" }),
        ])
    });
    aligned(&[header].into_iter().chain(lines).collect::<Vec<_>>())
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
    use crate::compare::Cost;

    fn outcomes() -> [Outcome; 3] {
        let outcome = |subject, case, ns| Outcome { subject, case, cost: Cost { ns, allocs: 0 } };
        [outcome("short", "ours", 10.0), outcome("short", "theirs", 25.0), outcome("a long one", "ours", 1000.0)]
    }

    #[test]
    fn a_table_is_aligned_and_leaves_open_what_was_not_measured() {
        let expected = "\
| ns         | ours | theirs |
|------------|-----:|-------:|
| short      |   10 |     25 |
| a long one | 1000 |        |
";
        assert_eq!(table("ns", &outcomes(), |one| format!("{:.0}", one.cost.ns)), expected);
    }

    #[test]
    fn a_claim_says_whether_it_holds() {
        let claim = |times| Claim { subject: "short", fast: "ours", slow: "theirs", times };
        let expected = "\
| required |         ratio | at least |   is | holds |
|----------|--------------:|---------:|-----:|------:|
| short    | theirs / ours |     2.50 | 2.50 |   yes |
| short    | theirs / ours |     3.00 | 2.50 |    NO |
";
        assert_eq!(claims(&[claim(2.5), claim(3.0)], &outcomes()), expected);
    }
}
