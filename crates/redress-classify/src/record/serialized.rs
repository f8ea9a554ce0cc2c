//! The record as an object of a log record.

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::{Attempt, EndReason, Record, WaitSource};
use crate::verdict::Verdict;

/// Writes the attempts, and the reason why there was no further one.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Record", 2)?;
        record.serialize_field("attempts", self.attempts())?;
        record.serialize_field("end_reason", &self.end_reason)?;
        record.end()
    }
}

/// Writes status, class, recovery and phase, what kind of attempt it was, and the wait in milliseconds with its source.
impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verdict = self.verdict.as_ref();
        let wait = self.wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let mut attempt = serializer.serialize_struct("Attempt", 10)?;
        attempt.serialize_field("status", &self.status)?;
        attempt.serialize_field("class", &verdict.map(Verdict::class))?;
        attempt.serialize_field("recovery", &verdict.map(Verdict::recovery))?;
        attempt.serialize_field("phase", &verdict.map(Verdict::phase))?;
        attempt.serialize_field("is_resend", &self.is_resend)?;
        attempt.serialize_field("is_probe", &self.is_probe)?;
        attempt.serialize_field("is_hedge", &self.is_hedge)?;
        attempt.serialize_field("is_cancelled", &self.is_cancelled)?;
        attempt.serialize_field("wait_ms", &wait)?;
        attempt.serialize_field("wait_source", &self.wait_source)?;
        attempt.end()
    }
}

impl Serialize for EndReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Writes the kind of source, as [`Attempt`] does.
impl Serialize for WaitSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
