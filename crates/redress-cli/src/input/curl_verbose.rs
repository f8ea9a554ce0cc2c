//! Reads the output of `curl -v`.
//!
//! ```text
//! * Connected to api.example.com (192.0.2.1) port 443
//! > POST /v1/things HTTP/2
//! > Authorization: Bearer ...
//! >
//! < HTTP/2 503
//! < retry-after: 30
//! <
//! {"error":"busy"}
//! * Connection #0 to host api.example.com left intact
//! ```
//!
//! `*` marks a note, `>` a line of the request, `<` one of the response; the body has no mark. With `2>&1` the progress meter
//! lies between the lines, and the last note stands directly behind a body that does not end with a newline. So does the first
//! trailer of a gRPC response.

use std::borrow::Cow;

use http::{Method, StatusCode};

use super::head::{self, Head, status_of};
use super::lines::Lines;
use super::parsed::{FormatError, ParsedRequest, ParsedResponse};
use super::{raw, trailers};

/// Where a line of curl's progress meter ends: `--:--:--  1234`.
const METER: &[u8] = b"--:--:--";
/// Begins curl's last note, which follows a body on the same line.
const LAST_NOTES: [&[u8]; 3] = [b"* Connection #", b"* Closing connection", b"* shutting down connection"];

/// A head, what followed it, and the call before it.
#[derive(Default)]
struct Segment {
    call: ParsedRequest,
    /// The lines of the head without their marks.
    head: Vec<u8>,
    /// All that followed, until the next head.
    body: Vec<u8>,
    /// Trailers without their marks.
    trailers: Vec<u8>,
    /// The number of the line with the status.
    line: usize,
}

/// The part of the transcript in which a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Notes of the connection.
    Before,
    /// The request, whose headers are masked and never printed.
    Request,
    /// The status line and the headers of the response.
    Head,
    /// The body, without a mark.
    Body,
}

/// Returns whether the input has a status line that curl marked as received.
pub(super) fn is_verbose(input: &[u8]) -> bool {
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        if received(without_meter(line)).is_some_and(|line| status_of(line).is_some()) {
            return true;
        }
    }
    false
}

/// Reads every response but those that another one of the same call follows.
///
/// A call that followed a redirect, tried a password or met a 100 has several heads; its last response counts. Calls
/// of several URLs on one command line have one response each.
pub(super) fn read(input: &[u8]) -> Result<Vec<ParsedResponse<'static>>, FormatError> {
    let mut found = Vec::new();
    let mut segments = segments(input).into_iter().peekable();
    while let Some(mut segment) = segments.next() {
        let head = head::head(&mut Lines::new(&segment.head))
            .map_err(|mistake| FormatError { line: segment.line + mistake.line - 1, ..mistake })?;
        let is_connect = segment.call.method == Some(Method::CONNECT);
        if let Some(next) = segments.peek_mut()
            && (is_connect || replaced(&head, &segment.body))
        {
            if next.call.method.is_none() && !is_connect {
                next.call = std::mem::take(&mut segment.call);
            }
            continue;
        }
        found.push(segment.into_response(head));
    }
    Ok(found)
}

/// Returns whether curl went on to another response of the same call.
fn replaced(head: &Head, body: &[u8]) -> bool {
    let is_redirect = head.status.is_redirection() && head.status != StatusCode::NOT_MODIFIED;
    raw::is_followed(head) && (is_redirect || body.is_empty())
}

/// Splits the transcript at its status lines.
///
/// One pass over the lines: each is a note, a part of the request, a part of the head, or of the body.
fn segments(input: &[u8]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut call = ParsedRequest::default();
    let mut place = Place::Before;
    let mut lines = Lines::new(input);
    while let Some(whole) = lines.next() {
        let line = without_meter(whole);
        if let Some(sent) = marked(line, b'>') {
            if sent.contains(&b'/') && call_line(&mut call, sent) {
                place = Place::Request;
                continue;
            }
            if place == Place::Request {
                add_header(&mut call, sent);
                continue;
            }
        }
        match received(line) {
            Some(line) if status_of(line).is_some() => {
                let segment = Segment { call: std::mem::take(&mut call), line: lines.number, ..Segment::default() };
                segments.push(segment);
                place = Place::Head;
                push(&mut segments, line, |segment| &mut segment.head);
            }
            Some(line) if place == Place::Head => {
                push(&mut segments, line, |segment| &mut segment.head);
                if line.trim_ascii().is_empty() {
                    place = Place::Body;
                }
            }
            _ if place == Place::Body
                && let Some((end, trailer)) = trailers::marked(line) =>
            {
                if !end.is_empty() {
                    push(&mut segments, end, |segment| &mut segment.body);
                }
                push(&mut segments, trailer, |segment| &mut segment.trailers);
            }
            _ if place == Place::Body && !is_note(line) && (line.len() == whole.len() || !line.is_empty()) => {
                push(&mut segments, line, |segment| &mut segment.body);
            }
            // With `-i` each header is printed a second time.
            _ => {}
        }
    }
    segments
}

