//! The server and its clients, as a user states them.

use std::fmt;
use std::time::Duration;

/// A server with a queue, and clients with a timeout and retries.
///
/// # Examples
/// ```
/// use redress_lab::map::System;
/// use std::time::Duration;
///
/// let system = System::new(300.0, Duration::from_secs(1), 1_000, 2)?;
/// assert_eq!(system.storm_load(), 1.0 / 3.0);
/// assert!(!system.keeps_up());
/// # Ok::<(), redress_lab::map::InvalidSystem>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct System {
    pub(super) capacity: f64,
    pub(super) timeout: Duration,
    pub(super) queue: u32,
    pub(super) retries: u32,
}

/// The reason for rejecting a system or the axes of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSystem {
    reason: String,
}

/// The largest number of requests that a server completes within the timeout. The chain is exact to less than a
/// percent long before.
const MOST: f64 = 1e7;

impl System {
    /// Creates a system.
    ///
    /// `capacity` is in requests per second, `timeout` is the time limit of one attempt, `queue` the number of
    /// requests that wait at most, and `retries` the number of attempts of a call after its first one.
    ///
    /// # Errors
    /// Fails if the capacity or the timeout is not above 0, if the server completes more than ten million
    /// requests within the timeout, and on more than 10 retries.
    pub fn new(capacity: f64, timeout: Duration, queue: u32, retries: u32) -> Result<Self, InvalidSystem> {
        positive("the capacity", capacity)?;
        positive("the timeout", timeout.as_secs_f64())?;
        if capacity * timeout.as_secs_f64() > MOST {
            return Err(invalid("the server completes more than 10,000,000 requests within the timeout"));
        }
        Self { capacity, timeout, queue, retries: 0 }.with_retries(retries)
    }

    /// Returns the system with another number of retries.
    ///
    /// # Errors
    /// Fails on more than 10 retries.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::map::System;
    /// use std::time::Duration;
    ///
    /// let system = System::new(300.0, Duration::from_secs(1), 1_000, 2)?.with_retries(3)?;
    /// assert_eq!(system.retries(), 3);
    /// assert!(system.with_retries(11).is_err());
    /// # Ok::<(), redress_lab::map::InvalidSystem>(())
    /// ```
    pub fn with_retries(self, retries: u32) -> Result<Self, InvalidSystem> {
        if retries > 10 {
            return Err(invalid("there are more than 10 retries"));
        }
        Ok(Self { retries, ..self })
    }

    /// Returns the requests per second that the server completes.
    #[must_use]
    pub const fn capacity(&self) -> f64 {
        self.capacity
    }

    /// Returns the time limit of one attempt.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the number of requests that wait at most.
    #[must_use]
    pub const fn queue(&self) -> u32 {
        self.queue
    }

    /// Returns the number of retries per call.
    #[must_use]
    pub const fn retries(&self) -> u32 {
        self.retries
    }

    /// Returns the share of the capacity above which the retries alone can keep the server overloaded: one by
    /// the number of attempts.
    ///
    /// It is the threshold of Bronson et al., "Metastable Failures in Distributed Systems" (2021): below
    /// it an overload ends even if each call uses all of its attempts.
    #[must_use]
    pub fn storm_load(&self) -> f64 {
        1.0 / (f64::from(self.retries) + 1.0)
    }

    /// Returns `true` if the server works off a full queue within the timeout, so that no request that it takes
    /// is too late on average and no outage can last beyond its cause.
    #[must_use]
    pub fn keeps_up(&self) -> bool {
        f64::from(self.queue) + 1.0 <= self.within_timeout()
    }

    /// Returns the mean number of requests that the server completes within the timeout.
    pub(super) fn within_timeout(&self) -> f64 {
        self.capacity * self.timeout.as_secs_f64()
    }
}

impl fmt::Display for InvalidSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for InvalidSystem {}

fn invalid(reason: &str) -> InvalidSystem {
    InvalidSystem { reason: reason.to_owned() }
}

/// Fails unless a value is finite and above 0.
pub(super) fn positive(name: &str, value: f64) -> Result<(), InvalidSystem> {
    if value.is_finite() && value > 0.0 { Ok(()) } else { Err(invalid(&format!("{name} must be above 0"))) }
}
