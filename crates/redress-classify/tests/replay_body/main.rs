//! Clones of a body: the frames of each, in whatever order they are read and dropped.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod memory;
mod script;
mod waking;

use std::error::Error as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{Either, Empty, Full};
use redress_classify::{CloneBody, ReplayBody};

use self::script::Step::{Data, Fail, Panic, Trailers, Wait};
use self::script::{Step, body, read, read_some, script};

const STEPS: [Step; 3] = [Data("one "), Data("two "), Data("three")];
const TEXT: &str = "one two three";

/// Every case, without and with trailers.
const BOTH: [bool; 2] = [false, true];

#[test]
fn after_a_full_send_all_is_replayed() {
    for trailers in BOTH {
        let original = body(&STEPS, trailers);
        let copy = original.try_clone().unwrap();
        assert!(read(original).is_all(TEXT, trailers));
        assert!(copy.is_whole());
        assert!(read(copy).is_all(TEXT, trailers));
    }
}

#[test]
fn after_a_partial_send_the_rest_is_read_from_the_body() {
    for trailers in BOTH {
        for sent in 0..=STEPS.len() {
            let mut original = body(&STEPS, trailers);
            let copy = original.try_clone().unwrap();
            assert_eq!(read_some(&mut original, sent).frames, sent);
            drop(original);
            assert!(copy.is_whole());
            assert!(read(copy).is_all(TEXT, trailers));
        }
    }
}

#[test]
fn a_clone_dropped_before_its_first_poll_leaves_the_original_whole() {
    for trailers in BOTH {
        let (inner, gate) = script(&STEPS, trailers);
        let original = ReplayBody::new(inner);
        drop(original.try_clone());
        assert!(original.is_whole() && original.try_clone().is_some());
        assert!(read(original).is_all(TEXT, trailers));
        assert_eq!(gate.polls(), STEPS.len() + usize::from(trailers));
    }
}

#[test]
fn the_original_may_be_dropped_first() {
    for trailers in BOTH {
        let original = body(&STEPS, trailers);
        let copy = original.try_clone().unwrap();
        drop(original);
        assert!(copy.is_whole());
        assert!(read(copy).is_all(TEXT, trailers));
    }
}

#[test]
fn replays_may_break_off_one_after_another() {
    for trailers in BOTH {
        let mut original = body(&STEPS, trailers);
        let kept = original.try_clone().unwrap();
        assert_eq!(read_some(&mut original, 1).data, "one ");
        drop(original);
        for frames in [2, 1, 3] {
            let mut replay = kept.try_clone().unwrap();
            assert_eq!(read_some(&mut replay, frames).data, TEXT.split_inclusive(' ').take(frames).collect::<String>());
        }
        assert!(kept.is_whole());
        assert!(read(kept).is_all(TEXT, trailers));
    }
}

#[test]
fn a_body_over_the_limit_is_sent_once() {
    for trailers in BOTH {
        let mut original = ReplayBody::with_limit(script(&STEPS, trailers).0, 7);
        let copy = original.try_clone().unwrap();
        assert_eq!(read_some(&mut original, 1).data, "one ");
        assert!(copy.is_whole());
        assert_eq!(read_some(&mut original, 1).data, "two ");
        assert!(!copy.is_whole() && copy.try_clone().is_none() && original.try_clone().is_none());
        assert_eq!((copy.is_end_stream(), copy.size_hint().exact()), (false, None), "it will fail");
        let error = read(copy).error.expect("no bytes are left out");
        assert!(error.is_discarded() && !error.is_body() && error.source().is_none(), "{error}");
        let rest = read(original);
        assert_eq!((rest.data.as_str(), rest.ended), ("three", true));
        assert_eq!(rest.trailers.is_some(), trailers);
    }
}

#[test]
fn over_the_limit_the_clone_that_is_ahead_goes_on() {
    for trailers in BOTH {
        let mut original = ReplayBody::with_limit(script(&STEPS, trailers).0, 8);
        let kept = original.try_clone().unwrap();
        assert_eq!(read_some(&mut original, 1).data, "one ");
        drop(original);
        let mut replay = kept.try_clone().unwrap();
        assert_eq!(read_some(&mut replay, 2).data, "one two ");
        assert!(kept.is_whole(), "at the limit, not over it");
        let rest = read(replay);
        assert!(rest.ended && rest.data == "three" && rest.trailers.is_some() == trailers);
        assert!(!kept.is_whole() && kept.try_clone().is_none());
        assert!(read(kept).error.is_some_and(|error| error.is_discarded()));
    }
}

#[test]
fn trailers_count_toward_the_limit_as_data_does() {
    for (limit, whole) in [(TEXT.len() + 7, true), (TEXT.len() + 6, false)] {
        let original = ReplayBody::with_limit(script(&STEPS, true).0, limit);
        let copy = original.try_clone().unwrap();
        assert!(read(original).is_all(TEXT, true));
        assert_eq!((copy.is_whole(), read(copy).is_all(TEXT, true)), (whole, whole));
    }
}

