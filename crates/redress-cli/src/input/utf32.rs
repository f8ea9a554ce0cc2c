//! Reads UTF-32, which is not an encoding of the web (WHATWG Encoding, section 4.2); some libraries write it by mistake.

/// Returns a text in UTF-32 as UTF-8; `None` for any other.
///
/// A byte order mark tells, or the zero bytes around the first symbol of a JSON text, which is ASCII (RFC 4627 section 3).
pub(super) fn decoded(bytes: &[u8]) -> Option<String> {
    let first: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    match first {
        [0xff, 0xfe, 0, 0] => Some(text(&bytes[4..], u32::from_le_bytes)),
        [0, 0, 0xfe, 0xff] => Some(text(&bytes[4..], u32::from_be_bytes)),
        [0, 0, 0, symbol] if symbol != 0 => Some(text(bytes, u32::from_be_bytes)),
        [symbol, 0, 0, 0] if symbol != 0 => Some(text(bytes, u32::from_le_bytes)),
        _ => None,
    }
}

/// Joins the symbols; U+FFFD stands for what is not one.
fn text(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> String {
    let symbols = bytes.chunks_exact(4).map(|bytes| unit([bytes[0], bytes[1], bytes[2], bytes[3]]));
    symbols.map(|symbol| char::from_u32(symbol).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_byte_order_is_read_with_and_without_a_mark() {
        let text = "{\"a\":\"ü😀\"}";
        for mark in ["", "\u{feff}"] {
            let symbols = || mark.chars().chain(text.chars()).map(u32::from);
            let little: Vec<u8> = symbols().flat_map(u32::to_le_bytes).collect();
            let big: Vec<u8> = symbols().flat_map(u32::to_be_bytes).collect();
            assert_eq!((decoded(&little).as_deref(), decoded(&big).as_deref()), (Some(text), Some(text)), "{mark:?}");
        }
    }

    #[test]
    fn other_bytes_are_left_alone() {
        for bytes in [&b""[..], b"abc", b"{\"a\":1}", b"\xff\xfe{\x00\"\x00", b"\0\0\0\0", b"\0{\0\""] {
            assert_eq!(decoded(bytes), None, "{bytes:?}");
        }
    }
}
