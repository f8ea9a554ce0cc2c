//! Reads headers without a status line, as they are copied from the developer tools of a browser or from an HTTP/2 log.
//!
//! ```text
//! :status                 Status Code: 429 Too Many Requests         :status: 429
//! 429                     Retry-After: 30                            retry-after: 30
//! retry-after
//! 30
//! ```
//!
//! Chrome copies a name and its value as two lines, Firefox and logs as `name: value`. The status is stated by a pseudo-header
//! (RFC 9113 section 8.3.2), by `Status Code`, or beside the input. Sections such as `Request Headers` are recognised, so that
//! a credential of the request is masked and never taken for a header of the response.
//!
//! A whole copy from Chrome, with the sections in the order of the panel:
//!
//! ```text
//! General
//! Request URL
//! https://api.example.com/v1/things
//! Status Code
//! 429 Too Many Requests
//! Response Headers
//! retry-after
//! 30
//! Request Headers
//! authorization
//! Bearer ...
//! ```

use std::borrow::Cow;

use http::StatusCode;
use http::header::{HeaderMap, HeaderName};

use super::head::{append, begins_body};
use super::lines::{Lines, without_colours};
use super::parsed::{FormatError, ParsedRequest, ParsedResponse};
use super::status::leading_status;

/// Lines that developer tools list beside the headers.
const LABELS: [&str; 8] =
    ["request url", "request method", "status code", "remote address", "referrer policy", "scheme", "host", "version"];
/// The names of the sections between them.
const HEADINGS: [&str; 4] = ["general", "headers", "response headers", "request headers"];

/// Names before a body in a text that is not a list of headers.
const BODY_NAMES: [&str; 6] = ["body", "content", "data", "error", "message", "response"];

/// The copied head, as far as it is read.
#[derive(Default)]
struct Copied {
    status: Option<StatusCode>,
    /// The headers of the response.
    headers: HeaderMap,
    call: ParsedRequest,
    /// `true` below a heading of the request, or after one of its pseudo-headers.
    in_request: bool,
    /// The number of fields so far: a text with one colon is not a list of headers.
    fields: usize,
}

/// Reads headers, and a body if one follows; `None` when the input has none, or no status.
///
/// `status` is the one that was given beside the input.
///
/// A form with names and values in two lines each is recognised by its first line: a name without a colon, or with a
/// colon at its end.
pub(super) fn read(input: &[u8], status: Option<StatusCode>) -> Option<Result<ParsedResponse<'_>, FormatError>> {
    let mut lines = Lines::new(input);
    lines.skip_empty();
    let in_pairs = is_in_pairs(lines)?;
    let mut copied = Copied { status, ..Copied::default() };
    loop {
        let before = lines;
        let Some(line) = lines.next().map(without_colours) else { break };
        let line = line.trim_ascii();
        if line.is_empty() {
            if !continues(lines, in_pairs) {
                break;
            }
            continue;
        }
        if begins_body(line) {
            lines = before;
            break;
        }
        if copied.heading(line) {
            continue;
        }
        let added = if in_pairs { pair(line, &mut lines) } else { field(line) };
        match added {
            // A log prints a body like this.
            Some((name, value)) if begins_body(&value) && BODY_NAMES.contains(&name.to_ascii_lowercase().as_str()) => {
                return None;
            }
            Some((name, value)) => {
                if let Err(problem) = copied.add(&name, &value) {
                    return Some(Err(lines.mistake(problem)));
                }
            }
            None => return copied.status.is_some().then(|| Err(lines.mistake(EXPECTED))).filter(|_| copied.fields > 1),
        }
    }
    copied.into_response(lines.rest).map(Ok)
}

/// The problem of a line that is neither a header nor a heading.
const EXPECTED: &str = "expected a header such as `retry-after: 30`, or an empty line before the body";

/// Returns whether each name has a line of its own, as Chrome copies them; `None` when the first line is not a header.
fn is_in_pairs(mut lines: Lines<'_>) -> Option<bool> {
    loop {
        let line = without_colours(lines.next()?);
        let line = line.trim_ascii();
        if line.is_empty() || Copied::default().heading(line) {
            continue;
        }
        if begins_body(line) {
            return None;
        }
        if let Some((_, value)) = field(line) {
            // `name:` has its value in the next line.
            return Some(value.is_empty() && lines.peek().is_some_and(|next| field(next.trim_ascii()).is_none()));
        }
        let is_name = is_label(line) || (line.len() <= 64 && HeaderName::from_bytes(pseudo(line)).is_ok());
        return (is_name && lines.peek().is_some_and(|value| !value.trim_ascii().is_empty())).then_some(true);
    }
}

/// Returns whether an empty line lies between two parts of the same list.
///
/// Copies from a console have empty lines between sections; a body begins behind the last of them.
fn continues(mut lines: Lines<'_>, in_pairs: bool) -> bool {
    lines.skip_empty();
    let Some(line) = lines.next() else { return false };
    let line = line.trim_ascii();
    let is_field = |line: &[u8]| !begins_body(line) && field(line).is_some_and(|(_, value)| !value.is_empty());
    Copied::default().heading(line) || is_label(line) || (!in_pairs && is_field(line))
}

/// Reads a name and, in the next line, its value.
fn pair(line: &[u8], lines: &mut Lines<'_>) -> Option<(String, Vec<u8>)> {
    let name = line.strip_suffix(b":").unwrap_or(line);
    if !is_label(name) {
        HeaderName::from_bytes(pseudo(name)).ok()?;
    }
    let value = lines.next()?.trim_ascii().to_vec();
    Some((String::from_utf8_lossy(name).into_owned(), value))
}

