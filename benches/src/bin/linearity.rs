//! Reads one hostile body, to be run where instructions are counted: `scripts/linearity` does.
//!
//! ```text
//! cargo run --release -p benches --bin linearity -- many-keys 20000
//! ```

use std::hint::black_box;

use benches::families::{Family, Input};
use benches::reading::{read, signal};
use clap::{Parser, ValueEnum};
use redress::layers::Decision;

/// How long the pieces are when a body comes in pieces.
const PIECE: usize = 1024;

/// Makes a hostile body of about N bytes, reads it in full and decides whether it signals an error.
#[derive(Debug, Parser)]
struct Arguments {
    /// The family of the body.
    #[arg(required_unless_present = "list")]
    family: Option<Family>,

    /// The length of the body in bytes.
    #[arg(value_name = "N", required_unless_present = "list")]
    bytes: Option<usize>,

    /// Make the body and do not read it.
    #[arg(long)]
    baseline: bool,

    /// Print the names of the families.
    #[arg(long)]
    list: bool,
}

fn main() {
    let arguments = Arguments::parse();
    if arguments.list {
        names().for_each(|name| println!("{name}"));
    }
    if let (Some(family), Some(bytes)) = (arguments.family, arguments.bytes) {
        let input = black_box(family.input(bytes));
        if !arguments.baseline {
            measured(&input);
        }
    }
}

fn names() -> impl Iterator<Item = String> {
    let values = Family::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    values.map(|value| value.get_name().to_owned())
}

/// Reads the body in full and decides on it, each in one piece and in many.
fn measured(input: &Input) {
    for size in [input.body.len(), PIECE] {
        let envelope = read(&input.dialect, input.body.chunks(size));
        assert!(envelope.code.is_some());
        black_box(&envelope);
        assert_eq!(signal(&input.signal, input.body.chunks(size)), Decision::Error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_family_is_read_at_its_length() {
        for family in Family::value_variants() {
            for bytes in [20_000, 200_000] {
                let input = family.input(bytes);
                let length = input.body.len();
                assert!(length.abs_diff(bytes) < bytes / 80, "{family:?}: {length} bytes for {bytes}");
                measured(&input);
            }
        }
    }
}
