//! Reads events of a stream: server-sent events (HTML standard, section 9.2.6), and lines of JSON.
//!
//! ```text
//! event: error
//! data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}
//! ```
//!
//! An event is a part of a response that has begun as a success, so it has no status of its own; `docs/streams.md` lists the
//! APIs that report errors in this way.
//!
//! | field | read as |
//! |---|---|
//! | `event` | the name; `message` without one |
//! | `data` | a line of the data; several are joined |
//! | `id`, `retry`, a comment | nothing |

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::lines::Lines;
use super::parsed::{ParseResult, ParsedResponse};

/// The name of an event that has none.
const UNNAMED: &str = "message";

/// The fields of an event, as far as they are read.
#[derive(Default)]
struct Event {
    /// The value of `event`; empty for an event without a name.
    name: String,
    /// The lines of `data`, joined by line feeds; `None` if the event has none.
    data: Option<Vec<u8>>,
}

/// Returns `true` if the first lines are those of a server-sent event.
///
/// Every line up to the first empty one must be a field of an event or a comment, since `data:` and `id:` are headers
/// elsewhere.
pub(super) fn is_events(input: &[u8]) -> bool {
    let mut lines = Lines::new(input);
    lines.skip_empty();
    let mut has_data = false;
    while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
        let is_comment = line == b":" || line.starts_with(b": ");
        match field(line) {
            _ if is_comment => {}
            (b"data", _) => has_data = true,
            (b"event" | b"id" | b"retry", _) => {}
            _ => return false,
        }
    }
    has_data
}

/// Reads every event that has data. The last one may lack the empty line that ends it.
///
/// A stream that broke off ends without an empty line. Its last event is read as far as it came.
pub(super) fn read(input: &[u8]) -> Vec<ParsedResponse<'static>> {
    let mut found = Vec::new();
    let mut event = Event::default();
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next() {
        match field(line) {
            (b"", b"") if line.is_empty() => found.extend(std::mem::take(&mut event).into_response()),
            (b"event", value) => event.name = String::from_utf8_lossy(value).into_owned(),
            (b"data", value) => event.add(value),
            _ => {}
        }
    }
    found.extend(event.into_response());
    found
}

/// Reads the events of a response that is a stream of them, as `curl -i` shows it; any other response stays as it is, and so does
/// a stream without an event.
///
/// Each event has the head and the call of the response: a dialect may ask for a header, and what was sent is masked.
pub(super) fn of_stream(found: ParsedResponse<'_>) -> Vec<ParsedResponse<'_>> {
    let media_type = found.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if found.event.is_some() || !found.status.is_success() || !media_type.eq_ignore_ascii_case("text/event-stream") {
        return vec![found];
    }
    let events = read(&found.body);
    if events.is_empty() {
        return vec![found];
    }
    let with_head = |event: ParsedResponse<'static>| ParsedResponse {
        id: found.id.clone(),
        dialect: found.dialect.clone(),
        call: found.call.clone(),
        received: found.received,
        status: found.status,
        headers: found.headers.clone(),
        notes: found.notes.clone(),
        ..event
    };
    events.into_iter().map(with_head).collect()
}

/// Reads an input that is stated to be events of this name: server-sent events, one JSON document, or a line for each.
///
/// `--event message` is the name for a stream of JSON lines, such as a Kubernetes watch.
pub(super) fn named<'a>(input: &'a [u8], name: &str) -> Vec<ParseResult<'a>> {
    if is_events(input) {
        return read(input).into_iter().map(Ok).collect();
    }
    let event = |data: &'a [u8]| Ok(response(name.to_owned(), Cow::Borrowed(data)));
    let is_document = serde_json::from_slice::<&serde_json::value::RawValue>(input).is_ok();
    let (mut lines, mut found) = (Lines::new(input), Vec::new());
    if is_document {
        return vec![event(input)];
    }
    while let Some(line) = lines.next() {
        if !line.trim_ascii().is_empty() {
            found.push(event(line));
        }
    }
    found
}

