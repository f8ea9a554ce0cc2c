//! What serves, and what it allows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidScenario, ResponseSpec, duration, invalid, positive, share};

/// The server's way to work.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerSpec {
    /// Serves in the order of arrival. What a caller no longer waits for is worked on all the same.
    Fifo {
        /// Requests a second, all workers together.
        rate: f64,
        /// How many are worked on at once. One unless told: then a request takes `1 / rate`.
        #[serde(default = "one")]
        workers: u32,
        /// How long work takes.
        #[serde(default)]
        service: ServiceTime,
        /// How many may wait; whoever comes then is answered with a 503. Any number unless told.
        queue: Option<u32>,
    },
    /// Takes longer the more requests there are, as a database with locks and a pool does. It has no queue.
    Concurrency {
        /// How long it takes when it is idle.
        #[serde(with = "duration")]
        base: Duration,
        /// How much longer for each request under way.
        #[serde(with = "duration")]
        per_request: Duration,
    },
    /// Several servers of one kind, each with its own part of the data.
    Sharded {
        /// How many.
        shards: u32,
        /// Requests a second, all shards together.
        rate: f64,
        /// How long work takes.
        #[serde(default)]
        service: ServiceTime,
    },
    /// Optimistic locks on rows: of the requests that work on a row at once the first to come wins, and the others get a
    /// 409 when they are done.
    Rows {
        /// How many rows.
        rows: u32,
        /// How long work takes.
        #[serde(with = "duration")]
        latency: Duration,
    },
}

/// How long work takes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServiceTime {
    /// Always the same.
    #[default]
    Fixed,
    /// Memoryless.
    Exponential,
    /// Mostly `common`, and for a `share` of requests `rare`; a `rate` beside it is for the utilization only.
    Bimodal {
        /// Mostly.
        #[serde(with = "duration")]
        common: Duration,
        /// Now and then.
        #[serde(with = "duration")]
        rare: Duration,
        /// How often.
        share: f64,
    },
}

/// Allows so many requests in each window of time; windows are counted from the begin of the run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSpec {
    /// How many.
    pub requests: u32,
    /// The window.
    #[serde(with = "duration")]
    pub per: Duration,
    /// Whether the refusal names the rest of the window as `Retry-After`. It does unless told.
    #[serde(default = "yes")]
    pub hint: bool,
    /// What it says; a 429 unless told.
    #[serde(default)]
    pub answer: ResponseSpec,
}

/// Allows so many requests in all.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaSpec {
    /// How many.
    pub requests: u64,
    /// What it says; a 402 unless told.
    #[serde(default)]
    pub answer: ResponseSpec,
}

/// Tokens that run out.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// How long a token is good.
    #[serde(with = "duration")]
    pub lives: Duration,
    /// How long a login takes.
    #[serde(with = "duration")]
    pub login: Duration,
    /// What a request with a token that ran out is told; a 401 unless told.
    #[serde(default)]
    pub answer: ResponseSpec,
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

impl ServerSpec {
    /// Returns how many requests a second it can serve, if that is fixed.
    #[must_use]
    pub const fn capacity(&self) -> Option<f64> {
        match self {
            Self::Fifo { rate, .. } | Self::Sharded { rate, .. } => Some(*rate),
            Self::Concurrency { .. } | Self::Rows { .. } => None,
        }
    }

    /// Returns how many shards there are.
    #[must_use]
    pub const fn shards(&self) -> u32 {
        match self {
            Self::Sharded { shards, .. } => *shards,
            _ => 1,
        }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidScenario> {
        match self {
            Self::Fifo { rate, workers, service, .. } => {
                positive("rate", *rate)?;
                count("workers", *workers)?;
                service.check()
            }
            Self::Sharded { shards, rate, service } => {
                positive("rate", *rate)?;
                count("shards", *shards)?;
                service.check()
            }
            Self::Concurrency { base, per_request } if base.is_zero() && per_request.is_zero() => {
                Err(invalid("a server takes more than no time"))
            }
            Self::Concurrency { .. } => Ok(()),
            Self::Rows { rows, .. } => count("rows", *rows),
        }
    }
}

impl ServiceTime {
    fn check(&self) -> Result<(), InvalidScenario> {
        match self {
            Self::Fixed | Self::Exponential => Ok(()),
            Self::Bimodal { share: rare, .. } => share("share", *rare).map(drop),
        }
    }
}

impl LimitSpec {
    pub(crate) fn check(&self) -> Result<(), InvalidScenario> {
        if self.requests == 0 || self.per.is_zero() {
            return Err(invalid("a limit allows at least one request, per more than no time"));
        }
        self.answer.check()
    }
}

impl QuotaSpec {
    pub(crate) fn check(&self) -> Result<(), InvalidScenario> {
        self.answer.check()
    }
}

impl TokenSpec {
    pub(crate) fn check(&self) -> Result<(), InvalidScenario> {
        if self.lives.is_zero() {
            return Err(invalid("a token lives for more than no time"));
        }
        self.answer.check()
    }
}

fn count(name: &str, value: u32) -> Result<(), InvalidScenario> {
    if (1..=10_000).contains(&value) { Ok(()) } else { Err(invalid(&format!("`{name}` is 1 to 10000"))) }
}
