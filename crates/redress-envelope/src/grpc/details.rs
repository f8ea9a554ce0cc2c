//! The details of an error: a `google.rpc.Status` with the messages of
//! `google/rpc/error_details.proto`, written as JSON.

use std::borrow::Cow;
use std::fmt::Write;

use super::member;
use super::protobuf::{Fields, Value};

/// How many details of one status are read. A server sends a few.
const MAX_DETAILS: usize = 64;
/// How many violations of one detail are read: as many as an envelope has
/// fields.
const MAX_VIOLATIONS: usize = 256;
/// The seconds of the longest duration (google/protobuf/duration.proto).
const MAX_SECONDS: i64 = 315_576_000_000;

/// The parts of a `google.rpc.Status` that are read.
#[derive(Debug, Default)]
pub(super) struct Details<'b> {
    /// The message of the status, which `grpc-message` repeats.
    pub(super) message: Option<&'b [u8]>,
    /// The messages of known types.
    pub(super) messages: Vec<(Kind, &'b [u8])>,
}

/// The type of a detail, by the last part of its type URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    RetryInfo,
    QuotaFailure,
    BadRequest,
    ErrorInfo,
    RequestInfo,
    PreconditionFailure,
    LocalizedMessage,
}

impl<'b> Details<'b> {
    /// Reads a status up to its first mistake.
    pub(super) fn read(status: &'b [u8]) -> Self {
        let mut details = Self::default();
        for (number, value) in Fields::new(status) {
            match (number, value) {
                (2, Value::Bytes(message)) => details.message = Some(message).filter(|message| !message.is_empty()),
                (3, Value::Bytes(any)) if details.messages.len() < MAX_DETAILS => details.messages.extend(known(any)),
                _ => {}
            }
        }
        details
    }

    /// Writes the elements of an array of JSON.
    pub(super) fn write(&self, json: &mut String) {
        for (nth, (kind, message)) in self.messages.iter().enumerate() {
            json.push_str(if nth == 0 { "{" } else { ",{" });
            kind.write(message, json);
            json.push('}');
        }
    }
}

/// Returns the type and the bytes of a message in a `google.protobuf.Any`;
/// `None` for a type that is not read.
fn known(any: &[u8]) -> Option<(Kind, &[u8])> {
    let kind = last(any, 1).and_then(Kind::from_url)?;
    Some((kind, last(any, 2).unwrap_or_default()))
}

/// Returns the bytes of a field.
///
/// Of a repeated one the last counts (protobuf.dev, "Last One Wins"). A field of
/// another wire type is skipped, as by any parser that does not know it.
fn last(message: &[u8], number: u64) -> Option<&[u8]> {
    Fields::new(message).filter(|(field, _)| *field == number).fold(None, |last, (_, value)| match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => last,
    })
}

/// Returns the text of a field; `None` for an empty one, which proto3 does not
/// tell from one that is absent. Invalid UTF-8 is replaced.
fn text(message: &[u8], number: u64) -> Option<Cow<'_, str>> {
    last(message, number).filter(|bytes| !bytes.is_empty()).map(String::from_utf8_lossy)
}

impl Kind {
    /// Returns the type of a URL such as
    /// `type.googleapis.com/google.rpc.RetryInfo`. The host does not matter: it
    /// says where the schema could be fetched.
    fn from_url(url: &[u8]) -> Option<Self> {
        let name = url.rsplit(|byte| *byte == b'/').next()?;
        Some(match name.strip_prefix(b"google.rpc.")? {
            b"RetryInfo" => Self::RetryInfo,
            b"QuotaFailure" => Self::QuotaFailure,
            b"BadRequest" => Self::BadRequest,
            b"ErrorInfo" => Self::ErrorInfo,
            b"RequestInfo" => Self::RequestInfo,
            b"PreconditionFailure" => Self::PreconditionFailure,
            b"LocalizedMessage" => Self::LocalizedMessage,
            _ => return None,
        })
    }

