//! Runs several policies in one scenario with the same seeds.
//!
//! With a common seed, arrivals and service times are the same for every policy ("common random
//! numbers" in simulation): differences are due to the policies and not to chance.

mod domination;
mod exceptions;
mod goals;
mod row;
#[cfg(test)]
mod sample;
mod summary;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::run::{Run, run};
use crate::scenario::Scenario;

pub use domination::Metric;
pub use exceptions::{Exception, Exceptions, Judgement, Shortfall, ShortfallKind};
pub use goals::{Goal, GoalRow};
pub use row::SummaryRow;
pub use summary::Summary;

/// The outcomes of several policies in one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The scenario.
    pub scenario: Scenario,
    /// The policies.
    pub policies: Vec<PolicyInfo>,
    /// The seeds of the runs of each policy.
    pub seeds: Vec<u64>,
    /// The outcomes, ordered by policy and then by seed.
    pub outcomes: Vec<Outcome>,
}

/// The name and the settings of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInfo {
    /// The name.
    pub name: String,
    /// The settings in one line.
    pub about: String,
    /// Whether the policy retries at all.
    pub retries: bool,
}

impl Comparison {
    /// Runs every policy with every seed, on as many threads as there are processors.
    ///
    /// `progress` receives the completed share of all runs, from several threads. The outcome of a run
    /// depends on its seed only, never on the number of threads.
    ///
    /// # Panics
    /// Panics if a policy panics.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::policies::{NoRetry, RedressStack};
    /// use redress_lab::{Comparison, Policy, Scenario};
    ///
    /// let scenario: Scenario = r#"
    ///     name = "errors"
    ///     length = "30s"
    ///     clients = { rate = 10.0, deadline = "10s" }
    ///     server = { kind = "fifo", rate = 100.0 }
    ///     fault = [{ kind = "answer", from = "0s", for = "30s", share = 0.1 }]
    /// "#
    /// .parse()?;
    /// let policies: [Box<dyn Policy>; 2] = [Box::new(NoRetry), Box::new(RedressStack::new())];
    /// let comparison = Comparison::run(&scenario, &policies, &[1, 2], |_share| {});
    ///
    /// assert_eq!(comparison.outcomes(0).len(), 2, "one outcome per seed");
    /// assert!(comparison.retried(1) && !comparison.retried(0));
    /// let [none, redress] = comparison.summaries().try_into().unwrap();
    /// assert!(redress.served > none.served);
    /// assert_eq!(comparison.rows()[1].scenario, "errors");
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
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
            policies: policies.iter().map(|policy| PolicyInfo::from_policy(policy.as_ref())).collect(),
            seeds: seeds.to_vec(),
            outcomes: results.into_iter().map(|outcome| outcome.expect("every job was done")).collect(),
        }
    }

    /// Returns the outcomes of the policy with this index, one per seed.
    #[must_use]
    pub fn outcomes(&self, policy: usize) -> &[Outcome] {
        &self.outcomes[policy * self.seeds.len()..(policy + 1) * self.seeds.len()]
    }

    /// Returns one summary per policy, over all of its seeds.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        (0..self.policies.len()).map(|nth| Summary::from_outcomes(&self.scenario, self.outcomes(nth))).collect()
    }

    /// Returns `true` if the policy with this index sent more than one request for any call.
    #[must_use]
    pub fn retried(&self, policy: usize) -> bool {
        self.outcomes(policy).iter().any(|outcome| outcome.calls_by_attempts[2..].iter().any(|calls| *calls > 0))
    }
}

impl PolicyInfo {
    fn from_policy(policy: &dyn Policy) -> Self {
        Self { name: policy.name().to_owned(), about: policy.about(), retries: policy.retries() }
    }
}

fn take<'j, J>(next: &AtomicUsize, jobs: &'j [J]) -> Option<(usize, &'j J)> {
    let nth = next.fetch_add(1, Ordering::Relaxed);
    Some((nth, jobs.get(nth)?))
}