/// Reads `name: value`.
fn field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = pseudo(line).iter().position(|byte| *byte == b':')? + line.len() - pseudo(line).len();
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    // `https://...` and `file.js:429` are not headers.
    let is_apart = value.is_empty() || line.get(colon + 1).is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    let is_compact = pseudo(name).iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && name.contains(&b'-')
        && !value.is_empty();
    if !is_label(name) && (HeaderName::from_bytes(pseudo(name)).is_err() || !(is_apart || is_compact)) {
        return None;
    }
    Some((String::from_utf8_lossy(name).into_owned(), value.to_vec()))
}

/// Takes the colon of a pseudo-header off.
fn pseudo(name: &[u8]) -> &[u8] {
    name.strip_prefix(b":").unwrap_or(name)
}

/// Returns `true` for a label of developer tools, which is not a header although it has a colon.
fn is_label(line: &[u8]) -> bool {
    line.len() <= 32 && LABELS.iter().any(|label| line.trim_ascii_end().eq_ignore_ascii_case(label.as_bytes()))
}

impl Copied {
    /// Takes the name of a section, such as `Response Headers (12)`.
    fn heading(&mut self, line: &[u8]) -> bool {
        let name = line.split(|byte| *byte == b'(').next().unwrap_or_default().trim_ascii();
        let name = name.strip_suffix(b":").unwrap_or(name);
        let is_one = line.len() <= 64 && HEADINGS.iter().any(|heading| name.eq_ignore_ascii_case(heading.as_bytes()));
        if is_one {
            self.in_request = name.eq_ignore_ascii_case(b"request headers");
        }
        is_one
    }

    /// Takes a name and a value: the status, a part of the request, or a header.
    ///
    /// Below a heading of the request a value is noted as a credential if its name is that of one, and dropped.
    fn add(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        self.fields += 1;
        let text = String::from_utf8_lossy(value);
        match name.to_ascii_lowercase().as_str() {
            ":status" | "status" | "status code" | "status-code" if leading_status(&text).is_some() => {
                self.status = self.status.or(leading_status(&text));
            }
            "request url" => self.call.set_url(&text),
            "request method" => self.call.set_method(&text),
            ":method" => {
                self.in_request = true;
                self.call.set_method(&text);
            }
            ":path" => {
                self.in_request = true;
                self.call.set_url(&text);
            }
            ":authority" | ":scheme" => self.in_request = true,
            name if self.in_request => self.call.add_header(name, value),
            _ => {
                if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                    return append(&mut self.headers, name, value);
                }
            }
        }
        Ok(())
    }

    /// Returns the response; `None` if no header was read, or if no status is known.
    fn into_response(self, body: &[u8]) -> Option<ParsedResponse<'_>> {
        if self.fields == 0 {
            return None;
        }
        let mut response = ParsedResponse::new(self.status?, self.headers, Cow::Borrowed(body));
        response.call = self.call;
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(input: &str) -> (u16, Vec<String>, String, String) {
        let found = read(input.as_bytes(), None).expect(input).expect(input);
        let names = found.headers.keys().map(ToString::to_string).collect();
        let route = format!("{:?} {:?}", found.call.method, found.call.uri.as_ref().map(http::Uri::path));
        (found.status.as_u16(), names, String::from_utf8_lossy(&found.body).into_owned(), route)
    }

    #[test]
    fn headers_are_read_with_a_colon_or_in_two_lines() {
        let names = vec!["retry-after".to_owned(), "content-type".to_owned()];
        for input in [
            ":status: 429\nretry-after: 30\ncontent-type: application/json\n",
            "status: 429\r\nretry-after: 30\r\ncontent-type: application/json",
            "retry-after: 30\nStatus: 429 Too Many Requests\ncontent-type: a\n",
            ":status\n429\nretry-after\n30\ncontent-type\napplication/json\n",
            ":status:\n429\nretry-after:\n30\ncontent-type:\napplication/json",
            "Status Code: 429 Too Many Requests\nRemote Address: 127.0.0.1:443\nretry-after: 30\ncontent-type: a\n",
            "General\nRequest URL\nhttps://a.example/x\nStatus Code\n429 \nResponse Headers\nretry-after\n30\ncontent-type\na",
        ] {
            let (status, found, body, _) = read_text(input);
            assert_eq!((status, &found, body.as_str()), (429, &names, ""), "{input}");
        }
    }

    #[test]
    fn a_body_follows_an_empty_line_or_begins_itself() {
        for gap in ["\n\n", "\n", "\r\n\r\n"] {
            let (status, _, body, _) = read_text(&format!(":status: 429\nretry-after: 30{gap}{{\"error\":1}}"));
            assert_eq!((status, body.as_str()), (429, "{\"error\":1}"));
        }
    }

    #[test]
    fn the_request_beside_it_gives_method_and_path_only() {
        let (_, names, _, route) = read_text(
            "Request URL: https://a.example/v1/x?token=abc\nRequest Method: POST\nStatus Code: 429\n\n\
             Response Headers\nretry-after: 30\n\nRequest Headers\n:authority: a.example\nauthorization: Bearer x\n",
        );
        assert_eq!(names, ["retry-after"]);
        assert_eq!(route, "Some(POST) Some(\"/v1/x\")");
    }

    #[test]
    fn other_texts_are_not_headers() {
        for input in
            ["", "hello\n", "Error: it failed with 429", "{\"status\":429}", "https://a.example:429\n", "a b: c"]
        {
            assert!(read(input.as_bytes(), None).is_none(), "{input}");
        }
    }
}
