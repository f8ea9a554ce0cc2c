//! A pooled connection that the upstream closes while it is idle.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use http_body_util::BodyExt;
use redress::{EndReason, Error, Phase, RedressLayer, dialects};
use tower::{Layer, ServiceExt};

use super::upstream::{Answer, Upstream};
use super::wire::Wire;
use super::{CALLER, UPSTREAM, request, seeds};

/// How a call ended: its status, or its error.
type Ended = Result<u16, Error>;

/// The upstream closes the connection about when the second request is sent; returns how that ended, how often it was sent,
/// and how often it was done.
fn run(seed: u64, method: &'static str) -> (Ended, usize, usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (idle, pause) = (random.u64(1..12), random.u64(1..16));
    let upstream = Upstream::new(|| Answer::Done(Duration::ZERO)).closing_after(Duration::from_millis(idle));
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(6))
        .build();
    let host = upstream.clone();
    sim.host(UPSTREAM, move || host.clone().run());
    let (sender, ended) = mpsc::channel();
    sim.client(CALLER, async move {
        let wire = Wire::new();
        let layer = RedressLayer::new(dialects::generic()).attempt_timeout(Duration::from_secs(1));
        let service = layer.layer(wire.clone());
        service.clone().oneshot(request("GET", 0)).await?.into_body().collect().await?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let result = service.oneshot(request(method, 1)).await.map(|response| response.status().as_u16());
        assert_eq!(wire.in_flight(), 0);
        sender.send((result, wire.sends(1)))?;
        Ok(())
    });
    sim.run().unwrap();
    let (result, sends) = ended.recv().expect("the caller came to its end");
    (result, sends, upstream.effects(1))
}

#[test]
fn a_post_that_meets_a_closing_connection_is_sent_again_only_if_it_was_never_sent() {
    let count = seeds(200);
    let mut outcomes = BTreeMap::new();
    for seed in 0..count {
        let (result, sends, effects) = run(seed, "POST");
        assert!(effects <= 1, "seed {seed}: done {effects} times");
        let outcome = match result {
            Ok(status) => {
                assert_eq!((status, effects), (200, 1), "seed {seed}");
                if sends > 1 { "sent again" } else { "answered" }
            }
            Err(error) => {
                let record = error.record().expect("an error has one");
                assert_eq!(
                    (error.phase(), record.end_reason()),
                    (Phase::MaybeProcessed, EndReason::NotIdempotent),
                    "seed {seed}"
                );
                assert_eq!(effects, 0, "seed {seed}: the upstream had closed");
                "given up"
            }
        };
        *outcomes.entry(outcome).or_insert(0_u32) += 1;
    }
    println!("{count} seeds: {outcomes:?}");
    assert!(outcomes.contains_key("answered") && outcomes.contains_key("given up"), "the race was met: {outcomes:?}");
}

#[test]
fn a_get_that_meets_a_closing_connection_is_answered() {
    let count = seeds(200);
    let mut again = 0;
    for seed in 0..count {
        let (result, sends, _) = run(seed, "GET");
        assert!(result.as_ref().is_ok_and(|status| *status == 200), "seed {seed}: {result:?}");
        again += usize::from(sends > 1);
    }
    println!("{count} seeds: {again} were sent again");
    assert!(again > 0, "the race was met");
}
