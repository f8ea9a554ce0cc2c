//! A response that was found in an input, and the request that it answers as far as the input states it.
//!
//! Credentials of the request are kept for one purpose: to be masked wherever the server quotes them. `Debug` does not show them.

use std::borrow::Cow;
use std::time::SystemTime;

use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::value::RawValue;

/// The number of values of a request that are kept to be masked: more headers than clients send.
const MAX_SENT: usize = 64;
/// The longest value that is kept to be masked, in bytes: the longest header that common servers accept.
const MAX_SENT_BYTES: usize = 16 * 1024;
/// A header or a parameter with one of these in its name may carry a credential. A word too many masks too much, one too few
/// prints a secret: so `code` (of an OAuth redirect) and `sig` are among them.
const SECRET_WORDS: [&str; 12] =
    ["auth", "cookie", "key", "token", "secret", "session", "sig", "pass", "credential", "jwt", "code", "pwd"];

/// One response of an input.
#[derive(Debug)]
pub(crate) struct ParsedResponse<'a> {
    /// The id of a record, or the index in a HAR file or an array.
    pub(crate) id: Option<Cow<'a, RawValue>>,
    /// The dialect that a record asks for.
    pub(crate) dialect: Option<Cow<'a, str>>,
    /// The call, as far as the input states it.
    pub(crate) call: ParsedRequest,
    /// The time of receipt, if the input states it.
    pub(crate) received: Option<SystemTime>,
    /// The status; 200 for an event of a stream.
    pub(crate) status: StatusCode,
    /// The headers of the response.
    pub(crate) headers: HeaderMap,
    /// The body as it stood in the input: [`unpack`](crate::input::unpack) takes its codings off.
    pub(crate) body: Cow<'a, [u8]>,
    /// The name of the event, if the body is the data of one event of a stream; `message` for an event without a name.
    pub(crate) event: Option<Cow<'a, str>>,
    /// Statements about how the response was read, for people and programs.
    pub(crate) notes: Vec<Cow<'static, str>>,
}

/// A response, or the reason why a part of the input is not usable.
pub(crate) type ParseResult<'a> = Result<ParsedResponse<'a>, ParseError<'a>>;

/// A part of an input that is not a usable response: its id, if it has one, and what was expected.
///
/// The problem never quotes header values, request lines or URLs.
#[derive(Debug)]
pub(crate) struct ParseError<'a> {
    pub(crate) id: Option<Cow<'a, RawValue>>,
    /// The line of the input, if the form has lines.
    pub(crate) line: Option<usize>,
    /// The problem, such as `status: expected a whole number from 100 to 999`.
    pub(crate) problem: String,
}

/// The reason why no response was found in an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FormatError {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The problem, with the accepted forms if none fits.
    pub(crate) problem: String,
}

/// The request that a response answers, as far as the input states it.
#[derive(Clone, Default)]
pub(crate) struct ParsedRequest {
    /// The method; `--method` if the input does not state it.
    pub(crate) method: Option<Method>,
    /// The URL without its query; `--path` if the input does not state it.
    pub(crate) uri: Option<Uri>,
    /// The headers of the request that may be an idempotency key: with a key a POST may be sent again.
    pub(crate) headers: HeaderMap,
    /// Credentials that were sent: masked wherever the server quotes them.
    pub(crate) sent: Vec<Vec<u8>>,
}

impl<'a> ParsedResponse<'a> {
    /// States a response to an unknown request.
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Cow<'a, [u8]>) -> Self {
        let (id, dialect, received, event, notes) = (None, None, None, None, Vec::new());
        Self { id, dialect, call: ParsedRequest::default(), received, status, headers, body, event, notes }
    }
}

impl<'a> ParseError<'a> {
    /// States a problem, without id and line.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { id: None, line: None, problem: problem.into() }
    }
}

impl ParsedRequest {
    /// Takes a method in any case; a text that is not a method is ignored.
    pub(crate) fn set_method(&mut self, text: &str) {
        let method = Method::from_bytes(text.trim().to_ascii_uppercase().as_bytes());
        self.method = method.ok().or(self.method.take());
    }

