//! Serde for durations as people write them: `250ms`, `1m 30s`.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// The longest duration in a file: one day. Sums of such durations stay far from overflow.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads a duration of at most a day.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span = humantime::parse_duration(&text);
    let span = span.map_err(|error| D::Error::custom(format!("a duration such as \"250ms\": {error}")))?;
    if span <= LONGEST { Ok(span) } else { Err(D::Error::custom("a duration of at most a day")) }
}

/// Writes a duration in the same form.
pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*span))
}

/// The same for an optional duration.
pub(crate) mod option {
    use super::{Deserializer, Duration, Serializer};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }

    pub(crate) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::serialize(span, serializer),
            None => serializer.serialize_none(),
        }
    }
}
