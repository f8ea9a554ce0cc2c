//! Reads the log of `HttpLoggingInterceptor` of `OkHttp`, at the level `HEADERS` or `BODY`.
//!
//! ```text
//! --> POST https://api.example.com/v1/things h2
//! Authorization: Bearer ...
//!
//! --> END POST (2-byte body)
//! <-- 429 Too Many Requests https://api.example.com/v1/things (12ms)
//! retry-after: 30
//!
//! {"error":"rate_limited"}
//! <-- END HTTP (24-byte body)
//! ```
//!
//! Android puts a tag before each line (`D/OkHttp: `); it is removed. Lines of calls that ran at the same time are not told apart,
//! since the log does not number them.
//!
//! ```text
//! D/OkHttp: <-- 429 https://api.example.com/v1/things (12ms)
//! 01-15 12:00:00.000  1234  1250 I okhttp.OkHttpClient: <-- 429 https://api.example.com/v1/things (12ms)
//! ```

use std::borrow::Cow;

use http::StatusCode;
use http::header::HeaderName;

use super::head::append;
use super::lines::Lines;
use super::parsed::{ParsedRequest, ParsedResponse};
use super::status::leading_status;

/// The part of a message that the next lines belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A body of a request, or lines of another program.
    Other,
    /// Headers of the request, up to an empty line.
    RequestHead,
    /// Headers of the response, up to an empty line.
    ResponseHead,
    /// The body of the response, up to `<-- END HTTP`.
    ResponseBody,
}

/// Returns `true` if a line of the input is the first one of a logged response.
pub(super) fn is_log(input: &[u8]) -> bool {
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        if status_of(message(line)).is_some() {
            return true;
        }
    }
    false
}

/// Reads every response. A call that failed without a response (`<-- HTTP FAILED`) is left out.
///
/// Of the requests only method and URL are kept, and credentials to mask.
pub(super) fn read(input: &[u8]) -> Vec<ParsedResponse<'static>> {
    let mut found: Vec<ParsedResponse<'static>> = Vec::new();
    let (mut call, mut part) = (ParsedRequest::default(), Part::Other);
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        let line = message(line);
        if let Some(status) = status_of(line) {
            let mut response = ParsedResponse::new(status, http::HeaderMap::new(), Cow::Borrowed(b""));
            response.call = std::mem::take(&mut call);
            found.push(response);
            part = Part::ResponseHead;
        } else if line.starts_with(b"--> END") || line.starts_with(b"<-- ") {
            part = Part::Other;
        } else if let Some(sent) = line.strip_prefix(b"--> ") {
            call = request_of(sent);
            part = Part::RequestHead;
        } else {
            part = read_line(line, part, &mut call, found.last_mut());
        }
    }
    found.iter_mut().for_each(trim_end);
    found
}

/// Reads the call in `POST https://... h2`.
fn request_of(line: &[u8]) -> ParsedRequest {
    let mut call = ParsedRequest::default();
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace();
    if let (Some(method), Some(url)) = (words.next(), words.next()) {
        call.set_method(method);
        call.set_url(url);
    }
    call
}

/// Reads a header or a line of a body, and returns the part that the next line belongs to.
fn read_line(
    line: &[u8],
    part: Part,
    call: &mut ParsedRequest,
    response: Option<&mut ParsedResponse<'static>>,
) -> Part {
    match (part, response) {
        (Part::RequestHead, _) if line.is_empty() => return Part::Other,
        (Part::ResponseHead, _) if line.is_empty() => return Part::ResponseBody,
        (Part::RequestHead, _) => {
            if let Some((name, value)) = field(line) {
                call.add_header(&String::from_utf8_lossy(name), value);
            }
        }
        (Part::ResponseHead, Some(response)) => {
            if let Some((name, value)) = field(line)
                && let Ok(name) = HeaderName::from_bytes(name)
            {
                // A value that no header can have was changed by the log: the other headers still count.
                let _ = append(&mut response.headers, name, value);
            }
        }
        (Part::ResponseBody, Some(response)) => {
            let body = response.body.to_mut();
            body.extend_from_slice(line);
            body.push(b'\n');
        }
        _ => {}
    }
    part
}

/// Takes the empty lines off the end of a body, which the log adds.
fn trim_end(response: &mut ParsedResponse<'static>) {
    let end = response.body.trim_ascii_end().len();
    response.body.to_mut().truncate(end);
}

