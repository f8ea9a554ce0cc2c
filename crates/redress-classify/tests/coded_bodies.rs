//! Compressed errors: decompressed below Classify they are read, with the bound on the decoded bytes; else they are opaque.
//!
//! gzip and brotli are tested; the decoder of zstd is C code, which the tests avoid.

mod common;

use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use allocation_counter::measure;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use redress_classify::{Class, ClassifyLayer, DecidedBy, Dialect, ResponseExt, Verdict, dialects};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::decompression::Decompression;

const MAX_ERROR: usize = 64 * 1024;
const MAX_HELD: usize = 1024 * 1024;
/// The maximum frame of a decoder.
const FRAME: usize = 64 * 1024;
/// The decoded length of the bombs.
const DECODED: usize = 64 * 1024 * 1024;

const ERROR: &str = r#"{"error":"internal","message":""#;
const HELD: &str = r#"{"data":""#;

/// `ERROR`, and 64 MiB of `x` behind it, in brotli.
const BROTLI_ERROR: [u8; 83] = [
    207, 255, 255, 127, 0, 132, 104, 114, 228, 199, 15, 244, 102, 121, 243, 182, 122, 18, 79, 90, 57, 77, 90, 72, 202,
    115, 170, 187, 88, 179, 66, 172, 121, 255, 175, 46, 254, 255, 255, 3, 32, 1, 16, 135, 5, 160, 123, 255, 207, 255,
    255, 127, 0, 36, 0, 226, 176, 0, 116, 239, 255, 249, 255, 255, 15, 128, 4, 64, 28, 22, 128, 238, 253, 127, 120, 0,
    0, 144, 0, 136, 34, 2, 8,
];
/// `HELD`, and 64 MiB of `x` behind it, in brotli.
const BROTLI_HELD: [u8; 69] = [
    207, 255, 255, 127, 0, 164, 69, 116, 240, 246, 214, 36, 167, 21, 114, 186, 202, 18, 246, 254, 95, 134, 255, 255,
    255, 0, 72, 0, 196, 97, 1, 232, 222, 255, 243, 255, 255, 31, 0, 9, 128, 56, 44, 0, 221, 251, 127, 254, 255, 255, 3,
    32, 1, 16, 135, 5, 160, 123, 255, 31, 8, 0, 0, 36, 0, 226, 128, 0, 0,
];

/// Counts the decoded bytes.
struct Counted<B>(B, Arc<AtomicUsize>);

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.1.fetch_add(frame.data_ref().map_or(0, Bytes::len), Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }
}

/// Sends a request through Classify over decompression over a server with this response. Returns the verdict and the number
/// of decoded bytes.
async fn decoded(dialect: Dialect, status: u16, coding: &str, body: &[u8]) -> (Option<Verdict>, usize) {
    let answer = Response::builder().status(status).header("content-encoding", coding).header("retry-after", "7");
    let answer = answer.body(Full::new(Bytes::copy_from_slice(body))).expect("the parts are valid");
    let server = service_fn(move |_: Request<Full<Bytes>>| {
        let answer = answer.clone();
        async { Ok::<_, Infallible>(answer) }
    });
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let counted = Decompression::new(server).map_response(move |answer| answer.map(|body| Counted(body, counter)));
    let response = ClassifyLayer::new(dialect).layer(counted).oneshot(Request::new(Full::default())).await;
    (response.expect("the server answers").verdict().cloned(), count.load(Ordering::Relaxed))
}

fn gzip(parts: &[&str]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    parts.iter().for_each(|part| encoder.write_all(part.as_bytes()).expect("memory takes it"));
    encoder.finish().expect("memory takes it")
}

#[tokio::test(start_paused = true)]
async fn a_compressed_error_is_read_where_it_is_decompressed_below() {
    let envelope = gzip(&[ERROR, "no", "\"}"]);
    let (verdict, _) = decoded(dialects::veridia(), 503, "gzip", &envelope).await;
    assert_eq!(verdict.map(|verdict| verdict.decided_by()), Some(DecidedBy::Code));
}

