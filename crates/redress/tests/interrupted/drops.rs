//! A call that is dropped after each of its polls.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use redress::{Budget, RedressLayer, ResponseExt, Schedule};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use super::scenarios::{Scenario, all};
use super::{SUCCESS, URL, answer, dialect, login, mock, request};

/// When a call is dropped that was polled so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drop {
    /// Right behind its poll.
    Behind,
    /// When it has been woken once more, before it is polled.
    Woken,
}

const WAITS: Schedule =
    Schedule { base: Duration::from_millis(50), factor: NonZeroU32::MIN, cap: Duration::from_millis(50) };

/// Polls a future so often at most; `None` when it was not ready by then.
async fn polled<F: Future>(future: F, polls: usize, drop: Drop) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 && drop == Drop::Behind => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Runs a scenario and drops the call; returns whether it had come to its end.
async fn run(scenario: Scenario, polls: usize, drop: Drop, is_straight: bool) -> bool {
    let Scenario {
        name,
        request: asked,
        answers,
        costs,
        logins,
        capacity,
        change,
        full,
        other,
        before,
        known,
        succeeds,
    } = scenario;
    let place = format!("{name}, dropped after {polls} polls, {drop:?}, straight: {is_straight}");
    let budget = Budget::with_capacity(capacity);
    let (calls, handle) = mock(answers);
    let has_credentials = logins.is_some();
    let issuer = logins.map(login);
    let layer = RedressLayer::new(dialect());
    // The longest waits, so that there is time for things to happen in them.
    let layer = layer.backoff(|backoff| backoff.budget(budget.clone()).transient_backoff(WAITS).random(|| u32::MAX));
    let (layer, login_handle) = match issuer {
        Some((login, handle)) => (layer.credentials(login, URL.parse().unwrap()), Some(handle)),
        None => (layer, None),
    };
    let layer = change(layer.pace(|pace| pace.random(|| u32::MAX)));
    let layer = if is_straight { layer } else { layer.never_straight() };
    for answer in before {
        let once = layer.clone().backoff(|backoff| backoff.max_attempts(NonZeroU32::MIN));
        std::mem::drop(once.layer(mock(vec![answer]).0).oneshot(request(asked.method().as_str())).await);
    }
    for _ in 0..known {
        let answered = answer(200, SUCCESS).after(Duration::from_millis(100));
        layer.layer(mock(vec![answered]).0).oneshot(request("GET")).await.unwrap();
    }
    let others = other.map(|(later, answers)| {
        let once = layer.clone().backoff(|backoff| backoff.max_attempts(NonZeroU32::MIN));
        let call = once.layer(mock(answers).0).oneshot(request(asked.method().as_str()));
        (
            later,
            tokio::spawn(async move {
                tokio::time::sleep(later).await;
                call.await.map(std::mem::drop)
            }),
        )
    });
    let others = match others {
        Some((Duration::ZERO, call)) => {
            call.await.unwrap().unwrap();
            None
        }
        later => later,
    };
    let filling = full.map(|(from, long)| {
        let others = handle.clone();
        tokio::spawn(async move {
            tokio::time::sleep(from).await;
            others.set_limit(0);
            tokio::time::sleep(long).await;
            others.set_limit(usize::MAX);
        })
    });
    // Whoever waits for what never comes fails here, and does not hang.
    let call = polled(layer.layer(calls).oneshot(asked), polls, drop);
    let result = tokio::time::timeout(Duration::from_secs(3600), call).await.expect("a call comes to its end");
    let done = result.is_some();
    let succeeded = matches!(&result, Some(Ok(response)) if response.verdict().is_none());
    assert!(!done || succeeded == succeeds, "{place}: {result:?}");
    std::mem::drop(result);
    let sent = handle.calls();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!((handle.calls(), handle.in_flight(), handle.reservations()), (sent, 0, 0), "{place}");
    assert!(sent <= costs.len() && (!done || sent == costs.len()), "{place}: {sent} sends");
    let spent: u32 = costs[..sent].iter().sum();
    // A success gives back what the last retry took.
    let earned = if succeeded { costs.iter().rev().find(|cost| **cost > 0).copied().unwrap_or_default() } else { 0 };
    assert_eq!(budget.level(), capacity - spent + earned, "{place}: {sent} sends");
    if let Some(filling) = filling {
        filling.await.unwrap();
    }
    if let Some(handle) = login_handle {
        handle.assert_idle();
    }
    if let Some((_, call)) = others {
        call.await.unwrap().unwrap();
    }
    assert!(format!("{:?}", layer.gate()).contains("waiting: 0"), "{place}: {:?}", layer.gate());
    let (calls, handle) = mock(vec![answer(200, SUCCESS)]);
    let mut begins = Instant::now();
    let mut next = layer.layer(calls.clone()).oneshot(request("POST")).await;
    if next.as_ref().is_err_and(|error| error.is_deadline() || error.is_paced()) {
        // The first login was its own, and took too long for it; or the server has closed the gate, for an hour at most.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        begins = Instant::now();
        next = layer.layer(calls).oneshot(request("POST")).await;
    }
    assert!(next.as_ref().is_ok_and(|response| response.verdict().is_none()), "{place}: the next call: {next:?}");
    assert!(handle.instants()[0] <= begins + Duration::from_secs(5), "{place}: nobody is in its way");
    assert_eq!((handle.calls(), layer.tokens().generation() > 0), (1, has_credentials), "{place}");
    done
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_nothing_behind() {
    let mut drops = 0;
    for delay in [Duration::ZERO, Duration::from_millis(1)] {
        for nth in 0..all(delay).len() {
            let ways = [(Drop::Behind, true), (Drop::Woken, true), (Drop::Behind, false), (Drop::Woken, false)];
            for (drop, is_straight) in ways {
                for polls in 0.. {
                    assert!(polls < 100, "a call comes to its end");
                    let scenario = all(delay).remove(nth);
                    drops += 1;
                    if run(scenario, polls, drop, is_straight).await {
                        break;
                    }
                }
            }
        }
    }
    println!("{} scenarios, {drops} runs", 2 * all(Duration::ZERO).len());
    assert!(drops > 300, "{drops} runs");
}
