//! Tests of what is learnt from the calls of a partition.

use super::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Returns the health after 1,000 answers that took `took`, one each `gap`, and the time of the last one.
pub(crate) fn healthy(took: Duration, gap: Duration) -> (Health, Instant) {
    let (mut health, mut now) = (Health::new(), Instant::now());
    for _ in 0..1_000 {
        now += gap;
        health.on_answer(Some(took), 1, true, now);
    }
    (health, now)
}

/// Returns the number of failures in a row that are an outage, at most 1,000.
fn run_to_outage(mut health: Health) -> u32 {
    let now = Instant::now();
    (1..1_000).find(|_| health.on_failure(None, true, now)).unwrap_or(1_000)
}

fn assert_close(one: f64, other: f64) {
    assert!((one / other - 1.0).abs() < 0.03, "{one} {other}");
}

#[test]
fn the_run_that_is_an_outage_grows_with_the_risk() {
    for (risk, run) in [(0.05, 3), (0.1, 4), (0.3, 8), (0.5, 13), (0.95, 167), (0.999, 167)] {
        // The first failure of the run is learnt before it is judged.
        let before = (risk * RISK_MEMORY - 1.0) / (RISK_MEMORY - 1.0);
        let health = Health { has_answered: true, risk: before, ..Health::new() };
        assert_eq!(run_to_outage(health), run, "{risk}");
    }
    assert_eq!(run_to_outage(healthy(100 * MS, 10 * MS).0), 3, "a server that never failed");
}

#[test]
fn a_client_that_calls_seldom_takes_a_shorter_run_for_an_outage() {
    for (gap, runs) in
        [(20 * MS, [3, 4, 8, 13]), (200 * MS, [3, 3, 6, 10]), (2 * S, [2, 2, 4, 7]), (60 * S, [2, 2, 4, 6])]
    {
        for (risk, run) in [0.05, 0.1, 0.3, 0.5].into_iter().zip(runs) {
            let (health, _) = healthy(100 * MS, gap);
            let before = (risk * RISK_MEMORY - 1.0) / (RISK_MEMORY - 1.0);
            assert_eq!(run_to_outage(Health { risk: before, ..health }), run, "{gap:?} {risk}");
        }
    }
    let few = (1..5).fold(Health::new(), |mut health, nth| {
        health.on_answer(None, 1, true, Instant::now() + nth * 2 * S);
        health
    });
    assert_eq!(run_to_outage(few), 3, "the rate is not known after six seconds");
}

#[test]
fn failures_by_chance_are_rarely_taken_for_an_outage() {
    for percent in [1, 5, 30, 50] {
        let (mut health, now) = healthy(100 * MS, 10 * MS);
        let (mut random, mut outages) = (1_u64, 0);
        for _ in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (random >> 33) % 100 >= percent {
                health.on_answer(None, 1, true, now);
            } else if health.on_failure(None, true, now) {
                outages += 1;
                health.end_failures();
            }
        }
        assert!(outages <= 20, "{percent} %: {outages} in 100,000 calls");
    }
}

#[test]
fn a_host_that_never_answered_is_in_no_outage() {
    let (mut health, now) = (Health::new(), Instant::now());
    assert!((0..500).all(|_| !health.on_failure(None, true, now)));
    health.on_throttle(true, now);
    assert!(!health.on_failure(None, true, now), "a limit of the rate is not an answer");
    health.on_answer(None, 1, true, now);
    assert_eq!(run_to_outage(health), 4, "its failures before are a risk");
}

#[test]
fn the_risk_counts_an_outage_once_and_an_answer_ends_its_run() {
    let (healthy, now) = healthy(100 * MS, 10 * MS);
    let after = |failures: u32, answers: u16| {
        let mut health = healthy.clone();
        (0..failures).for_each(|_| _ = health.on_failure(None, true, now));
        (0..answers).for_each(|_| health.on_answer(None, 1, true, now));
        health
    };
    assert!(after(1, 0).risk > 0.04);
    assert_eq!(after(1, 0).risk.to_bits(), after(500, 0).risk.to_bits());
    assert_eq!(
        after(500, 1).risk.to_bits(),
        after(1, 0).risk.to_bits(),
        "the answer after a run is learnt with the run"
    );
    assert_eq!(after(500, 1).failures, 0);
    assert_close(after(1, 2).risk, after(1, 1).risk * 23.0 / 24.0);
    let mut sampled = after(1, 1);
    sampled.on_answer(None, 16, true, now);
    assert_close(sampled.risk, after(1, 17).risk);
}

