//! Reads headers from JSON, in the shapes in which tools write them.
//!
//! ```text
//! {"Retry-After": "30"}                     {"retry-after": ["30"]}
//! [["Retry-After", "30"]]                   ["Retry-After", "30", "X-A", "b"]
//! [{"name": "Retry-After", "value": "30"}]  [{"key": "Retry-After", "value": "30"}]
//! ["Retry-After: 30"]                       "HTTP/1.1 429 x\r\nRetry-After: 30\r\n"
//! ```
//!
//! A name or a value that HTTP does not allow is an error that names the header and does not quote the value.
//!
//! Written by: an object, by axios, VCR and most loggers; pairs, by Go and Rust; `{name, value}`, by HAR 1.2; `{key,
//! value}`, by Postman; names and values by turns, by Node as `rawHeaders` and by nock; one text, by
//! `XMLHttpRequest.getAllResponseHeaders`.

use http::StatusCode;
use http::header::{HeaderMap, HeaderName};
use serde_json::value::RawValue;

use super::head::append;
use super::json::{self, is_list, is_null, is_object, is_text};
use super::status;

/// Headers, and the `:status` among them.
///
/// Repeated headers are kept in their order, since a list may be spread over several (RFC 9110 section 5.3).
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// The headers, in the order of the input.
    pub(super) map: HeaderMap,
    /// The pseudo-header `:status` of HTTP/2.
    pub(super) status: Option<StatusCode>,
}

/// Reads an object from names to values, a list of pairs, of `{name, value}`, of `Name: value`, of names and values by
/// turns, or one text of lines.
pub(super) fn read(value: &RawValue) -> Result<Headers, String> {
    let mut headers = Headers::default();
    each(value, &mut |name, value| headers.add(name, value))?;
    Ok(headers)
}

/// Calls back with each name and value.
pub(super) fn each(value: &RawValue, add: &mut dyn FnMut(&str, &str) -> Result<(), String>) -> Result<(), String> {
    let problem = |error| format!("headers: {error}");
    if is_object(value) {
        let members = json::members(value).map_err(problem)?;
        return members.into_iter().try_for_each(|(name, value)| values(&name, value, add));
    }
    if is_list(value) {
        return list(&json::elements(value).map_err(problem)?, add);
    }
    if is_text(value) {
        return lines(&json::text("headers", value)?, add);
    }
    Err(format!("headers: expected an object or a list, found {}", json::kind(value)))
}

/// Reads a list: pairs, objects, lines, or names and values by turns.
///
/// A list of texts is read by turns if it is even and each second text can be a name; else each text is a line.
fn list(elements: &[&RawValue], add: &mut dyn FnMut(&str, &str) -> Result<(), String>) -> Result<(), String> {
    let is_flat = elements.iter().all(|element| is_text(element));
    if is_flat {
        let texts: Vec<_> = elements.iter().map(|text| json::text("headers", text)).collect::<Result<_, _>>()?;
        let is_name = |text: &str| HeaderName::from_bytes(text.trim_start_matches(':').as_bytes()).is_ok();
        if texts.len() % 2 == 0 && texts.iter().step_by(2).all(|name| is_name(name)) {
            return texts.chunks(2).try_for_each(|pair| add(&pair[0], &pair[1]));
        }
        return texts.iter().try_for_each(|line| lines(line, add));
    }
    for element in elements {
        if is_list(element) {
            match json::elements(element)?[..] {
                [name, value] => values(&json::text("headers", name)?, value, add)?,
                _ => return Err("headers: expected pairs of a name and a value".to_owned()),
            }
        } else if is_object(element) {
            let members = json::members(element)?;
            let named = |names: &[&str]| {
                let is_one = |name: &str| names.iter().any(|known| name.eq_ignore_ascii_case(known));
                members.iter().find(|(name, _)| is_one(name)).map(|(_, value)| *value)
            };
            match (named(&["name", "key", "header"]), named(&["value", "values"])) {
                (Some(name), Some(value)) => values(&json::text("headers", name)?, value, add)?,
                (Some(name), None) => add(&json::text("headers", name)?, "")?,
                _ => members.iter().try_for_each(|(name, value)| values(name, value, add))?,
            }
        } else {
            return Err(format!("headers: expected pairs or objects in the list, found {}", json::kind(element)));
        }
    }
    Ok(())
}

