//! Holds the reading of a body in pieces against the reading of it as a whole.

use std::sync::LazyLock;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};
use redress_envelope::{Decision, Dialect, Envelope, Head, Signal, dialects};
use redress_skip::{Skip, plain_run, plain_run_portable};

/// The statuses of which the first byte picks one.
const STATUSES: [u16; 8] = [200, 201, 400, 401, 403, 422, 429, 503];
/// At how many places a body is cut.
const CUTS: usize = 7;

/// Takes a status and seven cuts off the front, and reads the rest, cut into up to eight pieces, in every dialect.
///
/// # Panics
/// When the pieces read otherwise than the whole, or decide the signal otherwise, or the twins of `redress-skip` differ.
pub fn check(data: &[u8]) {
    let Some((first, body)) = data.split_first_chunk::<{ CUTS + 1 }>() else { return };
    let [status, cuts @ ..] = *first;
    let pieces = pieces(body, cuts);
    compare_twins(body, &pieces);
    let headers = headers();
    let head = Head::new(STATUSES[usize::from(status) % STATUSES.len()], headers, SystemTime::UNIX_EPOCH);
    for dialect in dialects::all() {
        let whole = Envelope::read(&dialect, &head, [body]);
        let cut = Envelope::read(&dialect, &head, pieces.iter().copied());
        assert_eq!(whole, cut, "{dialect:?}: cuts change the reading");
        assert_eq!(
            dialect.meaning(&head, &whole),
            dialect.meaning(&head, &cut),
            "{dialect:?}: cuts change the meaning"
        );
        let decision = decide(&dialect, &head, &[body]);
        assert_eq!(decision, decide(&dialect, &head, &pieces), "{dialect:?}: cuts change the signal");
    }
}

/// Holds what skips many bytes at a time against its portable twin.
fn compare_twins(body: &[u8], pieces: &[&[u8]]) {
    assert_eq!(plain_run(body), plain_run_portable(body), "the twins find other runs");
    let (mut fast, mut portable) = (Skip::new(127), Skip::new(127));
    for piece in pieces {
        assert_eq!(fast.feed(piece), portable.feed_portable(piece), "the twins skip otherwise");
        assert_eq!(fast, portable, "the twins stand otherwise");
    }
}

/// Cuts a body where so many of its 256 parts end.
fn pieces(body: &[u8], mut cuts: [u8; CUTS]) -> Vec<&[u8]> {
    cuts.sort_unstable();
    let mut pieces = Vec::with_capacity(CUTS + 1);
    let mut from = 0;
    for cut in cuts {
        let to = usize::from(cut) * (body.len() + 1) / 256;
        pieces.push(&body[from..to]);
        from = to;
    }
    pieces.push(&body[from..]);
    pieces
}

fn decide(dialect: &Dialect, head: &Head<'_>, pieces: &[&[u8]]) -> Decision {
    let mut signal = Signal::new(dialect, head);
    pieces.iter().fold(Decision::Undecided, |_, piece| signal.feed(piece))
}

/// What the conditions of some dialects ask for.
fn headers() -> &'static HeaderMap {
    static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
        let pairs = [("content-type", "application/json"), ("x-ratelimit-remaining", "0"), ("retry-after", "3")];
        pairs
            .map(|(name, value)| (name.parse().expect("a legal name"), HeaderValue::from_static(value)))
            .into_iter()
            .collect()
    });
    &HEADERS
}
