//! Tests of the window of a release.

use super::*;
use crate::health::tests::healthy;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// The usual latency of the upstream in these tests.
const USUAL: Duration = Duration::from_millis(100);

/// Returns a window of this number of places, which is its first size.
pub(crate) fn with_places(places: f64, health: &Health, now: Instant) -> Window {
    Window { places, first: places, ..Window::new(health, now) }
}

/// A release at an upstream with a usual latency of 100 ms. Calls wait throughout.
struct Release {
    window: Window,
    health: Health,
    now: Instant,
}

impl Release {
    /// Begins one with this number of places, which is the first size.
    fn new(places: f64) -> Self {
        let (health, now) = healthy(USUAL, 10 * MS);
        let window = with_places(places, &health, now);
        Self { window, health, now }
    }

    fn with_timeout(mut self, timeout: Duration) -> Self {
        self.health.on_failure(Some(timeout), false, self.now);
        self
    }

    /// Ends `ends` calls that were sent now, and took `took`.
    fn end(&mut self, end: CallEnd, ends: u32, took: Duration) {
        for _ in 0..ends {
            self.window.on_end(end, self.now, true, &self.health, self.now + took);
        }
    }

    /// Makes a round of answers that took `took`, and returns the number of places after it.
    fn round(&mut self, took: Duration) -> f64 {
        let shortest: f64 = if self.window.places < 2.0 { 2.0 } else { 4.0 };
        let ends = self.window.places.max(shortest).ceil() as u32;
        self.end(CallEnd::Answered, ends - 1, took);
        assert_eq!(self.window.round.ends(), ends - 1, "the round lasts");
        self.end(CallEnd::Answered, 1, took);
        assert_eq!(self.window.round.ends(), 0, "it is over");
        self.now += took;
        self.window.places
    }
}

fn assert_close(one: f64, other: f64) {
    assert!((one / other - 1.0).abs() < 0.02, "{one} {other}");
}

#[test]
fn the_first_size_is_the_concurrency_of_a_good_day() {
    for (took, gap, places) in
        [(95 * MS, 10 * MS, 9.5), (50 * MS, 100 * MS, 0.5), (MS, S, SMALLEST), (60 * S, 900 * MS / 1_000, LARGEST)]
    {
        let (health, now) = healthy(took, gap);
        let window = Window::new(&health, now);
        assert!((window.places() / places - 1.0).abs() < 0.03, "{places} {}", window.places());
        assert_eq!(window.next_send(), now);
    }
    assert_close(Window::new(&Health::new(), Instant::now()).places(), 1.0);
}

#[test]
fn it_grows_by_half_until_the_first_sign_of_a_queue_and_then_by_a_tenth() {
    let mut release = Release::new(4.0);
    for places in [6.0, 9.0, 13.5, 20.25] {
        assert_close(release.round(USUAL), places);
    }
    assert_close(release.round(3 * USUAL), 20.25);
    for places in [22.275, 24.5025] {
        assert_close(release.round(USUAL), places);
    }
    let mut narrow = Release::new(0.4);
    for places in [0.6, 0.9, 1.35] {
        assert_close(narrow.round(USUAL), places);
    }
    // By a tenth it would stay narrow for long: by a quarter below four places, by one place below ten.
    narrow.window.has_queued = true;
    for places in [1.6875, 2.109_375] {
        assert_close(narrow.round(USUAL), places);
    }
    let mut few = Release::new(5.0);
    few.window.has_queued = true;
    assert_close(few.round(USUAL), 6.0);
    let mut most = Release::new(LARGEST - 1.0);
    assert_close(most.round(USUAL), LARGEST);
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    let mut release = Release::new(4.0);
    for _ in 0..4 {
        release.window.on_end(CallEnd::Answered, release.now, false, &release.health, release.now + USUAL);
    }
    assert_close(release.window.places(), 4.0);
}

#[test]
fn a_window_that_was_not_used_grows_as_fast_as_before_once_it_is() {
    let mut release = Release::new(4.0);
    let now = release.now;
    (0..4).for_each(|_| release.window.on_end(CallEnd::Answered, now, false, &release.health, now + USUAL));
    assert_close(release.round(USUAL), 6.0);
}

#[test]
fn one_timeout_in_five_does_not_halve_it() {
    let mut release = Release::new(5.0);
    release.end(CallEnd::TimedOut, 1, 5 * USUAL);
    release.end(CallEnd::Answered, 4, 3 * USUAL);
    assert_eq!(release.window.round.ends(), 0, "it is over");
    assert_close(release.window.places, 5.0);
}

#[test]
fn at_the_usual_latency_it_grows_by_half_even_if_a_timeout_was_shorter() {
    let (health, now) = healthy(2 * S, 10 * MS);
    let window = with_places(4.0, &health, now);
    let mut release = Release { window, health, now }.with_timeout(500 * MS);
    // The logarithm of a second is 0, so that all means are equal.
    assert_close(release.round(S), 6.0);
    assert_close(release.round(S), 9.0);
}

#[test]
fn a_queue_shrinks_it_to_its_first_size_and_no_further() {
    let mut release = Release::new(4.0);
    release.window.places = 10.0;
    for places in [7.0, 4.9, 4.0] {
        assert_close(release.round(5 * USUAL), places);
    }
    let mut below = Release::new(4.0);
    below.window.places = 2.0;
    assert_close(below.round(5 * USUAL), 2.0);
}

