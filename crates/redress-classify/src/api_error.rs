//! What a server said when it failed, owned.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::SystemTime;

use redress_envelope::{Class, FieldError, Origin, Recovery, format_date};
use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use crate::printable::escaped;

/// How many bytes of the response's body are kept for a report.
pub(crate) const MAX_BODY: usize = 8 * 1024;
/// How much of each single value is put into a report.
const MAX_VALUE: usize = 512;
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
}

pub(crate) struct Details {
    pub(crate) vendor: String,
    pub(crate) dialect: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) time: SystemTime,
    pub(crate) status: u16,
    pub(crate) class: Class,
    pub(crate) recovery: Recovery,
    pub(crate) code: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) fields: Vec<FieldError<'static>>,
    pub(crate) guidance: String,
    pub(crate) origins: Origins,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
    /// Whether there was more of the body than `body` holds.
    pub(crate) body_cut: bool,
}

/// Where each part stood.
pub(crate) struct Origins {
    pub(crate) code: Option<Origin>,
    pub(crate) message: Option<Origin>,
    pub(crate) request_id: Option<Origin>,
}

impl ApiError {
    pub(crate) fn new(details: Details) -> Self {
        Self { details: Arc::new(details) }
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
    pub fn code_origin(&self) -> Option<&Origin> {
        self.details.origins.code.as_ref()
    }

    /// Returns where the message stood.
    #[must_use]
    pub fn message_origin(&self) -> Option<&Origin> {
        self.details.origins.message.as_ref()
    }

    /// Returns where the request id stood.
    #[must_use]
    pub fn request_id_origin(&self) -> Option<&Origin> {
        self.details.origins.request_id.as_ref()
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

    /// Returns the first 8 KiB of the body, with invalid UTF-8 replaced. They may hold personal data.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.details.body
    }

    /// Returns what vendors ask for in a support ticket, as an aligned text.
    ///
    /// It holds method, path without its query, the time in UTC at which the request was sent, status, code, request id,
    /// Retry-After and at most 8 KiB of the response's body. It never holds the request's body or any request header.
    /// Control characters are escaped, so that a hostile body cannot write on a terminal or forge lines of a log.
    #[must_use]
    pub fn report(&self) -> String {
        let details = &*self.details;
        let reason = details.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let code = details.code.as_ref().map(|code| format!("{code}{reason}"));
        let mut body = escaped(&details.body, usize::MAX);
        if details.body_cut {
            body.push_str(" ... (cut)");
        }
        let rows = [
            ("vendor", Some(details.vendor.clone())),
            ("call", Some(format!("{} {}", details.method, details.path))),
            ("time", Some(format_date(details.time))),
            ("status", Some(details.status.to_string())),
            ("code", code),
            ("request id", details.request_id.clone()),
            ("retry-after", details.retry_after.clone()),
        ];
        let mut report = String::new();
        for (name, value) in rows {
            let value = value.map_or_else(|| "-".to_owned(), |value| escaped(&value, MAX_VALUE));
            let _ = writeln!(report, "{name:<12}{value}");
        }
        let body = if body.is_empty() { "(empty)" } else { &body };
        let _ = write!(report, "{:<12}{body}", "body");
        report
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.vendor(), self.status())?;
        if let Some(code) = self.code() {
            write!(f, " {}", escaped(code, MAX_WORD))?;
        }
        write!(f, " ({}, {})", self.class(), self.recovery())
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("dialect", &self.dialect())
            .field("status", &self.status())
            .field("code", &self.code().map(|code| escaped(code, MAX_WORD)))
            .field("class", &self.class())
            .field("recovery", &self.recovery())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ApiError {}

impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details = &*self.details;
        let mut error = serializer.serialize_struct("ApiError", 17)?;
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
        error.serialize_field("body", &details.body)?;
        error.serialize_field("body_cut", &details.body_cut)?;
        error.end()
    }
}
