//! The record of the attempts of one call.

mod attempts;
mod serialized;

use std::fmt;
use std::time::Duration;

use redress_envelope::{Class, DecidedBy, HintSource};

pub use self::attempts::Attempts;
use crate::api_error::ApiError;
use crate::phase::Phase;
use crate::secrets::Secrets;
use crate::verdict::Verdict;

/// The attempts of one call, and the reason why there was no further one.
///
/// A Backoff layer attaches it to a response if there was more than one attempt, or if it gave up on a failure that could
/// have been retried, and to every error. `Display` is one short line for a log; `Serialize` writes the same facts for a
/// log record.
///
/// Its length is bounded by the settings of the layer: the maximum number of attempts, hedges among them, one resend after a refresh, and 32
/// resends in an outage. A resend in an outage that was never sent is left out, and the reason of the end tells of it.
///
/// # Examples
/// ```
/// use redress_classify::{Attempt, Class, EndReason, Phase, Record, Recovery, Verdict};
///
/// let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::NotSent);
/// let attempts = vec![Attempt::new(None, Some(verdict), false), Attempt::new(Some(200), None, false)];
/// let record = Record::new(attempts, EndReason::Success);
/// assert_eq!((record.attempts().len(), record.end_reason()), (2, EndReason::Success));
/// assert_eq!(record.to_string(), "2 attempts, unavailable, 200 success; succeeded");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    attempts: Attempts,
    end_reason: EndReason,
}

/// One attempt of a call.
///
/// A Backoff layer fills in the fields about waits and budgets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The verdict; `None` for a success.
    pub verdict: Option<Verdict>,
    /// Whether this was the resend after a refresh of the credentials, which the number of attempts does not count.
    pub is_resend: bool,
    /// Whether this was the probe of an outage, which is free and which the number of attempts does not count.
    pub is_probe: bool,
    /// Whether this was a hedge: the second attempt, sent while the first went on.
    pub is_hedge: bool,
    /// Whether this attempt was cancelled, since the other one of a hedged call decided. Its verdict is that of an attempt that
    /// was cut off: it may have been processed.
    pub is_cancelled: bool,
    /// The wait after this attempt, as planned.
    pub wait: Option<Duration>,
    /// The source of that wait.
    pub wait_source: Option<WaitSource>,
    /// The tokens in the retry budget when this attempt ended; `None` without a budget.
    pub budget_before: Option<u32>,
    /// The tokens in the budget after the decision: fewer by the cost of a retry, more by the deposit of a success.
    ///
    /// A budget is shared: another call may have changed it between the two readings.
    pub budget_after: Option<u32>,
}

/// The source of a wait between attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitSource {
    /// A hint of the server, at this place in its response.
    Hint(HintSource),
    /// The vendor's published schedule, or its published wait after a 429 without a hint.
    Vendor,
    /// The schedule of the layer.
    Backoff,
}

/// The reason why there was no further attempt.
///
/// `Display` is a phrase for people, [`as_str`](Self::as_str) the name in events, metrics and JSON.
///
/// # Examples
/// ```
/// use redress_classify::EndReason;
///
/// assert_eq!(EndReason::Budget.as_str(), "budget");
/// assert_eq!(EndReason::Budget.to_string(), "the retry budget is used up");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The last attempt succeeded.
    Success,
    /// Another attempt would not help, by the recovery of the verdict.
    NotRetryable,
    /// The request may have been processed, and it is not known to be idempotent.
    NotIdempotent,
    /// The request body cannot be cloned, see [`CloneBody`](crate::CloneBody).
    NotClonable,
    /// The maximum number of attempts was made.
    MaxAttempts,
    /// The caller forbids a retry of this request.
    NoRetry,
    /// The retry budget is used up.
    Budget,
    /// All requests to the route fail, while others to the same upstream succeed: a retry would fail, too.
    FailingRoute,
    /// The server asks for a longer wait than the longest that the layer accepts.
    HintTooLong,
    /// The deadline passed during the last attempt, or would pass before the next.
    Deadline,
    /// A Pace layer refused the call: the wait for a cool-down or a rate limit exceeds its deadline.
    Paced,
    /// The upstream is in an outage, and the call could not wait for its end: its time ran out, or too many calls waited.
    Outage,
    /// The request was not sent: the inner service failed before.
    NotSent,
    /// The request was not sent: no credentials could be obtained.
    Credentials,
}

