//! Says what a response means: a tower layer that reads errors and stamps them with a [`Verdict`].
//!
//! [`Classify`] sits right above the transport. On the way down it touches nothing. On the way up it looks at the
//! head of the response; only of an error, or of a success that might be an error by its body, does it read a bounded
//! part, and it hands the body up byte for byte all the same. The layers above read the verdict and never the body.
//!
//! tower has no layer of this kind: its `retry::Policy` leaves it to each user to find out what a response means.
//!
//! This crate also holds what all layers share: one [`Error`], the [`Record`] of attempts, the [`CloneBody`] trait for
//! bodies that can be sent again, [`ReplayBody`] that makes one of any body, the [`Deadline`] of a call, the
//! [`Clock`], the arithmetic of [`saturating`] durations, and the [`Upstream`] that a request goes to.
//!
//! # Examples
//! ```
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use redress_classify::{ClassifyLayer, Recovery, ResponseExt, dialects};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let body: &[u8] = br#"{"data":null,"error_code":1050,"error_message":"Image too dark","error_descriptions":null}"#;
//! let vlens = ServiceBuilder::new()
//!     .layer(ClassifyLayer::new(dialects::vlens()))
//!     .service(service_fn(|_: Request<String>| async {
//!         Ok::<_, std::io::Error>(Response::new(Full::new(body)))
//!     }));
//! let response = vlens.oneshot(Request::new(String::new())).await?;
//! let error = response.ok_or_api_error().expect_err("a 200 with an error code");
//! assert_eq!((error.code(), error.recovery()), (Some("1050"), Recovery::NewInput));
//! # Ok(()) }
//! ```

mod api_error;
mod body;
mod clock;
mod deadline;
mod error;
mod future;
mod items;
mod layer;
mod meaning;
mod printable;
mod record;
mod replay;
mod response;
pub mod saturating;
mod secrets;
mod send_state;
mod service;
mod success_hint;
mod telemetry;
mod transport;
mod upstream;
mod verdict;

pub use api_error::ApiError;
pub use body::Body;
pub use clock::Clock;
pub use deadline::Deadline;
pub use error::Error;
pub use future::ResponseFuture;
pub use layer::ClassifyLayer;
pub use printable::{escaped, is_hidden};
pub use record::{Attempt, EndReason, Record, WaitSource};
pub use replay::{CloneBody, Progress, ReplayBody, ReplayError, try_clone_request};
pub use response::{Refreshed, ResponseExt};
pub use secrets::Secrets;
pub use send_state::SendState;
pub use service::Classify;
pub use success_hint::SuccessHint;
pub use transport::{ForeignHost, TransportError};
pub use upstream::Upstream;
pub use verdict::{Phase, Verdict};

pub use redress_envelope::{
    Basis, Class, Code, CooldownScope, Coverage, Dialect, FieldError, HintSource, IdempotencyHeader, InvalidRoute,
    KeyFormat, Location, PublishedLimit, Recovery, RetryHint, Route, Schedule, Scope, ScopeId, Status, When, dialects,
};

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples of `docs/streams.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/streams.md")]
struct Streams;
