//! Reads what an HTTP API says when it fails.
//!
//! Every vendor signals errors in its own words. A [`Dialect`] is a TOML file that says where those words stand and
//! what they mean; an [`Envelope`] is one response as its dialect reads it; a [`RetryHint`] is when the server asks
//! the caller to come back. The crate does no I/O and reads no clock: bytes go in, values come out.
//!
//! # Examples
//! ```
//! use std::time::SystemTime;
//! use redress_envelope::{Class, Envelope, Head, dialects};
//!
//! let headers = http::HeaderMap::new();
//! let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
//! let vlens = dialects::vlens();
//! let body = br#"{"data":null,"error_code":1050,"error_message":"Image too dark","error_descriptions":null}"#;
//! let envelope = Envelope::read(&vlens, &head, [&body[..]]);
//! assert!(envelope.signalled);
//! assert_eq!(vlens.meaning(&head, &envelope).class, Class::Rejected);
//! ```
//!
//! # Reading rules
//! The outermost value is an object, an array, or a text, which is a message. Of an array the first element is read in the
//! place of an object, beside what the dialect has paths into an array for.
//! Containers nest at most 128 deep, in skipped data too. Of a repeated key the last one counts; only whether a success
//! may pass is decided by the first signal, so that it need not wait for the end. One byte order mark is skipped. A member
//! of a wrong type is absent and loses nothing else. A control character in a text stands for itself, escaped or not. A
//! body is decoded by the charset that its `Content-Type` or an XML declaration names, or by its byte order mark; what is
//! valid UTF-8 is taken as such. Invalid UTF-8 is replaced, codes stay as they were written, and an
//! empty text says nothing. A full read enforces the grammar in skipped data as well; a [`Signal`] follows what it skips
//! by strings, escapes and depth alone. Of a body that breaks off, what came before counts as words and decides nothing.
//!
//! XML is read where the dialect has a path into it, one that begins with `/`. Elements nest at most 128 deep, of a text
//! 4 KiB are kept, and of repeated elements the first that says something counts. A document type is refused: no entity is
//! known but the five that XML predefines.

mod cells;
mod challenge;
mod charset;
mod class;
mod date;
mod dialect;
pub mod dialects;
mod envelope;
mod fields;
mod form;
mod head;
mod hint;
mod json;
mod location;
mod markup;
mod meaning;
mod path;
mod pattern;
mod plan;
mod serialized;
mod signal;
mod walk;
#[cfg(fuzzing)]
pub mod work;
#[cfg(not(fuzzing))]
mod work;
mod xml;

pub use class::{Class, Recovery, UnknownWord};
pub use date::{format_date, parse_date};
pub use dialect::{
    Code, CooldownScope, Coverage, Dialect, DialectError, IdempotencyHeader, InvalidRoute, KeyFormat, Mistake,
    PublishedLimit, Reason, RetryAdvice, Route, Rule, Schedule, Scope, ScopeId, Status,
};
pub use envelope::{Envelope, FieldError};
pub use head::Head;
pub use hint::{HintSource, RetryHint, Unit, When};
pub use json::Unreadable;
pub use location::Location;
pub use meaning::{DecidedBy, Meaning};
pub use signal::{Decision, Signal};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
