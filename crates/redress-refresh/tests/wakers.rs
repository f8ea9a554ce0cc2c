//! The wakers of waiting calls, and how often these are polled.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use common::{Api, Issuer, Rig, get, give, grant, s};
use redress_sandbox::WakeCounter;
use tower::ServiceExt;

fn poll<F: Future>(call: &mut Pin<Box<F>>, bell: &WakeCounter) -> Poll<F::Output> {
    call.as_mut().poll(&mut Context::from_waker(&bell.waker()))
}

#[tokio::test(start_paused = true)]
async fn only_the_last_waker_is_woken() {
    for deadline in [false, true] {
        let mut rig = Rig::new(Issuer::new([give("t1")]), Api::accepting(&["t1"]).taking(s(5)));
        if deadline {
            rig.layer = rig.layer.deadline(s(60));
        }
        let [old, new, gone, other] = std::array::from_fn(|_| WakeCounter::new());
        let mut moved = Box::pin(rig.service().oneshot(get()));
        let mut dropped = Box::pin(rig.service().oneshot(get()));
        let mut stays = Box::pin(rig.service().oneshot(get()));
        for bell in [&old, &old, &new, &new] {
            assert!(poll(&mut moved, bell).is_pending(), "a poll for nothing does no harm");
        }
        assert!(poll(&mut dropped, &gone).is_pending() && poll(&mut stays, &other).is_pending());
        drop(dropped);
        tokio::time::sleep(s(2)).await;
        assert_eq!((old.count(), new.count(), gone.count(), other.count()), (0, 1, 0, 1), "deadline: {deadline}");
        assert_eq!(rig.issuer.asked(), ["login"]);
        assert!(poll(&mut moved, &new).is_pending() && poll(&mut stays, &other).is_pending(), "the API is asked");
        drop((moved, stays));
        let rings = (new.count(), other.count());
        tokio::time::sleep(s(120)).await;
        assert_eq!((new.count(), other.count()), rings, "nobody is woken after the drop");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_polled_only_after_an_event() {
    let issuer = Issuer::new([give("t2")]).holding(grant("t1"));
    let rig = Rig::new(issuer, Api::accepting(&["t2"]).taking(s(1)));
    let mut call = Box::pin(rig.service().oneshot(get()));
    let polls = AtomicUsize::new(0);
    let outcome = std::future::poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        call.as_mut().poll(cx)
    });
    assert_eq!(outcome.await.unwrap().status(), 200);
    // The rejection, the flight, the answer.
    assert!(polls.load(Ordering::Relaxed) <= 3 + 2, "{polls:?}");
}
