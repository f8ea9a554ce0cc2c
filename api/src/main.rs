//! Prints the public interface of a crate from rustdoc's JSON, one item a line.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};

/// Callers do not rely on implementations of these by name.
const OMITTED: [&str; 6] = ["Freeze", "StructuralPartialEq", "Unpin", "UnsafeUnpin", "RefUnwindSafe", "UnwindSafe"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for path in std::env::args().skip(1) {
        let api = public_api::Builder::from_rustdoc_json(path).omit_blanket_impls(true).build()?;
        for item in api.items().map(ToString::to_string).filter(|item| !is_omitted(item)) {
            writeln!(out, "{item}")?;
        }
    }
    Ok(())
}

fn is_omitted(item: &str) -> bool {
    let Some((head, _)) = item.split_once(" for ").filter(|_| item.starts_with("impl")) else { return false };
    OMITTED.iter().any(|name| head.ends_with(&format!("::{name}")))
}
