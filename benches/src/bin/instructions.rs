//! Sends requests that succeed at once through one case of the group `stack`, to be run where instructions are counted:
//! `scripts/instructions` does.
//!
//! ```text
//! cargo run --release -p benches --bin instructions -- full 1000
//! ```

use std::process::ExitCode;

use benches::compare::Group;
use clap::Parser;

/// Sends N requests through one case of the group `stack`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Its name in the tables, such as `full`.
    case: String,

    /// How many.
    #[arg(value_name = "N")]
    requests: u64,
}

fn main() -> ExitCode {
    let Arguments { case: name, requests } = Arguments::parse();
    let cases: Vec<_> = Group::Stack.subjects().into_iter().flat_map(|subject| subject.cases).collect();
    match cases.iter().find(|case| case.name() == name) {
        Some(case) => {
            let _taken = case.time(requests);
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("there is no case {name}");
            ExitCode::from(2)
        }
    }
}
