//! The workload: arrivals, deadlines, and the network.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::{DeadlineShare, InvalidScenario, duration, invalid, positive, share};

/// The callers.
///
/// The workload is open by default: calls arrive at their times, however slow the server is. In a
/// closed loop each caller waits for a response and thinks before its next call, so a slow server
/// receives fewer calls. Closed loops hide overload (Brooker, "Open and closed", 2023), so measure
/// outages with open arrivals.
///
/// # Examples
///
/// Twenty callers in a closed loop, with a mean think time of 100 ms:
///
/// ```
/// use redress_lab::Scenario;
///
/// let scenario: Scenario = r#"
///     name = "closed"
///     length = "60s"
///     clients = { callers = 20, think = "100ms" }
///     server = { kind = "rows", rows = 5, latency = "20ms" }
/// "#
/// .parse()?;
/// assert_eq!(scenario.clients.callers, Some(20));
/// assert_eq!(scenario.clients.deadline, std::time::Duration::from_secs(30), "the default");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// The rate of open arrivals, in calls per second.
    pub rate: Option<f64>,
    /// Instead of `rate`: the share of the server's capacity that the calls use.
    pub utilization: Option<f64>,
    /// The process of open arrivals.
    #[serde(default)]
    pub arrivals: ArrivalProcess,
    /// The number of processes that the calls are spread over. They share nothing, unless a policy shares: each has its own
    /// budgets, cool-downs and tokens, and each call goes to a random one. At most 10,000. Default: 1.
    #[serde(default = "one_process")]
    pub clients: NonZeroU32,
    /// Instead of `rate`: the number of callers in a closed loop.
    pub callers: Option<u32>,
    /// The mean think time of a caller in a closed loop, exponentially distributed.
    #[serde(with = "duration", default)]
    pub think: Duration,
    /// The time that a caller waits for a call in total. A call without a success by then is lost.
    /// Default: 30 s.
    #[serde(with = "duration", default = "half_a_minute")]
    pub deadline: Duration,
    /// Other deadlines, each for a share of the calls. Default: none.
    #[serde(default)]
    pub deadlines: Vec<DeadlineShare>,
    /// The share of calls without a deadline. One that is not served within the length of the run is lost. Default: 0.
    #[serde(default)]
    pub no_deadline: f64,
    /// The time limit of one attempt. Default: none.
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// The mean network delay in each direction. Default: 0.
    #[serde(with = "duration", default)]
    pub hop: Duration,
    /// The distribution of the network delay.
    #[serde(default)]
    pub hops: NetworkDelay,
    /// The share of calls that are POSTs and not idempotent; the others are GETs. Default: 0.
    #[serde(default)]
    pub post: f64,
    /// The path of the calls. The dialect may publish a rate limit for it, which redress then keeps.
    #[serde(default = "items")]
    pub path: String,
    /// The number of services in a row that each retry, with the same policy. Default: 1.
    #[serde(default = "one")]
    pub layers: u32,
    /// Periods with another arrival rate.
    #[serde(default)]
    pub wave: Vec<Wave>,
    /// Groups of calls that arrive at the same instant.
    #[serde(default)]
    pub burst: Vec<Burst>,
}

/// The process of open arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalProcess {
    /// A Poisson process: many independent callers.
    #[default]
    Poisson,
    /// Constant interarrival times.
    Even,
    /// One arrival per slot of `1 / rate` seconds, uniformly distributed in its slot. Every second has
    /// the same number of calls, without a fixed phase against timers and faults.
    Steady,
}

/// The distribution of network delays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkDelay {
    /// Constant.
    #[default]
    Fixed,
    /// Exponential.
    Exponential,
}

/// A period with another arrival rate.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// The start, from the start of the run.
    #[serde(with = "duration")]
    pub from: Duration,
    /// The length: `for` in the file.
    #[serde(with = "duration", rename = "for")]
    pub length: Duration,
    /// The rate at the start, in calls per second.
    pub rate: f64,
    /// The rate at the end; the rate changes linearly in between. Default: `rate`.
    pub to: Option<f64>,
}

