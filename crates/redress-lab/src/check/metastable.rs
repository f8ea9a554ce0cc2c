//! Metastable failures: a server that stays overloaded after the end of an outage.
//!
//! The offered load is steady, as in the paper. The recovery time is the backlog divided by the spare
//! capacity, and Poisson arrivals would change it by a quarter. The server has recovered in the first
//! second after the outage from which at least 95 % of the calls of five seconds are answered in time.

mod budgets;

use std::ops::Range;

use super::backoff_only::BackoffOnly;
use super::finding::{Measurement, number};
use super::model::{outcome, scenario, served};
use super::{Check, Trial};
use crate::outcome::Second;
use crate::{Outcome, Policy};

pub(super) use budgets::BUDGETS;

pub(super) const THRESHOLD: Check = Check {
    id: "hotos-threshold",
    about: "Bronson et al., \"Metastable Failures in Distributed Systems\" (HotOS 2021), section 2.1: a server of 300/s, \
            clients with a timeout of 1 s and one retry, an outage of 10 s whose requests arrive at its end. Below half of the \
            capacity the server recovers; above it never does, with one retry per call. Runs the shipped \
            BackoffLayer without a budget.",
    parameters: &[],
    cost: 2.5,
    values: threshold,
};

/// The end of the outage, in seconds.
const ENDS: usize = 70;
/// The seconds over which the final goodput is measured.
const LATE: Range<usize> = 300..400;
/// The length of the window in seconds.
const WINDOW: usize = 5;

/// Runs a policy at `rate` calls per second for this number of seconds.
fn run(rate: u32, seconds: usize, policy: &dyn Policy, seed: u64) -> Outcome {
    let text = format!(
        "name = 'outage'
         length = '{seconds}s'
         clients = {{ rate = {rate}.0, arrivals = 'steady', attempt_timeout = '1s', deadline = '1h' }}
         server = {{ kind = 'fifo', rate = 300.0 }}
         fault = [{{ kind = 'hold', from = '60s', for = '10s' }}]"
    );
    let mut outcome = outcome(&scenario(&text), policy, seed);
    // No calls arrive after the end.
    outcome.seconds.truncate(seconds);
    outcome
}

/// Returns the second of the recovery.
fn back(seconds: &[Second]) -> Option<usize> {
    let is_as_before = |window: &[Second]| {
        let (offered, served) = served(window);
        served >= 0.95 * offered
    };
    seconds.windows(WINDOW).skip(ENDS).position(is_as_before).map(|nth| nth + ENDS)
}

/// Returns the final goodput, in calls per second.
fn goodput(seconds: &[Second]) -> f64 {
    served(&seconds[LATE]).1 / LATE.len() as f64
}

/// Returns the final load, in requests per second.
fn load(seconds: &[Second]) -> f64 {
    seconds[LATE].iter().map(|second| second.load).sum::<u64>() as f64 / LATE.len() as f64
}

/// Writes the recovery for the table of the program.
fn format_recovery(back: Option<usize>, length: usize) -> String {
    back.map_or_else(|| format!("not by {length} s"), |second| format!("back at {second} s"))
}

/// Runs one retry per call below and above half of the capacity.
fn threshold(trial: &Trial<'_>) -> Vec<Measurement> {
    let policy = BackoffOnly::at_once("one retry", 1);
    let low = run(140, LATE.end, &policy, trial.seed);
    let is_back = back(&low.seconds);
    let pass = is_back.is_some_and(|second| second.abs_diff(185) <= 18);
    let measured = format!("{}, {} retries", format_recovery(is_back, LATE.end), low.attempts - low.calls);
    let mut values = vec![Measurement::new("140/s", "back at 185 s +-10 %", measured, pass)];
    values.extend([200, 280].map(|rate| {
        let seconds = run(rate, LATE.end, &policy, trial.seed).seconds;
        let (is_back, load, twice) = (back(&seconds), load(&seconds), f64::from(2 * rate));
        let pass = is_back.is_none() && (load - twice).abs() <= 0.01 * twice;
        let measured = format!("{}, {load:.2} arrivals/s", format_recovery(is_back, LATE.end));
        Measurement::new(format!("{rate}/s"), format!("never back, {} arrivals/s +-1 %", number(twice)), measured, pass)
    }));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_needs_five_good_seconds_in_a_row() {
        let second = |goodput| Second { offered: 100, goodput, ..Second::default() };
        let mut seconds = vec![second(0); 100];
        seconds[60] = second(100);
        seconds[71] = second(100);
        assert_eq!(back(&seconds), None);
        seconds[75..].fill(second(97));
        assert_eq!(back(&seconds), Some(75));
    }
}
