//! An outage that is over, and a server that stays down: metastable failures.
//!
//! The offered load is steady, as the paper says: the time to recover is a backlog by the small rest of the capacity, and
//! with Poisson arrivals chance would move it by a quarter. A server *is back* in the first second from the end of the
//! outage on of which, with the four seconds after it, at least 95 % of the calls offered are answered in time.

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
            clients that wait 1 s and ask once more, an outage of 10 s whose requests arrive at its end. Inner half of the \
            capacity it recovers, above it never does: the retries are as many as the calls. Runs the shipped \
            BackoffLayer without a budget.",
    parameters: &[],
    cost: 2.5,
    values: threshold,
};

/// When the outage ends, in seconds.
const ENDS: usize = 70;
/// The seconds in which goodput is looked at.
const LATE: Range<usize> = 300..400;
/// How many seconds together show that it is over.
const WINDOW: usize = 5;

/// Runs a policy at so many calls a second for so many seconds.
fn run(rate: u32, seconds: usize, policy: &dyn Policy, seed: u64) -> Outcome {
    let text = format!(
        "name = 'outage'
         length = '{seconds}s'
         clients = {{ rate = {rate}.0, arrivals = 'steady', attempt_timeout = '1s', deadline = '1h' }}
         server = {{ kind = 'fifo', rate = 300.0 }}
         fault = [{{ kind = 'hold', from = '60s', for = '10s' }}]"
    );
    let mut outcome = outcome(&scenario(&text), policy, seed);
    // Nobody calls after the end.
    outcome.seconds.truncate(seconds);
    outcome
}

/// Returns the second in which the server is back.
fn back(seconds: &[Second]) -> Option<usize> {
    let is_as_before = |window: &[Second]| {
        let (offered, served) = served(window);
        served >= 0.95 * offered
    };
    seconds.windows(WINDOW).skip(ENDS).position(is_as_before).map(|nth| nth + ENDS)
}

/// Returns how many calls a second were answered in time in the late seconds.
fn goodput(seconds: &[Second]) -> f64 {
    served(&seconds[LATE]).1 / LATE.len() as f64
}

/// Returns how many requests a second arrived in the late seconds.
fn load(seconds: &[Second]) -> f64 {
    seconds[LATE].iter().map(|second| second.load).sum::<u64>() as f64 / LATE.len() as f64
}

fn format_recovery(back: Option<usize>, length: usize) -> String {
    back.map_or_else(|| format!("not by {length} s"), |second| format!("back at {second} s"))
}

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
    fn a_server_is_back_when_it_answers_for_some_seconds_together() {
        let second = |goodput| Second { offered: 100, goodput, ..Second::default() };
        let mut seconds = vec![second(0); 100];
        seconds[60] = second(100);
        seconds[71] = second(100);
        assert_eq!(back(&seconds), None);
        seconds[75..].fill(second(97));
        assert_eq!(back(&seconds), Some(75));
    }
}
