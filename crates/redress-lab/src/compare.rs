//! Several policies in one scenario, with the same seeds, side by side.

mod row;
mod summary;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::run::{Run, run};
use crate::scenario::Scenario;

pub use row::SummaryRow;
pub use summary::{Metric, Summary};

/// What several policies did in one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// What happened.
    pub scenario: Scenario,
    /// Who had to deal with it.
    pub policies: Vec<PolicyInfo>,
    /// The seeds that each of them was run with.
    pub seeds: Vec<u64>,
    /// What came of it: by policy, and within a policy by seed.
    pub outcomes: Vec<Outcome>,
}

/// A policy in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInfo {
    /// Its name.
    pub name: String,
    /// Its settings in one line.
    pub about: String,
    /// Whether it retries at all.
    pub retries: bool,
}

impl Comparison {
    /// Runs every policy with every seed, on as many threads as there are processors.
    ///
    /// `progress` is told the share of all runs that is over. What comes of a run depends on its seed alone, not on the
    /// threads.
    ///
    /// # Panics
    /// When a policy panics.
    pub fn run(
        scenario: &Scenario,
        policies: &[Box<dyn Policy>],
        seeds: &[u64],
        progress: impl Fn(f64) + Sync,
    ) -> Self {
        let jobs: Vec<_> = policies.iter().flat_map(|policy| seeds.iter().map(move |seed| (policy, *seed))).collect();
        let (next, over) = (AtomicUsize::new(0), Mutex::new(vec![0.0; jobs.len()]));
        let results = Mutex::new(vec![None; jobs.len()]);
        let work = || {
            while let Some((nth, (policy, seed))) = take(&next, &jobs) {
                let tell = |share| {
                    let mut over = over.lock().unwrap_or_else(PoisonError::into_inner);
                    over[nth] = share;
                    progress(over.iter().sum::<f64>() / over.len() as f64);
                };
                let outcome = run(Run { scenario, policy: policy.as_ref(), seed: *seed }, tell);
                tell(1.0);
                results.lock().unwrap_or_else(PoisonError::into_inner)[nth] = Some(outcome);
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self {
            scenario: scenario.clone(),
            policies: policies.iter().map(|policy| PolicyInfo::of(policy.as_ref())).collect(),
            seeds: seeds.to_vec(),
            outcomes: results.into_iter().map(|outcome| outcome.expect("every job was done")).collect(),
        }
    }

    /// Returns the runs of a policy, one for each seed.
    #[must_use]
    pub fn outcomes(&self, policy: usize) -> &[Outcome] {
        &self.outcomes[policy * self.seeds.len()..(policy + 1) * self.seeds.len()]
    }

    /// Returns what each policy came to over all seeds.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        (0..self.policies.len()).map(|nth| Summary::of(&self.scenario, self.outcomes(nth))).collect()
    }

    /// Whether a policy sent any call's request more than once.
    #[must_use]
    pub fn retried(&self, policy: usize) -> bool {
        self.outcomes(policy).iter().any(|outcome| outcome.calls_by_attempts[2..].iter().any(|calls| *calls > 0))
    }
}

impl PolicyInfo {
    fn of(policy: &dyn Policy) -> Self {
        Self { name: policy.name().to_owned(), about: policy.about(), retries: policy.retries() }
    }
}

fn take<'j, J>(next: &AtomicUsize, jobs: &'j [J]) -> Option<(usize, &'j J)> {
    let nth = next.fetch_add(1, Ordering::Relaxed);
    Some((nth, jobs.get(nth)?))
}
