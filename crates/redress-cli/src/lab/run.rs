//! `redress lab run`: runs policies in scenarios and prints the results side by side.
//!
//! All policies of a scenario meet the same calls, the same faults and the same random numbers, so that a difference between
//! two rows is one of the policies.
//!
//! ```text
//! $ redress lab run flapping --only redress,tower --seeds 3 --report flapping.html
//! ```
//!
//! Figures are means over the seeds. `--report` writes a page with charts and tables, `--svg` one chart.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};
use redress_lab::compare::{Exceptions, Judgement};
use redress_lab::report::{self, Series};
use redress_lab::{Comparison, Scenario, scenarios};

use super::{goals, policies, results};
use crate::failure::Failure;
use crate::help;
use crate::output;
use crate::progress::Progress;

/// Runs retry policies in scenarios, with the same calls and random numbers, and compares the results.
#[derive(Debug, Args)]
#[command(after_help = help::LAB_RUN)]
pub(crate) struct RunArgs {
    /// Names of scenarios that come with the lab, or TOML files
    #[arg(value_name = "SCENARIO", required_unless_present = "all")]
    scenarios: Vec<String>,

    /// Run every scenario that comes with the lab
    #[arg(long)]
    all: bool,

    /// Add a policy of your own: a TOML file of redress's settings
    #[arg(long, value_name = "FILE")]
    policy: Vec<String>,

    /// Run these of the standard policies only, or reference policies such as breaker or grpc
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// The share of the server's capacity that the calls ask for, in place of the scenario's
    #[arg(long, value_name = "SHARE")]
    utilization: Option<f64>,

    /// The numbers of processes that share nothing, in place of the scenario's: each scenario runs once with each
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: Vec<u32>,

    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// The number of seeds, counted from the first one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,

    /// Fail when another policy dominates this one in any scenario, but for the exceptions
    #[arg(long, value_name = "NAME")]
    undominated: Option<String>,

    /// Print the goals of this policy in each scenario, and fail when it misses one, but for the exceptions
    #[arg(long, value_name = "NAME")]
    goals: Option<String>,

    /// A TOML file of exceptions for --undominated and --goals, in place of the lab's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    exceptions: Option<PathBuf>,

    /// Write a line of JSON for each policy in each scenario
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Write a table of comma-separated values
    #[arg(long)]
    csv: bool,

    /// Write a page of HTML with charts and tables, which needs nothing but a browser
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    report: Option<PathBuf>,

    /// Write a chart of the first scenario as SVG
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,

    /// The quantity in the chart of --svg, second by second: offered, load or goodput
    #[arg(long, value_name = "WHAT", default_value = "goodput", requires = "svg", value_parser = series)]
    chart: Series,
}

