//! Text without the check for UTF-8.

use crate::near;

#[inline]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    // SAFETY: ASCII is UTF-8.
    bytes.is_ascii().then(|| unsafe { str::from_utf8_unchecked(bytes) })
}

#[inline]
pub(crate) fn before_quote(bytes: &[u8]) -> Option<&str> {
    let end = near::plain_end(bytes)?;
    // SAFETY: all bytes before the end are ASCII, which is UTF-8.
    Some(unsafe { str::from_utf8_unchecked(&bytes[..end]) })
}
