//! Wakers: which clones are woken, when, and that no lock is held meanwhile.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use bytes::Bytes;
use http_body::{Body, Frame};
use redress_classify::{CloneBody, ReplayBody};

use super::script::Step::{Data, Wait};
use super::script::{Script, bell, poll, read_some, script};

#[test]
fn all_waiting_clones_are_woken_whichever_polled_last() {
    let (inner, gate) = script(&[Wait, Data("one")], false);
    let mut original = ReplayBody::new(inner);
    let mut copy = original.try_clone().unwrap();
    let (parked, parked_count) = bell();
    let (waiting, waiting_count) = bell();
    assert!(poll(&mut copy, &waiting).is_pending());
    assert!(poll(&mut original, &parked).is_pending());
    gate.open();
    assert_eq!((parked_count.count(), waiting_count.count()), (1, 1));
    // The clone that polled last is never polled again.
    assert_eq!(read_some(&mut copy, 1).data, "one");
}

#[test]
fn a_clone_that_reads_wakes_the_waiting_ones_and_not_itself() {
    let (inner, gate) = script(&[Wait, Data("one"), Wait, Data("two")], false);
    let mut original = ReplayBody::new(inner);
    let mut copy = original.try_clone().unwrap();
    assert!(read_some(&mut original, 1).frames == 0 && read_some(&mut copy, 1).frames == 0);
    gate.open();
    let (waker, count) = bell();
    let (other, other_count) = bell();
    assert!(poll(&mut original, &waker).is_ready());
    assert!(poll(&mut original, &waker).is_pending());
    assert!(poll(&mut copy, &other).is_ready(), "from the log");
    assert!(poll(&mut copy, &other).is_pending());
    assert_eq!((count.count(), other_count.count()), (0, 0), "no clone is woken without a reason");
    gate.open();
    assert_eq!((count.count(), other_count.count()), (1, 1));
    assert!(poll(&mut copy, &other).is_ready());
    assert_eq!((count.count(), other_count.count()), (1, 1), "a waker that was woken is used up");
}

#[test]
fn only_the_newest_waker_of_a_clone_is_woken() {
    let (inner, gate) = script(&[Wait, Data("one")], false);
    let mut original = ReplayBody::new(inner);
    let (first, first_count) = bell();
    let (second, second_count) = bell();
    assert!(poll(&mut original, &first).is_pending() && poll(&mut original, &second).is_pending());
    gate.open();
    assert_eq!((first_count.count(), second_count.count()), (0, 1));
}

#[test]
fn a_dropped_clone_is_not_woken_and_waiting_ones_still_are() {
    let (inner, gate) = script(&[Wait, Data("one")], false);
    let mut original = ReplayBody::new(inner);
    let mut copy = original.try_clone().unwrap();
    let (gone, gone_count) = bell();
    let (waker, count) = bell();
    assert!(poll(&mut copy, &waker).is_pending() && poll(&mut original, &gone).is_pending());
    drop(original);
    gate.open();
    assert_eq!((gone_count.count(), count.count()), (0, 1));
}

#[test]
fn a_clone_that_reads_wakes_the_waiting_ones_within_the_limit_and_over_it() {
    for (limit, fails) in [(3, false), (2, true)] {
        let (inner, gate) = script(&[Wait, Data("one")], false);
        let mut original = ReplayBody::with_limit(inner, limit);
        let mut copy = original.try_clone().unwrap();
        let (waker, count) = bell();
        assert!(poll(&mut original, &waker).is_pending());
        gate.open_in_silence();
        let (reader, reader_count) = bell();
        assert!(poll(&mut copy, &reader).is_ready());
        assert_eq!((count.count(), reader_count.count()), (1, 0));
        let Poll::Ready(Some(next)) = poll(&mut original, &waker) else { panic!("it was woken for this") };
        assert_eq!(next.is_err_and(|error| error.is_discarded()), fails);
    }
}

/// A body that calls a hook in its first poll, and gives a frame in the second.
struct Hooked(Option<Box<dyn FnOnce() + Send>>);

impl Body for Hooked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(hook) => {
                hook();
                Poll::Pending
            }
            None => Poll::Ready(Some(Ok(Frame::data(Bytes::from("one"))))),
        }
    }
}

#[test]
fn a_clone_that_finds_the_body_taken_is_woken_when_it_is_free() {
    let slot: Arc<Mutex<Option<ReplayBody<Hooked>>>> = Arc::default();
    let (waker, count) = bell();
    let meanwhile = slot.clone();
    // The event that the body waits for may have passed during its poll, and its reader may never poll again.
    let hook = move || assert!(poll(meanwhile.lock().unwrap().as_mut().unwrap(), &waker).is_pending());
    let mut original = ReplayBody::new(Hooked(Some(Box::new(hook))));
    *slot.lock().unwrap() = original.try_clone();
    assert!(poll(&mut original, Waker::noop()).is_pending());
    assert_eq!(count.count(), 1);
    let mut copy = slot.lock().unwrap().take().unwrap();
    assert!(poll(&mut copy, Waker::noop()).is_ready());
}

/// A waker that polls a clone at once, as some executors do.
struct Inline(Mutex<Option<ReplayBody<Script>>>, Mutex<String>);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        if let Some(copy) = self.0.lock().unwrap().as_mut() {
            self.1.lock().unwrap().push_str(&read_some(copy, 9).data);
        }
    }
}

#[test]
fn no_lock_is_held_while_a_waker_is_woken() {
    for by_the_body in [true, false] {
        let (inner, gate) = script(&[Wait, Data("one "), Data("two")], false);
        let mut original = ReplayBody::new(inner);
        let mut copy = original.try_clone().unwrap();
        let inline = Arc::new(Inline(Mutex::new(None), Mutex::new(String::new())));
        assert!(poll(&mut copy, &Waker::from(inline.clone())).is_pending());
        *inline.0.lock().unwrap() = Some(copy);
        if by_the_body {
            gate.open();
        } else {
            gate.open_in_silence();
            assert_eq!(read_some(&mut original, 1).data, "one ");
        }
        assert_eq!(*inline.1.lock().unwrap(), "one two", "it read on inside the wake");
        assert_eq!(read_some(&mut original, 9).data, if by_the_body { "one two" } else { "two" });
    }
}

/// Unparks a thread.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Reads a clone to its end on this thread, and returns it unless it failed.
fn read_parked(mut body: ReplayBody<Script>) -> Option<Vec<u8>> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut data = Vec::new();
    loop {
        match poll(&mut body, &waker) {
            Poll::Pending => thread::park(),
            Poll::Ready(None) => return Some(data),
            Poll::Ready(Some(Err(_))) => return None,
            Poll::Ready(Some(Ok(frame))) => data.extend_from_slice(frame.data_ref()?),
        }
    }
}

#[test]
fn clones_read_on_several_threads_all_get_every_byte() {
    let steps: Vec<_> = (0..40).flat_map(|_| [Wait, Data("one "), Data("two ")]).collect();
    for _ in 0..20 {
        let (inner, gate) = script(&steps, false);
        let original = ReplayBody::new(inner);
        let copies = [(); 3].map(|()| original.try_clone().unwrap());
        let copies: Vec<_> = copies.into_iter().chain([original]).collect();
        let threads: Vec<_> = copies.into_iter().map(|copy| thread::spawn(move || read_parked(copy))).collect();
        for _ in 0..40 {
            gate.open();
            thread::yield_now();
        }
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Some("one two ".repeat(40).into_bytes()));
        }
    }
}
