//! Calls that wait for the end of an outage in a layer below, and the budget that refills by the health of the upstream.
//!
//! The layer below is a small one of this file: it queues, admits and refuses requests by a plan, and marks their outcomes.
#![allow(clippy::unwrap_used, reason = "test helpers are test code")]

mod common;
mod held_below;

use std::num::NonZeroU32;
use std::time::SystemTime;

use common::{count, doubling, layer, ms};
use held_below::Plan::{Admit, AdmitAndRefuse, Hold, Probe, Refuse, Send, SendUnasked};
use held_below::{Plan, Reply, Rig, body_of, request, stop, times};
use http::Request;
use proptest::prelude::*;
use redress_backoff::{
    BackoffLayer, Budget, Budgets, Idempotent, Jitter, MethodConfig, NoRetry, Reservation, RetryPolicy,
    RetryThrottling, ServiceConfig,
};
use redress_classify::{
    Class, EndReason, Error, GrpcCode, IdempotencyHeader, Phase, Record, ResponseExt, UpstreamHealth, dialects,
};

const OUTAGE: Option<UpstreamHealth> = Some(UpstreamHealth::Outage);
const THROTTLED: Option<UpstreamHealth> = Some(UpstreamHealth::Throttled);
const DEGRADED: Option<UpstreamHealth> = Some(UpstreamHealth::Degraded);

/// A layer whose calls have a minute.
fn patient() -> BackoffLayer {
    layer().deadline(ms(60_000))
}

fn busy() -> Reply {
    Reply::status(503)
}

fn probes(record: &Record) -> Vec<bool> {
    record.attempts().iter().map(|attempt| attempt.is_probe).collect()
}

