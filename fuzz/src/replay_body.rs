//! Holds the copies of a body, read and dropped in any order, against a model that knows the whole body from the start.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use redress_classify::{CloneBody, ReplayBody, ReplayError};

#[derive(Clone, Copy)]
enum Step {
    Data(u8),
    Wait,
    Trailers,
    Fail,
}

/// A body of these steps; its bytes count up, so that none can be lost, doubled or exchanged unseen.
struct Script {
    steps: VecDeque<Step>,
    given: u8,
    is_exact: bool,
}

/// What the model knows of the body under all copies.
struct Model {
    steps: VecDeque<Step>,
    /// Lengths of the frames that were read, trailers as zero.
    read: Vec<u8>,
    held: usize,
    limit: usize,
    kept: bool,
    broken: bool,
    is_exact: bool,
}

/// A copy, and what it gave so far.
struct Copy {
    body: ReplayBody<Script>,
    position: usize,
    data: Vec<u8>,
    over: bool,
}

type Polled = Poll<Option<Result<Frame<Bytes>, ReplayError>>>;

/// The bytes of the trailers' name and value.
const TRAILERS: usize = 8;

/// Makes a body of the first bytes, and does to its copies what the others say. The first byte is the limit, the second
/// says how the body ends, the third how many frames it has.
///
/// # Panics
/// When a copy gives other bytes than the body, or says other than the model that it is whole, at its end, or how long.
pub fn check(data: &[u8]) {
    let Some((&[limit, end, frames], rest)) = data.split_first_chunk() else { return };
    let (frames, ops) = rest.split_at(rest.len().min(usize::from(frames % 32)));
    let mut steps: VecDeque<_> = frames.iter().map(|byte| Step::Data(byte % 64)).collect();
    let waits = frames.iter().enumerate().rev().filter(|(_, byte)| **byte >= 128);
    waits.for_each(|(at, _)| steps.insert(at, Step::Wait));
    if end & 1 == 1 {
        steps.push_back(Step::Trailers);
    }
    if end & 2 == 2 {
        steps.insert(usize::from(end >> 3) % (steps.len() + 1), Step::Fail);
    }
    let is_exact = end & 4 == 4;
    let script = Script { steps: steps.clone(), given: 0, is_exact };
    let body = ReplayBody::with_limit(script, usize::from(limit));
    let limit = usize::from(limit);
    let mut model = Model { steps, read: Vec::new(), held: 0, limit, kept: true, broken: false, is_exact };
    let mut copies = vec![Copy { body, position: 0, data: Vec::new(), over: false }];
    for op in ops.iter().take(2_048) {
        let nth = usize::from(op >> 2) % copies.len().max(1);
        match op % 4 {
            _ if copies.is_empty() => break,
            0 => {
                let copy = copies[nth].body.try_clone();
                assert_eq!(copy.is_some(), model.kept && !model.broken, "a copy can be had while the log is whole");
                let copy = copy.filter(|_| copies.len() < 16);
                copies.extend(copy.map(|body| Copy { body, position: 0, data: Vec::new(), over: false }));
            }
            1 => drop(copies.swap_remove(nth)),
            _ => {
                let count = copies.len();
                copies[nth].poll(&mut model, count);
            }
        }
        copies.iter().for_each(|copy| copy.holds(&model));
    }
    drain(copies, &mut model);
}

/// Reads every copy to its end.
fn drain(mut copies: Vec<Copy>, model: &mut Model) {
    while let Some(mut copy) = copies.pop() {
        while !copy.over {
            copy.poll(model, copies.len() + 1);
            copy.holds(model);
        }
    }
}

impl Copy {
    /// Polls the copy and checks that it gives what the model says.
    fn poll(&mut self, model: &mut Model, copies: usize) {
        let polled = Pin::new(&mut self.body).poll_frame(&mut Context::from_waker(Waker::noop()));
        if self.over {
            assert!(matches!(polled, Poll::Ready(None)), "it is over");
        } else if self.position == model.read.len() {
            self.read_on(model, copies, polled);
        } else if model.kept {
            let len = model.read[self.position];
            self.take(len, polled);
        } else {
            assert!(matches!(polled, Poll::Ready(Some(Err(error))) if error.is_discarded()), "it has fallen behind");
            self.over = true;
        }
    }

