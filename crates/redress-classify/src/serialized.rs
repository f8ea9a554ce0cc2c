//! The serialized forms of verdicts, hints and errors, for logs.
//!
//! Written by hand: `CONTRIBUTING.md` has the build times with and without the derive.

use redress_envelope::format_date;
use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::error::Error;
use crate::success_hint::SuccessHint;
use crate::verdict::Verdict;

/// Writes the classification, what is known about the processing of the request, the hint, and the
/// [`ApiError`](crate::ApiError) if there is one. Times are RFC 3339 texts.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut verdict = serializer.serialize_struct("Verdict", 10)?;
        verdict.serialize_field("class", &self.class())?;
        verdict.serialize_field("recovery", &self.recovery())?;
        verdict.serialize_field("decided_by", &self.decided_by())?;
        verdict.serialize_field("phase", &self.phase())?;
        verdict.serialize_field("should_retry", &self.should_retry())?;
        verdict.serialize_field("not_processed", &self.is_not_processed())?;
        verdict.serialize_field("maybe_processed", &self.is_maybe_processed())?;
        verdict.serialize_field("hint", &self.hint())?;
        verdict.serialize_field("retry_at", &self.retry_at().map(format_date))?;
        verdict.serialize_field("error", &self.api_error())?;
        verdict.end()
    }
}

/// Writes the hint, and the end of the pause as an RFC 3339 text.
impl Serialize for SuccessHint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hint = serializer.serialize_struct("SuccessHint", 2)?;
        hint.serialize_field("hint", self.hint())?;
        hint.serialize_field("retry_at", &format_date(self.retry_at()))?;
        hint.end()
    }
}

/// Writes the text of `Display`, the classification, the time to try again as an RFC 3339 text, and the record. The
/// sources are left out: the text of another crate's error may hold the query of a URL.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_struct("Error", 6)?;
        error.serialize_field("error", &self.to_string())?;
        error.serialize_field("class", &self.class())?;
        error.serialize_field("recovery", &self.recovery())?;
        error.serialize_field("phase", &self.phase())?;
        error.serialize_field("retry_at", &self.retry_at().map(format_date))?;
        error.serialize_field("record", &self.record())?;
        error.end()
    }
}
