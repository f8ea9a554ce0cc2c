//! Routes: parts of the API with a path, a speed and faults of their own.

use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::{InvalidScenario, ServerSpec, ServiceTime, duration, invalid, share};

/// A route of the API: a share of the calls goes to its path, the rest to
/// [`Clients::path`](super::Clients::path).
///
/// All routes share the queue and the workers of the server. A [fault](super::FaultSpec) with `route`
/// hits the requests of one route only.
///
/// # Examples
///
/// A route that fails for ten seconds, and one for long polling:
///
/// ```
/// use redress_lab::policies::NoRetry;
/// use redress_lab::{Run, Scenario, run};
///
/// let scenario: Scenario = r#"
///     name = "routes"
///     length = "60s"
///     clients = { rate = 10.0, attempt_timeout = "1s", deadline = "5s" }
///     server = { kind = "fifo", rate = 100.0 }
///     route = [
///         { path = "/v1/reports", share = 0.3 },
///         { path = "/v1/events", share = 0.1, poll = "20s", attempt_timeout = "30s", deadline = "1m" },
///     ]
///     fault = [{ kind = "answer", from = "20s", for = "10s", route = "/v1/reports" }]
/// "#
/// .parse()?;
/// let outcome = run(Run { scenario: &scenario, policy: &NoRetry, seed: 1 }, |_share| {});
/// assert!(outcome.refused > 0 && outcome.lost == 0);
/// assert!(outcome.latency_ms.max > 10_000.0, "polls wait for an event");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// The path of its requests.
    pub path: String,
    /// The share of all calls that go to it.
    pub share: f64,
    /// The share of its calls that are POSTs and not idempotent. Default: that of the clients.
    pub post: Option<f64>,
    /// The time that a caller waits for a call of this route in total. Default: as for other calls.
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
    /// The time limit of an attempt on this route. Default: that of the clients.
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout: Option<Duration>,
    /// The mean service time of its requests, with the distribution of the server. Default: that of the
    /// server.
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    pub service_time: Option<Duration>,
    /// The additional time until the response, which uses no capacity, such as a backend behind the
    /// server. Default: 0.
    #[serde(with = "duration", default)]
    pub latency: Duration,
    /// The longest wait of a long poll for its event, which uses no capacity; the wait is uniformly
    /// distributed. Default: 0.
    #[serde(with = "duration", default)]
    pub poll: Duration,
    /// The time from the head of a response to the end of its body, which uses no capacity. A call is
    /// served at the end of the body. Default: 0.
    #[serde(with = "duration", default)]
    pub body: Duration,
}

impl RouteSpec {
    /// Returns the factor of its service times to those of the server.
    pub(crate) fn work(&self, server: &ServerSpec) -> f64 {
        let mean = server.mean_service_time();
        self.service_time.zip(mean).map_or(1.0, |(own, mean)| own.as_secs_f64() / mean.as_secs_f64())
    }

    fn check(&self, server: &ServerSpec) -> Result<(), InvalidScenario> {
        self.path.parse::<Uri>().map_err(|error| invalid(&format!("`route.path`: {error}")))?;
        share("route.share", self.share)?;
        share("route.post", self.post.unwrap_or_default())?;
        let times = [("deadline", self.deadline), ("attempt_timeout", self.attempt_timeout)];
        for (name, time) in times.into_iter().chain([("service_time", self.service_time)]) {
            if time.is_some_and(|time| time.is_zero()) {
                return Err(invalid(&format!("`route.{name}` must be above 0")));
            }
        }
        if self.service_time.is_some() && server.mean_service_time().is_none() {
            return Err(invalid(
                "`route.service_time` needs a server of kind `fifo` or `sharded` with `service` fixed or exponential",
            ));
        }
        Ok(())
    }
}

/// Checks the routes together. `path` is that of the other calls, `layers` the number of services in a
/// row.
pub(crate) fn check(routes: &[RouteSpec], path: &str, layers: u32, server: &ServerSpec) -> Result<(), InvalidScenario> {
    routes.iter().try_for_each(|route| route.check(server))?;
    let is_taken = |nth: usize| routes[..nth].iter().map(|it| &*it.path).chain([path]).any(|it| it == routes[nth].path);
    if let Some(nth) = (0..routes.len()).find(|nth| is_taken(*nth)) {
        return Err(invalid(&format!("`route.path` must differ from other paths: `{}`", routes[nth].path)));
    }
    // Sums of decimal fractions are rounded.
    if routes.iter().map(|route| route.share).sum::<f64>() > 1.0 + 1e-9 {
        return Err(invalid("`route.share` of all routes must add up to at most 1; the rest goes to `clients.path`"));
    }
    if layers > 1 && routes.iter().any(|route| route.attempt_timeout.is_some()) {
        return Err(invalid(
            "`route.attempt_timeout` and `layers` exclude each other: only the last layer has attempts",
        ));
    }
    Ok(())
}

impl ServerSpec {
    /// Returns the mean service time; `None` if it has none of its own (kinds `concurrency` and `rows`,
    /// bimodal service).
    pub(crate) fn mean_service_time(&self) -> Option<Duration> {
        let (workers, rate, service) = match self {
            Self::Fifo { rate, workers, service, .. } => (*workers, *rate, service),
            Self::Sharded { shards, rate, service } => (*shards, *rate, service),
            Self::Concurrency { .. } | Self::Rows { .. } => return None,
        };
        let is_scalable = !matches!(service, ServiceTime::Bimodal { .. });
        is_scalable.then(|| crate::time::seconds(f64::from(workers) / rate))
    }
}
