//! Real clients against real sandboxes on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod dialect;
mod faults;
mod log;
mod maleslab;
mod ranex;
mod server;
mod veridia;
mod verilock;
mod vlens;
