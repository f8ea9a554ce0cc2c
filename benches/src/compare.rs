//! Comparisons in one interleaved run: what is compared, what it has to reach, how it is measured and printed.

mod envelope;
mod measure;
mod progress;
mod report;

use clap::ValueEnum;

pub use measure::{Case, Cost, ROUNDS, measure};
pub use progress::Progress;
pub use report::{claims, table};

/// A family of comparisons. Another one is a name here, its subjects and its claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Readers of error bodies, and of successes.
    Envelope,
}

/// What several cases do in turns, each in its own way.
#[derive(Debug)]
pub struct Subject {
    /// The name in the tables.
    pub name: &'static str,
    /// The ways.
    pub cases: Vec<Case>,
}

/// What a case of a subject was found to cost.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The subject.
    pub subject: &'static str,
    /// The case.
    pub case: &'static str,
    /// What it costs once.
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

impl Group {
    /// Returns the name, as in arguments and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
        }
    }

    /// Returns what is measured; the cases of a subject take turns.
    #[must_use]
    pub fn subjects(self) -> Vec<Subject> {
        match self {
            Self::Envelope => envelope::subjects(),
        }
    }

    /// Returns what is required.
    #[must_use]
    pub fn claims(self) -> Vec<Claim> {
        match self {
            Self::Envelope => envelope::claims(),
        }
    }
}

impl Subject {
    /// Measures the cases in turns; `after_round` is called after each of the [`ROUNDS`].
    #[must_use]
    pub fn measure(&self, after_round: impl FnMut()) -> Vec<Outcome> {
        let costs = measure(&self.cases, after_round);
        let outcome = |(case, cost): (&Case, Cost)| Outcome { subject: self.name, case: case.name(), cost };
        self.cases.iter().zip(costs).map(outcome).collect()
    }
}
