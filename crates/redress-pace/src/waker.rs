//! Registers wakers, and polls timers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::time::{Instant, Sleep};

/// Registers a waker in its slot. Returns the one that it replaces, to be dropped outside the lock, since dropping it may run
/// user code.
///
/// A waker that would wake the same task is kept, since cloning costs at least one atomic operation.
pub(crate) fn register(slot: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match slot {
        Some(known) if known.will_wake(waker) => None,
        slot => slot.replace(waker.clone()),
    }
}

/// Waits for a timer, and returns the time at which it fired. Without that, a caller would go on with the time of before and
/// set the same timer again.
pub(crate) fn poll_timer(timer: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>, now: Instant) -> Poll<Instant> {
    ready!(timer.as_mut().poll(cx));
    Poll::Ready(now.max(timer.deadline()))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::time::Duration;

    use tokio::time::{advance, sleep_until};

    use super::*;

    struct NeedsLock<F>(Arc<AtomicUsize>, F);

    impl<F: Fn() -> bool + Send + Sync> Wake for NeedsLock<F> {
        fn wake(self: Arc<Self>) {
            assert!((self.1)(), "woken under the lock");
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns a waker that counts, and panics if a lock is held: a waker may run the task at once, and that takes the lock.
    pub(crate) fn needs_lock(wakes: &Arc<AtomicUsize>, is_free: impl Fn() -> bool + Send + Sync + 'static) -> Waker {
        Waker::from(Arc::new(NeedsLock(Arc::clone(wakes), is_free)))
    }

    struct Ignore;

    impl Wake for Ignore {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn keeps_the_last_waker_and_does_not_clone_a_known_one() {
        let (old, new) = (Waker::from(Arc::new(Ignore)), Waker::from(Arc::new(Ignore)));
        let mut slot = None;
        assert!(register(&mut slot, &old).is_none() && register(&mut slot, &old).is_none());
        assert!(slot.as_ref().is_some_and(|waker| waker.will_wake(&old)));
        let stale = register(&mut slot, &new);
        assert!(stale.is_some_and(|stale| stale.will_wake(&old)), "it is returned, to be dropped by the caller");
        assert!(slot.is_some_and(|waker| waker.will_wake(&new)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_fires_after_the_time_was_read_returns_its_own() {
        let read = Instant::now();
        let end = read + Duration::from_millis(5);
        let mut timer = Box::pin(sleep_until(end));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(poll_timer(&mut timer, &mut cx, read).is_pending());
        advance(Duration::from_millis(5)).await;
        assert_eq!(poll_timer(&mut timer, &mut cx, read), Poll::Ready(end));
        let late = end + Duration::from_millis(1);
        assert_eq!(poll_timer(&mut timer, &mut cx, late), Poll::Ready(late));
    }
}
