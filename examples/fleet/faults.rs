//! The faults beside kills, and how often each of them happens.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::Serialize;

use crate::backend::Backend;

/// A fault of a process, of the network or of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// A process is stopped for longer than a lease lasts
    Stops,
    /// An answer of the issuer is lost
    Answers,
    /// An answer of the store is lost (Redis and Postgres)
    StoreAnswers,
    /// The store is stopped, and started again after a second (Redis and Postgres)
    Restarts,
    /// A replica that lacks the last writes takes the place of the store (Redis and Postgres)
    Promotions,
    /// The clock of a process is wrong by a minute
    Clocks,
    /// The connections that bring messages about changes are cut (Redis and Postgres)
    Notices,
}

/// The faults of a run, with the number of times that each of them happened.
#[derive(Debug, Serialize)]
pub(crate) struct Faults {
    #[serde(flatten)]
    counts: BTreeMap<&'static str, u32>,
}

impl Fault {
    pub(crate) const ALL: [Self; 7] =
        [Self::Stops, Self::Answers, Self::StoreAnswers, Self::Restarts, Self::Promotions, Self::Clocks, Self::Notices];

    const fn name(self) -> &'static str {
        match self {
            Self::Stops => "stops",
            Self::Answers => "lost_answers",
            Self::StoreAnswers => "lost_store_answers",
            Self::Restarts => "restarts",
            Self::Promotions => "promotions",
            Self::Clocks => "wrong_clocks",
            Self::Notices => "cut_notices",
        }
    }

    /// Returns `true` if files can have it.
    const fn is_of_files(self) -> bool {
        matches!(self, Self::Stops | Self::Answers | Self::Clocks)
    }

    /// Returns the number of rounds between two such faults, and the round of the first one.
    const fn rounds(self) -> (u32, u32) {
        match self {
            Self::StoreAnswers => (3, 1),
            Self::Answers => (8, 2),
            Self::Notices => (10, 3),
            Self::Stops => (40, 4),
            Self::Restarts => (48, 6),
            Self::Promotions => (96, 14),
            Self::Clocks => (1, 0),
        }
    }
}

impl Faults {
    pub(crate) fn new(faults: &[Fault], backend: Backend) -> Self {
        let faults = faults.iter().filter(|fault| backend != Backend::File || fault.is_of_files());
        Self { counts: faults.map(|fault| (fault.name(), 0)).collect() }
    }

    /// Counts a fault. Returns `false` if it is none of the run.
    pub(crate) fn add(&mut self, fault: Fault) -> bool {
        let count = self.counts.get_mut(fault.name());
        count.map(|count| *count += 1).is_some()
    }

    /// Counts a fault if it happens in this round of a refresh.
    pub(crate) fn is_due(&mut self, fault: Fault, round: u32) -> bool {
        let (every, first) = fault.rounds();
        round % every == first % every && self.add(fault)
    }

    /// Returns `true` if each fault of the run has happened.
    pub(crate) fn have_all_happened(&self) -> bool {
        self.counts.values().all(|count| *count > 0)
    }

    pub(crate) fn count(&self, fault: Fault) -> u32 {
        self.counts.get(fault.name()).copied().unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.counts.iter().map(|(name, count)| (*name, *count))
    }
}

/// Returns how many seconds the clock of a process is ahead.
pub(crate) fn ahead(faults: &mut Faults) -> i64 {
    let is_wrong = fastrand::bool() && faults.add(Fault::Clocks);
    if is_wrong { [-60, 60][usize::from(fastrand::bool())] } else { 0 }
}
