//! Bodies in memory, which are replayed whatever their size, and the layer that wraps those of all requests.

use std::task::{Poll, Waker};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use redress_classify::{CloneBody, ReplayBody, ReplayBodyLayer, ReplayError};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::Frames;
use crate::script::Step::{Data, Wait};
use crate::script::{Script, Step, body, poll, read, read_some, script};

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
        let mut original = body(&long_steps(), true);
        let copy = original.try_clone().unwrap();
        assert_eq!(read_some(&mut original, sent).frames, sent);
        assert!(copy.is_whole() && original.try_clone().is_some());
        drop(original);
        assert!(read(copy).is_all(&long_text(), true), "{sent} frames sent");
    }
}

#[test]
fn a_body_in_memory_may_have_any_number_of_frames() {
    let original = ReplayBody::new(script(&[Data("."); 3_000], false).0);
    let copy = original.try_clone().unwrap();
    read(original);
    assert!(read(copy).is_all(&".".repeat(3_000), false));
}

#[test]
fn the_bytes_of_a_body_in_memory_are_shared() {
    let image = Bytes::from(vec![7; 1 << 20]);
    let mut original = ReplayBody::new(Full::new(image.clone()));
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
        let mut original = ReplayBody::new(inner);
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
    let mut original = ReplayBody::new(script(&[first, second, Wait, end], false).0);
    let _copy = original.try_clone().unwrap();
    read_some(&mut original, 2);
    assert!(format!("{original:?}").contains(&format!("held_bytes: {}", 2 * LONG)), "{original:?}");
    read_some(&mut original, 1);
    assert!(format!("{original:?}").contains("held_bytes: 0"), "{original:?}");
}

#[test]
fn a_body_of_unknown_length_has_the_limit() {
    let mut original = ReplayBody::new(Frames(vec![Bytes::from(vec![b'x'; LONG]); 3]));
    let copy = original.try_clone().unwrap();
    while let Poll::Ready(Some(_)) = poll(&mut original, Waker::noop()) {}
    assert!(!copy.is_whole());
}

#[test]
fn a_limit_that_is_set_also_applies_to_a_body_in_memory() {
    let original = ReplayBody::with_limit(script(&long_steps(), false).0, 64 * 1024);
    let copy = original.try_clone().unwrap();
    read(original);
    assert!(!copy.is_whole());
}

/// Sends a body through the layer, and returns whether a clone of it is whole after it was read.
async fn is_whole_after_sending(layer: ReplayBodyLayer, steps: &[Step]) -> bool {
    let (inner, gate) = script(steps, false);
    let service = ServiceBuilder::new().layer(layer).service(service_fn(|request: Request<ReplayBody<Script>>| {
        let copy = request.body().try_clone().unwrap();
        let mut sent = request.into_body();
        read_some(&mut sent, 100);
        gate.open();
        assert!(read(sent).ended);
        std::future::ready(Ok::<_, ReplayError>(copy.is_whole()))
    }));
    service.oneshot(Request::new(inner)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_layer_wraps_each_body_with_its_limit_for_streams() {
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
        assert_eq!(is_whole_after_sending(layer, steps).await, whole, "{layer:?} {}", steps.len());
    }
}