    /// Checks what a copy gives that polls the body itself.
    fn read_on(&mut self, model: &mut Model, copies: usize, polled: Polled) {
        if model.broken {
            assert!(matches!(polled, Poll::Ready(Some(Err(error))) if error.is_body()), "another one met the error");
            self.over = true;
            return;
        }
        match model.steps.pop_front() {
            None => {
                assert!(matches!(polled, Poll::Ready(None)), "the end");
                self.over = true;
            }
            Some(Step::Wait) => assert!(polled.is_pending(), "the body waits"),
            Some(Step::Fail) => {
                let Poll::Ready(Some(Err(error))) = polled else { panic!("no error") };
                assert!(error.is_body() && std::error::Error::source(&error).is_some(), "the body's own error");
                (model.broken, self.over) = (true, true);
            }
            Some(Step::Data(0)) => {
                let Poll::Ready(Some(Ok(frame))) = polled else { panic!("no frame") };
                assert!(frame.data_ref().is_some_and(Bytes::is_empty), "an empty frame");
            }
            Some(Step::Data(len)) => {
                model.note(len, usize::from(len), copies);
                self.take(len, polled);
            }
            Some(Step::Trailers) => {
                model.note(0, TRAILERS, copies);
                self.take(0, polled);
            }
        }
    }

    /// Checks one frame: the next so many bytes, or the trailers.
    fn take(&mut self, len: u8, polled: Polled) {
        let Poll::Ready(Some(Ok(frame))) = polled else { panic!("no frame") };
        self.position += 1;
        let Some(data) = frame.data_ref() else {
            assert!(len == 0 && frame.trailers_ref() == Some(&trailers()), "the trailers");
            return;
        };
        assert_eq!(data.len(), usize::from(len));
        self.data.extend_from_slice(data);
        let counting = (0_u8..=255).cycle().take(self.data.len());
        assert!(self.data.iter().copied().eq(counting), "a byte is lost, doubled or exchanged");
    }

    /// Checks what the copy says of itself.
    fn holds(&self, model: &Model) {
        let behind = self.position < model.read.len();
        let lost = (behind && !model.kept) || model.broken;
        let whole = self.position == 0 && !self.over && model.kept && !model.broken;
        assert_eq!(self.body.is_whole(), whole, "whole");
        assert_eq!(self.body.is_end_stream(), self.over || (!behind && model.steps.is_empty() && !lost), "at the end");
        let hint = self.body.size_hint();
        if self.over {
            assert_eq!(hint.exact(), Some(0));
        } else if !lost {
            let rest = model.steps.iter().map(length).sum::<u64>();
            let logged = model.read[self.position..].iter().map(|len| u64::from(*len)).sum::<u64>();
            assert!(hint.lower() <= rest + logged && hint.upper().is_none_or(|upper| upper == rest + logged));
            assert!(!model.is_exact || hint.exact().is_some(), "exact as the body's is");
        }
    }
}

impl Model {
    /// Notes a frame that was read from the body.
    fn note(&mut self, len: u8, size: usize, copies: usize) {
        self.read.push(len);
        self.held += size;
        self.kept = self.kept && copies > 1 && self.held <= self.limit;
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let Some(step) = self.steps.pop_front() else { return Poll::Ready(None) };
        match step {
            Step::Wait => Poll::Pending,
            Step::Fail => Poll::Ready(Some(Err(std::io::Error::other("told to")))),
            Step::Trailers => Poll::Ready(Some(Ok(Frame::trailers(trailers())))),
            Step::Data(len) => {
                let data: Vec<u8> = (0..len).map(|nth| self.given.wrapping_add(nth)).collect();
                self.given = self.given.wrapping_add(len);
                Poll::Ready(Some(Ok(Frame::data(data.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.steps.iter().map(length).sum();
        if self.is_exact { SizeHint::with_exact(rest) } else { SizeHint::default() }
    }
}

fn length(step: &Step) -> u64 {
    if let Step::Data(len) = step { u64::from(*len) } else { 0 }
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), HeaderValue::from_static("abc"))])
}
