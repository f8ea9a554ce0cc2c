//! The congestion window of a release, as TCP has one (RFC 5681). It is a pure function of the response times.

use std::time::Duration;

use tokio::time::Instant;

/// The initial window, as in RFC 6928: hardly any server is overloaded by it, and it doubles within the first fast round.
const INITIAL_WINDOW: usize = 10;
/// The maximum window: more than any client has in flight.
const MAX_WINDOW: usize = 1 << 16;

/// The maximum number of calls in flight during a release.
///
/// It adapts in rounds of as many responses as the window has places. The round-trip time of a round is the mean of its
/// responses, so that single fast or slow ones do not count.
/// - A round of at most twice the minimum round-trip time shows that no queue has built up at the server. The window
///   doubles (slow start); after the first failure it grows by one (congestion avoidance).
/// - A round of more than four times the minimum shows a queue. The window is halved, though not below its initial size.
/// - A failure that indicates overload halves the window, once for all calls that were in flight together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CongestionWindow {
    /// The maximum number of calls in flight.
    cwnd: usize,
    /// The number of responses in this round, and the sum of their times.
    acks: u32,
    rtt_sum: Duration,
    /// The mean response time of the last round.
    last_rtt: Duration,
    /// The minimum of these times.
    min_rtt: Duration,
    /// The time of the last failure that halved the window; `None` during slow start.
    recovery_start: Option<Instant>,
}

impl CongestionWindow {
    pub(crate) const fn new() -> Self {
        Self {
            cwnd: INITIAL_WINDOW,
            acks: 0,
            rtt_sum: Duration::ZERO,
            last_rtt: Duration::ZERO,
            min_rtt: Duration::MAX,
            recovery_start: None,
        }
    }

    /// Returns the maximum number of calls in flight.
    pub(crate) const fn cwnd(&self) -> usize {
        self.cwnd
    }

    /// Returns the mean response time of the last round; zero before the first.
    pub(crate) const fn last_rtt(&self) -> Duration {
        self.last_rtt
    }

    /// Records the time of a response, and the number of calls in flight before it. A window that is not used does not
    /// grow.
    pub(crate) fn on_ack(&mut self, rtt: Duration, in_flight: usize) {
        self.acks += 1;
        self.rtt_sum = self.rtt_sum.saturating_add(rtt);
        if (self.acks as usize) < self.cwnd {
            return;
        }
        let mean = self.rtt_sum / self.acks;
        self.begin_round();
        self.last_rtt = mean;
        self.min_rtt = self.min_rtt.min(mean);
        if mean > self.min_rtt.saturating_mul(4) {
            self.cwnd = self.cwnd.min(INITIAL_WINDOW.max(self.cwnd / 2));
        } else if mean <= self.min_rtt.saturating_mul(2) && in_flight > self.cwnd / 2 {
            let growth = if self.recovery_start.is_none() { self.cwnd } else { 1 };
            self.cwnd = (self.cwnd + growth).min(MAX_WINDOW);
        }
    }

    /// Records a failure that indicates overload, of a call that was sent at `sent`.
    pub(crate) fn on_congestion_event(&mut self, sent: Instant, now: Instant) {
        if self.recovery_start.is_none_or(|start| start < sent) {
            self.cwnd = (self.cwnd / 2).max(1);
            self.recovery_start = Some(now);
            self.begin_round();
        }
    }

    /// Starts a round without responses.
    const fn begin_round(&mut self) {
        self.acks = 0;
        self.rtt_sum = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Runs rounds of responses with these times in ms and a full window; returns the window after each round.
    fn rounds(window: &mut CongestionWindow, millis: &[u32]) -> Vec<usize> {
        let round = |took: &u32| {
            let cwnd = window.cwnd();
            (0..cwnd).for_each(|_| window.on_ack(*took * MS, cwnd));
            window.cwnd()
        };
        millis.iter().map(round).collect()
    }

    #[test]
    fn fast_rounds_double_the_window_and_slow_ones_halve_it_down_to_the_initial_window() {
        for (millis, windows, name) in [
            (&[100, 100, 100][..], &[20, 40, 80][..], "as fast as the fastest"),
            (&[100, 200, 201, 400, 401], &[20, 40, 40, 40, 20], "the limits are twice and four times the minimum"),
            (&[100, 401, 401, 401], &[20, 10, 10, 10], "not below the initial window"),
            (&[900, 300, 100, 401], &[20, 40, 80, 40], "the minimum so far counts"),
            (&[0, 0, 1], &[20, 40, 20], "a zero round-trip time"),
        ] {
            assert_eq!(rounds(&mut CongestionWindow::new(), millis), windows, "{name}");
        }
    }

    #[test]
    fn the_window_stays_within_its_bounds() {
        let mut window = CongestionWindow::new();
        assert_eq!(rounds(&mut window, &[1; 20]).last(), Some(&MAX_WINDOW));
        let now = Instant::now();
        for nth in 1..40 {
            window.on_congestion_event(now + 2 * nth * MS, now + (2 * nth + 1) * MS);
        }
        assert_eq!(window.cwnd(), 1);
        window.on_ack(Duration::MAX, 1);
        assert_eq!(window.cwnd(), 1, "a slow round does not shrink a window below the initial one");
    }

    #[test]
    fn single_outliers_do_not_change_the_window() {
        let mut window = CongestionWindow::new();
        (0..10).for_each(|nth| window.on_ack(if nth == 0 { MS } else { 100 * MS }, 10));
        assert_eq!(window.last_rtt(), 90 * MS + MS / 10);
        (0..20).for_each(|nth| window.on_ack(if nth == 7 { 1_000 * MS } else { 100 * MS }, 20));
        assert_eq!(window.cwnd(), 40);
    }

    #[test]
    fn a_failure_halves_the_window_once_per_flight_and_ends_slow_start() {
        let (mut window, start) = (CongestionWindow::new(), Instant::now());
        rounds(&mut window, &[100]);
        window.on_congestion_event(start, start + MS);
        assert_eq!(window.cwnd(), 10);
        (0..9).for_each(|_| window.on_congestion_event(start + MS, start + 2 * MS));
        assert_eq!(window.cwnd(), 10, "they were sent before the window was halved");
        assert_eq!(rounds(&mut window, &[100, 100, 100]), [11, 12, 13]);
        window.on_congestion_event(start + 2 * MS, start + 9 * MS);
        assert_eq!(window.cwnd(), 6);
    }

    #[test]
    fn an_unused_window_does_not_grow() {
        let mut window = CongestionWindow::new();
        (0..10).for_each(|_| window.on_ack(MS, 5));
        assert_eq!(window.cwnd(), 10);
        (0..10).for_each(|_| window.on_ack(MS, 6));
        assert_eq!(window.cwnd(), 20);
    }
}
