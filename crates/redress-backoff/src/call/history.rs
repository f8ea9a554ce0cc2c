//! The attempts of a call so far, from which its record is made.

use std::time::Duration;

use redress_classify::straight::Attempts;
use redress_classify::{Attempt, Class, EndReason, Phase, Record, Verdict};

/// The maximum number of resends of a call that wait for the end of an outage, probes included. It bounds the record of a
/// call, and the probes that a call which is alone sends.
const MAX_OUTAGE_RESENDS: u32 = 32;

/// The attempts that have ended, and the position of the current one among them.
pub(super) struct History {
    ended: Attempts,
    /// The number of attempts, including those in flight, without the resend after a refresh and those at the end of an
    /// outage.
    attempts: u32,
    /// The number of resends that waited for the end of an outage, probes included.
    outage_resends: u32,
    resend: Resend,
    /// Whether an attempt was retried though nothing proved that it was not processed.
    maybe_processed: bool,
}

/// The cause of sending a request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A retry: the next attempt.
    Retry,
    /// A refresh of the credentials.
    Refresh,
    /// An outage, for whose end the request waits in a layer below.
    Outage,
    /// None: the request is in flight already, as the other attempt of a call that is hedged.
    Race,
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
        Self { ended: Attempts::new(), attempts: 1, outage_resends: 0, resend: Resend::Unused, maybe_processed: false }
    }

    /// Returns `true` during the first attempt.
    pub(super) fn is_empty(&self) -> bool {
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

    /// Returns `true` if the call may be sent again at the end of an outage once more.
    pub(super) const fn has_outage_resends_left(&self) -> bool {
        self.outage_resends < MAX_OUTAGE_RESENDS
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

    /// Adds an attempt and begins the next one.
    pub(super) fn go_on(&mut self, ended: Attempt, cause: Cause) {
        self.ended.push(ended);
        if self.is_resend() {
            self.resend = Resend::Used;
        }
        match cause {
            Cause::Retry => self.attempts = self.attempts.saturating_add(1),
            Cause::Refresh => self.resend = Resend::Current,
            Cause::Outage => self.outage_resends = self.outage_resends.saturating_add(1),
            Cause::Race => {}
        }
    }

    /// Counts a hedge, which is sent while the first attempt goes on.
    pub(super) const fn count_hedge(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    /// Takes back a hedge that was not sent.
    pub(super) const fn uncount_hedge(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
    }

    /// Moves the attempts into the record of the call.
    pub(super) fn take_record(&mut self, reason: EndReason) -> Record {
        Record::from_attempts(std::mem::take(&mut self.ended), reason)
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
