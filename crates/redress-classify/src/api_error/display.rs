//! The text of an error in `Display` and `Debug`, and its record for logs.

use std::fmt;

use redress_envelope::format_date;
use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::{ApiError, Word};
use crate::printable::escaped;

/// The maximum number of characters of a server's text in `Display` and `Debug`.
const MAX_WORD: usize = 64;

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", escaped(self.vendor(), MAX_WORD), self.status())?;
        if let Some(code) = self.code() {
            write!(f, " {}", escaped(code, MAX_WORD))?;
        }
        write!(f, " ({}, {})", self.class(), self.recovery())?;
        match self.not_refreshed() {
            Some(reason) => write!(f, ", not refreshed: {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = f.debug_struct("ApiError");
        error
            .field("dialect", &self.dialect())
            .field("status", &self.status())
            .field("code", &self.code().map(|code| escaped(code, MAX_WORD)))
            .field("class", &self.class())
            .field("recovery", &self.recovery());
        if let Some(reason) = self.not_refreshed() {
            error.field("not_refreshed", &reason);
        }
        error.finish_non_exhaustive()
    }
}

impl std::error::Error for ApiError {}

/// Writes all parts, times as RFC 3339 texts.
impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details = &*self.details;
        let mut error = serializer.serialize_struct("ApiError", 21)?;
        error.serialize_field("vendor", self.vendor())?;
        error.serialize_field("dialect", self.dialect())?;
        error.serialize_field("method", details.method.as_str())?;
        error.serialize_field("path", details.texts.path())?;
        error.serialize_field("time", &format_date(details.time))?;
        error.serialize_field("status", &details.status)?;
        error.serialize_field("class", &self.class())?;
        error.serialize_field("recovery", &self.recovery())?;
        error.serialize_field("code", &self.code())?;
        error.serialize_field("reason", &self.reason())?;
        error.serialize_field("message", &self.message())?;
        error.serialize_field("request_id", &self.request_id())?;
        error.serialize_field("fields", &details.fields)?;
        error.serialize_field("guidance", self.guidance())?;
        error.serialize_field("retry_after", &details.word(Word::RetryAfter))?;
        error.serialize_field("retry_at", &self.retry_at().map(format_date))?;
        error.serialize_field("retry_source", &self.hint().map(|hint| hint.source().to_string()))?;
        error.serialize_field("not_refreshed", &details.not_refreshed)?;
        error.serialize_field("record", &self.record())?;
        error.serialize_field("body", self.body())?;
        error.serialize_field("body_cut", &details.body_cut)?;
        error.end()
    }
}
