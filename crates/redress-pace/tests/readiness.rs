//! Readiness, wakers and panics.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use common::{URL, answer, close, layer, limit, ms, refused_after, request, s, serve, server, spawn, times};
use http::{Request, Response};
use redress_classify::{BoxError, Phase};
use redress_sandbox::WakeCounter;
use redress_sandbox::strict_mock::StrictMock;
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_inner_service() {
    let (mock, handle) = server();
    let mut service = serve(&layer().limit(limit(1)), &mock);
    close(&service, 60).await;
    service.ready().await.unwrap();
    assert_eq!(handle.reservations(), 1);
    drop(service);
    handle.set_limit(0);
    let mut service = serve(&layer(), &mock);
    let bell = WakeCounter::new();
    let waker = bell.waker();
    assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    handle.set_limit(1);
    assert_eq!(bell.count(), 1);
    assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_ready());
}

#[tokio::test(start_paused = true)]
async fn the_ready_service_is_dropped_before_a_wait_and_a_clone_gets_ready() {
    let (mock, handle) = server();
    let mock = mock.limit(1);
    let service = serve(&layer().limit(limit(5)), &mock);
    let start = Instant::now();
    close(&service, 5).await;
    let call = spawn(&service, request(URL), start);
    sleep(s(1)).await;
    assert_eq!((handle.reservations(), handle.abandoned()), (0, 1), "it holds no ready service at the gate");
    let elsewhere = spawn(&service, request("https://other.example/"), start);
    assert_eq!(elsewhere.await.unwrap().1, 1_000);
    assert_eq!(call.await.unwrap().1, 5_000);
    let call = spawn(&service, request(URL), start);
    sleep(s(1)).await;
    assert_eq!(handle.reservations(), 0, "nor in the queue");
    assert_eq!(call.await.unwrap().1, 7_000);
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_closes_while_the_service_gets_ready_delays_the_call() {
    let (mock, handle) = server();
    let mock = mock.limit(1);
    let service = serve(&layer().limit(limit(5)), &mock);
    let start = Instant::now();
    // It uses the only capacity of the service until 3 s, and its response closes the gate.
    let refused = spawn(&service, refused_after(3, 10), start);
    sleep(ms(1)).await;
    handle.set_limit(2);
    let mut waiting = service.clone();
    let call = tokio::spawn(async move { waiting.ready().await?.call(request(URL)).await });
    sleep(s(1)).await;
    handle.set_limit(1);
    refused.await.unwrap().0.unwrap();
    sleep(s(1)).await;
    assert_eq!(handle.reservations(), 0);
    call.await.unwrap().unwrap();
    assert_eq!(times(&handle, start), [0, 13_000]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_to_get_ready_after_a_wait_ends_the_call_and_frees_its_slot() {
    #[derive(Clone)]
    struct Broken(Arc<AtomicBool>);
    impl Service<Request<String>> for Broken {
        type Response = Response<&'static str>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(if self.0.load(Ordering::Relaxed) { Err("broken".into()) } else { Ok(()) })
        }

        fn call(&mut self, _: Request<String>) -> Self::Future {
            std::future::ready(Ok(answer(200, &[])))
        }
    }
    let is_broken = Arc::new(AtomicBool::new(false));
    let service = layer().limit(limit(5)).layer(Broken(Arc::clone(&is_broken)));
    service.clone().oneshot(request(URL)).await.unwrap();
    let (first, second) = (service.clone(), service.clone());
    let first = tokio::spawn(first.oneshot(request(URL)));
    let second = tokio::spawn(second.oneshot(request(URL)));
    sleep(s(1)).await;
    is_broken.store(true, Ordering::Relaxed);
    let error = first.await.unwrap().unwrap_err();
    assert!(error.is_transport() && error.phase() == Phase::NotSent);
    assert!(second.await.unwrap().is_err(), "it was sent at once: no slot was used");
    is_broken.store(false, Ordering::Relaxed);
    let start = Instant::now();
    service.oneshot(request(URL)).await.unwrap();
    assert_eq!(Instant::now(), start);
}

#[tokio::test(start_paused = true)]
async fn the_last_waker_is_woken_and_each_poll_has_an_event() {
    let (mock, _handle) = server();
    let layer = layer().limit(limit(5));
    let service = serve(&layer, &mock);
    close(&service, 2).await;
    let mut ready = service.clone();
    let mut waiting = pin!(ready.ready().await.unwrap().call(request(URL)));
    let (old, new) = (WakeCounter::new(), WakeCounter::new());
    let (old_waker, new_waker) = (old.waker(), new.waker());
    for waker in [&old_waker, &old_waker, &new_waker, &new_waker] {
        assert!(waiting.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    layer.gate().open(&request(URL));
    assert_eq!((old.count(), new.count()), (0, 1), "opened by hand");
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&new_waker)).is_pending(), "the limit allows it at 2 s");
    let mut ready = service.clone();
    let mut behind = pin!(ready.ready().await.unwrap().call(request(URL)));
    let (old, behind_bell) = (WakeCounter::new(), WakeCounter::new());
    let (old_waker, behind_waker) = (old.waker(), behind_bell.waker());
    for waker in [&old_waker, &behind_waker, &old_waker, &behind_waker] {
        assert!(behind.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    advance(ms(2_001)).await;
    sleep(ms(1)).await;
    assert_eq!((new.count(), behind_bell.count()), (2, 0), "one timer, for the first");
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&new_waker)).is_ready());
    assert_eq!((old.count(), behind_bell.count()), (0, 1), "the new first call is woken");
    assert!(behind.as_mut().poll(&mut Context::from_waker(&behind_waker)).is_pending());
    advance(ms(2_001)).await;
    sleep(ms(1)).await;
    assert_eq!((old.count(), behind_bell.count()), (0, 2));
    assert!(behind.as_mut().poll(&mut Context::from_waker(&behind_waker)).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_users_closure_does_not_affect_other_calls() {
    let (mock, handle) = server();
    let panics = Arc::new(AtomicBool::new(false));
    let (in_key, in_random) = (Arc::clone(&panics), Arc::clone(&panics));
    let layer = layer()
        .limit(limit(5))
        .partition(move |_, uri, _| {
            assert!(!(in_key.load(Ordering::Relaxed) && uri.query() == Some("key")), "in the key");
            None
        })
        .random(move || {
            assert!(!in_random.load(Ordering::Relaxed), "in the random source");
            0
        });
    let service = serve(&layer, &mock);
    let start = Instant::now();
    let mut again = refused_after(2, 5);
    *again.uri_mut() = "https://api.example/elsewhere".parse().unwrap();
    let again = spawn(&service, again, start);
    sleep(ms(1)).await;
    close(&service, 3).await;
    // This one takes a random number in `call`, and another one when it enters the gates again.
    let victim = spawn(&service, request(URL), start);
    sleep(s(1)).await;
    panics.store(true, Ordering::Relaxed);
    let mut ready = service.clone();
    let ready = ready.ready().await.unwrap();
    for uri in [format!("{URL}?key"), URL.to_owned()] {
        assert!(catch_unwind(AssertUnwindSafe(|| ready.call(request(&uri)))).is_err());
    }
    again.await.unwrap().0.unwrap();
    assert!(victim.await.is_err_and(|error| error.is_panic()));
    panics.store(false, Ordering::Relaxed);
    let calls: Vec<_> = (0..2).map(|_| spawn(&service, request(URL), start)).collect();
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start), [0, 1, 7_000, 9_000]);
    assert!(format!("{:?}", layer.gate()).contains("waiting: 0"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_blocks_no_other_call() {
    let is_bad = Arc::new(AtomicBool::new(false));
    let bad = Arc::clone(&is_bad);
    let mock = StrictMock::new(move |_: &Request<String>| {
        assert!(!bad.load(Ordering::Relaxed), "in the service");
        async { Ok(answer(200, &[])) }
    })
    .allow_abandoned();
    let _handle = mock.handle();
    let service = serve(&layer().limit(limit(5)), &mock);
    let start = Instant::now();
    service.clone().oneshot(request(URL)).await.unwrap();
    is_bad.store(true, Ordering::Relaxed);
    let victim = spawn(&service, request(URL), start);
    let next = spawn(&service, request(URL), start);
    assert!(victim.await.is_err_and(|error| error.is_panic()));
    is_bad.store(false, Ordering::Relaxed);
    assert_eq!(next.await.unwrap().1, 4_000, "the slot of the victim may have been used");
}

#[tokio::test(start_paused = true)]
async fn no_future_is_polled_without_an_event() {
    let (mock, _handle) = server();
    let service = serve(&layer().limit(limit(5)), &mock);
    close(&service, 3).await;
    let polls = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&polls);
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let mut call = Box::pin(service.clone().oneshot(request(URL)));
            let polls = Arc::clone(&counts);
            tokio::spawn(std::future::poll_fn(move |cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                call.as_mut().poll(cx)
            }))
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // The polls: the first, when the gate opens, when it becomes the first in the line and gets a permit, when it becomes the
    // first in the queue of the limit, when its time has come.
    assert!(polls.load(Ordering::Relaxed) <= 10 * 6, "{}", polls.load(Ordering::Relaxed));
}