/// Splits a line into the name of its field and the value, without the one blank before it.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return (line, b"") };
    let value = &line[colon + 1..];
    (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
}

/// States an event of a response that has begun as a success.
fn response(name: String, data: Cow<'_, [u8]>) -> ParsedResponse<'_> {
    let mut found = ParsedResponse::new(StatusCode::OK, HeaderMap::new(), data);
    found.event = Some(Cow::Owned(if name.is_empty() { UNNAMED.to_owned() } else { name }));
    found
}

impl Event {
    /// Adds a line of data; lines are joined by line feeds.
    fn add(&mut self, value: &[u8]) {
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            None => self.data = Some(value.to_vec()),
        }
    }

    /// Returns the event; `None` without data, as the standard drops such an event.
    fn into_response(self) -> Option<ParsedResponse<'static>> {
        Some(response(self.name, Cow::Owned(self.data?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: &[ParsedResponse<'_>]) -> Vec<(String, String)> {
        let shown = |found: &ParsedResponse<'_>| {
            (found.event.as_deref().unwrap_or_default().to_owned(), String::from_utf8_lossy(&found.body).into_owned())
        };
        found.iter().map(shown).collect()
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_split_as_the_standard_says() {
        let stream = ": ping\r\n\r\nevent: error\r\ndata: {\"a\":\r\ndata:1}\r\nid: 7\r\n\r\ndata: [DONE]\n\nevent: empty\n\ndata: {}";
        let expected = [pair("error", "{\"a\":\n1}"), pair("message", "[DONE]"), pair("message", "{}")];
        assert_eq!(shown(&read(stream.as_bytes())), expected);
    }

    #[test]
    fn an_event_is_detected_by_its_first_lines() {
        for (input, expected) in [
            ("data: {}", true),
            ("\n\ndata:{}\n", true),
            ("event: error\ndata: {}\n\n", true),
            (": comment\nid: 1\nretry: 5\ndata: {}\n", true),
            ("event: error\n\ndata: {}\n", false),
            (":status: 429\ndata: {}\n", false),
            ("data: {}\nretry-after: 30\n", false),
            ("{\"data\":1}", false),
            ("", false),
        ] {
            assert_eq!(is_events(input.as_bytes()), expected, "{input}");
        }
    }

    #[test]
    fn a_stated_event_is_a_document_or_a_line_for_each() {
        let named = |input, name| named(input, name).into_iter().collect::<Result<Vec<_>, _>>().expect("events");
        assert_eq!(shown(&named(b"{\n\"a\":1}\n", "message")), [pair("message", "{\n\"a\":1}\n")]);
        assert_eq!(shown(&named(b"{\"a\":1}\n\n{\"b\":2}\n", "x")), [pair("x", "{\"a\":1}"), pair("x", "{\"b\":2}")]);
        assert_eq!(shown(&named(b"event: y\ndata: {}\n", "x")), [pair("y", "{}")], "an event has its own name");
        assert_eq!(shown(&named(b"", "")), []);
    }

    #[test]
    fn a_response_that_streams_is_its_events() {
        let body = b"event: error\ndata: {\"a\":1}\n\n: ping\n\ndata: [DONE]\n\n";
        let response = |status, media_type: &'static str, body: &'static [u8]| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(media_type))]);
            ParsedResponse::new(status, headers, Cow::Borrowed(body))
        };
        let found = of_stream(response(StatusCode::OK, "text/event-stream; charset=utf-8", body));
        assert_eq!(shown(&found), [pair("error", "{\"a\":1}"), pair("message", "[DONE]")]);
        assert!(found.iter().all(|event| event.headers.contains_key(CONTENT_TYPE)));
        for (status, media_type, body) in [
            (StatusCode::OK, "application/json", &body[..]),
            (StatusCode::BAD_GATEWAY, "text/event-stream", body),
            (StatusCode::OK, "text/event-stream", b": ping\n\n"),
        ] {
            let found = of_stream(response(status, media_type, body));
            assert_eq!((found.len(), found[0].event.is_none()), (1, true), "{status} {media_type}");
        }
    }
}
