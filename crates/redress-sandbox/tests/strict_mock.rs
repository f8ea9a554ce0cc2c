//! The strict mock: what it records, and each of its panics.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use redress_sandbox::strict_mock::{Answer, Handle, ResponseFuture, StrictMock};
use tokio::time::{Instant, advance};
use tower_service::Service;

type Mock = StrictMock<&'static str, u32>;

fn echo() -> (Mock, Handle<&'static str>) {
    let mock = StrictMock::new(|request: &&str| {
        let length = u32::try_from(request.len());
        async move { Ok(length?) }
    });
    let handle = mock.handle();
    (mock, handle)
}

fn poll_ready(mock: &mut Mock) -> Poll<()> {
    mock.poll_ready(&mut Context::from_waker(Waker::noop())).map(Result::unwrap)
}

fn poll(future: &mut ResponseFuture<u32>) -> Poll<u32> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).map(Result::unwrap)
}

/// Returns the text of the panic of an action.
fn panic_of(action: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(action)).err()?;
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

#[tokio::test(start_paused = true)]
async fn requests_are_recorded_with_their_instants() {
    let (mut mock, handle) = echo();
    let start = Instant::now();
    for (request, pause) in [("a", 0), ("bb", 2)] {
        advance(Duration::from_secs(pause)).await;
        poll_fn(|cx| mock.poll_ready(cx)).await.unwrap();
        assert_eq!(mock.call(request).await.unwrap() as usize, request.len());
    }
    assert_eq!(handle.requests(), ["a", "bb"]);
    assert_eq!(handle.instants(), [start, start + Duration::from_secs(2)]);
    assert_eq!((handle.take().len(), handle.calls()), (2, 0));
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn scripted_answers_come_in_order_and_after_their_delays() {
    let mut mock: Mock = StrictMock::scripted([Answer::ok(1).after(Duration::from_secs(3)), Answer::error("refused")]);
    let handle = mock.handle();
    let start = Instant::now();
    assert!(poll_ready(&mut mock).is_ready());
    assert_eq!(mock.call("slow").await.unwrap(), 1);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert!(poll_ready(&mut mock).is_ready());
    assert_eq!(mock.call("bad").await.unwrap_err().to_string(), "refused");
    assert!(poll_ready(&mut mock).is_ready());
    let text = panic_of(|| drop(mock.call("more"))).unwrap();
    assert!(text.contains("answers have run out"), "{text}");
    handle.assert_idle();
}

#[test]
fn a_call_on_a_clone_that_is_not_ready_panics() {
    let (mut mock, handle) = echo();
    let text = panic_of(|| drop(mock.call("early"))).unwrap();
    assert!(text.contains("did not ready"), "{text}");

    assert!(poll_ready(&mut mock).is_ready());
    let mut clone = mock.clone();
    assert!(panic_of(|| drop(clone.call("on the clone"))).is_some(), "a clone has no reservation");
    drop(mock.call("on the readied one"));
    assert!(panic_of(|| drop(mock.call("again"))).is_some(), "a reservation is for one call");
    assert_eq!(handle.calls(), 1);
}

#[test]
fn polling_a_completed_response_panics() {
    let (mut mock, handle) = echo();
    assert!(poll_ready(&mut mock).is_ready());
    let mut future = mock.call("abc");
    assert_eq!(handle.in_flight(), 1);
    assert_eq!(poll(&mut future), Poll::Ready(3));
    assert_eq!((handle.in_flight(), handle.cancelled()), (0, 0));
    let text = panic_of(|| assert!(poll(&mut future).is_pending())).unwrap();
    assert!(text.contains("polled after it completed"), "{text}");
}

#[test]
fn polling_for_readiness_twice_makes_one_reservation() {
    let (mut mock, handle) = echo();
    assert!(poll_ready(&mut mock).is_ready());
    assert!(poll_ready(&mut mock).is_ready());
    assert_eq!(handle.reservations(), 1);
    drop(mock.call("used"));
    assert_eq!((handle.reservations(), handle.cancelled()), (0, 1));
}

#[test]
fn the_last_handle_panics_over_an_abandoned_reservation() {
    let (mut mock, handle) = echo();
    let first = handle.clone();
    assert!(poll_ready(&mut mock).is_ready());
    drop(mock);
    assert_eq!((handle.reservations(), handle.abandoned()), (0, 1));
    assert_eq!(panic_of(|| drop(first)), None, "not the last one");
    let text = panic_of(|| drop(handle)).unwrap();
    assert!(text.contains("lost 1 reservations"), "{text}");
}

#[test]
fn an_abandoned_reservation_can_be_allowed() {
    let (mock, handle) = echo();
    let mut mock = mock.allow_abandoned();
    assert!(poll_ready(&mut mock).is_ready());
    drop(mock);
    assert_eq!(handle.abandoned(), 1);
    assert_eq!(panic_of(|| drop(handle)), None);
}

#[test]
fn an_abandoned_reservation_does_not_hide_the_panic_that_caused_it() {
    let text = panic_of(|| {
        let (mut mock, _handle) = echo();
        assert!(poll_ready(&mut mock).is_ready());
        panic!("the real reason");
    });
    assert_eq!(text.as_deref(), Some("the real reason"));
}

#[test]
fn a_held_reservation_is_not_idle() {
    let (mut mock, handle) = echo();
    assert!(poll_ready(&mut mock).is_ready());
    let text = panic_of(|| handle.assert_idle()).unwrap();
    assert!(text.contains("1 reservations are held"), "{text}");
    drop(mock.call("used"));
    handle.assert_idle();
}

#[tokio::test]
async fn a_reservation_holds_a_slot_until_it_is_used_or_dropped() {
    let (mock, handle) = echo();
    let (mut first, mut second) = (mock.clone().limit(1).allow_abandoned(), mock);
    assert!(poll_ready(&mut first).is_ready());
    assert!(poll_ready(&mut second).is_pending());

    let waiting = tokio::spawn(async move {
        poll_fn(|cx| second.poll_ready(cx)).await.unwrap();
        second.call("woken").await.unwrap()
    });
    tokio::task::yield_now().await;
    drop(first);
    assert_eq!(waiting.await.unwrap(), 5);
    assert_eq!(handle.abandoned(), 1);
}

#[test]
fn a_limit_of_zero_blocks_all_calls_until_it_is_raised() {
    let (mock, handle) = echo();
    let mut mock = mock.limit(0);
    assert!(poll_ready(&mut mock).is_pending());
    handle.set_limit(1);
    assert!(poll_ready(&mut mock).is_ready());
    let mut future = mock.call("in flight");
    assert!(poll_ready(&mut mock).is_pending());
    assert!(poll(&mut future).is_ready());
    assert!(poll_ready(&mut mock).is_ready());
    drop(mock.call("last"));
}
