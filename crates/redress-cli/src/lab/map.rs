//! `redress lab map`: for which loads an outage does not end by itself, and the expected time to recover.
//!
//! ```text
//! $ redress lab map --capacity 300 --timeout 1s --queue 1000 --retries 1
//! load  calls/s  1s     2s     10s
//! 40 %  120      0 s    1.3 s  32.7 s
//! 60 %  180      0.1 s  never  never
//! ```
//!
//! The numbers are those of `redress_lab::map`, which solves a Markov chain for each row; here the axes are chosen and the
//! result is printed.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueHint};
use redress_lab::map::{self, ASSUMPTIONS, Columns, InvalidSystem, Map, Recovery, Row, System};

use crate::output::{self, BAD, DIM};
use crate::{failure::Failure, help, json, table::Table};

/// Maps the region in which an outage does not end by itself, and the expected time to recover.
#[derive(Debug, Args)]
#[command(after_help = help::LAB_MAP)]
pub(crate) struct MapArgs {
    /// The requests per second that the server completes
    #[arg(long, value_name = "RATE")]
    capacity: f64,

    /// The time limit of one attempt, such as 500ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// The number of requests that wait at the server at most
    #[arg(long, value_name = "N")]
    queue: u32,

    /// The retries of a call after its first attempt: 2 are the three attempts of redress's default
    #[arg(long, value_name = "N", default_value_t = 2)]
    retries: u32,

    /// Your calls per second: adds their row, and answers for it in a sentence
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,

    /// The lengths of the outage, one for each column; by default from one to a hundred timeouts
    #[arg(long, value_name = "TIME", value_delimiter = ',', value_parser = humantime::parse_duration)]
    outages: Vec<Duration>,

    /// Show the numbers of retries from 0 to --retries in the columns, after an outage of this length
    #[arg(long, value_name = "TIME", conflicts_with = "outages", value_parser = humantime::parse_duration)]
    by_retries: Option<Duration>,

    /// Write the map as one line of JSON, with the assumptions
    #[arg(long)]
    json: bool,

    /// Write the map as a page with colours, in HTML
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    report: Option<PathBuf>,
}

/// The lengths of the outage that are shown without `--outages`, in timeouts.
const TIMEOUTS: [u32; 7] = [1, 2, 3, 5, 10, 30, 100];
/// The loads of the rows, in percent of the capacity.
const LOADS: [u32; 10] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 95];

