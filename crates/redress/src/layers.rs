//! For authors of layers: the services of the stack, and the types by which they tell each other what happened.
//!
//! A program that calls an API needs none of these. They are for those who put a layer of their own between two of this
//! stack, build the stack from its single layers, or read responses without a client. `docs/design.md` in the repository
//! says why the layers lie in their order, and which type goes from which layer to which.
//!
//! # Examples
//! An error is read from bytes, without a request:
//!
//! ```
//! use std::time::SystemTime;
//!
//! use redress::layers::{Envelope, Head};
//! use redress::{Class, dialects};
//!
//! let headers = http::HeaderMap::new();
//! let head = Head::new(404, &headers, SystemTime::UNIX_EPOCH);
//! let github = dialects::by_name("github").expect("it is shipped");
//! let envelope = Envelope::read(&github, &head, [&br#"{"message":"Not Found"}"#[..]]);
//! assert_eq!(envelope.message.as_deref(), Some("Not Found"));
//! assert_eq!(github.meaning(&head, &envelope).class, Class::NotFound);
//! ```
//!
//! The stack is built from two of its layers:
//!
//! ```
//! use redress::layers::{Backoff, Classify};
//! use redress::{BackoffLayer, ClassifyLayer, dialects};
//! use tower::Layer;
//!
//! fn stack<S: Clone>(transport: S) -> Backoff<Classify<S>> {
//!     let dialect = dialects::veridia();
//!     BackoffLayer::new(dialect.clone()).layer(ClassifyLayer::new(dialect).layer(transport))
//! }
//! ```

#[doc(inline)]
pub use redress_backoff::{Backoff, Reservation, ResponseFuture as BackoffFuture, has_retry_after};
#[doc(inline)]
pub use redress_classify::{
    Classify, Progress, Refreshed, ResendCount, ResponseFuture as ClassifyFuture, Secrets, SendState, Upstream,
    UpstreamHealth, escaped, is_hidden, is_success, saturating, try_clone_request,
};
#[doc(inline)]
pub use redress_envelope::{
    DecidedBy, Decision, Envelope, Head, Locations, Meaning, Signal, Unreadable, format_date, parse_date,
};
#[doc(inline)]
pub use redress_pace::{Pace, ResponseFuture as PaceFuture};
#[doc(inline)]
pub use redress_refresh::{Refresh, ResponseFuture as RefreshFuture};
