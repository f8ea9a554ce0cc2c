//! Documents in the text of an element.
//!
//! SOAP services return what an older interface answered as one text: escaped, or in a CDATA section. Such a text is read
//! as if its elements lay in the element that holds it.

use super::{Scanner, Sink};

/// The longest document in a text, in bytes.
pub(super) const MAX_LEN: usize = 64 * 1024;

/// A sink that asks for nothing: it shows whether a document is well-formed.
struct Check;

/// Feeds the elements of a text to a sink that is in the element around it, at
/// this depth. Returns `false`, and feeds nothing, if the text is not a
/// document; a document in a text of it is a text.
pub(super) fn feed<S: Sink>(text: &str, depth: usize, sink: &mut S) -> bool {
    let mut check = Scanner::at_depth(depth);
    let is_document = check.feed(text.as_bytes(), &mut Check).and_then(|()| check.finish()).is_ok();
    is_document && Scanner::at_depth(depth).feed(text.as_bytes(), sink).is_ok()
}

impl Sink for Check {
    const STRICT: bool = true;
    const MAX_TEXT: usize = 0;
    const EMBEDS: bool = false;

    fn open(&mut self, _: &[u8]) {}

    fn attribute(&mut self, _: &[u8]) -> bool {
        false
    }

    fn value(&mut self, _: &str) {}

    fn opened(&mut self) -> bool {
        false
    }

    fn close(&mut self, _: &str) {}

    fn is_done(&self) -> bool {
        false
    }
}
