//! The settings of the layer, shared by its services.

use std::time::Duration;

use redress_envelope::Dialect;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::deadline::Deadline;

/// The default of [`ClassifyLayer::hold_timeout`](crate::ClassifyLayer::hold_timeout).
const HOLD_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum time by which a hold ends before the deadline. Timers have a resolution of 1 ms.
const MAX_MARGIN: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    pub(crate) clock: Clock,
    pub(crate) hold_timeout: Option<Duration>,
    /// Whether a gRPC response is returned at its head, whatever its trailers will say.
    pub(crate) commits_at_head: bool,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
}

impl Settings {
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            clock: Clock::system(),
            hold_timeout: None,
            commits_at_head: false,
            attempt_timeout: None,
            deadline: None,
        }
    }

    /// Returns the time for which a success may be held, given when its request was sent and its head arrived.
    pub(crate) fn hold(&self, sent: Instant, head: Instant, deadline: Option<Deadline>) -> Duration {
        let spent = head.saturating_duration_since(sent);
        let mut hold = self.hold_timeout.or_else(|| self.dialect.hold_timeout()).unwrap_or(HOLD_TIMEOUT);
        if let Some(timeout) = self.attempt_timeout {
            let left = timeout.saturating_sub(spent);
            hold = hold.min(if left.is_zero() { timeout } else { left });
        }
        let own = deadline.map(|deadline| deadline.remaining(head));
        if let Some(left) = own.or_else(|| Some(self.deadline?.saturating_sub(spent))) {
            hold = hold.min(left.saturating_sub(MAX_MARGIN.min(left / 10)));
        }
        hold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClassifyLayer, dialects};

    #[tokio::test(start_paused = true)]
    async fn a_hold_ends_with_the_shortest_of_its_own_time_the_attempt_and_the_deadline() {
        let ms = Duration::from_millis;
        let sent = Instant::now();
        for (attempt, deadline, own, head, expected) in [
            (None, None, None, 0, 5_000),
            (None, None, None, 90_000, 5_000),
            (Some(60_000), None, None, 0, 5_000),
            (Some(60_000), None, None, 58_000, 2_000),
            (Some(1_000), None, None, 0, 1_000),
            (Some(1_000), None, None, 900, 100),
            // An upload made progress for longer than the timeout.
            (Some(1_000), None, None, 90_000, 1_000),
            (Some(60_000), None, None, 90_000, 5_000),
            (None, Some(30_000), None, 0, 5_000),
            (None, Some(2_000), None, 0, 1_950),
            (None, Some(2_000), None, 1_000, 950),
            (None, Some(2_000), None, 1_900, 90),
            (None, Some(2_000), None, 2_000, 0),
            (None, Some(2_000), None, 9_000, 0),
            (None, Some(30_000), Some(1_000), 0, 950),
            (None, Some(1_000), Some(30_000), 0, 5_000),
            (Some(1_000), Some(3_000), Some(2_000), 0, 1_000),
        ] {
            let mut layer = ClassifyLayer::new(dialects::vlens());
            layer = attempt.map_or(layer.clone(), |timeout| layer.attempt_timeout(ms(timeout)));
            layer = deadline.map_or(layer.clone(), |deadline| layer.deadline(ms(deadline)));
            let own = own.map(|own| Deadline::new(sent + ms(own)));
            let hold = layer.settings().hold(sent, sent + ms(head), own);
            assert_eq!(hold, ms(expected), "{attempt:?} {deadline:?} {own:?}, head after {head} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_of_a_stack_counts_unless_that_of_the_layer_is_earlier() {
        let (ms, sent) = (Duration::from_millis, Instant::now());
        for (own, cap, expected) in [(None, 2_000, 1_950), (Some(1_000), 2_000, 950), (Some(3_000), 2_000, 1_950)] {
            let layer = ClassifyLayer::new(dialects::vlens());
            let layer = own.map_or(layer.clone(), |own| layer.deadline(ms(own))).cap_deadline(ms(cap));
            assert_eq!(layer.settings().hold(sent, sent, None), ms(expected), "{own:?} {cap}");
        }
    }
}
