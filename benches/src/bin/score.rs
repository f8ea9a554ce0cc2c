//! Scores the dialects against responses of real APIs: how often message, code and fields are what a person says they are.
//!
//! ```text
//! cargo run --release -p benches --bin score -- FOLDER
//! ```
//!
//! FOLDER holds `errors.jsonl` and `successes.jsonl`: a response a line, with `id`, `vendor`, `status`, `headers`,
//! `content_type` and `body`, a JSON value or a text. The responses are not part of this repository; the labels, made by
//! hand for a sample of 200, are: `benches/data/labels.jsonl` names the places of the words, not the words.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use benches::score::{Label, Row, Tally, dialect_of};
use clap::Parser;
use redress::{Dialect, dialects};

/// Scores the dialects against responses of real APIs.
#[derive(Parser)]
struct Arguments {
    /// The folder with errors.jsonl and successes.jsonl.
    folder: PathBuf,
    /// Show each response that was read otherwise than labelled.
    #[arg(long)]
    differences: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let rows: Vec<Row> = lines(&arguments.folder.join("errors.jsonl"))?;
    let rows: HashMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let labels: Vec<Label> = lines(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/labels.jsonl")))?;
    let labelled: Vec<(&Row, &Label)> =
        labels.iter().filter_map(|label| Some((*rows.get(label.id.as_str())?, label))).collect();
    println!("{:<34}{:>10}{:>10}{:>10}{:>10}", "labelled errors read by", "responses", "message", "code", "fields");
    let generic = |_: &Row| Some(dialects::generic());
    let own = |row: &Row| dialect_of(&row.vendor).and_then(dialects::by_name);
    let best = |row: &Row| own(row).or_else(|| generic(row));
    print("generic", &labelled, generic, arguments.differences);
    print("the vendor's own dialect", &labelled, own, arguments.differences);
    print("its own, else generic", &labelled, best, false);
    let successes: Vec<Row> = lines(&arguments.folder.join("successes.jsonl"))?;
    println!();
    println!("{:<34}{:>10}{:>10}", "successes called errors by", "responses", "errors");
    for dialect in dialects::all().iter().filter(|dialect| dialect.signals_in_body()) {
        let called: Vec<_> = successes.iter().filter(|row| row.verdict(dialect).is_some()).collect();
        println!("{:<34}{:>10}{:>10}", dialect.name(), successes.len(), called.len());
        called.iter().filter(|_| arguments.differences).for_each(|row| println!("    {} {}", row.vendor, row.id));
    }
    Ok(())
}

fn print(name: &str, labelled: &[(&Row, &Label)], dialect: impl Fn(&Row) -> Option<Dialect>, differences: bool) {
    let mut tally = Tally::default();
    for (row, label) in labelled {
        let Some(dialect) = dialect(row) else { continue };
        let wrong = tally.add(row, label, &dialect);
        wrong.iter().filter(|_| differences).for_each(|wrong| println!("    {} {}: {wrong}", row.vendor, row.id));
    }
    let share = |right: usize| format!("{:.1} %", 100.0 * right as f64 / tally.responses.max(1) as f64);
    let (message, code, fields) = (share(tally.messages), share(tally.codes), share(tally.fields));
    println!("{name:<34}{:>10}{message:>10}{code:>10}{fields:>10}", tally.responses);
}

fn lines<T: serde::de::DeserializeOwned>(file: &PathBuf) -> Result<Vec<T>, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let line = |line: &str| serde_json::from_str(line).map_err(|error| format!("{}: {error}", file.display()).into());
    text.lines().map(line).collect()
}
