//! Published vectors of other retry policies, against the shipped schedule and budget.

mod common;

use std::time::Duration;

use common::*;
use redress_backoff::{BackoffLayer, Budget, Jitter, Reservation};
use redress_classify::{EndReason, dialects};
use tower::{Layer, ServiceExt};

/// One vector: maximum of attempts, first level, cap in ms, statuses, level and wait in ms after each decision, end reason.
type Vector = (u32, u32, u64, &'static [u16], &'static [(u32, Option<u64>)], EndReason);

/// Runs vectors on the two schedules. Compares levels and waits of the record, and the times of the requests.
async fn hold(vectors: &[Vector], transient: u64, throttled: u64) {
    for (attempts, start, cap, statuses, expected, reason) in vectors {
        let budget = Budget::new();
        let _ = budget.reserve(500 - start).map(Reservation::spend);
        let layer = layer().max_attempts(count(*attempts)).budget(budget.clone());
        let layer = layer.transient_backoff(doubling(transient, *cap)).throttling_backoff(doubling(throttled, *cap));
        let answers = statuses.iter().map(|status| answer(*status)).collect();
        let (outcome, times) = run(&layer, request("GET"), answers).await;
        let name = format!("{attempts} attempts from {start}: {statuses:?}");
        let record = record(&outcome).expect("each vector has a decision");
        let steps: Vec<_> =
            record.attempts().iter().map(|step| (step.budget_after.expect("a budget"), step.wait)).collect();
        let expected: Vec<_> = expected.iter().map(|(level, wait)| (*level, wait.map(ms))).collect();
        assert_eq!((steps.as_slice(), record.end_reason()), (expected.as_slice(), *reason), "{name}");
        let befores = record.attempts().iter().map(|step| step.budget_before.expect("a budget")).skip(1);
        assert!(befores.eq(steps.iter().map(|(level, _)| *level).take(steps.len() - 1)), "{name}");
        assert_eq!(Some(budget.level()), steps.last().map(|(level, _)| *level), "{name}");
        let ends = expected.iter().filter_map(|(_, wait)| *wait).scan(0, |sum, wait| {
            *sum += wait.as_millis();
            Some(*sum)
        });
        assert!(times.iter().copied().eq([0].into_iter().chain(ends)), "{name}: {times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_aws_standard_vectors_hold() {
    use EndReason::{Budget as OutOfBudget, MaxAttempts, Success};
    // Standard mode 2.1: a transient retry costs 14 and waits from 50 ms, a throttled one costs 5 and waits from 1 s; cap 20 s.
    let vectors: [Vector; 8] = [
        (3, 500, 20_000, &[500, 500, 200], &[(486, Some(50)), (472, Some(100)), (486, None)], Success),
        (3, 500, 20_000, &[502, 502, 502], &[(486, Some(50)), (472, Some(100)), (472, None)], MaxAttempts),
        (3, 14, 20_000, &[500, 500], &[(0, Some(50)), (0, None)], OutOfBudget),
        (3, 0, 20_000, &[500], &[(0, None)], OutOfBudget),
        (
            5,
            500,
            20_000,
            &[500; 5],
            &[(486, Some(50)), (472, Some(100)), (458, Some(200)), (444, Some(400)), (444, None)],
            MaxAttempts,
        ),
        (
            5,
            500,
            200,
            &[500; 5],
            &[(486, Some(50)), (472, Some(100)), (458, Some(200)), (444, Some(200)), (444, None)],
            MaxAttempts,
        ),
        (5, 20, 20_000, &[500, 502], &[(6, Some(50)), (6, None)], OutOfBudget),
        (3, 500, 20_000, &[429, 200], &[(495, Some(1_000)), (500, None)], Success),
    ];
    hold(&vectors, 50, 1_000).await;
}

#[tokio::test(start_paused = true)]
async fn the_aws_legacy_vectors_hold() {
    use EndReason::{Budget as OutOfBudget, MaxAttempts, Success};
    // Legacy mode: each retry costs 5 and waits from 1 s, like throttling in standard mode.
    let vectors: [Vector; 4] = [
        (3, 500, 20_000, &[429, 429, 200], &[(495, Some(1_000)), (490, Some(2_000)), (495, None)], Success),
        (3, 5, 20_000, &[429, 429], &[(0, Some(1_000)), (0, None)], OutOfBudget),
        (
            5,
            500,
            20_000,
            &[429; 5],
            &[(495, Some(1_000)), (490, Some(2_000)), (485, Some(4_000)), (480, Some(8_000)), (480, None)],
            MaxAttempts,
        ),
        (
            5,
            500,
            3_000,
            &[429; 5],
            &[(495, Some(1_000)), (490, Some(2_000)), (485, Some(3_000)), (480, Some(3_000)), (480, None)],
            MaxAttempts,
        ),
    ];
    hold(&vectors, 50, 1_000).await;
}

#[tokio::test(start_paused = true)]
async fn transient_failures_and_throttling_have_scales_of_their_own() {
    let layer = layer().max_attempts(count(5));
    let answers = vec![answer(500), answer(429), answer(503), answer(429), answer(200)];
    let (outcome, _) = run(&layer, request("GET"), answers).await;
    let record = record(&outcome).expect("five attempts");
    let steps: Vec<_> = record.attempts().iter().map(|step| (step.wait, step.budget_after)).collect();
    let expected =
        [(50, 486), (2_000, 481), (200, 467), (8_000, 462)].map(|(wait, level)| (Some(ms(wait)), Some(level)));
    assert_eq!(steps[..4], expected);
    assert_eq!(steps[4], (None, Some(467)), "a success gives back the last withdrawal only");
}

#[tokio::test(start_paused = true)]
async fn the_schedules_of_vendors_clients_are_those_of_their_dialects() {
    // The waits of openai-python and stripe-python before jitter.
    for (name, attempts, expected) in [
        ("openai", 7, &[500, 1_000, 2_000, 4_000, 8_000, 8_000][..]),
        ("stripe", 6, &[500, 1_000, 2_000, 4_000, 5_000][..]),
    ] {
        let vendor = dialects::by_name(name).expect("it is shipped");
        let layer = BackoffLayer::new(vendor).jitter(Jitter::None).max_attempts(count(attempts));
        let (outcome, times) = run(&layer, request("GET"), (0..attempts).map(|_| answer(500)).collect()).await;
        let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((waits.as_slice(), stop(&outcome)), (expected, Some(EndReason::MaxAttempts)), "{name}");
    }
    let openai = BackoffLayer::new(dialects::by_name("openai").expect("it is shipped"));
    for status in [408, 409, 429, 500, 503] {
        let (_, times) = run(&openai, request("GET"), (0..3).map(|_| answer(status)).collect()).await;
        assert_eq!(times.len(), 3, "two retries of a {status}");
    }
}

/// gRPC's retry throttling on the shipped bucket, in tenths of a token.
struct GrpcTokens {
    bucket: Budget,
    most: u32,
}

impl GrpcTokens {
    fn new(most: u32) -> Self {
        Self { bucket: Budget::with_capacity(most), most }
    }

    /// Takes a token, or the rest, and returns whether a retry is allowed.
    fn failed(&self) -> bool {
        let taken = self.bucket.reserve(10).or_else(|| self.bucket.reserve(self.bucket.level()));
        let _ = taken.map(Reservation::spend);
        self.bucket.level() > self.most / 2
    }

    fn succeeded(&self) {
        self.bucket.refill(16);
    }
}

#[test]
fn the_grpc_tokens_hold_on_the_shipped_bucket() {
    let tokens = GrpcTokens::new(40);
    // A failure with the expected permission, or a success; and the level after it in tenths.
    let table = [
        (Some(true), 30),
        (None, 40),
        (Some(true), 30),
        (Some(false), 20),
        (Some(false), 10),
        (Some(false), 0),
        (Some(false), 0),
        (None, 16),
        (None, 32),
        (Some(true), 22),
        (Some(false), 12),
        (None, 28),
        (Some(false), 18),
        (None, 34),
        (Some(true), 24),
    ];
    for (nth, (failure, level)) in table.into_iter().enumerate() {
        match failure {
            Some(allowed) => assert_eq!(tokens.failed(), allowed, "step {nth}"),
            None => tokens.succeeded(),
        }
        assert_eq!(tokens.bucket.level(), level, "step {nth}");
    }
}

#[test]
fn the_envoy_concurrency_budget_holds_on_the_shipped_bucket() {
    // Retries may be a fifth of the active requests, and at least three: each outstanding one holds a reservation.
    let allows = |active: u32, outstanding: u32| {
        let bucket = Budget::with_capacity((active / 5).max(3));
        let held: Vec<_> = (0..outstanding).map(|_| bucket.reserve(1).expect("they were allowed")).collect();
        let allowed = bucket.reserve(1).is_some();
        drop(held);
        assert_eq!(bucket.level(), (active / 5).max(3), "what is over is given back");
        allowed
    };
    for (active, outstanding, allowed) in [(0, 2, true), (0, 3, false), (20, 3, true), (20, 4, false)] {
        assert_eq!(allows(active, outstanding), allowed, "{outstanding} outstanding of {active}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_calls_share_a_budget_as_the_aws_vector_says() {
    let budget = Budget::new();
    let layer = layer().budget(budget.clone());
    let (first, _first) = mock([answer(500), answer(500), answer(200)]);
    let (second, _second) = mock([answer(500), answer(200)]);
    let first = tokio::spawn(layer.layer(first).oneshot(request("GET")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(budget.level(), 486);
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(budget.level(), 472);
    let second = tokio::spawn(layer.layer(second).oneshot(request("GET")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(budget.level(), 458);
    assert!(second.await.expect("no panic").is_ok());
    assert_eq!(budget.level(), 472);
    assert!(first.await.expect("no panic").is_ok());
    assert_eq!(budget.level(), 486);
}

#[tokio::test(start_paused = true)]
async fn a_first_success_refills_one_token_and_writes_nothing() {
    let budget = Budget::new();
    let _ = budget.reserve(100).map(redress_backoff::Reservation::spend);
    let (outcome, times) = run(&layer().budget(budget.clone()), request("GET"), vec![answer(200)]).await;
    assert_eq!((times.len(), budget.level()), (1, 401));
    assert!(outcome.expect("a success").extensions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_layer_share_one_budget() {
    let layer = layer().budget(Budget::with_capacity(14));
    let (first, _) = run(&layer.clone(), request("GET"), vec![answer(500), answer(404)]).await;
    let (second, times) = run(&layer, request("GET"), vec![answer(500)]).await;
    assert_eq!((stop(&first), times.len()), (Some(EndReason::NotRetryable), 1), "the first call spent it all");
    assert_eq!(second.expect("the response in hand").status(), 500);
}
