//! Serde implementations of the public values.
//!
//! Written by hand: the derive brings a parser of Rust into every build, which
//! takes longer than this crate itself.

use std::borrow::Cow;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, VariantAccess, Visitor};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::class::{Class, Recovery};
use crate::date::format_date;
use crate::fields::FieldError;
use crate::hint::{HintSource, RetryHint, When};
use crate::meaning::DecidedBy;

const DECIDED_BY: [DecidedBy; 6] =
    [DecidedBy::Rule, DecidedBy::Code, DecidedBy::Header, DecidedBy::Status, DecidedBy::Signal, DecidedBy::Transport];
const SOURCES: &[&str] = &["retry_after", "header", "body"];
const FIELD: &[&str] = &["path", "message"];

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Recovery {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for DecidedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for HintSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::RetryAfter => serializer.serialize_unit_variant("HintSource", 0, SOURCES[0]),
            Self::Header(name) => serializer.serialize_newtype_variant("HintSource", 1, SOURCES[1], name),
            Self::Body(path) => serializer.serialize_newtype_variant("HintSource", 2, SOURCES[2], path),
        }
    }
}

/// Writes a delay as `after_ms` in milliseconds or a date as `at`, an RFC 3339
/// text, and the source. The other of the two is null.
///
/// ```json
/// {"after_ms": 30000, "at": null, "source": "retry_after"}
/// {"after_ms": null, "at": "2026-01-15T12:00:00.000Z", "source": {"header": "x-ratelimit-reset"}}
/// ```
impl Serialize for RetryHint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (after, at) = match self.when() {
            When::After(delay) => (Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)), None),
            When::At(instant) => (None, Some(format_date(instant))),
        };
        let mut hint = serializer.serialize_struct("RetryHint", 3)?;
        hint.serialize_field("after_ms", &after)?;
        hint.serialize_field("at", &at)?;
        hint.serialize_field("source", self.source())?;
        hint.end()
    }
}

impl Serialize for FieldError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut field = serializer.serialize_struct("FieldError", 2)?;
        field.serialize_field(FIELD[0], &self.path)?;
        field.serialize_field(FIELD[1], &self.message)?;
        field.end()
    }
}

impl<'de> Deserialize<'de> for Class {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Recovery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for DecidedBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let found = DECIDED_BY.into_iter().find(|decided_by| decided_by.as_str() == word);
        found.ok_or_else(|| D::Error::custom(format_args!("`{word}` does not name what decided a class")))
    }
}

impl<'de> Deserialize<'de> for HintSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("HintSource", SOURCES, Source)
    }
}

impl<'de> Deserialize<'de> for FieldError<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("FieldError", FIELD, Field)
    }
}

/// Reads a [`HintSource`].
struct Source;

/// Reads a [`FieldError`].
struct Field;

impl<'de> Visitor<'de> for Source {
    type Value = HintSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of a hint")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, source: A) -> Result<HintSource, A::Error> {
        let (kind, place) = source.variant::<String>()?;
        match kind.as_str() {
            "retry_after" => place.unit_variant().map(|()| HintSource::RetryAfter),
            "header" => place.newtype_variant().map(HintSource::Header),
            "body" => place.newtype_variant().map(HintSource::Body),
            _ => Err(A::Error::unknown_variant(&kind, SOURCES)),
        }
    }
}

impl<'de> Visitor<'de> for Field {
    type Value = FieldError<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field and what is wrong with it")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<FieldError<'static>, A::Error> {
        let [mut path, mut message] = [const { None::<String> }; 2];
        while let Some(name) = members.next_key::<String>()? {
            let (name, place) = match name.as_str() {
                "path" => (FIELD[0], &mut path),
                "message" => (FIELD[1], &mut message),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if place.replace(members.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(name));
            }
        }
        let part = |place: Option<String>, name| place.map(Cow::Owned).ok_or_else(|| A::Error::missing_field(name));
        Ok(FieldError { path: part(path, FIELD[0])?, message: part(message, FIELD[1])? })
    }
}
