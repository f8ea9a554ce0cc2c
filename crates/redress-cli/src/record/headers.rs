//! Reads the headers of a record.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Text, text, without_line};
use crate::text::excerpt;

/// The members of an object in their order, repeated ones too.
struct Entries<'a>(Vec<(Text<'a>, &'a RawValue)>);

struct EntriesVisitor;

/// Reads an object from names, in any case, to a text or a list of texts.
pub(super) fn read(value: &RawValue) -> Result<HeaderMap, String> {
    let json = value.get();
    if !json.starts_with('{') {
        return Err(format!("headers: expected an object, found {}", excerpt(json.as_bytes())));
    }
    let entries: Entries<'_> =
        serde_json::from_str(json).map_err(|error| format!("headers: expected an object: {}", without_line(&error)))?;
    let mut headers = HeaderMap::with_capacity(entries.0.len().min(64));
    for (Text(name), value) in entries.0 {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(format!("headers: expected the name of a header, found {}", excerpt(name.as_bytes())));
        };
        add(&mut headers, &header, value)?;
    }
    Ok(headers)
}

fn add(headers: &mut HeaderMap, name: &HeaderName, value: &RawValue) -> Result<(), String> {
    let key = format!("headers.{name}");
    match value.get().as_bytes().first() {
        Some(b'n') => Ok(()),
        Some(b'"') => append(headers, name, &text(&key, value)?),
        Some(b'[') => {
            let list = serde_json::from_str::<Vec<&RawValue>>(value.get());
            let list = list.map_err(|error| format!("{key}: expected a list: {}", without_line(&error)))?;
            list.into_iter().try_for_each(|value| append(headers, name, &text(&key, value)?))
        }
        _ => Err(format!("{key}: expected a text or a list of texts, found {}", excerpt(value.get().as_bytes()))),
    }
}

fn append(headers: &mut HeaderMap, name: &HeaderName, value: &str) -> Result<(), String> {
    let parsed = HeaderValue::from_str(value.trim_matches([' ', '\t'])).map_err(|_| {
        format!("headers.{name}: expected a value without control characters, found {}", excerpt(value.as_bytes()))
    })?;
    headers.try_append(name, parsed).map_err(|_| "headers: expected fewer, found too many".to_owned())?;
    Ok(())
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
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
