//! Kinds of texts: prose, reason phrases, words that state only the outcome.

/// Returns `true` if a text is written for people: it has white space, or a
/// letter beyond ASCII. Chinese and Japanese have no blanks between words, and
/// codes are ASCII.
pub(crate) fn is_prose(text: &str) -> bool {
    text.contains(|symbol: char| symbol.is_whitespace() || (!symbol.is_ascii() && symbol.is_alphabetic()))
}

/// Returns `true` if a text is prose other than a reason phrase.
pub(crate) fn is_sentence(text: &str) -> bool {
    is_prose(text) && !is_reason_phrase(text)
}

/// Returns `true` if a text says something rather than names a thing or a time: a word in small letters follows another one, or
/// it has letters beyond ASCII.
pub(crate) fn is_remark(text: &str) -> bool {
    let pairs = text.as_bytes().windows(2);
    let follows = pairs.into_iter().any(|pair| pair[0] == b' ' && pair[1].is_ascii_lowercase());
    (follows || !text.is_ascii()) && is_sentence(text)
}

/// Returns `true` if a text may tell one occurrence from all others: it has letters and digits, and is not prose.
pub(super) fn is_id(text: &str) -> bool {
    let has = |of_kind: fn(&u8) -> bool| text.bytes().any(|byte| of_kind(&byte));
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && !is_prose(text) && !text.contains(['/', '_'])
}

/// Returns `true` if a text names an error by the last of its words, or by a
/// reason phrase of several words.
pub(crate) fn is_error_name(text: &str) -> bool {
    const ENDS: [&str; 6] = ["Error", "_error", "-error", "Exception", "_exception", "-exception"];
    ENDS.iter().any(|end| text.len() > end.len() && text.ends_with(end)) || is_joined_phrase(text)
}

/// Returns `true` if a text, whatever its case, says no more than that a
/// request succeeded or failed, or that there is nothing to say.
pub(crate) fn is_outcome(text: &str) -> bool {
    const WORDS: [&str; 22] = [
        "error",
        "fail",
        "failed",
        "failure",
        "ko",
        "nok",
        "no",
        "n",
        "false",
        "down",
        "success",
        "successful",
        "ok",
        "yes",
        "y",
        "true",
        "up",
        "active",
        "inactive",
        "pending",
        "unknown",
        "none",
    ];
    text.len() <= 10 && (WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) || text.eq_ignore_ascii_case("null"))
}

/// Returns `true` if a text may be a code: it is neither prose nor an outcome, nor the number of a status.
pub(crate) fn may_be_code(text: &str) -> bool {
    let is_status = || text.parse().is_ok_and(|number: u16| (100..600).contains(&number));
    !is_prose(text) && !is_outcome(text) && !is_status() && text != "0"
}

/// The standard reason phrases of all errors, in a list that costs no allocation at its first use.
const REASON_PHRASES: [&str; 40] = [
    "Bad Request",
    "Unauthorized",
    "Payment Required",
    "Forbidden",
    "Not Found",
    "Method Not Allowed",
    "Not Acceptable",
    "Proxy Authentication Required",
    "Request Timeout",
    "Conflict",
    "Gone",
    "Length Required",
    "Precondition Failed",
    "Payload Too Large",
    "URI Too Long",
    "Unsupported Media Type",
    "Range Not Satisfiable",
    "Expectation Failed",
    "I'm a teapot",
    "Misdirected Request",
    "Unprocessable Entity",
    "Locked",
    "Failed Dependency",
    "Too Early",
    "Upgrade Required",
    "Precondition Required",
    "Too Many Requests",
    "Request Header Fields Too Large",
    "Unavailable For Legal Reasons",
    "Internal Server Error",
    "Not Implemented",
    "Bad Gateway",
    "Service Unavailable",
    "Gateway Timeout",
    "HTTP Version Not Supported",
    "Variant Also Negotiates",
    "Insufficient Storage",
    "Loop Detected",
    "Not Extended",
    "Network Authentication Required",
];

/// Returns `true` if a text is a reason phrase, byte for byte.
pub(super) fn is_standard_phrase(text: &str) -> bool {
    REASON_PHRASES.contains(&text)
}

/// Returns `true` if a text is a reason phrase, perhaps with its status before
/// it or a full stop behind. One of several words may be in any case; a single
/// word in lower case, such as `unauthorized`, is rather a code.
pub(crate) fn is_reason_phrase(text: &str) -> bool {
    let text = text.trim_start_matches(|symbol: char| symbol.is_ascii_digit()).trim_matches([' ', '.', ':']);
    let several = text.contains(' ');
    REASON_PHRASES.iter().any(|phrase| *phrase == text || (several && phrase.eq_ignore_ascii_case(text)))
}

/// Returns `true` if a text is a reason phrase of several words as one word, in
/// any case: `NotFound`, `not_found`.
fn is_joined_phrase(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'))
        && REASON_PHRASES.iter().any(|phrase| phrase.contains(' ') && letters(phrase).eq(letters(text)))
}

/// Returns the letters of a text, in lower case.
fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphabetic).map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn the_reason_phrases_are_those_of_all_errors() {
        let phrases = (400..600).filter_map(|status| StatusCode::from_u16(status).ok()?.canonical_reason());
        assert_eq!(phrases.collect::<Vec<_>>(), REASON_PHRASES);
    }
}
