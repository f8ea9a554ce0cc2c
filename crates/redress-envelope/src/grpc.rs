//! The status of a gRPC call: fields of the head or of the trailers, read as a
//! JSON document.
//!
//! gRPC reports an error in three fields (gRPC over HTTP/2, "Responses"):
//! `grpc-status`, a number; `grpc-message`, percent-encoded; and
//! `grpc-status-details-bin`, base64 of a `google.rpc.Status`. The document has
//! their content in the form that Google's REST APIs use (AIP-193), so that a
//! dialect names code, reason, fields and waits by paths, as it does for any
//! other API:
//!
//! ```json
//! {"grpc-status": "RESOURCE_EXHAUSTED", "grpc-message": "slow down", "details": [{"retryDelay": "2s"}]}
//! ```

mod base64;
mod code;
mod details;
mod protobuf;

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use self::code::GrpcCode;
use self::details::Details;

use crate::dialect::{Dialect, Protocol};
use crate::head::Head;
use crate::location::Location;

/// The member of the document with the name of the status.
const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";
/// The field that the member `details` is read from.
const DETAILS: &str = "grpc-status-details-bin";

const STATUS_FIELD: HeaderName = HeaderName::from_static(STATUS);
const MESSAGE_FIELD: HeaderName = HeaderName::from_static(MESSAGE);
const DETAILS_FIELD: HeaderName = HeaderName::from_static(DETAILS);

impl Dialect {
    /// Returns `true` if the responses are those of gRPC calls, whose status is in
    /// the head or in the trailers (`protocol = "grpc"`).
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert!(dialects::grpc().is_grpc() && !dialects::connect().is_grpc());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.compiled().spec.protocol == Protocol::Grpc
    }

    /// Returns `true` if the trailers of a response may make it an error: of a gRPC
    /// call that is answered with a 200 and without a status in the head.
    ///
    /// A layer holds such a response until its first data, which is that of a
    /// success, or until its trailers.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use http::{HeaderMap, HeaderValue, header};
    /// use redress_envelope::{Head, dialects};
    ///
    /// let grpc = HeaderValue::from_static("application/grpc");
    /// let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, grpc)]);
    /// assert!(dialects::grpc().signals_in_trailers(&Head::new(200, &headers, SystemTime::UNIX_EPOCH)));
    /// headers.insert("grpc-status", HeaderValue::from_static("14"));
    /// assert!(!dialects::grpc().signals_in_trailers(&Head::new(200, &headers, SystemTime::UNIX_EPOCH)));
    /// ```
    #[inline]
    #[must_use]
    pub fn signals_in_trailers(&self, head: &Head<'_>) -> bool {
        self.is_grpc() && may_end_in_status(head)
    }
}

/// Returns `true` if the fields have a status, of a success or of an error.
fn has_status(fields: &HeaderMap) -> bool {
    fields.contains_key(&STATUS_FIELD)
}

/// Returns `true` if the body of a response to a gRPC call may be followed by
/// its status: a 200 of the media type `application/grpc` without one in its
/// head.
///
/// The trailers of gRPC-Web are a part of the body, and are not read.
fn may_end_in_status(head: &Head<'_>) -> bool {
    const TYPE: &str = "application/grpc";
    let media_type = head.media_type();
    let is_grpc = media_type.get(..TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(TYPE));
    let rest = media_type.get(TYPE.len()..).unwrap_or_default();
    head.status == 200 && is_grpc && (rest.is_empty() || rest.starts_with('+')) && !has_status(head.headers)
}

/// Returns the status of a call as a JSON document; `None` if its fields have
/// none.
///
/// It is total: any bytes give a document. Details that are too long, or are not
/// those of a `google.rpc.Status`, are left out from the first mistake on.
#[cold]
pub(crate) fn document(fields: &HeaderMap) -> Option<String> {
    let status = fields.get(&STATUS_FIELD)?;
    let bytes = fields.get(&DETAILS_FIELD).map(HeaderValue::as_bytes).and_then(base64::decode).unwrap_or_default();
    let details = Details::read(&bytes);
    let message = fields.get(&MESSAGE_FIELD).map(|message| percent_decoded(message.as_bytes()));
    let message = message.filter(|message| !message.is_empty()).or_else(|| details.message.map(text));
    let mut json = String::from("{");
    member(&mut json, STATUS, name(status.as_bytes()));
    if let Some(message) = message {
        json.push(',');
        member(&mut json, MESSAGE, &message);
    }
    if !details.messages.is_empty() {
        json.push_str(",\"details\":[");
        details.write(&mut json);
        json.push(']');
    }
    json.push('}');
    Some(json)
}

/// Returns the field that a member of the document was read from.
pub(crate) fn location(location: Location) -> Location {
    match location {
        Location::Body(path) if path == STATUS || path == MESSAGE => Location::Header(path),
        Location::Body(path) if path.starts_with("details") => Location::Header(DETAILS.to_owned()),
        other => other,
    }
}

/// Returns the name of a status number; that of `UNKNOWN` for a number without
/// a name.
fn name(number: &[u8]) -> &'static str {
    let number =
        std::str::from_utf8(number).ok().map(str::trim).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    match number.and_then(|digits| digits.parse().ok()) {
        Some(0) => "OK",
        number => number.and_then(GrpcCode::from_number).unwrap_or(GrpcCode::Unknown).as_str(),
    }
}