/// A group of calls that arrive at the same instant.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// The time, from the start of the run.
    #[serde(with = "duration")]
    pub at: Duration,
    /// The number of calls.
    pub calls: u32,
}

const fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn items() -> String {
    "/v1/items/1".to_owned()
}

const fn one() -> u32 {
    1
}

const fn one_process() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// A bound on memory: each process is a client with a state of its own.
const MAX_PROCESSES: u32 = 10_000;

impl Wave {
    /// Returns the rate at a time within the wave, and `None` outside.
    pub(crate) fn rate_at(&self, at: Duration) -> Option<f64> {
        let into = at.checked_sub(self.from).filter(|into| *into < self.length)?;
        let to = self.to.unwrap_or(self.rate);
        Some(self.rate + (to - self.rate) * into.as_secs_f64() / self.length.as_secs_f64())
    }
}

impl Clients {
    /// Returns the rate of open arrivals at a time, in calls per second; 0 for a closed loop.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Scenario;
    /// use std::time::Duration;
    ///
    /// let scenario: Scenario = r#"
    ///     name = "ramp"
    ///     length = "60s"
    ///     clients = { rate = 10.0, wave = [{ from = "20s", for = "10s", rate = 10.0, to = 30.0 }] }
    ///     server = { kind = "fifo", rate = 50.0 }
    /// "#
    /// .parse()?;
    /// assert_eq!(scenario.clients.rate_at(Duration::from_secs(5)), 10.0);
    /// assert_eq!(scenario.clients.rate_at(Duration::from_secs(25)), 20.0);
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    #[must_use]
    pub fn rate_at(&self, at: Duration) -> f64 {
        let wave = self.wave.iter().rev().find_map(|wave| wave.rate_at(at));
        wave.or(self.rate).unwrap_or_default()
    }

    /// Returns an upper bound of [`rate_at`](Self::rate_at), the rate of the candidates that are
    /// thinned.
    pub(crate) fn peak_rate(&self) -> f64 {
        let waves = self.wave.iter().flat_map(|wave| [wave.rate, wave.to.unwrap_or(wave.rate)]);
        waves.chain(self.rate).fold(0.0, f64::max)
    }

    pub(crate) fn check(&self) -> Result<(), InvalidScenario> {
        match (self.rate, self.callers) {
            (Some(_), Some(_)) => {
                return Err(invalid("`rate` (open arrivals) and `callers` (closed loop) exclude each other"));
            }
            (Some(rate), None) => drop(positive("rate", rate)?),
            (None, Some(0)) => return Err(invalid("`callers` must be at least 1")),
            (None, Some(_)) => {}
            (None, None) if self.burst.is_empty() && self.wave.is_empty() => {
                return Err(invalid(
                    "there are no calls: `clients` needs `rate`, `utilization`, `callers`, a `wave` or a `burst`",
                ));
            }
            (None, None) => {}
        }
        if self.callers.is_some() && self.think.is_zero() && self.hop.is_zero() {
            return Err(invalid(
                "a closed loop needs `think` or `hop` above 0; without them it would call endlessly at the same instant",
            ));
        }
        if self.peak_rate() > 1e6 {
            return Err(invalid("`rate` must be at most 1,000,000 calls per second"));
        }
        self.check_deadlines()?;
        if self.clients.get() > MAX_PROCESSES {
            return Err(invalid("`clients` must be at most 10000"));
        }
        if !(1..=8).contains(&self.layers) {
            return Err(invalid("`layers` must be from 1 to 8"));
        }
        for wave in &self.wave {
            let rates = [wave.rate, wave.to.unwrap_or(wave.rate)];
            if rates.iter().any(|rate| !rate.is_finite() || *rate < 0.0) {
                return Err(invalid("`rate` and `to` of a wave must not be negative"));
            }
        }
        self.path.parse::<Uri>().map_err(|error| invalid(&format!("`path`: {error}")))?;
        share("post", self.post).map(drop)
    }
}
