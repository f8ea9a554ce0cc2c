//! The attempts of a call so far, from which its record is made.

use std::time::Duration;

use redress_classify::{Attempt, Class, EndReason, Phase, Record, Verdict};

/// The attempts that have ended, and the position of the current one among them.
pub(super) struct History {
    ended: Vec<Attempt>,
    /// The number of attempts, including the current one and without the resend after a refresh.
    attempts: u32,
    resend: Resend,
    /// Whether an attempt was retried though nothing proved that it was not processed.
    maybe_processed: bool,
}

/// The one resend after a refresh that each call has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resend {
    Unused,
    /// The current attempt is the resend.
    Current,
    Used,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { ended: Vec::new(), attempts: 1, resend: Resend::Unused, maybe_processed: false }
    }

    /// Returns `true` during the first attempt.
    pub(super) const fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }

    /// Returns the number of attempts that have ended, the resend after a refresh included.
    pub(super) fn ended(&self) -> u32 {
        u32::try_from(self.ended.len()).unwrap_or(u32::MAX)
    }

    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the number of ended attempts that may have reached the server: those that gRPC calls transparent retries are
    /// not counted.
    pub(super) fn sent_attempts(&self) -> u32 {
        let is_sent =
            |attempt: &&Attempt| attempt.verdict.as_ref().is_none_or(|verdict| verdict.phase() != Phase::NotSent);
        u32::try_from(self.ended.iter().filter(is_sent).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn is_resend(&self) -> bool {
        self.resend == Resend::Current
    }

    pub(super) fn has_resent(&self) -> bool {
        self.resend != Resend::Unused
    }

    pub(super) fn last_wait(&self) -> Option<Duration> {
        self.ended.iter().rev().find_map(|attempt| attempt.wait)
    }

    /// Notes that the current attempt is retried though it may have been processed.
    pub(super) const fn set_maybe_processed(&mut self) {
        self.maybe_processed = true;
    }

    /// Returns `true` if any attempt may have been processed.
    pub(super) fn is_maybe_processed(&self) -> bool {
        self.maybe_processed || self.ended.iter().any(is_cut_or_faulty)
    }

    pub(super) fn push(&mut self, ended: Attempt) {
        self.ended.push(ended);
    }

    /// Adds an attempt and begins the next one, which is a retry or the resend after a refresh.
    pub(super) fn go_on(&mut self, ended: Attempt, is_resend: bool) {
        self.ended.push(ended);
        if is_resend {
            self.resend = Resend::Current;
            return;
        }
        self.attempts = self.attempts.saturating_add(1);
        if self.is_resend() {
            self.resend = Resend::Used;
        }
    }

    /// Moves the attempts into the record of the call.
    pub(super) fn take_record(&mut self, reason: EndReason) -> Record {
        Record::new(std::mem::take(&mut self.ended), reason)
    }
}

/// Returns `true` for an attempt that may have taken effect: one that was cut off, or that was answered by a fault of the
/// server.
fn is_cut_or_faulty(attempt: &Attempt) -> bool {
    let may_have_effect = |verdict: &Verdict| {
        verdict.phase() != Phase::NotSent && matches!(verdict.class(), Class::Unavailable | Class::Internal)
    };
    attempt.verdict.as_ref().is_some_and(may_have_effect)
}
