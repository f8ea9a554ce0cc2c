//! Reads raw responses, as `curl -i`, `wget -S` and `HTTPie` print them, with or without the request before them.
//!
//! ```text
//! HTTP/1.1 100 Continue
//!
//! HTTP/1.1 429 Too Many Requests
//! Retry-After: 30
//!
//! {"error":"rate_limited"}
//! ```
//!
//! The difficulty is the end of a body: a saved response has no length of its own. `Content-Length` decides where it fits; else a
//! body ends before the next line that is a status line with a well-formed head behind it.
//!
//! Where a body ends, by example:
//!
//! | behind the head | the body |
//! |---|---|
//! | as many bytes as `Content-Length`, then a status line | those bytes |
//! | text, then a line `HTTP/1.1 ...` and headers | up to that line |
//! | text, then `HTTP/1.1 ...` without headers | goes on: an error page quotes it |
//! | a request as HTTPie prints it, then a status line | up to the request |
//! | the trailers of a gRPC response | up to them: they are read beside the head |

use std::borrow::Cow;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap};

use super::head::{End, Head, head, loose_status_of};
use super::lines::Lines;
use super::parsed::{FormatError, ParsedRequest, ParsedResponse};
use super::trailers;

/// Returns `true` if a line of the input is a status line.
///
/// The line may be indented or coloured. `HTTP/1.1` within a sentence is not enough: a number from 100 to 999 must
/// follow.
pub(super) fn is_raw(input: &[u8]) -> bool {
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        if loose_status_of(line).is_some() {
            return true;
        }
    }
    false
}

/// Reads every response.
///
/// A head that another one follows at once is not a response of its own if HTTP works so: interim responses (RFC 9110 section
/// 15.2), redirects that were followed, the answer of a proxy to `CONNECT`, and a challenge that was answered.
///
/// # Errors
/// A head with a line that is not a header; the line is not quoted, since it may hold a credential.
pub(super) fn read(input: &[u8]) -> Result<Vec<ParsedResponse<'_>>, FormatError> {
    let mut lines = Lines::new(input);
    let mut found = Vec::new();
    let mut call = call_before(&mut lines);
    loop {
        let head = head(&mut lines)?;
        let body = body(&mut lines, &head);
        let is_last = lines.rest.is_empty();
        if is_last || !body.is_empty() || !is_followed(&head) {
            let Head { status, mut headers, .. } = head;
            let body = trailers::cut(&mut headers, body);
            let mut response = ParsedResponse::new(status, headers, Cow::Borrowed(body));
            response.call = std::mem::take(&mut call);
            found.push(response);
        }
        if is_last {
            return Ok(found);
        }
        let next = call_before(&mut lines);
        if next.method.is_some() {
            call = next;
        }
    }
}

/// Returns `true` if a head that another one follows at once is a step of the same call.
pub(super) fn is_followed(head: &Head) -> bool {
    let is_challenge = matches!(head.status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    head.status.is_informational() || head.status.is_redirection() || head.is_tunnel || is_challenge
}

/// Skips the lines before a status line, and reads the request in them.
fn call_before(lines: &mut Lines<'_>) -> ParsedRequest {
    let mut call = ParsedRequest::default();
    while let Some(line) = lines.peek() {
        if loose_status_of(line).is_some() {
            break;
        }
        lines.next();
        if !call.set_request_line(line.trim_ascii())
            && call.method.is_some()
            && let Some(colon) = line.iter().position(|byte| *byte == b':')
        {
            call.add_header(&String::from_utf8_lossy(&line[..colon]), line[colon + 1..].trim_ascii());
        }
    }
    call
}

/// Takes the body, and leaves the lines at the next response or at the end.
fn body<'a>(lines: &mut Lines<'a>, head: &Head) -> &'a [u8] {
    let rest = lines.rest;
    if head.end == End::Dedent {
        return skip_to_status(lines);
    }
    if head.status.is_informational() && lines.peek().is_some_and(|line| loose_status_of(line).is_some()) {
        return b"";
    }
    let Some(next) = next_response(rest, &head.headers) else {
        lines.rest = b"";
        return rest;
    };
    let body = &rest[..next];
    lines.number += body.iter().filter(|byte| **byte == b'\n').count();
    lines.rest = &rest[next..];
    body.trim_ascii_end()
}

/// Goes to the next status line; `wget -S` prints no body.
fn skip_to_status<'a>(lines: &mut Lines<'a>) -> &'a [u8] {
    while lines.peek().is_some_and(|line| loose_status_of(line).is_none()) {
        lines.next();
    }
    b""
}

/// Returns where in the bytes behind a head the next response begins; `None` when all of them are the body.
///
/// `Content-Length` tells, where it fits (RFC 9112 section 6.3); else a status line at the beginning of a line does, if a
/// well-formed head follows. Each line is looked at a bounded number of times: a head that is not well-formed ends before
/// the next status line.
fn next_response(rest: &[u8], headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse::<usize>().ok());
    if let Some(length) = length.filter(|length| *length <= rest.len()) {
        let after = &rest[length..];
        let next = rest.len() - after.trim_ascii_start().len();
        if next == rest.len() {
            return None;
        }
        if begins_response(&rest[next..]) {
            return Some(next);
        }
    }
    let mut lines = Lines::new(rest);
    loop {
        let at = rest.len() - lines.rest.len();
        lines.peek()?;
        if begins_response(lines.rest) {
            return Some(request_before(rest, at));
        }
        lines.next();
    }
}

/// Moves back over a request that stands between a body and the response to it, as `httpie` prints one.
///
/// At most 64 lines are looked at, so that the time stays linear.
fn request_before(rest: &[u8], at: usize) -> usize {
    /// More lines than clients send.
    const MAX_LINES: usize = 64;
    let mut begin = at;
    for _ in 0..MAX_LINES {
        let before = rest[..begin].strip_suffix(b"\n").unwrap_or(&rest[..begin]);
        let line_at = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before[line_at..].trim_ascii();
        let is_versioned = line.windows(6).any(|window| window == b" HTTP/");
        if is_versioned && ParsedRequest::default().set_request_line(line) {
            return line_at;
        }
        if line_at == 0 {
            break;
        }
        begin = line_at;
    }
    at
}

/// Returns `true` if a status line with a well-formed head is next.
fn begins_response(bytes: &[u8]) -> bool {
    let mut lines = Lines::new(bytes);
    if lines.peek().is_none_or(|line| loose_status_of(line).is_none()) {
        return false;
    }
    head(&mut lines).is_ok_and(|head| match head.end {
        End::EmptyLine => true,
        End::Input | End::Dedent => !head.headers.is_empty(),
        End::Body => false,
    })
}

#[cfg(test)]
mod tests;
