//! Rate limits per minute.
//!
//! The vendors publish limits such as "60 requests a minute" without the kind of window. Fixed windows
//! are the strictest common reading for `Retry-After`: the whole rest of the window.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::shared::Shared;

const MINUTE: Duration = Duration::from_secs(60);

/// Fixed windows of one minute, by name.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    lifted: AtomicBool,
    windows: Shared<HashMap<&'static str, Window>>,
}

#[derive(Debug)]
struct Window {
    start: Instant,
    used: u32,
}

impl Limits {
    /// Counts one request in the window of that name.
    ///
    /// Fails with the whole seconds until the next window, at least 1, if the window is full.
    pub(crate) fn take(&self, name: &'static str, per_minute: u32) -> Result<(), u64> {
        if self.lifted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = Instant::now();
        let mut windows = self.windows.lock();
        let window = windows.entry(name).or_insert(Window { start: now, used: 0 });
        window.take(per_minute, now)
    }

    pub(crate) fn lift(&self) {
        self.lifted.store(true, Ordering::Relaxed);
    }
}

impl Window {
    fn take(&mut self, per_minute: u32, now: Instant) -> Result<(), u64> {
        if now.saturating_duration_since(self.start) >= MINUTE {
            *self = Self { start: now, used: 0 };
        }
        if self.used < per_minute {
            self.used += 1;
            return Ok(());
        }
        let left = MINUTE - now.saturating_duration_since(self.start);
        Err(left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_names_the_seconds_until_the_next() {
        let start = Instant::now();
        let mut window = Window { start, used: 0 };
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(window.take(2, at(0)), Ok(()));
        assert_eq!(window.take(2, at(1)), Ok(()));
        assert_eq!(window.take(2, at(1)), Err(60), "rounded up");
        assert_eq!(window.take(2, at(59_999)), Err(1), "never zero");
        assert_eq!(window.take(2, at(60_000)), Ok(()), "a new window");
    }

    #[test]
    fn lifted_limits_let_everything_pass() {
        let limits = Limits::default();
        assert_eq!(limits.take("a", 1), Ok(()));
        assert!(limits.take("a", 1).is_err());
        assert_eq!(limits.take("b", 1), Ok(()), "another window");
        limits.lift();
        assert_eq!(limits.take("a", 1), Ok(()));
    }
}
