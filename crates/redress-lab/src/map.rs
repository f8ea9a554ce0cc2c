//! The region in which an outage does not end by itself, and the expected time to recover.
//!
//! Retries can keep a server overloaded after the end of an outage: its queue is so long that each request is
//! answered after its timeout, each caller sends another one, and these fill the queue again. [`Map`] computes
//! for which loads that happens, from a Markov chain of the queue and of the callers who will retry. A cell of a
//! map takes less than a millisecond, where a simulation takes seconds.
//!
//! The method is that of Alvaro et al., "Formal Analysis of Metastable Failures in Software Systems" (2025,
//! arXiv 2510.03551): a continuous-time Markov chain of the requests at the server and the retry orbit, and the
//! expected time until it hits the states that have recovered. The chain of this module is smaller than those of
//! the paper and its rates are computed, where the paper fits them to measurements.
//!
//! [`ASSUMPTIONS`] lists the assumptions. `docs/map.md` compares the map with the simulator of the lab.

mod chain;
mod elimination;
mod page;
mod system;
mod walk;

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use chain::Chain;
pub use page::page;
pub use system::{InvalidSystem, System};
use walk::Completions;

/// The share of calls that are answered in time when a server has recovered: 95 %, as in
/// [`RecoveryTime`](crate::outcome::RecoveryTime).
pub const RECOVERED: f64 = 0.95;

/// The mean time for which the chain waits for a recovery: a day.
///
/// The chain always recovers in the end, by chance, and inside of the region the expected time is often longer
/// than the age of the universe. Such a rare path would decide over the expected time of all others. The chain
/// therefore gives up after an exponentially distributed time, and states how probable that is.
pub const LONGEST: Duration = Duration::from_secs(86_400);

/// The assumptions of the model, one sentence each.
pub const ASSUMPTIONS: [&str; 7] = [
    "One queue in order of arrival, one server, exponentially distributed service times; calls arrive at random (Poisson).",
    "The server also works on requests whose caller has given up.",
    "In the outage the server does nothing; its queue takes requests until it is full, and refuses the others when it ends.",
    "Each attempt that times out or is refused is repeated at once, up to the retries, by every caller and without a budget.",
    "Backoff is left out: with open arrivals it delays the retries and saves none.",
    "A call has no deadline beside its attempts; its callers do not slow down.",
    "The server has recovered when at least 95 % of new calls are answered in time.",
];

/// The expected end of an outage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Recovery {
    /// The outage ends by itself.
    After {
        /// The expected time from the end of the outage until the server has recovered, in seconds; 0 if it does
        /// not leave the calls late.
        seconds: f64,
        /// The probability that the server stays down instead, at most one half.
        stuck: f64,
    },
    /// The outage does not end by itself: the server stays down with a probability above one half.
    Never,
    /// The server is overloaded without an outage: more than 5 % of the calls time out.
    Overloaded,
}

/// The columns of a map.
#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    /// The lengths of the outage.
    Outages(Vec<Duration>),
    /// The numbers of retries, after an outage of this length.
    Retries {
        /// The numbers of retries per call.
        retries: Vec<u32>,
        /// The length of the outage.
        outage: Duration,
    },
}

/// The loads, and the expected end of the outage for each column.
///
/// Its JSON form has the members `capacity`, `timeout_s`, `queue`, `retries`, `outages_s` or `outage_s`,
/// `recovered`, `assumptions`, and `rows`. A row has `load`, `rate` and `cells`; a cell has `seconds` and
/// `stuck`, or is `"never"` or `"overloaded"`.
///
/// # Examples
/// ```
/// use redress_lab::map::{Columns, Map, Recovery, System};
/// use std::time::Duration;
///
/// let system = System::new(300.0, Duration::from_secs(1), 1_000, 1)?;
/// let outages = vec![Duration::from_millis(500), Duration::from_secs(10)];
/// let map = Map::new(system, Columns::Outages(outages), &[0.4, 0.9])?;
///
/// // One retry doubles the load: at 90 % of the capacity the server stays down, at 40 % it does not.
/// assert!(matches!(map.rows[0].cells[1], Recovery::After { seconds, .. } if seconds < 60.0));
/// assert_eq!(map.rows[1].cells[1], Recovery::Never);
/// // An outage that is shorter than the timeout leaves a short queue.
/// assert!(matches!(map.rows[1].cells[0], Recovery::After { .. }));
/// # Ok::<(), redress_lab::map::InvalidSystem>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The server and its clients.
    pub system: System,
    /// The columns.
    pub columns: Columns,
    /// One row for each load.
    pub rows: Vec<Row>,
}

/// The cells of one load.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The rate of the calls as a share of the capacity.
    pub load: f64,
    /// The expected end of the outage, by column.
    pub cells: Vec<Recovery>,
}

