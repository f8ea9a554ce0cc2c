//! Tests of the gates.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Context;
use std::time::Duration;

use proptest::prelude::*;
use redress_classify::dialects;
use redress_sandbox::WakeCounter;
use tokio::time::advance;

use super::*;
use crate::PaceLayer;
use crate::cooldown::tests::{S, cooldown};
use crate::scope::tests::{scoped, target};
use crate::settings::Settings;
use crate::waker::tests::needs_lock;

const ALL: CooldownScope = CooldownScope::Call;
const MS: Duration = Duration::from_millis(1);

fn settings() -> Arc<Settings> {
    Arc::new(PaceLayer::new(dialects::generic()).random(|| 1 << 31).settings().clone())
}

/// Returns a call without a deadline.
fn patient(settings: &Settings, now: Instant) -> Caller {
    settings.caller(&http::Request::new(()), now)
}

fn waiter(settings: &Arc<Settings>, at: &Target, now: Instant) -> Waiter {
    match enter(settings, at, patient(settings, now), None, now) {
        GateState::CoolingDown(waiter, _) => waiter,
        other => panic!("there is a cool-down: {other:?}"),
    }
}

fn end(settings: &Arc<Settings>, at: &Target, result: CallResult, sent: Instant, now: Instant) -> Option<Transition> {
    record(settings, at, None, Some(Sent { at: sent, calls: 1 }), result, (now, 1 << 31)).transition
}

/// Makes 100 calls in a second that take 95 ms each, so that 9.5 are in flight at a time. Returns the end of that second.
async fn good_day(settings: &Arc<Settings>, at: &Target) -> Instant {
    for _ in 0..100 {
        advance(10 * MS).await;
        let now = Instant::now();
        assert_eq!(end(settings, at, CallResult::Answered, now - 95 * MS, now), None);
    }
    Instant::now()
}

/// Returns calls that wait for the end of a cool-down of a second, which begins now, after a good day.
async fn crowd(settings: &Arc<Settings>, at: &Target, calls: usize) -> Vec<Waiter> {
    let now = good_day(settings, at).await;
    settings.gates.cool_down(at, ALL, cooldown(now, S), now);
    (0..calls).map(|_| waiter(settings, at, now)).collect()
}

fn line_count(settings: &Settings) -> usize {
    settings.gates.lock().lines.len()
}

#[test]
fn the_gates_are_inactive_once_the_last_cool_down_is_over() {
    let (gates, now) = (Gates::default(), Instant::now());
    let (a, b) = (target("a"), target("b"));
    assert!(gates.is_inactive() && gates.cooldown(&a, now).is_none());
    assert!(gates.cool_down(&a, ALL, cooldown(now, S), now) && !gates.cool_down(&a, ALL, cooldown(now, S), now));
    assert!(gates.cool_down(&b, ALL, cooldown(now, 2 * S), now) && !gates.is_inactive());
    assert_eq!(gates.cooldown(&a, now), Some(cooldown(now, S)));
    assert!(gates.cooldown(&a, now + S).is_none() && !gates.is_inactive(), "the other cool-down lasts");
    assert_eq!(gates.cooldown(&b, now + S), Some(cooldown(now, 2 * S)));
    assert!(gates.cooldown(&b, now + 2 * S).is_none() && gates.is_inactive());
}

