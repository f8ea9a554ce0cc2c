//! Holds the reader of gRPC statuses to what a status can be, and its base64 and Protocol Buffers against naive readers.
//!
//! The data are three lines and the rest: `grpc-status`, `grpc-message`, a first byte that tells whether the rest is the
//! value of `grpc-status-details-bin` (`t`) or the bytes that it encodes (`b`), and the rest.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};
use redress_envelope::{Envelope, Head, dialects};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The longest value that is decoded.
const MAX_LEN: usize = 64 * 1024;

/// Reads a status, in the form that the module's documentation states.
///
/// # Panics
/// When a status has no code of the specification, more than 256 fields, a body that cannot be read, a reason or a request id
/// that no detail has, or other parts after its details were encoded with padding.
pub fn check(data: &[u8]) {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let [status, message, kind, rest] = [(); 4].map(|()| lines.next().unwrap_or_default());
    let bytes = if kind == b"b" { rest } else { &[] };
    let bin = if kind == b"b" { base64(rest) } else { rest.to_vec() };
    let Some(read) = read(status, message, &bin) else { return };
    if kind == b"b" && bin.len() <= MAX_LEN {
        let padded = [&bin[..], &b"=="[..(4 - bin.len() % 4) % 4]].concat();
        assert_eq!(self::read(status, message, &padded).as_ref(), Some(&read), "padding is no part of the value");
        let texts = texts(bytes, 6);
        for text in [&read.1, &read.2].into_iter().flatten() {
            assert!(texts.contains(text), "{text} is in no detail");
        }
    }
}

type Read = (Option<String>, Option<String>, Option<String>, Option<String>, usize);

/// Returns code, reason, request id, message and the number of fields; `None` for values that are not those of a field.
fn read(status: &[u8], message: &[u8], bin: &[u8]) -> Option<Read> {
    let mut headers = HeaderMap::new();
    for (name, value) in [("grpc-status", status), ("grpc-message", message), ("grpc-status-details-bin", bin)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?);
    }
    let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
    let grpc = dialects::grpc();
    let envelope = Envelope::read(&grpc, &head, []);
    assert_eq!(envelope.unreadable, None, "the document of a status is JSON");
    assert!(envelope.fields.len() <= 256);
    let code = envelope.code.as_deref().expect("each number has a name");
    assert!(code == "OK" || grpc.code(code).is_some(), "{code}");
    let _ = grpc.meaning(&head, &envelope);
    let owned = |text: Option<std::borrow::Cow<'_, str>>| text.map(std::borrow::Cow::into_owned);
    let fields = envelope.fields.len();
    Some((owned(envelope.code), owned(envelope.reason), owned(envelope.request_id), owned(envelope.message), fields))
}

/// Encodes bytes without padding.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<bool> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let digit = |bits: &[bool]| (0..6).fold(0, |value, nth| value << 1 | usize::from(bits.get(nth) == Some(&true)));
    bits.chunks(6).map(|bits| DIGITS[digit(bits)]).collect()
}

/// Returns every length-delimited field of a message as a text, and those of the messages that these may be.
fn texts(message: &[u8], depth: u32) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = message;
    while let Some((tag, after)) = varint(rest) {
        let len = match tag % 8 {
            0 => varint(after).map(|(_, end)| after.len() - end.len()),
            1 => Some(8),
            2 => varint(after).and_then(|(len, end)| {
                let start = after.len() - end.len();
                let len = usize::try_from(len).ok()?;
                let field = end.get(..len)?;
                texts.push(String::from_utf8_lossy(field).into_owned());
                if depth > 0 {
                    texts.extend(self::texts(field, depth - 1));
                }
                Some(start + len)
            }),
            5 => Some(4),
            _ => None,
        };
        let Some(next) = len.and_then(|len| after.get(len..)) else { break };
        rest = next;
    }
    texts
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let value = bytes[..=end].iter().rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, &bytes[end + 1..]))
}
