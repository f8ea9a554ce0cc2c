//! Reads one costly dialect file, or matches one costly pattern, to be run where instructions are counted:
//! `scripts/linearity` does.
//!
//! ```text
//! cargo run --release -p benches --bin dialect-files -- unknown-keys 100000
//! ```

use std::hint::black_box;
use std::time::SystemTime;

use benches::dialect_files::DialectFile;
use clap::{Parser, ValueEnum};
use http::HeaderMap;
use redress::Dialect;
use redress::layers::{Envelope, Head};

/// Makes a dialect file of N items and checks it, which reads it; or matches a pattern of N letters with a message of as many.
#[derive(Debug, Parser)]
struct Arguments {
    /// The kind of the file, or of the pattern.
    #[arg(required_unless_present = "list")]
    kind: Option<String>,

    /// How many items.
    #[arg(value_name = "N", required_unless_present = "list")]
    count: Option<usize>,

    /// Make the file, or the pattern and the message, and do not read it.
    #[arg(long)]
    baseline: bool,

    /// Print the names of the kinds.
    #[arg(long)]
    list: bool,
}

/// The pattern and the message of a kind.
fn pattern(kind: &str, count: usize) -> Option<(String, String)> {
    let (pattern, message) = match kind {
        "pattern-long-piece" => (format!("*{}b*", "a".repeat(count)), "a".repeat(2 * count)),
        "pattern-any-case" => (format!("*{}b*", "A".repeat(count)), "a".repeat(2 * count)),
        "pattern-periodic" => (format!("*{}c*", "ab".repeat(count / 2)), "ab".repeat(count)),
        // The end matches, so that the parts between the stars are searched for.
        "pattern-many-stars" => (format!("{}*c*b", "*a".repeat(count / 2)), "a".repeat(2 * count) + "b"),
        "pattern-stars-alone" => ("*".repeat(count) + "c*b", "a".repeat(2 * count) + "b"),
        _ => return None,
    };
    Some((pattern, message))
}

const PATTERNS: [&str; 5] =
    ["pattern-long-piece", "pattern-any-case", "pattern-periodic", "pattern-many-stars", "pattern-stars-alone"];

fn main() {
    let arguments = Arguments::parse();
    if arguments.list {
        let kinds = DialectFile::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        kinds.for_each(|kind| println!("{}", kind.get_name()));
        PATTERNS.iter().for_each(|name| println!("{name}"));
    }
    let (Some(kind), Some(count)) = (arguments.kind, arguments.count) else { return };
    if let Some((pattern, message)) = pattern(&kind, count) {
        matched(&pattern, &message, arguments.baseline);
        return;
    }
    let kind = DialectFile::from_str(&kind, false).expect("a kind of the list");
    let text = black_box(kind.text(count));
    if !arguments.baseline {
        black_box(Dialect::lint("a.toml", &text, |_| Err("it extends no file")).err());
    }
}

fn matched(pattern: &str, message: &str, baseline: bool) {
    let file = format!(
        "name = \"a\"\n[read]\nmessage = \"m\"\n[[rules]]\nclass = \"rejected\"\nwhen = {{ message = \"{pattern}\" }}\n"
    );
    let dialect = Dialect::from_toml("a.toml", &file).expect("the file has no mistake");
    let body = black_box(format!("{{\"m\":\"{message}\"}}"));
    if !baseline {
        let headers = HeaderMap::new();
        let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
        let meaning = dialect.meaning(&head, &Envelope::read(&dialect, &head, [body.as_bytes()]));
        assert_eq!(meaning.class.as_str(), "invalid", "the pattern does not match");
    }
}