    /// Writes the members of the message. The names are those of its JSON form.
    fn write(self, message: &[u8], json: &mut String) {
        match self {
            Self::RetryInfo => {
                let delay = last(message, 1).and_then(duration);
                if let Some((seconds, nanos)) = delay {
                    let _ = write!(json, "\"retryDelay\":\"{seconds}.{nanos:09}s\"");
                }
            }
            Self::QuotaFailure => {
                let names = [(1, "subject"), (2, "description"), (4, "quotaMetric"), (5, "quotaId")];
                violations("quotaViolations", message, &names, json);
                if violations_of(message).any(is_of_a_day) {
                    json.push_str(",\"quotaPeriod\":\"day\"");
                }
            }
            Self::BadRequest => {
                violations("fieldViolations", message, &[(1, "field"), (2, "description"), (3, "reason")], json);
            }
            Self::ErrorInfo => texts(message, &[(1, "reason"), (2, "domain")], json),
            Self::RequestInfo => texts(message, &[(1, "requestId")], json),
            Self::PreconditionFailure => {
                let names = [(1, "type"), (2, "subject"), (3, "description")];
                violations("preconditionViolations", message, &names, json);
            }
            Self::LocalizedMessage => texts(message, &[(1, "locale"), (2, "localizedMessage")], json),
        }
    }
}

/// Writes the repeated field 1 of a message as a list of objects.
fn violations(list: &str, message: &[u8], names: &[(u64, &str)], json: &mut String) {
    let _ = write!(json, "\"{list}\":[");
    for (nth, violation) in violations_of(message).enumerate() {
        json.push_str(if nth == 0 { "{" } else { ",{" });
        texts(violation, names, json);
        json.push('}');
    }
    json.push(']');
}

/// Returns the messages of the repeated field 1, which is the list in each type
/// that has one; at most [`MAX_VIOLATIONS`].
fn violations_of(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let violations = Fields::new(message).filter_map(|(number, value)| match (number, value) {
        (1, Value::Bytes(violation)) => Some(violation),
        _ => None,
    });
    violations.take(MAX_VIOLATIONS)
}

/// Returns `true` if a violation of a quota names one that is counted over a day
/// or longer, by its description, metric or id.
fn is_of_a_day(violation: &[u8]) -> bool {
    const PERIODS: [&str; 3] = ["day", "week", "month"];
    const ADVERBS: [&str; 3] = ["daily", "weekly", "monthly"];
    [2, 4, 5].into_iter().filter_map(|number| text(violation, number)).any(|text| {
        let text = text.to_ascii_lowercase();
        let letters = text.replace([' ', '_', '-'], "");
        PERIODS.iter().any(|period| letters.contains(&format!("per{period}")) || text.contains(&format!("/{period}")))
            || ADVERBS.iter().any(|adverb| text.contains(adverb))
    })
}

/// Writes the members of an object: the fields that are texts and not empty,
/// under these names, in this order.
fn texts(message: &[u8], names: &[(u64, &str)], json: &mut String) {
    let mut comma = "";
    for (number, name) in names {
        if let Some(text) = text(message, *number) {
            json.push_str(comma);
            member(json, name, &text);
            comma = ",";
        }
    }
}

