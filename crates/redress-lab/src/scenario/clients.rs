//! Who calls: how many, how patient, for what.

use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::{InvalidScenario, duration, invalid, positive, share};

/// The callers.
///
/// Open arrivals, the default, come at their times whatever the server does. Callers in a closed loop wait for an answer
/// before they ask again, and so ask less of a server that is slow.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// Open arrivals: calls a second.
    pub rate: Option<f64>,
    /// In place of `rate`: the share of the server's capacity that the calls ask for.
    pub utilization: Option<f64>,
    /// How open arrivals are spread.
    #[serde(default)]
    pub arrivals: ArrivalProcess,
    /// In place of `rate`: so many callers in a closed loop.
    pub callers: Option<u32>,
    /// How long a caller in a closed loop thinks between two calls, on average.
    #[serde(with = "duration", default)]
    pub think: Duration,
    /// How long a caller waits in all; who got no success by then has lost the call. 30 s unless told.
    #[serde(with = "duration", default = "half_a_minute")]
    pub deadline: Duration,
    /// How long an attempt may take.
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// What the network takes each way, on average.
    #[serde(with = "duration", default)]
    pub hop: Duration,
    /// How the times are spread that the network takes.
    #[serde(default)]
    pub hops: NetworkDelay,
    /// The share of calls that may not be sent twice: POST in place of GET.
    #[serde(default)]
    pub post: f64,
    /// The path of the calls; redress keeps the limits that the dialect publishes for it.
    #[serde(default = "items")]
    pub path: String,
    /// How many layers of services retry, each with the same policy, each in front of the next.
    #[serde(default = "one")]
    pub layers: u32,
    /// Stretches of time at another rate.
    #[serde(default)]
    pub wave: Vec<Wave>,
    /// Many calls at once.
    #[serde(default)]
    pub burst: Vec<Burst>,
}

/// How open arrivals are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalProcess {
    /// As many independent callers come: a Poisson process.
    #[default]
    Poisson,
    /// One after the other, at equal distances.
    Even,
    /// One in each of as many equal stretches of time, at any moment of it: no more in a second than in another, and yet
    /// not in step with anything.
    Steady,
}

/// How the times are spread that the network takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkDelay {
    /// Always the same.
    #[default]
    Fixed,
    /// Memoryless.
    Exponential,
}

/// A stretch of time at another rate of arrivals.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// When it begins.
    #[serde(with = "duration")]
    pub from: Duration,
    /// How long it takes.
    #[serde(with = "duration", rename = "for")]
    pub length: Duration,
    /// Calls a second.
    pub rate: f64,
    /// Calls a second at its end; on the way there the rate changes evenly. As `rate` unless told.
    pub to: Option<f64>,
}

/// Many calls at once.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// When.
    #[serde(with = "duration")]
    pub at: Duration,
    /// How many.
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

impl Wave {
    /// Returns the rate at a time, if it lies in the wave.
    pub(crate) fn rate_at(&self, at: Duration) -> Option<f64> {
        let into = at.checked_sub(self.from).filter(|into| *into < self.length)?;
        let to = self.to.unwrap_or(self.rate);
        Some(self.rate + (to - self.rate) * into.as_secs_f64() / self.length.as_secs_f64())
    }
}

impl Clients {
    /// Returns how many open calls a second arrive at a time; 0 for callers in a closed loop.
    #[must_use]
    pub fn rate_at(&self, at: Duration) -> f64 {
        let wave = self.wave.iter().rev().find_map(|wave| wave.rate_at(at));
        wave.or(self.rate).unwrap_or_default()
    }

    /// Returns a rate that `rate_at` never exceeds.
    pub(crate) fn peak_rate(&self) -> f64 {
        let waves = self.wave.iter().flat_map(|wave| [wave.rate, wave.to.unwrap_or(wave.rate)]);
        waves.chain(self.rate).fold(0.0, f64::max)
    }

    pub(crate) fn check(&self) -> Result<(), InvalidScenario> {
        match (self.rate, self.callers) {
            (Some(_), Some(_)) => {
                return Err(invalid("`rate` is for open arrivals, `callers` for a closed loop: give one"));
            }
            (Some(rate), None) => drop(positive("rate", rate)?),
            (None, Some(0)) => return Err(invalid("`callers` is at least 1")),
            (None, Some(_)) => {}
            (None, None) if self.burst.is_empty() && self.wave.is_empty() => {
                return Err(invalid(
                    "nobody calls: `clients` needs `rate`, `utilization`, `callers`, a `wave` or a `burst`",
                ));
            }
            (None, None) => {}
        }
        if self.callers.is_some() && self.think.is_zero() && self.hop.is_zero() {
            return Err(invalid(
                "callers in a closed loop need time to `think`, or a `hop`: they would call without end",
            ));
        }
        if self.peak_rate() > 1e6 {
            return Err(invalid("at most a million calls a second"));
        }
        if self.deadline.is_zero() {
            return Err(invalid("`deadline` is more than nothing"));
        }
        if !(1..=8).contains(&self.layers) {
            return Err(invalid("`layers` is 1 to 8"));
        }
        for wave in &self.wave {
            let rates = [wave.rate, wave.to.unwrap_or(wave.rate)];
            if rates.iter().any(|rate| !rate.is_finite() || *rate < 0.0) {
                return Err(invalid("a wave's rates are not below 0"));
            }
        }
        self.path.parse::<Uri>().map_err(|error| invalid(&format!("`path`: {error}")))?;
        share("post", self.post).map(drop)
    }
}
