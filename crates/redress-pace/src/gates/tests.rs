//! Tests of the gates.

use redress_sandbox::WakeCounter;

use super::*;
use crate::cooldown::tests::{S, cooldown};
use crate::scope::tests::{scoped, target};

const ALL: CooldownScope = CooldownScope::Call;

fn waiter(gates: &Arc<Gates>, at: &Target, now: Instant) -> Waiter {
    match gates.enter(at, None, now) {
        GateState::CoolingDown(waiter, _) => waiter,
        other => panic!("there is a cool-down: {other:?}"),
    }
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

#[test]
fn a_call_in_two_releases_has_a_permit_of_both_or_of_none() {
    let (gates, now) = (Arc::new(Gates::default()), Instant::now());
    let (one, other) = (scoped("GET", "/rooms/1"), scoped("GET", "/rooms/2"));
    let cool = |scope| {
        gates.cool_down(&one, scope, cooldown(now, S), now);
        waiter(&gates, &one, now)
    };
    // A release lives as long as one of its calls.
    let waiters = [cool(CooldownScope::Call), cool(CooldownScope::Upstream)];
    let later = now + S;
    let permits: Vec<_> = (0..4).map(|_| gates.try_enter(&one, later).unwrap().unwrap()).collect();
    assert!(permits.iter().all(|permit| permit.releases.len() == 2));
    let others: Vec<_> = (0..6).map(|_| gates.try_enter(&other, later).unwrap().unwrap()).collect();
    assert!(others.iter().all(|permit| permit.releases.len() == 1), "they are in the release of the upstream alone");
    assert!(gates.try_enter(&one, later).is_none() && gates.try_enter(&other, later).is_none(), "ten are in flight");
    let taken = || {
        gates
            .lock()
            .releases
            .values()
            .map(|release| format!("{release:?}"))
            .filter(|release| release.contains("in_use: 4"))
            .count()
    };
    assert_eq!(taken(), 1, "a call that misses one permit acquires none");
    let GateState::Queued(waiting, _) = gates.enter(&one, None, later) else { panic!("it waits for a permit") };
    let cx = Context::from_waker(Waker::noop());
    assert!(waiting.poll_permit(&cx).is_pending());
    drop(others);
    let Poll::Ready(Some((mut permit, _))) = waiting.poll_permit(&cx) else { panic!("there is one") };
    let GateState::Granted(mut more) = gates.enter(&one, Some(&permit), later) else {
        panic!("there is one in the scope, too")
    };
    permit.merge(&mut more);
    assert!(matches!(gates.enter(&one, Some(&permit), later), GateState::Open), "it has both");
    drop((permits, permit, waiting, waiters));
    assert!(gates.lock().releases.is_empty());
}

#[test]
fn opening_a_gate_wakes_its_calls_and_a_dropped_call_is_removed() {
    let (gates, now) = (Arc::new(Gates::default()), Instant::now());
    let (a, b) = (target("a"), target("b"));
    assert!(matches!(gates.enter(&a, None, now), GateState::Open));
    gates.cool_down(&a, ALL, cooldown(now, S), now);
    gates.cool_down(&b, ALL, cooldown(now, S), now);
    let waiters: Vec<_> = [&a, &a, &a, &b].map(|at| waiter(&gates, at, now)).into();
    let counters: Vec<_> = waiters.iter().map(|_| WakeCounter::new()).collect();
    let wakers: Vec<_> = counters.iter().map(WakeCounter::waker).collect();
    for (waiter, waker) in waiters.iter().zip(&wakers).skip(1) {
        assert!(waiter.poll_opened(&Context::from_waker(waker)).is_pending());
    }
    gates.open(&a);
    let wakes: Vec<_> = counters.iter().map(WakeCounter::count).collect();
    assert_eq!(wakes, [0, 1, 1, 0], "the first call was never polled");
    let cx = Context::from_waker(Waker::noop());
    let opened: Vec<_> = waiters.iter().map(|waiter| waiter.poll_opened(&cx).is_ready()).collect();
    assert_eq!(opened, [true, true, true, false]);
    assert!(
        matches!(gates.enter(&a, None, now), GateState::Open)
            && matches!(gates.enter(&b, None, now), GateState::CoolingDown(..))
    );
    assert_eq!(gates.lock().releases.len(), 1);
    let text = format!("{gates:?}");
    assert!(text.starts_with("Gates { cooldowns: CooldownTable {") && text.ends_with("waiting: 1 }"), "{text}");
    drop(waiters);
    assert!(gates.lock().releases.is_empty());
}

#[test]
fn a_permit_is_passed_on_once_even_if_its_call_is_dropped_before_it_polls() {
    let (gates, now) = (Arc::new(Gates::default()), Instant::now());
    let a = target("a");
    gates.cool_down(&a, ALL, cooldown(now, S), now);
    let waiters: Vec<_> = (0..13).map(|_| waiter(&gates, &a, now)).collect();
    let later = now + S;
    assert!(waiters.iter().all(|waiter| waiter.enqueue(now).is_none()), "the cool-down lasts");
    assert!(waiters.iter().all(|waiter| waiter.enqueue(later) == Some(S / 2)));
    let counters: Vec<_> = waiters.iter().map(|_| WakeCounter::new()).collect();
    let poll = |nth: usize| waiters[nth].poll_permit(&Context::from_waker(&counters[nth].waker()));
    let mut polls: Vec<_> = (0..13).map(poll).collect();
    let granted = polls.iter().filter(|poll| matches!(poll, Poll::Ready(Some(_)))).count();
    assert_eq!(granted, 10);
    assert!(polls[10..].iter().all(Poll::is_pending), "the first ten calls have the permits");
    assert!(gates.try_enter(&a, later).is_none(), "a new call does not overtake the queue");
    let wakes = || counters.iter().map(WakeCounter::count).sum::<usize>();
    drop(polls.swap_remove(0));
    assert_eq!((counters[10].count(), wakes()), (1, 1), "one permit, one call");
    let mut waiters = waiters;
    drop(waiters.remove(10));
    assert_eq!((counters[11].count(), wakes()), (1, 2), "it passes the permit on");
    let cx = Context::from_waker(Waker::noop());
    assert!(matches!(waiters[10].poll_permit(&cx), Poll::Ready(Some(_))));
    assert_eq!(counters[12].count(), 1, "the permit was dropped at once");
    drop(waiters);
    assert!(!gates.is_inactive() && !gates.lock().releases.is_empty(), "some are in flight");
    drop(polls);
    assert!(gates.lock().releases.is_empty());
    assert!(gates.cooldown(&a, later).is_none() && gates.is_inactive());
}