/// Returns the seconds and nanoseconds of a `google.protobuf.Duration`; `None`
/// for a negative one and one out of its range.
fn duration(message: &[u8]) -> Option<(i64, i64)> {
    let (mut seconds, mut nanos) = (0, 0);
    for (number, value) in Fields::new(message) {
        match (number, value) {
            (1, Value::Varint(number)) => seconds = number.cast_signed(),
            (2, Value::Varint(number)) => nanos = number.cast_signed(),
            _ => {}
        }
    }
    ((0..=MAX_SECONDS).contains(&seconds) && (0..1_000_000_000).contains(&nanos)).then_some((seconds, nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    /// Returns a field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut message = vec![number << 3 | 2];
        let mut len = bytes.len();
        while len >= 0x80 {
            message.push((len & 0x7f) as u8 | 0x80);
            len >>= 7;
        }
        message.push(len as u8);
        message.extend_from_slice(bytes);
        message
    }

    fn detail(kind: &str, message: &[u8]) -> Vec<u8> {
        let any = [field(1, format!("type.googleapis.com/google.rpc.{kind}").as_bytes()), field(2, message)].concat();
        field(3, &any)
    }

    fn written(status: &[u8]) -> Json {
        let mut json = String::from("[");
        Details::read(status).write(&mut json);
        json.push(']');
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    #[test]
    fn each_known_detail_is_written_under_the_names_of_its_json_form() {
        let two = |a: &str, b: &str| [field(1, a.as_bytes()), field(2, b.as_bytes())].concat();
        for (kind, message, expected) in [
            ("RetryInfo", field(1, b"\x08\x02\x10\x80\xca\xb5\xee\x01"), json!({ "retryDelay": "2.500000000s" })),
            ("RetryInfo", field(1, b""), json!({ "retryDelay": "0.000000000s" })),
            ("RetryInfo", vec![], json!({})),
            (
                "QuotaFailure",
                field(1, &[two("project:7", "20 per day"), field(5, b"PerDay")].concat()),
                json!({
                    "quotaViolations": [{ "subject": "project:7", "description": "20 per day", "quotaId": "PerDay" }],
                    "quotaPeriod": "day",
                }),
            ),
            (
                "BadRequest",
                [field(1, &two("name", "is missing")), field(1, &two("age", "\"x\" is not a number"))].concat(),
                json!({ "fieldViolations": [
                    { "field": "name", "description": "is missing" },
                    { "field": "age", "description": "\"x\" is not a number" },
                ] }),
            ),
            ("ErrorInfo", two("LOW_DISK", "acme.example"), json!({ "reason": "LOW_DISK", "domain": "acme.example" })),
            ("RequestInfo", two("rq-7", "secret data"), json!({ "requestId": "rq-7" })),
            (
                "PreconditionFailure",
                field(1, &[two("TOS", "acme"), field(3, b"not accepted")].concat()),
                json!({ "preconditionViolations": [{ "type": "TOS", "subject": "acme", "description": "not accepted" }] }),
            ),
            (
                "LocalizedMessage",
                two("de-CH", "ausgelastet"),
                json!({ "locale": "de-CH", "localizedMessage": "ausgelastet" }),
            ),
        ] {
            assert_eq!(written(&detail(kind, &message)), json!([expected]), "{kind}");
        }
    }

    #[test]
    fn a_quota_of_a_day_or_longer_is_told_by_its_description_metric_or_id() {
        for (number, text, expected) in [
            (5, "GenerateRequestsPerDayPerProjectPerModel-FreeTier", true),
            (5, "GenerateRequestsPerMinutePerProjectPerModel", false),
            (4, "acme.example/requests_per_day", true),
            (2, "Daily limit for mail reached", true),
            (2, "20 requests/day", true),
            (2, "limit per month: 5", true),
            (2, "per minute", false),
            (1, "project:daily-builds", false),
            (3, "per day", false),
        ] {
            assert_eq!(is_of_a_day(&field(number, text.as_bytes())), expected, "{number} {text}");
        }
    }

    #[test]
    fn unknown_details_are_left_out_and_the_others_keep_their_order() {
        let status = [
            detail("DebugInfo", &field(2, b"stack")),
            detail("ErrorInfo", &field(1, b"A")),
            field(3, &field(1, b"type.googleapis.com/acme.Thing")),
            field(3, b""),
            detail("RequestInfo", &field(1, b"rq-1")),
        ];
        assert_eq!(written(&status.concat()), json!([{ "reason": "A" }, { "requestId": "rq-1" }]));
    }

    #[test]
    fn a_duration_out_of_range_is_left_out() {
        let minus_one = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        let too_long = b"\x08\x81\xb0\x9a\xb6\xa6\x09";
        let nanos = b"\x10\x80\x94\xeb\xdc\x03";
        for delay in [&minus_one[..], too_long, nanos] {
            assert_eq!(written(&detail("RetryInfo", &field(1, delay))), json!([{}]), "{delay:?}");
        }
    }

    #[test]
    fn details_and_violations_are_bounded() {
        let many = detail("ErrorInfo", &field(1, b"A")).repeat(1_000);
        assert_eq!(written(&many).as_array().map(Vec::len), Some(MAX_DETAILS));
        let many = detail("BadRequest", &field(1, &field(1, b"a")).repeat(1_000));
        assert_eq!(written(&many)[0]["fieldViolations"].as_array().map(Vec::len), Some(MAX_VIOLATIONS));
    }

    proptest! {
        #[test]
        fn any_bytes_give_json(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = written(&bytes);
            for kind in ["RetryInfo", "QuotaFailure", "BadRequest", "ErrorInfo", "PreconditionFailure"] {
                let _ = written(&detail(kind, &bytes));
                let _ = written(&detail(kind, &field(1, &bytes)));
            }
        }
    }
}
