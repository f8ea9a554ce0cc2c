//! Comparisons in one interleaved run: what is compared, what it has to reach, how it is measured and printed.

mod contention;
mod envelope;
mod failure;
mod grpc;
mod loopback;
mod progress;
mod report;
mod stack;

use clap::ValueEnum;

use crate::measure::{Case, Cost, measure};
use crate::requests::Kind;
pub use progress::Progress;
pub use report::{claims, lists, table};

/// A family of comparisons. Another one is a name here, its subjects and its claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Readers of error bodies, and of successes.
    Envelope,
    /// The cost of a success in the stack, layer by layer, and in its peers.
    Stack,
    /// The cost of a failure and its retry, without the wait.
    Failure,
    /// A unary gRPC call that succeeds at once.
    Grpc,
    /// The cost of the state that all calls share, by the number of calls.
    Contention,
    /// Real connections over loopback.
    Loopback,
}

/// The operation that several cases run alternately, each in its own way.
#[derive(Debug)]
pub struct Subject {
    /// The name in the tables.
    pub name: &'static str,
    /// The ways.
    pub cases: Vec<Case>,
}

/// The measured cost of a case of a subject.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The subject.
    pub subject: &'static str,
    /// The case.
    pub case: &'static str,
    /// The cost of one run.
    pub cost: Cost,
}

/// A ratio that is required: on this subject, `slow` takes at least `times` as long as `fast`.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The subject.
    pub subject: &'static str,
    /// The case that has to be fast.
    pub fast: &'static str,
    /// The case that it is held against.
    pub slow: &'static str,
    /// How many times as long the other one has to take.
    pub times: f64,
}

/// A bound that is required: on this subject, `case` costs at most `times` what `of` does.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The subject.
    pub subject: &'static str,
    /// The kind of cost.
    pub measure: Measure,
    /// The case that is bounded.
    pub case: &'static str,
    /// How many times as much it may cost.
    pub times: f64,
    /// The case that it is held against.
    pub of: &'static str,
}

/// The quantity that a bound limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How many allocations.
    Allocations,
    /// The time.
    Time,
    /// The time beyond that of another case.
    Over(&'static str),
}

impl Group {
    /// Returns the name, as in arguments and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Stack => stack::NAME,
            Self::Failure => "failure",
            Self::Grpc => grpc::NAME,
            Self::Contention => "contention",
            Self::Loopback => "loopback",
        }
    }

    /// Returns what is measured; the cases of a subject take turns.
    #[must_use]
    pub fn subjects(self) -> Vec<Subject> {
        match self {
            Self::Envelope => envelope::subjects(),
            Self::Stack => stack::subjects(),
            Self::Failure => failure::subjects(),
            Self::Grpc => grpc::subjects(),
            Self::Contention => contention::subjects(),
            Self::Loopback => loopback::subjects(),
        }
    }

    /// Returns one case of an in-memory group on one thread by the names of its subject and of itself, and makes no other.
    #[must_use]
    pub fn case(self, subject: &str, case: &str) -> Option<Case> {
        match self {
            Self::Stack => stack::case(Kind::named(subject)?, case),
            Self::Failure => failure::case(subject, case),
            Self::Envelope => envelope::case(subject, case),
            Self::Grpc => grpc::case(subject, case),
            Self::Contention | Self::Loopback => None,
        }
    }

    /// Returns what is required.
    #[must_use]
    pub fn claims(self) -> Vec<Claim> {
        match self {
            Self::Envelope => envelope::claims(),
            Self::Loopback => loopback::claims(),
            Self::Stack | Self::Failure | Self::Grpc | Self::Contention => Vec::new(),
        }
    }

    /// Returns what is bounded.
    #[must_use]
    pub fn bounds(self) -> Vec<Bound> {
        match self {
            Self::Stack => stack::bounds(),
            Self::Failure => failure::bounds(),
            Self::Contention => contention::bounds(),
            Self::Envelope | Self::Grpc | Self::Loopback => Vec::new(),
        }
    }

    /// Returns the case that the others of a subject are listed over.
    #[must_use]
    pub const fn base(self) -> Option<&'static str> {
        match self {
            Self::Stack => Some(stack::BASE),
            Self::Grpc => Some(stack::BASE),
            Self::Envelope | Self::Failure | Self::Contention | Self::Loopback => None,
        }
    }
}

impl Subject {
    /// Measures the cases in turns; `after_round` is called after each of the [`ROUNDS`](crate::measure::ROUNDS).
    #[must_use]
    pub fn measure(&self, after_round: impl FnMut()) -> Vec<Outcome> {
        let costs = measure(&self.cases, after_round);
        let outcome = |(case, cost): (&Case, Cost)| Outcome { subject: self.name, case: case.name(), cost };
        self.cases.iter().zip(costs).map(outcome).collect()
    }
}
