//! The law of a limit that processes share.

use std::num::NonZeroU32;
use std::time::Duration;

/// The parameters of a shared limit. All times are milliseconds.
///
/// The window is 2 % longer than the time of the limit, at least 1 ms and at most 1 s: requests that the network delays by less do not
/// push others above the limit of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(super) requests: u32,
    pub(super) window: u64,
    /// Requests that were sent are counted by slots of this length, an eighth of the shortest lease.
    pub(super) slot: u64,
}

impl Rule {
    pub(crate) fn new(requests: NonZeroU32, per: Duration) -> Self {
        let per = u64::try_from(per.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).min(MAX_WINDOW);
        let window = per + (per / 50).clamp(1, 1_000);
        Self { requests: requests.get(), window, slot: (window / 320).max(1) }
    }

    /// Returns the length of a lease of a process that sends so many requests a millisecond: eight requests, within a fortieth and a
    /// twentieth of the window. A longer one costs fewer
    /// calls to the store, of which a renewal takes two; permits of a process that ended are lost for longer.
    pub(super) fn lease(&self, rate: f64) -> u64 {
        let (shortest, longest) = ((self.window / 40).max(1), (self.window / 20).max(1));
        // The cast saturates, also from the infinity of no rate.
        ((8.0 / rate) as u64).clamp(shortest, longest)
    }

    /// Returns the time at which the requests of the slot with this end no longer count.
    pub(super) const fn over_at(&self, end: u64) -> u64 {
        end.saturating_mul(self.slot).saturating_add(self.window)
    }

    /// Returns how long a record is needed after the last report.
    pub(super) const fn lifetime(&self) -> u64 {
        3 * self.window
    }

    /// Returns the permits that the limit allows to each of this number of processes in a lease, at least one.
    pub(super) fn share(&self, lease: u64, holders: usize) -> u32 {
        let all = u64::from(self.requests).saturating_mul(lease) / self.window;
        u32::try_from(all / (holders.max(1) as u64)).unwrap_or(u32::MAX).max(1)
    }

    /// Returns the most permits of one lease: twice what the limit allows all processes in that time.
    pub(super) fn largest_grant(&self, lease: u64) -> u32 {
        let share = u64::from(self.requests).saturating_mul(2).saturating_mul(lease).div_ceil(self.window);
        u32::try_from(share).unwrap_or(u32::MAX).max(1)
    }
}

/// The longest time of a limit that is shared: 400 days.
const MAX_WINDOW: u64 = 400 * 86_400_000;