/// Adds a text, a number, a truth value, or each of a list of them; `null` is nothing.
fn values(name: &str, value: &RawValue, add: &mut dyn FnMut(&str, &str) -> Result<(), String>) -> Result<(), String> {
    if is_null(value) {
        return Ok(());
    }
    if is_list(value) {
        let list = json::elements(value).map_err(|error| format!("headers.{name}: {error}"))?;
        return list.into_iter().try_for_each(|value| one(name, value, add));
    }
    one(name, value, add)
}

/// Adds one value, which must be a text, a number or a truth value.
fn one(name: &str, value: &RawValue, add: &mut dyn FnMut(&str, &str) -> Result<(), String>) -> Result<(), String> {
    if is_null(value) {
        return Ok(());
    }
    if is_text(value) {
        return add(name, &json::text(&format!("headers.{name}"), value)?);
    }
    match json::scalar(value) {
        Some(value) => add(name, &value),
        None => {
            Err(format!("headers.{name}: expected a text, a number or a list of them, found {}", json::kind(value)))
        }
    }
}

/// Reads lines such as `retry-after: 30`; a status line among them is skipped.
///
/// A colon at the very beginning is that of a pseudo-header, such as `:status: 429`.
fn lines(text: &str, add: &mut dyn FnMut(&str, &str) -> Result<(), String>) -> Result<(), String> {
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("HTTP/")) {
        let at = line.get(1..).and_then(|rest| rest.find(':')).map(|at| at + 1);
        let Some(at) = at else { return Err("headers: expected lines such as `retry-after: 30`".to_owned()) };
        add(&line[..at], line[at + 1..].trim())?;
    }
    Ok(())
}

impl Headers {
    /// Adds a header, or takes the status of a pseudo-header.
    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(pseudo) = name.strip_prefix(':') {
            if pseudo == "status" {
                self.status = status::leading_status(value);
            }
            return Ok(());
        }
        let Ok(header) = HeaderName::from_bytes(name.trim().as_bytes()) else {
            return Err("headers: expected the name of a header, found something else".to_owned());
        };
        // Browsers write several cookies as one value of several lines.
        let is_cookie = header == http::header::SET_COOKIE;
        let parts = value.split(|symbol| is_cookie && symbol == '\n');
        parts
            .into_iter()
            .try_for_each(|value| append(&mut self.map, header.clone(), value.as_bytes()))
            .map_err(|problem| format!("headers: {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> Result<Vec<String>, String> {
        let value: &RawValue = serde_json::from_str(json).unwrap();
        let headers = read(value)?;
        let mut shown: Vec<_> = headers.status.iter().map(|status| format!("{}", status.as_u16())).collect();
        shown.extend(headers.map.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())));
        Ok(shown)
    }

    #[test]
    fn headers_come_in_many_shapes() {
        let expected = ["retry-after=30", "x-a=b"];
        for json in [
            r#"{"Retry-After":"30","X-A":"b"}"#,
            r#"{"retry-after":30,"x-a":["b"],"x-none":null}"#,
            r#"[["Retry-After","30"],["X-A",["b"]]]"#,
            r#"[{"name":"Retry-After","value":"30"},{"name":"X-A","value":"b"}]"#,
            r#"[{"key":"Retry-After","value":30},{"key":"X-A","value":"b","disabled":false}]"#,
            r#"[{"Retry-After":"30"},{"X-A":"b"}]"#,
            r#"["Retry-After","30","X-A","b"]"#,
            r#"["Retry-After: 30","X-A: b"]"#,
            r#""HTTP/1.1 429 x\r\nRetry-After: 30\r\nX-A: b\r\n""#,
        ] {
            assert_eq!(shown(json).unwrap(), expected, "{json}");
        }
        assert_eq!(shown(r#"{":status":"429","a":true}"#).unwrap(), ["429", "a=true"]);
        assert_eq!(shown(r#"[]"#).unwrap(), [""; 0]);
        assert_eq!(shown(r#"{"Set-Cookie":"a=1\nb=2"}"#).unwrap(), ["set-cookie=a=1", "set-cookie=b=2"]);
    }

    #[test]
    fn an_invalid_header_is_refused_and_not_quoted() {
        for json in [
            r#"{"a":{"secret":1}}"#,
            r#"{"a b":"secret"}"#,
            r#"{"a":"secret\r\nb: c"}"#,
            r#"[["a"]]"#,
            r#"[1]"#,
            r#"7"#,
            r#""secret""#,
        ] {
            let problem = shown(json).expect_err(json);
            assert!(problem.starts_with("headers") && !problem.contains("secret"), "{problem}");
        }
    }
}