#[tokio::test(start_paused = true)]
async fn a_call_in_two_releases_has_a_permit_of_both_or_of_none() {
    let settings = settings();
    let (one, other) = (scoped("GET", "/rooms/1"), scoped("GET", "/rooms/2"));
    let now = good_day(&settings, &one).await;
    let cool = |scope| {
        settings.gates.cool_down(&one, scope, cooldown(now, S), now);
        waiter(&settings, &one, now)
    };
    // A release lives as long as one of its calls.
    let waiters = [cool(CooldownScope::Call), cool(CooldownScope::Upstream)];
    advance(S).await;
    let later = Instant::now();
    let caller = patient(&settings, later);
    let try_one = |at| try_enter(&settings, at, caller, later);
    let permits: Vec<_> = (0..4).map(|_| try_one(&one).unwrap().unwrap()).collect();
    assert!(permits.iter().all(|permit| permit.lines() == 2));
    let others: Vec<_> = (0..6).map(|_| try_one(&other).unwrap().unwrap()).collect();
    assert!(others.iter().all(|permit| permit.lines() == 1), "they are in the release of the upstream alone");
    assert!(try_one(&one).is_none() && try_one(&other).is_none(), "ten are in flight");
    let mut in_flight: Vec<_> = settings.gates.lock().lines.values().map(Line::in_flight).collect();
    in_flight.sort_unstable();
    assert_eq!(in_flight, [4, 10], "a call that misses one permit acquires none");
    let GateState::Queued(waiting, _) = enter(&settings, &one, caller, None, later) else {
        panic!("it waits for a permit")
    };
    let cx = Context::from_waker(Waker::noop());
    assert!(matches!(waiting.poll_permit(&cx, later), PermitWait::Waiting(_)));
    drop(others);
    let PermitWait::Granted(mut permit) = waiting.poll_permit(&cx, later) else { panic!("there is one") };
    let GateState::Granted(mut more) = enter(&settings, &one, caller, Some(&permit), later) else {
        panic!("there is one in the scope, too")
    };
    permit.merge(&mut more);
    assert!(matches!(enter(&settings, &one, caller, Some(&permit), later), GateState::Open), "it has both");
    drop((permits, permit, waiting, waiters));
    assert!(settings.gates.cooldown(&one, later).is_none() && line_count(&settings) == 2, "calls may follow at once");
    assert!(settings.gates.cooldown(&one, later + S).is_none() && settings.gates.is_inactive());
}

