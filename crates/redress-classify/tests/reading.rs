//! Reading of bodies: how much Classify reads, for how long, and that it returns all of it.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use common::{Step, answer, classify, data, frames};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body as _;
use proptest::prelude::*;
use redress_classify::{Class, DecidedBy, ResponseExt, dialects};
use tokio::time::Instant;

const MAX_ERROR: usize = 64 * 1024;
const MAX_HELD: usize = 1024 * 1024;

fn internal_error(len: usize) -> String {
    let frame = r#"{"error":"internal","message":""}"#;
    format!(r#"{{"error":"internal","message":"{}"}}"#, "x".repeat(len - frame.len()))
}

fn code(response: &Response<impl Sized>) -> Option<&str> {
    response.verdict().and_then(|verdict| verdict.api_error()).and_then(|error| error.code())
}

#[tokio::test(start_paused = true)]
async fn a_success_by_its_head_is_returned_untouched() {
    for dialect in [dialects::veridia(), dialects::ranex(), dialects::verilock()] {
        let body = answer(200, [data(r#"{"error":"internal"}"#)]);
        let taken = body.body().taken.clone();
        let response = classify(dialect, body).await;
        assert_eq!(taken.load(Ordering::Relaxed), 0, "nothing is read");
        assert!(response.verdict().is_none() && response.extensions().is_empty());
        assert_eq!(response.into_body().size_hint().exact(), Some(20));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_read_up_to_its_bound() {
    for (len, decided_by) in
        [(MAX_ERROR - 1, DecidedBy::Code), (MAX_ERROR, DecidedBy::Code), (MAX_ERROR + 1, DecidedBy::Status)]
    {
        let text = internal_error(len);
        let steps = text.as_bytes().chunks(1000).map(data);
        let response = classify(dialects::veridia(), answer(503, steps)).await;
        let verdict = response.verdict().expect("an error");
        assert_eq!(verdict.decided_by(), decided_by, "{len}");
        assert_eq!(verdict.class(), if decided_by == DecidedBy::Code { Class::Internal } else { Class::Unavailable });
        let (chunks, _, error) = frames(response.into_body()).await;
        assert_eq!((chunks.concat(), error), (text.into_bytes(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_error_is_not_read_for_ever() {
    let steps = (0..).map(|_| data([b' '; 1000])).take(100_000);
    let body = answer(500, steps);
    let taken = body.body().taken.clone();
    let response = classify(dialects::veridia(), body).await;
    assert!(taken.load(Ordering::Relaxed) <= MAX_ERROR / 1000 + 1, "one frame beyond the bound");
    assert_eq!(response.verdict().expect("an error").class(), Class::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_slow_error_is_decided_by_its_status_in_time() {
    for steps in [
        vec![data("{\"error\":"), Step::Hang],
        slow(b"{\"error\":\"internal\",\"message\":\"...........................\"}"),
    ] {
        let mut body = answer(503, steps);
        body.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
        let start = Instant::now();
        let response = classify(dialects::veridia(), body).await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        let verdict = response.verdict().expect("an error");
        assert_eq!((verdict.class(), verdict.decided_by()), (Class::Unavailable, DecidedBy::Status));
        assert_eq!(verdict.hint_delay(Instant::now()), Some(Duration::from_secs(5)), "counted from the receipt");
    }
}

fn slow(text: &[u8]) -> Vec<Step> {
    text.iter().flat_map(|byte| [Step::Wait(Duration::from_millis(100)), data([*byte])]).collect()
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_signalled_error_counts_from_its_signal() {
    let (wait, rest) = (Step::Wait(Duration::from_secs(4)), Step::Wait(Duration::from_millis(1_900)));
    let steps = [data("{\"data\":"), wait, data("null,\"error_code\":1050,"), rest, data("\"error_message\":null}")];
    let response = classify(dialects::vlens(), answer(200, steps)).await;
    assert_eq!(code(&response), Some("1050"));
}

#[tokio::test(start_paused = true)]
async fn a_success_is_held_only_until_its_signal_is_certain() {
    let steps = [data(r#"{"suc"#), data(r#"cess":true,"data":"#), data("[1,2]"), data("}")];
    let body = answer(200, steps);
    let taken = body.body().taken.clone();
    let response = classify(dialects::maleslab(), body).await;
    assert_eq!(taken.load(Ordering::Relaxed), 2, "the rest stays where it is");
    assert!(response.verdict().is_none() && response.extensions().is_empty());
    let body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(29));
    let (chunks, _, _) = frames(body).await;
    assert_eq!(chunks, ["{\"suc", "cess\":true,\"data\":", "[1,2]", "}"].map(Bytes::from), "frame by frame");
}

#[tokio::test(start_paused = true)]
async fn frames_are_returned_without_copies() {
    let whole = Bytes::from_static(br#"{"data":{"id":1},"error_code":null}"#);
    let response = classify(dialects::vlens(), answer(200, [Step::Data(whole.clone())])).await;
    let (chunks, _, _) = frames(response.into_body()).await;
    assert_eq!(chunks[0].as_ptr(), whole.as_ptr());
}

#[tokio::test(start_paused = true)]
async fn a_long_success_without_a_signal_is_returned_as_a_success() {
    let open = r#"{"data":""#;
    let steps = std::iter::once(data(open)).chain((0..).map(|_| data([b'x'; 4096])).take(1000));
    let body = answer(200, steps);
    let taken = body.body().taken.clone();
    let response = classify(dialects::vlens(), body).await;
    assert!(response.verdict().is_none());
    assert!(taken.load(Ordering::Relaxed) <= MAX_HELD / 4096 + 2);
    let (chunks, _, _) = frames(response.into_body()).await;
    assert_eq!(chunks.iter().map(Bytes::len).sum::<usize>(), open.len() + 4096 * 1000);
}

#[tokio::test(start_paused = true)]
async fn an_error_after_much_data_is_still_an_error() {
    let text = format!(r#"{{"data":"{}","error_code":1050,"error_message":"dark"}}"#, "x".repeat(200_000));
    let response = classify(dialects::vlens(), answer(200, text.as_bytes().chunks(8192).map(data))).await;
    assert_eq!(code(&response), Some("1050"));
    let (chunks, _, _) = frames(response.into_body()).await;
    assert_eq!(chunks.concat(), text.into_bytes());
}

#[tokio::test(start_paused = true)]
async fn small_frames_are_as_good_as_large_ones() {
    let text = format!(r#"{{"data":"{}","error_code":1050}}"#, "x".repeat(200_000));
    let response = classify(dialects::vlens(), answer(200, text.as_bytes().chunks(20).map(data))).await;
    assert_eq!(code(&response), Some("1050"));
    let single = internal_error(MAX_ERROR);
    let response = classify(dialects::veridia(), answer(500, single.as_bytes().chunks(1).map(data))).await;
    assert_eq!(code(&response), Some("internal"));
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_the_rest_of_the_body_contradicts_does_not_count() {
    let body = r#"{"success":false,"success":true,"data":{}}"#;
    let response = classify(dialects::maleslab(), answer(200, [data(body)])).await;
    assert!(response.verdict().is_none());
    assert!(
        classify(dialects::maleslab(), answer(400, [data(body)])).await.verdict().is_some(),
        "the status says it too"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_read_to_its_end_in_few_frames_counts_as_buffered() {
    let pieces = |count| (0..count).map(|_| data("x")).collect::<Vec<_>>();
    for (name, steps, read, expected) in [
        ("empty", vec![], 0, true),
        ("one frame", pieces(1), 1, true),
        ("at the bound", pieces(1_024), 1_024, true),
        ("too many frames", pieces(1_025), 1_025, false),
        ("too long", vec![data([b'x'; MAX_ERROR]), data("x"), data("x")], MAX_ERROR as u64 + 1, false),
        ("slow", vec![data("x"), Step::Hang], 1, false),
        ("broken", vec![data("x"), Step::Break], 1, false),
    ] {
        let response = classify(dialects::veridia(), answer(503, steps)).await;
        let verdict = response.verdict().expect("an error");
        assert_eq!((verdict.body_read(), verdict.is_body_buffered()), (read, expected), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn empty_frames_are_bounded_too() {
    let steps = (0..).map(|_| data("")).take(200_000);
    let body = answer(500, steps);
    let taken = body.body().taken.clone();
    classify(dialects::veridia(), body).await;
    assert!(taken.load(Ordering::Relaxed) < 70_000);
}

#[tokio::test(start_paused = true)]
async fn trailers_and_errors_of_the_body_follow_its_frames() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("1"));
    for status in [200, 500] {
        let steps = [data(r#"{"success":false,"#), data(r#""error":{"code":"X"}}"#), Step::Trailers(trailers.clone())];
        let response = classify(dialects::maleslab(), answer(status, steps)).await;
        assert_eq!(code(&response), Some("X"));
        let (chunks, found, error) = frames(response.into_body()).await;
        assert_eq!((chunks.len(), found.as_ref(), error), (2, Some(&trailers), None));
        let steps = [data(r#"{"success":false,"#), Step::Break];
        let response = classify(dialects::maleslab(), answer(status, steps)).await;
        let verdict = response.verdict().expect("an error");
        let class = if status == 500 { Class::Internal } else { Class::Unknown };
        assert_eq!((verdict.class(), code(&response)), (class, None), "a truncated envelope says nothing");
        assert_eq!(response.body().size_hint().upper(), None, "its full length is unknown");
        let (chunks, _, error) = frames(response.into_body()).await;
        assert_eq!((chunks.len(), error), (1, Some("connection reset")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_breaks_off_after_its_signal_is_returned_as_it_came() {
    let response = classify(dialects::maleslab(), answer(200, [data(r#"{"success":true,"#), Step::Break])).await;
    assert!(response.verdict().is_none());
    let (chunks, _, error) = frames(response.into_body()).await;
    assert_eq!((chunks.concat(), error), (br#"{"success":true,"#.to_vec(), Some("connection reset")));
}

#[tokio::test(start_paused = true)]
async fn responses_without_a_body_or_without_an_end_are_not_held() {
    let empty = classify(dialects::vlens(), answer(204, [])).await;
    assert!(empty.verdict().is_none());
    let head = classify(dialects::vlens(), answer(503, [])).await;
    assert_eq!(head.verdict().expect("an error").class(), Class::Unavailable);
    let mut stream = answer(200, [Step::Hang]);
    stream.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream; charset=utf-8"));
    assert!(classify(dialects::vlens(), stream).await.verdict().is_none());
    let binary = classify(dialects::vlens(), answer(200, [data(b"\x89PNG"), Step::Hang])).await;
    assert!(binary.verdict().is_none(), "the first byte is no JSON");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_body_comes_up_byte_for_byte(
        status in proptest::sample::select(vec![200_u16, 400, 503]),
        chunks in proptest::collection::vec(proptest::collection::vec(proptest::sample::select(br#"{}[]":,e1 "#.to_vec()), 0..12), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            for dialect in dialects::all() {
                let response = classify(dialect, answer(status, chunks.iter().map(data))).await;
                let bytes: usize = chunks.iter().map(Vec::len).sum();
                let body = response.into_body();
                assert_eq!(body.size_hint().exact(), Some(bytes as u64));
                let (found, _, _) = frames(body).await;
                assert_eq!(found, chunks.iter().cloned().map(Bytes::from).collect::<Vec<_>>());
            }
        });
    }
}