    /// Takes a URL or a path, and notes the credentials in its query and its user information.
    ///
    /// A text that is not a URI is read up to the first character that a URI cannot have: log lines often go on behind it.
    pub(crate) fn set_url(&mut self, text: &str) {
        let text = text.trim();
        if let Some((_, rest)) = text.split_once("://")
            && let Some((user, _)) = rest.split(['/', '?', '#']).next().unwrap_or_default().rsplit_once('@')
        {
            self.note(user.as_bytes());
            user.split(':').for_each(|part| self.note(part.as_bytes()));
        }
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        self.note(query.as_bytes());
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if is_secret(name) {
                self.note(value.as_bytes());
            }
        }
        let legal = |symbol: char| symbol.is_ascii_graphic() && !matches!(symbol, '"' | '<' | '>' | '\\' | '^' | '`');
        let path = before.split(|symbol| !legal(symbol)).next().unwrap_or_default();
        if let Ok(uri) = path.parse::<Uri>()
            && (uri.scheme().is_some() || path.starts_with('/'))
        {
            self.uri = Some(uri);
        }
    }

    /// Takes a header of the request, and notes its value if it carries a credential.
    pub(crate) fn add_header(&mut self, name: &str, value: &[u8]) {
        if is_secret(name) {
            self.note(value);
        }
        // Keys make a call repeatable; no other header of a request matters to what its response means.
        if name.len() <= 64
            && name.to_ascii_lowercase().contains("id")
            && let (Ok(name), Ok(value)) =
                (http::HeaderName::from_bytes(name.as_bytes()), http::HeaderValue::from_bytes(value))
            && self.headers.len() < MAX_SENT
        {
            self.headers.append(name, value);
        }
    }

    /// Takes a request line such as `POST /v1/things HTTP/1.1`; returns `true` if it was one.
    pub(crate) fn set_request_line(&mut self, line: &[u8]) -> bool {
        let Ok(line) = std::str::from_utf8(line) else { return false };
        let mut words = line.split_ascii_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return false };
        let is_method = method.len() <= 16 && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_target = target.starts_with('/') || target.contains("://") || method == "CONNECT" || target == "*";
        let is_version = words.next().is_none_or(|version| version.starts_with("HTTP/")) && words.next().is_none();
        if is_method && is_target && is_version {
            self.set_method(method);
            self.set_url(target);
            return true;
        }
        false
    }

    /// Notes a credential, to be masked.
    ///
    /// An empty value, and one that is longer than servers accept, is not noted.
    pub(crate) fn note(&mut self, value: &[u8]) {
        if !value.is_empty() && value.len() <= MAX_SENT_BYTES && self.sent.len() < MAX_SENT {
            self.sent.push(value.to_vec());
        }
    }
}

/// Returns `true` if a header or a parameter of this name may carry a credential. An idempotency key is not one.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.contains("idempotency") && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Shows none of the values.
impl std::fmt::Debug for ParsedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParsedRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_to(url: &str) -> (String, Vec<String>) {
        let mut call = ParsedRequest::default();
        call.set_url(url);
        let sent = call.sent.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        (call.uri.map(|uri| uri.to_string()).unwrap_or_default(), sent)
    }

    #[test]
    fn a_url_keeps_its_path_and_gives_up_its_secrets() {
        for (url, kept, sent) in [
            ("/v1/things", "/v1/things", &[][..]),
            ("/v1/things?a=1&api_key=k3", "/v1/things", &["a=1&api_key=k3", "k3"]),
            ("https://u:p@api.example.com/x", "https://u:p@api.example.com/x", &["u:p", "u", "p"]),
            ("/a b", "/a", &[]),
            ("no uri at all", "", &[]),
            ("", "", &[]),
        ] {
            assert_eq!(call_to(url), (kept.to_owned(), sent.iter().map(|part| (*part).to_owned()).collect()), "{url}");
        }
    }

    #[test]
    fn credentials_of_a_request_are_noted_and_never_shown() {
        let mut call = ParsedRequest::default();
        for (name, value) in [
            ("Authorization", "Bearer abcdefgh"),
            ("Cookie", "session=1"),
            ("X-Api-Key", "k"),
            ("Accept", "*/*"),
            ("Idempotency-Key", "order-1"),
        ] {
            call.add_header(name, value.as_bytes());
        }
        assert_eq!(call.sent, [&b"Bearer abcdefgh"[..], b"session=1", b"k"]);
        assert_eq!(call.headers["idempotency-key"], "order-1");
        assert!(!format!("{call:?}").contains("abcdefgh"));
    }

    #[test]
    fn the_credentials_kept_of_a_request_are_bounded() {
        let mut call = ParsedRequest::default();
        (0..1_000).for_each(|_| call.add_header("cookie", b"0123456789"));
        call.note(&[b'x'; MAX_SENT_BYTES + 1]);
        assert_eq!(call.sent.len(), MAX_SENT);
    }
}
