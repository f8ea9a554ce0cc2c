//! Conversions to text without a check for UTF-8.

use crate::short_text;

/// Returns bytes as text if they are ASCII.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    // SAFETY: ASCII is UTF-8.
    bytes.is_ascii().then(|| unsafe { str::from_utf8_unchecked(bytes) })
}

/// Returns the text before the first quote if it is plain ASCII.
#[inline]
pub(crate) fn before_quote(bytes: &[u8]) -> Option<&str> {
    let end = short_text::plain_end(bytes)?;
    // SAFETY: all bytes before the end are ASCII, which is UTF-8.
    Some(unsafe { str::from_utf8_unchecked(&bytes[..end]) })
}
