//! The examples are beside this folder: `cargo run --example tour`.
