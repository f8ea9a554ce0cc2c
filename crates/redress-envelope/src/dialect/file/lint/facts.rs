//! What a whole dialect says, as far as one rule depends on it.

use std::ops::RangeInclusive;

use super::words::Words;
use crate::dialect::condition::Condition;
use crate::dialect::spec::Spec;
use crate::pattern::Ranges;

/// The statuses that an error rule may make an error: all others are one without a rule, or none with any.
pub(super) const SUCCESS: RangeInclusive<i64> = 200..=299;
const STATUSES: usize = 1_000;

/// What a dialect says.
pub(super) struct Facts<'s> {
    /// The words that a code, and a reason, may be.
    pub(super) code: Words<'s>,
    pub(super) reason: Words<'s>,
    /// How many statuses below each one may be those of an error.
    failing: Vec<u16>,
}

impl<'s> Facts<'s> {
    pub(super) fn new(spec: &'s Spec) -> Self {
        let named = |status: usize| {
            let row = u16::try_from(status).ok().and_then(|status| spec.statuses.get(&status));
            row.is_some_and(|row| row.class.is_some())
        };
        let signalled = |status: usize| {
            let status = i64::try_from(status).unwrap_or_default();
            SUCCESS.contains(&status)
                && spec.errors.iter().any(|rule| {
                    rule.when.iter().all(|condition| match condition {
                        Condition::Status(statuses) => statuses.contains(status),
                        _ => true,
                    })
                })
        };
        let mut failing = vec![0];
        for status in 0..STATUSES {
            let fails = status >= 400 || named(status) || signalled(status);
            failing.push(failing[status] + u16::from(fails));
        }
        let code = Words::new(spec.readings().flat_map(|reading| reading.code.iter().flatten()), true);
        let reason = Words::new(spec.readings().flat_map(|reading| reading.reason.iter().flatten()), false);
        Self { code, reason, failing }
    }

    /// Returns `true` if a response with one of these statuses may be an error.
    pub(super) fn may_fail(&self, statuses: &Ranges) -> bool {
        let bound = |status: i64| usize::try_from(status.clamp(0, 1_000)).unwrap_or_default();
        statuses.bounds().iter().any(|range| {
            let (first, end) = (bound(*range.start()), bound(range.end().saturating_add(1)));
            first < end && self.failing[end] > self.failing[first]
        })
    }
}
