//! Reads a raw response, as `curl -i` prints it.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

use crate::text::excerpt;

/// A head and the bytes that follow it.
#[derive(Debug)]
pub(crate) struct RawResponse<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What is wrong with an input that is no response, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) problem: String,
}

/// A place between two lines.
#[derive(Clone, Copy)]
struct Lines<'a> {
    rest: &'a [u8],
    /// The number of the line that was taken last.
    number: usize,
}

/// A header whose value may go on in the next line.
struct Field {
    line: usize,
    name: HeaderName,
    value: Vec<u8>,
}

/// Reads a response; of several heads in a row the last one counts.
pub(crate) fn parse(input: &[u8]) -> Result<RawResponse<'_>, Mistake> {
    let mut lines = Lines { rest: input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input), number: 0 };
    lines.skip_empty();
    let (mut status, mut headers) = head(&mut lines)?;
    while may_be_head(lines.rest, &headers) {
        let mut ahead = lines;
        match head(&mut ahead) {
            Ok(next) => {
                (status, headers) = next;
                lines = ahead;
            }
            // These have no body that could look like a head.
            Err(mistake) if status.is_informational() || status.is_redirection() => return Err(mistake),
            Err(_) => break,
        }
    }
    Ok(RawResponse { status, headers, body: lines.rest })
}

/// Whether what follows a head is another one, and not a body that begins in the same way.
fn may_be_head(rest: &[u8], headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let line = Lines { rest, number: 0 }.next().unwrap_or_default();
    length != Some(rest.len()) && status_of(line).is_some()
}

fn head(lines: &mut Lines<'_>) -> Result<(StatusCode, HeaderMap), Mistake> {
    let line = lines.next().unwrap_or_default();
    let status = status_of(line).ok_or_else(|| {
        let found = excerpt(line);
        lines.mistake(format!("expected a status line such as `HTTP/1.1 404 Not Found`, found {found}"))
    })?;
    Ok((status, header_lines(lines)?))
}

/// Reads `HTTP/1.1 404 Not Found` or `HTTP/2 404`.
fn status_of(line: &[u8]) -> Option<StatusCode> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let version = words.next()?.strip_prefix(b"HTTP/")?;
    let known = version.first()?.is_ascii_digit() && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if !known {
        return None;
    }
    StatusCode::from_bytes(words.next()?).ok()
}

/// Reads headers up to and with the empty line.
fn header_lines(lines: &mut Lines<'_>) -> Result<HeaderMap, Mistake> {
    let mut headers = HeaderMap::new();
    let mut open: Option<Field> = None;
    loop {
        let Some(line) = lines.next() else {
            return Err(lines.mistake("the input ends within the head, expected an empty line after the headers"));
        };
        match open.as_mut() {
            Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                field.value.push(b' ');
                field.value.extend_from_slice(line.trim_ascii());
                continue;
            }
            _ => open.take().map(|field| field.add_to(&mut headers)).transpose()?,
        };
        if line.is_empty() {
            return Ok(headers);
        }
        open = Some(Field::read(line, lines)?);
    }
}

impl Field {
    fn read(line: &[u8], lines: &Lines<'_>) -> Result<Self, Mistake> {
        let colon = line.iter().position(|byte| *byte == b':');
        let name = colon.and_then(|colon| HeaderName::from_bytes(&line[..colon]).ok());
        let (Some(colon), Some(name)) = (colon, name) else {
            return Err(lines.mistake(format!("expected a header such as `Retry-After: 30`, found {}", excerpt(line))));
        };
        Ok(Self { line: lines.number, name, value: line[colon + 1..].to_vec() })
    }

    fn add_to(self, headers: &mut HeaderMap) -> Result<(), Mistake> {
        let value = HeaderValue::from_bytes(self.value.trim_ascii()).map_err(|_| {
            let problem =
                format!("{}: expected a value without control characters, found {}", self.name, excerpt(&self.value));
            Mistake { line: self.line, problem }
        })?;
        let added = headers.try_append(self.name, value);
        added.map_err(|_| Mistake { line: self.line, problem: "expected fewer headers, found too many".to_owned() })?;
        Ok(())
    }
}

impl<'a> Lines<'a> {
    /// Takes a line without its end; the last one may have none.
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else {
            return Some(std::mem::take(&mut self.rest));
        };
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn skip_empty(&mut self) {
        let mut ahead = *self;
        while ahead.next().is_some_and(<[u8]>::is_empty) {
            *self = ahead;
        }
    }

    fn mistake(&self, problem: impl Into<String>) -> Mistake {
        Mistake { line: self.number.max(1), problem: problem.into() }
    }
}

#[cfg(test)]
mod tests;
