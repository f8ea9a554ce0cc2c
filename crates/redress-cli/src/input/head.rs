//! Reads status lines and headers, as RFC 9112 has them and as people copy them.
//!
//! Tolerated are: colours of a terminal, an indented head (`wget -S`), folded values (obsolete since RFC 7230), pseudo-headers
//! between the others, and a missing empty line before a body that begins with `{`, `[` or `<`.
//!
//! ```text
//! HTTP/2 429              an empty or missing reason phrase
//!   HTTP/1.1 429 x        indented, by `wget -S`
//! x-note: first           folded:
//!   second                the value is `first second`
//! {"error":"busy"}        a body without the empty line before it
//! ```

use std::borrow::Cow;

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::lines::{Lines, without_colours};
use super::parsed::FormatError;

/// A status line and its headers.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// `true` for the answer of a proxy to `CONNECT`, which precedes the response of the server.
    pub(super) is_tunnel: bool,
    /// How it ended.
    pub(super) end: End,
}

/// How a head ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With an empty line.
    EmptyLine,
    /// With the input.
    Input,
    /// With a line that begins a body.
    Body,
    /// With a line that is not indented as its status line is: `wget -S` writes so, and no body.
    Dedent,
}

/// A header whose value may go on in the next line.
struct Field {
    /// The number of its first line, for an error.
    line: usize,
    name: HeaderName,
    /// The value so far, with one blank in the place of each fold (RFC 9112 section 5.2).
    value: Vec<u8>,
}

/// Reads `HTTP/1.1 404 Not Found` or `HTTP/2 404`.
pub(super) fn status_of(line: &[u8]) -> Option<StatusCode> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let version = words.next()?.strip_prefix(b"HTTP/")?;
    let known = version.first()?.is_ascii_digit() && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if !known {
        return None;
    }
    StatusCode::from_bytes(words.next()?).ok()
}

/// Returns the status of a line that may be indented and coloured.
pub(super) fn loose_status_of(line: &[u8]) -> Option<StatusCode> {
    // No line of a body is copied to find out.
    if !line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t' | 0x1b | b'H')) {
        return None;
    }
    status_of(without_colours(line).trim_ascii_start())
}

/// Reads a head from its status line on.
pub(super) fn head(lines: &mut Lines<'_>) -> Result<Head, FormatError> {
    let line = without_colours(lines.next().unwrap_or_default());
    let indent = line.len() - line.trim_ascii_start().len();
    let status = loose_status_of(&line)
        .ok_or_else(|| lines.mistake("expected a status line such as `HTTP/1.1 404 Not Found`"))?;
    let is_tunnel = status.is_success() && line.to_ascii_lowercase().ends_with(b"connection established");
    let (headers, end) = header_lines(lines, indent)?;
    Ok(Head { status, headers, is_tunnel, end })
}

/// Reads headers up to and with the empty line, or up to the end of the input or the beginning of a body.
pub(super) fn header_lines(lines: &mut Lines<'_>, indent: usize) -> Result<(HeaderMap, End), FormatError> {
    let mut headers = HeaderMap::new();
    let mut open: Option<Field> = None;
    loop {
        let before = *lines;
        let line = lines.next().map(without_colours);
        let end = match line.as_deref() {
            None => Some(End::Input),
            Some(line) if line.trim_ascii().is_empty() => Some(End::EmptyLine),
            Some(line) if indent > 0 && !line.starts_with(b" ") => Some(End::Dedent),
            Some(line) if begins_body(line) => Some(End::Body),
            Some(_) => None,
        };
        if matches!(end, Some(End::Dedent | End::Body)) {
            *lines = before;
        }
        let line: Cow<'_, [u8]> = line.unwrap_or_default();
        let line = line.get(indent..).unwrap_or(&line);
        let is_folded = end.is_none() && (line.starts_with(b" ") || line.starts_with(b"\t"));
        if let Some(field) = open.as_mut().filter(|_| is_folded) {
            field.value.push(b' ');
            field.value.extend_from_slice(line.trim_ascii());
            continue;
        }
        open.take().map(|field| field.add_to(&mut headers)).transpose()?;
        match end {
            Some(end) => return Ok((headers, end)),
            // HTTP/2 has pseudo-header fields beside the others (RFC 9113 section 8.3).
            None if line.starts_with(b":") => {}
            None => open = Some(Field::read(line, lines)?),
        }
    }
}

/// Returns `true` if a line in the place of a header is the first one of a body: the empty line was lost in copying.
///
/// A header cannot begin with `{`, `[` or `<`, since they are no symbols of a token (RFC 9110 section 5.6.2).
pub(super) fn begins_body(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'{' | b'[' | b'<'))
}

/// Adds a header; the error never quotes the value.
pub(super) fn append(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) -> Result<(), String> {
    let parsed = HeaderValue::from_bytes(value.trim_ascii())
        .map_err(|_| format!("{name}: expected a value without control characters"))?;
    headers.try_append(name, parsed).map_err(|_| "expected fewer headers, found too many".to_owned())?;
    Ok(())
}

impl Field {
    /// Reads `name: value`; the error does not quote the line.
    fn read(line: &[u8], lines: &Lines<'_>) -> Result<Self, FormatError> {
        let colon = line.iter().position(|byte| *byte == b':');
        let name = colon.and_then(|colon| HeaderName::from_bytes(&line[..colon]).ok());
        let (Some(colon), Some(name)) = (colon, name) else {
            return Err(lines.mistake("expected a header such as `Retry-After: 30`, or an empty line before the body"));
        };
        Ok(Self { line: lines.number, name, value: line[colon + 1..].to_vec() })
    }

    /// Adds the header, once all of its folded lines were read.
    fn add_to(self, headers: &mut HeaderMap) -> Result<(), FormatError> {
        append(headers, self.name, &self.value).map_err(|problem| FormatError { line: self.line, problem })
    }
}
