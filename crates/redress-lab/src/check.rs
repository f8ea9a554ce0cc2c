//! Published results on retries, as named checks that run the shipped layers.
//!
//! Each check is a model of a source, run in virtual time, and what must come out of it. The layers that the checks run
//! are the shipped ones wherever these can be set to do what the source does; policies that redress does not have are run
//! as [reference policies](crate::policies::reference). Every check says which.
//!
//! What is drawn depends on the seed; what must hold, holds with any.

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

pub use finding::{Finding, Measurement};
pub use parameters::{InvalidParameter, Overrides, Parameter};
pub use runner::run;

/// A published result.
#[derive(Debug)]
pub struct Check {
    /// Its name.
    pub id: &'static str,
    /// Where it was published, and what is run.
    pub about: &'static str,
    /// What can be set.
    pub parameters: &'static [Parameter],
    /// About how many seconds it takes: the longest ones are begun first.
    cost: f64,
    values: fn(&Trial<'_>) -> Vec<Measurement>,
}

/// With what a check is run.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The seed of all random numbers.
    pub seed: u64,
    /// What was set.
    pub overrides: &'a Overrides,
}

static ALL: [Check; 23] = [
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
    hedge::TAIL_HEDGE,
    bucket::AWS_BUCKET,
    envoy::ENVOY_BACKOFF,
    herd::HERD,
];

/// Returns all checks.
#[must_use]
pub fn all() -> &'static [Check] {
    &ALL
}

impl Check {
    /// Runs it.
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

    /// Whether everything that is set is for this check, too.
    #[must_use]
    pub fn accepts(&self, overrides: &Overrides) -> bool {
        overrides.names().all(|name| self.parameters.iter().any(|key| key.name == name))
    }
}

impl Trial<'_> {
    /// Returns what a key is set to, or else the default.
    fn value_or(&self, name: &str, default: f64) -> f64 {
        self.overrides.get(name).unwrap_or(default)
    }

    /// Returns what a count is set to, or else the default.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a key that counts was checked to")]
    fn count_or(&self, name: &str, default: u32) -> u32 {
        self.overrides.get(name).map_or(default, |value| value as u32)
    }

    /// Returns what a key is set to, or else each of the defaults.
    fn values_or(&self, name: &str, defaults: &[f64]) -> Vec<f64> {
        self.overrides.get(name).map_or_else(|| defaults.to_vec(), |value| vec![value])
    }

    /// Returns the seed of the nth part.
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
    fn each_check_has_a_name_of_its_own() {
        let ids: std::collections::BTreeSet<_> = all().iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), all().len());
    }

    #[test]
    fn the_quick_checks_hold() {
        for id in ["sre-64", "abl-243", "aws-bucket"] {
            let finding = finding(id, &[]);
            assert!(finding.pass(), "{id}: {} for {}", finding.measured(), finding.expected());
        }
    }

    #[test]
    fn at_other_points_the_closed_forms_hold_as_well() {
        for (id, overrides) in [("sre-64", vec!["retries=2", "layers=4"]), ("aws-bucket", vec!["tokens=70"])] {
            let finding = finding(id, &overrides);
            assert!(finding.pass(), "{id}: {} for {}", finding.measured(), finding.expected());
        }
    }
}
