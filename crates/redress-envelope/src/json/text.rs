//! The text of the token in hand: unescaped, and joined over chunks.

use std::borrow::Cow;

use redress_skip::ascii;

use super::Unreadable;

/// The part of a token that came in earlier chunks or was unescaped.
#[derive(Debug, Default)]
pub(super) struct Text {
    scratch: Vec<u8>,
    /// A high surrogate that waits for its other half.
    surrogate: Option<u16>,
    /// How many bytes are kept; 0 where the token is skipped.
    room: usize,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self { scratch: Vec::new(), surrogate: None, room: 0 }
    }

    /// Begins a token. `room` is the number of bytes to keep.
    pub(super) const fn begin(&mut self, room: usize) {
        self.room = room;
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.room > 0
    }

    /// Keeps a piece of the token.
    pub(super) fn keep(&mut self, piece: &[u8]) {
        if self.room > 0 && !piece.is_empty() {
            self.replace_lone_surrogate();
            let left = self.room.saturating_sub(self.scratch.len());
            self.scratch.extend_from_slice(&piece[..piece.len().min(left)]);
        }
    }

    /// Returns what a backslash and this byte stand for; `None` when digits follow.
    pub(super) const fn escaped(byte: u8) -> Result<Option<u8>, Unreadable> {
        Ok(Some(match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return Ok(None),
            _ => return Err(Unreadable::NotJson),
        }))
    }

    /// Adds one UTF-16 code unit, pairing surrogates.
    pub(super) fn code_unit(&mut self, unit: u16) {
        if self.room == 0 {
            return;
        }
        match (self.surrogate, unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                self.surrogate = None;
                self.push(0x1_0000 + (u32::from(high - 0xd800) << 10) + u32::from(unit - 0xdc00));
            }
            _ => {
                self.replace_lone_surrogate();
                match unit {
                    0xd800..=0xdbff => self.surrogate = Some(unit),
                    _ => self.push(u32::from(unit)),
                }
            }
        }
    }

    /// Returns all of the token: borrowed when all of it is `tail`.
    pub(super) fn take<'a>(&mut self, tail: &'a [u8]) -> Cow<'a, [u8]> {
        if self.scratch.is_empty() && self.surrogate.is_none() {
            return Cow::Borrowed(tail);
        }
        self.keep(tail);
        self.replace_lone_surrogate();
        Cow::Owned(std::mem::take(&mut self.scratch))
    }

    fn push(&mut self, point: u32) {
        let symbol = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
        let mut bytes = [0; 4];
        let bytes = symbol.encode_utf8(&mut bytes).as_bytes();
        if self.scratch.len() < self.room {
            self.scratch.extend_from_slice(bytes);
        }
    }

    fn replace_lone_surrogate(&mut self) {
        if self.surrogate.take().is_some() {
            self.push(u32::from(char::REPLACEMENT_CHARACTER));
        }
    }
}

/// Returns bytes as text, with invalid UTF-8 replaced.
#[inline(always)]
pub(crate) fn lossy(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => match ascii(bytes) {
            Some(text) => Cow::Borrowed(text),
            None => String::from_utf8_lossy(bytes),
        },
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
    }
}