impl Map {
    /// Computes a map. `loads` are shares of the capacity, in the order of the rows.
    ///
    /// # Errors
    /// Fails on more than 10 retries in a column, and on loads or outages that are not above 0.
    pub fn new(system: System, columns: Columns, loads: &[f64]) -> Result<Self, InvalidSystem> {
        for load in loads {
            system::positive("a load", *load)?;
        }
        let completions = Completions::new(system.within_timeout());
        let row = |load: &f64| Ok(Row { load: *load, cells: columns.cells(system, &completions, *load)? });
        let rows = loads.iter().map(row).collect::<Result<_, InvalidSystem>>()?;
        Ok(Self { system, columns, rows })
    }
}

impl Columns {
    /// Returns the number of columns.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::map::Columns;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Columns::Outages(vec![Duration::from_secs(1); 3]).count(), 3);
    /// ```
    #[must_use]
    pub const fn count(&self) -> usize {
        match self {
            Self::Outages(outages) => outages.len(),
            Self::Retries { retries, .. } => retries.len(),
        }
    }

    /// Returns the heads of the columns, such as `10s` or `2 retries`.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::map::Columns;
    /// use std::time::Duration;
    ///
    /// let outages = Columns::Outages(vec![Duration::from_millis(500), Duration::from_secs(90)]);
    /// assert_eq!(outages.heads(), ["500ms", "1m 30s"]);
    /// let retries = Columns::Retries { retries: vec![0, 1, 2], outage: Duration::from_secs(10) };
    /// assert_eq!(retries.heads(), ["0 retries", "1 retry", "2 retries"]);
    /// ```
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        match self {
            Self::Outages(outages) => outages.iter().map(|it| humantime::format_duration(*it).to_string()).collect(),
            Self::Retries { retries, .. } => {
                retries.iter().map(|it| if *it == 1 { "1 retry".to_owned() } else { format!("{it} retries") }).collect()
            }
        }
    }

    /// Computes the cells of a row: one chain for all outages, or one for each number of retries.
    fn cells(&self, system: System, completions: &Completions, load: f64) -> Result<Vec<Recovery>, InvalidSystem> {
        let rate = load * system.capacity;
        match self {
            Self::Outages(outages) => {
                let longest = outages.iter().max().copied().unwrap_or_default();
                let chain = Chain::solve(system, completions, rate, system.sent(rate, longest.as_secs_f64()));
                outages.iter().map(|outage| recovery(chain.as_ref(), *outage)).collect()
            }
            Self::Retries { retries, outage } => {
                let cell = |retries: &u32| {
                    let system = system.with_retries(*retries)?;
                    let most = system.sent(rate, outage.as_secs_f64());
                    recovery(Chain::solve(system, completions, rate, most).as_ref(), *outage)
                };
                retries.iter().map(cell).collect()
            }
        }
    }
}

/// Returns the cell of an outage.
fn recovery(chain: Option<&Chain>, outage: Duration) -> Result<Recovery, InvalidSystem> {
    system::positive("an outage", outage.as_secs_f64())?;
    let Some(chain) = chain else { return Ok(Recovery::Overloaded) };
    let (chance, seconds) = chain.recovery(outage.as_secs_f64());
    let stuck = (1.0 - chance).max(0.0);
    Ok(if stuck <= 0.5 { Recovery::After { seconds, stuck } } else { Recovery::Never })
}

impl Serialize for Recovery {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::After { seconds, stuck } => {
                let mut cell = serializer.serialize_struct("After", 2)?;
                cell.serialize_field("seconds", &((seconds * 1_000.0).round() / 1_000.0))?;
                cell.serialize_field("stuck", &((stuck * 1e6).round() / 1e6))?;
                cell.end()
            }
            Self::Never => serializer.serialize_str("never"),
            Self::Overloaded => serializer.serialize_str("overloaded"),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Map", 9)?;
        map.serialize_field("capacity", &self.system.capacity())?;
        map.serialize_field("timeout_s", &self.system.timeout().as_secs_f64())?;
        map.serialize_field("queue", &self.system.queue())?;
        match &self.columns {
            Columns::Outages(outages) => {
                map.serialize_field("retries", &self.system.retries())?;
                map.serialize_field("outages_s", &outages.iter().map(Duration::as_secs_f64).collect::<Vec<_>>())?;
            }
            Columns::Retries { retries, outage } => {
                map.serialize_field("retries", retries)?;
                map.serialize_field("outage_s", &outage.as_secs_f64())?;
            }
        }
        map.serialize_field("recovered", &RECOVERED)?;
        map.serialize_field("longest_s", &LONGEST.as_secs())?;
        map.serialize_field("assumptions", &ASSUMPTIONS)?;
        map.serialize_field("rows", &self.rows.iter().map(|row| Cells(row, &self.system)).collect::<Vec<_>>())?;
        map.end()
    }
}

/// A row with its rate in calls per second.
struct Cells<'a>(&'a Row, &'a System);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Row", 3)?;
        row.serialize_field("load", &self.0.load)?;
        row.serialize_field("rate", &(self.0.load * self.1.capacity()))?;
        row.serialize_field("cells", &self.0.cells)?;
        row.end()
    }
}

#[cfg(test)]
mod tests;
