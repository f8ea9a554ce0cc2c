//! What a server asks for, and what the layer makes of it: how long, whether, and on which evidence.

mod common;

use std::time::Duration;

use common::*;
use redress_backoff::{BackoffLayer, Jitter};
use redress_classify::{ResponseExt, WaitSource, dialects};

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_servers_hint() {
    for random in [0, 1, u32::MAX / 3, u32::MAX] {
        let layer = BackoffLayer::new(dialects::ranex()).random(move || random);
        let answers = vec![with(429, &[("retry-after", "10")]), with(503, &[("retry-after", "4")]), answer(200)];
        let (outcome, times) = run(&layer, request("GET"), answers).await;
        assert!((10_000..=15_000).contains(&times[1]), "{times:?}");
        assert!((4_000..=6_000).contains(&(times[2] - times[1])), "{times:?}");
        let response = outcome.expect("a response");
        let record = response.record().expect("three attempts");
        assert!(matches!(record.attempts()[0].wait_source, Some(WaitSource::Hint(_))));
        assert!(record.to_string().starts_with("3 attempts, 429 rate_limited, waited 1"), "{record}");
    }
    let layer = BackoffLayer::new(silent()).random(|| u32::MAX);
    let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", "100")]), answer(200)]).await;
    assert!((129_000..=130_000).contains(&times[1]), "at most 30 s are added: {times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_now_is_not_below_the_backoff() {
    let layer = BackoffLayer::new(silent()).random(|| u32::MAX / 2);
    for value in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", value)]), answer(200)]).await;
        assert!((499..=501).contains(&times[1]), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendors_schedule_is_a_floor_and_jitter_adds_at_most_half() {
    for random in [0, u32::MAX] {
        let layer = BackoffLayer::new(dialects::vlens()).random(move || random);
        let (_, times) = run(&layer, request("GET"), vec![answer(500), answer(500), answer(200)]).await;
        assert!((500..=750).contains(&times[1]) && (1000..=1500).contains(&(times[2] - times[1])), "{times:?}");
        let layer = BackoffLayer::new(dialects::maleslab()).random(move || random);
        let (_, times) = run(&layer, request("POST"), vec![answer(429), answer(200)]).await;
        assert!((5_000..=7_500).contains(&times[1]), "{times:?}");
    }
    let hinted = vec![with(429, &[("retry-after", "1")]), answer(200)];
    let (_, times) = run(&BackoffLayer::new(dialects::maleslab()), request("POST"), hinted).await;
    assert!((1_000..=1_500).contains(&times[1]), "the vendor's default stands in for a hint: {times:?}");
    let (_, times) =
        run(&BackoffLayer::new(dialects::vlens()), request("GET"), vec![answer(500), answer(500), answer(500)]).await;
    assert_eq!(times.len(), 3, "the vendor asks for three attempts");
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_is_too_long_fails_at_once_and_says_when() {
    for (value, layer) in [
        ("121", layer()),
        ("99999999999999999999", layer()),
        ("1763650000", layer()),
        ("10", layer().max_retry_after(Duration::from_secs(9))),
        ("10", layer().deadline(Duration::from_secs(10))),
    ] {
        let (outcome, times) = run(&layer, request("GET"), vec![with(503, &[("retry-after", value)])]).await;
        assert_eq!(times, [0], "{value}");
        assert!(outcome.expect("the response in hand").retry_at().is_some(), "{value}");
    }
}
