//! The values of a service config: durations and status codes in the JSON form of Protocol Buffers.

use std::time::Duration;

use serde_json::Value;

use super::GrpcCode;

/// Returns a duration, such as `"1.5s"` (protobuf.dev, "`ProtoJSON` Format"); `None` for a negative one and anything else.
pub(super) fn duration(value: &Value) -> Option<Duration> {
    let text = value.as_str()?.strip_suffix('s')?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let has_fraction = text.contains('.');
    if seconds.is_empty() || !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    if has_fraction && fraction.is_empty() {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    seconds.parse().ok().map(|seconds| Duration::new(seconds, nanos))
}

/// Returns a status code by its name, whatever its case, or its number. `OK` is none: a success is not retried.
pub(super) fn code(value: &Value) -> Option<GrpcCode> {
    match value {
        Value::String(name) => GrpcCode::from_name(name),
        number => number.as_u64().and_then(GrpcCode::from_number),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_have_a_fraction_of_up_to_nine_digits() {
        for (text, expected) in [
            ("1s", Some(Duration::from_secs(1))),
            ("0.1s", Some(Duration::from_millis(100))),
            ("0.000000001s", Some(Duration::from_nanos(1))),
            ("0s", Some(Duration::ZERO)),
            ("1.5", None),
            ("-1s", None),
            ("+1s", None),
            (".5s", None),
            ("1.s", None),
            ("1.0000000001s", None),
            ("s", None),
            ("1 s", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(duration(&json!(text)), expected, "{text}");
        }
        assert_eq!(duration(&json!(1)), None);
    }

    #[test]
    fn codes_are_names_or_numbers() {
        for (value, expected) in [
            (json!("UNAVAILABLE"), Some(GrpcCode::Unavailable)),
            (json!("unavailable"), Some(GrpcCode::Unavailable)),
            (json!(14), Some(GrpcCode::Unavailable)),
            (json!(0), None),
            (json!("OK"), None),
            (json!(17), None),
            (json!(14.5), None),
            (json!("14"), None),
            (json!(null), None),
        ] {
            assert_eq!(code(&value), expected, "{value}");
        }
    }
}
