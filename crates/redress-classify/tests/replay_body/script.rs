//! A scripted body, and a reader that polls by hand.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use redress_classify::{ReplayBody, ReplayError};
use redress_sandbox::WakeCounter;

/// The result of a poll of the body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Data(&'static str),
    Trailers,
    Fail,
    Panic,
    /// Nothing until the gate opens.
    Wait,
}

pub(crate) struct Script {
    steps: VecDeque<Step>,
    gate: Arc<Gate>,
}

/// Opens the gate of a body, and counts its polls.
#[derive(Default)]
pub(crate) struct Gate {
    open: AtomicUsize,
    waker: Mutex<Option<Waker>>,
    polls: AtomicUsize,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
        let waker = self.waker.lock().unwrap().take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Opens the gate for the next poll, without a wake.
    pub(crate) fn open_in_silence(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }
}

/// Returns a body of these steps, followed by trailers if `trailers`.
pub(crate) fn script(steps: &[Step], trailers: bool) -> (Script, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let steps = steps.iter().copied().chain(trailers.then_some(Step::Trailers)).collect();
    (Script { steps, gate: gate.clone() }, gate)
}

pub(crate) fn body(steps: &[Step], trailers: bool) -> ReplayBody<Script> {
    ReplayBody::new(script(steps, trailers).0)
}

pub(crate) fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), "42".parse().unwrap())])
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.gate.polls.fetch_add(1, Ordering::SeqCst);
        if matches!(self.steps.front(), Some(Step::Wait)) {
            *self.gate.waker.lock().unwrap() = Some(cx.waker().clone());
            let open = self.gate.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| open.checked_sub(1));
            if open.is_err() {
                return Poll::Pending;
            }
            self.steps.pop_front();
        }
        Poll::Ready(self.steps.pop_front().map(|step| match step {
            Step::Data(data) => Ok(Frame::data(Bytes::from(data))),
            Step::Trailers => Ok(Frame::trailers(trailers())),
            Step::Fail => Err(std::io::Error::other("the disk is gone")),
            Step::Panic => std::panic::resume_unwind(Box::new("told to")),
            Step::Wait => unreachable!("two waits in a row"),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = |step: &Step| if let Step::Data(data) = step { data.len() as u64 } else { 0 };
        SizeHint::with_exact(self.steps.iter().map(length).sum())
    }
}

/// The frames of a clone until it ended, failed or was pending.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) data: String,
    pub(crate) frames: usize,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) error: Option<ReplayError>,
    pub(crate) ended: bool,
}

impl Got {
    /// Returns `true` if it is the whole body, with trailers if there are any.
    pub(crate) fn is_all(&self, data: &str, with_trailers: bool) -> bool {
        self.ended && self.error.is_none() && self.data == data && self.trailers == with_trailers.then(trailers)
    }
}

pub(crate) fn poll<B>(body: &mut ReplayBody<B>, waker: &Waker) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>>
where
    ReplayBody<B>: Body<Data = Bytes, Error = ReplayError>,
{
    Pin::new(body).poll_frame(&mut Context::from_waker(waker))
}

/// Reads at most `frames` frames.
pub(crate) fn read_some(body: &mut ReplayBody<Script>, frames: usize) -> Got {
    let mut got = Got::default();
    while got.frames < frames {
        match poll(body, Waker::noop()) {
            Poll::Pending => break,
            Poll::Ready(None) => {
                got.ended = true;
                break;
            }
            Poll::Ready(Some(Err(error))) => {
                got.error = Some(error);
                break;
            }
            Poll::Ready(Some(Ok(frame))) => {
                got.frames += 1;
                match frame.into_data() {
                    Ok(data) => got.data.push_str(std::str::from_utf8(&data).unwrap()),
                    Err(frame) => got.trailers = frame.into_trailers().ok(),
                }
            }
        }
    }
    got
}

pub(crate) fn read(mut body: ReplayBody<Script>) -> Got {
    read_some(&mut body, usize::MAX)
}

/// A counter, and the waker that it counts.
pub(crate) fn bell() -> (Waker, WakeCounter) {
    let bell = WakeCounter::new();
    (bell.waker(), bell)
}
