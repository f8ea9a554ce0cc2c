//! Tests of the gates.

use std::sync::Arc;
use std::task::Context;

use redress_classify::dialects;
use redress_sandbox::WakeCounter;
use tokio::time::advance;

use super::*;
use crate::PaceLayer;
use crate::cooldown::tests::{S, cooldown};
use crate::scope::tests::{scoped, target};
use crate::settings::Settings;

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
    record(settings, at, None, Some((sent, Timing::Timed { calls: 1 })), result, (now, 1 << 31)).transition
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
    let now = good_day(&settings, &a).await;
    settings.gates.cool_down(&a, ALL, cooldown(now, S), now);
    let waiters: Vec<_> = (0..13).map(|_| waiter(&settings, &a, now)).collect();
    let caller = patient(&settings, now);
    assert!(waiters.iter().all(|waiter| waiter.enqueue(caller, now).is_none()), "the cool-down lasts");
    advance(S).await;
    let later = Instant::now();
    assert!(waiters.iter().all(|waiter| waiter.enqueue(caller, later).is_some_and(|(_, spread)| spread == S / 2)));
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