#[test]
fn the_end_of_a_run_tells_whether_each_answer_was_recorded_for_it_alone() {
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    assert!(!health.needs_each_answer() && !health.end_failures());
    health.on_failure(None, true, now);
    assert!(health.needs_each_answer() && health.end_failures() && !health.needs_each_answer());
    health.on_failure(None, true, now);
    (0..7).for_each(|_| health.on_throttle(true, now));
    assert!(!health.end_failures() && health.needs_each_answer(), "it is degraded, too");
}

#[test]
fn the_latency_is_the_mean_of_the_last_answers_and_the_usual_one_follows_it_down() {
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    assert_close(health.latency().unwrap().as_secs_f64(), 0.1);
    // After seven answers a third of the way to the eightfold is behind it.
    for nth in 1..=7 {
        assert!(!health.is_degraded(), "{nth}");
        health.on_answer(Some(800 * MS), 1, true, now);
    }
    assert!(health.is_degraded() && health.needs_each_answer());
    assert!(health.latency().unwrap() > 200 * MS);
    assert_close(health.usual_latency().unwrap().as_secs_f64(), 0.1);
    (0..1_000).for_each(|_| health.on_answer(Some(20 * MS), 1, true, now));
    assert_close(health.usual_latency().unwrap().as_secs_f64(), 0.02);
    assert_close(health.latency().unwrap().as_secs_f64(), 0.02);
    assert!(!health.is_degraded());
}

#[test]
fn the_first_usual_latency_is_the_mean_of_32_answers() {
    let (mut health, now) = (Health::new(), Instant::now());
    assert_eq!((health.usual_latency(), health.latency()), (None, None));
    for nth in 0..32 {
        health.on_answer(Some(if nth % 2 == 0 { 100 * MS } else { 400 * MS }), 1, true, now);
    }
    assert_close(health.usual_latency().unwrap().as_secs_f64(), 0.2);
    health.on_answer(None, 1, true, now);
    assert_eq!(health.answers, 32, "one that was not timed");
}

#[test]
fn an_upstream_is_degraded_from_the_33rd_answer_on() {
    let (mut health, now) = (Health::new(), Instant::now());
    for nth in 1..=33 {
        health.on_answer(Some(if nth <= 20 { MS } else { 10 * S }), 1, true, now);
        assert_eq!(health.is_degraded(), nth == 33, "{nth}");
    }
}

#[test]
fn the_usual_latency_drifts_to_a_slower_server_within_ten_minutes() {
    for (is_open, expected) in [(true, 0.1 * 8_f64.powf(1.0 - (-1_f64).exp())), (false, 0.1)] {
        let (mut health, now) = healthy(100 * MS, 10 * MS);
        (0..1_000).for_each(|_| health.on_answer(Some(800 * MS), 1, is_open, now));
        (1..=600).for_each(|nth| health.on_answer(Some(800 * MS), 1, is_open, now + nth * S));
        assert_close(health.usual_latency().unwrap().as_secs_f64(), expected);
    }
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    health.on_answer(Some(800 * MS), 1, true, now + 3_600 * S);
    assert!(health.usual_latency() < health.latency(), "after a pause, it goes no further than the mean");
}

#[test]
fn the_latency_at_the_end_of_a_release_is_accepted() {
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    health.accept_latency();
    assert_close(health.usual_latency().unwrap().as_secs_f64(), 0.1);
    (0..200).for_each(|_| health.on_answer(Some(800 * MS), 1, false, now));
    assert!(health.is_degraded());
    health.accept_latency();
    assert_close(health.usual_latency().unwrap().as_secs_f64(), 0.4);
    // It is at the border: an answer that is a little faster, and all is well.
    health.on_answer(Some(700 * MS), 1, false, now);
    assert!(!health.is_degraded());
    let mut unknown = Health::new();
    unknown.accept_latency();
    assert_eq!(unknown.usual_latency(), None);
}

