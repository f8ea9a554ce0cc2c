//! Bodies that are neither JSON nor XML: plain text is a message, HTML is
//! ignored.

use crate::form;

/// How many bytes of such a body are looked at.
const MAX_TEXT: usize = 4096;

/// Returns the beginning of a body as text, if it is one: valid UTF-8 without
/// control characters but white space.
#[inline(never)]
pub(crate) fn text<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let room = MAX_TEXT.saturating_sub(bytes.len());
        bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }
    let whole = bytes.len() < MAX_TEXT;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if !whole && error.utf8_error().error_len().is_none() => {
            let end = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(&error.as_bytes()[..end]).into_owned()
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    let binary = |symbol: char| symbol.is_control() && !matches!(symbol, '\t' | '\n' | '\r');
    (!text.is_empty() && !text.contains(binary)).then(|| text.to_owned())
}

/// Returns `true` if a text is a sentence for people: no markup, no JSON with a
/// mistake, and of no kind that only programs read.
pub(crate) fn is_plain(text: &str, media_type: &str) -> bool {
    let for_programs = ["text/event-stream", "text/css", "text/javascript", "application/javascript"];
    let mut kinds = for_programs.iter().chain(&[form::FORM, "multipart/form-data"]);
    !text.starts_with(['<', '{', '[']) && !kinds.any(|kind| media_type.eq_ignore_ascii_case(kind))
}

#[cfg(test)]
mod tests {
    #[test]
    fn plain_text_is_bounded_and_no_binary() {
        let text = |bytes: &[u8]| super::text([bytes].into_iter());
        assert_eq!(text(b" upstream connect error\r\n").as_deref(), Some("upstream connect error"));
        assert_eq!(text(b""), None);
        assert_eq!(text(b"\x1f\x8b\x08\x00"), None);
        assert_eq!(text(b"\xff\xfe"), None);
        assert_eq!(text("é".repeat(4000).as_bytes()).map(|text| text.len()), Some(4096));
        assert_eq!(text(["a", &"é".repeat(4000)].concat().as_bytes()).map(|text| text.len()), Some(4095));
    }

    #[test]
    fn only_a_text_that_is_cut_may_end_within_a_character() {
        let text = |bytes: &[u8]| super::text([bytes].into_iter());
        assert_eq!(text(b"caf\xc3"), None, "it is whole");
        assert_eq!(text(["a\u{1}", &"b".repeat(5000)].concat().as_bytes()), None);
        let mut wrong = "é".repeat(4000).into_bytes();
        wrong[7] = b'x';
        assert_eq!(text(&wrong), None, "a mistake in its midst");
        assert_eq!(text(b"a\tb\nc").as_deref(), Some("a\tb\nc"));
        assert_eq!(text(b" \r\n"), None);
        let pieces = [&b"upstream "[..], b"connect ", b"error"];
        assert_eq!(super::text(pieces.into_iter()).as_deref(), Some("upstream connect error"));
    }
}