impl Record {
    /// Creates a record.
    #[must_use]
    pub const fn new(attempts: Vec<Attempt>, end_reason: EndReason) -> Self {
        Self::from_attempts(Attempts::from_vec(attempts), end_reason)
    }

    /// Creates a record of a list that was made attempt by attempt.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_attempts(attempts: Attempts, end_reason: EndReason) -> Self {
        Self { attempts, end_reason }
    }

    /// Returns the attempts in the order in which they ended, the resend after a refresh included. The last one decided.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Returns `true` if a failed attempt may have been processed, see [`Verdict::is_maybe_processed`].
    #[must_use]
    pub fn is_maybe_processed(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.verdict.as_ref().is_some_and(Verdict::is_maybe_processed))
    }

    /// Returns the reason why there was no further attempt.
    #[must_use]
    pub const fn end_reason(&self) -> EndReason {
        self.end_reason
    }

    /// Returns the record with the secrets masked in all text from servers; `None` if there are none.
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
    /// Creates an attempt without a wait or a budget.
    #[must_use]
    pub const fn new(status: Option<u16>, verdict: Option<Verdict>, is_resend: bool) -> Self {
        let (wait, wait_source, budget_before, budget_after) = (None, None, None, None);
        Self {
            status,
            verdict,
            is_resend,
            is_probe: false,
            is_hedge: false,
            is_cancelled: false,
            wait,
            wait_source,
            budget_before,
            budget_after,
        }
    }

    /// Returns the class of the failure; `None` for a success.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Attempt, Class, Phase, Recovery, Verdict};
    ///
    /// let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::NotSent);
    /// assert_eq!(Attempt::new(None, Some(verdict), false).class(), Some(Class::Unavailable));
    /// assert_eq!(Attempt::new(Some(200), None, false).class(), None);
    /// ```
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.verdict.as_ref().map(Verdict::class)
    }

    /// Returns `true` if a Pace layer refused the attempt, so that nothing was sent.
    fn is_refused(&self) -> bool {
        let is_refusal = |verdict: &Verdict| verdict.class() == Class::RateLimited && verdict.phase() == Phase::NotSent;
        self.status.is_none() && self.verdict.as_ref().is_some_and(is_refusal)
    }

    /// Returns the part of the response that decided the class; `None` for a success.
    #[must_use]
    pub fn decided_by(&self) -> Option<DecidedBy> {
        self.verdict.as_ref().map(Verdict::decided_by)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_attempts(f)?;
        write!(f, "; {}", self.end_reason)
    }
}

impl Record {
    /// Returns the attempts without the last one if a Pace layer refused it: that request was never sent.
    pub(crate) fn sent(&self) -> &[Attempt] {
        match self.attempts.split_last() {
            Some((last, before)) if self.is_refused() && last.is_refused() => before,
            _ => &self.attempts,
        }
    }

    const fn is_refused(&self) -> bool {
        matches!(self.end_reason, EndReason::Paced | EndReason::Outage)
    }

