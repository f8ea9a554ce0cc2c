//! The server: service, rate limit, quota and tokens.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidScenario, ResponseSpec, duration, invalid, positive, share};

/// The service model of the server.
///
/// # Examples
///
/// Two requests on the same row at the same time: the second one conflicts.
///
/// ```
/// use redress_lab::server::{RequestOutcome, Server};
/// use redress_lab::{Scenario, Stream, stream};
/// use std::time::Duration;
///
/// let scenario: Scenario = r#"
///     name = "rows"
///     length = "60s"
///     clients = { rate = 1.0 }
///     server = { kind = "rows", rows = 1, latency = "10ms" }
/// "#
/// .parse()?;
/// let mut server = Server::new(&scenario, stream(1, Stream::Server));
/// let first = server.admit(Duration::ZERO, None);
/// assert!(matches!(first.outcome, RequestOutcome::Served));
/// let RequestOutcome::Refused(conflict) = server.admit(Duration::from_millis(5), None).outcome else {
///     panic!("no conflict");
/// };
/// assert_eq!(conflict.status(), 409);
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerSpec {
    /// A FIFO queue in front of one or more workers. It also serves requests whose caller has given up.
    Fifo {
        /// The capacity in requests per second, all workers together.
        rate: f64,
        /// The number of workers. Default: 1, so that a request takes `1 / rate`.
        #[serde(default = "one")]
        workers: u32,
        /// The distribution of service times.
        #[serde(default)]
        service: ServiceTime,
        /// The length of the queue. Requests beyond it receive a 503. Default: unbounded.
        queue: Option<u32>,
    },
    /// Service times grow with the number of requests in flight, as in a database with locks and a
    /// connection pool. No queue.
    Concurrency {
        /// The service time of an idle server.
        #[serde(with = "duration")]
        base: Duration,
        /// The additional service time per request in flight.
        #[serde(with = "duration")]
        per_request: Duration,
    },
    /// Several FIFO servers, each with its own part of the data.
    Sharded {
        /// The number of shards.
        shards: u32,
        /// The capacity in requests per second, all shards together.
        rate: f64,
        /// The distribution of service times.
        #[serde(default)]
        service: ServiceTime,
    },
    /// Rows under optimistic locks: the first of the concurrent requests on a row commits, and the
    /// others receive a 409 at the end of their work.
    Rows {
        /// The number of rows. A request works on a random one.
        rows: u32,
        /// The service time.
        #[serde(with = "duration")]
        latency: Duration,
    },
}

/// The distribution of service times.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServiceTime {
    /// Constant.
    #[default]
    Fixed,
    /// Exponential.
    Exponential,
    /// `common` for most requests, and `rare` for a `share` of them. The `rate` of the server only
    /// defines the utilization then.
    Bimodal {
        /// The service time of most requests.
        #[serde(with = "duration")]
        common: Duration,
        /// The service time of the rare requests.
        #[serde(with = "duration")]
        rare: Duration,
        /// The share of rare requests.
        share: f64,
    },
}

/// A rate limit with fixed windows, counted from the start of the run.
///
/// Fixed windows are the most common published form ("60 requests per minute"), and the worst case for
/// a client: up to twice the limit can pass around the border of two windows.
///
/// # Examples
/// ```
/// use redress_lab::server::{RequestOutcome, Server};
/// use redress_lab::{Scenario, Stream, stream};
/// use std::time::Duration;
///
/// let scenario: Scenario = r#"
///     name = "limited"
///     length = "60s"
///     clients = { rate = 1.0 }
///     server = { kind = "fifo", rate = 100.0 }
///     limit = { requests = 2, per = "10s" }
/// "#
/// .parse()?;
/// let mut server = Server::new(&scenario, stream(1, Stream::Server));
/// let mut admit = |second| server.admit(Duration::from_secs(second), None).outcome;
/// assert!(matches!(admit(1), RequestOutcome::Served));
/// assert!(matches!(admit(2), RequestOutcome::Served));
/// let RequestOutcome::Refused(response) = admit(3) else { panic!("above the limit") };
/// assert_eq!(response.headers()["retry-after"], "7", "the rest of the window");
/// assert!(matches!(admit(10), RequestOutcome::Served));
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSpec {
    /// The number of requests per window.
    pub requests: u32,
    /// The length of the window.
    #[serde(with = "duration")]
    pub per: Duration,
    /// Whether the refusal carries the rest of the window as `Retry-After`. Default: `true`.
    #[serde(default = "yes")]
    pub hint: bool,
    /// The refusal. Default: 429.
    #[serde(default)]
    pub answer: ResponseSpec,
}

/// A quota for the whole run.
///
/// Models prepaid credits: once they are used up, no retry helps. The default of 402 is what vendors
/// with credits document.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaSpec {
    /// The number of requests.
    pub requests: u64,
    /// The refusal. Default: 402.
    #[serde(default)]
    pub answer: ResponseSpec,
}

/// Access tokens that expire.
///
/// Policies without credentials of their own receive redress's Refresh layer, see
/// [`PolicyContext::transport`](crate::PolicyContext::transport).
///
/// # Examples
/// ```
/// use redress_lab::policies::NoRetry;
/// use redress_lab::{Run, Scenario, run};
///
/// let scenario: Scenario = r#"
///     name = "tokens"
///     length = "60s"
///     clients = { rate = 10.0, deadline = "5s" }
///     server = { kind = "fifo", rate = 100.0 }
///     token = { lives = "20s", login = "100ms" }
/// "#
/// .parse()?;
/// let outcome = run(Run { scenario: &scenario, policy: &NoRetry, seed: 1 }, |_share| {});
/// assert_eq!((outcome.logins, outcome.served), (3, outcome.calls));
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// The lifetime of a token.
    #[serde(with = "duration")]
    pub lives: Duration,
    /// The duration of a login.
    #[serde(with = "duration")]
    pub login: Duration,
    /// The response to a request with an expired token. Default: 401.
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
    /// Returns the capacity in requests per second, or `None` if it depends on the load.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Scenario;
    ///
    /// let server = |server: &str| -> Result<_, redress_lab::InvalidScenario> {
    ///     let text = format!("name = 't'\nlength = '9s'\nclients = {{ rate = 1.0 }}\nserver = {server}");
    ///     Ok(text.parse::<Scenario>()?.server)
    /// };
    /// let sharded = server("{ kind = 'sharded', shards = 4, rate = 400.0 }")?;
    /// assert_eq!((sharded.capacity(), sharded.shards()), (Some(400.0), 4));
    ///
    /// let shared = server("{ kind = 'concurrency', base = '10ms', per_request = '1ms' }")?;
    /// assert_eq!((shared.capacity(), shared.shards()), (None, 1));
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    #[must_use]
    pub const fn capacity(&self) -> Option<f64> {
        match self {
            Self::Fifo { rate, .. } | Self::Sharded { rate, .. } => Some(*rate),
            Self::Concurrency { .. } | Self::Rows { .. } => None,
        }
    }

    /// Returns the number of shards, 1 for servers without shards.
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
                Err(invalid("`base` and `per_request` must not both be 0"))
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
            return Err(invalid("`limit.requests` must be at least 1, and `limit.per` above 0"));
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
            return Err(invalid("`token.lives` must be above 0"));
        }
        self.answer.check()
    }
}

fn count(name: &str, value: u32) -> Result<(), InvalidScenario> {
    if (1..=10_000).contains(&value) { Ok(()) } else { Err(invalid(&format!("`{name}` must be from 1 to 10000"))) }
}
