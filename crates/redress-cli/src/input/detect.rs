//! Detects the form of an input.
//!
//! Forms are tried from the most specific to the most lenient one, and the first that fits reads the input:
//!
//! 1. JSON: a document with several responses, a record, lines of records, values behind each other
//! 2. `curl -v`: a status line behind `< `
//! 3. raw responses: a status line at the beginning of a line
//! 4. logs of `OkHttp` and `nghttp`, the output of `grpcurl`
//! 5. server-sent events
//! 6. copied headers
//! 7. the text of a client's error, in which a number must be named as a status
//!
//! An input that no form fits is an error that lists the forms; where the form is known and only the status is missing, the
//! error says that alone. TOML is not a response: it is refused before the text of an error is looked for in it, since a dialect
//! file that is given by mistake has lines such as `status = 404`. Where the last form is only guessed from a number in a text,
//! a note says so.
//!
//! The order avoids mistakes: a log of `curl -v` has raw status lines in its bodies, a raw response may have a JSON
//! body, and almost any text has a number in it. `--status` and `--event` state what a body alone cannot, and skip
//! the detection.

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use super::json::is_object;
use super::parsed::{FormatError, ParseResult, ParsedResponse};
use super::{
    copied_headers, curl_verbose, documents, error_text, events, grpcurl, head, lines::Lines, nghttp, okhttp, raw,
    record, status, toml_file, utf32,
};

/// The accepted forms, listed in the error when none was recognized.
const FORMS: &str = "\
accepted are:
  a raw response: a status line, headers, an empty line, the body (curl -i, curl -v, wget -S, HTTPie)
  headers copied from a browser or an HTTP/2 log, with `:status: 429` or `Status Code: 429` among them
  a body alone, with --status 429
  a HAR file, a VCR cassette as JSON, a Postman collection
  JSON objects with a status, one per line, in an array, or alone
  server-sent events (`event: error`, `data: {...}`); a line of JSON lines with --event message
  a log of OkHttp or of nghttp -v, the output of grpcurl -v
  the error text of an HTTP client: axios, got, fetch, Guzzle, requests, httpx, reqwest, Go";

/// The options that were stated beside an input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stated<'s> {
    /// The status of a body or of headers.
    pub(crate) status: Option<StatusCode>,
    /// The name of the event that the input is.
    pub(crate) event: Option<&'s str>,
}

/// Finds every response in an input.
///
/// # Errors
/// An empty input, one of no known form, and a form that is damaged at its beginning. A part of a form that is damaged is a
/// [`ParseError`](super::ParseError) among the responses.
pub(crate) fn responses<'a>(input: &'a [u8], stated: Stated<'_>) -> Result<Vec<ParseResult<'a>>, FormatError> {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    if input.trim_ascii().is_empty() && stated.status.is_none() {
        return Err(no_form("the input is empty"));
    }
    let found = match stated {
        Stated { event: Some(name), .. } => events::named(input, name),
        Stated { status: Some(given), .. } => with_status(input, given)?,
        _ => without_status(input)?,
    };
    Ok(found.into_iter().flat_map(events_of).collect())
}

/// Splits a response that is a stream into its events.
fn events_of(item: ParseResult<'_>) -> Vec<ParseResult<'_>> {
    item.map_or_else(|mistake| vec![Err(mistake)], |found| events::of_stream(found).into_iter().map(Ok).collect())
}

/// Rewrites UTF-16 with a byte order mark, which PowerShell writes where output is redirected, and UTF-32 as UTF-8.
///
/// UTF-8 without a mark is returned without a copy.
pub(crate) fn utf8(input: Vec<u8>) -> Vec<u8> {
    if let Some(text) = utf32::decoded(&input) {
        return text.into_bytes();
    }
    let unit: fn([u8; 2]) -> u16 = match input.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return input,
    };
    let units: Vec<u16> = input[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units).into_bytes()
}

/// Reads an input beside which a status was stated: headers and a body, or a body.
///
/// An input with a status of its own must have the same one, so that a forgotten option does not hide a response.
///
/// ```sh
/// redress explain --status 429 body.json                   # a body alone
/// pbpaste | redress explain --status 429                   # headers that a browser copied without the status
/// ```
fn with_status(input: &[u8], given: StatusCode) -> Result<Vec<ParseResult<'_>>, FormatError> {
    let first = Lines::new(input.trim_ascii_start()).next().unwrap_or_default();
    if head::loose_status_of(first).is_some() || curl_verbose::is_verbose(input) {
        let items = without_status(input)?;
        let differs = |item: &ParseResult<'_>| item.as_ref().is_ok_and(|found| found.status != given);
        if items.iter().any(differs) {
            return Err(mistake("the input has a status of its own, which differs; leave out --status"));
        }
        return Ok(items);
    }
    if let Some(found) = copied_headers::read(input, Some(given)) {
        return found.map(|found| vec![Ok(found)]);
    }
    Ok(vec![Ok(ParsedResponse::new(given, HeaderMap::new(), Cow::Borrowed(input)))])
}

