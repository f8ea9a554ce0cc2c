//! Finds the trailers of a gRPC response behind its body, where tools print them.
//!
//! The stack reads trailers of gRPC alone, so other trailers are left where they stand: a `Retry-After` behind a body does not
//! count (RFC 9110 section 6.5.1).
//!
//! | printed by | the trailers |
//! |---|---|
//! | `curl -i` | lines behind the body, the first one right behind its last byte |
//! | `curl -v` | lines behind `< `, the first one right behind the last byte of the body if that goes to the same stream |
//! | `curl --raw` | lines behind the last chunk (RFC 9112 section 7.1.2) |

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};

use super::head::append;

/// The fields that gRPC itself defines. The longest one that fits a place is the name there.
const NAMES: [&str; 4] = ["grpc-status-details-bin", "grpc-retry-pushback-ms", "grpc-message", "grpc-status"];
/// More lines than trailers have; the time stays linear.
const MAX_LINES: usize = 64;

/// Returns whether the media type is one of gRPC: `application/grpc`, `application/grpc+proto`.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|media_type| media_type.as_bytes().starts_with(b"application/grpc"))
}

/// Moves the trailers at the end of a body to the headers, and returns the body before them.
///
/// Fields of the service may stand among those of gRPC. A line that is neither ends the search.
pub(super) fn cut<'a>(headers: &mut HeaderMap, body: &'a [u8]) -> &'a [u8] {
    if !is_grpc(headers) {
        return body;
    }
    let (mut before, mut found, mut is_known) = (body.trim_ascii_end(), Vec::new(), false);
    let mut rest = before;
    for _ in 0..MAX_LINES {
        let at = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = rest[at..].trim_ascii_end();
        // The first one has the data of the body before it.
        if let Some(begin) = known_name_at(line) {
            (before, is_known) = (&rest[..at + begin], true);
            found.extend(field(&line[begin..]));
            if begin > 0 {
                break;
            }
        } else if let Some(field) = field(line) {
            before = &rest[..at];
            found.push(field);
        } else {
            break;
        }
        if at == 0 {
            break;
        }
        rest = &rest[..at - 1];
    }
    if !is_known {
        return body;
    }
    for (name, value) in found.into_iter().rev() {
        // A value that no field can have was changed by the terminal: the others still count.
        let _ = append(headers, name, value);
    }
    before
}

/// Adds the trailers that stand behind the last chunk of a body, up to an empty line.
pub(super) fn add_lines(headers: &mut HeaderMap, lines: &[u8]) {
    if !is_grpc(headers) {
        return;
    }
    for line in lines.split(|byte| *byte == b'\n').take(MAX_LINES).map(<[u8]>::trim_ascii_end) {
        let Some((name, value)) = field(line) else { return };
        let _ = append(headers, name, value);
    }
}

/// Splits a line of a body in `curl -v` before a trailer, which follows `< `: the end of the body, and the trailer.
pub(super) fn marked(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(trailer) = line.strip_prefix(b"< ").filter(|trailer| field(trailer).is_some()) {
        return Some((b"", trailer));
    }
    let at = line.windows(2).rposition(|window| window == b"< ")?;
    let trailer = &line[at + 2..];
    (known_name_at(trailer) == Some(0)).then_some((&line[..at], trailer))
}

/// Returns where in a line a field of gRPC begins.
fn known_name_at(line: &[u8]) -> Option<usize> {
    let mut colons = line.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at);
    colons.find_map(|colon| NAMES.iter().find_map(|name| begin_of(&line[..colon], name)))
}

/// Returns where a text begins that ends with this name.
fn begin_of(text: &[u8], name: &str) -> Option<usize> {
    let at = text.len().checked_sub(name.len())?;
    text[at..].eq_ignore_ascii_case(name.as_bytes()).then_some(at)
}

/// Reads `name: value`.
fn field(line: &[u8]) -> Option<(HeaderName, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((HeaderName::from_bytes(&line[..colon]).ok()?, line[colon + 1..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grpc() -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static("application/grpc+proto"))])
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let fields = headers.iter().filter(|(name, _)| *name != CONTENT_TYPE);
        fields.map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn trailers_are_found_behind_any_body() {
        for (body, before, expected) in [
            (&b"grpc-status: 14\r\ngrpc-message: a: b\r\n"[..], &b""[..], &["grpc-status=14", "grpc-message=a: b"][..]),
            (b"\0\0\0\0\x05hellogrpc-status: 14\r\n", b"\0\0\0\0\x05hello", &["grpc-status=14"]),
            (b"\0\0\0\0\x03a:\nGRPC-Status:14\nx-own: c", b"\0\0\0\0\x03a:\n", &["grpc-status=14", "x-own=c"]),
            (b"x-own: c\r\ngrpc-status: 0\r\n\r\n", b"", &["x-own=c", "grpc-status=0"]),
            (b"\x01:grpc-status-details-bin: CAg", b"\x01:", &["grpc-status-details-bin=CAg"]),
            (b"5\r\nhello\r\n0\r\ngrpc-status: 14\r\n\r\n", b"5\r\nhello\r\n0\r\n", &["grpc-status=14"]),
            (b"x-own: c\r\n", b"x-own: c\r\n", &[]),
            (b"grpc-status", b"grpc-status", &[]),
            (b"", b"", &[]),
        ] {
            let mut headers = grpc();
            assert_eq!(cut(&mut headers, body), before, "{}", body.escape_ascii());
            assert_eq!(shown(&headers), expected, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn other_responses_keep_their_bodies() {
        let mut headers = HeaderMap::new();
        assert_eq!(cut(&mut headers, b"{}\r\ngrpc-status: 14\r\n"), b"{}\r\ngrpc-status: 14\r\n");
        add_lines(&mut headers, b"grpc-status: 14\r\n\r\n");
        assert_eq!(shown(&headers), [""; 0]);
    }

    #[test]
    fn the_lines_behind_the_last_chunk_are_trailers() {
        let mut headers = grpc();
        add_lines(&mut headers, b"grpc-status: 8\r\nx-own: c\r\n\r\nnot: one\r\n");
        assert_eq!(shown(&headers), ["grpc-status=8", "x-own=c"]);
    }

    #[test]
    fn a_marked_trailer_is_told_from_the_body() {
        assert_eq!(marked(b"< x-own: c"), Some((&b""[..], &b"x-own: c"[..])));
        assert_eq!(marked(b"a < b< grpc-status: 14"), Some((&b"a < b"[..], &b"grpc-status: 14"[..])));
        for body in [&b"a < b: c"[..], b"< a b: c", b"< b", b"grpc-status: 14", b""] {
            assert_eq!(marked(body), None, "{}", body.escape_ascii());
        }
    }
}
