//! What happened on the way to a result: every attempt, every wait, and why it stopped.

use std::fmt;
use std::time::Duration;

use redress_envelope::{Basis, Class, HintSource};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::api_error::ApiError;
use crate::secrets::Secrets;
use crate::verdict::Verdict;

/// The attempts of one call.
///
/// Of each it tells what came back, on which evidence that was judged, how long the layer waited and why, and what the
/// retry budget was; and of the call why it stopped. Its `Display` is one short line for a log.
///
/// It is attached to a response when there was more than one attempt, or when the layer gave up on one that could have been
/// tried again; and to every error that a call of the layer ends with.
#[derive(Clone, Debug)]
pub struct Record {
    attempts: Vec<Attempt>,
    end_reason: EndReason,
}

/// One attempt of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The status that came back, if any.
    pub status: Option<u16>,
    /// What the attempt came to; `None` for a success.
    pub verdict: Option<Verdict>,
    /// Whether this was the free re-send after a refresh, which is no attempt of its own.
    pub is_resend: bool,
    /// How long the layer planned to wait after this attempt.
    pub wait: Option<Duration>,
    /// What that wait is based on.
    pub wait_source: Option<WaitSource>,
    /// How many tokens the retry budget had when this attempt ended; `None` without a budget.
    pub budget_before: Option<u32>,
    /// How many it had once the decision was made: fewer by what a retry reserved, more by what a success gave back.
    ///
    /// A budget is shared: another call may have taken or given tokens between the two.
    pub budget_after: Option<u32>,
}

/// What a wait is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitSource {
    /// The server's hint, found there.
    Hint(HintSource),
    /// The schedule that the vendor publishes, or its wait after a 429 without a hint.
    Vendor,
    /// The layer's own schedule.
    Backoff,
}

/// Why no further attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The last attempt succeeded.
    Success,
    /// The verdict says that another attempt would not help.
    NotRetryable,
    /// The request may have been processed, and nothing says that it is safe to send it twice.
    NotIdempotent,
    /// The body cannot be sent again.
    NotClonable,
    /// The number of attempts is used up.
    MaxAttempts,
    /// The retry budget is used up.
    Budget,
    /// The server asks for a longer wait than the caller honours.
    HintTooLong,
    /// The next attempt would begin after the deadline, or the deadline passed during the last one.
    Deadline,
    /// The upstream asked everybody to wait, or its limit was reached, and the wait was longer than the call could bear.
    Paced,
    /// The attempt failed before it was made: the service was not ready.
    NotSent,
    /// The attempt failed before it was made: no credentials could be obtained.
    Credentials,
}

impl Record {
    /// Makes a record of the given attempts.
    #[must_use]
    pub const fn new(attempts: Vec<Attempt>, end_reason: EndReason) -> Self {
        Self { attempts, end_reason }
    }

    /// Returns every attempt, replays included, in order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Returns why it stopped.
    #[must_use]
    pub const fn end_reason(&self) -> EndReason {
        self.end_reason
    }

    /// Returns the record with the secrets masked in all that servers wrote; `None` when it holds none of them.
    #[must_use]
    pub fn masked(&self, secrets: &Secrets) -> Option<Self> {
        let mut masked: Option<Self> = None;
        for (nth, attempt) in self.attempts.iter().enumerate() {
            let verdict = attempt.verdict.as_ref().and_then(|verdict| verdict.masked(secrets));
            if verdict.is_some() {
                masked.get_or_insert_with(|| self.clone()).attempts[nth].verdict = verdict;
            }
        }
        masked
    }
}

impl Attempt {
    /// Notes an attempt that came to this status and verdict.
    #[must_use]
    pub const fn new(status: Option<u16>, verdict: Option<Verdict>, is_resend: bool) -> Self {
        let (wait, wait_source, budget_before, budget_after) = (None, None, None, None);
        Self { status, verdict, is_resend, wait, wait_source, budget_before, budget_after }
    }

    /// Returns what kind of failure it was; `None` for a success.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.verdict.as_ref().map(Verdict::class)
    }

    /// Returns the evidence: what decided the class; `None` for a success.
    #[must_use]
    pub fn basis(&self) -> Option<Basis> {
        self.verdict.as_ref().map(Verdict::basis)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_attempts(f)?;
        write!(f, "; {}", self.end_reason)
    }
}