#[test]
fn very_many_small_frames_are_over_the_limit_too() {
    let steps = vec![Data("."); 1_050];
    // Both have room for the bytes.
    for (limit, whole) in [(1_100, false), (64 * 1024, true)] {
        let original = ReplayBody::with_limit(script(&steps, false).0, limit);
        let copy = original.try_clone().unwrap();
        assert_eq!(read(original).frames, steps.len());
        assert_eq!(copy.is_whole(), whole);
    }
}

#[test]
fn an_empty_body_is_replayed_as_empty() {
    for trailers in BOTH {
        let original = body(&[], trailers);
        assert_eq!((original.is_end_stream(), original.size_hint().exact()), (!trailers, Some(0)));
        let copy = original.try_clone().unwrap();
        assert!(read(original).is_all("", trailers));
        assert!(copy.is_whole() && copy.is_end_stream() != trailers);
        assert!(read(copy).is_all("", trailers));
    }
}

#[test]
fn empty_frames_are_neither_counted_nor_a_loss() {
    for trailers in BOTH {
        let original = ReplayBody::with_limit(script(&[Data(""), Data("one"), Data(""), Data("")], trailers).0, 10);
        let copy = original.try_clone().unwrap();
        assert!(read(original).is_all("one", trailers));
        assert!(read(copy).is_all("one", trailers));
    }
}

#[test]
fn trailers_alone_are_replayed() {
    let original = body(&[Trailers], false);
    let copy = original.try_clone().unwrap();
    for body in [original, copy] {
        assert!(body.is_whole() && !body.is_end_stream());
        assert!(read(body).is_all("", true));
    }
    // The same if they are the only frame that a clone reads from the body.
    let mut original = body(&[Data("one"), Trailers], false);
    let copy = original.try_clone().unwrap();
    assert_eq!(read_some(&mut original, 1).data, "one");
    assert!(read(copy).is_all("one", true));
    assert!(read(original).is_all("", true));
}

#[test]
fn trailers_follow_the_data_in_every_clone() {
    let mut original = body(&STEPS, true);
    let copies = [(); 3].map(|()| original.try_clone().unwrap());
    assert_eq!(read_some(&mut original, 3).data, TEXT);
    assert!(!original.is_end_stream());
    for copy in copies {
        assert!(read(copy).is_all(TEXT, true));
    }
    assert!(read(original).is_all("", true));
}

#[test]
fn the_size_hint_is_exact_before_during_and_after() {
    for trailers in BOTH {
        let mut original = body(&STEPS, trailers);
        let mut copy = original.try_clone().unwrap();
        let exact = |body: &ReplayBody<_>| body.size_hint().exact();
        assert_eq!((exact(&original), exact(&copy)), (Some(13), Some(13)));
        read_some(&mut original, 2);
        assert_eq!((exact(&original), exact(&copy)), (Some(5), Some(13)));
        read_some(&mut copy, 1);
        assert_eq!((exact(&original), exact(&copy)), (Some(5), Some(9)));
        read_some(&mut copy, usize::MAX);
        assert_eq!((exact(&original), exact(&copy)), (Some(5), Some(0)));
        read_some(&mut original, usize::MAX);
        assert_eq!(exact(&original), Some(0));
    }
}

#[test]
fn an_error_in_the_middle_fails_every_clone_at_the_same_place() {
    for trailers in BOTH {
        let original = body(&[Data("one "), Fail, Data("never")], trailers);
        let copy = original.try_clone().unwrap();
        let mut sent = original;
        let got = read_some(&mut sent, usize::MAX);
        let error = got.error.expect("the body's own");
        assert!(error.is_body() && error.source().is_some_and(|source| source.to_string() == "the disk is gone"));
        assert!(!error.to_string().contains("disk"), "an error says its own part: {error}");
        assert_eq!((got.data.as_str(), sent.is_end_stream(), sent.is_whole()), ("one ", true, false));
        assert!(!copy.is_whole() && copy.try_clone().is_none());
        assert_eq!((copy.is_end_stream(), copy.size_hint().exact()), (false, None));
        let got = read(copy);
        let error = got.error.expect("a body that is cut is no body");
        assert!(got.data == "one " && error.is_body() && error.source().is_none(), "{error}");
    }
}

#[test]
fn an_early_response_while_the_original_is_sent_harms_neither() {
    for trailers in BOTH {
        let (inner, gate) = script(&[Data("one "), Wait, Data("two "), Data("three")], trailers);
        let mut original = ReplayBody::new(inner);
        let kept = original.try_clone().unwrap();
        assert_eq!(read_some(&mut original, 9).data, "one ");
        let mut replay = kept.try_clone().unwrap();
        assert_eq!(read_some(&mut replay, 9).data, "one ");
        gate.open();
        assert_eq!(read_some(&mut replay, 1).data, "two ");
        assert_eq!(read_some(&mut original, 2).data, "two three");
        assert!(read(replay).data == "three" && read(original).ended);
        assert!(kept.is_whole());
        assert!(read(kept).is_all(TEXT, trailers));
    }
}

