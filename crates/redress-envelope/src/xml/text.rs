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
