//! Compares, in one interleaved run, what this project takes with what others take for the same.
//!
//! ```text
//! cargo run --release -p benches --bin compare
//! cargo run --release -p benches --bin compare -- --only envelope --json
//! ```

use std::io::{self, Write};

use benches::compare::{self, Group, Outcome, Progress, Subject};
use benches::measure::ROUNDS;
use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Compares, in one interleaved run, what this project takes with what others take for the same.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print a line of JSON per case, and nothing else.
    #[arg(long)]
    json: bool,

    /// Run one group only.
    #[arg(long, value_name = "GROUP")]
    only: Option<Group>,
}

/// A case as a line of JSON.
#[derive(Debug, Serialize)]
struct Line {
    group: &'static str,
    case: String,
    ns: f64,
    allocs: u64,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let chosen = |group: &Group| arguments.only.is_none_or(|only| only == *group);
    let groups: Vec<_> = Group::value_variants().iter().copied().filter(chosen).collect();
    let subjects: Vec<_> = groups.into_iter().map(|group| (group, group.subjects())).collect();
    let mut progress = Progress::new(subjects.iter().map(|(_, subjects)| subjects.len() * ROUNDS).sum());
    let outcomes: Vec<_> = subjects.iter().map(|(group, all)| (*group, measure(all, &mut progress))).collect();
    progress.finish();
    let show = if arguments.json { lines } else { tables };
    let text: String = outcomes.iter().map(|(group, outcomes)| show(*group, outcomes)).collect();
    io::stdout().write_all(text.as_bytes())
}

fn measure(subjects: &[Subject], progress: &mut Progress) -> Vec<Outcome> {
    subjects.iter().flat_map(|subject| subject.measure(|| progress.step())).collect()
}

fn lines(group: Group, outcomes: &[Outcome]) -> String {
    let line = |Outcome { subject, case, cost }: &Outcome| {
        let ns = (cost.ns * 10.0).round() / 10.0;
        // Where there is one subject only, it is the group.
        let case = if *subject == group.name() { (*case).to_owned() } else { format!("{subject}/{case}") };
        let line = Line { group: group.name(), case, ns, allocs: cost.allocs };
        serde_json::to_string(&line).expect("names and numbers are JSON") + "\n"
    };
    outcomes.iter().map(line).collect()
}

fn tables(group: Group, outcomes: &[Outcome]) -> String {
    let claims = compare::claims(&group.claims(), &group.bounds(), outcomes);
    if let Some(base) = group.base() {
        let lists = compare::lists(base, outcomes);
        return format!("## {}\n\n{lists}{claims}\n", group.name());
    }
    format!("## {}\n\n{}\n{claims}\n", group.name(), compare::table(outcomes))
}

#[cfg(test)]
mod tests {

    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_line_names_group_and_case() {
        let cost = benches::measure::Cost { ns: 123.456, relative: 1.0, allocs: 2 };
        for (group, subject, case, expected) in [
            (Group::Envelope, "vlens_error", "redress", r#""group":"envelope","case":"vlens_error/redress""#),
            (Group::Stack, "stack", "full", r#""group":"stack","case":"full""#),
        ] {
            let line = lines(group, &[Outcome { subject, case, cost }]);
            assert_eq!(line, format!("{{{expected},\"ns\":123.5,\"allocs\":2}}\n"));
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