/// Reads `name: value`.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// Reads the status in `<-- 429 Too Many Requests https://... (12ms)` and `<-- HTTP/1.1 429 x (12ms)`.
///
/// The reason phrase is missing over HTTP/2, so that the URL may follow the number at once.
fn status_of(line: &[u8]) -> Option<StatusCode> {
    leading_status(std::str::from_utf8(line.strip_prefix(b"<-- ")?).ok()?)
}

/// Takes off what Android's log puts before a message: `D/OkHttp: `, or date, process and `I okhttp.OkHttpClient: `.
fn message(line: &[u8]) -> &[u8] {
    const TAG: &[u8] = b"okhttp";
    let tag = line.windows(TAG.len()).position(|window| window.eq_ignore_ascii_case(TAG));
    let is_prefixed = tag.is_some_and(|at| !line[..at].contains(&b':') || line[..at].contains(&b' '));
    let is_message = line.starts_with(b"-->") || line.starts_with(b"<--");
    let Some(at) = tag.filter(|_| is_prefixed && !is_message) else { return line };
    let rest = &line[at..];
    match rest.windows(2).position(|window| window == b": ") {
        Some(colon) => &rest[colon + 2..],
        // An empty message: the tag and the colon are all of the line.
        None if rest.ends_with(b":") => b"",
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "--> POST https://api.example.com/v1/things?api_key=k-12345678 h2\nAuthorization: Bearer t-12345678\n\
        Content-Length: 2\n\n{}\n--> END POST (2-byte body)\n<-- 429 Too Many Requests https://api.example.com/v1/things (12ms)\n\
        retry-after: 30\ncontent-type: application/json\n\n{\"error\":\"rate_limited\",\n\"message\":\"Slow down\"}\n\
        <-- END HTTP (24-byte body)\n";

    fn shown(log: &str) -> Vec<(u16, String, String, String)> {
        let shown = |found: ParsedResponse<'_>| {
            let wait = found.headers.get("retry-after").map(|value| format!("{value:?}")).unwrap_or_default();
            let route = format!("{:?} {:?}", found.call.method, found.call.uri.as_ref().map(http::Uri::path));
            (found.status.as_u16(), wait, String::from_utf8_lossy(&found.body).into_owned(), route)
        };
        read(log.as_bytes()).into_iter().map(shown).collect()
    }

    #[test]
    fn a_call_is_read_with_and_without_the_prefix_of_android() {
        let body = "{\"error\":\"rate_limited\",\n\"message\":\"Slow down\"}".to_owned();
        let expected = (429, "\"30\"".to_owned(), body, "Some(POST) Some(\"/v1/things\")".to_owned());
        for prefix in
            ["", "D/OkHttp: ", "I/okhttp.OkHttpClient(4711): ", "01-15 12:30:00.000  123  456 I okhttp.OkHttpClient: "]
        {
            let log: String = LOG.lines().map(|line| format!("{prefix}{line}\n")).collect();
            assert!(is_log(log.as_bytes()), "{prefix}");
            assert_eq!(shown(&log), std::slice::from_ref(&expected), "{prefix}");
        }
        let old = LOG.replace("<-- 429 Too Many Requests https://api.example.com/v1/things", "<-- HTTP/1.1 429 x");
        assert_eq!(shown(&old), [expected]);
    }

    #[test]
    fn each_response_of_a_log_is_read_and_a_failed_call_is_left_out() {
        let failed = "--> GET https://api.example.com/a\n--> END GET\n<-- HTTP FAILED: java.io.IOException: closed\n";
        let found = shown(&format!("{failed}{LOG}{failed}{}", LOG.replace("<-- 429", "<-- 404")));
        assert_eq!(found.iter().map(|found| found.0).collect::<Vec<_>>(), [429, 404]);
        assert!(!is_log(failed.as_bytes()) && !is_log(b"<-- END HTTP\n") && !is_log(b"<-- 4290 x\n"));
    }

    #[test]
    fn credentials_of_the_request_are_noted_to_be_masked() {
        let found = read(LOG.as_bytes());
        let sent: Vec<_> = found[0].call.sent.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        assert_eq!(sent, ["api_key=k-12345678", "k-12345678", "Bearer t-12345678"]);
    }
}
