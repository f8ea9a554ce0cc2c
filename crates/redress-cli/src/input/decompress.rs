//! Unpacks bodies that were saved as they came over the wire.
//!
//! gzip and deflate are unpacked, by the `Content-Encoding` or, without one, by the first bytes: many tools save the body
//! unpacked and keep the header, others keep neither. br and zstd are not unpacked, since their decoders are large; the response
//! gets a note. A body in chunks (RFC 9112 section 7.1) is joined. UTF-32 is decoded.
//!
//! The result is bounded, since a few bytes of gzip can expand to gigabytes.
//!
//! | saved as | header | result |
//! |---|---|---|
//! | packed | `gzip`, `deflate` | unpacked |
//! | packed | none | unpacked: the first bytes say so |
//! | unpacked | `gzip` | as it is: the tool kept the header |
//! | packed | `br`, `zstd` | as it is, with a note |
//! | in chunks | `chunked` | joined |
//! | damaged | any | the part before the damage, with a note |

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};

use super::parsed::ParsedResponse;
use super::{trailers, utf32};

/// The most that is unpacked of one body, in bytes: far more than any error has, and a bound on a compression bomb.
pub(super) const MAX_UNPACKED: usize = 1024 * 1024;
/// The most codings that are taken off one body; servers use one, and two by mistake.
const MAX_LAYERS: usize = 3;

/// The outcome of one layer.
enum Layer {
    /// The header names a coding that the body does not have: the tool that saved it has unpacked it.
    Gone,
    /// The coding was taken off; of a damaged body as far as that was possible.
    Unpacked { body: Vec<u8>, is_damaged: bool },
    /// The coding is not known here; the note says so.
    Packed(Cow<'static, str>),
}

/// Takes chunks, codings and UTF-32 off the body of a response, or notes why that cannot be done.
///
/// A wrong or missing header is common in saved responses, so the first bytes are trusted more than the header.
///
/// The body stays borrowed where there is nothing to take off.
pub(crate) fn unpack(found: &mut ParsedResponse<'_>) {
    if is_chunked(&found.headers)
        && let Some((body, trailers)) = dechunked(&found.body)
    {
        trailers::add_lines(&mut found.headers, trailers);
        found.body = Cow::Owned(body);
    }
    for coding in codings(&found.headers, &found.body) {
        match layer(&coding, &found.body) {
            Layer::Gone => {}
            Layer::Unpacked { body, is_damaged } => {
                if is_damaged {
                    found.notes.push("body: damaged; what could be unpacked of it was read".into());
                }
                if body.len() > MAX_UNPACKED {
                    found.notes.push("body: more than 1 MiB when unpacked, the rest was not read".into());
                }
                found.body = Cow::Owned(body);
                found.body.to_mut().truncate(MAX_UNPACKED);
            }
            Layer::Packed(note) => return found.notes.push(note),
        }
    }
    if let Some(text) = utf32::decoded(&found.body) {
        found.body = Cow::Owned(text.into_bytes());
    }
}

/// Returns the codings in the order in which they are taken off, by the header or else by the first bytes.
///
/// The last coding of the header was applied last (RFC 9110 section 8.4), so that it is taken off first.
fn codings(headers: &HeaderMap, body: &[u8]) -> Vec<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let mut codings: Vec<_> = names.filter(|name| !name.is_empty() && name != "identity").take(MAX_LAYERS).collect();
    codings.reverse();
    if codings.is_empty() {
        let sniffed = match body {
            [0x1f, 0x8b, 0x08, ..] => "gzip",
            [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
            _ => return codings,
        };
        codings.push(sniffed.to_owned());
    }
    codings
}

/// Takes one coding off.
fn layer(coding: &str, body: &[u8]) -> Layer {
    if body.is_empty() {
        return Layer::Gone;
    }
    let unpacked = match coding {
        "gzip" | "x-gzip" if body.starts_with(&[0x1f, 0x8b]) => bounded(MultiGzDecoder::new(body)),
        "deflate" if is_zlib(body) => bounded(ZlibDecoder::new(body)),
        _ if is_text(body) => return Layer::Gone,
        // Some servers send it without the zlib header (RFC 9110 section 8.4.1.2).
        "deflate" => bounded(DeflateDecoder::new(body)),
        "gzip" | "x-gzip" => return Layer::Packed(damaged(coding)),
        // The name is the server's: only those that are known are repeated.
        "br" | "zstd" | "compress" | "x-compress" => return Layer::Packed(unknown(coding)),
        _ => return Layer::Packed("body: packed in an unknown way, and not read".into()),
    };
    match unpacked {
        (body, read) if !body.is_empty() => Layer::Unpacked { body, is_damaged: read.is_err() },
        _ => Layer::Packed(damaged(coding)),
    }
}

/// Writes the note for a coding that is not unpacked.
fn unknown(coding: &str) -> Cow<'static, str> {
    format!("body: packed with {coding}, and not read; decode it first, as `curl --compressed` does").into()
}

