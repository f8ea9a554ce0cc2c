//! Reads one line of JSON as a response with the call that it answers.

mod headers;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::exchange::Exchange;
use crate::text::excerpt;

/// The standard alphabet, with or without `=` at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One record, ready to be judged.
pub(crate) struct Record<'a> {
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) dialect: Option<Cow<'a, str>>,
    pub(crate) exchange: Exchange<'a>,
}

/// A line that is no usable record: its id, if it has one, and what was expected.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) problem: String,
}

/// A record whose members are not looked at yet, so that a wrong one does not take the id along; `null` is nothing.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    dialect: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    body_base64: Option<&'a RawValue>,
}

/// What is left of a record with a member that stands twice.
#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// A text, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads a line that is not blank.
pub(crate) fn parse(line: &[u8]) -> Result<Record<'_>, Refusal<'_>> {
    let text = std::str::from_utf8(line).map_err(|error| {
        let problem = format!(
            "expected UTF-8, found something else at byte {}; bytes go into body_base64",
            error.valid_up_to() + 1
        );
        Refusal { id: None, problem }
    })?;
    let members = members(text)?;
    let id = members.id;
    let record = members.into_record();
    record.map_err(|problem| Refusal { id, problem })
}

fn members(text: &str) -> Result<Members<'_>, Refusal<'_>> {
    if !text.trim_ascii_start().starts_with('{') {
        let problem = format!("expected a JSON object, found {}", excerpt(text.trim_ascii().as_bytes()));
        return Err(Refusal { id: None, problem });
    }
    serde_json::from_str(text).map_err(|error| {
        let id = serde_json::from_str(text).ok().and_then(|Id { id }| id);
        Refusal { id, problem: format!("expected a JSON object: {}", without_line(&error)) }
    })
}

impl<'a> Members<'a> {
    fn into_record(self) -> Result<Record<'a>, String> {
        let status = status(self.status)?;
        let headers = self.headers.map_or_else(|| Ok(HeaderMap::new()), headers::read)?;
        let mut exchange = Exchange::new(status, headers, self.body()?);
        if let Some(method) = self.method {
            exchange.method = read_method(method)?;
        }
        if let Some(path) = self.path {
            exchange.uri = text("path", path)?.parse().unwrap_or_else(|_| Uri::from_static("/"));
        }
        let dialect = self.dialect.map(|dialect| text("dialect", dialect)).transpose()?;
        Ok(Record { id: self.id, dialect, exchange })
    }

    fn body(&self) -> Result<Cow<'a, [u8]>, String> {
        match (self.body, self.body_base64) {
            (None, None) => Ok(Cow::Borrowed(b"")),
            (Some(_), Some(_)) => Err("expected body or body_base64, found both".to_owned()),
            (Some(body), None) => Ok(match text("body", body)? {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
            (None, Some(body)) => match BASE64.decode(text("body_base64", body)?.as_bytes()) {
                Ok(bytes) => Ok(Cow::Owned(bytes)),
                Err(error) => Err(format!("body_base64: expected base64: {error}").to_ascii_lowercase()),
            },
        }
    }
}

/// Reads a status; `404.0` is one too, as programs write it that know no whole numbers.
fn status(value: Option<&RawValue>) -> Result<StatusCode, String> {
    let expected = "status: expected a whole number from 100 to 999";
    let value = value.ok_or_else(|| format!("{expected}, found nothing"))?.get();
    let number = value.parse::<f64>().ok().filter(|number| number.fract() == 0.0);
    let number = number.filter(|number| (100.0..=999.0).contains(number));
    let status = number.and_then(|number| StatusCode::from_u16(number as u16).ok());
    status.ok_or_else(|| format!("{expected}, found {}", excerpt(value.as_bytes())))
}

fn read_method(value: &RawValue) -> Result<Method, String> {
    let method = text("method", value)?.to_ascii_uppercase();
    Method::from_bytes(method.as_bytes())
        .map_err(|_| format!("method: expected one such as `GET`, found {}", excerpt(method.as_bytes())))
}

/// Reads a text; `name` is what it is called in errors.
fn text<'a>(name: &str, value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    let json = value.get();
    if !json.starts_with('"') {
        return Err(format!("{name}: expected a text, found {}", excerpt(json.as_bytes())));
    }
    serde_json::from_str(json)
        .map(|Text(text)| text)
        .map_err(|error| format!("{name}: expected a text: {}", without_line(&error)))
}

/// Takes out the line: it is always the first.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

#[cfg(test)]
mod tests;
