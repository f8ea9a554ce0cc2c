//! The JSON form of a record, serialized by hand: `serde_derive` takes longer to build than this crate.

use std::fmt;
use std::time::SystemTime;

use serde_core::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};
use zeroize::Zeroizing;

use super::millis;
use super::record::Lease;

const RECORD: &[&str] = &["v", "generation", "access", "refresh", "expires_at", "lease"];
const LEASE: &[&str] = &["id", "until"];

/// The members of a record as they are written.
pub(super) struct Written<'a> {
    pub(super) v: u8,
    pub(super) generation: u64,
    pub(super) access: Vec<(&'a str, &'a str)>,
    pub(super) refresh: Option<&'a str>,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) lease: Option<&'a Lease>,
}

/// The members of a record as they are read. The secrets are wiped when it is dropped.
pub(super) struct Read {
    pub(super) v: u8,
    pub(super) generation: u64,
    pub(super) access: Vec<(String, Secret)>,
    pub(super) refresh: Option<Secret>,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) lease: Option<Lease>,
}

/// A text that is wiped when it is dropped.
pub(super) struct Secret(pub(super) Zeroizing<String>);

/// Reads a [`Read`].
struct RecordVisitor;

/// Reads a [`Lease`].
struct LeaseVisitor;

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("TokenRecord", RECORD.len())?;
        record.serialize_field("v", &self.v)?;
        record.serialize_field("generation", &self.generation)?;
        record.serialize_field("access", &self.access)?;
        record.serialize_field("refresh", &self.refresh)?;
        record.serialize_field("expires_at", &self.expires_at.map(millis::number))?;
        record.serialize_field("lease", &self.lease)?;
        record.end()
    }
}

impl Serialize for Lease {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lease = serializer.serialize_struct("Lease", LEASE.len())?;
        lease.serialize_field("id", &self.id)?;
        lease.serialize_field("until", &millis::number(self.until))?;
        lease.end()
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("TokenRecord", RECORD, RecordVisitor)
    }
}

impl<'de> Deserialize<'de> for Lease {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Lease", LEASE, LeaseVisitor)
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
        let (mut v, mut generation, mut access) = (None, None, None);
        let (mut refresh, mut expires_at, mut lease) = (None, None, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "v" => once(&mut v, "v", &mut members)?,
                "generation" => once(&mut generation, "generation", &mut members)?,
                "access" => once(&mut access, "access", &mut members)?,
                "refresh" => once(&mut refresh, "refresh", &mut members)?,
                "expires_at" => once(&mut expires_at, "expires_at", &mut members)?,
                "lease" => once(&mut lease, "lease", &mut members)?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        let expires_at: Option<u64> = there(expires_at, "expires_at")?;
        Ok(Read {
            v: there(v, "v")?,
            generation: there(generation, "generation")?,
            access: there(access, "access")?,
            refresh: refresh.flatten(),
            expires_at: expires_at.map(millis::time),
            lease: lease.flatten(),
        })
    }
}

impl<'de> Visitor<'de> for LeaseVisitor {
    type Value = Lease;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a lease")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Lease, A::Error> {
        let (mut id, mut until) = (None, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "id" => once(&mut id, "id", &mut members)?,
                "until" => once(&mut until, "until", &mut members)?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Lease { id: there(id, "id")?, until: millis::time(there(until, "until")?) })
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
