//! The parameters of `WWW-Authenticate` (RFC 9110 section 11.6.1).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Returns the parameters of that name, of all challenges, that are not empty:
/// names in any case, white space around `=` allowed, values quoted or not, and
/// nothing that stands inside quotes is a parameter.
pub(crate) fn parameters<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = Cow<'h, str>> {
    headers.get_all(WWW_AUTHENTICATE).iter().flat_map(move |challenges| find(challenges.as_bytes(), name))
}

/// Returns the first `error` of a challenge that is a code: those of RFC 6750
/// section 3.1, and all that are registered, have no blank in them.
pub(crate) fn code(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    parameters(headers, "error").find(|error| !error.contains(char::is_whitespace))
}

/// Returns what a challenge says to people: its `error_description`, or a
/// sentence in the place of a code.
pub(crate) fn message(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let sentence = || parameters(headers, "error").find(|error| error.contains(char::is_whitespace));
    parameters(headers, "error_description").next().or_else(sentence)
}

fn find<'h>(challenges: &'h [u8], wanted: &str) -> Vec<Cow<'h, str>> {
    let mut all = Vec::new();
    let mut rest = challenges;
    while !rest.is_empty() {
        let name;
        (name, rest) = token(rest);
        let after = blanks(rest);
        if let Some(value) = after.strip_prefix(b"=") {
            let value = blanks(value);
            let is_quoted = value.first() == Some(&b'"');
            let found;
            (found, rest) = if is_quoted { quoted(value) } else { token(value) };
            if name.eq_ignore_ascii_case(wanted.as_bytes()) && !found.is_empty() {
                all.push(if is_quoted { unescaped(found) } else { String::from_utf8_lossy(found) });
            }
        }
        rest = match rest.first() {
            Some(b'"') => quoted(rest).1,
            Some(byte) if !is_token(*byte) => &rest[1..],
            _ => rest,
        };
    }
    all
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

/// Splits a quoted string, without its quotes, from what follows; one that does
/// not end takes all.
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

fn unescaped(text: &[u8]) -> Cow<'_, str> {
    if !text.contains(&b'\\') {
        return String::from_utf8_lossy(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_for_its_error() {
        let table: [(&str, &[&str]); 20] = [
            ("Bearer error=\"invalid_token\"", &["invalid_token"]),
            (
                "Bearer realm=\"a\", error=\"invalid_token\", error_description=\"The token expired\"",
                &["invalid_token"],
            ),
            ("Bearer ERROR=invalid_token", &["invalid_token"]),
            ("Bearer realm=\"x\", error = \"invalid_token\"", &["invalid_token"]),
            ("Bearer\terror=\"invalid_token\"", &["invalid_token"]),
            ("DPoP error=\"\", Bearer error=\"invalid_token\"", &["invalid_token"]),
            ("Basic realm=\"x\", Bearer error=\"insufficient_scope\"", &["insufficient_scope"]),
            ("Bearer error=\"a \\\"b\\\"\"", &["a \"b\""]),
            ("Bearer error_description=\"no error=invalid_token here\"", &[]),
            ("Bearer realm=\"a \\\" b, error=invalid_token", &[]),
            ("Bearer realm=\"x, error=invalid_token\", error=\"other\"", &["other"]),
            ("error==invalid_token", &[]),
            ("Bearer \"error=invalid_token\"", &[]),
            ("Bearer \"a\", \"error=b, \" error=invalid_token", &["invalid_token"]),
            ("Bearer realm=\"x\"error=invalid_token", &["invalid_token"]),
            ("=", &[]),
            ("\"", &[]),
            ("Bearer realm=\"invalid_token\"", &[]),
            ("Bearer", &[]),
            ("DPoP error=\"use_dpop_nonce\", Bearer error=\"invalid_token\"", &["use_dpop_nonce", "invalid_token"]),
        ];
        for (challenge, expected) in table {
            assert_eq!(find(challenge.as_bytes(), "error"), expected, "{challenge}");
        }
    }

    #[test]
    fn a_code_has_no_blank_and_a_sentence_is_a_message() {
        for (challenges, code_of, message_of) in [
            (&["Bearer error=\"invalid_token\""][..], Some("invalid_token"), None),
            (&["Bearer error=\"the token expired\""], None, Some("the token expired")),
            (&["Bearer error=\"a_code\", error_description=\"A text\""], Some("a_code"), Some("A text")),
            (&["Bearer error=\"A sentence\", error_description=\"A text\""], None, Some("A text")),
            (
                &["Basic realm=\"x\"", "Bearer error=\"a sentence\"", "DPoP error=other"],
                Some("other"),
                Some("a sentence"),
            ),
            (&["Bearer realm=\"x\""], None, None),
            (&[], None, None),
        ] {
            let mut headers = HeaderMap::new();
            for challenge in challenges {
                headers.append(WWW_AUTHENTICATE, challenge.parse().unwrap());
            }
            assert_eq!(
                (code(&headers).as_deref(), message(&headers).as_deref()),
                (code_of, message_of),
                "{challenges:?}"
            );
        }
    }
}
