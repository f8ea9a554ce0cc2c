//! How many released calls may be in flight: a rule that is given the times of the answers.

use std::time::Duration;

use tokio::time::Instant;

/// A handful: hardly any server is overwhelmed by it, and it doubles within the first round of quick answers.
const FIRST: usize = 10;
/// More than any client has in flight.
const MOST: usize = 1 << 16;

/// The window of a release. It learns from rounds, which are as many answers as it has places.
///
/// A round is as quick as its mean, so that a few answers from a cache, or a few slow ones, decide nothing. One that takes
/// at most twice as long as the quickest so far shows that nothing has piled up at the server: the window doubles, and
/// once there has been a failure it grows by one. One that takes more than four times as long shows a queue: the window
/// is halved, though to no less than it began with. In between it stays. A failure that smells of overload halves it,
/// once for all that were under way together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    places: usize,
    answers: u32,
    sum: Duration,
    last: Duration,
    quickest: Duration,
    cut: Option<Instant>,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self {
            places: FIRST,
            answers: 0,
            sum: Duration::ZERO,
            last: Duration::ZERO,
            quickest: Duration::MAX,
            cut: None,
        }
    }

    /// Returns how many may be in flight.
    pub(crate) const fn places(&self) -> usize {
        self.places
    }

    /// Returns how long an answer took in the last round; nothing before there was one.
    pub(crate) const fn usual(&self) -> Duration {
        self.last
    }

    /// Learns how long an answer took, and how many were in flight until it came: a window that is not used does not grow.
    pub(crate) fn answered(&mut self, took: Duration, in_flight: usize) {
        self.answers += 1;
        self.sum = self.sum.saturating_add(took);
        if (self.answers as usize) < self.places {
            return;
        }
        let mean = self.sum / self.answers;
        self.begin_round();
        self.last = mean;
        self.quickest = self.quickest.min(mean);
        if mean > self.quickest.saturating_mul(4) {
            self.places = self.places.min(FIRST.max(self.places / 2));
        } else if mean <= self.quickest.saturating_mul(2) && in_flight > self.places / 2 {
            let more = if self.cut.is_none() { self.places } else { 1 };
            self.places = (self.places + more).min(MOST);
        }
    }

    /// Learns that a call failed which was sent then.
    pub(crate) fn failed(&mut self, sent: Instant, now: Instant) {
        if self.cut.is_none_or(|cut| cut < sent) {
            self.places = (self.places / 2).max(1);
            self.cut = Some(now);
            self.begin_round();
        }
    }

    const fn begin_round(&mut self) {
        self.answers = 0;
        self.sum = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Rounds of answers that take so many ms each, with the window full; the places after each round.
    fn rounds(window: &mut Window, millis: &[u32]) -> Vec<usize> {
        let round = |took: &u32| {
            let places = window.places();
            (0..places).for_each(|_| window.answered(*took * MS, places));
            window.places()
        };
        millis.iter().map(round).collect()
    }

    #[test]
    fn quick_rounds_double_it_slower_ones_leave_it_and_slow_ones_halve_it_to_no_less_than_the_first() {
        for (millis, places, name) in [
            (&[100, 100, 100][..], &[20, 40, 80][..], "as quick as the quickest"),
            (&[100, 200, 201, 400, 401], &[20, 40, 40, 40, 20], "twice and four times as long are the borders"),
            (&[100, 401, 401, 401], &[20, 10, 10, 10], "not below the first"),
            (&[900, 300, 100, 401], &[20, 40, 80, 40], "the quickest so far counts"),
            (&[0, 0, 1], &[20, 40, 20], "no time at all"),
        ] {
            assert_eq!(rounds(&mut Window::new(), millis), places, "{name}");
        }
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut window = Window::new();
        assert_eq!(rounds(&mut window, &[1; 20]).last(), Some(&MOST));
        let now = Instant::now();
        for nth in 1..40 {
            window.failed(now + 2 * nth * MS, now + (2 * nth + 1) * MS);
        }
        assert_eq!(window.places(), 1);
        window.answered(Duration::MAX, 1);
        assert_eq!(window.places(), 1, "an answer that took for ever does not shrink what is smaller than the first");
    }

    #[test]
    fn a_few_odd_answers_decide_nothing() {
        let mut window = Window::new();
        (0..10).for_each(|nth| window.answered(if nth == 0 { MS } else { 100 * MS }, 10));
        assert_eq!(window.usual(), 90 * MS + MS / 10);
        (0..20).for_each(|nth| window.answered(if nth == 7 { 1_000 * MS } else { 100 * MS }, 20));
        assert_eq!(window.places(), 40);
    }

    #[test]
    fn a_failure_halves_it_once_for_all_that_were_under_way_and_then_it_grows_one_by_one() {
        let (mut window, start) = (Window::new(), Instant::now());
        rounds(&mut window, &[100]);
        window.failed(start, start + MS);
        assert_eq!(window.places(), 10);
        (0..9).for_each(|_| window.failed(start + MS, start + 2 * MS));
        assert_eq!(window.places(), 10, "they were sent before it was halved");
        assert_eq!(rounds(&mut window, &[100, 100, 100]), [11, 12, 13]);
        window.failed(start + 2 * MS, start + 9 * MS);
        assert_eq!(window.places(), 6);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut window = Window::new();
        (0..10).for_each(|_| window.answered(MS, 5));
        assert_eq!(window.places(), 10);
        (0..10).for_each(|_| window.answered(MS, 6));
        assert_eq!(window.places(), 20);
    }
}
