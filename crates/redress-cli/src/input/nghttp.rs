//! Reads the log of `nghttp -v`.
//!
//! ```text
//! [  0.013] send HEADERS frame <length=41, flags=0x25, stream_id=13>
//!           ; END_STREAM | END_HEADERS | PRIORITY
//!           :method: GET
//!           :path: /v1/things
//! [  0.020] recv (stream_id=13) :status: 429
//! [  0.020] recv (stream_id=13) retry-after: 30
//! {"error":"rate_limited"}[  0.021] recv DATA frame <length=24, flags=0x01, stream_id=13>
//! ```
//!
//! Streams of one connection are interleaved; they are told apart by their id. The body is printed before the line of its DATA
//! frame, without a mark.
//!
//! A server push is a stream of its own. Colours of a terminal are removed.

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName};

use super::head::append;
use super::lines::{Lines, without_colours};
use super::parsed::{ParsedRequest, ParsedResponse};
use super::status::leading_status;

/// A stream of the connection: a request and its response.
#[derive(Default)]
struct Stream {
    id: u32,
    /// The final status; an interim one (1xx) is dropped when the next one comes.
    status: Option<http::StatusCode>,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The request, whose headers are masked and never printed.
    call: ParsedRequest,
}

/// The streams in the order of their first frame.
#[derive(Default)]
struct Log {
    streams: Vec<Stream>,
    /// The stream whose sent headers are listed in the next lines.
    sending: Option<u32>,
    /// Text between the frames that no DATA frame has claimed yet: a body stands before its frame.
    unclaimed: Vec<u8>,
}

/// Returns `true` if a line of the input states the status of a received response.
pub(super) fn is_log(input: &[u8]) -> bool {
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        let line = without_colours(line);
        if entry(&line).is_some_and(|(_, entry)| received(entry).is_some_and(|(_, name, _)| name == b":status")) {
            return true;
        }
    }
    false
}

/// Reads the response of every stream that has a status.
///
/// The order is that of the first entries of the streams, which is the order of the requests.
pub(super) fn read(input: &[u8]) -> Vec<ParsedResponse<'static>> {
    let mut log = Log::default();
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        log.add(&without_colours(line));
    }
    if let Some(stream) = log.streams.iter_mut().rev().find(|stream| stream.status.is_some() && stream.body.is_empty())
    {
        stream.body = std::mem::take(&mut log.unclaimed);
    }
    log.streams.into_iter().filter_map(Stream::into_response).collect()
}

impl Log {
    /// Takes a line: an entry of the log, a header that is sent, or a part of a body.
    ///
    /// | line | meaning |
    /// |---|---|
    /// | `[  0.013] send HEADERS frame <.., stream_id=13>` | the next indented lines are headers of the request |
    /// | `[  0.020] recv (stream_id=13) :status: 429` | a header of the response |
    /// | `[  0.021] recv DATA frame <.., stream_id=13>` | the text before it is a part of the body |
    /// | anything else between entries | text that the next DATA frame claims |
    fn add(&mut self, line: &[u8]) {
        let Some((before, entry)) = entry(line) else {
            match self.sending {
                Some(id) if line.starts_with(b"      ") => self.add_sent(id, line.trim_ascii()),
                _ if line.starts_with(b"          ") => {}
                _ => self.add_text(line, true),
            }
            return;
        };
        self.add_text(before, false);
        self.sending = None;
        if let Some((id, name, value)) = received(entry) {
            self.stream(id).add_header(name, value);
        } else if let Some(id) = entry.strip_prefix(b"recv DATA frame").and_then(stream_id) {
            let body = std::mem::take(&mut self.unclaimed);
            self.stream(id).body.extend(body);
        } else if let Some(id) = entry.strip_prefix(b"send HEADERS frame").and_then(stream_id) {
            self.sending = Some(id);
        }
    }

    /// Adds text between the entries; a line feed ends it if it is a line of its own.
    fn add_text(&mut self, text: &[u8], is_line: bool) {
        self.unclaimed.extend_from_slice(text);
        if is_line && !self.unclaimed.is_empty() {
            self.unclaimed.push(b'\n');
        }
    }

    /// Takes a header of the request. `; Open new stream` and `(padlen=0)` are notes.
    fn add_sent(&mut self, id: u32, line: &[u8]) {
        let Some((name, value)) = field(line).filter(|_| !line.starts_with(b";") && !line.starts_with(b"(")) else {
            return;
        };
        let call = &mut self.stream(id).call;
        let (name, text) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        match &*name {
            ":method" => call.set_method(&text),
            ":path" => call.set_url(&text),
            name if name.starts_with(':') => {}
            name => call.add_header(name, value),
        }
    }

    /// Returns the stream of an id, which begins with its first entry.
    fn stream(&mut self, id: u32) -> &mut Stream {
        let at = self.streams.iter().position(|stream| stream.id == id).unwrap_or_else(|| {
            self.streams.push(Stream { id, ..Stream::default() });
            self.streams.len() - 1
        });
        &mut self.streams[at]
    }
}

