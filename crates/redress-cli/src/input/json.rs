//! Reads JSON one level at a time.
//!
//! A HAR file has megabytes of images and scripts beside the responses that matter. `RawValue` keeps a member as the text that it
//! is, so that a member is parsed only if its name is of interest, and borrowed bodies are not copied.
//!
//! Numbers keep their digits in this way: an id of 20 digits is repeated in the answer as it was.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, repeated ones too: a record with two statuses must be refused, not guessed.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// A text, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object in the order of the text.
struct Entries<'a>(Members<'a>);

/// Collects the members; `serde_json` has no borrowed type for that.
struct EntriesVisitor;

/// Reads the members of an object.
pub(super) fn members(value: &RawValue) -> Result<Members<'_>, String> {
    members_of(value.get())
}

/// Reads the members of an object that is not known to be one.
pub(super) fn members_of(text: &str) -> Result<Members<'_>, String> {
    serde_json::from_str::<Entries<'_>>(text).map(|entries| entries.0).map_err(|error| without_line(&error))
}

/// Reads the elements of a list.
pub(super) fn elements(value: &RawValue) -> Result<Vec<&RawValue>, String> {
    serde_json::from_str(value.get()).map_err(|error| without_line(&error))
}

/// Reads a text; `name` is the name of the member in errors, which do not quote the value.
pub(super) fn text<'a>(name: &str, value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    if !is_text(value) {
        return Err(format!("{name}: expected a text, found {}", kind(value)));
    }
    serde_json::from_str(value.get())
        .map(|Text(text)| text)
        .map_err(|error| format!("{name}: expected a text: {}", without_line(&error)))
}

/// Returns a text, or a number or truth value as it is written; `None` for anything else.
pub(super) fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => text("", value).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(value.get())),
    }
}

/// Returns `true` if a value is an object.
pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// Returns `true` if a value is a list.
pub(super) fn is_list(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// Returns `true` if a value is a text.
pub(super) fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// Returns `true` if a value is `null`.
pub(super) fn is_null(value: &RawValue) -> bool {
    value.get().starts_with('n')
}

/// Names the kind of a value, in place of quoting it.
///
/// ```text
/// headers: expected an object or a list, found a number
/// ```
pub(super) fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'"') => "a text",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a truth value",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Takes out the line: it is always the first.
pub(super) fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        // As many as most records have.
        let mut entries = Vec::with_capacity(8);
        while let Some((Text(name), value)) = map.next_entry()? {
            entries.push((name, value));
        }
        Ok(Entries(entries))
    }
}
