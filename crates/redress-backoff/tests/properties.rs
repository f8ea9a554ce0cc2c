//! Properties for any settings and any server.

mod common;

use std::num::NonZeroU32;
use std::time::Duration;

use common::*;
use http::{Request, Response};
use proptest::prelude::*;
use redress_backoff::{BackoffLayer, Jitter};
use redress_classify::{EndReason, Record, ResponseExt, Schedule, WaitSource};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

/// One call: its record, the times of its requests, and the time of its end.
struct Call {
    record: Option<Record>,
    sent: Vec<Duration>,
    over: Duration,
}

/// Runs one call, on a paused clock, against a server that always answers alike.
fn call(layer: &BackoffLayer, status: u16, retry_after: Option<String>, slow: Duration) -> Call {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mock = StrictMock::new(move |_: &Request<String>| {
            let mut response = Response::builder().status(status);
            if let Some(value) = &retry_after {
                response = response.header("retry-after", value);
            }
            let response = response.body(String::new()).expect("legal parts");
            async move {
                if !slow.is_zero() {
                    tokio::time::sleep(slow).await;
                }
                Ok(response)
            }
        });
        let handle = mock.handle();
        let start = Instant::now();
        let outcome = layer.layer(mock).oneshot(request("GET")).await;
        let over = start.elapsed();
        handle.assert_idle();
        let record = match &outcome {
            Ok(response) => response.record().cloned(),
            Err(error) => error.record().cloned(),
        };
        Call { record, sent: handle.instants().iter().map(|at| *at - start).collect(), over }
    })
}

fn jitters() -> impl Strategy<Value = Jitter> {
    prop::sample::select(vec![Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None])
}

/// Durations, sensible ones and those that are set by mistake.
fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        Just(Duration::MAX),
        Just(Duration::from_secs(u64::MAX)),
        (0_u64..10_000).prop_map(Duration::from_millis),
        any::<(u64, u32)>().prop_map(|(secs, nanos)| Duration::new(secs / 2, nanos)),
    ]
}

fn factors() -> impl Strategy<Value = NonZeroU32> {
    prop_oneof![Just(NonZeroU32::MIN), Just(NonZeroU32::MAX), (1_u32..10).prop_map(count)]
}

fn hints() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        (0_u32..400).prop_map(|seconds| Some(seconds.to_string())),
        Just(Some("99999999999999999999".to_owned())),
        Just(Some("Fri, 31 Dec 9999 23:59:59 GMT".to_owned())),
        "[ -~]{0,12}".prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn each_delay_is_within_its_range_and_their_sum_ends_before_the_deadline(
        (base, cap, factor) in (0_u64..3_000, 0_u64..30_000, 1_u32..6),
        jitter in jitters(),
        attempts in 1_u32..8,
        status in prop::sample::select(vec![429_u16, 500, 503]),
        hint in prop::option::of(0_u64..150),
        deadline in prop::option::of(1_u64..200_000),
        slow in prop_oneof![Just(0_u64), 0_u64..5_000],
        random: u32,
    ) {
        let schedule = Schedule { base: ms(base), factor: count(factor), cap: ms(cap) };
        let mut layer = BackoffLayer::new(silent()).max_attempts(count(attempts)).jitter(jitter);
        layer = layer.transient_backoff(schedule).throttling_backoff(schedule).random(move || random);
        if let Some(deadline) = deadline {
            layer = layer.deadline(ms(deadline));
        }
        let Call { record, sent, over } = call(&layer, status, hint.map(|hint| hint.to_string()), ms(slow));
        let record = record.expect("it failed, and says why");
        let waits: Vec<_> = record.attempts().iter().filter_map(|attempt| attempt.wait.zip(attempt.wait_source.clone())).collect();
        prop_assert!(sent.len() <= attempts as usize && waits.len() + 1 >= sent.len());
        for (nth, (wait, source)) in waits.iter().enumerate() {
            let asked = hint.map_or(Duration::ZERO, Duration::from_secs);
            let hinted = matches!(source, WaitSource::Hint(_));
            let most = if hinted { asked + (asked / 2).min(Duration::from_secs(30)) } else { ms(cap) };
            prop_assert!(*wait >= asked && *wait <= most, "{wait:?} for {asked:?} by {source:?}");
            prop_assert!(asked <= Duration::from_secs(120), "longer than is honoured");
            if let Some(next) = sent.get(nth + 1) {
                prop_assert!(*next >= sent[nth] + ms(slow) + *wait, "sent early");
            }
        }
        if let Some(deadline) = deadline.map(ms) {
            prop_assert!(waits.iter().map(|(wait, _)| *wait).sum::<Duration>() <= deadline);
            prop_assert!(sent.iter().all(|at| *at <= deadline));
            // The timer counts in whole milliseconds.
            prop_assert!(over <= deadline + ms(1), "over after {over:?} of {deadline:?}");
        } else {
            prop_assert!(sent.len() == attempts as usize || hint.is_some_and(|hint| hint > 120));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn extreme_settings_and_hints_saturate_and_never_panic(
        base in durations(),
        cap in durations(),
        factor in factors(),
        jitter in jitters(),
        attempts in prop::sample::select(vec![1, 2, 3, u32::MAX]),
        (max_retry_after, throttle_wait) in (durations(), prop::option::of(durations())),
        deadline in prop::option::of(durations()),
        status in prop::sample::select(vec![413_u16, 429, 500, 503]),
        hint in hints(),
        random: u32,
    ) {
        let schedule = Schedule { base, factor, cap };
        let mut layer = BackoffLayer::new(silent()).max_attempts(count(attempts)).jitter(jitter).transient_backoff(schedule);
        layer = layer.throttling_backoff(schedule).max_retry_after(max_retry_after).random(move || random);
        if let Some(wait) = throttle_wait {
            layer = layer.default_throttle_wait(wait);
        }
        if let Some(deadline) = deadline {
            layer = layer.deadline(deadline);
        }
        let Call { record, sent, .. } = call(&layer, status, hint, Duration::ZERO);
        // With any settings the budget ends the call: a full one allows a hundred retries after throttling.
        prop_assert!((1..=101).contains(&sent.len()));
        prop_assert!(sent.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert!(record.is_none_or(|record| record.end_reason() != EndReason::Success));
    }
}