/// Tries the forms from the most specific one to the most lenient one.
///
/// An input that begins with `{` or `[` and is not JSON is tried as a text: the print of an object begins so, too.
fn without_status(input: &[u8]) -> Result<Vec<ParseResult<'_>>, FormatError> {
    if let Some(line) = toml_file::first_line(input) {
        return Err(FormatError { line, problem: toml_file::PROBLEM.to_owned() });
    }
    let trimmed = input.trim_ascii_start();
    if matches!(trimmed.first(), Some(b'{' | b'['))
        && let Some(items) = json(trimmed)
    {
        return items;
    }
    if curl_verbose::is_verbose(input) {
        return curl_verbose::read(input).map(ok);
    }
    let mut raw_mistake = None;
    if raw::is_raw(input) {
        match raw::read(input) {
            Ok(found) => return Ok(ok(found)),
            Err(mistake) => raw_mistake = Some(mistake),
        }
    }
    if okhttp::is_log(input) {
        return Ok(ok(okhttp::read(input)));
    }
    if nghttp::is_log(input) {
        return Ok(ok(nghttp::read(input)));
    }
    if grpcurl::is_output(input) {
        return Ok(vec![Ok(grpcurl::read(input))]);
    }
    if events::is_events(input) {
        return Ok(ok(events::read(input)));
    }
    if let Some(found) = copied_headers::read(input, None) {
        return found.map(|found| vec![Ok(found)]);
    }
    // A text that mentions a status line within it may still be the text of an error.
    let starts_raw = head::loose_status_of(Lines::new(trimmed).next().unwrap_or_default()).is_some();
    if !starts_raw && let Some(found) = std::str::from_utf8(input).ok().and_then(error_text::read) {
        return Ok(vec![Ok(found)]);
    }
    Err(raw_mistake.unwrap_or_else(|| unknown(input)))
}

/// Reads JSON; `None` for what only begins as JSON does.
fn json(input: &[u8]) -> Option<Result<Vec<ParseResult<'_>>, FormatError>> {
    if let Ok(document) = serde_json::from_slice::<&RawValue>(input) {
        return Some(document_of(document));
    }
    if documents::is_lines(input) {
        return Some(Ok(documents::lines(input)));
    }
    documents::stream(std::str::from_utf8(input).ok()?).map(Ok)
}

/// Reads one JSON document: several responses, a record, or a body that states its status.
fn document_of(document: &RawValue) -> Result<Vec<ParseResult<'_>>, FormatError> {
    if let Some(items) = documents::several(document) {
        return Ok(items);
    }
    if is_object(document) {
        if record::is_record(document) {
            return Ok(vec![record::record(document)]);
        }
        // A body that states its own status, as problem documents do (RFC 9457 section 3.1.2).
        if let Some(status) = stated_status(document) {
            let body = Cow::Borrowed(document.get().as_bytes());
            let mut found = ParsedResponse::new(status, HeaderMap::new(), body);
            found.notes.push("status: the one that the body states, since the input has no other".into());
            return Ok(vec![Ok(found)]);
        }
    }
    Err(mistake("the input is JSON without a status; if it is a body, state its status: --status 429"))
}

/// Returns the status that a body states, as a problem document does (RFC 9457 section 3.1.2).
fn stated_status(document: &RawValue) -> Option<StatusCode> {
    let members = super::json::members(document).ok()?;
    let is_status = |name: &str| matches!(name, "status" | "statusCode" | "status_code" | "httpStatus" | "http_status");
    members.into_iter().find(|(name, _)| is_status(name)).and_then(|(_, value)| status::of_json(value))
}

/// States that no form fits, or that the input is packed, since unpacking it is all that is missing.
fn unknown(input: &[u8]) -> FormatError {
    if input.starts_with(&[0x1f, 0x8b]) {
        return mistake(
            "the input is packed with gzip; if it is a body, state its status: --status 429, else unpack it first",
        );
    }
    no_form("expected a response, and no status was found")
}

/// States that no form was recognized, and lists the accepted ones behind the problem.
fn no_form(problem: &str) -> FormatError {
    mistake(&format!("{problem}\n{FORMS}"))
}

/// Wraps the responses of a form that refuses none.
fn ok(found: Vec<ParsedResponse<'_>>) -> Vec<ParseResult<'_>> {
    found.into_iter().map(Ok).collect()
}

/// States the problem of the input as a whole.
fn mistake(problem: &str) -> FormatError {
    FormatError { line: 1, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests;