impl Record {
    /// Writes what happened without why it ended.
    pub(crate) fn write_attempts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.attempts.iter().filter(|attempt| !attempt.is_resend).count();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} attempt{plural}")?;
        for attempt in &self.attempts {
            let class = attempt.class().map_or("success", Class::as_str);
            let replay = if attempt.is_resend { " on replay" } else { "" };
            match attempt.status {
                Some(status) => write!(f, ", {status} {class}{replay}")?,
                None => write!(f, ", {class}{replay}")?,
            }
            let error = attempt.verdict.as_ref().and_then(Verdict::api_error);
            if let Some(why) = error.and_then(ApiError::not_refreshed) {
                write!(f, " (not refreshed: {why})")?;
            }
            if let Some(wait) = attempt.wait {
                write!(f, ", waited {wait:.1?}")?;
            }
        }
        Ok(())
    }
}

/// Writes each attempt as status, class, recovery and phase with its wait in milliseconds, and why there was no further one.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Record", 2)?;
        record.serialize_field("attempts", &self.attempts)?;
        record.serialize_field("end_reason", self.end_reason.as_str())?;
        record.end()
    }
}

impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verdict = self.verdict.as_ref();
        let wait = self.wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let mut attempt = serializer.serialize_struct("Attempt", 7)?;
        attempt.serialize_field("status", &self.status)?;
        attempt.serialize_field("class", &verdict.map(Verdict::class))?;
        attempt.serialize_field("recovery", &verdict.map(Verdict::recovery))?;
        attempt.serialize_field("phase", &verdict.map(Verdict::phase))?;
        attempt.serialize_field("is_resend", &self.is_resend)?;
        attempt.serialize_field("wait_ms", &wait)?;
        attempt.serialize_field("wait_source", &self.wait_source.as_ref().map(WaitSource::as_str))?;
        attempt.end()
    }
}

impl EndReason {
    /// Returns the reason in `snake_case`, as events and metrics name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NotRetryable => "not_retryable",
            Self::NotIdempotent => "not_idempotent",
            Self::NotClonable => "not_clonable",
            Self::MaxAttempts => "max_attempts",
            Self::Budget => "budget",
            Self::HintTooLong => "hint_too_long",
            Self::Deadline => "deadline",
            Self::Paced => "paced",
            Self::NotSent => "not_sent",
            Self::Credentials => "credentials",
        }
    }
}

impl WaitSource {
    /// Returns the kind of source in `snake_case`, as events and metrics name it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Hint(_) => "hint",
            Self::Vendor => "vendor",
            Self::Backoff => "backoff",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "succeeded",
            Self::NotRetryable => "another attempt would not help",
            Self::NotIdempotent => "not safe to send twice",
            Self::NotClonable => "the body cannot be sent again",
            Self::MaxAttempts => "no attempts left",
            Self::Budget => "the retry budget is used up",
            Self::HintTooLong => "the server asks for a longer wait than is honoured",
            Self::Deadline => "the deadline is too near",
            Self::Paced => "its turn would come too late",
            Self::NotSent => "the request could not be sent",
            Self::Credentials => "could not obtain credentials",
        })
    }
}

#[cfg(test)]
mod tests {
    use redress_envelope::Recovery;

    use super::*;
    use crate::verdict::Phase;

    #[test]
    fn an_attempt_tells_class_and_evidence_and_a_success_has_neither() {
        let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::NotSent);
        let failed = Attempt::new(None, Some(verdict), false);
        assert_eq!((failed.class(), failed.basis()), (Some(Class::Unavailable), Some(Basis::Transport)));
        let succeeded = Attempt::new(Some(200), None, false);
        assert_eq!((succeeded.class(), succeeded.basis(), succeeded.budget_before), (None, None, None));
    }

    #[test]
    fn a_record_is_one_short_line() {
        let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::MaybeProcessed);
        let mut failed = Attempt::new(None, Some(verdict), false);
        failed.wait = Some(Duration::from_millis(1_250));
        (failed.budget_before, failed.budget_after) = (Some(500), Some(486));
        let record = Record::new(vec![failed, Attempt::new(Some(200), None, false)], EndReason::Success);
        assert_eq!(record.to_string(), "2 attempts, unavailable, waited 1.2s, 200 success; succeeded");
    }
}
