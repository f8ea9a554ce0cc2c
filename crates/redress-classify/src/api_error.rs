//! What a server said when it failed, owned.

mod details;
mod report;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use redress_envelope::{Class, FieldError, Location, Recovery, RetryHint, format_date};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};

pub(crate) use self::details::{Details, Locations};
use crate::printable::escaped;
use crate::record::Record;
use crate::secrets::Secrets;
use crate::verdict::Hint;

/// How many bytes of the response's body are kept for a report.
pub(crate) const MAX_BODY: usize = 8 * 1024;
/// How much of a server's word is shown where a program writes it without being asked.
const MAX_WORD: usize = 64;

/// An error response as its dialect reads it.
///
/// Cheap to clone. Its `Display` and `Debug` show vendor, status and code; what the server wrote for people may hold
/// personal data and is there on request: [`message`](Self::message), [`fields`](Self::fields), [`report`](Self::report).
/// Serialising it gives all of it.
#[derive(Clone)]
pub struct ApiError {
    details: Arc<Details>,
    record: Option<Arc<Record>>,
}

impl ApiError {
    pub(crate) fn new(details: Details) -> Self {
        Self { details: Arc::new(details), record: None }
    }

    /// Returns the vendor's name as people write it.
    #[must_use]
    pub fn vendor(&self) -> &str {
        &self.details.vendor
    }

    /// Returns the name of the dialect that read the response.
    #[must_use]
    pub fn dialect(&self) -> &str {
        &self.details.dialect
    }