#[test]
fn opening_a_gate_wakes_its_calls_and_a_dropped_call_is_removed() {
    let (settings, now) = (settings(), Instant::now());
    let (gates, caller) = (&settings.gates, patient(&settings, now));
    let (a, b) = (target("a"), target("b"));
    assert!(matches!(enter(&settings, &a, caller, None, now), GateState::Open));
    gates.cool_down(&a, ALL, cooldown(now, S), now);
    gates.cool_down(&b, ALL, cooldown(now, S), now);
    let waiters: Vec<_> = [&a, &a, &a, &b].map(|at| waiter(&settings, at, now)).into();
    let counters: Vec<_> = waiters.iter().map(|_| WakeCounter::new()).collect();
    let wakers: Vec<_> = counters.iter().map(WakeCounter::waker).collect();
    for (waiter, waker) in waiters.iter().zip(&wakers).skip(1) {
        assert!(waiter.poll_opened(&Context::from_waker(waker), now).is_pending());
    }
    assert_eq!(gates.open(&a, now), None, "there was no outage");
    let wakes: Vec<_> = counters.iter().map(WakeCounter::count).collect();
    assert_eq!(wakes, [0, 1, 1, 0], "the first call was never polled");
    let cx = Context::from_waker(Waker::noop());
    let opened: Vec<_> = waiters.iter().map(|waiter| waiter.poll_opened(&cx, now).is_ready()).collect();
    assert_eq!(opened, [true, true, true, false]);
    assert!(matches!(enter(&settings, &a, caller, None, now), GateState::Open));
    assert!(matches!(enter(&settings, &b, caller, None, now), GateState::CoolingDown(..)));
    assert_eq!(line_count(&settings), 1);
    let text = format!("{gates:?}");
    assert!(text.starts_with("Gates { cooldowns: CooldownTable {") && text.ends_with("waiting: 1 }"), "{text}");
    drop(waiters);
    assert!(format!("{gates:?}").ends_with("waiting: 0 }"));
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_passed_on_once_even_if_its_call_is_dropped_before_it_polls() {
    let (settings, a) = (settings(), target("a"));
    let waiters = crowd(&settings, &a, 13).await;
    let now = Instant::now();
    let caller = patient(&settings, now);
    assert!(waiters.iter().all(|waiter| waiter.enqueue(caller, now).is_none()), "the cool-down lasts");
    advance(S).await;
    let later = Instant::now();
    assert!(waiters.iter().all(|waiter| waiter.enqueue(caller, later).is_some_and(|wait| wait.spread == S / 2)));
    let counters: Vec<_> = waiters.iter().map(|_| WakeCounter::new()).collect();
    let poll = |nth: usize| waiters[nth].poll_permit(&Context::from_waker(&counters[nth].waker()), later);
    let mut polls: Vec<_> = (0..13).map(poll).collect();
    let granted = polls.iter().filter(|poll| matches!(poll, PermitWait::Granted(_))).count();
    assert_eq!(granted, 10);
    assert!(
        polls[10..].iter().all(|poll| matches!(poll, PermitWait::Waiting(_))),
        "the first ten calls have the permits"
    );
    assert!(try_enter(&settings, &a, caller, later).is_none(), "a new call does not overtake the queue");
    drop(polls.swap_remove(0));
    let counts = |of: [usize; 2]| of.map(|nth: usize| counters[nth].count());
    assert_eq!(counts([10, 11]), [1, 1], "one goes, and the next has the timer");
    let mut waiters = waiters;
    drop(waiters.remove(10));
    assert_eq!(counts([11, 12]), [2, 1], "it passes the permit on");
    let cx = Context::from_waker(Waker::noop());
    assert!(matches!(waiters[10].poll_permit(&cx, later), PermitWait::Granted(_)));
    assert_eq!(counters[12].count(), 2, "the permit was dropped at once");
    drop(waiters);
    assert!(!settings.gates.is_inactive() && line_count(&settings) == 1, "some are in flight");
    drop(polls);
    assert!(settings.gates.cooldown(&a, Instant::now() + S).is_none());
    assert!(settings.gates.is_inactive() && line_count(&settings) == 0);
}

#[tokio::test(start_paused = true)]
async fn calls_are_woken_without_the_lock() {
    let (settings, a) = (settings(), target("a"));
    let waiters = crowd(&settings, &a, 13).await;
    let wakes = Arc::new(AtomicUsize::new(0));
    let count = || wakes.load(Ordering::Relaxed);
    let waker = |_| {
        let locked = Arc::clone(&settings);
        needs_lock(&wakes, move || locked.gates.state.try_lock().is_ok())
    };
    let wakers: Vec<_> = waiters.iter().map(waker).collect();
    advance(S).await;
    let later = Instant::now();
    let caller = patient(&settings, later);
    assert!(waiters.iter().all(|waiter| waiter.enqueue(caller, later).is_some()));
    let poll = |nth: usize| waiters[nth].poll_permit(&Context::from_waker(&wakers[nth]), later);
    let mut polls: Vec<_> = (0..13).map(poll).collect();
    let before = count();
    drop(polls.swap_remove(0));
    assert_eq!(count() - before, 2, "the next one by the end of a call, and the one that has the timer then");
    let before = count();
    drop(waiters);
    assert!(count() > before, "the granted call passes its permit on");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_joins_wakes_those_whose_time_has_come() {
    let (settings, a) = (settings(), target("a"));
    let waiters = crowd(&settings, &a, 14).await;
    advance(S).await;
    let later = Instant::now();
    let caller = patient(&settings, later);
    let (last, first) = waiters.split_last().unwrap();
    assert!(first.iter().all(|waiter| waiter.enqueue(caller, later).is_some()));
    let counters: Vec<_> = waiters.iter().map(|_| WakeCounter::new()).collect();
    let poll = |nth: usize, now| waiters[nth].poll_permit(&Context::from_waker(&counters[nth].waker()), now);
    let polls: Vec<_> = (0..13).map(|nth| poll(nth, later)).collect();
    // The ten in flight hang, and no longer count.
    advance(10 * S).await;
    let counts = || [10, 11, 12].map(|nth: usize| counters[nth].count());
    assert_eq!(counts(), [0; 3], "no call but the one with the timer has a reason to look");
    assert!(last.enqueue(caller, Instant::now()).is_some());
    assert_eq!(counts(), [1; 3], "their places were found when it joined");
    assert!((10..13).all(|nth| matches!(poll(nth, Instant::now()), PermitWait::Granted(_))));
    drop(polls);
}

/// Asserts that the partitions whose answers are all recorded are counted. Returns `true` if there is one.
fn assert_counted(settings: &Settings) -> bool {
    let state = settings.gates.lock();
    let needed = state.health.values().filter(|health| health.needs_each_answer()).count();
    assert_eq!(state.recorded, needed);
    needed > 0
}

/// A caller with a deadline in 30 s.
fn hurried(settings: &Settings, now: Instant) -> Caller {
    let mut request = http::Request::new(());
    request.extensions_mut().insert(redress_classify::Deadline::new(now + 30 * S));
    settings.caller(&request, now)
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_ends_after_its_gate_was_shut_by_hand_does_not_open_it() {
    for result in [CallResult::Answered, CallResult::Faulty, CallResult::Throttled] {
        let (settings, a) = (settings(), target("a"));
        good_day(&settings, &a).await;
        let fail = || end(&settings, &a, CallResult::Failed { is_timeout: false }, Instant::now(), Instant::now());
        assert_eq!([fail(), fail(), fail()], [None, None, Some(Transition::Shut)]);
        advance(S).await;
        let now = Instant::now();
        let permit = try_enter(&settings, &a, hurried(&settings, now), now).unwrap().unwrap();
        assert!(permit.is_probe());
        settings.gates.shut_by_hand(&settings, &a, now);
        let sent = Some(Sent { at: now, calls: 1 });
        let recorded = record(&settings, &a, Some(permit), sent, result, (now, 0));
        assert_eq!(recorded.transition, None, "{result:?}");
        assert!(settings.gates.lock().outage_at(&a).is_some_and(|outage| outage.next_probe().is_none()));
        assert_eq!(assert_counted(&settings), result != CallResult::Answered, "{result:?}: only an answer ends a run");
        assert_eq!(end(&settings, &a, CallResult::Answered, now, now), None);
        assert!(!assert_counted(&settings), "{result:?}");
    }
}

/// Sends calls that do not wait until one is refused. Returns when that one may return, in ms from now, and whether there was no room
/// for it.
fn refused(settings: &Arc<Settings>, at: &Target, now: Instant) -> (u128, bool) {
    let mut request = http::Request::new(());
    request.extensions_mut().insert(crate::FailFast);
    let mut permits = Vec::new();
    loop {
        match enter(settings, at, settings.caller(&request, now), None, now) {
            GateState::Granted(permit) => permits.push(permit),
            GateState::Refused(wait) => return ((wait.until - now).as_millis(), wait.is_full),
            other => panic!("it does not wait: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_wait_learns_when_to_return() {
    let (settings, a) = (settings(), target("a"));
    good_day(&settings, &a).await;
    let now = Instant::now();
    (0..3).for_each(|_| _ = end(&settings, &a, CallResult::Failed { is_timeout: false }, now, now));
    assert_eq!(refused(&settings, &a, now), (100, false), "at the next probe");
    let (settings, b) = (self::settings(), target("b"));
    let waiters = crowd(&settings, &b, 20).await;
    advance(2 * S).await;
    assert_eq!(refused(&settings, &b, Instant::now()), (95, false), "after the usual latency, in a release");
    drop(waiters);
}

#[tokio::test(start_paused = true)]
async fn any_response_to_the_probe_opens_the_gate_and_only_an_answer_to_another_call_does() {
    for result in [CallResult::Answered, CallResult::Faulty, CallResult::Throttled, CallResult::Unknown] {
        for is_probe in [true, false] {
            let (settings, a) = (settings(), target("a"));
            good_day(&settings, &a).await;
            let now = Instant::now();
            (0..3).for_each(|_| _ = end(&settings, &a, CallResult::Failed { is_timeout: false }, now, now));
            advance(S).await;
            let now = Instant::now();
            let permit = try_enter(&settings, &a, hurried(&settings, now), now).unwrap().filter(|_| is_probe);
            let sent = Some(Sent { at: now, calls: 1 });
            let opened = matches!(
                record(&settings, &a, permit, sent, result, (now, 0)).transition,
                Some(Transition::Opened { waiting: 0, .. })
            );
            let opens = result == CallResult::Answered || is_probe && result != CallResult::Unknown;
            assert_eq!(opened, opens, "{result:?} {is_probe}");
            assert_eq!(settings.gates.lock().outage_at(&a).is_none(), opens);
            assert_counted(&settings);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_learnt_of_a_host_before_its_first_answer() {
    let (settings, a, now) = (settings(), target("a"), Instant::now());
    for result in [CallResult::Failed { is_timeout: true }, CallResult::Throttled, CallResult::Faulty] {
        assert_eq!(end(&settings, &a, result, now, now), None);
    }
    assert!(settings.gates.lock().health.is_empty() && !assert_counted(&settings));
    end(&settings, &a, CallResult::Answered, now, now);
    assert_eq!(settings.gates.lock().health.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_latency_at_the_end_of_a_release_is_accepted() {
    let (settings, a) = (settings(), target("a"));
    let now = good_day(&settings, &a).await;
    settings.gates.cool_down(&a, ALL, cooldown(now, S), now);
    drop(waiter(&settings, &a, now));
    let health = |settings: &Settings| {
        let state = settings.gates.lock();
        let health = &state.health[&a.partition];
        (health.usual_latency().unwrap(), health.is_degraded())
    };
    for _ in 0..100 {
        let now = Instant::now();
        end(&settings, &a, CallResult::Answered, now - 800 * MS, now);
    }
    assert!(health(&settings).0 < 100 * MS && health(&settings).1);
    advance(2 * S).await;
    end(&settings, &a, CallResult::Answered, Instant::now() - 800 * MS, Instant::now());
    // It is at the border: an answer that is a little faster, and all is well.
    end(&settings, &a, CallResult::Answered, Instant::now() - 700 * MS, Instant::now());
    assert!(health(&settings).0 > 350 * MS && !health(&settings).1, "{:?}", health(&settings));
    assert!(!assert_counted(&settings));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    End(CallResult, u64),
    Enter,
    /// The end of the first call that entered.
    EndEntered(CallResult),
    Open,
    ShutByHand,
    CoolDown,
    Look,
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let result = || {
        prop_oneof![
            4 => Just(CallResult::Answered),
            6 => any::<bool>().prop_map(|is_timeout| CallResult::Failed { is_timeout }),
            2 => Just(CallResult::Throttled),
            1 => Just(CallResult::Faulty),
            1 => Just(CallResult::Unknown),
        ]
    };
    prop_oneof![
        8 => (result(), 1_u64..2_000).prop_map(|(result, took)| Event::End(result, took)),
        3 => Just(Event::Enter),
        3 => result().prop_map(Event::EndEntered),
        1 => Just(Event::Open),
        1 => Just(Event::ShutByHand),
        1 => Just(Event::CoolDown),
        1 => Just(Event::Look),
        2 => (1_u64..3_000).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to a few upstreams, the flag tells that each answer is recorded while one of them needs it.
    #[test]
    fn the_partitions_whose_answers_are_all_recorded_are_counted(
        events in prop::collection::vec((event(), 0_usize..3), 1..80),
    ) {
        let settings = settings();
        let (targets, mut now) = (["a", "b", "c"].map(target), Instant::now());
        targets.iter().for_each(|at| _ = end(&settings, at, CallResult::Answered, now, now + MS));
        let mut entered = VecDeque::new();
        for (event, nth) in events {
            let at = &targets[nth];
            match event {
                Event::End(result, took) => _ = end(&settings, at, result, now, now + Duration::from_millis(took)),
                Event::Enter => {
                    let permit = try_enter(&settings, at, hurried(&settings, now), now);
                    entered.extend(permit.map(|permit| (at, permit, now)));
                }
                Event::EndEntered(result) => {
                    let Some((at, permit, sent)) = entered.pop_front() else { continue };
                    record(&settings, at, permit, Some(Sent { at: sent, calls: 1 }), result, (now, 0));
                }
                Event::Open => _ = settings.gates.open(at, now),
                Event::ShutByHand => settings.gates.shut_by_hand(&settings, at, now),
                Event::CoolDown => _ = settings.gates.cool_down(at, ALL, cooldown(now, S), now),
                Event::Look => _ = settings.gates.cooldown(at, now),
                Event::Pass(millis) => now += Duration::from_millis(millis),
            }
            let flag = settings.gates.sampling.records_each_answer();
            prop_assert!(!assert_counted(&settings) || flag, "{:?}", event);
            if matches!(event, Event::End(..) | Event::EndEntered(_)) && settings.gates.is_inactive() {
                prop_assert_eq!(assert_counted(&settings), flag, "{:?}", event);
            }
        }
    }
}

#[test]
fn a_cool_down_of_another_process_is_news_if_it_ends_later_by_more_than_a_delay_of_the_store() {
    let (gates, now) = (Gates::default(), Instant::now());
    let key = crate::scope::tests::key("a");
    let adopt = |wait| gates.adopt(key.clone(), cooldown(now, wait), now);
    assert!(adopt(S));
    assert!(!adopt(S) && !adopt(S + STORE_DELAY), "it is the same end");
    assert!(!adopt(S + 2 * STORE_DELAY), "the later end is kept, and the next one is compared with it");
    assert!(adopt(S + 3 * STORE_DELAY + MS) && adopt(9 * S));
    assert!(!adopt(2 * S), "an earlier one");
}

#[tokio::test(start_paused = true)]
async fn calls_wait_at_the_gates_of_their_partition() {
    let settings = settings();
    let [here, there] = ["a", "b"].map(target);
    let has_waiting = |at: &Target| settings.gates.has_waiting(&at.partition);
    let waiters = crowd(&settings, &here, 2).await;
    assert!(has_waiting(&here) && !has_waiting(&there));
    drop(waiters);
    assert!(!has_waiting(&here));
}

#[test]
fn calls_are_many_from_a_rate_on_and_few_again_below_half_of_it() {
    let sampling = Sampling::default();
    let few = |timed, rate| {
        sampling.adapt(timed, rate);
        sampling.has(FEW_CALLS)
    };
    assert!(few(FIRST - 1, 2.0 * MANY), "the rate is not known yet");
    assert!(few(FIRST, MANY));
    assert!(!few(FIRST, MANY + 0.1));
    assert!(!few(FIRST, MANY - 0.1) && !few(FIRST, FEW), "not before half of it");
    assert!(few(FIRST, FEW - 0.1));
}

#[tokio::test(start_paused = true)]
async fn the_lines_of_many_partitions_stay_while_calls_wait_there() {
    let (settings, now) = (settings(), Instant::now());
    let crowd = |count: usize| {
        let wait = |nth: usize| {
            let at = target(&nth.to_string());
            settings.gates.cool_down(&at, ALL, cooldown(now, S), now);
            waiter(&settings, &at, now)
        };
        (0..count).map(wait).collect::<Vec<_>>()
    };
    let waiters = crowd(MAX_PARTITIONS);
    let more = settings.caller(&http::Request::new(()), now);
    settings.gates.cool_down(&target("more"), ALL, cooldown(now, S), now);
    let _more = enter(&settings, &target("more"), more, None, now);
    assert_eq!(line_count(&settings), MAX_PARTITIONS + 1);
    drop(waiters);
}