#[test]
fn a_body_that_was_never_polled_is_replayed_whole() {
    for trailers in BOTH {
        let (inner, gate) = script(&STEPS, trailers);
        let original = ReplayBody::new(inner);
        let kept = original.try_clone().unwrap();
        drop(original);
        assert_eq!(gate.polls(), 0);
        let replay = kept.try_clone().unwrap();
        assert!(read(replay).is_all(TEXT, trailers) && read(kept).is_all(TEXT, trailers));
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_chunks() {
    for trailers in BOTH {
        let chained = || bytes::Buf::chain(&b"one "[..], bytes::Buf::chain(&b"two "[..], &b"three"[..]));
        let inner = Full::new(chained());
        let (original, split) = (ReplayBody::new(inner), body(&STEPS, trailers));
        let copies = (original.try_clone().unwrap(), split.try_clone().unwrap());
        let joined = [original, copies.0].map(|mut body| {
            let frame = script::poll(&mut body, Waker::noop()).map(|frame| frame.unwrap().unwrap());
            let Poll::Ready(frame) = frame else { panic!("it waits for nothing") };
            (frame.into_data().unwrap(), body.is_end_stream())
        });
        assert_eq!(joined, [(Bytes::from(TEXT), true), (Bytes::from(TEXT), true)]);
        assert!(read(split).is_all(TEXT, trailers) && read(copies.1).is_all(TEXT, trailers));
    }
}

#[test]
fn the_end_of_the_stream_is_known_as_the_body_knows_it() {
    for trailers in BOTH {
        let mut original = body(&STEPS, trailers);
        let mut copy = original.try_clone().unwrap();
        for frame in 1..=STEPS.len() {
            assert!(!original.is_end_stream() && !copy.is_end_stream());
            read_some(&mut original, 1);
            assert_eq!((original.is_end_stream(), copy.is_end_stream()), (frame == STEPS.len() && !trailers, false));
        }
        read_some(&mut original, 1);
        assert!(original.is_end_stream());
        read_some(&mut copy, STEPS.len() + usize::from(trailers));
        assert!(copy.is_end_stream() && copy.size_hint().exact() == Some(0));
    }
}

#[test]
fn nothing_is_kept_without_another_clone() {
    for trailers in BOTH {
        let mut alone = body(&STEPS, trailers);
        assert_eq!(read_some(&mut alone, 1).data, "one ");
        assert!(format!("{alone:?}").contains("held_bytes: 0"), "{alone:?}");
        assert!(alone.try_clone().is_none() && !alone.is_whole(), "its start is gone");
        assert_eq!(read(alone).data, "two three");
        let mut original = body(&STEPS, trailers);
        let copy = original.try_clone().unwrap();
        read_some(&mut original, 2);
        drop(copy);
        assert!(original.try_clone().is_some(), "what was kept is still there");
        read_some(&mut original, 1);
        assert!(original.try_clone().is_none());
        assert!(format!("{original:?}").contains("held_bytes: 0"), "{original:?}");
    }
}

#[test]
fn discarded_pieces_are_freed() {
    let bytes = [Bytes::from(vec![b'a'; 100]), Bytes::from(vec![b'b'; 100])];
    let mut original = ReplayBody::with_limit(Frames(bytes.to_vec()), 150);
    let _copy = original.try_clone().unwrap();
    drop(script::poll(&mut original, Waker::noop()));
    assert!(!bytes[1].is_unique());
    drop(script::poll(&mut original, Waker::noop()));
    assert!(bytes.iter().all(Bytes::is_unique), "the log is let go at once");
}

/// Gives these frames, the last one first.
struct Frames(Vec<Bytes>);

impl Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.pop().map(|data| Ok(Frame::data(data))))
    }
}

#[test]
fn a_panic_of_the_body_unwinds_through_its_reader_and_fails_the_others() {
    for trailers in BOTH {
        let mut original = body(&[Data("one "), Panic], trailers);
        let copy = original.try_clone().unwrap();
        read_some(&mut original, 1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read_some(&mut original, 1)));
        assert!(panicked.is_err());
        assert!(!copy.is_whole() && copy.try_clone().is_none());
        let got = read(copy);
        assert!(got.data == "one " && got.error.is_some_and(|error| error.is_body()));
        assert!(read(original).error.is_some());
    }
}

#[test]
fn an_either_body_is_cloned_as_the_one_it_holds() {
    let left: Either<Full<Bytes>, ReplayBody<Full<Bytes>>> = Either::Left(Full::from("text"));
    assert!(left.try_clone().is_some_and(|copy| copy.is_whole()));
    let mut original = ReplayBody::with_limit(script(&STEPS, false).0, 5);
    let copy: Either<Empty<Bytes>, _> = Either::Right(original.try_clone().unwrap());
    assert!(copy.is_whole());
    read_some(&mut original, 2);
    assert!(!copy.is_whole() && copy.try_clone().is_none());
}

#[test]
fn debug_shows_no_byte_of_the_body() {
    let mut original = body(&[Data("secret")], false);
    let _copy = original.try_clone().unwrap();
    read_some(&mut original, 1);
    let shown = format!("{original:?}");
    assert_eq!(shown, "ReplayBody { given_bytes: 6, held_bytes: 6, limit: 65536, .. }");
}
