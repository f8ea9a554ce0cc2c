//! The parts that the structs of several vendors share: texts, and fields at fault.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A text, borrowed where it has no escapes. Serde borrows a bare `Cow` only, not one inside an `Option` or a `Vec`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// An item of a list of fields.
#[derive(Debug, Deserialize)]
pub(super) struct Field<'a> {
    #[serde(borrow)]
    pub(super) field: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) message: Cow<'a, str>,
}

/// A map from the names of fields to their messages; Verilock may put the wait there instead.
#[derive(Debug, Default)]
pub(super) struct Details<'a> {
    pub(super) fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(super) retry_after: Option<u64>,
}

/// The messages of one field, on their way into the details; a number is the wait.
struct Messages<'d, 'a> {
    field: Cow<'a, str>,
    details: &'d mut Details<'a>,
}

struct DetailsVisitor;

pub(super) fn text(text: &Option<Text<'_>>) -> Option<String> {
    text.as_ref().map(|Text(text)| text.to_string())
}

pub(super) fn list(fields: &[Field<'_>]) -> Vec<(String, String)> {
    fields.iter().map(|item| (item.field.to_string(), item.message.to_string())).collect()
}

pub(super) fn map(details: &Details<'_>) -> Vec<(String, String)> {
    details.fields.iter().map(|(field, message)| (field.to_string(), message.to_string())).collect()
}

impl Text<'_> {
    /// Whether the text is there and is this one.
    pub(super) fn is(text: &Option<Self>, expected: &str) -> bool {
        text.as_ref().is_some_and(|Self(text)| text == expected)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Details<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DetailsVisitor)
    }
}

impl<'de> Visitor<'de> for DetailsVisitor {
    type Value = Details<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Details<'de>, A::Error> {
        let mut details = Details::default();
        while let Some(Text(field)) = map.next_key()? {
            map.next_value_seed(Messages { field, details: &mut details })?;
        }
        Ok(details)
    }
}

impl<'de> DeserializeSeed<'de> for Messages<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Messages<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages, or a wait in seconds")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<(), A::Error> {
        while let Some(Text(message)) = messages.next_element()? {
            self.details.fields.push((self.field.clone(), message));
        }
        Ok(())
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<(), E> {
        if self.field == "retry_after" {
            self.details.retry_after = Some(seconds);
        }
        Ok(())
    }
}
