//! The lifetime of a token: as the response states it, or as the token itself does.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use redress_envelope::{Unit, When};
use serde_json::Value;

/// The maximum length of a token that is parsed.
const MAX_TOKEN: usize = 16 * 1024;

/// Reads a number of seconds, or a text of digits, as some issuers write it. A negative number is not a lifetime.
pub(super) fn from_seconds(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => whole(number).map(Duration::from_secs),
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

/// Reads the end of a token: a date, or the time since 1970. A date that has passed is not an end, nor is one that is more
/// than 366 days ahead.
pub(super) fn from_date(value: &Value, server_now: SystemTime) -> Option<Duration> {
    let is_scalar = value.is_string() || value.is_number();
    match Unit::Date.read(value.to_string().as_bytes(), server_now).filter(|_| is_scalar)? {
        When::At(end) => end.duration_since(server_now).ok(),
        When::After(_) => None,
    }
}

/// Reads the claims of a JWT (RFC 7519 section 4.1): `exp` less `iat`, or else less `server_now`.
///
/// The difference of the two dates is right whichever clock the issuer has. Nothing is verified: a forged claim only causes a
/// renewal at the wrong time.
pub(super) fn from_jwt(token: &str, server_now: Option<SystemTime>) -> Option<Duration> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    if payload.len() > MAX_TOKEN {
        return None;
    }
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let start = match (claims.get("iat"), server_now) {
        (Some(iat), _) => date(iat)?,
        (None, now) => now?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs(),
    };
    let lifetime = date(claims.get("exp")?)?.checked_sub(start)?;
    (lifetime > 0).then(|| Duration::from_secs(lifetime))
}

fn date(claim: &Value) -> Option<u64> {
    claim.as_number().and_then(whole)
}

/// Reads the whole part of a number that is not negative. One too large is the largest.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the sign was checked"
)]
fn whole(number: &serde_json::Number) -> Option<u64> {
    number.as_u64().or_else(|| number.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_lifetime_is_a_number_of_seconds_or_a_text_of_digits() {
        for (text, expected) in [
            ("3600", Some(3600)),
            ("0", Some(0)),
            ("3599.9", Some(3599)),
            ("\"3600\"", Some(3600)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("1e300", Some(u64::MAX)),
            ("\"99999999999999999999999\"", Some(u64::MAX)),
            ("-1", None),
            ("-0.5", None),
            ("\"+5\"", None),
            ("\"-1\"", None),
            ("\"\"", None),
            ("\"soon\"", None),
            ("null", None),
            ("true", None),
            ("[3600]", None),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(from_seconds(&value), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn the_lifetime_of_a_jwt_is_the_difference_of_its_dates() {
        for (payload, expected) in [
            (r#"{"iat":1700000000,"exp":1700003600}"#, Some(3600)),
            (r#"{"iat":1700000000.5,"exp":1700003600.2}"#, Some(3600)),
            (r#"{"iat":0,"exp":18446744073709551615}"#, Some(u64::MAX)),
            (r#"{"iat":1700003600,"exp":1700000000}"#, None),
            (r#"{"iat":1700000000,"exp":1700000000}"#, None),
            (r#"{"iat":-1,"exp":1}"#, None),
            (r#"{"exp":1700003600}"#, None),
            (r#"{"iat":1700000000}"#, None),
            (r#"{"iat":"1700000000","exp":"1700003600"}"#, None),
            ("[]", None),
            ("{", None),
        ] {
            assert_eq!(from_jwt(&jwt(payload), None), expected.map(Duration::from_secs), "{payload}");
        }
        let good = jwt(r#"{"iat":1,"exp":61}"#);
        assert_eq!(from_jwt(&good, None), Some(Duration::from_secs(60)));
        for token in ["opaque", "a.b", "a.b.c.d", "..", "a.!!!.c", &format!("{good}."), &jwt(&" ".repeat(MAX_TOKEN))] {
            assert_eq!(from_jwt(token, None), None);
        }
    }

    #[test]
    fn the_claims_of_a_token_are_read_up_to_16_kib() {
        let claims = r#"{"iat":1,"exp":61}"#;
        // Three bytes are four characters of base64.
        for (length, expected) in [(9_000, Some(60)), (12_288, Some(60)), (12_289, None)] {
            let token = jwt(&format!("{claims:length$}"));
            assert_eq!(from_jwt(&token, None), expected.map(Duration::from_secs), "{length}");
        }
    }

    #[test]
    fn a_jwt_without_an_issue_date_counts_from_the_time_of_the_server() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for (payload, expected) in [
            (r#"{"exp":1700003600}"#, Some(3600)),
            (r#"{"exp":1700000000}"#, None),
            (r#"{"exp":1600000000}"#, None),
            (r#"{"iat":"soon","exp":1700003600}"#, None),
        ] {
            assert_eq!(from_jwt(&jwt(payload), Some(now)), expected.map(Duration::from_secs), "{payload}");
        }
    }

    #[test]
    fn a_date_counts_from_the_time_of_the_server() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for (text, expected) in [
            ("1700000060", Some(60)),
            ("1700000060000", Some(60)),
            ("\"1700000060\"", Some(60)),
            ("\"2023-11-14T22:14:20Z\"", Some(60)),
            ("\"2023-11-15T00:14:20+02:00\"", Some(60)),
            ("\"Tue, 14 Nov 2023 22:14:20 GMT\"", Some(60)),
            ("1699999999", None),
            ("1800000000", None),
            ("3600", None),
            ("\"PT1H\"", None),
            ("\"soon\"", None),
            ("true", None),
            ("null", None),
            ("{}", None),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(from_date(&value, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
