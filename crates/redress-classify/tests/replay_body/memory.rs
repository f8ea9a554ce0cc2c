//! Bodies in memory, which are replayed whatever their size, and the layer that wraps those of all requests.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use http_body::Body;
use http_body_util::Full;
use redress_classify::{CloneBody, ReplayBody, ReplayBodyLayer, ReplayError};
use tower::{Layer, Service};

use crate::Frames;
use crate::script::Step::{Data, Wait};
use crate::script::{Step, poll, read, read_some, script};

/// Returns the request's body.
struct Taking;

impl<B> Service<Request<ReplayBody<B>>> for Taking {
    type Response = ReplayBody<B>;
    type Error = Infallible;
    type Future = Ready<Result<ReplayBody<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<B>>) -> Self::Future {
        ready(Ok(request.into_body()))
    }
}

/// Wraps a body as a layer does.
fn wrapped_by<B: Body>(layer: ReplayBodyLayer, body: B) -> ReplayBody<B> {
    layer.layer(Taking).call(Request::new(body)).into_inner().unwrap()
}

fn wrapped<B: Body>(body: B) -> ReplayBody<B> {
    wrapped_by(ReplayBodyLayer::new(), body)
}

/// Above the limit of a streaming body, which is 64 KiB.
const LONG: usize = 40 * 1024;

fn long_steps() -> [Step; 3] {
    let text: &'static str = "x".repeat(LONG).leak();
    [Data(text), Data(text), Data("end")]
}

fn long_text() -> String {
    format!("{}end", "x".repeat(2 * LONG))
}

#[test]
fn a_body_in_memory_is_replayed_whatever_its_size() {
    for sent in 0..=3 {
        let mut original = wrapped(script(&long_steps(), true).0);
        let copy = original.try_clone().unwrap();
        assert_eq!(read_some(&mut original, sent).frames, sent);
        assert!(copy.is_whole() && original.try_clone().is_some());
        drop(original);
        assert!(read(copy).is_all(&long_text(), true), "{sent} frames sent");
    }
}

#[test]
fn a_body_in_memory_may_have_any_number_of_frames() {
    let original = wrapped(script(&[Data("."); 3_000], false).0);
    let copy = original.try_clone().unwrap();
    read(original);
    assert!(read(copy).is_all(&".".repeat(3_000), false));
}

#[test]
fn the_bytes_of_a_body_in_memory_are_shared() {
    let image = Bytes::from(vec![7; 1 << 20]);
    let mut original = wrapped(Full::new(image.clone()));
    let mut copy = original.try_clone().unwrap();
    for body in [&mut original, &mut copy] {
        let frame = poll_data(body);
        assert_eq!((frame.as_ptr(), frame.len()), (image.as_ptr(), image.len()));
    }
}

fn poll_data<B>(body: &mut ReplayBody<B>) -> Bytes
where
    ReplayBody<B>: http_body::Body<Data = Bytes, Error = ReplayError>,
{
    let Poll::Ready(Some(Ok(frame))) = poll(body, Waker::noop()) else { panic!("there is a frame") };
    frame.into_data().expect("it is data")
}

#[test]
fn a_body_that_is_pending_is_a_stream_and_has_the_limit() {
    let [first, second, end] = long_steps();
    for (steps, whole) in
        [([first, Wait, second, end], false), ([first, second, Wait, end], false), ([first, Wait, end, end], true)]
    {
        let (inner, gate) = script(&steps, false);
        let mut original = wrapped(inner);
        let copy = original.try_clone().unwrap();
        read_some(&mut original, steps.len());
        gate.open();
        read_some(&mut original, steps.len());
        assert_eq!(copy.is_whole(), whole, "{:?}", steps.map(|step| matches!(step, Wait)));
    }
}

#[test]
fn what_was_kept_above_the_limit_is_freed_at_the_first_pending_poll() {
    let [first, second, end] = long_steps();
    let mut original = wrapped(script(&[first, second, Wait, end], false).0);
    let _copy = original.try_clone().unwrap();
    read_some(&mut original, 2);
    assert!(format!("{original:?}").contains(&format!("held_bytes: {}", 2 * LONG)), "{original:?}");
    read_some(&mut original, 1);
    assert!(format!("{original:?}").contains("held_bytes: 0"), "{original:?}");
}

#[test]
fn a_body_of_unknown_length_has_the_limit() {
    let mut original = wrapped(Frames(vec![Bytes::from(vec![b'x'; LONG]); 3]));
    let copy = original.try_clone().unwrap();
    while let Poll::Ready(Some(_)) = poll(&mut original, Waker::noop()) {}
    assert!(!copy.is_whole());
}

#[test]
fn without_the_layer_a_body_in_memory_has_the_limit() {
    let original = ReplayBody::new(script(&long_steps(), false).0);
    let copy = original.try_clone().unwrap();
    read(original);
    assert!(!copy.is_whole());
}

#[test]
fn the_limit_for_streams_can_be_set() {
    let [first, second, end] = long_steps();
    let (memory, stream) = ([first, second, end], [first, Wait, second, end]);
    let usual = ReplayBodyLayer::new();
    for (layer, steps, whole) in [
        (usual, &memory[..], true),
        (usual, &stream, false),
        (usual.stream_limit(2 * LONG + 3), &stream, true),
        (usual.stream_limit(2 * LONG + 2), &stream, false),
        (usual.stream_limit(0), &memory, true),
    ] {
        let (inner, gate) = script(steps, false);
        let mut original = wrapped_by(layer, inner);
        let copy = original.try_clone().unwrap();
        read_some(&mut original, 100);
        gate.open();
        assert!(read(original).ended);
        assert_eq!(copy.is_whole(), whole, "{layer:?} {}", steps.len());
    }
}
