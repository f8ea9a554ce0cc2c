//! What happened on the way to a result: every attempt, every wait, and why it stopped.

use std::fmt;
use std::time::Duration;

use redress_envelope::HintSource;

use crate::verdict::Verdict;

/// The attempts of one call.
///
/// It is attached to a response when there was more than one attempt, or when the layer gave up on one that could have been
/// tried again; and to every error that a call of the layer ends with.
#[derive(Clone, Debug)]
pub struct Record {
    attempts: Vec<Attempt>,
    stop: Stop,
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
    pub is_replay: bool,
    /// How long the layer planned to wait after this attempt.
    pub wait: Option<Duration>,
    /// What that wait is based on.
    pub wait_source: Option<WaitSource>,
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
pub enum Stop {
    /// The last attempt succeeded.
    Success,
    /// The verdict says that another attempt would not help.
    NotRetryable,
    /// The request may have been processed, and nothing says that it is safe to send it twice.
    NotIdempotent,
    /// The body cannot be sent again.
    NotReplayable,
    /// The number of attempts is used up.
    Attempts,
    /// The retry budget is used up.
    Budget,
    /// The server asks for a longer wait than the caller honours.
    HintTooLong,
    /// The next attempt would begin after the deadline, or the deadline passed during the last one.
    Deadline,
    /// The upstream asked everybody to wait, or its limit was reached, and the wait was longer than the call could bear.
    Paced,
    /// The attempt failed before it was made: no credentials, or a service that is not ready.
    NotSent,
}

impl Record {
    /// Makes a record of the given attempts.
    #[must_use]
    pub const fn new(attempts: Vec<Attempt>, stop: Stop) -> Self {
        Self { attempts, stop }
    }

    /// Returns every attempt, replays included, in order.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Returns why it stopped.
    #[must_use]
    pub const fn stop(&self) -> Stop {
        self.stop
    }
}

impl Attempt {
    /// Notes an attempt that came to this status and verdict.
    #[must_use]
    pub const fn new(status: Option<u16>, verdict: Option<Verdict>, is_replay: bool) -> Self {
        Self { status, verdict, is_replay, wait: None, wait_source: None }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.attempts.iter().filter(|attempt| !attempt.is_replay).count();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} attempt{plural}")?;
        for attempt in &self.attempts {
            let class = attempt.verdict.as_ref().map_or("success", |verdict| verdict.class().as_str());
            let replay = if attempt.is_replay { " on replay" } else { "" };
            match attempt.status {
                Some(status) => write!(f, ", {status} {class}{replay}")?,
                None => write!(f, ", {class}{replay}")?,
            }
            if let Some(wait) = attempt.wait {
                write!(f, ", waited {wait:.1?}")?;
            }
        }
        write!(f, "; {}", self.stop)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "succeeded",
            Self::NotRetryable => "another attempt would not help",
            Self::NotIdempotent => "not safe to send twice",
            Self::NotReplayable => "the body cannot be sent again",
            Self::Attempts => "no attempts left",
            Self::Budget => "the retry budget is used up",
            Self::HintTooLong => "the server asks for a longer wait than is honoured",
            Self::Deadline => "the deadline is too near",
            Self::Paced => "its turn would come too late",
            Self::NotSent => "the request could not be sent",
        })
    }
}