#[test]
fn a_server_that_is_as_slow_with_the_first_size_is_slower_for_good() {
    let mut release = Release::new(4.0);
    assert_close(release.round(5 * USUAL), 4.0);
    assert_close(release.window.usual.exp(), 0.1);
    assert_close(release.round(5 * USUAL), 4.0);
    assert_close(release.window.usual.exp(), 0.5);
    assert!(release.round(5 * USUAL) > 4.0, "it grows at the new latency");
    // One that gets faster is given time.
    let mut faster = Release::new(4.0);
    for took in [9, 7, 5] {
        faster.round(took * USUAL);
        assert_close(faster.window.usual.exp(), 0.1);
    }
    // With more calls than on a good day, the queue is their own.
    let mut wide = Release::new(4.0);
    wide.window.places = 40.0;
    (0..3).for_each(|_| _ = wide.round(5 * USUAL));
    assert_close(wide.window.usual.exp(), 0.1);
}

#[test]
fn a_faster_round_is_the_usual_latency() {
    let mut release = Release::new(4.0);
    release.round(USUAL / 2);
    assert_close(release.window.usual.exp(), 0.05);
}

#[test]
fn failures_and_timeouts_of_a_slow_server_halve_it() {
    // Answers and what they take, failures, timeouts; whether it is halved.
    for (answers, took, failures, timeouts, halved) in [
        (9, USUAL, 11, 0, true),
        (10, USUAL, 10, 0, false),
        (15, 3 * USUAL, 0, 5, true),
        (15, USUAL, 0, 5, false),
        (16, 3 * USUAL, 0, 4, false),
        (0, USUAL, 0, 20, true),
        (0, USUAL, 20, 0, true),
    ] {
        let mut release = Release::new(20.0);
        release.end(CallEnd::Failed, failures, MS);
        release.end(CallEnd::TimedOut, timeouts, S);
        release.end(CallEnd::Answered, answers, took);
        assert_eq!(release.window.round.ends(), 0);
        let case = (answers, took, failures, timeouts);
        assert_eq!(release.window.places() == 10.0, halved, "{case:?}: {}", release.window.places());
    }
}

#[test]
fn failures_leave_one_place_or_the_concurrency_of_a_good_day() {
    for (first, last) in [(8.0, 1.0), (0.3, 0.3)] {
        let mut release = Release::new(first);
        for _ in 0..8 {
            release.now += MS;
            release.end(CallEnd::Failed, 8, MS);
        }
        assert_close(release.window.places(), last);
    }
}

#[test]
fn it_judges_answers_to_calls_that_were_sent_after_it_shrank() {
    let mut release = Release::new(8.0);
    let before = release.now;
    release.now += S;
    release.end(CallEnd::Failed, 8, Duration::ZERO);
    assert_close(release.window.places(), 4.0);
    for _ in 0..50 {
        release.window.on_end(CallEnd::Failed, before, true, &release.health, release.now);
    }
    assert_eq!((release.window.places(), release.window.round.ends()), (4.0, 0));
    release.end(CallEnd::Failed, 4, Duration::ZERO);
    assert_close(release.window.places(), 2.0);
}

#[test]
fn a_dropped_call_is_not_judged() {
    let mut release = Release::new(4.0);
    release.end(CallEnd::Unknown, 100, S);
    assert_eq!((release.window.places(), release.window.round.ends()), (4.0, 0));
}

#[test]
fn the_thresholds_come_from_the_timeout() {
    for (timeout, low, high) in [
        (None, 2.5, 4.0),
        (Some(10 * S), 2.5, 4.0),
        (Some(800 * MS), 2.0, 4.0),
        (Some(200 * MS), 1.2599, 1.5874),
        (Some(100 * MS), 1.0, 1.0),
        (Some(50 * MS), 1.0, 1.0),
    ] {
        let release = Release::new(4.0);
        let release = if let Some(timeout) = timeout { release.with_timeout(timeout) } else { release };
        let found = release.window.thresholds(&release.health);
        assert_close(found.0, low);
        assert_close(found.1, high);
    }
    let mut near = Release::new(4.0).with_timeout(200 * MS);
    assert_close(near.round(120 * MS), 6.0);
    assert_close(near.round(140 * MS), 6.0);
    assert_close(near.round(170 * MS), 4.2);
}

#[test]
fn below_one_place_the_calls_pause() {
    for (places, pause) in
        [(0.5, 200 * MS), (0.1, S), (0.01, 10 * S), (0.001, 60 * S), (1.0, Duration::ZERO), (4.0, Duration::ZERO)]
    {
        let mut release = Release::new(places);
        release.window.on_send(release.now);
        let found = release.window.next_send() - release.now;
        assert!((found.as_secs_f64() - pause.as_secs_f64()).abs() < 1e-3, "{places}: {found:?}");
    }
    let mut unknown = Window { places: 0.5, ..Window::new(&Health::new(), Instant::now()) };
    let now = unknown.next_send();
    unknown.on_send(now);
    assert_eq!(unknown.next_send(), now, "nothing is known of the upstream");
}

#[test]
fn failures_that_go_on_with_the_smallest_window_no_longer_count() {
    for (end, grows) in [(CallEnd::Failed, true), (CallEnd::TimedOut, false)] {
        let mut release = Release::new(2.0);
        let mut fail = |rounds| {
            for _ in 0..rounds {
                // Three of four calls fail; the last one is answered, slowly beside timeouts.
                release.end(end, 3, MS);
                release.end(CallEnd::Answered, 1, if grows { USUAL } else { 3 * USUAL });
                release.now += S;
            }
            release.window.places
        };
        assert_close(fail(1), 1.0);
        let after = fail(4);
        assert_eq!((after > 1.2, release.window.fails_anyway), (grows, grows), "{end:?}: {after}");
    }
}
