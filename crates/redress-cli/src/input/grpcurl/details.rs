//! Encodes the details of an error, which grpcurl prints as JSON, as the `google.rpc.Status` in which a server sends them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Deserializer, Map, Value};

/// The field with the details.
pub(super) const FIELD: &str = "grpc-status-details-bin";

/// The members of a message that are read, with their numbers (`google/rpc/error_details.proto`).
type Members = &'static [(&'static str, u8)];

/// Returns base64 of the details in a list such as `1) {"@type": ..}`; `None` if there are none.
pub(super) fn encoded(list: &[u8]) -> Option<String> {
    let (mut status, mut rest) = (Vec::new(), list);
    while let Some(start) = rest.iter().position(|byte| *byte == b'{') {
        let mut values = Deserializer::from_slice(&rest[start..]).into_iter::<Map<String, Value>>();
        let Some(Ok(detail)) = values.next() else { break };
        rest = &rest[start + values.byte_offset()..];
        if let Some(url) = detail.get("@type").and_then(Value::as_str) {
            let kind = url.rsplit('/').next().unwrap_or_default();
            let any = [bytes(1, url.as_bytes()), bytes(2, &message(kind, &detail))].concat();
            status.extend(bytes(3, &any));
        }
    }
    (!status.is_empty()).then(|| STANDARD_NO_PAD.encode(status))
}

/// Encodes a message by its name. One that the dialect does not read is left empty: its name alone is kept.
fn message(kind: &str, detail: &Map<String, Value>) -> Vec<u8> {
    match kind {
        "google.rpc.RetryInfo" => detail.get("retryDelay").and_then(Value::as_str).map_or_else(Vec::new, delay),
        "google.rpc.ErrorInfo" => texts(detail, &[("reason", 1), ("domain", 2)]),
        "google.rpc.RequestInfo" => texts(detail, &[("requestId", 1)]),
        "google.rpc.LocalizedMessage" => texts(detail, &[("locale", 1), ("message", 2)]),
        "google.rpc.BadRequest" => violations(detail, "fieldViolations", &[("field", 1), ("description", 2)]),
        "google.rpc.QuotaFailure" => {
            violations(detail, "violations", &[("subject", 1), ("description", 2), ("quotaMetric", 4), ("quotaId", 5)])
        }
        "google.rpc.PreconditionFailure" => {
            violations(detail, "violations", &[("type", 1), ("subject", 2), ("description", 3)])
        }
        _ => Vec::new(),
    }
}

/// Encodes a duration such as `2.5s` as `google.protobuf.Duration`: seconds and nanoseconds. A text of another form
/// gives an empty message, so that the error is read without a wait.
fn delay(text: &str) -> Vec<u8> {
    let (seconds, fraction) = text.trim_end_matches('s').split_once('.').unwrap_or((text.trim_end_matches('s'), ""));
    let (Ok(seconds), Ok(nanos)) = (seconds.parse(), format!("{fraction:0<9.9}").parse()) else { return Vec::new() };
    let number = |field: u8, value: u64| [vec![field << 3], varint(value)].concat();
    bytes(1, &[number(1, seconds), number(2, nanos)].concat())
}

/// Encodes a list of messages, each as field 1.
fn violations(detail: &Map<String, Value>, list: &str, members: Members) -> Vec<u8> {
    let list = detail.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    list.flat_map(|violation| bytes(1, &texts(violation, members))).collect()
}

/// Encodes the members that are texts, and leaves out the others.
fn texts(object: &Map<String, Value>, members: Members) -> Vec<u8> {
    let text = |(name, number): &(&str, u8)| Some(bytes(*number, object.get(*name)?.as_str()?.as_bytes()));
    members.iter().filter_map(text).flatten().collect()
}

/// Encodes a field with bytes: the number of the field with wire type 2, the length, and the bytes (protobuf.dev,
/// "Encoding").
fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(value.len() as u64), value].concat()
}

/// Encodes a number in groups of seven bits, the lowest first; all but the last have the highest bit.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::{HeaderMap, HeaderValue};
    use redress_envelope::{Envelope, Head, dialects};

    use super::*;

    #[test]
    fn the_dialect_reads_what_was_encoded() {
        let list = br#"
  1)	{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2.5s"}
  2)	{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"LOW_DISK","domain":"acme.example"}
  3)	{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"days","description":"above 30"}]}
  4)	{"@type":"type.googleapis.com/acme.Thing","x":1}
  5)	{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"rq-7"}"#;
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("3"));
        headers.insert(FIELD, HeaderValue::try_from(encoded(list).expect("there are details")).unwrap());
        let envelope = Envelope::read(&dialects::grpc(), &Head::new(200, &headers, SystemTime::UNIX_EPOCH), []);
        assert_eq!((envelope.reason.as_deref(), envelope.request_id.as_deref()), (Some("LOW_DISK"), Some("rq-7")));
        assert_eq!((&*envelope.fields[0].path, &*envelope.fields[0].message), ("days", "above 30"));
        let delay = envelope.hint.map(|hint| hint.delay(SystemTime::UNIX_EPOCH));
        assert_eq!(delay, Some(Duration::from_millis(2_500)));
        for list in ["", "1) nothing", "1) {\"a\":1}", "1) {\"@type\""] {
            assert_eq!(encoded(list.as_bytes()), None, "{list}");
        }
    }
}
