//! Facts about a whole dialect that decide whether one of its rules can hold.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::words::Words;
use crate::dialect::condition::Condition;
use crate::dialect::spec::Spec;
use crate::pattern::{Glob, Ranges};

/// The statuses that an error rule may make an error: all others are one
/// without a rule, or none with any.
pub(super) const SUCCESS: RangeInclusive<i64> = 200..=299;
const STATUSES: usize = 1_000;

/// The words that a dialect reads, the statuses that can be errors, and the
/// rows that rules hide.
pub(super) struct Facts<'s> {
    /// The words that a code, and a reason, may be.
    pub(super) code: Words<'s>,
    pub(super) reason: Words<'s>,
    /// How many statuses below each one may be those of an error.
    failing: Vec<u16>,
    /// The rule that decides each code, and each status, before its row is asked.
    codes: HashMap<&'s str, usize>,
    statuses: HashMap<u16, usize>,
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
        let (mut codes, mut statuses) = (HashMap::new(), HashMap::new());
        for (nth, (when, _)) in spec.rules.iter().enumerate().filter(|(_, (_, rule))| rule.class.is_some()) {
            match &when[..] {
                [Condition::Code(all)] if !all.iter().any(Glob::is_wild) => {
                    all.iter().for_each(|code| _ = codes.entry(code.as_str()).or_insert(nth));
                }
                [Condition::Status(all)] => {
                    let rows = spec.statuses.keys().filter(|status| all.contains(i64::from(**status)));
                    rows.for_each(|status| _ = statuses.entry(*status).or_insert(nth));
                }
                _ => {}
            }
        }
        Self { code, reason, failing, codes, statuses }
    }

    /// Returns the rule that decides a code, whatever its row says.
    pub(super) fn rule_of_code(&self, code: &str) -> Option<usize> {
        self.codes.get(code).copied()
    }

    /// Returns the rule that decides a status, whatever its row says.
    pub(super) fn rule_of_status(&self, status: u16) -> Option<usize> {
        self.statuses.get(&status).copied()
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
