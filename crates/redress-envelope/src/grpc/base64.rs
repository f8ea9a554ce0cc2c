//! Base64 of binary metadata, with padding or without it (gRPC over HTTP/2,
//! "Custom-Metadata": implementations must accept both).

/// The longest value that is decoded, in bytes: eight times what HTTP/2 clients
/// accept as a field section by default (8 KiB in gRPC).
const MAX_LEN: usize = 64 * 1024;

/// Decodes a value; `None` for what is too long or is not base64 of RFC 4648
/// section 4 or 5.
pub(super) fn decode(value: &[u8]) -> Option<Vec<u8>> {
    let digits = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    if digits.len() > MAX_LEN || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            bits = (bits << 6) + u32::from(value_of(*digit)?);
        }
        // A group of n digits has n - 1 bytes, from the highest bit on.
        let [_, first, second, third] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&[first, second, third][..group.len() - 1]);
    }
    Some(bytes)
}

/// Returns the six bits of a digit in either alphabet: the standard one, which
/// gRPC uses, and the one for URLs, which some proxies write.
fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_are_read_with_and_without_padding() {
        for (encoded, decoded) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(encoded.as_bytes()).as_deref(), Some(decoded.as_bytes()), "{encoded}");
            let bare = encoded.trim_end_matches('=');
            assert_eq!(decode(bare.as_bytes()).as_deref(), Some(decoded.as_bytes()), "{bare}");
        }
        for either in [&b"-_8"[..], b"+/8="] {
            assert_eq!(decode(either), Some(vec![0xfb, 0xff]));
        }
    }

    #[test]
    fn other_values_are_not_decoded() {
        for value in [&b"A"[..], b"AAAAA", b"A=AA", b"AA A", b"AA===", b"\xff\xff", b"AAA*"] {
            assert_eq!(decode(value), None, "{value:?}");
        }
        assert!(decode(&[b'A'; MAX_LEN]).is_some());
        assert_eq!(decode(&[b'A'; MAX_LEN + 4]), None);
    }
}
