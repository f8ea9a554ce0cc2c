#![doc = include_str!("../README.md")]
// The enums and structs of this crate are exhaustive: a program that builds a scenario, a policy or a report in code writes
// them as literals and handles each kind, and a new kind of server or fault is a new version of the lab.

mod arrivals;
pub mod check;
pub mod compare;
mod late_body;
pub mod map;
pub mod outcome;
pub mod policies;
mod policy;
pub mod report;
mod run;
pub mod scenario;
pub mod server;
mod shipped;
mod statistics;
mod store;
mod streams;
mod time;
mod transport;

pub use compare::Comparison;
pub use outcome::Outcome;
pub use policy::{BoxClient, Policy, PolicyContext};
pub use run::{Run, run};
pub use scenario::{InvalidScenario, Scenario};
pub use shipped::{scenario_text, scenarios};
pub use streams::{Random, Stream, stream};
pub use transport::{CallId, LabBody, Transport};
