//! The text of an element or an attribute, put together from its pieces.

use std::borrow::Cow;

use super::embedded;

/// A text in hand, without white space in front.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// How many bytes are kept; 0 where the text is skipped.
    room: usize,
    is_cut: bool,
    /// How many bytes are kept of a text that begins as a document does; 0 where such a text is like any other.
    embedded: usize,
    /// How many bytes of any other text are kept.
    plain: usize,
}

impl Text {
    /// Begins a text. At most `room` bytes of it are kept.
    pub(super) fn begin(&mut self, room: usize) {
        self.bytes.clear();
        (self.room, self.is_cut, self.embedded, self.plain) = (room, false, 0, room);
    }

    /// Begins the text of an element. At most `room` bytes of it are kept; more if it may be a document, where `embeds` says
    /// that it is read as one.
    pub(super) fn begin_content(&mut self, room: usize, embeds: bool) {
        let embedded = if embeds { embedded::MAX_LEN } else { 0 };
        self.begin(room.max(embedded));
        (self.embedded, self.plain) = (embedded, room);
    }

    /// Keeps a piece; `false` if it holds a control character that XML does not
    /// allow.
    pub(super) fn keep(&mut self, piece: &[u8]) -> bool {
        if self.room == 0 {
            return true;
        }
        let piece = if self.bytes.is_empty() { piece.trim_ascii_start() } else { piece };
        let is_first = self.bytes.is_empty() && !piece.is_empty();
        if is_first && self.embedded > 0 && piece[0] != b'<' {
            self.skip_document();
        }
        let kept = &piece[..piece.len().min(self.room - self.bytes.len())];
        self.is_cut |= kept.len() < piece.len();
        self.bytes.extend_from_slice(kept);
        let is_text = !kept.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace() || *byte == b'\x0c');
        if !is_text && self.plain == 0 {
            self.bytes.clear();
            self.skip_document();
            return true;
        }
        is_text
    }

    /// Notes that the text is not a document.
    fn skip_document(&mut self) {
        (self.room, self.embedded) = (self.plain, 0);
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.room > 0
    }

    pub(super) fn push(&mut self, symbol: char) {
        self.keep(symbol.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Returns `true` if the text is all there and begins as a document does.
    pub(super) fn may_be_document(&self) -> bool {
        self.embedded > 0 && !self.is_cut && self.bytes.first() == Some(&b'<')
    }

    /// Returns the text, with invalid UTF-8 replaced.
    pub(super) fn text(&self) -> Cow<'_, str> {
        lossy(&self.bytes, self.is_cut)
    }

    /// Returns the text of an element that is not a document.
    pub(super) fn content(&self) -> Cow<'_, str> {
        let kept = self.bytes.len().min(self.plain);
        lossy(&self.bytes[..kept], self.is_cut || kept < self.bytes.len())
    }
}

/// Reads bytes without white space at their end; where they were cut, the symbol
/// at the end may be incomplete, and is left out.
fn lossy(bytes: &[u8], is_cut: bool) -> Cow<'_, str> {
    let bytes = bytes.trim_ascii_end();
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) if is_cut && error.error_len().is_none() => String::from_utf8_lossy(&bytes[..error.valid_up_to()]),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(room: usize, embeds: bool, pieces: &[&[u8]]) -> Option<Text> {
        let mut text = Text::default();
        text.begin_content(room, embeds);
        pieces.iter().all(|piece| text.keep(piece)).then_some(text)
    }

    #[test]
    fn a_text_is_kept_up_to_its_room_and_more_of_it_where_it_may_be_a_document() {
        for (embeds, piece, bytes, content, may_be_document) in [
            (false, "  plain text", 5, "plain", false),
            (true, "  plain text", 5, "plain", false),
            (true, "<a>text</a>", 11, "<a>te", true),
            (false, "<a>text</a>", 5, "<a>te", false),
            (true, "text", 4, "text", false),
        ] {
            let text = kept(5, embeds, &[b" \n", piece.as_bytes()]).unwrap();
            assert_eq!((text.bytes.len(), &*text.content()), (bytes, content), "{piece}");
            assert_eq!(text.may_be_document(), may_be_document, "{piece}");
        }
    }

    #[test]
    fn a_control_character_is_no_text_and_ends_a_document_that_nothing_else_asks_for() {
        for piece in [&b"a\x01b"[..], b"a\x0cb", b"\x1f"] {
            assert!(kept(5, false, &[piece]).is_none() && kept(5, true, &[piece]).is_none(), "{piece:?}");
        }
        assert_eq!(kept(9, false, &[b"a b\tc\nd\re"]).unwrap().content(), "a b\tc\nd\re");
        let text = kept(0, true, &[b"<a>\x01", b"</a>"]).unwrap();
        assert!(!text.is_kept() && !text.may_be_document() && text.content().is_empty());
        assert!(kept(0, false, &[b"\x01"]).is_some(), "it is skipped");
    }

    #[test]
    fn half_a_symbol_at_the_end_is_left_out_only_where_the_text_was_cut() {
        for (room, piece, expected) in [
            (2, &b"a\xc3\xa9"[..], "a"),
            (9, b"a\xc3", "a\u{fffd}"),
            (4, b"a\xff b more", "a\u{fffd} b"),
            (9, b"a\xff b", "a\u{fffd} b"),
        ] {
            let mut attribute = Text::default();
            attribute.begin(room);
            assert!(attribute.is_kept() && attribute.keep(piece));
            assert_eq!(attribute.text(), expected, "{piece:?}");
            assert_eq!(kept(room, false, &[piece]).unwrap().content(), expected, "{piece:?}");
        }
    }
}
