//! Cancellation: a call that is dropped at any poll is not sent, and leaves no state behind.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use common::{
    Paced, URL, begin, close, count, good_day, layer, limit, ms, refused_after, request, s, serve, server, spawn,
    taking, times,
};
use http::Request;
use redress_pace::PaceLayer;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

/// A future that is dropped before its poll number `polls`; ready with `false` then.
struct Cut<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for Cut<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(false);
        }
        self.polls -= 1;
        let Some(future) = &mut self.future else { return Poll::Ready(false) };
        if future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(false);
        }
        Poll::Pending
    }
}

fn cut<F: Future>(polls: usize, future: F) -> Cut<F> {
    Cut { future: Some(Box::pin(future)), polls }
}

fn slow() -> Request<String> {
    let mut request = request(URL);
    request.headers_mut().insert("x-after", 1.into());
    request
}

/// Asserts that no call waits at the gate or in the queue: a new call is sent at once.
async fn assert_free(layer: &PaceLayer, service: &Paced) {
    assert!(format!("{:?}", layer.gate()).contains("waiting: 0"), "{:?}", layer.gate());
    sleep(s(100)).await;
    assert!(layer.gate().cooldown_until(&request(URL)).is_none() && layer.gate().is_open(), "no state is left");
    let start = Instant::now();
    assert_eq!(spawn(service, request(URL), start).await.unwrap().1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_leaves_its_slot_to_the_next() {
    let mut outcomes = Vec::new();
    for polls in 0..40 {
        let (mock, handle) = server();
        let layer = layer().limit(limit(5));
        let service = serve(&layer, &mock);
        let start = Instant::now();
        close(&service, 5).await;
        let first = spawn(&service, slow(), start);
        let victim = tokio::spawn(cut(polls, begin(&service, slow())));
        let last = spawn(&service, slow(), start);
        first.await.unwrap().0.unwrap();
        let finished = victim.await.unwrap();
        last.await.unwrap().0.unwrap();
        let times = times(&handle, start);
        match times.len() {
            3 => assert_eq!(times, [0, 5_000, 7_000], "dropped after poll {polls}, before it was sent"),
            _ => assert_eq!(times, [0, 5_000, 7_000, 9_000], "dropped after poll {polls}, in flight"),
        }
        handle.assert_idle();
        assert_free(&layer, &service).await;
        outcomes.push((times.len() == 4, finished));
        if finished {
            break;
        }
    }
    assert!(
        outcomes.contains(&(false, false)) && outcomes.contains(&(true, false)) && outcomes.ends_with(&[(true, true)])
    );
    assert!(outcomes.len() >= 4, "at the gate, in the queue, at its head, in flight: {outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_in_a_release_passes_its_permit_on() {
    let mut outcomes = Vec::new();
    for polls in 0..40 {
        let (mock, handle) = server();
        let layer = layer();
        let service = serve(&layer, &mock);
        good_day(&service, &handle).await;
        let start = Instant::now();
        close(&service, 5).await;
        // All places are in use; they become free at 6.5 s, 7.5 s and 8.5 s, and then all at once.
        for nth in 0..10_u64 {
            spawn(&service, taking(1_500 + nth.min(2) * 1_000), start);
        }
        let victim = tokio::spawn(cut(polls, begin(&service, slow())));
        let last = spawn(&service, slow(), start);
        let finished = victim.await.unwrap();
        let expected = if finished { 8_500 } else { 7_500 };
        assert_eq!(last.await.unwrap().1, expected, "dropped after poll {polls}");
        let is_sent = handle.calls() == 13;
        assert_free(&layer, &service).await;
        outcomes.push((is_sent, finished));
        if finished {
            break;
        }
    }
    assert!(
        outcomes.contains(&(false, false)) && outcomes.contains(&(true, false)) && outcomes.ends_with(&[(true, true)])
    );
    assert!(outcomes.len() >= 3, "at the gate, in the line, in flight: {outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_while_the_service_gets_ready_uses_no_slot() {
    let mut outcomes = Vec::new();
    for polls in 0..40 {
        let (mock, handle) = server();
        let mock = mock.limit(1);
        let layer = layer().limit(limit(5).burst(count(5)));
        let service = serve(&layer, &mock);
        let start = Instant::now();
        // Five calls are the burst. The victim is the next, at 10 s, and the service has no capacity until 15 s.
        for _ in 0..5 {
            service.clone().oneshot(request(URL)).await.unwrap();
        }
        let victim = tokio::spawn(cut(polls, begin(&service, request(URL))));
        sleep(s(8)).await;
        let mut long = request("https://api.example/elsewhere");
        long.headers_mut().insert("x-after", 7.into());
        let long = spawn(&service, long, start);
        sleep(ms(1)).await;
        let last = spawn(&service, request(URL), start);
        long.await.unwrap().0.unwrap();
        let finished = victim.await.unwrap();
        last.await.unwrap().0.unwrap();
        let times = times(&handle, start);
        let expected: &[u128] =
            if times.len() == 7 { &[0, 0, 0, 0, 0, 8_000, 15_000] } else { &[0, 0, 0, 0, 0, 8_000, 15_000, 20_000] };
        assert_eq!(times, expected, "dropped after poll {polls}");
        handle.assert_idle();
        outcomes.push(finished);
        if finished {
            break;
        }
    }
    assert!(outcomes.len() >= 4 && outcomes.last() == Some(&true), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_queue_leaves_the_next_slot_to_the_next_call() {
    let (mock, handle) = server();
    let layer = layer().limit(limit(5)).max_wait(s(100_000));
    let service = serve(&layer, &mock);
    let start = Instant::now();
    let calls: Vec<_> = (0..1_000).map(|_| spawn(&service, request(URL), start)).collect();
    sleep(s(3)).await;
    assert_eq!(handle.calls(), 2);
    calls.iter().rev().for_each(tokio::task::JoinHandle::abort);
    sleep(ms(500)).await;
    assert_eq!(spawn(&service, request(URL), start).await.unwrap().1, 4_000);
    assert_eq!(times(&handle, start), [0, 2_000, 4_000]);
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn calls_dropped_at_the_gate_are_not_sent() {
    let (mock, handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    let start = Instant::now();
    let again = spawn(&service, refused_after(5, 20), start);
    sleep(ms(1)).await;
    close(&service, 10).await;
    let calls: Vec<_> = (0..1_000).map(|_| spawn(&service, request(URL), start)).collect();
    again.await.unwrap().0.unwrap();
    sleep(s(12)).await;
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    sleep(s(1)).await;
    assert_eq!(handle.calls(), 2);
    assert_free(&layer, &service).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_polled_does_not_delay_others() {
    let (mock, handle) = server();
    let service = serve(&layer().limit(limit(5)), &mock);
    let start = Instant::now();
    service.clone().oneshot(request(URL)).await.unwrap();
    let mut unpolled = service.clone();
    let future = tower::Service::call(unpolled.ready().await.unwrap(), request(URL));
    let next = spawn(&service, request(URL), start);
    sleep(ms(500)).await;
    drop(future);
    assert_eq!(next.await.unwrap().1, 2_000);
    assert_eq!(handle.calls(), 2);
}