/// Computes the map, writes the page that was asked for, and prints the map.
pub(crate) fn run(arguments: &MapArgs) -> Result<ExitCode, Failure> {
    let map = arguments.map().map_err(|error| Failure::Message(error.to_string()))?;
    if let Some(file) = &arguments.report {
        let written = fs::write(file, map::page(&map));
        written.map_err(|error| Failure::Message(format!("{}: {error}", file.display())))?;
    }
    if arguments.json {
        output::print(&json::line(&map))?;
    } else {
        output::print(&shown(&map, arguments.rate))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl MapArgs {
    fn map(&self) -> Result<Map, InvalidSystem> {
        let system = System::new(self.capacity, self.timeout, self.queue, self.retries)?;
        let columns = match self.by_retries {
            Some(outage) => Columns::Retries { retries: (0..=self.retries).collect(), outage },
            None if self.outages.is_empty() => {
                Columns::Outages(TIMEOUTS.iter().map(|count| self.timeout.saturating_mul(*count)).collect())
            }
            None => Columns::Outages(self.outages.clone()),
        };
        let mut loads: Vec<_> = LOADS.iter().map(|percent| f64::from(*percent) / 100.0).collect();
        if let Some(rate) = self.rate {
            loads.push(rate / self.capacity);
            loads.sort_by(f64::total_cmp);
            loads.dedup();
        }
        Map::new(system, columns, &loads)
    }
}

/// Writes the table, its meaning and the assumptions.
fn shown(map: &Map, rate: Option<f64>) -> String {
    let heads = map.columns.heads();
    let mut names = vec!["load", "calls/s"];
    names.extend(heads.iter().map(String::as_str));
    let mut table = Table::new(&names);
    for row in &map.rows {
        let mut cells = vec![row.percent(), number(row.load * map.system.capacity())];
        cells.extend(row.cells.iter().map(ToString::to_string));
        let style = if row.cells.last() == Some(&Recovery::Never) { BAD } else { output::PLAIN };
        table.push_marked(&cells.iter().map(String::as_str).collect::<Vec<_>>(), style);
    }
    let mut text = format!("{}\n\n{}\n", map.about(), table.render(""));
    for sentence in verdicts(map, rate) {
        text.push_str(&format!("{sentence}\n"));
    }
    text.push_str(
        "A cell is the expected time from the end of the outage until 95 % of new calls are answered in time; a share in \
         brackets is the\nprobability that the server stays down instead, and `never` one above a half. `overloaded`: more \
         than 5 % time out without an outage.\n\nAssumptions:\n",
    );
    for assumption in ASSUMPTIONS {
        text.push_str(&output::styled(DIM, &format!("  {assumption}")));
        text.push('\n');
    }
    text
}

/// Says which loads are safe, and what holds at the user's rate.
fn verdicts(map: &Map, rate: Option<f64>) -> Vec<String> {
    let system = &map.system;
    let mut sentences = vec![if system.keeps_up() {
        "A full queue is worked off within the timeout: no outage lasts beyond its cause.".to_owned()
    } else if let Columns::Outages(_) = map.columns {
        format!(
            "Below {} calls/s the server has room for all {} attempts of each call: there every outage ends by itself.",
            number(system.storm_load() * system.capacity()),
            system.retries() + 1
        )
    } else {
        "A number of retries ends every outage by itself below capacity / (retries + 1).".to_owned()
    }];
    let row =
        rate.and_then(|rate| map.rows.iter().find(|row| (row.load * system.capacity() - rate).abs() < 1e-6 * rate));
    sentences.extend(rate.zip(row).map(|(rate, row)| verdict(map, rate, row)));
    sentences
}

/// Says up to which column an outage ends by itself in a row.
fn verdict(map: &Map, rate: f64, row: &Row) -> String {
    let (heads, rate) = (map.columns.heads(), number(rate));
    let name = |nth: usize| match map.columns {
        Columns::Outages(_) => format!("an outage of {}", heads[nth]),
        Columns::Retries { .. } => format!("the outage with {}", heads[nth]),
    };
    if row.cells.contains(&Recovery::Overloaded) {
        return format!("At {rate} calls/s the server is overloaded without an outage.");
    }
    let first = row.cells.iter().position(|cell| *cell == Recovery::Never);
    match first {
        None => format!("At {rate} calls/s every outage of the map ends by itself."),
        Some(0) => format!("At {rate} calls/s {} does not end by itself.", name(0)),
        Some(nth) => format!(
            "At {rate} calls/s {} ends by itself, expected after {}; {} does not.",
            name(nth - 1),
            row.cells[nth - 1],
            name(nth)
        ),
    }
}

/// Writes a rate without needless decimals.
fn number(value: f64) -> String {
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(set: impl FnOnce(&mut MapArgs)) -> String {
        let mut arguments = MapArgs {
            capacity: 300.0,
            timeout: Duration::from_secs(1),
            queue: 1_000,
            retries: 1,
            rate: None,
            outages: vec![Duration::from_millis(500), Duration::from_secs(10)],
            by_retries: None,
            json: false,
            report: None,
        };
        set(&mut arguments);
        let map = arguments.map().map_err(|error| error.to_string()).unwrap();
        anstream::adapter::strip_str(&shown(&map, arguments.rate)).to_string()
    }

    #[test]
    fn the_table_has_a_row_for_each_load_and_the_assumptions_below() {
        let text = text(|_| {});
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "300 requests/s, attempt timeout 1s, a queue of 1000, 1 retry; by load and outage");
        assert!(lines[2].starts_with("load  calls/s  500ms"), "{text}");
        assert!(lines.iter().any(|line| line.starts_with("80 %  240") && line.ends_with("never")), "{text}");
        assert!(text.contains("Below 150 calls/s the server has room for all 2 attempts"), "{text}");
        assert!(ASSUMPTIONS.iter().all(|assumption| text.contains(assumption)), "{text}");
    }

    #[test]
    fn a_rate_has_a_row_and_an_answer() {
        let at = |rate| text(|it| it.rate = Some(rate));
        assert!(at(200.0).contains(
            "At 200 calls/s an outage of 500ms ends by itself, expected after 0 s; an outage of 10s does not."
        ));
        assert!(at(200.0).contains("\n66.7 %  200"), "{}", at(200.0));
        assert!(at(90.0).contains("At 90 calls/s every outage of the map ends by itself."));
        assert!(at(400.0).contains("At 400 calls/s the server is overloaded without an outage."));
    }

    #[test]
    fn retries_take_the_place_of_outages() {
        let text = text(|it| (it.by_retries, it.retries, it.rate) = (Some(Duration::from_secs(10)), 3, Some(120.0)));
        assert!(text.contains("load  calls/s  0 retries  1 retry"), "{text}");
        assert!(text.contains("At 120 calls/s the outage with 1 retry ends by itself, expected after "), "{text}");
        assert!(text.contains("; the outage with 2 retries does not."), "{text}");
    }

    #[test]
    fn a_short_queue_needs_no_limit_of_the_load() {
        assert!(text(|it| it.queue = 100).contains("no outage lasts beyond its cause"));
    }
}