/// Runs the comparisons, writes the files that were asked for, and prints the results.
///
/// The exit code is 1 if a result is not valid: see [`results`].
pub(crate) fn run(arguments: &RunArgs) -> Result<ExitCode, Failure> {
    let scenarios = arguments.chosen()?;
    let policies = policies::policies(&arguments.only, &arguments.policy)?;
    let exceptions = goals::exceptions(arguments.exceptions.as_deref())?;
    for (option, name) in [("--undominated", &arguments.undominated), ("--goals", &arguments.goals)] {
        if let Some(name) = name.as_ref().filter(|name| !policies.iter().any(|it| it.name() == *name)) {
            return Err(Failure::Message(format!("{option} {name}: that policy is not among those that are run")));
        }
    }
    let seeds: Vec<u64> = (0..arguments.seeds).map(|nth| arguments.seed.wrapping_add(u64::from(nth))).collect();
    let show = match (arguments.json, arguments.csv) {
        (true, _) => results::json,
        (_, true) => results::csv,
        _ => results::table,
    };
    let is_table = !arguments.json && !arguments.csv;
    if arguments.csv {
        output::print(results::CSV_HEAD)?;
    }
    let progress = Progress::new("");
    let count = scenarios.len() as f64;
    let compare = |(nth, scenario): (usize, &Scenario)| {
        progress.say(&scenario.label());
        let comparison =
            Comparison::run(scenario, &policies, &seeds, |share| progress.tell((nth as f64 + share) / count));
        // All scenarios may take an hour: each prints its rows at its end.
        progress.suspend(|| output::print(&show(&comparison)))?;
        Ok(comparison)
    };
    let comparisons = scenarios.iter().enumerate().map(compare).collect::<Result<Vec<_>, Failure>>()?;
    drop(progress);
    if is_table {
        output::print(&results::settings(&comparisons))?;
    }
    if let Some(file) = &arguments.report {
        write(file, &report::page(&comparisons, &command_line()))?;
    }
    if let (Some(file), Some(first)) = (&arguments.svg, comparisons.first()) {
        write(file, &report::chart(first, arguments.chart))?;
    }
    if let Some(name) = arguments.goals.as_ref().filter(|_| is_table) {
        output::print(&format!("\n{}", goals::table(&comparisons, name)))?;
    }
    let judgement = arguments.judge(&comparisons, &exceptions);
    // A closed standard error cannot be reported.
    let tell = |kind: &str, line: &String| drop(writeln!(std::io::stderr(), "redress: {kind}{line}"));
    judgement.notes.iter().for_each(|note| tell("note: ", note));
    judgement.failures.iter().for_each(|failure| tell("", failure));
    Ok(if judgement.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the name of a chart.
fn series(name: &str) -> Result<Series, String> {
    let names = || Series::ALL.map(Series::name).join(", ");
    Series::by_name(name).ok_or_else(|| format!("one of {}", names()))
}

/// Returns the command that repeats the run, as one would type it.
///
/// The report shows it. A word with a blank is quoted for a POSIX shell.
fn command_line() -> String {
    let quoted = |word: String| if word.contains(char::is_whitespace) { format!("'{word}'") } else { word };
    let words: Vec<_> = std::env::args_os().skip(1).map(|word| quoted(word.to_string_lossy().into_owned())).collect();
    format!("redress {}", words.join(" "))
}

/// Writes a file; the error names it.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|error| Failure::Message(format!("{}: {error}", file.display())))
}

impl RunArgs {
    /// Returns what fails the run, and what is worth a note.
    fn judge(&self, comparisons: &[Comparison], exceptions: &Exceptions) -> Judgement {
        let whole = Judgement { failures: results::mistakes(comparisons), notes: results::notes(comparisons) };
        let undominated = self.undominated.iter().map(|name| goals::dominated(comparisons, name, exceptions));
        let reached = self.goals.iter().map(|name| goals::missed(comparisons, name, exceptions));
        undominated.chain(reached).fold(whole, |mut whole, part| {
            whole.failures.extend(part.failures);
            whole.notes.extend(part.notes);
            whole
        })
    }

    /// Reads the scenarios, with the utilization and the numbers of processes of the command line.
    ///
    /// A scenario with closed callers has no utilization: the error says so and names the scenario.
    fn chosen(&self) -> Result<Vec<Scenario>, Failure> {
        let mut chosen = if self.all { scenarios() } else { Vec::new() };
        for named in &self.scenarios {
            chosen.push(policies::scenario(named)?);
        }
        if let Some(share) = self.utilization {
            for scenario in &mut chosen {
                let name = scenario.name.clone();
                scenario.utilize(share).map_err(|error| Failure::Message(format!("{name}: {error}")))?;
            }
        }
        Ok(chosen.into_iter().flat_map(|scenario| self.sizes(scenario)).collect())
    }

    /// Returns the scenario once for each number of processes of the command line, or as it is. A number that is named
    /// twice counts once.
    fn sizes(&self, scenario: Scenario) -> Vec<Scenario> {
        if self.clients.is_empty() {
            return vec![scenario];
        }
        let mut sizes: Vec<_> = self.clients.iter().copied().filter_map(NonZeroU32::new).collect();
        let mut seen = HashSet::new();
        sizes.retain(|size| seen.insert(*size));
        let sized = |size| {
            let mut sized = scenario.clone();
            sized.clients.clients = size;
            sized
        };
        sizes.into_iter().map(sized).collect()
    }
}
