//! How long a token lasts: as the answer says, or else as the token itself says.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// The longest token that is looked into.
const MAX_TOKEN: usize = 16 * 1024;

/// Finds the lifetime of a token: the seconds that the answer gives, else `exp` less `iat` if the token is a JWT.
///
/// The difference of the two dates is right by whichever clock the issuer goes; the date alone would be wrong by the
/// difference of the clocks. Nothing is verified: who lies about it only has the token renewed at the wrong time.
pub(super) fn find(expires_in: Option<&Value>, token: Option<&str>) -> Option<Duration> {
    expires_in.and_then(seconds).or_else(|| token.and_then(of_jwt))
}

/// Reads a number of seconds, or a text of digits, as some issuers have it. Negative ones mean that there is no end.
fn seconds(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => whole(number).map(Duration::from_secs),
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

/// Reads the whole part of a number that is not negative; one too large is the largest.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the sign was seen to"
)]
fn whole(number: &serde_json::Number) -> Option<u64> {
    number.as_u64().or_else(|| number.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
}

/// Reads the payload of a JWT (RFC 7519 section 4.1).
fn of_jwt(token: &str) -> Option<Duration> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    if payload.len() > MAX_TOKEN {
        return None;
    }
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let date = |name| claims.get(name).and_then(|date| date.as_number().and_then(whole));
    let lifetime = date("exp")?.checked_sub(date("iat")?)?;
    (lifetime > 0).then(|| Duration::from_secs(lifetime))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn the_answer_says_how_long_a_token_lasts() {
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
            assert_eq!(find(Some(&value), None), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_jwt_says_it_where_the_answer_does_not() {
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
            assert_eq!(find(None, Some(&jwt(payload))), expected.map(Duration::from_secs), "{payload}");
        }
        let good = jwt(r#"{"iat":1,"exp":61}"#);
        assert_eq!(find(Some(&Value::from(5)), Some(&good)), Some(Duration::from_secs(5)), "the answer comes first");
        for token in ["opaque", "a.b", "a.b.c.d", "..", "a.!!!.c", &format!("{good}."), &jwt(&" ".repeat(MAX_TOKEN))] {
            assert_eq!(find(None, Some(token)), None);
        }
    }
}
