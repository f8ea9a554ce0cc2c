//! The text of an element or an attribute, put together from its pieces.

use std::borrow::Cow;

/// A text in hand, without white space in front.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// How many bytes are kept; 0 where the text is skipped.
    room: usize,
    is_cut: bool,
}

impl Text {
    /// Begins a text. At most `room` bytes of it are kept.
    pub(super) fn begin(&mut self, room: usize) {
        self.bytes.clear();
        (self.room, self.is_cut) = (room, false);
    }

    /// Keeps a piece; `false` if it holds a control character that XML does not
    /// allow.
    pub(super) fn keep(&mut self, piece: &[u8]) -> bool {
        if self.room == 0 {
            return true;
        }
        let piece = if self.bytes.is_empty() { piece.trim_ascii_start() } else { piece };
        let kept = &piece[..piece.len().min(self.room - self.bytes.len())];
        self.is_cut |= kept.len() < piece.len();
        self.bytes.extend_from_slice(kept);
        !kept.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace() || *byte == b'\x0c')
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.room > 0
    }

    pub(super) fn push(&mut self, symbol: char) {
        self.keep(symbol.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Returns the text, with invalid UTF-8 replaced.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let bytes = self.bytes.trim_ascii_end();
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // Where it was cut, the symbol at the end is not all there.
            Err(error) if self.is_cut && error.error_len().is_none() => {
                String::from_utf8_lossy(&bytes[..error.valid_up_to()])
            }
            Err(_) => String::from_utf8_lossy(bytes),
        }
    }
}