    /// Returns the HTTP status; it can be a success status where the body signals errors.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.details.status
    }

    /// Returns what kind of failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.details.class
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.details.recovery
    }

    /// Returns the vendor's code, verbatim.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.details.code.as_deref()
    }

    /// Returns the code if the dialect lists it: such a code holds nothing of a request, whatever the server meant by it.
    #[must_use]
    pub fn known_code(&self) -> Option<&str> {
        self.code().filter(|_| self.details.code_is_known)
    }

    /// Returns the vendor's finer word below the code.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.details.reason.as_deref()
    }

    /// Returns the vendor's sentence, verbatim. It may hold personal data.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.details.message.as_deref()
    }

    /// Returns the vendor's name for this one call.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.details.request_id.as_deref()
    }

    /// Returns where the code stood.
    #[must_use]
    pub fn code_location(&self) -> Option<&Location> {
        self.details.locations.code.as_ref()
    }

    /// Returns where the message stood.
    #[must_use]
    pub fn message_location(&self) -> Option<&Location> {
        self.details.locations.message.as_ref()
    }

    /// Returns where the request id stood.
    #[must_use]
    pub fn request_id_location(&self) -> Option<&Location> {
        self.details.locations.request_id.as_ref()
    }

    /// Returns the fields at fault.
    #[must_use]
    pub fn fields(&self) -> &[FieldError<'static>] {
        &self.details.fields
    }

    /// Returns advice for the developer, from the dialect; empty when it has none.
    #[must_use]
    pub fn guidance(&self) -> &str {
        &self.details.guidance
    }

    /// Returns the server's request to come back later, as it gave it, with the place where it was read.
    #[must_use]
    pub fn hint(&self) -> Option<&RetryHint> {
        self.timed_hint().map(Hint::hint)
    }

    /// Returns when the server asks to come back, by the caller's clock and uncapped; `None` when it does not ask.
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.timed_hint().map(Hint::at)
    }

    /// Returns the record of the attempts; `None` when there was one only. It is there when the error was made by
    /// [`ok_or_api_error`](crate::ResponseExt::ok_or_api_error), which takes it from the response.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.record.as_deref()
    }

    /// Returns why the Refresh layer could not renew the credentials that the server rejected: what failed, and the
    /// issuer's code if it is a known one.
    #[must_use]
    pub fn not_refreshed(&self) -> Option<&str> {
        self.details.not_refreshed.as_deref()
    }

    /// Returns the first 8 KiB of the body, decoded by their charset, with invalid UTF-8 replaced. They may hold personal data.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.details.body
    }

    /// Returns what vendors ask for in a support ticket, as an aligned text.
    ///
    /// It holds method, path without its query, the time in UTC at which the request was sent, status, code, request id,
    /// the wait that the server asks for with the place where it was read, why the credentials could not be refreshed,
    /// and at most 8 KiB of the response's body. It never holds the request's body or any request header, and a
    /// credential of the Refresh layer that the server quotes is masked. Control characters are escaped, so that a
    /// hostile body cannot write on a terminal or forge lines of a log.
    #[must_use]
    pub fn report(&self) -> String {
        report::of(&self.details)
    }

    /// Returns the error with the secrets masked in all that the server wrote; `None` when it holds none of them.
    ///
    /// Class, recovery and hint stay: they were read before.
    #[must_use]
    pub fn masked(&self, secrets: &Secrets) -> Option<Self> {
        let details = self.details.masked(secrets);
        let record = self.record.as_ref().and_then(|record| record.masked(secrets));
        if details.is_none() && record.is_none() {
            return None;
        }
        let mut masked = self.clone();
        if let Some(details) = details {
            masked.details = Arc::new(details);
        }
        if let Some(record) = record {
            masked.record = Some(Arc::new(record));
        }
        Some(masked)
    }

    /// Adds the record of the attempts.
    pub(crate) fn with_record(mut self, record: Option<Record>) -> Self {
        self.record = record.map(Arc::new).or(self.record);
        self
    }

    /// States that the credentials could not be refreshed, and so what is to be done instead.
    pub(crate) fn not_refreshed_since(&self, recovery: Recovery, why: String) -> Self {
        let details = Details { recovery, not_refreshed: Some(why), ..Details::clone(&self.details) };
        Self { details: Arc::new(details), record: self.record.clone() }
    }

    pub(crate) fn timed_hint(&self) -> Option<&Hint> {
        self.details.hint.as_ref()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", escaped(self.vendor(), MAX_WORD), self.status())?;
        if let Some(code) = self.code() {
            write!(f, " {}", escaped(code, MAX_WORD))?;
        }
        write!(f, " ({}, {})", self.class(), self.recovery())?;
        match self.not_refreshed() {
            Some(why) => write!(f, ", not refreshed: {why}"),
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
        if let Some(why) = self.not_refreshed() {
            error.field("not_refreshed", &why);
        }
        error.finish_non_exhaustive()
    }
}

impl std::error::Error for ApiError {}

impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details = &*self.details;
        let mut error = serializer.serialize_struct("ApiError", 21)?;
        error.serialize_field("vendor", &details.vendor)?;
        error.serialize_field("dialect", &details.dialect)?;
        error.serialize_field("method", &details.method)?;
        error.serialize_field("path", &details.path)?;
        error.serialize_field("time", &format_date(details.time))?;
        error.serialize_field("status", &details.status)?;
        error.serialize_field("class", &details.class)?;
        error.serialize_field("recovery", &details.recovery)?;
        error.serialize_field("code", &details.code)?;
        error.serialize_field("reason", &details.reason)?;
        error.serialize_field("message", &details.message)?;
        error.serialize_field("request_id", &details.request_id)?;
        error.serialize_field("fields", &details.fields)?;
        error.serialize_field("guidance", &details.guidance)?;
        error.serialize_field("retry_after", &details.retry_after)?;
        error.serialize_field("retry_at", &self.retry_at().map(format_date))?;
        error.serialize_field("retry_source", &self.hint().map(|hint| hint.source().to_string()))?;
        error.serialize_field("not_refreshed", &details.not_refreshed)?;
        error.serialize_field("record", &self.record())?;
        error.serialize_field("body", &details.body)?;
        error.serialize_field("body_cut", &details.body_cut)?;
        error.end()
    }
}
