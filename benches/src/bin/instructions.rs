//! Runs one case of the group `stack`, `failure`, `grpc` or `envelope` again and again, to be run where instructions are counted:
//! `scripts/instructions` and `scripts/instructions-grpc` do.
//!
//! ```text
//! cargo run --release -p benches --bin instructions -- stack static full 1000
//! ```

use std::process::ExitCode;

use benches::compare::Group;
use clap::Parser;

/// Runs one case of the group `stack`, `failure`, `grpc` or `envelope` N times.
#[derive(Debug, Parser)]
struct Arguments {
    /// The group.
    group: Group,

    /// Its subject in the tables, such as `static`, `503_static` or `vlens_error`.
    subject: String,

    /// Its name in the tables, such as `full`.
    case: String,

    /// How often; 0 prints the allocations of once.
    #[arg(value_name = "N")]
    times: u64,
}

fn main() -> ExitCode {
    let Arguments { group, subject, case: name, times } = Arguments::parse();
    match group.case(&subject, &name) {
        Some(case) if times == 0 => println!("{}", case.allocations()),
        Some(case) => drop(case.time(times)),
        None => {
            eprintln!("unknown case {name} of {subject}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
