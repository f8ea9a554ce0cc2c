//! Reads a status as programs write it: `429`, `"429"`, `429.0`, `"429 Too Many Requests"`, `{"code":429}`.
//!
//! A number outside of 100 to 999 is not a status (RFC 9110 section 15). Browsers write 0 for a request without a response.

use http::StatusCode;
use serde_json::value::RawValue;

use super::json;

/// Reads a text that begins with a status: `429`, `429 Too Many Requests`, `HTTP/1.1 429`.
///
/// Exactly three digits must stand there: `4290` and `4XX`, which OpenAPI writes for a range, are not a status.
///
/// | text | status |
/// |---|---|
/// | `429 Too Many Requests`, `HTTP/2 429`, `429, slow down` | 429 |
/// | `4290`, `4XX`, `42` | none |
pub(super) fn leading_status(text: &str) -> Option<StatusCode> {
    let text = text.trim();
    if text.starts_with("HTTP/") {
        return super::head::status_of(text.as_bytes());
    }
    let end = text.find(|symbol: char| !symbol.is_ascii_digit()).unwrap_or(text.len());
    let is_end =
        text[end..].chars().next().is_none_or(|symbol| symbol.is_whitespace() || matches!(symbol, ',' | ':' | '('));
    if end == 3 && is_end { StatusCode::from_bytes(&text.as_bytes()[..end]).ok() } else { None }
}

/// Reads a status from JSON: a number, also as text, or an object that has it as `code` or `status`.
///
/// `404.0` is one too, as programs write it that know no whole numbers.
///
/// An object within the object is not looked into: `{"status":{"code":{..}}}` is not the form of a known tool.
pub(super) fn of_json(value: &RawValue) -> Option<StatusCode> {
    let json = value.get();
    match json.as_bytes().first()? {
        b'"' => {
            let text = json::text("status", value).ok()?;
            leading_status(&text).or_else(|| of_number(text.trim()))
        }
        b'{' => {
            let members = json::members(value).ok()?;
            let is_code = |name: &str| matches!(name, "code" | "status" | "statusCode" | "status_code");
            let (_, code) = members.iter().find(|(name, _)| is_code(name))?;
            if code.get().starts_with('{') { None } else { of_json(code) }
        }
        _ => of_number(json),
    }
}

/// Reads a whole number from 100 to 999, also as `404.0` or `4.04e2`.
fn of_number(text: &str) -> Option<StatusCode> {
    if !text.starts_with(|symbol: char| symbol.is_ascii_digit()) {
        return None;
    }
    let number = text.parse::<f64>().ok().filter(|number| number.fract() == 0.0)?;
    StatusCode::from_u16((100.0..=999.0).contains(&number).then_some(number as u16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_number_wherever_it_stands() {
        for (json, status) in [
            ("429", Some(429)),
            ("429.0", Some(429)),
            ("4.29e2", Some(429)),
            ("\"429\"", Some(429)),
            ("\"429 Too Many Requests\"", Some(429)),
            ("\"HTTP/1.1 429 x\"", Some(429)),
            ("{\"code\":429,\"message\":\"x\"}", Some(429)),
            ("99", None),
            ("1000", None),
            ("-404", None),
            ("404.5", None),
            ("1e999", None),
            ("\"4XX\"", None),
            ("\"default\"", None),
            ("\"fail\"", None),
            ("\"4290\"", None),
            ("true", None),
            ("[404]", None),
            ("{}", None),
            ("{\"code\":{\"code\":429}}", None),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(of_json(value).map(|status| status.as_u16()), status, "{json}");
        }
    }
}
