//! The parts of a scoring of the dialects: responses, labels, and the comparison of the two.

use http::{HeaderName, HeaderValue, Method, Response, Uri};
use redress::{ApiError, Clock, Dialect, Verdict};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A response of a real API.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// Its name; successes have none.
    #[serde(default)]
    pub id: String,
    /// Whose it is.
    pub vendor: String,
    status: String,
    content_type: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Value,
}

/// Where a person finds the words of a response, as JSON pointers into its body.
#[derive(Debug, Deserialize)]
pub struct Label {
    /// The name of the response.
    pub id: String,
    message: Option<String>,
    code: Option<String>,
    /// For each field its name and its message. The name is the text at a place (`@`), the last part of a pointer (`#`), or
    /// the elements at a place joined by dots (`+`).
    fields: Vec<(String, String)>,
}

/// How many responses were read as labelled.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many there are.
    pub responses: usize,
    /// How many have the labelled message, or none where none is labelled.
    pub messages: usize,
    /// The same for the code.
    pub codes: usize,
    /// The same for all fields, in their order.
    pub fields: usize,
}

/// Returns the shipped dialect that is the vendor's own.
#[must_use]
pub fn dialect_of(vendor: &str) -> Option<&'static str> {
    Some(match vendor {
        "azure.com" => "azure",
        "github.com" => "github",
        "laravel" | "easycheck.ai" => "laravel",
        "okta.com" => "okta",
        "paypal.com" => "paypal",
        "plaid.com" => "plaid",
        "rightsline.com" => "graphql",
        "salesforce.com" => "salesforce",
        "telegram.org" => "telegram",
        "twilio.com" => "twilio",
        "withpersona.com" => "persona",
        "explorium.ai" => "fastapi",
        "kota.io" => "problem",
        _ => return None,
    })
}

impl Row {
    /// Judges the response as a dialect does; `None` for a success.
    ///
    /// # Panics
    /// When the row has headers that are none.
    #[must_use]
    pub fn verdict(&self, dialect: &Dialect) -> Option<Verdict> {
        // Some descriptions name no status but "default" or a family.
        let status = self.status.parse().unwrap_or(400);
        let (mut head, ()) = Response::builder().status(status).body(()).expect("a status").into_parts();
        for (name, value) in &self.headers {
            let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
            if let (Ok(name), Some(value)) = (name.parse::<HeaderName>(), value) {
                head.headers.append(name, value);
            }
        }
        if let Some(kind) = self.content_type.as_ref().and_then(|kind| HeaderValue::from_str(kind).ok()) {
            head.headers.insert(http::header::CONTENT_TYPE, kind);
        }
        let body = self.body.as_str().map_or_else(|| self.body.to_string(), str::to_owned);
        let (method, uri) = (Method::GET, Uri::from_static("/"));
        Verdict::from_response(dialect, &method, &uri, &head, &Clock::system(), &[body.as_bytes()])
    }

    fn text_at(&self, pointer: &str) -> Option<String> {
        if pointer.is_empty() {
            let text = self.body.as_str()?.trim();
            // A text that is itself a JSON text.
            return serde_json::from_str(text).ok().or_else(|| Some(text.to_owned()));
        }
        text(self.body.pointer(pointer)?)
    }

    fn name_at(&self, place: &str) -> Option<String> {
        let (kind, pointer) = place.split_at_checked(1)?;
        match kind {
            "@" => self.text_at(pointer),
            "#" => Some(pointer.rsplit('/').next()?.replace("~1", "/").replace("~0", "~")),
            _ => {
                let parts: Option<Vec<_>> = self.body.pointer(pointer)?.as_array()?.iter().map(text).collect();
                Some(parts?.join("."))
            }
        }
    }
}

impl Tally {
    /// Counts one response, and returns what of it was read otherwise than labelled.
    pub fn add(&mut self, row: &Row, label: &Label, dialect: &Dialect) -> Vec<String> {
        let verdict = row.verdict(dialect);
        let error = verdict.as_ref().and_then(Verdict::api_error);
        let place = |pointer: &Option<String>| pointer.as_ref().and_then(|pointer| row.text_at(pointer));
        let fields = label.fields.iter().map(|(name, message)| (row.name_at(name), row.text_at(message)));
        let fields: Vec<_> = fields.collect();
        let found = error.map(ApiError::fields).unwrap_or_default().iter();
        let found: Vec<_> =
            found.map(|field| (Some(field.path.to_string()), Some(field.message.to_string()))).collect();
        let mut wrong = Vec::new();
        let mut count = |right: bool, counter: &mut usize, what: String| {
            *counter += usize::from(right);
            if !right {
                wrong.push(what);
            }
        };
        let (message, code) = (place(&label.message), place(&label.code));
        let (is_message, is_code) = (error.and_then(ApiError::message), error.and_then(ApiError::code));
        count(
            message.as_deref() == is_message,
            &mut self.messages,
            format!("message {message:?}, read {is_message:?}"),
        );
        count(code.as_deref() == is_code, &mut self.codes, format!("code {code:?}, read {is_code:?}"));
        count(fields == found, &mut self.fields, format!("fields {fields:?}, read {found:?}"));
        self.responses += 1;
        wrong
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
