//! Published results on retries, repeated as named checks of the shipped layers.
//!
//! Each check models a source in virtual time and states the result that must come out. It runs the
//! shipped layers where these can be configured as in the source, and [reference
//! policies](crate::policies::reference) for rules that redress does not have. [`Check::about`] names
//! the source and the code that runs.
//!
//! The measured values depend on the seed. The expected ranges hold for every seed.
//!
//! | check | source | result |
//! |---|---|---|
//! | `adaptive-hedge` | Bhope, "Stragglers, Not Failures", InfoQ 2026 | hedging after the measured 90th percentile reduces the p99 by 74 % |
//! | `aws-occ-*` | AWS Architecture Blog, "Exponential Backoff And Jitter" | writes and time until 100 clients have updated one row, for five kinds of jitter |
//! | `aws-bucket` | AWS SDKs, standard retry mode | a full bucket pays for 100 or 35 retries |
//! | `abl-243` | Amazon Builders' Library, "Timeouts, retries, and backoff with jitter" | five layers of three attempts send 243 requests |
//! | `brooker-*` | Brooker, "Fixing retries with token buckets and circuit breakers"; "What is backoff for?" | closed forms of success and load; fleets; backoff in open and closed workloads |
//! | `collapse-*` | Brooker's simulation of a simple collapse | a spike causes a collapse without backoff |
//! | `open-closed` | Brooker, "Open and closed" | a closed loop hides the queue |
//! | `envoy-backoff` | Envoy, `retry_back_off` | the distribution of the waits |
//! | `herd` | RFC 9110, section 10.2.3 | `Retry-After` is kept and spread |
//! | `hotos-*` | Bronson et al., "Metastable Failures in Distributed Systems", 2021 | the threshold, and the budgets that recover |
//! | `sre-64`, `sre-budget` | Site Reliability Engineering, chapters 22 and 21 | layers multiply attempts; a budget of 10 % |
//! | `sre-throttling` | the same, chapter 21 | one refusal for each accepted request, or for ten; it prolongs a long outage |
//! | `tail-hedge` | Dean and Barroso, "The Tail at Scale", CACM 2013 | hedging costs 5 % load if tails are independent |

mod adaptive_hedge;
mod amplification;
mod backoff_only;
mod bucket;
mod closed_form;
mod collapse;
mod envoy;
mod finding;
mod fleet;
mod hedge;
mod herd;
mod metastable;
mod model;
mod occ;
mod parameters;
mod queueing;
mod runner;
mod serial;
mod storm;
mod throttling;

pub use finding::{Finding, Measurement};
pub use parameters::{InvalidParameter, Overrides, Parameter};
pub use runner::run;

/// A published result, and the code that measures it.
#[derive(Debug)]
pub struct Check {
    /// The name of the check.
    pub id: &'static str,
    /// The source, the claim, and the code that runs.
    pub about: &'static str,
    /// The parameters that can be overridden.
    pub parameters: &'static [Parameter],
    /// The approximate duration in seconds. The longest checks start first.
    cost: f64,
    values: fn(&Trial<'_>) -> Vec<Measurement>,
}

/// The input of a check.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The seed of all random numbers.
    pub seed: u64,
    /// The overridden parameters.
    pub overrides: &'a Overrides,
}

static ALL: [Check; 26] = [
    occ::CALLS,
    occ::TIME,
    occ::HALVING,
    occ::SQUARE,
    closed_form::CLOSED_FORM,
    fleet::ADAPTIVE_CAP,
    fleet::DEPOSIT,
    fleet::BREAKER_EARLY,
    fleet::CLIENTS,
    serial::OPEN_NULL,
    serial::SERIAL,
    collapse::SPIKE,
    collapse::RAMP,
    queueing::OPEN_CLOSED,
    metastable::THRESHOLD,
    metastable::BUDGETS,
    amplification::SRE_64,
    amplification::ABL_243,
    amplification::SRE_BUDGET,
    storm::STORM,
    throttling::THROTTLING,
    hedge::TAIL_HEDGE,
    adaptive_hedge::ADAPTIVE_HEDGE,
    bucket::AWS_BUCKET,
    envoy::ENVOY_BACKOFF,
    herd::HERD,
];

/// Returns all checks, in the order of the table.
///
/// # Examples
/// ```
/// use redress_lab::check;
///
/// let herd = check::all().iter().find(|check| check.id == "herd").unwrap();
/// assert!(herd.about.contains("RFC 9110"));
/// assert_eq!(herd.parameters[0].name, "m");
/// ```
#[must_use]
pub fn all() -> &'static [Check] {
    &ALL
}

impl Check {
    /// Runs the check.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::check::{self, Overrides, Trial};
    ///
    /// let layers = check::all().iter().find(|check| check.id == "abl-243").expect("it is one of them");
    /// let finding = layers.run(Trial { seed: 1, overrides: &Overrides::default() });
    /// assert!(finding.pass(), "{}", finding.measured());
    /// ```
    #[must_use]
    pub fn run(&self, trial: Trial<'_>) -> Finding {
        Finding { id: self.id, values: (self.values)(&trial) }
    }

    /// Returns `true` if the check has all of the overridden parameters.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::check::{self, Overrides};
    ///
    /// let overrides = Overrides::parse(&["f=.2"])?;
    /// let herd = check::all().iter().find(|check| check.id == "herd").unwrap();
    /// assert!(!herd.accepts(&overrides), "it has no failure probability");
    /// # Ok::<(), redress_lab::check::InvalidParameter>(())
    /// ```
    #[must_use]
    pub fn accepts(&self, overrides: &Overrides) -> bool {
        overrides.names().all(|name| self.parameters.iter().any(|key| key.name == name))
    }
}

impl Trial<'_> {
    /// Returns the value of a parameter, or its default.
    fn value_or(&self, name: &str, default: f64) -> f64 {
        self.overrides.get(name).unwrap_or(default)
    }

    /// Returns the value of an integer parameter, or its default.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a key that counts was checked to")]
    fn count_or(&self, name: &str, default: u32) -> u32 {
        self.overrides.get(name).map_or(default, |value| value as u32)
    }

    /// Returns the overridden value of a parameter, or all of the defaults.
    fn values_or(&self, name: &str, defaults: &[f64]) -> Vec<f64> {
        self.overrides.get(name).map_or_else(|| defaults.to_vec(), |value| vec![value])
    }

    /// Returns the seed of one of several runs of the check.
    const fn part_seed(&self, nth: u64) -> u64 {
        self.seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, overrides: &[&str]) -> Finding {
        let overrides = Overrides::parse(overrides).unwrap();
        let check = all().iter().find(|check| check.id == id).unwrap();
        assert!(check.accepts(&overrides));
        check.run(Trial { seed: 1, overrides: &overrides })
    }

    #[test]
    fn check_names_are_unique() {
        let ids: std::collections::BTreeSet<_> = all().iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), all().len());
    }

    #[test]
    fn the_quick_checks_pass() {
        for id in ["sre-64", "abl-243", "aws-bucket"] {
            let finding = finding(id, &[]);
            assert!(finding.pass(), "{id}: {} for {}", finding.measured(), finding.expected());
        }
    }

    #[test]
    fn closed_forms_also_hold_for_overridden_parameters() {
        for (id, overrides) in [("sre-64", vec!["retries=2", "layers=4"]), ("aws-bucket", vec!["tokens=70"])] {
            let finding = finding(id, &overrides);
            assert!(finding.pass(), "{id}: {} for {}", finding.measured(), finding.expected());
        }
    }
}