#[test]
fn the_gap_is_the_mean_time_between_calls_also_if_one_in_16_is_timed() {
    assert_eq!(Health::new().gap(), None);
    for gap in [MS, 10 * MS, 100 * MS, S] {
        let (each, _) = healthy(100 * MS, gap);
        assert_close(each.gap().unwrap().as_secs_f64(), gap.as_secs_f64());
        let (mut sampled, now) = (Health::new(), Instant::now());
        (0..500).for_each(|nth| sampled.on_answer(Some(100 * MS), 16, true, now + gap * 16 * nth));
        // A sample counts the calls before it, too: the error is that of the last step.
        let ratio = sampled.gap().unwrap().as_secs_f64() / gap.as_secs_f64();
        assert!((0.7..1.02).contains(&ratio), "{gap:?} {ratio}");
    }
    let (mut burst, now) = (Health::new(), Instant::now());
    (0..10).for_each(|_| burst.on_answer(None, 1, true, now));
    assert_eq!(burst.gap(), Some(10 * MS), "a burst counts as the calls of a tenth of a second");
}

#[test]
fn the_rate_forgets_within_half_a_minute_and_stands_still_while_calls_are_held() {
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    let later = now + 3_600 * S;
    health.on_failure(None, false, now + S);
    health.on_answer(None, 1, false, later);
    assert_close(health.gap().unwrap().as_secs_f64(), 0.01);
    health.on_answer(None, 1, true, later);
    assert_close(health.gap().unwrap().as_secs_f64(), 0.01);
    (1..=300).for_each(|nth| health.on_answer(None, 1, true, later + nth * S));
    assert_close(health.gap().unwrap().as_secs_f64(), 1.0);
}

#[test]
fn the_usual_concurrency_is_rate_by_latency() {
    for (took, gap, expected) in [(95 * MS, 10 * MS, 9.5), (50 * MS, 100 * MS, 0.5), (100 * MS, S, 0.1)] {
        assert_close(healthy(took, gap).0.usual_concurrency().unwrap(), expected);
    }
    assert_eq!(Health::new().usual_concurrency(), None);
    let mut untimed = Health::new();
    untimed.on_answer(None, 1, true, Instant::now());
    assert_eq!(untimed.usual_concurrency(), None);
}

#[test]
fn two_percent_of_throttled_calls_degrade_an_upstream() {
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    health.on_throttle(true, now);
    assert!(!health.is_degraded());
    health.on_throttle(true, now);
    assert_eq!(health.degradation(), Some(UpstreamHealth::Throttled));
    (0..2).for_each(|_| health.on_answer(None, 16, true, now));
    assert!(!health.is_degraded());
}

#[test]
fn the_shortest_timeout_is_kept_and_is_not_a_latency() {
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    assert_eq!(health.shortest_timeout(), None);
    for timeout in [Some(2 * S), None, Some(S), Some(5 * S)] {
        health.on_failure(timeout, true, now);
    }
    assert_close(health.shortest_timeout().unwrap().as_secs_f64(), 1.0);
    assert_close(health.latency().unwrap().as_secs_f64(), 0.1);
}

#[test]
fn a_share_of_throttled_calls_degrades_an_upstream() {
    let (mut health, now) = healthy(100 * MS, 10 * MS);
    health.on_throttle(true, now);
    assert_eq!(health.degradation(), None, "one call in 64 is 1.6 %");
    health.on_throttle(true, now);
    assert_eq!(health.degradation(), Some(UpstreamHealth::Throttled));
    let (mut often, now) = healthy(100 * MS, 10 * MS);
    (0..1_000).for_each(|_| often.on_throttle(true, now));
    for _ in 0..260 {
        often.on_answer(Some(100 * MS), 1, true, now);
    }
    assert_eq!(often.degradation(), None, "it has answered four times as many calls as it remembers");
}

#[test]
fn an_upstream_that_is_slower_by_few_milliseconds_is_not_degraded() {
    for (usual, slower, expected) in [
        (MS, 4 * MS, None),
        (3 * MS, 7 * MS, None),
        (MS, 9 * MS, Some(UpstreamHealth::Degraded)),
        (100 * MS, 190 * MS, None),
        (100 * MS, 300 * MS, Some(UpstreamHealth::Degraded)),
    ] {
        let (mut health, mut now) = healthy(usual, 10 * MS);
        for _ in 0..100 {
            now += 10 * MS;
            health.on_answer(Some(slower), 1, true, now);
        }
        assert_eq!(health.degradation(), expected, "{usual:?} {slower:?}");
    }
}
