//! Backoff in open and in closed workloads.
//!
//! Open arrivals come whatever the server does, so that a wait moves a retry and saves none. A caller in a closed
//! loop does nothing else while it waits, so that a wait lowers its rate. Most servers see both; the lab's scenarios
//! are open unless they set `callers`.

use std::time::Duration;

use redress::Jitter;

use super::backoff_only::{BackoffOnly, schedule};
use super::finding::{Measurement, number, percent};
use super::model::{brooker, outcome};
use super::{Check, Trial};
use crate::Outcome;

pub(super) const OPEN_NULL: Check = Check {
    id: "brooker-open-null",
    about: "Brooker, \"What is backoff for?\" (2022-08-11): with open arrivals backoff only \
            delays the load. f = .5, three retries, with and without waits that double from 0.1 s. Runs the shipped \
            BackoffLayer.",
    parameters: &[],
    cost: 2.0,
    values: open_null,
};

pub(super) const SERIAL: Check = Check {
    id: "brooker-serial",
    about: "Brooker, \"What is backoff for?\" (2022-08-11): clients with one call at a time make fewer requests while \
            they wait. 100 of them with a mean think time of 0.1 s, against open arrivals of the same rate. Runs the \
            shipped BackoffLayer.",
    parameters: &[],
    cost: 0.5,
    values: serial,
};

/// The probability that an attempt fails.
const F: f64 = 0.5;

/// Three retries after 0.1 s, 0.2 s and 0.4 s, without jitter as in the article.
fn backing_off() -> BackoffOnly {
    BackoffOnly::new("backoff", 3, schedule(Duration::from_millis(100), Duration::from_secs(20)), Jitter::None)
}

/// Compares the load of open arrivals with and without waits.
fn open_null(trial: &Trial<'_>) -> Vec<Measurement> {
    // Different seeds: with the same random numbers they would agree by construction.
    let load = |policy, part| outcome(&brooker(1_000, 100, F), &policy, trial.part_seed(part)).attempts_per_call;
    let (with, without) = (load(backing_off(), 0), load(BackoffOnly::at_once("at once", 3), 1));
    let pass = (with - without).abs() < 0.02;
    vec![Measurement::new(
        "load with backoff",
        format!("{} +-2 points, as without", percent(without)),
        percent(with),
        pass,
    )]
}

/// Compares the requests of a hundred callers in a closed loop with those of open arrivals.
fn serial(trial: &Trial<'_>) -> Vec<Measurement> {
    let open = outcome(&brooker(1_000, 10, F), &BackoffOnly::at_once("at once", 3), trial.seed);
    let serial = |policy: BackoffOnly| -> Outcome {
        let mut scenario = brooker(1_000, 10, F);
        let clients = &mut scenario.clients;
        (clients.rate, clients.callers, clients.think) = (None, Some(100), Duration::from_millis(100));
        outcome(&scenario, &policy, trial.seed)
    };
    let (with, without) = (serial(backing_off()), serial(BackoffOnly::at_once("at once", 3)));
    let half = open.attempts / 2;
    let text = format!("at most half of the open {}: {half}", open.attempts);
    let measured = format!("{} ({} without backoff)", with.attempts, number(without.attempts as f64));
    vec![Measurement::new(
        "requests in 10 s",
        text,
        measured,
        with.attempts <= half && with.attempts < without.attempts,
    )]
}
