//! Any mixture of calls, rate limits, cancellations and pauses: requests arrive neither too early nor too often.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{URL, count, layer, limit, ms, refusing, request, s, serve, server, spawn};
use proptest::prelude::*;
use redress_sandbox::strict_mock::Received;
use tokio::time::{Instant, advance, sleep, sleep_until};

/// One call: the ms after which it begins, the seconds of the hint in its response, the ms after which it is dropped.
type Plan = (u64, Option<u64>, Option<u64>);

/// Returns the received requests, and the number of calls that failed without being dropped.
async fn run(plans: &[Plan], burst: u32, nap: u64) -> (Vec<Received<http::Request<String>>>, usize) {
    let (mock, handle) = server();
    let draws = AtomicU32::new(1);
    let random = move || draws.fetch_add(0x9e37_79b9, Ordering::Relaxed);
    let layer = layer().limit(limit(6).burst(count(burst))).max_wait(Duration::MAX).random(random);
    let service = serve(&layer, &mock);
    let start = Instant::now();
    let mut calls = Vec::new();
    for (begin, hint, give_up) in plans {
        let service = service.clone();
        let (begin, hint, give_up) = (start + ms(*begin), hint.map(|hint| hint.to_string()), *give_up);
        calls.push(tokio::spawn(async move {
            sleep_until(begin).await;
            let request = if hint.is_some() { refusing(URL, "429", hint.as_deref()) } else { request(URL) };
            let call = spawn(&service, request, begin);
            if let Some(give_up) = give_up {
                sleep(ms(give_up)).await;
                call.abort();
            }
            call.await.is_ok_and(|(outcome, _)| outcome.is_ok()) || give_up.is_some()
        }));
    }
    sleep(s(7)).await;
    advance(s(nap)).await;
    let mut lost = 0;
    for call in calls {
        lost += usize::from(!call.await.expect("no panic"));
    }
    handle.assert_idle();
    assert!(format!("{:?}", layer.gate()).contains("waiting: 0"));
    (handle.take(), lost)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_arrive_neither_too_early_nor_too_often(
        plans in prop::collection::vec(
            (0_u64..20_000, prop::option::weighted(0.15, 1_u64..20), prop::option::weighted(0.3, 0_u64..30_000)),
            1..40,
        ),
        burst in 1_u32..8,
        nap in prop_oneof![3 => Just(0_u64), 1 => Just(30 * 86_400)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (received, lost) = runtime.block_on(run(&plans, burst, nap));
        prop_assert_eq!(lost, 0, "every call that is not dropped is answered");
        let span = |from: Instant| received.iter().filter(|other| (from..from + s(10)).contains(&other.at)).count();
        for (nth, one) in received.iter().enumerate() {
            prop_assert!(span(one.at) <= 6, "too often");
            if let Some(hint) = one.request.headers().get("x-wait") {
                let until = one.at + s(hint.to_str().unwrap().parse().unwrap());
                let early = received[nth + 1..].iter().find(|other| other.at < until && other.at > one.at);
                prop_assert!(early.is_none(), "too early");
            }
        }
    }
}
