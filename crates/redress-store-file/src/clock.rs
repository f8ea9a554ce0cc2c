//! The clocks of the machine.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970 by the wall clock, which may be set.
    pub(crate) wall: u64,
    /// The monotonic clock, which all processes of a machine share; `None` where it has no such clock.
    pub(crate) uptime: Option<Uptime>,
}

/// The monotonic clock of the machine: what tokio's timers and leases count by. It stands still while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uptime {
    /// The random id of this start of the machine.
    boot: u128,
    millis: u64,
}

impl Moment {
    /// Returns the time now.
    #[expect(
        clippy::disallowed_methods,
        reason = "after a restart of the machine the age of a file is known by its wall clock only"
    )]
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), uptime: system::uptime() }
    }

    /// Returns the milliseconds since an earlier time: by the monotonic clock if the machine has not been restarted since, else by
    /// the wall clock, and none if that was set back.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        match (self.uptime, earlier.uptime) {
            (Some(now), Some(then)) if now.boot == then.boot => now.millis.saturating_sub(then.millis),
            _ => self.wall.saturating_sub(earlier.wall),
        }
    }
}

impl Uptime {
    /// Reads what [`Display`](fmt::Display) writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (boot, millis) = text.split_once(' ')?;
        Some(Self { boot: u128::from_str_radix(boot, 16).ok()?, millis: millis.parse().ok()? })
    }
}

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x} {}", self.boot, self.millis)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::sync::LazyLock;

    use rustix::time::{ClockId, clock_gettime};

    use super::Uptime;

    static BOOT: LazyLock<Option<u128>> = LazyLock::new(|| {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
    });

    pub(super) fn uptime() -> Option<Uptime> {
        let time = clock_gettime(ClockId::Monotonic);
        let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_nsec).ok()?);
        Some(Uptime { boot: (*BOOT)?, millis: seconds.checked_mul(1000)? + nanos / 1_000_000 })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) const fn uptime() -> Option<super::Uptime> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(wall: u64, boot: u128, millis: u64) -> Moment {
        Moment { wall, uptime: Some(Uptime { boot, millis }) }
    }

    #[test]
    fn a_wall_clock_that_is_set_makes_nothing_older_or_younger() {
        let then = at(1_796_000_000_000, 7, 5_000);
        for wall in [0, 1_796_000_000_000, 1_796_000_090_000, u64::MAX] {
            assert_eq!(at(wall, 7, 5_250).since(then), 250, "wall clock at {wall}");
        }
        assert_eq!(at(0, 7, 4_000).since(then), 0, "by a clock of another namespace it is not in the future");
    }

    #[test]
    fn after_a_restart_of_the_machine_the_wall_clock_counts() {
        let then = at(10_000, 7, 5_000);
        assert_eq!(at(12_000, 8, 5_250).since(then), 2_000);
        assert_eq!(at(9_000, 8, 60_000).since(then), 0);
        let unknown = Moment { uptime: None, ..at(12_000, 7, 0) };
        assert_eq!((unknown.since(then), at(10_000, 7, 9_000).since(unknown)), (2_000, 0));
    }

    #[test]
    fn uptimes_are_read_as_they_were_written() {
        let uptime = Uptime { boot: 0x0f1e, millis: 42 };
        assert_eq!(uptime.to_string(), "00000000000000000000000000000f1e 42");
        assert_eq!(Uptime::parse(&uptime.to_string()), Some(uptime));
        assert!(["", "7", "x 7", "7 x", "7 -1"].into_iter().all(|text| Uptime::parse(text).is_none()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_has_a_monotonic_clock_of_all_processes() {
        let (first, second) = (Moment::now(), Moment::now());
        let boot = |moment: Moment| moment.uptime.map(|uptime| uptime.boot);
        assert!(boot(first).is_some() && boot(first) == boot(second));
    }
}
