//! Reads what an HTTP API says when it fails.
//!
//! Every vendor signals errors in its own words. A [`Dialect`] is a TOML file that says where those words stand and
//! what they mean; an [`Envelope`] is one response as its dialect reads it; a [`RetryHint`] is when the server asks
//! the caller to come back. The crate does no I/O and reads no clock: bytes go in, values come out.
//!
//! # Examples
//! ```
//! use std::time::SystemTime;
//! use redress_envelope::{Class, Envelope, dialects};
//!
//! let vlens = dialects::vlens();
//! let body = br#"{"data":null,"error_code":1050,"error_message":"Image too dark","error_descriptions":null}"#;
//! let envelope = Envelope::read(&vlens, SystemTime::UNIX_EPOCH, [&body[..]])?;
//! assert!(envelope.signalled);
//! let code = envelope.code.as_deref().and_then(|code| vlens.code(code));
//! assert_eq!(code.map(|code| code.class), Some(Class::Rejected));
//! # Ok::<(), redress_envelope::Unreadable>(())
//! ```
//!
//! # Reading rules
//! The outermost value is an object unless the dialect says array. Containers nest at most 128 deep, in skipped data
//! too. Of a repeated key the last one counts; only whether a success may pass is decided by the first signal, so that it
//! need not wait for the end. One byte order mark is skipped. A member of a wrong type is absent and
//! loses nothing else. Invalid UTF-8 is replaced, codes stay as they were written, and an empty text says nothing.

mod class;
mod date;
mod dialect;
pub mod dialects;
mod envelope;
mod hint;
mod json;
mod path;
mod plan;
mod signal;
mod walk;

pub use class::{Class, Recovery, UnknownWord};
pub use date::{format_date, parse_date};
pub use dialect::{Code, Dialect, DialectError, Limit, Mistake, Reason, RetryAdvice, Route, Schedule, Status};
pub use envelope::{Envelope, FieldError};
pub use hint::{HintSource, RetryHint, Unit, When};
pub use json::Unreadable;
pub use signal::{Decision, Signal};
