//! What happens in a run: who calls, what serves, what fails when. A TOML file.

mod clients;
pub(crate) mod duration;
mod fault_spec;
mod response_spec;
mod server_spec;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use clients::{ArrivalProcess, Burst, Clients, NetworkDelay, Wave};
pub use fault_spec::{FaultKind, FaultSpec};
use redress::{Dialect, dialects};
pub use response_spec::ResponseSpec;
pub use server_spec::{LimitSpec, QuotaSpec, ServerSpec, ServiceTime, TokenSpec};

/// A modelled outage, or any other stretch of time between callers and a server.
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
    /// Names the run in tables and files.
    pub name: String,
    /// One line: what happens.
    #[serde(default)]
    pub about: String,
    /// The dialect in which the server speaks, and which redress is told.
    #[serde(default = "generic")]
    pub dialect: String,
    /// How long calls arrive.
    #[serde(with = "duration")]
    pub length: Duration,
    /// Who calls.
    pub clients: Clients,
    /// What serves.
    pub server: ServerSpec,
    /// Allows so many requests in a while, and refuses the rest with a hint.
    pub limit: Option<LimitSpec>,
    /// Allows so many requests in all.
    pub quota: Option<QuotaSpec>,
    /// Asks for tokens that run out.
    pub token: Option<TokenSpec>,
    /// What fails, and when.
    #[serde(default)]
    pub fault: Vec<FaultSpec>,
}

/// Why a text is no scenario.
#[derive(Debug)]
pub struct InvalidScenario {
    reason: String,
}

fn generic() -> String {
    "generic".to_owned()
}

impl Scenario {
    /// Returns the dialect that the server speaks.
    ///
    /// # Panics
    /// Never for a scenario that was read from a text.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        dialects::by_name(&self.dialect).expect("the name was checked when the scenario was read")
    }

    /// Returns when the last fault, burst or wave is over: from then on the server could serve everybody again. `None` when there was none.
    #[must_use]
    pub fn disturbances_end(&self) -> Option<Duration> {
        let faults = self.fault.iter().filter_map(|fault| fault.ends(self.length));
        let bursts = self.clients.burst.iter().map(|burst| burst.at);
        let waves = self.clients.wave.iter().map(|wave| wave.from + wave.length);
        faults.chain(bursts).chain(waves).filter(|end| *end < self.length).max()
    }

    /// Returns when the first fault, burst or wave begins.
    #[must_use]
    pub fn disturbances_begin(&self) -> Option<Duration> {
        let faults = self.fault.iter().map(|fault| fault.from);
        let bursts = self.clients.burst.iter().map(|burst| burst.at);
        faults.chain(bursts).chain(self.clients.wave.iter().map(|wave| wave.from)).min()
    }

    /// Sets how much of the server's capacity the calls ask for, were each answered by the first attempt.
    ///
    /// # Errors
    /// When the server has no capacity to take a share of, or the clients call in a closed loop.
    pub fn utilize(&mut self, share: f64) -> Result<(), InvalidScenario> {
        let capacity = self.server.capacity().ok_or_else(|| {
            invalid("`utilization` needs a server of kind `fifo` or `sharded`: others have no fixed capacity")
        })?;
        if self.clients.callers.is_some() {
            return Err(invalid("`utilization` is for open arrivals; `callers` call in a closed loop"));
        }
        self.clients.rate = Some(capacity * positive("utilization", share)?);
        Ok(())
    }

    fn check(mut self) -> Result<Self, InvalidScenario> {
        if dialects::by_name(&self.dialect).is_none() {
            return Err(invalid(&format!("no dialect is called `{}`", self.dialect)));
        }
        if self.length.is_zero() || self.length > Duration::from_secs(24 * 3600) {
            return Err(invalid("`length` is more than nothing and at most a day"));
        }
        self.server.check()?;
        if let Some(share) = self.clients.utilization.take() {
            if self.clients.rate.is_some() {
                return Err(invalid("`rate` and `utilization` say the same: give one of them"));
            }
            self.utilize(share)?;
        }
        self.clients.check()?;
        self.limit.iter().try_for_each(LimitSpec::check)?;
        self.token.iter().try_for_each(TokenSpec::check)?;
        self.quota.iter().try_for_each(QuotaSpec::check)?;
        let shards = self.server.shards();
        self.fault.iter().try_for_each(|fault| fault.check(shards))?;
        Ok(self)
    }
}

impl std::str::FromStr for Scenario {
    type Err = InvalidScenario;

    fn from_str(text: &str) -> Result<Self, InvalidScenario> {
        let scenario: Self = toml::from_str(text).map_err(|error| invalid(error.to_string().trim_end()))?;
        scenario.check()
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
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(invalid(&format!("`{name}` is a number above 0"))) }
}

pub(crate) fn share(name: &str, value: f64) -> Result<f64, InvalidScenario> {
    let reason = || invalid(&format!("`{name}` is a share: 0 to 1"));
    (0.0..=1.0).contains(&value).then_some(value).ok_or_else(reason)
}
