//! Reads the error responses of HTTP APIs.
//!
//! Every HTTP API reports failures in its own format. A [`Dialect`] describes
//! one format as data: a TOML file with the places of code, message and fields,
//! and the meaning of each code. An [`Envelope`] is the content of one
//! response; a [`RetryHint`] is the time to retry that the server states; a
//! [`Meaning`] is the classification. The crate does no I/O and reads no clock.
//!
//! | question | answer |
//! |---|---|
//! | what does this error say? | [`Envelope::read`] |
//! | what kind of failure is it, and what should the caller do? | [`Dialect::meaning`] |
//! | is this success an error, by its body? | [`Signal`] |
//! | how long should the caller wait? | [`Meaning::hint`], [`RetryHint`] |
//! | which calls share a rate limit? | [`Dialect::scope_for_request`], [`Meaning::scope`] |
//! | which dialects are there? | [`dialects`], [`Dialect::from_toml`] |
//!
//! The page `docs/reader.md` of the repository draws the way from a chunk of
//! bytes to a field.
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
//! JSON (RFC 8259):
//!
//! - The root is an object, an array, or a string, which is a message. The
//!   first element of an array is read like an object at the root, unless a
//!   path of the dialect leads into the array.
//! - Containers nest at most 128 levels deep, in skipped data too.
//! - The last of several members with the same name counts. A [`Signal`] is
//!   decided by the first one, so that it need not wait for the end of the
//!   body.
//! - A member of an unexpected type counts as absent and affects nothing else.
//!   An empty string counts as absent.
//! - One byte order mark is skipped. A control character in a string is
//!   accepted, escaped or not.
//! - [`Envelope::read`] enforces the grammar in skipped data as well. A
//!   [`Signal`] tracks strings, escapes and depth only.
//! - The values before a truncation or a syntax error are kept, but do not
//!   decide the class.
//!
//! Text:
//!
//! - A body is decoded by the charset of its `Content-Type`, of an XML
//!   declaration, or of its byte order mark. Valid UTF-8 is taken as UTF-8,
//!   whatever charset is stated.
//! - Invalid UTF-8 is replaced. Codes stay verbatim.
//!
//! XML 1.0 is read if the dialect has a path that begins with `/`:
//!
//! - Elements nest at most 128 levels deep. The first 4 KiB of a text are kept.
//! - The first of several elements that is not empty counts.
//! - A document type declaration is rejected, so that no entities exist but the
//!   five predefined ones.

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
mod grpc;
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
pub use grpc::GrpcCode;
pub use head::Head;
pub use hint::{HintSource, RetryHint, Unit, When};
pub use json::Unreadable;
pub use location::{Location, Locations};
pub use meaning::{DecidedBy, Meaning};
pub use signal::{Decision, Signal};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
