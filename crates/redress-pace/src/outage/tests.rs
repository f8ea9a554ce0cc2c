//! Tests of the times of probes.

use super::*;
use crate::health::tests::healthy;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// The jitter in the middle.
const MIDDLE: u32 = 1 << 31;

fn assert_close(one: Duration, other: Duration) {
    assert!((one.as_secs_f64() / other.as_secs_f64() - 1.0).abs() < 0.03, "{one:?} {other:?}");
}

#[test]
fn the_interval_is_a_tenth_of_the_age_within_bounds() {
    for (gap, age, expected) in [
        (10 * MS, Duration::ZERO, 100 * MS),
        (10 * MS, 900 * MS, 100 * MS),
        (10 * MS, 5 * S, 500 * MS),
        (10 * MS, 15 * S, 1_500 * MS),
        (10 * MS, 100 * S, 2 * S),
        (10 * MS, 86_400 * S, 2 * S),
        // No more often than on a good day: a client of one call a second.
        (S, 100 * MS, 100 * MS),
        (S, 300 * MS, 300 * MS),
        (S, 3 * S, S),
        (S, 100 * S, 10 * S),
        (S, 1_000 * S, 20 * S),
        // A client that rarely calls: the interval is the age, up to half a minute.
        (60 * S, 50 * MS, 100 * MS),
        (60 * S, 4 * S, 4 * S),
        (60 * S, 20 * S, 20 * S),
        (60 * S, 3_600 * S, 30 * S),
    ] {
        let (health, _) = healthy(50 * MS, gap);
        // The gap of a count that forgets is known to a percent or two, that of rare calls not as well.
        let of_rare = gap > S && expected > 20 * S;
        let found = interval(&health, age, false, MIDDLE);
        assert!(
            of_rare && found == expected || (found.as_secs_f64() / expected.as_secs_f64() - 1.0).abs() < 0.03,
            "{gap:?} {age:?}: {found:?}"
        );
    }
    assert_eq!(interval(&Health::new(), 5 * S, false, MIDDLE), 500 * MS, "nothing is known of the upstream");
}

#[test]
fn the_jitter_is_half_of_the_interval_in_both_directions() {
    let (health, now) = healthy(50 * MS, 10 * MS);
    for (random, expected) in [(0, 50 * MS), (MIDDLE, 100 * MS), (u32::MAX, 150 * MS)] {
        let outage = Outage::new(&health, false, now, random);
        let next = outage.next_probe().unwrap();
        assert_close(next - now, expected);
        assert!(outage.is_due(next) && !outage.is_due(next - MS));
        assert_close(interval(&health, 3_600 * S, false, random), expected * 20);
    }
}

#[test]
fn a_rare_caller_probes_about_seven_times_in_ten_seconds() {
    let (health, start) = healthy(50 * MS, 60 * S);
    let (mut outage, mut probes) = (Outage::new(&health, false, start, MIDDLE), 0);
    while let Some(next) = outage.next_probe().filter(|next| *next < start + 10 * S) {
        probes += 1;
        outage.send_probe(probes, &health, next, MIDDLE);
        outage.end_probe(probes, false, &health, next, MIDDLE);
    }
    assert!((6..=8).contains(&probes), "{probes}");
}

#[test]
fn a_probe_is_replaced_after_the_longest_of_four_times() {
    for (latency, timeout, age, expected) in [
        (50 * MS, None, S, S),
        (400 * MS, None, S, 1_600 * MS),
        (50 * MS, Some(3 * S), S, 6 * S),
        (50 * MS, None, 100 * S, 2 * S),
    ] {
        let (mut health, start) = healthy(latency, 10 * MS);
        if timeout.is_some() {
            health.on_failure(timeout, true, start);
        }
        let (mut outage, now) = (Outage::new(&health, false, start, MIDDLE), start + age);
        outage.send_probe(7, &health, now, MIDDLE);
        assert_close(outage.next_probe().unwrap() - now, expected);
    }
}

#[test]
fn a_probe_that_ends_in_a_timeout_is_followed_by_another_after_twice_the_time_between_calls() {
    for (gap, age, at_once, after_timeout) in
        [(10 * MS, 15 * S, 1_500 * MS, 1_500 * MS), (S, 500 * MS, 500 * MS, 2 * S), (S, 5 * S, S, 2 * S)]
    {
        let (health, start) = healthy(50 * MS, gap);
        for (is_timeout, expected) in [(false, at_once), (true, after_timeout)] {
            let (mut outage, now) = (Outage::new(&health, false, start, MIDDLE), start + age);
            outage.send_probe(1, &health, now, MIDDLE);
            outage.end_probe(1, is_timeout, &health, now, MIDDLE);
            assert_close(outage.next_probe().unwrap() - now, expected);
        }
    }
}

#[test]
fn the_end_of_a_replaced_probe_changes_nothing() {
    let (health, start) = healthy(50 * MS, 10 * MS);
    let mut outage = Outage::new(&health, false, start, MIDDLE);
    outage.send_probe(1, &health, start + S, MIDDLE);
    outage.send_probe(2, &health, start + 2 * S, MIDDLE);
    let replaced = outage.next_probe();
    outage.end_probe(1, false, &health, start + 2 * S, MIDDLE);
    assert_eq!((outage.next_probe(), outage.probe), (replaced, Some(2)));
    outage.end_probe(2, false, &health, start + 2 * S, MIDDLE);
    assert_close(outage.next_probe().unwrap() - start, 2_200 * MS);
    assert_eq!(outage.probe, None);
    let next = outage.next_probe();
    outage.end_probe(2, false, &health, start + 9 * S, MIDDLE);
    assert_eq!(outage.next_probe(), next, "it has ended");
}

#[test]
fn an_outage_by_hand_is_never_probed() {
    let now = Instant::now();
    let mut outage = Outage::by_hand(now);
    assert!(outage.next_probe().is_none() && !outage.is_due(now + 86_400 * S));
    assert_eq!((outage.since(), outage.age(now + S)), (now, S));
    // The end of a probe that was sent before.
    outage.end_probe(1, false, &Health::new(), now + S, MIDDLE);
    assert!(outage.next_probe().is_none());
}

#[test]
fn an_outage_of_timeouts_continues_one_that_ended_at_most_as_long_ago_as_it_lasted() {
    let (mut health, start) = healthy(50 * MS, 10 * MS);
    let until = start + 20 * S;
    health.end_outage(PastOutage { since: start, until });
    for (is_timeout, after, continues) in
        [(true, Duration::ZERO, true), (true, 20 * S, true), (true, 20 * S + MS, false), (false, S, false)]
    {
        let now = until + after;
        let outage = Outage::new(&health, is_timeout, now, MIDDLE);
        let (since, wait) = if continues { (start, 2 * S) } else { (now, 100 * MS) };
        assert_eq!(outage.since(), since, "{is_timeout} {after:?}");
        assert_close(outage.next_probe().unwrap() - now, wait);
    }
}

#[test]
fn a_probe_of_a_client_that_rarely_calls_is_followed_by_no_more_than_half_the_load_of_a_good_day_after_timeouts() {
    let (health, start) = healthy(50 * MS, 4 * S);
    for age in [Duration::ZERO, S, 20 * S] {
        let found = interval(&health, age, true, MIDDLE);
        assert!((found.as_secs_f64() / 8.0 - 1.0).abs() < 0.1, "{age:?}: {found:?}");
    }
    assert_close(
        Outage::new(&health, true, start, MIDDLE).next_probe().unwrap() - start,
        interval(&health, S, true, MIDDLE),
    );
}