fn drained(capacity: u32) -> Budget {
    let budget = Budget::with_capacity(capacity);
    assert_eq!(budget.reserve(capacity).map(Reservation::spend), Some(capacity));
    budget
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_waits_below_for_the_end_of_the_outage() {
    let budget = Budget::with_capacity(100);
    let rig = Rig::new([
        Send(busy(), OUTAGE),
        Probe(5_000, busy(), OUTAGE),
        Probe(7_000, Reply::refused(), OUTAGE),
        Admit(20_000, Reply::status(200), DEGRADED),
    ]);
    let response = rig.call(&patient().budget(budget.clone()).max_attempts(count(2)), request("GET")).await.unwrap();
    assert_eq!(rig.queued(), [0, 0, 5_000, 12_000], "each is handed down at once");
    assert_eq!(
        rig.sent(),
        [(0, None), (5_000, Some(1)), (12_000, Some(2)), (32_000, Some(3))],
        "with its resend count"
    );
    let record = response.record().unwrap();
    assert_eq!((response.status().as_u16(), record.end_reason()), (200, EndReason::Success));
    assert_eq!(probes(record), [false, true, true, false]);
    assert!(record.attempts().iter().all(|attempt| attempt.wait.is_none()), "Backoff did not wait");
    assert_eq!(
        record.to_string(),
        "2 attempts, 503 unavailable, 503 unavailable on probe, unavailable on probe, 200 success; succeeded"
    );
    assert_eq!(budget.level(), 100, "the probes were free, and the success gave back the cost of its own resend");
}

#[tokio::test(start_paused = true)]
async fn a_resend_is_paid_when_it_is_sent_and_a_probe_is_free() {
    let budget = Budget::new();
    let layer = patient().budget(budget.clone());
    for (plan, level) in [
        (vec![Send(busy(), OUTAGE), Probe(1, Reply::status(404), None)], 500),
        (vec![Send(busy(), OUTAGE), Admit(1, Reply::status(404), None)], 486),
        (vec![Send(busy(), OUTAGE), Probe(1, busy(), OUTAGE), Admit(1, Reply::status(404), None)], 472),
        (vec![Send(busy(), OUTAGE), Admit(1, busy(), OUTAGE), Admit(1, Reply::status(404), None)], 444),
        // A retry whose tokens were reserved, and which then became the probe.
        (vec![Send(busy(), None), Probe(1, Reply::status(404), None)], 444),
        // It was paid for, and then a rate limit refused it.
        (vec![Send(busy(), OUTAGE), AdmitAndRefuse(1)], 444),
        // The outage has just ended.
        (vec![Send(busy(), OUTAGE), Send(Reply::status(404), None)], 430),
        // A layer that marks and does not queue.
        (vec![Send(busy(), OUTAGE), SendUnasked(Reply::status(404), None)], 416),
    ] {
        let name = format!("{plan:?}");
        Rig::new(plan).call(&layer, request("GET")).await.unwrap();
        assert_eq!(budget.level(), level, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_holds_no_tokens_in_the_line_and_leaves_nothing_behind() {
    for (name, step, spent) in [
        ("queued", Hold, 0),
        ("admitted", Admit(1, Reply::Hang, None), 14),
        ("a probe", Probe(1, Reply::Hang, None), 0),
    ] {
        let budget = Budget::with_capacity(100);
        let rig = Rig::new([Send(busy(), OUTAGE), step]);
        let mut call = Box::pin(rig.call(&patient().budget(budget.clone()), request("GET")));
        assert!(tokio::time::timeout(ms(100), call.as_mut()).await.is_err());
        assert!(format!("{budget:?}").contains(&format!("level: {}, reserved: {spent}", 100 - spent)), "{budget:?}");
        drop(call);
        assert_eq!(format!("{budget:?}"), format!("Budget {{ level: {}, reserved: 0, capacity: 100 }}", 100 - spent));
        assert_eq!(rig.queued().len(), 2, "{name}: nothing more is sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gives_up_in_the_line_returns_the_response_in_hand() {
    let full = Budget::with_capacity(100);
    for (name, last, budget, reason, at) in [
        ("refused", Refuse(3_000), full.clone(), EndReason::Outage, 3_000),
        ("out of time", Hold, full.clone(), EndReason::Deadline, 60_000),
        ("without tokens", Admit(3_000, Reply::status(200), None), drained(100), EndReason::Budget, 3_000),
        ("over a limit", AdmitAndRefuse(3_000), full.clone(), EndReason::Paced, 3_000),
    ] {
        let before = budget.level();
        let rig = Rig::new([Send(Reply::body(503, &["sorry, ", "", "busy"]), OUTAGE), last]);
        let start = tokio::time::Instant::now();
        let response = rig.call(&patient().budget(budget.clone()), request("GET")).await.expect(name);
        assert_eq!((stop(Ok(&response)), start.elapsed()), (Some(reason), ms(at)), "{name}");
        assert_eq!(rig.sent().len(), 1, "{name}");
        assert_eq!(response.record().map(|record| record.attempts().len()), Some(1), "{name}: one was sent");
        assert_eq!(response.verdict().map(|verdict| verdict.class()), Some(Class::Unavailable), "{name}");
        assert_eq!(response.headers()["x-answer"], "503", "{name}");
        assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(11), "{name}");
        assert_eq!(body_of(response).await, (vec!["sorry, ".into(), "".into(), "busy".into()], true), "{name}");
        assert_eq!(budget.level(), before, "{name}: nothing was sent, nothing is spent");
    }
}

#[tokio::test(start_paused = true)]
async fn the_response_in_hand_is_that_of_the_last_attempt() {
    let rig = Rig::new([
        Send(Reply::body(502, &["first"]), OUTAGE),
        Probe(10, Reply::body(504, &["second"]), OUTAGE),
        Refuse(10),
    ]);
    let response = rig.call(&patient(), request("GET")).await.unwrap();
    assert_eq!(response.status(), 504);
    assert_eq!(
        response.record().map(ToString::to_string).as_deref(),
        Some("1 attempt, 502 unavailable, 504 unavailable on probe; the upstream is in an outage")
    );
    assert_eq!(body_of(response).await.0, ["second"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_or_slow_body_is_dropped_and_its_error_returned() {
    const MAX: usize = 16 * 1024;
    let long = |len: usize| Reply::body(503, &["x".repeat(len).as_str()]);
    for (name, reply, is_kept) in [
        ("at the bound", long(MAX), true),
        ("beyond it", long(MAX + 1), false),
        ("beyond what Classify reads", long(80 * 1024), false),
        ("many frames", Reply::body(503, &[""; 1_025]), false),
        ("broken", Reply::Broken, false),
        ("slow", Reply::Slow, false),
    ] {
        let (alive, reply) = reply.watched();
        let rig = Rig::new([Send(reply, OUTAGE), Refuse(5_000)]);
        let mut call = Box::pin(rig.call(&patient(), request("GET")));
        assert!(tokio::time::timeout(ms(3_000), call.as_mut()).await.is_err());
        assert_eq!(std::sync::Arc::strong_count(&alive), 1, "{name}: no connection is held in the line");
        match call.await {
            Ok(response) => assert!(is_kept && body_of(response).await.0.concat().len() == MAX, "{name}"),
            Err(error) => {
                assert!(!is_kept && error.is_paced() && error.is_maybe_processed(), "{name}");
                assert_eq!((error.class(), stop(Err(&error))), (Class::Unavailable, Some(EndReason::Outage)));
                let api_error = error.verdict().api_error().expect("the server's own");
                assert_eq!((api_error.status(), error.retry_at()), (503, Some(SystemTime::UNIX_EPOCH)), "{name}");
                assert!(error.to_string().contains("upstream is in an outage: the request was not sent"), "{error}");
            }
        }
    }
    let rig = Rig::new([Send(long(MAX + 1), OUTAGE), Hold]);
    let error = rig.call(&patient(), request("GET")).await.unwrap_err();
    assert!(error.is_deadline() && error.verdict().api_error().is_some() && error.class() == Class::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_of_the_transport_its_error_is_returned() {
    for (name, plan, is_connect, attempts) in [
        ("at first", vec![Send(Reply::refused(), OUTAGE), Refuse(10)], true, 1),
        ("at last", vec![Send(busy(), OUTAGE), Probe(5, Reply::timeout(), OUTAGE), Refuse(10)], false, 2),
        ("out of time", vec![Send(Reply::timeout(), OUTAGE), Hold], false, 1),
    ] {
        let reason = if name == "out of time" { EndReason::Deadline } else { EndReason::Outage };
        let error: Error = Rig::new(plan).call(&patient(), request("GET")).await.unwrap_err();
        assert!(error.is_transport() && !error.is_paced() && !error.is_deadline(), "{name}");
        assert_eq!((error.is_connect(), error.is_timeout()), (is_connect, !is_connect), "{name}");
        let record = error.record().unwrap();
        assert_eq!((record.end_reason(), record.attempts().len()), (reason, attempts), "{name}");
    }
    let rig = Rig::new([Send(Reply::refused(), OUTAGE), Refuse(10)]);
    let error = rig.call(&patient(), request("GET")).await.unwrap_err();
    assert_eq!(error.phase(), Phase::NotSent);
    assert!(error.to_string().ends_with("(1 attempt, unavailable; the upstream is in an outage)"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_resend_is_returned_unless_it_was_refused_in_the_line() {
    let of_credentials: fn() -> Error = || Error::credentials(Class::Unavailable, "down".into(), None);
    for (name, error, reason, returns_response) in [
        ("credentials", of_credentials, EndReason::Credentials, false),
        ("a deadline below, once it was sent", || Error::deadline(Phase::MaybeProcessed), EndReason::Deadline, false),
        ("a deadline below, before", || Error::deadline(Phase::NotSent), EndReason::Deadline, true),
        ("a limit below", || Error::paced(SystemTime::UNIX_EPOCH), EndReason::Paced, true),
    ] {
        let rig = Rig::new([Send(busy(), OUTAGE), Admit(10, Reply::Failed(error), None)]);
        let outcome = rig.call(&patient(), request("GET")).await;
        assert_eq!((outcome.is_ok(), stop(outcome.as_ref())), (returns_response, Some(reason)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_may_not_wait_do_as_without_an_outage() {
    let send = |replies: usize| vec![Send(busy(), OUTAGE); replies];
    let mut opted_out = request("GET");
    opted_out.extensions_mut().insert(NoRetry);
    let hinted = || Send(Reply::Hinted(503, 2), OUTAGE);
    let once = NonZeroU32::MIN;
    for (name, layer, request, plan, times_sent, reason) in [
        ("no deadline", layer(), request("GET"), send(3), vec![0, 50, 150], EndReason::MaxAttempts),
        ("one attempt", patient().max_attempts(once), request("GET"), send(1), vec![0], EndReason::MaxAttempts),
        ("opted out", patient(), opted_out, send(1), vec![0], EndReason::NoRetry),
        (
            "a hint",
            patient(),
            request("GET"),
            vec![hinted(), Send(Reply::status(200), None)],
            vec![0, 2_000],
            EndReason::Success,
        ),
        (
            "degraded",
            patient(),
            request("GET"),
            vec![Send(busy(), DEGRADED), Send(Reply::status(200), None)],
            vec![0, 50],
            EndReason::Success,
        ),
    ] {
        let budget = Budget::new();
        let rig = Rig::new(plan);
        let result = rig.call(&layer.budget(budget.clone()), request).await;
        assert_eq!((times(&rig), stop(result.as_ref())), (times_sent.clone(), Some(reason)), "{name}");
        let spent = if reason == EndReason::Success { 0 } else { 14 * (times_sent.len() as u32 - 1) };
        assert_eq!(budget.level(), 500 - spent, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_decides_as_without_an_outage() {
    let rig = Rig::new([Send(busy(), OUTAGE)]);
    let response = rig.call(&patient().retry_if(|_, _| Some(false)), request("GET")).await.unwrap();
    assert_eq!((times(&rig), response.record()), (vec![0], None), "the failure explains itself");
    let rig = Rig::new([Send(Reply::status(404), OUTAGE), Admit(10, Reply::status(200), None)]);
    let response = rig.call(&patient().retry_if(|_, _| Some(true)), request("GET")).await.unwrap();
    assert_eq!((times(&rig), response.status().as_u16()), (vec![0, 10], 200));
    let asks = patient().retry_if(|verdict, _| Some(verdict.class() == Class::NotFound));
    let rig = Rig::new([Send(Reply::status(404), OUTAGE), Admit(10, Reply::refused(), None)]);
    let error = rig.call(&asks, request("GET")).await.unwrap_err();
    assert!(error.is_connect() && error.is_maybe_processed(), "by the first attempt");
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_does_not_ask_for_the_payment_gets_one_such_resend() {
    let budget = drained(100);
    let rig = Rig::new([Send(busy(), OUTAGE), SendUnasked(busy(), OUTAGE)]);
    let result = rig.call(&patient().budget(budget), request("GET")).await;
    assert_eq!((times(&rig), stop(result.as_ref())), (vec![0, 0], Some(EndReason::Budget)));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_safe_is_sent_again() {
    let key = IdempotencyHeader::new(http::HeaderName::from_static("idempotency-key"));
    let (plain, keyed) = (patient(), patient().idempotency_key(key));
    let mut declared = request("POST");
    declared.extensions_mut().insert(Idempotent(true));
    for (name, layer, request, reply, is_resent) in [
        ("a timeout", &plain, request("POST"), Reply::timeout(), false),
        ("a refused connection", &plain, request("POST"), Reply::refused(), true),
        ("a timeout with a key", &keyed, request("POST"), Reply::timeout(), true),
        ("a 503", &plain, request("POST"), busy(), false),
        ("a 503 with a key", &keyed, request("POST"), busy(), true),
        ("a 503, declared", &plain, declared, busy(), true),
        ("an idempotent method", &plain, request("PUT"), Reply::timeout(), true),
        ("a final failure", &plain, request("GET"), Reply::Certificate, false),
    ] {
        let rig = Rig::new([Send(reply, OUTAGE), Admit(500, Reply::status(200), None)]);
        let result = rig.call(layer, request).await;
        assert_eq!(times(&rig), if is_resent { vec![0, 500] } else { vec![0] }, "{name}");
        assert_eq!(result.is_ok_and(|response| response.status() == 200), is_resent, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_sent_again_in_an_outage_at_most_thirty_two_times() {
    let outage = std::iter::once(Send(busy(), OUTAGE)).chain((0..32).map(|_| Probe(1_000, busy(), OUTAGE)));
    let plan = outage.chain([Send(busy(), OUTAGE), Send(busy(), OUTAGE)]);
    let budget = Budget::new();
    let rig = Rig::new(plan);
    let layer = layer().deadline(ms(3_600_000)).budget(budget.clone());
    let response = rig.call(&layer, request("GET")).await.unwrap();
    let expected: Vec<_> = (0..=32).map(|nth| nth * 1_000).chain([32_050, 32_150]).collect();
    assert_eq!(times(&rig), expected, "afterwards it is retried as without an outage");
    let record = response.record().unwrap();
    assert_eq!((record.attempts().len(), record.end_reason()), (35, EndReason::MaxAttempts));
    assert_eq!((probes(record).iter().filter(|is_probe| **is_probe).count(), budget.level()), (32, 500 - 28));
}

#[tokio::test(start_paused = true)]
async fn a_resend_after_an_outage_uses_up_no_attempt() {
    let rig = Rig::new([
        Send(busy(), OUTAGE),
        Admit(1_000, busy(), None),
        Send(busy(), OUTAGE),
        Admit(1_000, Reply::status(200), None),
    ]);
    let response = rig.call(&patient().max_attempts(count(2)), request("GET")).await.unwrap();
    assert_eq!((times(&rig), response.status().as_u16()), (vec![0, 1_000, 1_050, 2_050], 200));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_the_deadline_cuts_after_its_admission_may_have_been_processed() {
    for last in [Probe(1_000, Reply::Hang, None), Admit(1_000, Reply::Hang, None)] {
        let rig = Rig::new([Send(busy(), OUTAGE), last]);
        let error = rig.call(&patient(), request("GET")).await.unwrap_err();
        assert!(error.is_deadline() && error.is_maybe_processed());
        assert_eq!(error.record().map(|record| record.attempts().len()), Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_in_an_outage_do_not_lengthen_the_waits_of_other_calls() {
    let layer = patient().jitter(Jitter::Full).random(|| u32::MAX).transient_backoff(doubling(50, 20_000));
    let outage = std::iter::once(Send(busy(), OUTAGE)).chain((0..20).map(|_| Probe(1_000, busy(), OUTAGE)));
    let rig = Rig::new(outage.chain([Refuse(1), Send(busy(), None), Send(Reply::status(200), None)]));
    assert_eq!(stop(rig.call(&layer, request("GET")).await.as_ref()), Some(EndReason::Outage));
    rig.call(&layer, request("GET")).await.unwrap();
    let times = times(&rig);
    assert!(times[22] - times[21] <= 50, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_method_with_a_retry_policy_keeps_its_attempts_and_throttling_holds() {
    let grpc = || BackoffLayer::new(dialects::grpc()).jitter(Jitter::None).deadline(ms(60_000));
    let policy = RetryPolicy::new([ms(300)], [GrpcCode::Unavailable]);
    let declared = ServiceConfig::new().service("acme.Orders", MethodConfig::new().retry_policy(policy));
    let throttled = |tokens| ServiceConfig::new().throttling(RetryThrottling::new(tokens, 1_000));
    let down = || Send(Reply::Grpc(14), OUTAGE);
    let admitted = || Admit(1_000, Reply::Grpc(0), None);
    for (name, config, plan, times_sent) in [
        ("no policy", ServiceConfig::new(), vec![down(), admitted()], vec![0, 1_000]),
        ("a policy", declared, vec![down(), down()], vec![0, 300]),
        ("tokens left", throttled(4), vec![down(), admitted()], vec![0, 1_000]),
        ("tokens used up", throttled(2), vec![down()], vec![0]),
        ("used up by the probe", throttled(4), vec![down(), Probe(500, Reply::Grpc(14), OUTAGE)], vec![0, 500]),
    ] {
        let rig = Rig::new(plan);
        let mut request = Request::post("https://api.example/acme.Orders/Create").body("text".to_owned()).unwrap();
        request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
        request.extensions_mut().insert(Idempotent(true));
        let result = rig.call(&grpc().service_config(config), request).await;
        assert_eq!(times(&rig), times_sent, "{name}: {:?}", stop(result.as_ref()));
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_asked_again_when_the_resend_is_sent() {
    let throttling = RetryThrottling::new(4, 1_000);
    let config = ServiceConfig::new().throttling(throttling.clone());
    let layer = BackoffLayer::new(dialects::grpc()).deadline(ms(60_000)).service_config(config);
    let rig = Rig::new([Send(Reply::Grpc(14), OUTAGE), Admit(1_000, Reply::Grpc(0), None)]);
    let request = request("GET");
    let call = rig.call(&layer, request);
    let others = async {
        tokio::time::sleep(ms(500)).await;
        assert!(!throttling.record_failure(), "other calls fail meanwhile");
    };
    let (result, ()) = tokio::join!(call, others);
    assert_eq!((stop(result.as_ref()), times(&rig)), (Some(EndReason::Budget), vec![0]));
}

#[tokio::test(start_paused = true)]
async fn a_healthy_upstream_refills_the_budget_faster() {
    let fast = || layer().healthy_refill(Budget::TRANSIENT_COST);
    let ok = || Reply::status(200);
    for (name, layer, plan, refilled) in [
        ("healthy", fast(), vec![Send(ok(), None)], 14),
        ("degraded", fast(), vec![Send(ok(), DEGRADED)], 1),
        ("the default", layer(), vec![Send(ok(), None)], 1),
        ("the default, degraded", layer(), vec![Send(ok(), DEGRADED)], 1),
        ("after a probe", fast().deadline(ms(9)), vec![Send(busy(), OUTAGE), Probe(1, ok(), DEGRADED)], 1),
    ] {
        let budget = drained(100);
        Rig::new(plan).call(&layer.budget(budget.clone()), request("GET")).await.unwrap();
        assert_eq!(budget.level(), refilled, "{name}");
    }
    let budget = Budget::with_capacity(100);
    assert_eq!(budget.reserve(50).map(Reservation::spend), Some(50));
    let rig = Rig::new([Send(busy(), None), Send(ok(), None), Send(Reply::Hinted(429, 1), None), Send(ok(), DEGRADED)]);
    let layer = fast().budget(budget.clone());
    rig.call(&layer, request("GET")).await.unwrap();
    assert_eq!(budget.level(), 50, "a success after a retry gives back the cost of the retry");
    rig.call(&layer, request("GET")).await.unwrap();
    assert_eq!(budget.level(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_limit_without_a_hint_makes_retries_dear() {
    let fast = layer().healthy_refill(Budget::TRANSIENT_COST);
    let (ok, limited) = (|| Reply::status(200), || Reply::status(429));
    for (plan, level) in [
        (vec![Send(ok(), THROTTLED)], 51),
        (vec![Send(limited(), THROTTLED), Send(ok(), THROTTLED)], 50 - 14 + 1),
        (vec![Send(limited(), THROTTLED), Send(ok(), None)], 50),
        (vec![Send(busy(), THROTTLED), Send(ok(), THROTTLED)], 50 - 14 + 1),
        (vec![Send(limited(), THROTTLED), Send(Reply::status(404), None)], 50 - 14),
        (vec![Send(limited(), None), Send(Reply::status(404), None)], 50 - 5),
    ] {
        let budget = Budget::with_capacity(100);
        assert_eq!(budget.reserve(50).map(Reservation::spend), Some(50));
        let case = format!("{plan:?}");
        let _response = Rig::new(plan).call(&fast.clone().budget(budget.clone()), request("GET")).await.unwrap();
        assert_eq!(budget.level(), level, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_upstream_has_a_budget_that_its_own_health_refills() {
    let budgets = Budgets::per_authority();
    let layer = layer().budget(budgets.clone()).healthy_refill(14);
    let request = |host: &str| Request::get(format!("https://{host}/")).body("text".to_owned()).unwrap();
    for host in ["one.example", "two.example"] {
        assert_eq!(budgets.for_request(&request(host)).reserve(100).map(Reservation::spend), Some(100));
    }
    let rig = Rig::new([Send(Reply::status(200), None), Send(Reply::status(200), DEGRADED)]);
    rig.call(&layer, request("one.example")).await.unwrap();
    rig.call(&layer, request("two.example")).await.unwrap();
    assert_eq!(budgets.for_request(&request("one.example")).level(), 414);
    assert_eq!(budgets.for_request(&request("two.example")).level(), 401);
}

fn plan() -> impl Strategy<Value = Plan> {
    let reply = prop_oneof![3 => Just(busy()), 1 => Just(Reply::refused()), 1 => Just(Reply::timeout())];
    let mark = prop_oneof![3 => Just(OUTAGE), 1 => Just(None), 1 => Just(DEGRADED)];
    (0_u8..5, 0_u64..3_000, reply, mark).prop_map(|(kind, after, reply, mark)| match kind {
        0 => Send(reply, mark),
        1 => Probe(after, reply, mark),
        2 | 3 => Admit(after, reply, mark),
        _ => Refuse(after),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No attempt succeeds here, so that nothing is refilled.
    #[test]
    fn each_send_beyond_the_first_is_paid_for_or_is_a_probe(
        capacity in 0_u32..100,
        plan in proptest::collection::vec(plan(), 80),
        deadline in 1_u64..30_000,
    ) {
        let budget = Budget::with_capacity(capacity);
        let plan: Vec<_> = std::iter::once(Send(busy(), OUTAGE)).chain(plan).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let rig = Rig::new(plan);
        let layer = layer().deadline(ms(deadline)).budget(budget.clone());
        let result = runtime.block_on(rig.call(&layer, request("GET")));
        let (sends, probes) = (rig.sent().len(), rig.probes());
        let spent = capacity - budget.level();
        prop_assert!(spent >= 14 * (sends - 1 - probes) as u32, "{} sends, {} probes, {} tokens", sends, probes, spent);
        prop_assert_eq!(spent % 14, 0);
        prop_assert!(stop(result.as_ref()).is_some());
        let is_settled = format!("{budget:?}").contains("reserved: 0");
        prop_assert!(is_settled, "{:?}", budget);
    }
}
