//! The time between two attempts: the failed response is brought to its end, and the next attempt's time is waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http::Response;
use http_body::Body;
use tokio::time::{Instant, Sleep};

/// How much of a failed response's body is read so that its connection can be used again: a rest of that size costs less
/// than a new connection.
const MAX_REST: u64 = 16 * 1024;
/// For how long it is read.
const MAX_TIME: Duration = Duration::from_millis(100);
/// What a frame counts at least, so that empty ones come to an end, too.
const FRAME: u64 = 16;

/// The wait for the next attempt.
///
/// What is left of the failed response is read meanwhile, up to 16 KiB and for at most 100 ms, and then dropped; it never
/// makes the wait longer.
pub(crate) struct Wait<T> {
    wake: Instant,
    drain: Option<Drain<T>>,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// A failed response on its way out.
struct Drain<T> {
    response: T,
    /// How many bytes may still come.
    left: u64,
    until: Instant,
}

impl<T> Wait<T> {
    /// Waits until this instant.
    pub(crate) const fn until(wake: Instant) -> Self {
        Self { wake, drain: None, sleep: None }
    }

    /// Reads what is left of a response meanwhile, of whose body so many bytes are here already.
    pub(crate) fn draining(mut self, response: T, here: u64) -> Self {
        let now = Instant::now();
        let until = self.wake.min(now + MAX_TIME);
        self.drain = Some(Drain { response, left: here.saturating_add(MAX_REST), until });
        self
    }
}

impl<R: Body + Unpin> Wait<Response<R>> {
    /// Waits; it is never over before its time, whatever the timer says.
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
    /// Reads up to the end, an error or the bound.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let body = self.response.body_mut();
            if body.is_end_stream() || body.size_hint().lower() > self.left {
                return Poll::Ready(());
            }
            let Some(Ok(frame)) = ready!(Pin::new(body).poll_frame(cx)) else { return Poll::Ready(()) };
            let data = frame.data_ref().map_or(0, |data| data.remaining() as u64);
            match self.left.checked_sub(data.max(FRAME)) {
                Some(left) => self.left = left,
                None => return Poll::Ready(()),
            }
        }
    }
}

/// Waits until an instant, with a timer that is made on first waiting.
fn poll_until(sleep: &mut Option<Pin<Box<Sleep>>>, instant: Instant, cx: &mut Context<'_>) -> Poll<()> {
    while Instant::now() < instant {
        let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(instant)));
        // Armed for another instant, or gone off early.
        if sleep.deadline() != instant || sleep.is_elapsed() {
            sleep.as_mut().reset(instant);
        }
        ready!(sleep.as_mut().poll(cx));
    }
    Poll::Ready(())
}
