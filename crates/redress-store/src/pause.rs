//! The pauses of processes that must not act together.

use std::time::Duration;

/// The pause after the first failed call to a store, and the longest one.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(10);

/// The pauses after failed calls to a store: 1 s at first, doubled each time up to 10 s, and each up to half longer at random.
///
/// A store that is back is used again within 15 s, and a thousand processes that wait for it call it about 80 times a second.
///
/// # Examples
/// ```
/// use redress_store::Pauses;
/// use std::time::Duration;
///
/// let mut pauses = Pauses::new();
/// assert!(pauses.next_pause() <= Duration::from_millis(1500));
/// assert!((Duration::from_secs(2)..=Duration::from_secs(3)).contains(&pauses.next_pause()));
/// pauses = Pauses::new(); // the store has answered
/// assert!(pauses.next_pause() <= Duration::from_millis(1500));
/// ```
#[derive(Clone, Debug)]
pub struct Pauses {
    next: Duration,
}

impl Pauses {
    /// Begins with the first pause.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: FIRST }
    }

    /// Returns the next pause.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LAST);
        jittered(pause)
    }
}

impl Default for Pauses {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns a pause that is up to half of it longer, at random, so that the processes that share a store do not come back together.
///
/// # Examples
/// ```
/// use redress_store::jittered;
/// use std::time::Duration;
///
/// let pause = jittered(Duration::from_secs(2));
/// assert!((Duration::from_secs(2)..=Duration::from_secs(3)).contains(&pause));
/// ```
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    let half = u64::try_from((pause / 2).as_nanos()).unwrap_or(u64::MAX);
    pause.saturating_add(Duration::from_nanos(fastrand::u64(0..=half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_seconds() {
        let mut pauses = Pauses::new();
        for seconds in [1, 2, 4, 8, 10, 10, 10] {
            let (pause, least) = (pauses.next_pause(), Duration::from_secs(seconds));
            assert!((least..=least * 3 / 2).contains(&pause), "{pause:?}, not {seconds} s");
        }
    }
}
