//! Other crates for the same purpose, composed as their documentation says, over the same transport.

pub mod canned;
pub mod resilience;
pub mod tower;
