//! The policies of the sources that the lab's named results come from: what people run, or tell others to run.
//!
//! They stand beside the shipped layers to be compared with them. They send every request again that failed, whatever its
//! method, because their sources do; and what two layers of them do is multiplied, because nothing in them stands down.

mod fleet;
mod hedge;
mod retries;
mod rule;
mod waits;
mod window;

pub use fleet::Fleet;
pub use hedge::{Hedge, HedgeBudget};
pub use retries::Reference;
pub use rule::{Deposit, Rule};
pub use waits::Waits;

#[cfg(test)]
mod tests;
