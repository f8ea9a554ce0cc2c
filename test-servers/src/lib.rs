//! Servers that tests start on free loopback ports and stop at their end, and a [`Proxy`] between them and the client.
//!
//! On a machine without a program, the test that wants it prints its name and passes. With `REDRESS_REQUIRE_SERVERS=1` it fails.

#[cfg(unix)]
mod postgres;
mod process;
mod proxy;
mod redis;

use std::io::Write;

#[cfg(unix)]
pub use postgres::{PgBouncer, Postgres};
pub use process::{Folder, Process, find, free_port};
pub use proxy::Proxy;
pub use redis::{Redis, Sentinel};

/// Skips the test whose thread calls it: returns `None`, and prints the name of the test and the missing program.
///
/// # Panics
/// Panics if `REDRESS_REQUIRE_SERVERS` is `1`.
pub fn skip<T>(program: &str) -> Option<T> {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let is_required = std::env::var("REDRESS_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
    assert!(!is_required, "{test} needs the program {program}, which is not installed");
    // Not by `eprintln`, whose text the test harness hides when the test passes.
    let _ = writeln!(std::io::stderr(), "DID NOT RUN: {test} needs the program {program}, which is not installed");
    None
}
