//! Runs checks on several threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::{Check, Finding, Trial};

/// Runs checks on this number of threads, and returns the findings in the order of the checks.
///
/// `progress` receives the completed share of the work, about ten times per second.
///
/// # Panics
/// Panics if a check panics.
///
/// # Examples
/// ```
/// use redress_lab::check::{self, Overrides, Trial};
/// use std::num::NonZeroUsize;
///
/// let quick: Vec<_> = check::all().iter().filter(|check| check.id == "sre-64").collect();
/// let trial = Trial { seed: 1, overrides: &Overrides::default() };
/// let findings = check::run(&quick, trial, NonZeroUsize::MIN, |_share| {});
/// assert!(findings[0].pass(), "{} for {}", findings[0].measured(), findings[0].expected());
/// ```
pub fn run(checks: &[&Check], trial: Trial<'_>, threads: NonZeroUsize, mut progress: impl FnMut(f64)) -> Vec<Finding> {
    let mut longest_first: Vec<usize> = (0..checks.len()).collect();
    longest_first.sort_by(|a, b| checks[*b].cost.total_cmp(&checks[*a].cost));
    let total: f64 = checks.iter().map(|check| check.cost).sum();
    let (next, mut done) = (AtomicUsize::new(0), 0.0);
    let mut findings: Vec<Option<Finding>> = vec![None; checks.len()];
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..threads.get() {
            let (tell, next, longest_first) = (tell.clone(), &next, &longest_first);
            scope.spawn(move || {
                while let Some(nth) = longest_first.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver is gone if another check has panicked.
                    let _ = tell.send((*nth, checks[*nth].run(trial)));
                }
            });
        }
        drop(tell);
        loop {
            match told.recv_timeout(Duration::from_millis(100)) {
                Ok((nth, finding)) => {
                    findings[nth] = Some(finding);
                    done += checks[nth].cost;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress(done / total);
        }
    });
    findings.into_iter().map(|finding| finding.expect("every check was run")).collect()
}
