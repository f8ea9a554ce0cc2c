//! The JSON form of a record, serialized by hand: `serde_derive` takes longer to build than this crate.

use std::fmt;
use std::time::Duration;

use serde_core::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};
use zeroize::Zeroizing;

const RECORD: &[&str] = &["v", "generation", "access", "refresh", "expires_in_ms", "lease_ms", "shown_ms"];

/// The members of a record as they are written.
pub(super) struct Written<'a> {
    pub(super) v: u8,
    pub(super) generation: u64,
    pub(super) access: Vec<(&'a str, &'a str)>,
    pub(super) refresh: Option<&'a str>,
    pub(super) expires_in: Option<Duration>,
    pub(super) lease: Option<Duration>,
    pub(super) shown: Option<Duration>,
}

/// The members of a record as they are read. The secrets are wiped when it is dropped.
pub(super) struct Read {
    pub(super) v: u8,
    pub(super) generation: u64,
    pub(super) access: Vec<(String, Secret)>,
    pub(super) refresh: Option<Secret>,
    pub(super) expires_in: Option<Duration>,
    pub(super) lease: Option<Duration>,
    pub(super) shown: Option<Duration>,
}

/// A text that is wiped when it is dropped.
pub(super) struct Secret(pub(super) Zeroizing<String>);

/// Reads a [`Read`].
struct RecordVisitor;

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("TokenRecord", RECORD.len())?;
        record.serialize_field("v", &self.v)?;
        record.serialize_field("generation", &self.generation)?;
        record.serialize_field("access", &self.access)?;
        record.serialize_field("refresh", &self.refresh)?;
        record.serialize_field("expires_in_ms", &self.expires_in.map(millis))?;
        record.serialize_field("lease_ms", &self.lease.map(millis))?;
        record.serialize_field("shown_ms", &self.shown.map(millis))?;
        record.end()
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("TokenRecord", RECORD, RecordVisitor)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new).map(Self)
    }
}

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Read, A::Error> {
        let (mut v, mut generation, mut access, mut refresh) = (None, None, None, None);
        let (mut expires_in, mut lease, mut shown) = (None, None, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "v" => once(&mut v, "v", &mut members)?,
                "generation" => once(&mut generation, "generation", &mut members)?,
                "access" => once(&mut access, "access", &mut members)?,
                "refresh" => once(&mut refresh, "refresh", &mut members)?,
                "expires_in_ms" => once(&mut expires_in, "expires_in_ms", &mut members)?,
                "lease_ms" => once(&mut lease, "lease_ms", &mut members)?,
                "shown_ms" => once(&mut shown, "shown_ms", &mut members)?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Read {
            v: there(v, "v")?,
            generation: there(generation, "generation")?,
            access: there(access, "access")?,
            refresh: refresh.flatten(),
            expires_in: duration(expires_in),
            lease: duration(lease),
            shown: duration(shown),
        })
    }
}

/// Reads a member into its variable. A member that occurs twice is an error.
fn once<'de, A, T>(place: &mut Option<T>, name: &'static str, members: &mut A) -> Result<(), A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    match place.replace(members.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::duplicate_field(name)),
    }
}

fn there<T, E: Error>(place: Option<T>, name: &'static str) -> Result<T, E> {
    place.ok_or_else(|| E::missing_field(name))
}

fn duration(millis: Option<Option<u64>>) -> Option<Duration> {
    millis.flatten().map(Duration::from_millis)
}

/// Returns a duration in milliseconds, the unit of the record.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