#[test]
fn a_decompression_bomb_is_decoded_up_to_the_bound() {
    let filling = "x".repeat(1024 * 1024);
    let gzip_bomb = |open| {
        let mut parts = vec![filling.as_str(); 8];
        parts.insert(0, open);
        gzip(&parts)
    };
    let (gzip_error, gzip_held) = (gzip_bomb(ERROR), gzip_bomb(HELD));
    assert!(gzip_error.len() * 1000 < filling.len() * 8 && BROTLI_ERROR.len() * 1000 < DECODED, "they are bombs");
    for (dialect, status, coding, body, bound, decided_by) in [
        (dialects::veridia(), 503, "gzip", &gzip_error[..], MAX_ERROR, Some(DecidedBy::Status)),
        (dialects::veridia(), 503, "br", &BROTLI_ERROR, MAX_ERROR, Some(DecidedBy::Status)),
        (dialects::veridia(), 400, "gzip", &gzip_error, MAX_ERROR, Some(DecidedBy::Status)),
        (dialects::veridia(), 400, "br", &BROTLI_ERROR, MAX_ERROR, Some(DecidedBy::Status)),
        (dialects::vlens(), 200, "gzip", &gzip_held, MAX_HELD, None),
        (dialects::vlens(), 200, "br", &BROTLI_HELD, MAX_HELD, None),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let mut outcome = (None, 0);
        let cost = measure(|| outcome = runtime.block_on(decoded(dialect.clone(), status, coding, body)));
        let (verdict, bytes) = outcome;
        assert_eq!(verdict.as_ref().map(Verdict::decided_by), decided_by, "{coding} {status}");
        assert!(bytes > bound && bytes <= bound + FRAME, "{coding} {status}: {bytes} bytes decoded");
        // The decoder's window, which is 16 MiB at most for brotli, comes on top of what is held.
        let window = if coding == "br" { 40 * 1024 * 1024 } else { 1024 * 1024 };
        assert!(cost.bytes_max < (bound * 8 + window) as u64, "{coding} {status}: {} bytes held", cost.bytes_max);
    }
}

#[tokio::test(start_paused = true)]
async fn with_an_unknown_or_wrong_coding_the_head_decides() {
    let envelope = format!("{ERROR}no\"}}");
    let packed = gzip(&[&envelope]);
    let mut damaged = packed.clone();
    let last = damaged.len() - 1;
    damaged[last / 2] ^= 0xff;
    for (name, coding, body, decided_by) in [
        ("not compressed at all", "gzip", envelope.as_bytes(), DecidedBy::Status),
        ("cut", "gzip", &packed[..last / 2], DecidedBy::Status),
        ("damaged", "gzip", &damaged, DecidedBy::Status),
        ("empty", "gzip", b"", DecidedBy::Status),
        ("another coding", "br", &packed, DecidedBy::Status),
        ("an unknown coding", "x-secret", &packed, DecidedBy::Status),
        ("a coding that is not decoded here", "zstd", b"\x28\xb5\x2f\xfd\x00", DecidedBy::Status),
        ("two codings", "gzip, gzip", &packed, DecidedBy::Status),
        ("an empty coding", "", &packed, DecidedBy::Status),
        ("an unknown coding of plain text", "x-plain", envelope.as_bytes(), DecidedBy::Code),
        ("no coding by name", "identity", envelope.as_bytes(), DecidedBy::Code),
    ] {
        let (verdict, _) = decoded(dialects::veridia(), 503, coding, body).await;
        let verdict = verdict.expect("the status says so");
        assert_eq!(verdict.decided_by(), decided_by, "{name}");
        let class = if decided_by == DecidedBy::Code { Class::Internal } else { Class::Unavailable };
        assert_eq!((verdict.class(), verdict.hint().is_some()), (class, true), "{name}: the hint of the head stays");
        let report = verdict.api_error().expect("a server answered").report();
        assert!(!report.contains(|symbol: char| symbol.is_control() && symbol != '\n'), "{name}: {report}");
    }
}
