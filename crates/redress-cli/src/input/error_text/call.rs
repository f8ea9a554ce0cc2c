//! Reads the call from the text of an error, and the credentials in it.
//!
//! A log line often has the URL with its query, a header or a token in it. Each of them is noted, so that it is masked where the
//! server quotes it in its message.
//!
//! ```text
//! POST https://api.example.com/v1/things?key=k-123 failed: 401, authorization: Bearer t-456
//! ```
//!
//! gives `POST`, the URL without its query, and the credentials `k-123` and `t-456`.

pub(super) use crate::input::parsed::ParsedRequest;

/// How many URLs of a text are looked at.
const MAX_URLS: usize = 16;
/// How many credentials of a text are looked at.
const MAX_CREDENTIALS: usize = 64;
/// The longest URL and the longest credential, in bytes: what servers accept.
const MAX_VALUE: usize = 16 * 1024;

/// Reads method and URL, ``POST https://...`` or ``for url: https://...``, and notes every credential.
pub(super) fn read(text: &str) -> ParsedRequest {
    let mut call = ParsedRequest::default();
    let mut first = None;
    for (at, _) in text.match_indices("://").take(MAX_URLS) {
        let Some(at) = at.checked_sub(5).map(|at| if text.as_bytes().get(at) == Some(&b'h') { at } else { at + 1 })
        else {
            continue;
        };
        let Some(url) = text.get(at..).filter(|url| url.starts_with("http")) else { continue };
        let end =
            url.find(|symbol: char| symbol.is_whitespace() || matches!(symbol, '`' | '\'' | '"' | ')' | '>' | ','));
        call.set_url(&url[..end.unwrap_or(url.len())]);
        first = first.or_else(|| Some((at, call.uri.take()))).filter(|(_, uri)| uri.is_some());
    }
    if let Some((at, uri)) = first {
        call.uri = uri;
        let before = text[..at].trim_end_matches([' ', '`', '\'', '"', '(', ':']);
        let word = before.rsplit(|symbol: char| !symbol.is_alphabetic()).next().unwrap_or_default();
        if METHODS.contains(&word) {
            call.set_method(word);
        }
    }
    if call.method.is_none()
        && let Some((_, rest)) = text.split_once("method: '")
    {
        let word = rest.split('\'').next().unwrap_or_default().to_ascii_uppercase();
        if METHODS.contains(&&*word) {
            call.set_method(&word);
        }
    }
    note_credentials(text, &mut call);
    call
}

/// Notes the values of headers and members that carry credentials: `Authorization: 'Bearer ...'`, `api_key="..."`.
///
/// Quotes of any language around name and value are accepted, and a scheme such as `Bearer` is noted apart from its
/// token.
fn note_credentials(text: &str, call: &mut ParsedRequest) {
    let mut left = MAX_CREDENTIALS;
    for (at, _) in text.match_indices([':', '=']) {
        let before = text[..at].trim_end_matches(['\'', '"', '\\', ' ']);
        let is_name = |symbol: char| symbol.is_ascii_alphanumeric() || matches!(symbol, '-' | '_');
        let length = before.bytes().rev().take(40).take_while(|byte| is_name(*byte as char)).count();
        let name = before[before.len() - length..].to_ascii_lowercase().replace('_', "-");
        if !CREDENTIALS.iter().any(|word| name.contains(word)) {
            continue;
        }
        let value = text[at + 1..].trim_start_matches(['>', ' ', '[']);
        let (value, ends): (&str, &[char]) = match value.chars().next() {
            Some(quote @ ('\'' | '"' | '`')) => (&value[1..], &[quote, '\n']),
            _ => (value, &[',', '}', '\n', '&', '"', '\'']),
        };
        let value = prefix(value, MAX_VALUE);
        call.note(value[..value.find(ends).unwrap_or(value.len())].trim().as_bytes());
        left -= 1;
        if left == 0 {
            return;
        }
    }
}

/// Returns the beginning of a text, cut between two symbols.
fn prefix(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Parts of names whose values are credentials, whoever wrote the text.
const CREDENTIALS: [&str; 9] = [
    "authorization",
    "cookie",
    "api-key",
    "apikey",
    "access-token",
    "refresh-token",
    "auth-token",
    "client-secret",
    "password",
];

/// The methods that a text may name before a URL.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
