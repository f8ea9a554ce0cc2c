//! The two calls that everything here measures.

use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use redress::Dialect;
use redress::layers::{Decision, Envelope, Head, Signal};

/// Reads an error in full.
pub fn read<'a, I>(dialect: &Dialect, pieces: I) -> Envelope<'a>
where
    I: IntoIterator<Item = &'a [u8]>,
    I::IntoIter: Clone,
{
    Envelope::read(dialect, &head(400), pieces)
}

/// Decides whether a body signals an error.
pub fn signal<'a, I>(dialect: &Dialect, pieces: I) -> Decision
where
    I: IntoIterator<Item = &'a [u8]>,
{
    let mut signal = Signal::new(dialect, &head(200));
    let mut decision = Decision::Undecided;
    for piece in pieces {
        decision = signal.feed(piece);
        if decision != Decision::Undecided {
            break;
        }
    }
    decision
}

/// Returns the head of a response that has no headers.
fn head(status: u16) -> Head<'static> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    Head::new(status, &NONE, SystemTime::UNIX_EPOCH)
}
