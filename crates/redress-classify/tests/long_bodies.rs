//! Bodies around the bound and far beyond it: the bytes read, and the memory used.

mod common;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use allocation_counter::measure;
use bytes::Bytes;
use common::classify;
use http::Response;
use http_body::{Frame, SizeHint};
use redress_classify::{DecidedBy, ResponseExt, dialects};

/// The maximum bytes read of an error, and of a success whose signal is uncertain.
const MAX_ERROR: usize = 64 * 1024;
const MAX_HELD: usize = 1024 * 1024;
const FRAME: usize = 4096;

/// A generated body: an opening, `x` up to a length, and a closing. Without a length it is endless.
struct Long {
    open: &'static str,
    close: &'static str,
    len: Option<usize>,
    /// Whether the length is known beforehand, as by `Content-Length`.
    is_sized: bool,
    given: Arc<AtomicUsize>,
}

impl http_body::Body for Long {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let from = self.given.load(Ordering::Relaxed);
        let to = self.len.map_or(from + FRAME, |len| len.min(from + FRAME));
        if from == to {
            return Poll::Ready(None);
        }
        let close_at = self.len.map_or(usize::MAX, |len| len - self.close.len());
        let byte = |at: usize| {
            let closing = || self.close.as_bytes()[at - close_at];
            self.open.as_bytes().get(at).copied().unwrap_or_else(|| if at < close_at { b'x' } else { closing() })
        };
        self.given.store(to, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data((from..to).map(byte).collect::<Vec<_>>().into()))))
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.len.map_or(u64::MAX, |len| (len - self.given.load(Ordering::Relaxed)) as u64);
        if self.is_sized { SizeHint::with_exact(left) } else { SizeHint::default() }
    }
}

/// The result of a body: the part that decided the class, the bytes read, and the peak of the memory used.
fn outcome(
    status: u16,
    (open, close): (&'static str, &'static str),
    len: Option<usize>,
    is_sized: bool,
) -> (Option<DecidedBy>, usize, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let dialect = if status == 200 { dialects::vlens() } else { dialects::veridia() };
    let given = Arc::new(AtomicUsize::new(0));
    let body = Long { open, close, len, is_sized, given: Arc::clone(&given) };
    let mut decided_by = None;
    let cost = measure(|| {
        let answer = Response::builder().status(status).body(body).expect("the parts are valid");
        let response = runtime.block_on(classify(dialect, answer));
        decided_by = response.verdict().map(redress_classify::Verdict::decided_by);
    });
    (decided_by, given.load(Ordering::Relaxed), cost.bytes_max)
}

#[test]
fn an_error_is_read_up_to_its_bound_and_its_memory_is_bounded() {
    let text = (r#"{"error":"internal","message":""#, "\"}");
    let mut longest = 0;
    for (len, expected) in [
        (Some(MAX_ERROR - 1), DecidedBy::Code),
        (Some(MAX_ERROR), DecidedBy::Code),
        (Some(MAX_ERROR + 1), DecidedBy::Status),
        (Some(MAX_ERROR * 10), DecidedBy::Status),
        (None, DecidedBy::Status),
    ] {
        for is_sized in [false, true] {
            let (decided_by, read, peak) = outcome(503, text, len, is_sized);
            assert_eq!(decided_by, Some(expected), "{len:?}");
            assert!(read <= MAX_ERROR + FRAME, "{read} bytes read of {len:?}: one frame beyond the bound");
            // The frames; the message, joined from them in memory that doubles, and once more for the verdict.
            assert!(peak <= 8 * MAX_ERROR as u64, "{peak} bytes held of {len:?}");
            if len.is_none_or(|len| len >= MAX_ERROR * 10) {
                assert!(
                    longest == 0 || peak == longest,
                    "what lies beyond the bound costs nothing: {peak} or {longest}"
                );
                longest = peak;
            }
        }
    }
}

#[test]
fn a_success_without_a_signal_is_held_up_to_its_bound() {
    let text = (r#"{"data":""#, r#"","error_code":null}"#);
    for (len, read_to) in [
        (Some(MAX_HELD - 1), MAX_HELD - 1),
        (Some(MAX_HELD), MAX_HELD),
        (Some(MAX_HELD * 10), MAX_HELD + FRAME),
        (None, MAX_HELD + FRAME),
    ] {
        for is_sized in [false, true] {
            let (decided_by, read, peak) = outcome(200, text, len, is_sized);
            assert_eq!((decided_by, read), (None, read_to), "{len:?}");
            assert!(peak <= (MAX_HELD + MAX_HELD / 4) as u64, "{peak} bytes held of {len:?}: the frames and no copy");
        }
    }
}

#[test]
fn an_error_signalled_late_is_bounded_as_any_other() {
    let open = r#"{"error_code":1050,"error_message":""#;
    let (decided_by, read, peak) = outcome(200, (open, "\"}"), None, false);
    assert_eq!(decided_by, Some(DecidedBy::Signal));
    assert!(read <= MAX_ERROR + 2 * FRAME, "{read} bytes read");
    assert!(peak <= 8 * MAX_ERROR as u64, "{peak} bytes held");
}
