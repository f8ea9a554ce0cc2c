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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Unreadable;

    #[test]
    fn a_text_is_a_document_only_if_it_is_well_formed() {
        let (empty, cut, wrong) = (Err(Unreadable::Empty), Err(Unreadable::Truncated), Err(Unreadable::NotJson));
        let ends = |len: usize| format!("<{0}y></{0}z>", "x".repeat(len));
        let (told_apart, alike) = (ends(260), ends(300));
        for (text, expected) in [
            ("<x/>", Ok(())),
            ("<x b='c' d=\"e\"><f>g</f></x>", Ok(())),
            ("\u{feff}<x/>", Ok(())),
            ("<?xml version='1.0'?><!-- a --><x/><!-- b -->", Ok(())),
            ("<x><!-- -> <b> --></x>", Ok(())),
            ("<x><![CDATA[ ]> <b> ]]]></x>", Ok(())),
            ("<x><?b > <c> ?></x>", Ok(())),
            ("", empty),
            ("<?xml version='1.0'?>", empty),
            ("<!-- a -->", empty),
            ("<x>", cut),
            ("<x", cut),
            ("<x/><b/>", wrong),
            ("<x/>\u{feff}", wrong),
            ("</>", wrong),
            ("<x></b>", wrong),
            ("<1/>", wrong),
            ("<x 1='b'/>", wrong),
            ("<x b/>", wrong),
            ("<![CDATA[a]]>", wrong),
            ("<!DOCTYPE a>", wrong),
            (&told_apart, wrong),
            // Of a longer name the rest is not compared.
            (&alike, Ok(())),
        ] {
            for size in [1, 2, text.len().max(1)] {
                let mut scanner = Scanner::at_depth(0);
                let scanned = text.as_bytes().chunks(size).try_for_each(|chunk| scanner.feed(chunk, &mut Check));
                assert_eq!(scanned.and_then(|()| scanner.finish()), expected, "{text} in pieces of {size}");
            }
        }
    }
}
