//! A tower layer that reads error responses, and attaches their meaning as a [`Verdict`].
//!
//! Every HTTP API reports failures in its own format. A [`Dialect`] describes one format as data; [`Classify`] reads
//! responses with it and says what a failure means: its [`Class`], the [`Recovery`], the time to come back. It sits right
//! above the transport. It passes requests on unchanged, and returns each response with its body byte for byte. Only of an
//! error, or of a success that its body may turn into one, is a bounded part of the body read. The layers above decide by the
//! verdict and never read the body.
//!
//! # For users
//! - [`ClassifyLayer`] makes the service.
//! - [`ResponseExt`] has the verdict of a response, and turns an error response into an [`ApiError`].
//! - [`FromCode`] makes an enum of your own from a vendor's codes.
//! - [`Error`] is the error of a call without a response; [`Record`] lists the attempts of a call.
//! - [`Deadline`] sets the deadline of one call.
//!
//! # For authors of layers and transports
//! - [`TransportError`] tells the layers which phase a failed request reached.
//! - [`CloneBody`] says whether a request body can be cloned; [`ReplayBody`] makes any body clonable, and
//!   [`ReplayBodyLayer`] the bodies of all requests.
//! - [`Verdict::for_response`] and [`is_success`] are the one test for an error that all layers use.
//! - [`ResendCount`] tells a layer below Backoff which attempt of a call a request is.
//! - [`SendState`], [`Refreshed`], [`Upstream`], [`Secrets`], [`Clock`], [`saturating`] are shared by the layers.
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
mod clone_body;
mod deadline;
mod error;
mod extension;
mod facts;
mod from_code;
mod future;
mod items;
mod judge;
mod layer;
mod phase;
mod printable;
mod progress;
mod read_body;
mod reader;
mod reading;
mod record;
mod replay_body;
mod resend_count;
mod response;
pub mod saturating;
mod secrets;
mod send_state;
mod serialized;
mod service;
mod settings;
#[doc(hidden)]
pub mod straight;
mod success_hint;
mod telemetry;
mod timed_hint;
mod transport;
mod upstream;
mod upstream_health;
mod verdict;

pub use api_error::ApiError;
pub use body::Body;
pub use clock::Clock;
pub use clone_body::{CloneBody, try_clone_request};
pub use deadline::Deadline;
pub use error::Error;
pub use from_code::FromCode;
pub use future::ResponseFuture;
pub use judge::is_success;
pub use layer::ClassifyLayer;
pub use phase::Phase;
pub use printable::{escaped, is_hidden};
pub use progress::Progress;
pub use record::{Attempt, EndReason, Record, WaitSource};
pub use replay_body::{ReplayBodies, ReplayBody, ReplayBodyLayer, ReplayError};
pub use resend_count::ResendCount;
pub use response::{Refreshed, ResponseExt};
pub use secrets::Secrets;
pub use send_state::SendState;
pub use service::Classify;
pub use success_hint::SuccessHint;
pub use transport::{ForeignHost, TransportError};
pub use upstream::Upstream;
pub use upstream_health::UpstreamHealth;
pub use verdict::Verdict;

pub use redress_envelope::{
    Class, Code, CooldownScope, Coverage, DecidedBy, Dialect, FieldError, GrpcCode, HintSource, IdempotencyHeader,
    InvalidRoute, KeyFormat, Location, PublishedLimit, Recovery, RetryHint, Route, Schedule, Scope, ScopeId, Status,
    When, dialects,
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