/// Adds a line to a part of the last segment.
fn push(segments: &mut [Segment], line: &[u8], part: impl FnOnce(&mut Segment) -> &mut Vec<u8>) {
    if let Some(segment) = segments.last_mut() {
        let part = part(segment);
        part.extend_from_slice(line);
        part.push(b'\n');
    }
}

/// Reads a request line; a new one replaces the call.
fn call_line(call: &mut ParsedRequest, line: &[u8]) -> bool {
    let mut next = ParsedRequest::default();
    let is_line = line.windows(6).any(|window| window == b" HTTP/") && next.set_request_line(line);
    if is_line {
        *call = next;
    }
    is_line
}

/// Reads a header of the request.
fn add_header(call: &mut ParsedRequest, line: &[u8]) {
    if let Some(colon) = line.iter().position(|byte| *byte == b':') {
        call.add_header(&String::from_utf8_lossy(&line[..colon]), line[colon + 1..].trim_ascii());
    }
}

impl Segment {
    /// Returns the response, its body without the note that curl writes behind it.
    ///
    /// The newline that the splitting added behind the last line is taken off again.
    fn into_response(mut self, head: Head) -> ParsedResponse<'static> {
        let end = self.body.len().saturating_sub(1);
        self.body.truncate(end);
        cut_last_note(&mut self.body);
        let Head { status, mut headers, .. } = head;
        trailers::add_lines(&mut headers, &self.trailers);
        // With `-i`, and the body in another stream, the head stands before the body once more.
        let again = raw::read(&self.body).ok().filter(|_| status_of(first_line(&self.body)).is_some());
        let body = again.and_then(|mut found| Some(found.pop()?.body.into_owned()));
        let mut response = ParsedResponse::new(status, headers, Cow::Owned(body.unwrap_or(self.body)));
        response.call = self.call;
        response
    }
}

/// Returns the first line of a body.
fn first_line(body: &[u8]) -> &[u8] {
    Lines::new(body).next().unwrap_or_default()
}

/// Cuts off the note that stands right behind a body without a newline at its end.
fn cut_last_note(body: &mut Vec<u8>) {
    let line_at = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = &body[line_at..];
    let found = LAST_NOTES.iter().filter_map(|note| line.windows(note.len()).rposition(|window| window == *note)).max();
    if let Some(at) = found {
        body.truncate(line_at + at);
    }
}

/// Returns what curl received in this line.
fn received(line: &[u8]) -> Option<&[u8]> {
    marked(line, b'<')
}

/// Returns the text behind a mark and one blank; `None` for a line without the mark.
fn marked(line: &[u8], mark: u8) -> Option<&[u8]> {
    let rest = line.strip_prefix(&[mark])?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b" ") }
}

/// Returns whether a line between others is curl's own: a note, or how many bytes went where.
fn is_note(line: &[u8]) -> bool {
    let is_count = (line.starts_with(b"{ [") || line.starts_with(b"} [")) && line.ends_with(b" bytes data]");
    let is_meter = line.trim_ascii_start().starts_with(b"% Total") || line.trim_ascii_start().starts_with(b"Dload ");
    line.starts_with(b"* ") || is_count || is_meter
}

/// Takes the progress meter out of the beginning of a line, which it overwrites by carriage returns.
///
/// ```text
///   0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0< HTTP/2 503
/// ```
///
/// is read as `< HTTP/2 503`: the meter has no newline, it overwrites itself.
fn without_meter(line: &[u8]) -> &[u8] {
    let Some(at) = line.windows(METER.len()).rposition(|window| window == METER) else { return line };
    let is_meter = |byte: &u8| matches!(byte, b'\r' | b' ' | b':' | b'-' | b'.' | b'k' | b'M' | b'G' | b'0'..=b'9');
    if !line[..at].iter().all(is_meter) {
        return line;
    }
    let rest = line[at + METER.len()..].trim_ascii_start();
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let rest = &rest[end..];
    rest.strip_prefix(b"k").or_else(|| rest.strip_prefix(b"M")).unwrap_or(rest)
}

#[cfg(test)]
mod tests;
