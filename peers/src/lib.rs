//! Peers of the lab that need many crates or a newer Rust: policies for `redress_lab::Comparison`.
//!
//! The lab's own peers are a feature of a published crate, which keeps its Rust and its footprint. A peer whose code
//! does not fit runs here, under the same rules: in its own code, as its documentation recommends, with its version
//! shown. kube adds about 40 crates to those of the lab, and one of them compiles C; seatbelt needs Rust 1.95.

mod kube;
mod seatbelt;

pub use self::kube::Kube;
pub use self::seatbelt::Seatbelt;

#[cfg(test)]
mod tests;