/// Decodes `%XX`. Any other `%` stays as it is: the specification asks clients
/// not to reject a message ("Responses").
fn percent_decoded(message: &[u8]) -> String {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some((first, others)) = rest.split_first() {
        let decoded = match (first, others) {
            (b'%', [high, low, ..]) => digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &others[2..] } else { others };
    }
    text(&bytes)
}

/// Returns bytes as a text, in which invalid UTF-8 is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a name and a text.
fn member(json: &mut String, name: &str, text: &str) {
    string(json, name);
    json.push(':');
    string(json, text);
}

/// Writes a text as a string of JSON (RFC 8259 section 7).
fn string(json: &mut String, text: &str) {
    json.push('"');
    for symbol in text.chars() {
        match symbol {
            '"' | '\\' => json.extend(['\\', symbol]),
            '\0'..='\x1f' => {
                let _ = write!(json, "\\u{:04x}", u32::from(symbol));
            }
            _ => json.push(symbol),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn each_number_has_its_name_and_all_others_are_unknown() {
        let names = GrpcCode::ALL.map(GrpcCode::as_str);
        for (number, name) in ["OK"].iter().chain(&names).enumerate() {
            let number = number.to_string();
            let json = document(&fields(&[(STATUS, number.as_bytes())]));
            assert_eq!(json, Some(format!("{{\"grpc-status\":\"{name}\"}}")));
        }
        for number in ["17", "99999999999999999999", "-1", "+5", "", "fourteen", "1 4"] {
            assert_eq!(name(number.as_bytes()), "UNKNOWN", "{number}");
        }
        assert_eq!(document(&HeaderMap::new()), None);
    }

    #[test]
    fn the_message_of_the_details_stands_in_for_one_that_is_lacking() {
        for (details, message, expected) in [
            (&b"EgFt"[..], &b""[..], "{\"grpc-status\":\"NOT_FOUND\",\"grpc-message\":\"m\"}"),
            (b"EgFt", b"own", "{\"grpc-status\":\"NOT_FOUND\",\"grpc-message\":\"own\"}"),
            (b"EgA", b"", "{\"grpc-status\":\"NOT_FOUND\"}"),
        ] {
            let fields = fields(&[(STATUS, b"5"), (MESSAGE, message), (DETAILS, details)]);
            assert_eq!(document(&fields).as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_the_response_to_a_grpc_call_may_end_in_a_status() {
        let grpc = crate::dialects::grpc();
        for (dialect, status, kind, expected) in [
            (&grpc, 200, "application/grpc", true),
            (&grpc, 200, "Application/gRPC+proto", true),
            (&grpc, 200, "application/grpc-web", false),
            (&grpc, 200, "application/json", false),
            (&grpc, 503, "application/grpc", false),
            (&crate::dialects::connect(), 200, "application/grpc", false),
        ] {
            let headers = fields(&[("content-type", kind.as_bytes())]);
            let head = Head::new(status, &headers, std::time::SystemTime::UNIX_EPOCH);
            assert_eq!(dialect.signals_in_trailers(&head), expected, "{} {status} {kind}", dialect.name());
        }
    }

    #[test]
    fn a_message_is_percent_decoded_and_a_wrong_percent_sign_stays() {
        for (sent, read) in [
            (&b"plain"[..], "plain"),
            (b"100%25 full", "100% full"),
            (b"Z%C3%BCrich", "Z\u{fc}rich"),
            (b"%e2%82%ac", "\u{20ac}"),
            (b"50% of it", "50% of it"),
            (b"%", "%"),
            (b"%4", "%4"),
            (b"%4g%41", "%4gA"),
            (b"%FF", "\u{fffd}"),
            (b"Z\xc3\xbcrich", "Z\u{fc}rich"),
        ] {
            assert_eq!(percent_decoded(sent), read);
        }
    }

    #[test]
    fn the_document_is_json_whatever_the_message() {
        let message = b"\"quoted\" \\ %0A%00 end";
        let json = document(&fields(&[(STATUS, b"3"), (MESSAGE, message)])).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value[MESSAGE], "\"quoted\" \\ \n\0 end");
    }

    #[test]
    fn only_a_grpc_response_without_a_status_may_end_in_one() {
        for (status, media_type, in_head, expected) in [
            (200, "application/grpc", false, true),
            (200, "application/grpc+proto", false, true),
            (200, "Application/GRPC+json; charset=utf-8", false, true),
            (200, "application/grpc", true, false),
            (503, "application/grpc", false, false),
            (200, "application/grpc-web", false, false),
            (200, "application/grpc-web+proto", false, false),
            (200, "application/json", false, false),
            (200, "", false, false),
        ] {
            let mut headers = fields(&[("content-type", media_type.as_bytes())]);
            if in_head {
                headers.extend(fields(&[(STATUS, b"0")]));
            }
            let head = Head::new(status, &headers, std::time::SystemTime::UNIX_EPOCH);
            assert_eq!(may_end_in_status(&head), expected, "{status} {media_type} {in_head}");
        }
    }

    #[test]
    fn what_stands_in_a_field_is_said_to_be_there() {
        for (member, expected) in [
            (STATUS, Location::Header(STATUS.to_owned())),
            (MESSAGE, Location::Header(MESSAGE.to_owned())),
            ("details[*].reason", Location::Header(DETAILS.to_owned())),
            ("reason", Location::Body("reason".to_owned())),
        ] {
            assert_eq!(location(Location::Body(member.to_owned())), expected, "{member}");
        }
        assert_eq!(location(Location::WholeBody), Location::WholeBody);
    }
}
