//! Reads JSON request bodies.

use serde_json::{Map, Value};

/// The members of a JSON object.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Parses a body; `None` if it is not a JSON object.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(Self)
    }

    /// Parses a body, and treats one that is not a JSON object as empty. For vendors that report the
    /// missing field.
    pub(crate) fn lenient(body: &[u8]) -> Self {
        Self::parse(body).unwrap_or(Self(Map::new()))
    }

    /// Returns a member if it is a non-empty string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.0.get(name).and_then(Value::as_object)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
