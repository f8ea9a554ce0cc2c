//! A whole body as `serde_json::Value`, and what an error says picked out of it.

use std::hint::black_box;

use serde_json::Value;

use super::{Answer, Expected, Found, Vendor};
use crate::measure::Case;

/// The name in the tables.
pub const NAME: &str = "serde_value";

/// The parts that were picked out.
#[derive(Debug, Default)]
struct Picked<'v> {
    number: Option<u64>,
    code: Option<&'v str>,
    message: Option<&'v str>,
    request_id: Option<&'v str>,
    reason: Option<&'v str>,
    fields: Vec<(&'v str, &'v str)>,
    retry_after: Option<u64>,
}

/// Returns the full reading of a vendor's error.
///
/// # Panics
/// The case does when it finds something else than expected.
#[must_use]
pub fn error(vendor: Vendor) -> Case {
    let (body, pick, expected) = (vendor.error().as_bytes(), picker(vendor), vendor.expected());
    Case::new(NAME, move || {
        let value = parse(black_box(body));
        let picked = pick(&value);
        assert!(picked.says(&expected));
        black_box(&picked);
    })
}

/// Returns the reading of a Vlens success, to see whether it is one.
///
/// # Panics
/// The case does when it is none.
#[must_use]
pub fn success(body: &'static [u8]) -> Case {
    Case::new(NAME, move || assert!(parse(black_box(body))["error_code"].is_null()))
}

/// Returns all that is found in an error.
///
/// # Panics
/// When the body is not JSON.
#[must_use]
pub fn answer(vendor: Vendor, body: &[u8]) -> Answer {
    picker(vendor)(&parse(body)).answer()
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("the body is JSON")
}

fn picker(vendor: Vendor) -> fn(&Value) -> Picked<'_> {
    match vendor {
        Vendor::Vlens => vlens,
        Vendor::Veridia => veridia,
        Vendor::Ranex => ranex,
        Vendor::Maleslab => maleslab,
        Vendor::Verilock => verilock,
    }
}

fn vlens(body: &Value) -> Picked<'_> {
    Picked {
        number: body["error_code"].as_u64(),
        message: body["error_message"].as_str(),
        fields: list(&body["error_descriptions"]),
        ..Picked::default()
    }
}

fn veridia(body: &Value) -> Picked<'_> {
    let detail = &body["detail"];
    Picked {
        code: body["error"].as_str(),
        message: body["message"].as_str(),
        request_id: body["requestId"].as_str(),
        reason: detail["reason"].as_str(),
        fields: map(&detail["fieldErrors"]),
        ..Picked::default()
    }
}

fn ranex(body: &Value) -> Picked<'_> {
    Picked { message: body["message"].as_str(), ..Picked::default() }
}

fn maleslab(body: &Value) -> Picked<'_> {
    let error = &body["error"];
    Picked {
        code: error["code"].as_str(),
        message: error["message"].as_str(),
        request_id: body["request_id"].as_str(),
        fields: list(&error["details"]),
        ..Picked::default()
    }
}

fn verilock(body: &Value) -> Picked<'_> {
    let details = &body["details"];
    Picked {
        code: body["error"].as_str(),
        message: body["message"].as_str(),
        fields: map(details),
        retry_after: details["retry_after"].as_u64(),
        ..Picked::default()
    }
}

/// Reads a list of objects with the name of a field and what is wrong with it.
fn list(at: &Value) -> Vec<(&str, &str)> {
    let items = at.as_array().into_iter().flatten();
    items.filter_map(|item| Some((item["field"].as_str()?, item["message"].as_str()?))).collect()
}

/// Reads an object from the name of a field to the list of what is wrong with it.
fn map(at: &Value) -> Vec<(&str, &str)> {
    let mut fields = Vec::new();
    for (name, messages) in at.as_object().into_iter().flatten() {
        let messages = messages.as_array().into_iter().flatten().filter_map(Value::as_str);
        fields.extend(messages.map(|message| (name.as_str(), message)));
    }
    fields
}

impl Found for Picked<'_> {
    fn says(&self, expected: &Expected) -> bool {
        let code = if expected.number.is_some() { self.number == expected.number } else { self.code == expected.code };
        code && self.message == Some(expected.message)
    }

    fn answer(&self) -> Answer {
        Answer {
            code: self.code.map(str::to_owned).or(self.number.map(|number| number.to_string())),
            message: self.message.map(str::to_owned),
            request_id: self.request_id.map(str::to_owned),
            reason: self.reason.map(str::to_owned),
            fields: self.fields.iter().map(|(name, message)| ((*name).to_owned(), (*message).to_owned())).collect(),
            retry_after: self.retry_after,
        }
    }
}
