//! Holds what reading a body costs against its length: allocations, and the most bytes at one time.

use std::sync::LazyLock;
use std::time::SystemTime;

use allocation_counter::measure;
use http::HeaderMap;
use redress_envelope::{Dialect, Envelope, Head, Signal, dialects};

/// No body is made longer.
const MAX_BODY: usize = 1024 * 1024;
/// The dialects of which every part can be borrowed from a plain body.
const BORROWING: [&str; 5] = ["maleslab", "ranex", "veridia", "verilock", "vlens"];
/// The members that hold lists of fields, or a hint, and so need memory of their own.
const LISTS: [&[u8]; 3] = [b"error_descriptions", b"fieldErrors", b"details"];
/// How many bytes may be held for each byte of the body: one that is no UTF-8 becomes three, in a text that grows by
/// doubling, and each part of the envelope that is read there has a copy. Thirteen were seen.
const PER_BYTE: u64 = 16;
/// How many more in any case: 256 names of 256 bytes, and the list of them, which grows by doubling.
const SPARE: u64 = 96 * 1024;
/// How many bytes a signal may hold, whatever the body.
const SIGNAL: u64 = 8 * 1024;

/// Takes four bytes off the front: the dialect, and which part of the rest is repeated how often. Reads the body that this
/// makes, whole and in pieces.
///
/// # Panics
/// When reading allocates where everything can be borrowed, or holds more than the bounds allow.
pub fn check(data: &[u8]) {
    let Some(([dialect, power, start, len], text)) = data.split_first_chunk() else { return };
    let dialects = all();
    let dialect = &dialects[usize::from(*dialect) % dialects.len()];
    let body = grown(text, *power, *start, *len);
    let headers = HeaderMap::new();
    let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);

    let _ = work();
    let mut unreadable = None;
    let whole = measure(|| unreadable = Envelope::read(dialect, &head, [&body[..]]).unreadable);
    if BORROWING.contains(&dialect.name()) && unreadable.is_none() && is_plain(&body) {
        assert_eq!(whole.count_total, 0, "{dialect:?}: a plain body is borrowed from");
    }
    let pieces = measure(|| drop(Envelope::read(dialect, &head, body.chunks(1000))));
    let allowed = body.len() as u64 * PER_BYTE + SPARE;
    for peak in [whole.bytes_max, pieces.bytes_max] {
        assert!(peak <= allowed, "{dialect:?}: {peak} bytes held for a body of {}", body.len());
    }
    let mut signal = Signal::new(dialect, &Head { status: 200, ..head });
    let feed = |piece| {
        signal.feed(piece);
    };
    let held = measure(|| body.chunks(1000).for_each(feed)).bytes_max;
    assert!(held <= SIGNAL, "{dialect:?}: a signal holds {held} bytes");
    if let Some(work) = work() {
        assert!(work <= body.len() as u64 * 8 + 4096, "{dialect:?}: {work} steps for a body of {}", body.len());
    }
}

/// Returns how many steps were taken since it was last asked; only the fuzzers' builds count them.
#[cfg(fuzzing)]
fn work() -> Option<u64> {
    Some(redress_envelope::work::taken())
}

/// Counts nothing: this is no build of a fuzzer.
#[cfg(not(fuzzing))]
const fn work() -> Option<u64> {
    None
}

/// Repeats a part of a text up to 2^20 times, as far as there is room.
fn grown(text: &[u8], power: u8, start: u8, len: u8) -> Vec<u8> {
    let start = usize::from(start).min(text.len());
    let end = (start + usize::from(len)).min(text.len());
    let (part, rest) = (&text[start..end], &text[end..]);
    let room = MAX_BODY.saturating_sub(text.len()) / part.len().max(1);
    let times = (1_usize << (power % 21)).min(room + 1);
    [&text[..start], &part.repeat(times), rest].concat()
}

/// Whether a body has no escape, no byte beyond UTF-8, no list, and no control character in a text or name: JSON forbids these
/// (RFC 8259 section 7), and a text with one is copied.
fn is_plain(body: &[u8]) -> bool {
    let has = |needle: &[u8]| body.windows(needle.len()).any(|window| window == needle);
    // Without escapes each quotation mark begins or ends a text.
    let mut texts = body.split(|byte| *byte == b'"').skip(1).step_by(2);
    let is_copied = body.contains(&b'\\') || texts.any(|text| text.iter().any(u8::is_ascii_control));
    !is_copied && std::str::from_utf8(body).is_ok() && !LISTS.into_iter().any(has)
}

/// Returns all dialects, each compiled long before anything is measured.
fn all() -> &'static [Dialect] {
    static ALL: LazyLock<Vec<Dialect>> = LazyLock::new(dialects::all);
    &ALL
}
