//! Scenarios: the workload, the server, and the disturbances of a run, as a TOML file.
//!
//! `docs/scenarios.md` describes the file key by key. Every struct here is one of its tables.
//!
//! # Examples
//!
//! A file with every table:
//!
//! ```
//! let scenario: redress_lab::Scenario = r#"
//!     name = "everything"
//!     about = "a deploy behind a rate limit"
//!     dialect = "ranex"
//!     length = "5m"
//!
//!     [clients]
//!     utilization = 0.7
//!     attempt_timeout = "1s"
//!     deadline = "10s"
//!     post = 0.2
//!     burst = [{ at = "1m", calls = 100 }]
//!
//!     [server]
//!     kind = "fifo"
//!     rate = 300.0
//!     service = "exponential"
//!
//!     [limit]
//!     requests = 250
//!     per = "1s"
//!
//!     [token]
//!     lives = "2m"
//!     login = "300ms"
//!
//!     [[fault]]
//!     kind = "answer"
//!     from = "2m"
//!     for = "10s"
//!     share = 0.5
//!     answer = { status = 503, retry_after = "2s" }
//! "#
//! .parse()?;
//! assert_eq!(scenario.clients.rate, Some(210.0), "70 % of the capacity");
//! assert_eq!(scenario.fault.len(), 1);
//! # Ok::<(), redress_lab::InvalidScenario>(())
//! ```

mod call_mix;
mod clients;
pub(crate) mod duration;
mod fault_spec;
mod response_spec;
mod route_spec;
mod server_spec;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use call_mix::CallKind;
pub use call_mix::DeadlineShare;
pub use clients::{ArrivalProcess, Burst, Clients, NetworkDelay, Wave};
pub use fault_spec::{FaultKind, FaultSpec};
use redress::{Dialect, dialects};
pub use response_spec::ResponseSpec;
pub use route_spec::RouteSpec;
pub use server_spec::{LimitSpec, QuotaSpec, ServerSpec, ServiceTime, TokenSpec};

/// A modelled outage, or any other period between callers and a server.
///
/// A scenario is parsed from TOML and validated at once: unknown keys, contradictions and values out of
/// range are errors with a line number. Durations are written as `250ms` or `1m 30s`.
///
/// # Examples
/// ```
/// use redress_lab::Scenario;
///
/// let scenario: Scenario = r#"
///     name = "pause"
///     about = "the server holds its requests for two seconds"
///     length = "20s"
///     clients = { utilization = 0.5, attempt_timeout = "1s", deadline = "5s" }
///     server = { kind = "fifo", rate = 100.0 }
///     fault = [{ kind = "hold", from = "5s", for = "2s" }]
/// "#
/// .parse()?;
/// assert_eq!(scenario.clients.rate, Some(50.0));
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name of the run in tables and files.
    pub name: String,
    /// One sentence: what happens.
    #[serde(default)]
    pub about: String,
    /// The dialect of the server's errors, which redress is configured with: the name of a shipped one, or a file, which
    /// [`from_toml_with`](Self::from_toml_with) reads. Default: `generic`.
    #[serde(default = "generic")]
    pub dialect: String,
    /// The dialect that takes the place of the shipped one of that name: the one of a file, or one made in code. Default:
    /// none. It is not a key of the file.
    #[serde(skip)]
    pub own_dialect: Option<Dialect>,
    /// The time during which calls arrive, at most a day. The run ends when the last call has ended.
    #[serde(with = "duration")]
    pub length: Duration,
    /// The workload.
    pub clients: Clients,
    /// The server.
    pub server: ServerSpec,
    /// A rate limit with a fixed window. The server refuses the excess with a hint.
    pub limit: Option<LimitSpec>,
    /// A quota for the whole run.
    pub quota: Option<QuotaSpec>,
    /// Access tokens that expire.
    pub token: Option<TokenSpec>,
    /// The routes with a path of their own.
    #[serde(default)]
    pub route: Vec<RouteSpec>,
    /// The faults.
    #[serde(default)]
    pub fault: Vec<FaultSpec>,
}