/// Writes the note for a body that its coding does not fit.
fn damaged(coding: &str) -> Cow<'static, str> {
    format!("body: packed with {coding} and damaged, so that it was not read; it must be saved as bytes, not as text")
        .into()
}

/// Unpacks one byte more than is kept, so that a longer body is noticed; what came before damage is kept.
fn bounded(decoder: impl Read) -> (Vec<u8>, io::Result<usize>) {
    let mut body = Vec::new();
    let read = decoder.take(MAX_UNPACKED as u64 + 1).read_to_end(&mut body);
    (body, read)
}

/// Returns whether the bytes have the header of zlib (RFC 1950 section 2.2).
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..] if method & 0x0f == 8 && method >> 4 <= 7
        && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
        && !is_text(body)
}

/// Returns whether the beginning of a body is text, so that it was unpacked before it was saved.
fn is_text(body: &[u8]) -> bool {
    const ENOUGH: usize = 512;
    let part = &body[..body.len().min(ENOUGH)];
    let text = match std::str::from_utf8(part) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&part[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    let is_strange = |symbol: char| symbol == '\u{fffd}' || (symbol.is_control() && !symbol.is_whitespace());
    !text.is_empty() && !text.contains(is_strange)
}

/// Returns `true` if the body was sent in chunks (RFC 9112 section 7.1).
fn is_chunked(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TRANSFER_ENCODING);
    values.iter().any(|value| value.as_bytes().to_ascii_lowercase().ends_with(b"chunked"))
}

