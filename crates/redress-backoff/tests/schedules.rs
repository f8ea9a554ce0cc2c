//! The spread of waits.

mod common;

use common::*;
use redress_backoff::{BackoffLayer, Jitter};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn two_clients_do_not_come_back_together() {
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let (_, times) = run(&BackoffLayer::new(silent()), request("GET"), vec![answer(429), answer(200)]).await;
        waits.insert(times[1]);
    }
    assert!(waits.len() > 25, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn the_other_jitters_keep_their_bounds_through_the_layer() {
    for random in [0, u32::MAX] {
        let layer = BackoffLayer::new(silent()).random(move || random);
        let answers = || vec![answer(500), answer(500), answer(200)];
        let (_, times) = run(&layer.clone().jitter(Jitter::Equal), request("GET"), answers()).await;
        assert!((25..=51).contains(&times[1]) && (50..=101).contains(&(times[2] - times[1])), "{times:?}");
        let (_, times) = run(&layer.jitter(Jitter::Decorrelated), request("GET"), answers()).await;
        assert!((50..=151).contains(&times[1]) && (50..=452).contains(&(times[2] - times[1])), "{times:?}");
    }
}

/// Returns the first delay of a new client.
async fn first_delay(client: &BackoffLayer) -> std::time::Duration {
    let (mock, _handle) = mock([answer(429), answer(200)]);
    let outcome = client.layer(mock).oneshot(request("GET")).await;
    record(&outcome).and_then(|record| record.attempts()[0].wait).expect("it waited")
}

#[tokio::test(start_paused = true)]
async fn delays_of_different_clients_differ() {
    let mut equal = 0;
    for _ in 0..10_000 {
        let (one, other) = (BackoffLayer::new(silent()), BackoffLayer::new(silent()));
        equal += u32::from(first_delay(&one).await == first_delay(&other).await);
    }
    assert!(equal < 100, "{equal} of the pairs waited alike");
}