/// The reason for rejecting a scenario. Its text names the key and the values that are allowed.
///
/// # Examples
/// ```
/// use redress_lab::Scenario;
///
/// let text = "name = 't'\nlength = '0s'\nclients = { rate = 1.0 }\nserver = { kind = 'fifo', rate = 1.0 }";
/// let error = text.parse::<Scenario>().unwrap_err();
/// assert_eq!(error.to_string(), "`length` must be above 0 and at most one day");
/// ```
#[derive(Debug)]
pub struct InvalidScenario {
    reason: String,
}

fn generic() -> String {
    "generic".to_owned()
}

impl Scenario {
    /// Returns the dialect of the server.
    ///
    /// # Panics
    /// Never for a parsed scenario, because parsing checks the name. Panics if
    /// [`dialect`](Self::dialect) was set to an unknown name afterwards, and
    /// [`own_dialect`](Self::own_dialect) is `None`.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let shipped = || dialects::by_name(&self.dialect).expect("the name was checked when the scenario was read");
        self.own_dialect.clone().unwrap_or_else(shipped)
    }

    /// Reads a scenario whose dialect need not be a shipped one.
    ///
    /// `resolve` is asked for the dialect if no shipped one has the name in the file, and returns it or the problem. It
    /// decides which files a scenario can lead to: the program `redress` reads those in the folder of the scenario.
    ///
    /// # Errors
    /// Those of parsing, and the problem of `resolve`.
    ///
    /// # Examples
    /// ```
    /// use redress::Dialect;
    /// use redress_lab::Scenario;
    ///
    /// let text = r#"
    ///     name = "own"
    ///     dialect = "./acme.toml"
    ///     length = "20s"
    ///     clients = { rate = 1.0 }
    ///     server = { kind = "fifo", rate = 2.0 }
    /// "#;
    /// let scenario = Scenario::from_toml_with(text, |file| match file {
    ///     "./acme.toml" => Dialect::from_toml(file, "name = 'acme'").map_err(|error| error.to_string()),
    ///     _ => Err(format!("unknown dialect `{file}`")),
    /// })?;
    /// assert_eq!(scenario.dialect().name(), "acme");
    ///
    /// let error = text.parse::<Scenario>().unwrap_err();
    /// assert!(error.to_string().starts_with("unknown dialect `./acme.toml`"));
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    pub fn from_toml_with(
        text: &str,
        resolve: impl FnOnce(&str) -> Result<Dialect, String>,
    ) -> Result<Self, InvalidScenario> {
        let mut scenario: Self = toml::from_str(text).map_err(|error| invalid(error.to_string().trim_end()))?;
        if dialects::by_name(&scenario.dialect).is_none() {
            scenario.own_dialect = Some(resolve(&scenario.dialect).map_err(|problem| invalid(&problem))?);
        }
        scenario.check()
    }

    /// Returns the end of the last fault, burst or wave that ends within the run, or `None` if there is
    /// none.
    ///
    /// From then on the server can serve the normal load again, so recovery is measured from here. A fault of kind `slow` or
    /// `delay` without an end is a lasting change of latency: it counts with its start.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Scenario;
    /// use std::time::Duration;
    ///
    /// let scenario: Scenario = r#"
    ///     name = "two faults"
    ///     length = "60s"
    ///     clients = { rate = 1.0 }
    ///     server = { kind = "fifo", rate = 2.0 }
    ///     fault = [
    ///         { kind = "drop", from = "10s", for = "5s" },
    ///         { kind = "refuse", from = "20s", for = "1s", every = "10s", share = 0.5 },
    ///     ]
    /// "#
    /// .parse()?;
    /// assert_eq!(scenario.disturbances_begin(), Some(Duration::from_secs(10)));
    /// // The last occurrence of the second fault lasts beyond the run and does not count.
    /// assert_eq!(scenario.disturbances_end(), Some(Duration::from_secs(15)));
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    #[must_use]
    pub fn disturbances_end(&self) -> Option<Duration> {
        let faults = self.fault.iter().filter_map(|fault| fault.settles(self.length));
        let bursts = self.clients.burst.iter().map(|burst| burst.at);
        let waves = self.clients.wave.iter().map(|wave| wave.from + wave.length);
        faults.chain(bursts).chain(waves).filter(|end| *end < self.length).max()
    }

    /// Returns the start of the first fault, burst or wave.
    #[must_use]
    pub fn disturbances_begin(&self) -> Option<Duration> {
        let faults = self.fault.iter().map(|fault| fault.from);
        let bursts = self.clients.burst.iter().map(|burst| burst.at);
        faults.chain(bursts).chain(self.clients.wave.iter().map(|wave| wave.from)).min()
    }

    /// Sets the arrival rate so that the calls use this share of the server's capacity, one request per
    /// call.
    ///
    /// # Errors
    /// Fails if the server has no fixed capacity (kinds `concurrency` and `rows`), or if the workload
    /// is a closed loop.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Scenario;
    ///
    /// let text = "name = 't'\nlength = '9s'\nclients = { rate = 1.0 }\nserver = { kind = 'fifo', rate = 200.0 }";
    /// let mut scenario: Scenario = text.parse()?;
    /// scenario.utilize(0.8)?;
    /// assert_eq!(scenario.clients.rate, Some(160.0));
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    pub fn utilize(&mut self, share: f64) -> Result<(), InvalidScenario> {
        let capacity = self.server.capacity().ok_or_else(|| {
            invalid("`utilization` needs a server of kind `fifo` or `sharded`; other kinds have no fixed capacity")
        })?;
        if self.clients.callers.is_some() {
            return Err(invalid("`utilization` needs open arrivals, and `callers` are a closed loop"));
        }
        self.clients.rate = Some(capacity / self.mean_work() * positive("utilization", share)?);
        Ok(())
    }

    /// Returns the name in tables: that of the file, with the number of processes if there are several.
    ///
    /// # Examples
    /// ```
    /// let mut scenario = redress_lab::scenarios().into_iter().find(|it| it.name == "black-hole").unwrap();
    /// assert_eq!(scenario.label(), "black-hole");
    /// scenario.clients.clients = std::num::NonZeroU32::new(100).unwrap();
    /// assert_eq!(scenario.label(), "black-hole, 100 clients");
    /// ```
    #[must_use]
    pub fn label(&self) -> String {
        match self.clients.clients.get() {
            1 => self.name.clone(),
            clients => format!("{}, {clients} clients", self.name),
        }
    }

    fn check(mut self) -> Result<Self, InvalidScenario> {
        if self.length.is_zero() || self.length > Duration::from_secs(24 * 3600) {
            return Err(invalid("`length` must be above 0 and at most one day"));
        }
        self.server.check()?;
        route_spec::check(&self.route, &self.clients.path, self.clients.layers, &self.server)?;
        if let Some(share) = self.clients.utilization.take() {
            if self.clients.rate.is_some() {
                return Err(invalid("`rate` and `utilization` exclude each other"));
            }
            self.utilize(share)?;
        }
        self.clients.check()?;
        self.limit.iter().try_for_each(LimitSpec::check)?;
        self.token.iter().try_for_each(TokenSpec::check)?;
        self.quota.iter().try_for_each(QuotaSpec::check)?;
        let shards = self.server.shards();
        let paths: Vec<_> = self.route.iter().map(|route| &*route.path).chain([&*self.clients.path]).collect();
        self.fault.iter().try_for_each(|fault| fault.check(shards, &paths))?;
        Ok(self)
    }
}

impl std::str::FromStr for Scenario {
    type Err = InvalidScenario;

    fn from_str(text: &str) -> Result<Self, InvalidScenario> {
        Self::from_toml_with(text, |name| Err(format!("unknown dialect `{name}`; see `redress dialects`")))
    }
}

impl fmt::Display for InvalidScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for InvalidScenario {}

pub(crate) fn invalid(reason: &str) -> InvalidScenario {
    InvalidScenario { reason: reason.to_owned() }
}

pub(crate) fn positive(name: &str, value: f64) -> Result<f64, InvalidScenario> {
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(invalid(&format!("`{name}` must be a number above 0")))
    }
}

pub(crate) fn share(name: &str, value: f64) -> Result<f64, InvalidScenario> {
    let reason = || invalid(&format!("`{name}` must be from 0 to 1"));
    (0.0..=1.0).contains(&value).then_some(value).ok_or_else(reason)
}

#[cfg(test)]
mod tests;