/// Takes a body out of its chunks (RFC 9112 section 7.1); `None` when it is not in chunks, as most tools save it.
///
/// ```text
/// 18\r\n{"error":"rate_limited"}\r\n0\r\n\r\n   ->   {"error":"rate_limited"}
/// ```
///
/// The second part is what follows the last chunk: trailers, as lines.
fn dechunked(body: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = body;
    let mut whole = Vec::new();
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest[..end].split(|byte| *byte == b';').next()?.trim_ascii();
        let size = usize::from_str_radix(std::str::from_utf8(line).ok().filter(|line| line.len() <= 8)?, 16).ok()?;
        rest = &rest[end + 1..];
        if size == 0 {
            return Some((whole, rest));
        }
        whole.extend_from_slice(rest.get(..size)?);
        rest = &rest[size..];
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"))?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::StatusCode;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(headers: &[(&'static str, &'static str)], body: &[u8]) -> (Vec<u8>, Vec<String>) {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        let mut found = ParsedResponse::new(StatusCode::OK, headers.collect(), Cow::Borrowed(body));
        unpack(&mut found);
        (found.body.into_owned(), found.notes.into_iter().map(Cow::into_owned).collect())
    }

    #[test]
    fn gzip_and_deflate_are_unpacked_whether_a_header_says_so_or_not() {
        let text = b"{\"error\":\"rate_limited\"}";
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(text).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(text).unwrap();
        for (coding, body) in [
            ("gzip", gzip(text)),
            ("x-gzip", gzip(text)),
            ("GZIP, gzip", gzip(&gzip(text))),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", deflate.finish().unwrap()),
            ("identity", text.to_vec()),
            ("identity", gzip(text)),
            ("gzip", text.to_vec()),
            ("br", text.to_vec()),
        ] {
            assert_eq!(unpacked(&[("content-encoding", coding)], &body), (text.to_vec(), vec![]), "{coding}");
        }
        assert_eq!(unpacked(&[], &gzip(text)).0, text);
    }

    #[test]
    fn an_unknown_coding_gets_a_note() {
        for (coding, body, note) in [
            ("br", &b"\x0b\x02\x80\xff"[..], "packed with br"),
            ("zstd", b"\x28\xb5\x2f\xfd\xff", "packed with zstd"),
            ("gzip", b"\x1f\xef\xbf\xbd\x08\x00", "packed with gzip and damaged"),
            ("s3cret", b"\x00\xff", "packed in an unknown way"),
        ] {
            let (kept, notes) = unpacked(&[("content-encoding", coding)], body);
            assert_eq!(kept, body);
            assert!(notes.len() == 1 && notes[0].contains(note), "{notes:?}");
        }
        assert!(unpacked(&[], b"\x28\xb5\x2f\xfd\xff").1[0].contains("packed with zstd"));
        assert_eq!(unpacked(&[("content-encoding", "br")], b""), (vec![], vec![]));
    }

    #[test]
    fn unpacking_is_bounded() {
        let bomb = gzip(&vec![b' '; 64 * MAX_UNPACKED]);
        let (body, notes) = unpacked(&[("content-encoding", "gzip")], &bomb);
        assert_eq!(body.len(), MAX_UNPACKED);
        assert!(notes[0].contains("1 MiB"), "{notes:?}");
    }

    #[test]
    fn the_readable_part_of_a_damaged_body_is_read() {
        let packed = gzip(&b"{\"error\":\"rate_limited\"}".repeat(100));
        let (body, notes) = unpacked(&[("content-encoding", "gzip")], &packed[..packed.len() - 8]);
        assert!(body.starts_with(b"{\"error\":\"rate_limited\"}") && notes[0].contains("damaged"), "{notes:?}");
    }

    #[test]
    fn the_trailers_of_a_grpc_response_behind_the_last_chunk_are_read() {
        for (media_type, expected) in [("application/grpc", Some("14")), ("application/json", None)] {
            let headers = [("transfer-encoding", "chunked"), ("content-type", media_type)];
            let headers =
                headers.map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()));
            let body = b"5\r\nhello\r\n0\r\ngrpc-status: 14\r\n\r\n";
            let mut found = ParsedResponse::new(StatusCode::OK, HeaderMap::from_iter(headers), Cow::Borrowed(body));
            unpack(&mut found);
            assert_eq!(&*found.body, b"hello");
            assert_eq!(found.headers.get("grpc-status").map(|status| status.to_str().unwrap()), expected);
        }
    }

    #[test]
    fn chunks_are_taken_off_only_where_they_fit() {
        let chunked = [("transfer-encoding", "chunked")];
        assert_eq!(unpacked(&chunked, b"7\r\n{\"a\":1}\r\n0\r\n\r\n").0, b"{\"a\":1}");
        assert_eq!(unpacked(&chunked, b"3;x=y\n{\"a\n4\n\":1}\n0\n").0, b"{\"a\":1}");
        for body in [&b"{\"a\":1}"[..], b"7\r\n{\"a\":1}", b"ffffffff\r\n{}", b"12\n", b""] {
            assert_eq!(unpacked(&chunked, body).0, body);
        }
        assert_eq!(unpacked(&[], b"2\r\n{}\r\n0\r\n\r\n").0, b"2\r\n{}\r\n0\r\n\r\n");
    }
}
