//! A network that takes everything and brings nothing.

use std::sync::mpsc;
use std::time::Duration;

use http_body_util::BodyExt;
use redress::{EndReason, Error, Phase, RedressLayer, dialects};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::upstream::{Answer, Upstream};
use super::wire::Wire;
use super::{CALLER, UPSTREAM, request};

/// When messages begin to vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// While no connection is made as yet.
    Connecting,
    /// While an idle connection is in the pool.
    Sending,
    /// When the upstream has the request.
    Answering,
}

/// The result of a call.
struct Ended {
    error: Error,
    took: Duration,
    sends: usize,
    in_flight: usize,
}

const TIMEOUT: Duration = Duration::from_millis(300);
const DEADLINE: Duration = Duration::from_millis(700);
/// A step of the simulation, and of tokio's timers.
const TICK: Duration = Duration::from_millis(1);
const HOLES: [Hole; 3] = [Hole::Connecting, Hole::Sending, Hole::Answering];

fn run(hole: Hole, method: &'static str, layer: &RedressLayer) -> Ended {
    let upstream = Upstream::new(move || {
        if hole == Hole::Answering {
            turmoil::hold(CALLER, UPSTREAM);
        }
        Answer::Done(Duration::ZERO)
    });
    let mut sim = turmoil::Builder::new().tick_duration(TICK).rng_seed(7).build();
    let host = upstream.clone();
    sim.host(UPSTREAM, move || host.clone().run());
    let (sender, ended) = mpsc::channel();
    sim.client(CALLER, caller(hole, method, layer.clone(), sender));
    sim.run().unwrap();
    let ended = ended.recv().expect("the caller came to its end");
    let effects = upstream.effects(1);
    assert!(effects <= ended.sends && (effects > 0 || hole != Hole::Answering), "{hole:?}: done {effects} times");
    ended
}

async fn caller(hole: Hole, method: &'static str, layer: RedressLayer, ended: mpsc::Sender<Ended>) -> turmoil::Result {
    let wire = Wire::new();
    let service = layer.layer(wire.clone());
    match hole {
        Hole::Connecting => turmoil::hold(CALLER, UPSTREAM),
        Hole::Sending => {
            service.clone().oneshot(request("GET", 0)).await?.into_body().collect().await?;
            turmoil::hold(CALLER, UPSTREAM);
        }
        // The upstream's script begins it.
        Hole::Answering => {}
    }
    let begun = Instant::now();
    let error = service.oneshot(request(method, 1)).await.expect_err("nothing comes");
    let (took, sends, in_flight) = (begun.elapsed(), wire.sends(1), wire.in_flight());
    // Held responses arrive in the end, and cause no resend.
    turmoil::release(CALLER, UPSTREAM);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((wire.sends(1), wire.in_flight()), (sends, 0));
    ended.send(Ended { error, took, sends, in_flight })?;
    Ok(())
}

#[test]
fn in_a_black_hole_the_attempt_timeout_ends_each_attempt() {
    for hole in HOLES {
        for (method, attempts, stop) in [("GET", 3, EndReason::MaxAttempts), ("POST", 1, EndReason::NotIdempotent)] {
            // Each call is the first of its layer: no outage of another one holds it.
            let layer = RedressLayer::new(dialects::generic()).attempt_timeout(TIMEOUT);
            let ended = run(hole, method, &layer);
            assert!(ended.error.is_timeout() && !ended.error.is_deadline(), "{hole:?} {:?}", ended.error);
            assert_eq!((ended.error.phase(), ended.in_flight), (Phase::MaybeProcessed, 0), "{hole:?}");
            let record = ended.error.record().expect("an error has one");
            assert_eq!(
                (record.attempts().len(), ended.sends, record.end_reason()),
                (attempts, attempts, stop),
                "{hole:?}"
            );
            let waits: Duration = record.attempts().iter().filter_map(|attempt| attempt.wait).sum();
            let due = waits + TIMEOUT * u32::try_from(attempts).unwrap();
            let ticks = TICK * 2 * u32::try_from(attempts).unwrap();
            assert!(ended.took >= due && ended.took <= due + ticks, "{hole:?} {method}: {:?} for {due:?}", ended.took);
        }
    }
}

#[test]
fn in_a_black_hole_the_deadline_ends_the_call_to_the_millisecond() {
    // Each call is the first of its layer: failures of others do not delay it.
    let patient = || RedressLayer::new(dialects::generic()).deadline(DEADLINE);
    for hole in HOLES {
        for (method, layer, attempts) in [
            ("GET", patient(), 1),
            ("POST", patient(), 1),
            ("GET", patient().attempt_timeout(TIMEOUT).backoff(|backoff| backoff.random(|| 0)), 3),
        ] {
            let ended = run(hole, method, &layer);
            assert!(ended.error.is_deadline(), "{hole:?} {:?}", ended.error);
            assert_eq!((ended.error.phase(), ended.sends, ended.in_flight), (Phase::MaybeProcessed, attempts, 0));
            assert!(
                ended.took >= DEADLINE && ended.took <= DEADLINE + TICK,
                "{hole:?} {method}: {:?} for {DEADLINE:?}",
                ended.took
            );
        }
    }
}
