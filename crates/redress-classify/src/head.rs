//! What the head of a response says about errors, besides its status.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{AGE, DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use redress_envelope::{Dialect, HintSource, RetryHint, parse_date};

/// Returns the server's clock: its `Date`, unless the response was cached on the way or has none.
pub(crate) fn server_now(headers: &HeaderMap, local: SystemTime) -> SystemTime {
    let aged = headers.get(AGE).is_some_and(|age| age.as_bytes() != b"0");
    let date = headers.get(DATE).filter(|_| !aged).and_then(|date| date.to_str().ok());
    date.and_then(|date| parse_date(date, local)).unwrap_or(local)
}

/// Returns the longest hint of `Retry-After` and of the headers that the dialect names.
pub(crate) fn hint(headers: &HeaderMap, dialect: &Dialect, now: SystemTime) -> Option<RetryHint> {
    let standard = headers.get_all(RETRY_AFTER).iter();
    let standard = standard.filter_map(|value| RetryHint::retry_after(value.as_bytes(), now));
    let declared = dialect.hint_headers().iter().flat_map(|(name, unit)| {
        let values = headers.get_all(name).iter();
        values.filter_map(move |value| {
            Some(RetryHint::new(unit.read(value.as_bytes(), now)?, HintSource::Header(name.clone())))
        })
    });
    standard.chain(declared).reduce(|a, b| a.later_at(b, now))
}

/// Whether a challenge says that the token is expired, revoked or malformed (RFC 6750 section 3.1).
pub(crate) fn says_invalid_token(headers: &HeaderMap) -> bool {
    headers.get_all(WWW_AUTHENTICATE).iter().any(|challenges| has_invalid_token(challenges.as_bytes()))
}

/// Returns the request id from the first header, of those that the dialect names, that is not empty.
pub(crate) fn request_id(headers: &HeaderMap, dialect: &Dialect) -> Option<String> {
    dialect.request_id_headers().iter().find_map(|name| {
        let ids = headers.get_all(name).iter().filter_map(|id| id.to_str().ok());
        ids.map(str::trim).find(|id| !id.is_empty()).map(str::to_owned)
    })
}

/// Looks for `error=invalid_token` among the parameters of all challenges (RFC 9110 section 11.6.1): names in any
/// case, white space around `=` allowed, values quoted or not, and nothing that stands inside quotes is a parameter.
fn has_invalid_token(challenges: &[u8]) -> bool {
    let mut rest = challenges;
    while !rest.is_empty() {
        let name;
        (name, rest) = token(rest);
        let after = blanks(rest);
        if let Some(value) = after.strip_prefix(b"=") {
            let value_at = blanks(value);
            let found;
            (found, rest) = if value_at.first() == Some(&b'"') { quoted(value_at) } else { token(value_at) };
            if name.eq_ignore_ascii_case(b"error") && found == b"invalid_token" {
                return true;
            }
        }
        rest = match rest.first() {
            Some(b'"') => quoted(rest).1,
            Some(byte) if !is_token(*byte) => &rest[1..],
            _ => rest,
        };
    }
    false
}

const fn is_token(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\t' | b',' | b'=' | b'"' | b';')
}

fn token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len()))
}

fn blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(text.len())..]
}

/// Splits a quoted string, without its quotes, from what follows; one that does not end takes all.
fn quoted(text: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return (&text[1..at], &text[at + 1..]),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    (&text[1..], &[])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use redress_envelope::{When, dialects};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// 1994-11-06T08:49:37Z.
    const THEN: u64 = 784_111_777;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_date_is_counted_by_the_servers_own_clock() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (pairs, now) in [
            (vec![date], at(THEN)),
            (vec![date, ("age", "0")], at(THEN)),
            (vec![date, ("age", "7")], at(5)),
            (vec![("date", "today")], at(5)),
            (vec![], at(5)),
        ] {
            assert_eq!(server_now(&headers(&pairs), at(5)), now, "{pairs:?}");
        }
    }

    #[test]
    fn the_longest_valid_hint_counts() {
        let pairs =
            [("retry-after", "2"), ("retry-after", "nonsense"), ("retry-after", "Sun, 06 Nov 1994 08:49:41 GMT")];
        let hint = hint(&headers(&pairs), &dialects::ranex(), at(THEN)).expect("two are valid");
        assert_eq!(hint.when(), When::At(at(THEN + 4)));
        assert_eq!(super::hint(&headers(&[("retry-after", "soon")]), &dialects::ranex(), at(THEN)), None);
    }

    #[test]
    fn a_dialect_may_name_headers_with_units_of_their_own() {
        let toml = "name = \"a\"\n[read]\nhints = [{ header = \"Retry-After-Ms\", unit = \"ms\" }]\n";
        let dialect = Dialect::from_toml("a.toml", toml).unwrap();
        let hint = hint(&headers(&[("retry-after-ms", "250.5"), ("retry-after", "0")]), &dialect, at(0)).unwrap();
        assert_eq!(hint.when(), When::After(Duration::from_millis(251)));
        assert_eq!(hint.source(), &HintSource::Header("retry-after-ms".to_owned()));
    }

    #[test]
    fn a_challenge_is_read_for_its_error() {
        for (challenge, expected) in [
            ("Bearer error=\"invalid_token\"", true),
            ("Bearer realm=\"a\", error=\"invalid_token\", error_description=\"The token expired\"", true),
            ("Bearer ERROR=invalid_token", true),
            ("Bearer realm=\"x\", error = \"invalid_token\"", true),
            ("Bearer\terror=\"invalid_token\"", true),
            ("DPoP error=\"use_dpop_nonce\", Bearer error=\"invalid_token\"", true),
            ("Bearer error_description=\"no error=invalid_token here\"", false),
            ("Bearer realm=\"a \\\" b, error=invalid_token", false),
            ("Bearer realm=\"x, error=invalid_token\", error=\"other\"", false),
            ("error==invalid_token", false),
            ("=", false),
            ("\"", false),
            ("Basic realm=\"x\", Bearer error=\"invalid_token\"", true),
            ("Bearer error=\"insufficient_scope\"", false),
            ("Bearer realm=\"invalid_token\"", false),
            ("Bearer", false),
        ] {
            assert_eq!(says_invalid_token(&headers(&[("www-authenticate", challenge)])), expected, "{challenge}");
        }
    }
}
