//! The wait between two attempts, during which the failed response is drained.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http::Response;
use http_body::Body;
use tokio::time::{Instant, Sleep};

/// The largest rest of a body that is read so that its connection can be reused: reading more costs more than a new
/// connection.
pub(crate) const MAX_REST: u64 = 16 * 1024;
/// The longest time for reading it.
const MAX_TIME: Duration = Duration::from_millis(100);
/// The least number of bytes that a frame counts as, so that a body of empty frames ends too.
const MIN_FRAME: u64 = 16;

/// The wait for the next attempt.
///
/// Meanwhile the rest of the failed response is read, up to 16 KiB and for at most 100 ms, and dropped. Reading it never
/// prolongs the wait.
pub(crate) struct Wait<T> {
    wake: Instant,
    drain: Option<Drain<T>>,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// A failed response whose body is read to its end, so that its connection can be reused.
struct Drain<T> {
    response: T,
    /// The number of bytes that may still be read.
    left: u64,
    until: Instant,
}

impl<T> Wait<T> {
    /// Waits until `wake`.
    pub(crate) const fn until(wake: Instant) -> Self {
        Self { wake, drain: None, sleep: None }
    }

    /// Drains a response meanwhile. `buffered` bytes of its body were read before and count for nothing.
    pub(crate) fn draining(mut self, response: T, buffered: u64, now: Instant) -> Self {
        let until = self.wake.min(now + MAX_TIME);
        self.drain = Some(Drain { response, left: buffered.saturating_add(MAX_REST), until });
        self
    }
}

impl<R: Body + Unpin> Wait<Response<R>> {
    /// Waits. It is never ready before its time, even if the timer fires early.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(drain) = &mut self.drain {
            if drain.poll(cx).is_pending() {
                ready!(poll_until(&mut self.sleep, drain.until, cx));
            }
            self.drain = None;
        }
        poll_until(&mut self.sleep, self.wake, cx)
    }
}

impl<R: Body + Unpin> Drain<Response<R>> {
    /// Reads up to the end of the body, an error or the bound.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let body = self.response.body_mut();
            if body.is_end_stream() || body.size_hint().lower() > self.left {
                return Poll::Ready(());
            }
            let Some(Ok(frame)) = ready!(Pin::new(body).poll_frame(cx)) else { return Poll::Ready(()) };
            let data = frame.data_ref().map_or(0, |data| data.remaining() as u64);
            match self.left.checked_sub(data.max(MIN_FRAME)) {
                Some(left) => self.left = left,
                None => return Poll::Ready(()),
            }
        }
    }
}

/// Waits until `instant`. The timer is made at the first poll that has to wait.
fn poll_until(sleep: &mut Option<Pin<Box<Sleep>>>, instant: Instant, cx: &mut Context<'_>) -> Poll<()> {
    while Instant::now() < instant {
        let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(instant)));
        // Armed for another instant, or fired early.
        if sleep.deadline() != instant || sleep.is_elapsed() {
            sleep.as_mut().reset(instant);
        }
        ready!(sleep.as_mut().poll(cx));
    }
    Poll::Ready(())
}