    /// Writes the attempts without the reason of the end.
    pub(crate) fn write_attempts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.sent();
        match attempts.iter().filter(|attempt| !attempt.is_resend && !attempt.is_probe).count() {
            0 => f.write_str("no attempt")?,
            1 => f.write_str("1 attempt")?,
            count => write!(f, "{count} attempts")?,
        }
        for attempt in attempts {
            let class = match attempt.class() {
                _ if attempt.is_cancelled => "cancelled",
                class => class.map_or("success", Class::as_str),
            };
            let resend = match attempt {
                Attempt { is_resend: true, .. } => " on resend",
                Attempt { is_probe: true, .. } => " on probe",
                Attempt { is_hedge: true, .. } => " on hedge",
                _ => "",
            };
            match attempt.status {
                Some(status) => write!(f, ", {status} {class}{resend}")?,
                None => write!(f, ", {class}{resend}")?,
            }
            let error = attempt.verdict.as_ref().and_then(Verdict::api_error);
            if let Some(reason) = error.and_then(ApiError::not_refreshed) {
                write!(f, " (not refreshed: {reason})")?;
            }
            if let Some(wait) = attempt.wait {
                write!(f, ", waited {wait:.1?}")?;
            }
        }
        Ok(())
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
            Self::NoRetry => "no_retry",
            Self::Budget => "budget",
            Self::FailingRoute => "failing_route",
            Self::HintTooLong => "hint_too_long",
            Self::Deadline => "deadline",
            Self::Paced => "paced",
            Self::Outage => "outage",
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
            Self::NotIdempotent => "not safe to send again",
            Self::NotClonable => "the body cannot be sent again",
            Self::MaxAttempts => "no attempts left",
            Self::NoRetry => "the caller forbids a retry",
            Self::Budget => "the retry budget is used up",
            Self::FailingRoute => "all requests to this route fail, and others succeed",
            Self::HintTooLong => "the server asks for a longer wait than is accepted",
            Self::Deadline => "the deadline leaves no time for another",
            Self::Paced => "the rate-limit wait is too long",
            Self::Outage => "the upstream is in an outage",
            Self::NotSent => "the request could not be sent",
            Self::Credentials => "could not obtain credentials",
        })
    }
}

#[cfg(test)]
mod tests {
    use redress_envelope::Recovery;

    use super::*;

    #[test]
    fn a_failed_attempt_has_class_and_basis_and_a_success_has_neither() {
        let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::NotSent);
        let failed = Attempt::new(None, Some(verdict), false);
        assert_eq!((failed.class(), failed.decided_by()), (Some(Class::Unavailable), Some(DecidedBy::Transport)));
        let succeeded = Attempt::new(Some(200), None, false);
        assert_eq!((succeeded.class(), succeeded.decided_by(), succeeded.budget_before), (None, None, None));
    }

    #[test]
    fn a_record_is_one_short_line() {
        let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::MaybeProcessed);
        let mut failed = Attempt::new(None, Some(verdict), false);
        failed.wait = Some(Duration::from_millis(1_250));
        (failed.budget_before, failed.budget_after) = (Some(500), Some(486));
        let mut record = Record::new(vec![failed, Attempt::new(Some(200), None, false)], EndReason::Success);
        assert_eq!(record.to_string(), "2 attempts, unavailable, waited 1.2s, 200 success; succeeded");
        record.attempts[1].is_probe = true;
        assert_eq!(record.to_string(), "1 attempt, unavailable, waited 1.2s, 200 success on probe; succeeded");
    }

    #[test]
    fn a_refused_attempt_was_not_sent_and_a_failed_connection_was_tried() {
        let attempt = |class| {
            let verdict = Verdict::unanswered(class, Recovery::Retry, Phase::NotSent);
            Attempt::new(None, Some(verdict), false)
        };
        for (class, reason, sent) in [
            (Class::RateLimited, EndReason::Paced, 0),
            (Class::RateLimited, EndReason::Outage, 0),
            (Class::Unavailable, EndReason::Outage, 1),
            (Class::Unavailable, EndReason::Paced, 1),
            (Class::RateLimited, EndReason::Deadline, 1),
        ] {
            let record = Record::new(vec![attempt(class)], reason);
            assert_eq!(record.sent().len(), sent, "{class:?} {reason:?}");
        }
    }
}