impl Stream {
    /// Takes a header of the response; of an interim response (1xx) nothing is kept.
    fn add_header(&mut self, name: &[u8], value: &[u8]) {
        if name == b":status" {
            self.headers.clear();
            self.status = leading_status(&String::from_utf8_lossy(value)).filter(|status| !status.is_informational());
        } else if let Ok(name) = HeaderName::from_bytes(name) {
            // A value that no header can have was changed by the terminal: the other headers still count.
            let _ = append(&mut self.headers, name, value);
        }
    }

    /// Returns the response; `None` for a stream without a status.
    fn into_response(self) -> Option<ParsedResponse<'static>> {
        let body = self.body.trim_ascii_end().to_vec();
        let mut response = ParsedResponse::new(self.status?, self.headers, Cow::Owned(body));
        response.call = self.call;
        Some(response)
    }
}

/// Finds an entry of the log in a line, which may stand behind the end of a body: `[  0.021] recv DATA frame <...>`.
fn entry(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + line[from..].iter().position(|byte| *byte == b'[')?;
        from = at + 1;
        let Some(end) = line[at..].iter().position(|byte| *byte == b']') else { continue };
        let time = line[at + 1..at + end].trim_ascii();
        let is_time = time.contains(&b'.') && time.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        if is_time && line[at + end..].starts_with(b"] ") {
            return Some((&line[..at], &line[at + end + 2..]));
        }
    }
}

/// Reads `recv (stream_id=13) retry-after: 30`: the stream, the name and the value.
fn received(entry: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let rest = entry.strip_prefix(b"recv (")?;
    let end = rest.windows(2).position(|window| window == b") ")?;
    let (name, value) = field(&rest[end + 2..])?;
    Some((stream_id(&rest[..end])?, name, value))
}

/// Reads the number behind `stream_id=`.
fn stream_id(text: &[u8]) -> Option<u32> {
    const KEY: &[u8] = b"stream_id=";
    let at = text.windows(KEY.len()).position(|window| window == KEY)?;
    let digits = &text[at + KEY.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// Reads `name: value`, where the name may be that of a pseudo-header (RFC 9113 section 8.3).
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "[  0.012] Connected\nThe negotiated protocol: h2\n\
        [  0.013] send HEADERS frame <length=55, flags=0x25, stream_id=13>\n          ; END_STREAM | END_HEADERS | PRIORITY\n\
        \x20         (padlen=0, dep_stream_id=11, weight=16, exclusive=0)\n          ; Open new stream\n\
        \x20         :method: POST\n          :path: /v1/things?api_key=k-12345678\n          :scheme: https\n\
        \x20         authorization: Bearer t-12345678\n\
        [  0.020] recv (stream_id=13) :status: 429\n[  0.020] recv (stream_id=13, sensitive) retry-after: 30\n\
        [  0.020] recv HEADERS frame <length=50, flags=0x04, stream_id=13>\n          ; END_HEADERS\n          (padlen=0)\n\
        {\"error\":\"rate_limited\",\n \"at\":[1]}[  0.021] recv DATA frame <length=24, flags=0x01, stream_id=13>\n          ; END_STREAM\n\
        [  0.021] send GOAWAY frame <length=8, flags=0x00, stream_id=0>\n";

    #[test]
    fn a_stream_is_read_with_its_body_and_its_call() {
        assert!(is_log(LOG.as_bytes()));
        let coloured = LOG.replace("recv ", "\x1b[36mrecv \x1b[0m");
        for log in [LOG, &coloured] {
            let mut found = read(log.as_bytes());
            let response = found.pop().expect("one response");
            assert!(found.is_empty());
            assert_eq!(
                (response.status.as_u16(), &response.headers["retry-after"]),
                (429, &http::HeaderValue::from(30))
            );
            let body = String::from_utf8_lossy(&response.body).into_owned();
            assert!(body.ends_with("{\"error\":\"rate_limited\",\n \"at\":[1]}"), "{body}");
            assert_eq!(response.call.method, Some(http::Method::POST));
            assert_eq!(response.call.uri.as_ref().map(http::Uri::path), Some("/v1/things"));
            assert_eq!(response.call.sent.last().map(Vec::as_slice), Some(&b"Bearer t-12345678"[..]));
        }
    }

    #[test]
    fn streams_are_told_apart() {
        let log = "[  0.1] recv (stream_id=1) :status: 103\n[  0.1] recv (stream_id=1) link: x\n\
            [  0.1] recv (stream_id=3) :status: 404\n[  0.1] recv (stream_id=1) :status: 503\n\
            {\"a\":1}[  0.2] recv DATA frame <length=7, flags=0x00, stream_id=3>\n\
            [  0.2] recv (stream_id=1) retry-after: 5\n{\"b\":2}[  0.3] recv DATA frame <length=7, flags=0x01, stream_id=1>\n";
        let found = read(log.as_bytes());
        let shown = found.iter().map(|found| (found.status.as_u16(), found.headers.len(), &*found.body));
        assert_eq!(shown.collect::<Vec<_>>(), [(503, 1, &b"{\"b\":2}"[..]), (404, 0, b"{\"a\":1}")]);
        assert!(!is_log(b"[  0.1] send SETTINGS frame\n") && !is_log(b"[1.5] recv x\n"));
    }
}
