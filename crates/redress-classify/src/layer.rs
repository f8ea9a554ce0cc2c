//! The layer and its settings.

use std::sync::Arc;
use std::time::Duration;

use redress_envelope::Dialect;
use tokio::time::Instant;
use tower_layer::Layer;

use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::service::Classify;

/// How long a success is held: an error envelope is short and comes in one piece right behind its head, and the retries of
/// TCP that a lost segment needs take 1 s and 2 s.
const HOLD_TIMEOUT: Duration = Duration::from_secs(5);
/// How much earlier than the deadline a hold ends, so that the response gets up in time; timers count in milliseconds.
const MAX_MARGIN: Duration = Duration::from_millis(50);

/// Makes [`Classify`] services that read errors in one dialect.
///
/// It belongs right above the transport, and above decompression: a compressed error cannot be read.
///
/// # Examples
/// ```
/// use redress_classify::{ClassifyLayer, dialects};
///
/// let layer = ClassifyLayer::new(dialects::veridia());
/// ```
#[derive(Clone, Debug)]
pub struct ClassifyLayer {
    settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    pub(crate) clock: Clock,
    hold_timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    deadline: Option<Duration>,
}

impl ClassifyLayer {
    /// Reads errors in this dialect, by the system's clock.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        let settings =
            Settings { dialect, clock: Clock::system(), hold_timeout: None, attempt_timeout: None, deadline: None };
        Self { settings: Arc::new(settings) }
    }

    /// Sets how long a success is held at most while its body may still signal an error, or hold a hint that the dialect
    /// declares for successes; the default is the dialect's, or else 5 s.
    ///
    /// It counts from the head of the response. When it ends, the response is handed up as the success that its status
    /// says, with an event. With `Duration::ZERO` only what arrives together with the head is looked at.
    #[must_use]
    pub fn hold_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.hold_timeout = Some(timeout))
    }

    /// Sets how long the layer below lets an attempt take: a hold ends within that time, too.
    ///
    /// It cuts no attempt itself. A head that comes later than that, such as one after a long upload, begins a hold of at
    /// most this length.
    #[must_use]
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.attempt_timeout = Some(timeout))
    }

    /// Sets how long a call may take in all: a hold ends shortly before, so that the response in hand is not lost.
    ///
    /// It cuts no call itself. A request's own [`Deadline`], in its extensions, takes its place; without one it counts
    /// from when the request came to this layer. The hold ends a tenth of the time left earlier, at most 50 ms.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(deadline))
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.set(|settings| settings.clock = clock)
    }

    fn set(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }
}

impl Settings {
    /// Returns how long a success may be held whose request was sent at `sent` and whose head came at `head`.
    pub(crate) fn hold(&self, sent: Instant, head: Instant, deadline: Option<Deadline>) -> Duration {
        let spent = head.saturating_duration_since(sent);
        let mut hold = self.hold_timeout.or_else(|| self.dialect.hold_timeout()).unwrap_or(HOLD_TIMEOUT);
        if let Some(timeout) = self.attempt_timeout {
            let left = timeout.saturating_sub(spent);
            hold = hold.min(if left.is_zero() { timeout } else { left });
        }
        let own = deadline.map(|deadline| deadline.instant().saturating_duration_since(head));
        if let Some(left) = own.or_else(|| Some(self.deadline?.saturating_sub(spent))) {
            hold = hold.min(left.saturating_sub(MAX_MARGIN.min(left / 10)));
        }
        hold
    }
}

impl<S> Layer<S> for ClassifyLayer {
    type Service = Classify<S>;

    fn layer(&self, inner: S) -> Classify<S> {
        Classify::new(inner, Arc::clone(&self.settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects;

    #[tokio::test(start_paused = true)]
    async fn a_hold_ends_within_its_own_time_the_attempt_and_the_deadline() {
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
            let hold = layer.settings.hold(sent, sent + ms(head), own);
            assert_eq!(hold, ms(expected), "{attempt:?} {deadline:?} {own:?}, head after {head} ms");
        }
    }
}
